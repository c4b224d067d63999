//! Pages of lists (reference 2.4).

use serde_json::{Value, json};

use super::{answer::Answer, ask::Ask, state::State, validation::MOST_ITEMS};

/// Items a page when `limit` is absent (UNVERIFIED in 2.4; the official library's own default is the same).
const DEFAULT_LIMIT: usize = 50;

/// One page of a list: 204 when it is empty. `with_totals` adds the totals that only some lists have.
pub(super) fn listed<T>(
    state: &State,
    ask: &Ask,
    name: &str,
    items: &[T],
    with_totals: bool,
    render: impl Fn(&T) -> Value,
) -> Answer {
    listed_most(state, ask, name, items, (with_totals, MOST_ITEMS), render)
}

/// As [`listed`], with another upper limit of a page.
pub(super) fn listed_most<T>(
    state: &State,
    ask: &Ask,
    name: &str,
    items: &[T],
    (with_totals, most): (bool, usize),
    render: impl Fn(&T) -> Value,
) -> Answer {
    let (page, limit) = match page_of(ask, most) {
        Ok(page) => page,
        Err(refusal) => return refusal,
    };
    let shown: Vec<Value> =
        items.iter().skip((page - 1).saturating_mul(limit)).take(limit).map(render).collect();
    if shown.is_empty() {
        return Answer::nothing();
    }
    let mut links = json!({"self": {"href": address(state, ask, page, limit)}});
    // Seen live: after a full last page `next` leads to a 204 (7a).
    if shown.len() == limit {
        links["next"] = json!({"href": address(state, ask, page + 1, limit)});
    }
    let mut body = json!({"_page": page, "_links": links, "_embedded": {name: shown}});
    if with_totals {
        body["_total_items"] = json!(items.len());
        body["_page_count"] = json!(items.len().div_ceil(limit));
    }
    Answer::ok(body)
}

fn page_of(ask: &Ask, most: usize) -> Result<(usize, usize), Answer> {
    let number = |name: &str, default: usize| match ask.query.get(name) {
        None => Ok(default),
        Some(text) => match text.parse::<usize>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Answer::bad_request(&format!("Invalid value of {name}"))),
        },
    };
    let (page, limit) = (number("page", 1)?, number("limit", DEFAULT_LIMIT.min(most))?);
    if limit > most {
        return Err(Answer::too_many_items(most));
    }
    Ok((page, limit))
}

fn address(state: &State, ask: &Ask, page: usize, limit: usize) -> String {
    let own = ask.query.pairs().iter().filter(|(name, _)| name != "page" && name != "limit");
    let mut query = encode(own.map(|(name, value)| (name.as_str(), value.as_str())));
    if !query.is_empty() {
        query.push('&');
    }
    format!("{}{}?{query}page={page}&limit={limit}", state.base, ask.path)
}

/// `application/x-www-form-urlencoded`.
pub(super) fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let Ok(mut url) = reqwest::Url::parse("http://localhost/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}
