//! The account (reference 3.1).

use chrono::{Offset as _, TimeZone as _};
use serde_json::{Value, json};

use super::{answer::Answer, ask::Ask, state::State};

/// Task types every account has, and one of this account's own.
pub(super) const TASK_TYPES: [(u64, &str, &str); 4] = [
    (1, "Связаться", "FOLLOW_UP"),
    (2, "Встреча", "MEETING"),
    (3, "Письмо", "LETTER"),
    (3_100_001, "Перезвонить", ""),
];

/// `GET /account`.
pub(super) fn show(state: &mut State, ask: &Ask) -> Answer {
    let author = state.users.first().map_or(0, |user| user.id);
    let mut body = json!({
        "id": state.account_id, "name": "Песочница", "subdomain": state.options.subdomain,
        "created_at": state.created_at, "created_by": author, "updated_at": state.created_at, "updated_by": author,
        "current_user_id": ask.user, "country": "RU", "currency": "RUB", "currency_symbol": "₽",
        "customers_mode": "unavailable", "is_unsorted_on": !state.toggles().unsorted_off,
        "is_loss_reason_enabled": true, "is_helpbot_enabled": false, "is_technical_account": false,
        "contact_name_display_order": 1, "mobile_feature_version": 0,
        "_links": {"self": {"href": format!("{}/api/v4/account", state.base)}},
        "_embedded": {},
    });
    let with = |word: &str| ask.query.lists("with", word);
    for (word, value) in [
        ("amojo_id", json!("5d9c3a1e-0000-4000-8000-00000000a30c")),
        ("uuid", json!("8f1b2c3d-0000-4000-8000-00000000acc0")),
        ("version", json!(12)),
        ("drive_url", json!(format!("{}/drive", state.base))),
        ("is_api_filter_enabled", json!(true)),
    ] {
        if with(word) {
            body[word] = value;
        }
    }
    if with("task_types") {
        body["_embedded"]["task_types"] = task_types();
    }
    if with("users_groups") {
        body["_embedded"]["users_groups"] = json!([{"id": 0, "name": "Отдел продаж", "uuid": null}]);
    }
    if with("amojo_rights") {
        body["_embedded"]["amojo_rights"] = json!({"can_direct": true, "can_create_groups": true});
    }
    if with("datetime_settings") {
        body["_embedded"]["datetime_settings"] = datetime_settings(state, ask.now);
    }
    Answer::ok(body)
}

fn task_types() -> Value {
    TASK_TYPES
        .iter()
        .map(|(id, name, code)| {
            let code = if code.is_empty() { Value::Null } else { json!(code) };
            json!({"id": id, "name": name, "code": code, "color": null, "icon_id": null})
        })
        .collect()
}

fn datetime_settings(state: &State, now: i64) -> Value {
    let timezone = &state.options.timezone;
    let offset = timezone
        .parse::<chrono_tz::Tz>()
        .ok()
        .and_then(|zone| zone.timestamp_opt(now, 0).single())
        .map_or(0, |moment| moment.offset().fix().local_minus_utc());
    let sign = if offset < 0 { '-' } else { '+' };
    let text = format!("{sign}{:02}:{:02}", offset.abs() / 3600, offset.abs() / 60 % 60);
    json!({
        "date_pattern": "d.m.Y H:i:s", "short_date_pattern": "d.m.Y", "short_time_pattern": "H:i:s",
        "date_formant": "d.m.Y", "time_format": "H:i:s", "timezone": timezone, "timezone_offset": text,
    })
}
