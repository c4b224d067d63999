//! `/dialplan`: the include file with this installation's address, where each line goes and why.

use std::net::IpAddr;

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Eye, Look};
use crate::{
    edge::{
        dialplan::place,
        web::{App, Visitor},
    },
    logic::dialplan::{Flavour, Place, file, sections},
    settings::Settings,
};

/// What can become of a call, in the order of the page; keys `dialplan.case.…`, `dialplan.goes.…`, `dialplan.waits.…`.
const CASES: [&str; 9] =
    ["free", "busy", "silent", "stranger", "slow", "stopped", "frozen", "unreachable", "gone"];
/// Steps to make Asterisk ask; keys `dialplan.step.FLAVOUR.N`.
const STEPS: [&str; 3] = ["1", "2", "3"];

/// Which dialplan is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default, rename = "for")]
    flavour: String,
}

#[derive(Serialize)]
struct Case {
    what: String,
    goes: String,
    waits: String,
}

#[derive(Serialize)]
struct Context {
    name: String,
    meaning: String,
    lines: Vec<(String, String)>,
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(choice): Query<Choice>,
    headers: HeaderMap,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    let eye = Eye { app: &app, language: look.language };
    let flavour = Flavour::parse(&choice.flavour).unwrap_or(Flavour::Plain);
    let place = place(&app.settings);
    let text = file(flavour, &place);
    let contexts: Vec<Context> = sections(&text)
        .into_iter()
        .map(|section| Context {
            meaning: eye.say(section.meaning),
            lines: section.lines.into_iter().map(|line| (line.text, eye.say(line.meaning))).collect(),
            name: section.name,
        })
        .collect();
    let steps: Vec<String> =
        STEPS.iter().map(|step| eye.say(&format!("dialplan.step.{}.{step}", flavour.as_str()))).collect();
    let values = json!({
        "page": "dialplan",
        "flavours": Flavour::ALL.map(Flavour::as_str),
        "flavour": flavour.as_str(),
        "warnings": warnings(&app.settings, flavour, &place, &eye),
        "steps": steps,
        "cases": cases(&app.settings, &eye),
        "contexts": contexts,
        "text": text,
    });
    super::render(&look, "dialplan.html", values)
}

/// The file, to be saved.
pub(super) async fn download(State(app): State<App>, Path(flavour): Path<String>) -> Response {
    let Some(flavour) = Flavour::parse(&flavour) else { return StatusCode::NOT_FOUND.into_response() };
    let kind = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"extensions_perezvon.conf\""),
    ];
    (kind, file(flavour, &place(&app.settings))).into_response()
}

/// What would keep the file from working.
fn warnings(settings: &Settings, flavour: Flavour, place: &Place, eye: &Eye<'_>) -> Vec<String> {
    let near = place.http.host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
    let faults = [
        (!settings.agi.enabled, "dialplan.agi_off"),
        (place.is_held_by_freepbx(flavour), "dialplan.port_of_freepbx"),
        (!near && settings.agi.allow.is_empty(), "dialplan.curl_refused"),
    ];
    faults.into_iter().filter(|(wrong, _)| *wrong).map(|(_, key)| eye.say(key)).collect()
}

fn cases(settings: &Settings, eye: &Eye<'_>) -> Vec<Case> {
    let deadline = settings.agi.deadline.to_string();
    let case = |name: &&str| Case {
        what: eye.say(&format!("dialplan.case.{name}")),
        goes: eye.say(&format!("dialplan.goes.{name}")),
        waits: eye.say_with(&format!("dialplan.waits.{name}"), &[("deadline", &deadline)]),
    };
    CASES.iter().map(case).collect()
}
