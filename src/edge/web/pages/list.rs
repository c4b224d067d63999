//! `/calls`: the calls, by state, date and number.

use std::collections::BTreeMap;

use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Eye, Look, trouble, view::CallLine};
use crate::edge::{
    store::{CallFilter, CallState},
    web::{App, Visitor, url_encoded},
};

const PAGE: usize = 50;

/// What the visitor filters by; dates are local days.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Wish {
    state: String,
    from: String,
    to: String,
    phone: String,
    before: String,
}

impl Wish {
    /// The same filter with another state, or the next page, as a link.
    fn link(&self, state: &str, before: &str) -> String {
        let pairs = [
            ("state", state),
            ("from", &self.from),
            ("to", &self.to),
            ("phone", &self.phone),
            ("before", before),
        ];
        let query: Vec<String> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", url_encoded(value)))
            .collect();
        if query.is_empty() { "/calls".to_owned() } else { format!("/calls?{}", query.join("&")) }
    }

    fn filter(&self, eye: &Eye<'_>) -> CallFilter {
        let digits: String = self.phone.chars().filter(char::is_ascii_digit).collect();
        // Numbers are kept as +7…; people type 8….
        let digits = match digits.strip_prefix('8') {
            Some(rest) if digits.len() == 11 => format!("7{rest}"),
            _ => digits,
        };
        CallFilter {
            from: eye.day_begins(&self.from, 0),
            to: eye.day_begins(&self.to, 1),
            state: CallState::parse(&self.state),
            phone: (!digits.is_empty()).then_some(digits),
            // One more than is shown tells whether there is another page.
            limit: u32::try_from(PAGE + 1).ok(),
            before: (!self.before.is_empty()).then(|| self.before.clone()),
        }
    }
}

#[derive(Serialize)]
struct Tab {
    state: &'static str,
    count: u64,
    link: String,
    chosen: bool,
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    let eye = Eye { app: &app, language: look.language };
    let read = async {
        Ok::<_, crate::edge::store::StoreError>((
            app.store.calls(&wish.filter(&eye)).await?,
            app.store.count_calls_by_state().await?,
        ))
    };
    let (calls, counts) = match read.await {
        Ok(read) => read,
        Err(error) => return trouble(&look, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let older =
        calls.get(PAGE - 1).filter(|_| calls.len() > PAGE).map(|last| wish.link(&wish.state, &last.id));
    let lines: Vec<CallLine> = calls.iter().take(PAGE).map(|call| eye.call_line(call)).collect();
    let values = json!({ "page": "calls", "calls": lines, "tabs": tabs(&wish, &counts), "older": older, "newest": (!wish.before.is_empty()).then(|| wish.link(&wish.state, "")), "filtered": !(wish.from.is_empty() && wish.to.is_empty() && wish.phone.is_empty()), "total": counts.values().sum::<u64>(), "pbx_is_set": app.settings.pbx.database_url.is_some(), "wish": wish });
    super::render(&look, "calls.html", values)
}

fn tabs(wish: &Wish, counts: &BTreeMap<CallState, u64>) -> Vec<Tab> {
    let all = Tab {
        state: "all",
        count: counts.values().sum(),
        link: wish.link("", ""),
        chosen: wish.state.is_empty(),
    };
    let each = CallState::ALL.iter().map(|state| Tab {
        state: state.as_str(),
        count: counts.get(state).copied().unwrap_or(0),
        link: wish.link(state.as_str(), ""),
        chosen: wish.state == state.as_str(),
    });
    std::iter::once(all).chain(each).collect()
}
