//! Server-rendered pages: embedded templates over small view models.

mod assets;
mod dialplan;
mod home;
mod list;
mod settings;
mod story;
mod view;

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use minijinja::{
    AutoEscape, Environment, State, Value,
    value::{Kwargs, Serde},
};
use serde_json::json;

use super::{App, access::Visitor, session::cookie};
use crate::{settings::Language, text::say};

pub(super) use assets::router as assets;
use view::Eye;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The pages behind the guard.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(home::page))
        .route("/calls", get(list::page))
        .route("/calls/{id}", get(story::page))
        .route("/calls/{id}/retry", post(story::retry))
        .route("/dialplan", get(dialplan::page))
        .route("/dialplan/{flavour}/extensions_perezvon.conf", get(dialplan::download))
        .route("/settings", get(settings::page))
}

/// Open to everybody: the choice of a language.
pub(super) fn language_router() -> Router<App> {
    Router::new().route("/language/{language}", get(choose_language))
}

async fn choose_language(Path(language): Path<String>, headers: HeaderMap) -> Response {
    let Some(language) = Language::parse(&language) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Back to where the link stood, path only, so that no other site can be meant.
    let back = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).and_then(|page| {
        let path = page.split_once("://")?.1;
        path.find('/').map(|start| path[start..].to_owned())
    });
    let back = back.filter(|path| !path.starts_with("//")).unwrap_or_else(|| "/".to_owned());
    let cookie = format!("language={}; Path=/; Max-Age=31536000; SameSite=Lax", language.as_str());
    ([(header::SET_COOKIE, cookie)], Redirect::to(&back)).into_response()
}

/// For addresses that do not exist.
pub(super) async fn not_found(
    axum::extract::State(app): axum::extract::State<App>,
    axum::Extension(visitor): axum::Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    trouble(&look, StatusCode::NOT_FOUND, &say(look.language, "page.none", &[]))
}

/// What every page needs to know of its visitor.
pub(super) struct Look {
    /// Language of the page.
    pub(super) language: Language,
    /// Whether there is a session to end.
    signed_in: bool,
    /// Whether the visitor is let in at all (the navigation is shown).
    inside: bool,
}

impl Look {
    /// The look for a visitor: the language that a cookie names, else the one of the settings.
    pub(super) fn of(app: &App, headers: &HeaderMap, visitor: Option<&Visitor>) -> Self {
        let chosen = cookie(headers, "language").and_then(|name| Language::parse(&name));
        Self {
            language: chosen.unwrap_or(app.language),
            signed_in: visitor.is_some_and(|visitor| visitor.id != "here" && visitor.id != "basic"),
            inside: visitor.is_some(),
        }
    }
}

/// A page, or the plain truth when a template fails; `values` is a JSON object.
pub(super) fn render(look: &Look, template: &str, mut values: serde_json::Value) -> Response {
    values["language"] = look.language.as_str().into();
    values["signed_in"] = look.signed_in.into();
    values["inside"] = look.inside.into();
    values["version"] = env!("CARGO_PKG_VERSION").into();
    values["assets"] = assets::VERSION.as_str().into();
    let page = TEMPLATES.get_template(template).and_then(|page| page.render(Serde(values)));
    match page {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!("page {template}: {error:#}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page failed; the log says why\n").into_response()
        }
    }
}

/// A page that says what went wrong.
pub(super) fn trouble(look: &Look, status: StatusCode, text: &str) -> Response {
    (status, render(look, "trouble.html", json!({ "text": text }))).into_response()
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    macro_rules! template {
        ($($name:literal),*) => {
            $(environment
                .add_template($name, include_str!(concat!("templates/", $name)))
                .expect("embedded templates parse");)*
        };
    }
    template!(
        "frame.html",
        "home.html",
        "calls.html",
        "call.html",
        "dialplan.html",
        "settings.html",
        "sign_in.html",
        "elsewhere.html",
        "trouble.html",
        "pieces.html"
    );
    environment.add_function("t", translated);
    environment.add_filter("code", with_code);
    environment
}

/// `t("key", n=3)` in templates.
fn translated(state: &State<'_, '_>, key: &str, values: Kwargs) -> Result<String, minijinja::Error> {
    let language = state.lookup("language").and_then(|value| value.as_str().and_then(Language::parse));
    let named: Vec<(&str, String)> = values
        .args()
        .map(|name| Ok((name, values.get::<Value>(name)?.to_string())))
        .collect::<Result<_, minijinja::Error>>()?;
    let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(say(language.unwrap_or(Language::En), key, &named))
}

/// Escapes a text and shows what stands between backquotes as code.
fn with_code(text: &str) -> Value {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let escaped = minijinja::HtmlEscape(part).to_string();
        html += &if index % 2 == 1 { format!("<code>{escaped}</code>") } else { escaped };
    }
    Value::from_safe_string(html)
}
