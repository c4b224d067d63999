//! `perezvon backfill` as an admin runs it.

use chrono::TimeDelta;
use perezvon::{
    edge::{
        clock,
        store::{CallFilter, CallState},
    },
    logic::call::CallRows,
};
use serde_json::json;

use crate::{
    commands::{code, said},
    desk::Desk,
    harness::{sqlite_store, stores},
    poller::fixtures::fixture,
};

const BACKFILL: [&str; 3] = ["backfill", "--from", "2h"];

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_be_done_and_sends_nothing() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        let lines = desk.json(&[&BACKFILL[..], &["--dry-run"]].concat(), 0).await;
        let ids: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
        assert_eq!(ids, desk.ids, "{}", fresh.engine);
        let kinds = |at: usize| -> Vec<&str> {
            let actions = lines[at]["plan"]["actions"].as_array().unwrap();
            actions.iter().map(|action| action["action"]["kind"].as_str().unwrap()).collect()
        };
        assert_eq!(kinds(0), ["create_contact", "create_lead", "write_call"]);
        assert_eq!(kinds(2), ["create_contact", "create_lead", "write_call", "make_task"]);
        assert!(lines[3]["plan"]["skip"].is_string(), "{}", lines[3]);
        let plain = said(&desk.run(&[&BACKFILL[..], &["--dry-run"]].concat()).await);
        assert!(plain.contains("+79161234567  contact + lead + call"), "{plain}");
        assert!(plain.contains("4 calls; nothing was sent"), "{plain}");
        assert_eq!(desk.sandbox.request_count(), 0);
        assert!(desk.store.calls(&CallFilter::default()).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_calls_are_registered_once_however_often_it_runs() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        let of_102 = [&BACKFILL[..], &["--extension", "102"]].concat();
        let tally = desk.json(&of_102, 0).await.remove(0);
        // The internal call is one of 102's, too.
        assert_eq!((&tally["found"], &tally["new"]), (&json!(2), &json!(2)), "{tally}");
        assert_eq!(tally["states"], json!({"registered": 1, "skipped": 1}));
        assert_eq!(desk.stands(), [1, 1, 1, 0], "{}", fresh.engine);
        let note = &desk.sandbox.calls()[0];
        assert!(note.uniq.contains(&desk.ids[1]) && note.duration > 0, "{note:?}");

        let tally = desk.json(&BACKFILL, 0).await.remove(0);
        assert_eq!((&tally["found"], &tally["new"]), (&json!(4), &json!(2)), "{tally}");
        assert_eq!(tally["states"], json!({"registered": 3, "skipped": 1}));
        assert_eq!(desk.stands(), [1, 1, 3, 1], "{}", fresh.engine);

        let before = desk.sandbox.calls();
        for arguments in [BACKFILL.to_vec(), [&BACKFILL[..], &["--again"]].concat()] {
            let tally = desk.json(&arguments, 0).await.remove(0);
            assert_eq!(tally["states"], json!({"registered": 3, "skipped": 1}), "{arguments:?}");
            assert_eq!((&tally["new"], &tally["changed"]), (&json!(0), &json!(0)), "{arguments:?}");
            assert_eq!(desk.stands(), [1, 1, 3, 1], "{arguments:?} on {}", fresh.engine);
            assert_eq!(desk.sandbox.calls(), before);
        }
        let plain = said(&desk.run(&BACKFILL).await);
        assert!(plain.contains("Found 4, to be registered 0; now 3 in the CRM, 1 skipped"), "{plain}");
    }
}

/// The first call after Asterisk was started: its channels are numbered from 0.
fn after_the_start() -> CallRows {
    let rows = fixture("freepbx-17/inbound_missed", clock::now() - TimeDelta::minutes(2));
    let mut text = serde_json::to_string(&rows).unwrap();
    let (mut ids, mut number): (Vec<&str>, u32) =
        (rows.cel.iter().map(|row| row.uniqueid.as_str()).collect(), 0);
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        text = text.replace(id, &format!("{}.{number}", id.split_once('.').unwrap().0));
        number += 1;
    }
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_asterisk_was_killed_is_over_and_one_that_goes_on_is_not() {
    for fresh in stores().await {
        let desk = Desk::set_up(&fresh).await;
        let mut killed = fixture("freepbx-17/queue_answered", clock::now() - TimeDelta::minutes(5));
        let at = killed.cel.iter().position(|row| row.eventtype == "BRIDGE_EXIT").unwrap();
        killed.cel.truncate(at);
        killed.cdr.clear();
        desk.write(&killed).await;
        let tally = desk.json(&BACKFILL, 0).await.remove(0);
        assert_eq!(tally["found"], json!(4), "it may still go on");
        desk.write(&after_the_start()).await;
        let tally = desk.json(&BACKFILL, 0).await.remove(0);
        assert_eq!((&tally["found"], &tally["new"]), (&json!(6), &json!(2)), "{tally}");
        let stored = desk.store.call(&killed.cel[0].linkedid).await.unwrap().unwrap();
        assert!(stored.call.cut && stored.call.talked(), "{:?}", stored.call);
        let notes = desk.sandbox.calls();
        let note = notes.iter().find(|note| note.uniq.contains(&stored.id)).unwrap();
        assert!(note.call_result.contains("stopped in the middle"), "{note:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_crm_it_says_so_and_the_calls_wait_for_one() {
    let fresh = sqlite_store().await;
    let desk = Desk::set_up(&fresh).await;
    desk.disconnect();
    let output = desk.run(&BACKFILL).await;
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("[amocrm] base_url"), "{}", said(&output));
    assert_eq!(desk.store.count_calls_by_state().await.unwrap()[&CallState::Waiting], 4);
    desk.connect("");
    let tally = desk.json(&BACKFILL, 0).await.remove(0);
    assert_eq!(tally["states"], json!({"registered": 3, "skipped": 1}));
    assert_eq!(desk.stands(), [1, 1, 3, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_period_is_said_before_anything_is_read() {
    let fresh = sqlite_store().await;
    let desk = Desk::set_up(&fresh).await;
    for arguments in [vec!["--from", "now"], vec!["--from", "1h", "--to", "2h"], vec!["--from", "someday"]] {
        let output = desk.run(&[vec!["backfill"], arguments.clone()].concat()).await;
        assert_eq!(code(&output), 2, "{arguments:?}: {}", said(&output));
    }
    assert_eq!(desk.sandbox.request_count(), 0);
}
