//! What makes a poll come sooner than `[pbx] poll_interval`, and that none of it is needed.

use std::time::Duration;

use perezvon::{
    logic::call::CallRows,
    settings::{Settings, Span},
};

use super::{Polling, fixture, holds, now, one, stored, tables::Pbx, until};
use crate::harness::sqlite_store;

/// The ordinary poll comes after every test's patience.
fn seldom(pbx: &Pbx) -> Settings {
    let mut settings = pbx.settings();
    settings.pbx.poll_interval = Span::secs(600);
    settings
}

/// As AMI tells it: every channel of a call hangs up.
fn hang_up(polling: &Polling, rows: &CallRows) {
    for row in rows.cel.iter().filter(|row| row.eventtype == "HANGUP") {
        polling.hangups.tell(row.uniqueid.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ami_new_rows_are_noticed_by_themselves() {
    for pbx in Pbx::all().await {
        let settings = seldom(&pbx);
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let rows = fixture("freepbx-17/queue_answered", now());
        pbx.write(&rows).await;
        holds(&fresh.store, &one(&rows, &settings), "no poll was due").await;
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_hang_up_the_rows_are_waited_for() {
    for pbx in Pbx::all().await {
        let settings = seldom(&pbx);
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        polling.hangups.listen();
        let rows = fixture("freepbx-17/attended_transfer_dtmf", now());
        let at = rows.cel.iter().position(|row| row.eventtype == "HANGUP").unwrap();
        pbx.write_cel(&rows.cel[..at]).await;
        hang_up(&polling, &rows);
        tokio::time::sleep(Duration::from_millis(400)).await;
        pbx.write_cel(&rows.cel[at..]).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        pbx.write_cdr(&rows.cdr).await;
        holds(&fresh.store, &one(&rows, &settings), "rows came after the hang-up").await;
        assert!(polling.hangups.since().is_some(), "it told of the call");
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_which_ami_tells_nothing_arrive_and_ami_is_doubted() {
    for pbx in Pbx::all().await {
        let settings = seldom(&pbx);
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        polling.hangups.listen();
        for (at, name) in
            ["inbound_answered", "outbound_answered", "inbound_missed", "voicemail"].iter().enumerate()
        {
            let rows = fixture(&format!("freepbx-17/{name}"), now() + chrono::TimeDelta::minutes(1));
            pbx.write(&rows).await;
            until("it arrives all the same", || async {
                (stored(&fresh.store).await.len() > at).then_some(())
            })
            .await;
        }
        assert_eq!(polling.hangups.since(), None, "nobody relies on it now");
        assert!(polling.hangups.tell("1.1".to_owned()), "its word takes the doubt away");
        assert!(polling.hangups.since().is_some());
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_arrive_through_a_flood_of_hang_ups() {
    for pbx in Pbx::all().await {
        let settings = seldom(&pbx);
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        polling.hangups.listen();
        let hangups = polling.hangups.clone();
        let flood = tokio::spawn(async move {
            for serial in 0u64.. {
                hangups.tell(format!("1795000000.{serial}"));
                if serial % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        let rows = fixture("freepbx-17/ringgroup_answered_102", now());
        pbx.write(&rows).await;
        holds(&fresh.store, &one(&rows, &settings), "in a flood").await;
        flood.abort();
        polling.stop().await;
    }
}
