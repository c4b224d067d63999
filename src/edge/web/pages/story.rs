//! `/calls/{id}`: the story of one call, from Asterisk's rows to the CRM's answers.

use axum::{
    Extension, Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Eye, Look, trouble,
    view::{Party, clock_span, word_of},
};
use crate::{
    edge::{
        store::{CallState, StoreError, StoredAction, StoredCall, StoredRequest},
        web::{App, Visitor, access, url_encoded},
    },
    logic::call::{Call, Conversation, Detail, RecordingState, digits},
    text::say,
};

/// One bar of the timeline; places in percent of the call.
#[derive(Serialize)]
struct Bar {
    party: Party,
    via: Option<Party>,
    asked_at: String,
    left: f64,
    ring: f64,
    talk_left: f64,
    talk: f64,
    ring_text: String,
    talk_text: String,
    accepted: bool,
}

#[derive(Serialize)]
struct Sound {
    name: String,
    seconds: String,
    state: String,
    state_text: String,
}

#[derive(Serialize)]
struct Decision {
    kind: String,
    reason: String,
    state: String,
    state_reason: String,
    attempts: i32,
    link: Option<String>,
    payload: String,
}

#[derive(Serialize)]
struct Exchange {
    at: String,
    method: String,
    path: String,
    status: u16,
    good: bool,
    took_ms: u32,
    body: String,
    answer: String,
}

/// The page.
pub(super) async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    let (mut stored, actions, requests) = match read(&app, &id).await {
        Ok(Some(read)) => read,
        Ok(None) => {
            let text = say(look.language, "story.none", &[("id", &id)]);
            return trouble(&look, StatusCode::NOT_FOUND, &text);
        }
        Err(error) => return trouble(&look, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let eye = Eye { app: &app, language: look.language };
    digits::hide_in_call(&mut stored.call, &mut stored.rows, app.settings.pbx.ivr_digits);
    let call = &stored.call;
    let span = (call.ended_at - call.started_at).num_seconds();
    let plan = stored.plan.as_ref();
    let values = json!({ "page": "calls", "line": eye.call_line(&stored), "started": eye.moment(call.started_at), "ended": eye.time(call.ended_at), "zone": eye.zone_name(call.started_at), "span": clock_span(span), "talk": clock_span(i64::from(call.talk_seconds)), "trunk": call.trunk, "did": call.did, "linkedids": call.linkedids, "cdr_only": call.detail == Detail::CdrOnly, "cut": call.cut, "menus": call.menu_path(), "bars": bars(call, &eye), "marks": marks(span), "player": player(&app, &stored), "sounds": sounds(call, &eye), "skip": plan.and_then(|plan| plan.skip.clone()), "remarks": plan.map(|plan| plan.remarks.clone()).unwrap_or_default(), "planned": plan.is_some(), "decisions": decisions(&stored, &actions, &eye), "requests": requests.iter().map(|request| exchange(request, &eye)).collect::<Vec<_>>(), "cdr": stored.rows.cdr, "cel": stored.rows.cel, "open": stored.state == CallState::Waiting, "failed": stored.state == CallState::Failed, "token": app.doors.form_token(&app, &visitor.id).await, "updated": eye.moment(stored.updated_at) });
    super::render(&look, "call.html", values)
}

type Read = (StoredCall, Vec<StoredAction>, Vec<StoredRequest>);

async fn read(app: &App, id: &str) -> Result<Option<Read>, StoreError> {
    let Some(call) = app.store.call(id).await? else { return Ok(None) };
    let actions = app.store.actions_of(&call.id).await?;
    let requests = app.store.requests_of(&call.id).await?;
    Ok(Some((call, actions, requests)))
}

fn bars(call: &Call, eye: &Eye<'_>) -> Vec<Bar> {
    let whole = ((call.ended_at - call.started_at).num_milliseconds()).max(1) as f64;
    let place = |at: DateTime<Utc>| {
        ((at - call.started_at).num_milliseconds() as f64 / whole * 100.0).clamp(0.0, 100.0)
    };
    call.conversations.iter().map(|one| bar(one, &place, eye)).collect()
}

fn bar(one: &Conversation, place: &dyn Fn(DateTime<Utc>) -> f64, eye: &Eye<'_>) -> Bar {
    let rang_until = one.accepted_at.unwrap_or(one.ended_at);
    let left = place(one.requested_at);
    let talk_left = place(rang_until);
    Bar {
        party: eye.party(&one.party),
        via: one.via.as_deref().map(|via| eye.party(via)),
        asked_at: eye.time(one.requested_at),
        left,
        ring: (talk_left - left).max(0.4),
        talk_left,
        talk: if one.accepted_at.is_some() { (place(one.ended_at) - talk_left).max(0.6) } else { 0.0 },
        ring_text: clock_span((rang_until - one.requested_at).num_seconds()),
        talk_text: clock_span(i64::from(one.talk_seconds)),
        accepted: one.accepted_at.is_some(),
    }
}

/// Marks of the time axis: about six, at round seconds; place in percent and text.
fn marks(span: i64) -> Vec<(f64, String)> {
    const STEPS: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];
    let step = STEPS.into_iter().find(|step| span / step <= 7).unwrap_or(7_200).max(span / 12);
    let steps = usize::try_from(step).unwrap_or(1).max(1);
    (0..=span)
        .step_by(steps)
        .map(|at| (at as f64 / span.max(1) as f64 * 100.0, clock_span(at)))
        .filter(|(place, _)| *place <= 97.0)
        .collect()
}

