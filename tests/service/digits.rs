//! What people press during a call: nowhere, or in menus only.

use chrono::TimeDelta;
use perezvon::{edge::clock, logic::call::CallRows};
use serde_json::Value;

use crate::{commands::said, desk::Desk, harness::stores, poller::fixtures::fixture};

/// Left in the menu after pressing 2 there.
fn in_the_menu() -> CallRows {
    let mut rows = fixture("asterisk-22/ivr_hangup", clock::now() - TimeDelta::minutes(5));
    let at = rows.cel.iter().position(|row| row.eventtype == "STREAM_END").unwrap();
    let mut pressed = rows.cel[at].clone();
    pressed.eventtype = "DTMF".to_owned();
    pressed.extra = r#"{"digit":"2","duration_ms":120}"#.to_owned();
    rows.cel.insert(at, pressed);
    for (id, row) in (1..).zip(&mut rows.cel) {
        row.id = id;
    }
    rows
}

/// Transferred by ##102.
fn transferred() -> CallRows {
    fixture("asterisk-22/blind_transfer_dtmf", clock::now() - TimeDelta::minutes(3))
}

/// Every digit that an explained call shows, in its rows and as text.
async fn digits(desk: &Desk, id: &str) -> (Vec<String>, String) {
    let facts = desk.json(&["explain", id], 0).await.remove(0);
    let rows = facts["call"]["rows"]["cel"].as_array().unwrap();
    let pressed = rows.iter().filter(|row| row["eventtype"] == "DTMF");
    let extra = pressed.map(|row| serde_json::from_str::<Value>(row["extra"].as_str().unwrap()).unwrap());
    let digits = extra.map(|extra| extra["digit"].as_str().unwrap().to_owned()).collect();
    (digits, said(&desk.run(&["explain", id]).await))
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_are_kept_and_shown_only_when_the_settings_ask_and_only_of_menus() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        let (menu, transfer) = (in_the_menu(), transferred());
        let (menu_id, transfer_id) = (menu.cel[0].linkedid.clone(), transfer.cel[0].linkedid.clone());
        desk.write(&menu).await;
        desk.write(&transfer).await;
        let shown = || desk.json(&["calls", "--from", "1h"], 0);

        desk.json(&["backfill", "--from", "1h"], 0).await;
        let (kept, text) = digits(&desk, &menu_id).await;
        assert_eq!(kept, ["•"], "{}", fresh.engine);
        assert!(text.contains("menus: ivr-1\n"), "{text}");
        assert!(text.lines().any(|line| line.contains(" DTMF ") && line.ends_with('•')), "{text}");
        let (kept, _) = digits(&desk, &transfer_id).await;
        assert_eq!(kept, ["•"; 5], "{}", fresh.engine);
        let told = shown().await;
        let call = told.iter().find(|call| call["id"] == menu_id.as_str()).unwrap();
        assert_eq!((&call["menus"][0]["name"], &call["menus"][0]["digits"]), (&"ivr-1".into(), &Value::Null));

        desk.connect_to("ivr_digits = true\n", "");
        desk.json(&["backfill", "--from", "1h"], 0).await;
        let (kept, text) = digits(&desk, &menu_id).await;
        assert_eq!(kept, ["2"], "{}", fresh.engine);
        assert!(text.contains("menus: ivr-1 (2)\n"), "{text}");
        assert_eq!(digits(&desk, &transfer_id).await.0, ["•"; 5], "{}", fresh.engine);
        let told = shown().await;
        let call = told.iter().find(|call| call["id"] == menu_id.as_str()).unwrap();
        assert_eq!(call["menus"][0]["digits"], "2");

        // What was kept while they were asked for is not shown any more.
        desk.connect("");
        let (kept, text) = digits(&desk, &menu_id).await;
        assert_eq!(kept, ["•"], "{}", fresh.engine);
        assert!(text.contains("menus: ivr-1\n"), "{text}");
        assert_eq!(desk.sandbox.calls().len(), 5, "{}", fresh.engine);
    }
}
