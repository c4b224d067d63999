//! What a CRM user sees, on the paths amoCRM itself uses (`/leads/detail/1`), and the switches for faults.

mod board;
mod cards;
mod consent;
mod desk_work;
mod switches;
mod words;

use std::sync::OnceLock;

use axum::{
    Router,
    extract::{Query, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use minijinja::Environment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{handle::Desk, model::Kind, state::State};
use crate::{edge::clock, settings::Language};

const STYLE: &str = include_str!("templates/style.css");
const TEMPLATES: [(&str, &str); 8] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("board.html", include_str!("templates/board.html")),
    ("people.html", include_str!("templates/people.html")),
    ("card.html", include_str!("templates/card.html")),
    ("tasks.html", include_str!("templates/tasks.html")),
    ("unsorted.html", include_str!("templates/unsorted.html")),
    ("switches.html", include_str!("templates/switches.html")),
    ("consent.html", include_str!("templates/consent.html")),
];

/// A pop-up stays so long on the screen, seconds.
const POPUP_SECONDS: i64 = 20;

/// The pages.
pub(super) fn router() -> Router<Desk> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/leads/") }))
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route("/language/{code}", get(choose_language))
        .route("/leads/", get(board::leads))
        .route("/contacts/", get(cards::contacts))
        .route("/companies/", get(cards::companies))
        .route("/{kind}/detail/{id}", get(cards::show))
        .route("/todo/", get(cards::tasks))
        .route("/unsorted/", get(board::unsorted))
        .route("/screen/{kind}/{id}/{act}", post(desk_work::change_card))
        .route("/screen/tasks/{id}/done", post(desk_work::complete_task))
        .route("/switches", get(switches::show))
        .route("/switches/{act}", post(switches::change))
        .route("/oauth", get(consent::show).post(consent::decide))
}

/// What each page is told about its reader.
pub(super) struct Reader {
    language: Language,
    zone: chrono_tz::Tz,
    now: DateTime<Utc>,
}

impl Reader {
    fn of(state: &State, headers: &HeaderMap) -> Self {
        let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let language = match cookies.split(';').find_map(|pair| pair.trim().strip_prefix("language=")) {
            Some("ru") => Language::Ru,
            Some("en") => Language::En,
            _ => state.options.language,
        };
        let zone = state.options.timezone.parse().unwrap_or(chrono_tz::UTC);
        Self { language, zone, now: clock::now() }
    }

    /// A moment as people write it: today only the time.
    fn moment(&self, at: i64) -> String {
        let Some(at) = DateTime::from_timestamp(at, 0) else { return String::new() };
        let (at, today) = (at.with_timezone(&self.zone), self.now.with_timezone(&self.zone));
        let format = if at.date_naive() == today.date_naive() { "%H:%M:%S" } else { "%d.%m.%Y %H:%M" };
        at.format(format).to_string()
    }

    /// A moment in short: today the time, else the day.
    fn short_moment(&self, at: i64) -> String {
        let text = self.moment(at);
        text.split_once(' ').map_or_else(|| text.clone(), |(day, _)| day.to_owned())
    }

    /// A text of the pages.
    fn word(&self, key: &str) -> &'static str {
        words::word(self.language, key)
    }
}

/// `1:05`.
fn clock_of(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Renders a page; `body` holds what is its own.
fn page(
    desk: &Desk,
    headers: &HeaderMap,
    template: &str,
    own: impl FnOnce(&State, &Reader) -> Value,
) -> Response {
    let state = desk.state();
    let reader = Reader::of(&state, headers);
    let mut body = own(&state, &reader);
    body["words"] = words::all(reader.language);
    body["language"] = json!(if reader.language == Language::Ru { "ru" } else { "en" });
    body["popups"] = popups(&state, &reader);
    body["waiting"] = json!(state.unsorted.iter().filter(|one| one.decided.is_none()).count());
    body["struck"] = json!(state.faults.rules().len());
    drop(state);
    match environment()
        .get_template(template)
        .and_then(|template| template.render(minijinja::value::Serde(&body)))
    {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!("sandbox page {template}: {error:#}");
            (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            if let Err(error) = environment.add_template(name, source) {
                tracing::error!("sandbox template {name}: {error:#}");
            }
        }
        environment
    })
}

/// Calls that ring now, as the managers see them in the corner.
fn popups(state: &State, reader: &Reader) -> Value {
    let now = reader.now.timestamp();
    let fresh = state.popups.iter().rev().take_while(|popup| now - popup.at < POPUP_SECONDS).take(4);
    fresh
        .map(|popup| {
            let names: Vec<&str> = popup.users.iter().map(|id| user_name(state, *id)).collect();
            let card = popup.entity.and_then(|key| state.cards.get(&key));
            json!({
                "phone": popup.phone, "users": names.join(", "), "at": reader.moment(popup.at),
                "name": card.map_or("", |card| card.name.as_str()),
                "href": popup.entity.map(|(kind, id)| address(kind, id)),
            })
        })
        .collect()
}

/// A card's page.
fn address(kind: Kind, id: u64) -> String {
    format!("/{}/detail/{id}", kind.plural())
}

fn user_name(state: &State, id: u64) -> &str {
    state.users.iter().find(|user| user.id == id).map_or("", |user| user.name.as_str())
}

#[derive(Deserialize)]
struct Back {
    back: Option<String>,
}

/// Remembers the language, and goes back to the page it was chosen on.
async fn choose_language(
    Shared(_desk): Shared<Desk>,
    axum::extract::Path(code): axum::extract::Path<String>,
    Query(back): Query<Back>,
) -> Response {
    let code = if code == "ru" { "ru" } else { "en" };
    let cookie = format!("language={code}; Path=/; Max-Age=31536000; SameSite=Lax");
    ([(header::SET_COOKIE, cookie)], Redirect::to(&own_path(back.back.as_deref()))).into_response()
}

/// Only a path of this site; anything else goes to the start.
fn own_path(path: Option<&str>) -> String {
    let is_own = |path: &&str| path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    path.filter(is_own).unwrap_or("/").to_owned()
}