fn sounds(call: &Call, eye: &Eye<'_>) -> Vec<Sound> {
    call.recordings
        .iter()
        .map(|one| {
            let state = word_of(&one.state);
            Sound {
                name: one.path.rsplit('/').next().unwrap_or_default().to_owned(),
                seconds: if one.seconds > 0.0 {
                    clock_span(one.seconds.round() as i64)
                } else {
                    String::new()
                },
                state_text: eye.say(&format!("recording.{state}")),
                state,
            }
        })
        .collect()
}

/// The path of the signed link, so that the page's own rules allow it whatever `public_url` is.
fn player(app: &App, stored: &StoredCall) -> Option<String> {
    let ready = stored.call.recordings.iter().any(|one| one.state == RecordingState::Ready);
    let made = app.library.finished(&stored.id).is_some();
    if !ready && !made {
        return None;
    }
    let link = app.library.link(&stored.id, app.library.expiry(crate::edge::clock::now()));
    link.find("/recordings/").map(|start| link[start..].to_owned())
}

/// What the rules decided, each with how far it is; actions that later rows added stand at the end.
fn decisions(stored: &StoredCall, actions: &[StoredAction], eye: &Eye<'_>) -> Vec<Decision> {
    let planned = stored.plan.as_ref().map(|plan| plan.actions.as_slice()).unwrap_or_default();
    let mut left: Vec<&StoredAction> = actions.iter().collect();
    let mut decisions: Vec<Decision> = planned
        .iter()
        .map(|one| {
            let found = left.iter().position(|action| action.kind == one.action.kind());
            let action = found.map(|index| left.remove(index));
            decision(one.action.kind(), &one.reason, action, || pretty(&one.action), eye)
        })
        .collect();
    decisions
        .extend(left.into_iter().map(|action| decision(&action.kind, "", Some(action), String::new, eye)));
    decisions
}

fn decision(
    kind: &str,
    reason: &str,
    action: Option<&StoredAction>,
    planned: impl FnOnce() -> String,
    eye: &Eye<'_>,
) -> Decision {
    Decision {
        kind: eye.say(&format!("action.{kind}")),
        reason: reason.to_owned(),
        state: action.map_or("planned", |action| action.state.as_str()).to_owned(),
        state_reason: action.map(|action| action.reason.clone()).unwrap_or_default(),
        attempts: action.map_or(0, |action| action.attempts),
        link: action.and_then(|action| made_card(kind, &action.result, eye)),
        payload: action.map_or_else(planned, |action| pretty(&action.payload)),
    }
}

/// The card that an action made, when its answer names it.
fn made_card(kind: &str, result: &Value, eye: &Eye<'_>) -> Option<String> {
    let plural = match kind {
        "contact" => "contacts",
        "lead" => "leads",
        _ => return None,
    };
    eye.crm_link(plural, result.get("id")?.as_u64()?)
}

fn pretty<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn exchange(request: &StoredRequest, eye: &Eye<'_>) -> Exchange {
    let laid_out = |text: &str| {
        serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| pretty(&value))
    };
    Exchange {
        at: eye.time(request.sent_at),
        method: request.method.clone(),
        path: request.path.clone(),
        status: request.status,
        good: (200..300).contains(&request.status),
        took_ms: request.took_ms,
        body: laid_out(&request.body),
        answer: laid_out(&request.answer),
    }
}

/// What the button "try again" sends.
#[derive(Deserialize)]
pub(super) struct Again {
    #[serde(default)]
    token: String,
}

/// The button "try again".
pub(super) async fn retry(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(again): Form<Again>,
) -> Response {
    let look = Look::of(&app, &headers, Some(&visitor));
    if !access::is_our_form(&app, &headers, &visitor, &again.token).await {
        let text = say(look.language, "story.foreign_form", &[]);
        return trouble(&look, StatusCode::FORBIDDEN, &text);
    }
    match app.store.retry_call(&id).await {
        Ok(_) => {
            app.wake.notify_one();
            Redirect::to(&format!("/calls/{}", url_encoded(&id))).into_response()
        }
        Err(error) => trouble(&look, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_axis_has_a_few_round_marks() {
        for span in [0, 1, 7, 33, 64, 600, 3_700, 14_400] {
            let marks = marks(span);
            assert!((1..=13).contains(&marks.len()), "{span}: {marks:?}");
        }
        assert_eq!(marks(33)[1].1, "0:05");
    }
}
