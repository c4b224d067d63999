//! One request as the API's functions see it.

use axum::body::Bytes;
use reqwest::Url;
use serde_json::Value;

use super::{answer::Answer, card::Origin};

/// A request that has passed the door.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: String,
    /// With the leading slash, without the query.
    pub(super) path: String,
    /// Below `/api/v4/` or `/api/v2/`.
    pub(super) segments: Vec<String>,
    pub(super) query: Query,
    pub(super) body: Bytes,
    pub(super) content_type: String,
    /// On whose behalf.
    pub(super) user: u64,
    /// Unix seconds.
    pub(super) now: i64,
}

impl Ask {
    /// The body as JSON. Anything else than JSON under a JSON content type reads as empty (stricter reading of 2.2).
    pub(super) fn json(&self) -> Result<Value, Answer> {
        if !self.content_type.contains("json") {
            return Err(Answer::empty_request());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Null) | Err(_) => Err(Answer::empty_request()),
            Ok(value) => Ok(value),
        }
    }

    /// A path segment as an id.
    pub(super) fn id(&self, at: usize) -> Option<u64> {
        self.segments.get(at)?.parse().ok()
    }

    /// A path segment; empty when there is none.
    pub(super) fn word(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    /// Who does it, and when.
    pub(super) fn origin(&self) -> Origin {
        Origin { user: self.user, now: self.now }
    }
}

/// The query string, decoded; PHP brackets stay in the names.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// From `a=1&b[]=2`.
    pub(super) fn parse(text: &str) -> Self {
        let Ok(mut url) = Url::parse("http://localhost/") else { return Self::default() };
        url.set_query(Some(text));
        Self(url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The last value of a name, as PHP takes it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All pairs.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// `name=a`, `name[]=a&name[]=b`, `name[0]=a`: all values; none when the name is absent.
    pub(super) fn all(&self, name: &str) -> Option<Vec<&str>> {
        let belongs = |own: &str| {
            own.strip_prefix(name).is_some_and(|rest| {
                rest.is_empty()
                    || rest
                        .strip_prefix('[')
                        .and_then(|rest| rest.strip_suffix(']'))
                        .is_some_and(|index| index.chars().all(|sign| sign.is_ascii_digit()))
            })
        };
        let found: Vec<&str> =
            self.0.iter().filter(|(own, _)| belongs(own)).map(|(_, value)| value.as_str()).collect();
        (!found.is_empty()).then_some(found)
    }

    /// As [`Query::all`], numbers only; a word that is no number fits nothing.
    pub(super) fn ids(&self, name: &str) -> Option<Vec<u64>> {
        Some(self.all(name)?.into_iter().map(|text| text.parse().unwrap_or(u64::MAX)).collect())
    }

    /// `name[from]`, `name[to]` (both included), or `name` for one moment; none when absent.
    pub(super) fn range(&self, name: &str) -> Option<(i64, i64)> {
        let bound = |part: &str| self.get(&format!("{name}[{part}]")).and_then(|text| text.parse().ok());
        match (bound("from"), bound("to")) {
            (None, None) => self.get(name)?.parse().ok().map(|moment| (moment, moment)),
            (from, to) => Some((from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX))),
        }
    }

    /// Whether a comma list such as `with` holds a word.
    pub(super) fn lists(&self, name: &str, word: &str) -> bool {
        self.get(name).is_some_and(|text| text.split(',').any(|part| part.trim() == word))
    }

    /// `order[field]=asc|desc`, the first that is allowed: field, and whether it runs downwards.
    pub(super) fn order<'a>(&self, allowed: &[&'a str]) -> Option<(&'a str, bool)> {
        self.0.iter().find_map(|(name, value)| {
            let field = name.strip_prefix("order[")?.strip_suffix(']')?;
            let field = allowed.iter().find(|one| **one == field)?;
            Some((*field, value.eq_ignore_ascii_case("desc")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn php_brackets_make_a_list() {
        let query = Query::parse("filter[id][]=1&filter%5Bid%5D%5B%5D=2&filter[id][7]=3&filter[idx]=4");
        assert_eq!(query.ids("filter[id]"), Some(vec![1, 2, 3]));
        assert_eq!(query.ids("filter[other]"), None);
    }

    #[test]
    fn a_range_may_be_open() {
        assert_eq!(Query::parse("u[from]=5").range("u"), Some((5, i64::MAX)));
        assert_eq!(Query::parse("u=5").range("u"), Some((5, 5)));
        assert_eq!(Query::parse("x=5").range("u"), None);
    }

    #[test]
    fn an_order_that_is_not_allowed_is_passed_over() {
        assert_eq!(
            Query::parse("order[name]=asc&order[id]=desc").order(&["id", "updated_at"]),
            Some(("id", true))
        );
    }
}
