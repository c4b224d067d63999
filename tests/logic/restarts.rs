//! Asterisk killed in the middle of calls: they are closed soon after its next start, and living ones never.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::logic::call::{Call, CallRows, OpenCalls, Outcome, is_complete};

use super::{
    calls::calls_of,
    pbx::{ANNA, CLIENT, IVAN, NOON, Pbx},
};

const MAX_CALL: Duration = Duration::from_secs(8 * 3600);

/// Moves rows to another systemname, channel numbers, seconds and keys.
fn as_written(pbx: &Pbx, system: &str, number: u64, second: i64, key: i64) -> CallRows {
    let moved = |id: &str| {
        let (began, counter) = id.split_once('.').unwrap();
        let (began, counter): (i64, u64) = (began.parse().unwrap(), counter.parse().unwrap());
        format!("{system}{}.{}", began + second, counter + number)
    };
    let mut rows = pbx.rows();
    for row in &mut rows.cel {
        (row.uniqueid, row.linkedid) = (moved(&row.uniqueid), moved(&row.linkedid));
        row.channame = format!("{}{:08x}", &row.channame[..row.channame.len() - 8], number + 1);
        row.extra = row.extra.replace(r#":"b"#, &format!(r#":"{number}-{second}-b"#));
        row.eventtime = later(&row.eventtime, second);
        row.id += key;
    }
    rows
}

fn later(wall: &str, seconds: i64) -> String {
    let wall = chrono::NaiveDateTime::parse_from_str(wall, "%Y-%m-%d %H:%M:%S").unwrap();
    (wall + TimeDelta::seconds(seconds)).to_string()
}

/// The client and 101 talk from the third second on, and at the 63rd the client is put on hold and taken back.
fn in_talk() -> Pbx {
    let mut pbx = Pbx::default();
    pbx.client().ring(IVAN).at(3).answer(IVAN).answer(CLIENT).enter("b1", &[IVAN, CLIENT]);
    pbx.at(63).told("STREAM_BEGIN", CLIENT, &[("class", "default")]).at(66).told("STREAM_END", CLIENT, &[]);
    pbx
}

/// A whole call of twenty seconds.
fn whole() -> Pbx {
    let mut pbx = Pbx::default();
    pbx.client().ring(ANNA).at(4).answer(ANNA).enter("b2", &[ANNA, CLIENT]).at(20);
    pbx.exit("b2", &[ANNA, CLIENT]).hangup(&[ANNA, CLIENT]).plain("LINKEDID_END", CLIENT, "");
    pbx
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOON + second, 0).unwrap()
}

fn open() -> OpenCalls {
    OpenCalls::new(Duration::from_secs(10), MAX_CALL)
}

fn tell(finished: Vec<CallRows>) -> Vec<Call> {
    finished.into_iter().flat_map(calls_of).collect()
}

#[test]
fn a_call_of_a_dead_asterisk_is_closed_soon_after_the_next_start() {
    for system in ["", "pbx1-"] {
        let mut open = open();
        open.push(as_written(&in_talk(), system, 340, 0, 0), at(66));
        assert!(open.finished(at(3600)).is_empty(), "{system:?}: a silent talk is no dead one");
        open.push(as_written(&whole(), system, 0, 3600, 100), at(3620));
        let told = tell(open.finished(at(3621)));
        assert_eq!(told.len(), 1, "{system:?}: the call after the start");
        assert!(!told[0].cut);
        assert!(open.finished(at(3645)).is_empty(), "{system:?}: a sign of life may still come");
        let told = tell(open.finished(at(3651)));
        assert_eq!(told.len(), 1, "{system:?}");
        // 3 to 66, less the hold.
        assert_eq!((told[0].outcome, told[0].talk_seconds, told[0].cut), (Outcome::Talked, 60, true));
        assert_eq!(told[0].ended_at, at(66));
        assert!(open.is_empty());
    }
}

#[test]
fn a_first_call_that_still_goes_on_shows_the_start_as_well() {
    let mut open = open();
    open.push(as_written(&in_talk(), "", 0, 0, 0), at(66));
    open.push(as_written(&in_talk(), "", 0, 90, 100), at(160));
    let told = tell(open.finished(at(200)));
    assert_eq!((told.len(), told[0].started_at), (1, at(0)));
    assert_eq!(open.len(), 1, "the living one stays");
}

#[test]
fn a_living_call_outlasts_the_restart_of_another_asterisk() {
    let mut open = open();
    open.push(as_written(&in_talk(), "pbx1-", 5000, 0, 0), at(66));
    for (second, number) in [(600, 300), (1200, 0), (1800, 2), (7200, 40)] {
        open.push(as_written(&whole(), "pbx2-", number, second, second), at(second + 20));
        let told = tell(open.finished(at(second + 60)));
        assert_eq!(told.len(), 1, "only pbx2's at {second}");
        assert!(told[0].id.starts_with("pbx2-"), "{}", told[0].id);
    }
    assert!(open.finished(at(4 * 3600)).is_empty());
    assert_eq!(open.len(), 1);
}

/// Names of channels begin again at 0 with each start, so two Asterisks give the same ones at the same time.
#[test]
fn calls_of_two_asterisks_stay_apart_though_their_channels_have_the_same_names() {
    let mut rows = as_written(&whole(), "pbx1-", 0, 0, 0);
    rows.cel.extend(as_written(&whole(), "pbx2-", 0, 1, 100).cel);
    let told = calls_of(rows);
    assert_eq!(told.iter().map(|call| call.linkedids.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(told.iter().map(|call| call.talk_seconds).collect::<Vec<_>>(), [16, 16]);
}

/// Two Asterisks without a systemname: their numbers run side by side.
#[test]
fn numbers_that_run_side_by_side_cut_no_call() {
    let mut open = open();
    open.push(as_written(&whole(), "", 36, -600, 0), at(-580));
    open.push(as_written(&in_talk(), "", 5000, 0, 100), at(66));
    for (second, number) in [(600, 38), (1200, 5010), (1800, 40), (2400, 5020)] {
        open.push(as_written(&whole(), "", number, second, 100 + second), at(second + 20));
    }
    assert_eq!(tell(open.finished(at(3 * 3600))).len(), 5);
    assert_eq!(open.len(), 1, "the call with number 5000 lives");
    // One of them is started anew, while the other goes on.
    open.push(as_written(&whole(), "", 0, 4 * 3600, 20_000), at(4 * 3600 + 20));
    open.push(as_written(&whole(), "", 5030, 4 * 3600 + 25, 20_100), at(4 * 3600 + 45));
    assert_eq!(tell(open.finished(at(5 * 3600))).len(), 2);
    assert_eq!(open.len(), 1, "still");
}

#[test]
fn a_row_after_the_start_is_a_sign_of_life() {
    let mut open = open();
    let talk = as_written(&in_talk(), "", 340, 0, 0);
    open.push(talk.clone(), at(66));
    open.push(as_written(&whole(), "", 0, 600, 100), at(620));
    let mut more = talk.cel.last().unwrap().clone();
    (more.id, more.eventtime) = (200, later(&more.eventtime, 570));
    open.push(CallRows { cel: vec![more], cdr: Vec::new() }, at(640));
    assert_eq!(tell(open.finished(at(3600))).len(), 1, "only the whole one");
    assert_eq!(open.len(), 1);
}

/// A clock that was set back makes early numbers late; the call after it is not cut by them.
#[test]
fn a_clock_that_was_set_back_cuts_no_call() {
    let mut open = open();
    open.push(as_written(&whole(), "", 0, 5 * 3600, 0), at(0));
    open.push(as_written(&in_talk(), "", 10, 60, 100), at(126));
    open.push(as_written(&whole(), "", 14, 600, 200), at(620));
    assert_eq!(tell(open.finished(at(7 * 3600))).len(), 2);
    assert_eq!(open.len(), 1);
}

#[test]
fn asterisk_may_say_itself_that_it_was_started() {
    let mut open = open();
    open.push(as_written(&in_talk(), "pbx1-", 340, 0, 0), at(66));
    open.push(as_written(&in_talk(), "pbx2-", 7, 0, 100), at(66));
    open.asterisk_started("pbx1", at(300), at(305));
    assert!(open.finished(at(310)).is_empty());
    let told = tell(open.finished(at(336)));
    assert_eq!(told.len(), 1);
    assert!(told[0].cut && told[0].id.starts_with("pbx1-"), "{}", told[0].id);
    assert_eq!(open.len(), 1);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let dead = as_written(&in_talk(), "", 340, 0, 0);
    let living = as_written(&in_talk(), "", 2, 3600, 200);
    let mut all = dead.cel.clone();
    all.extend(as_written(&whole(), "", 0, 3600, 100).cel);
    all.extend(living.cel);
    for turn in 0..all.len() {
        all.rotate_left(turn);
        let mut open = open();
        for row in &all {
            open.push(CallRows { cel: vec![row.clone()], cdr: Vec::new() }, at(3700));
        }
        let mut told = tell(open.finished(at(3740)));
        told.sort_by_key(|call| call.started_at);
        assert_eq!(told.iter().map(|call| call.cut).collect::<Vec<_>>(), [true, false], "turn {turn}");
        assert_eq!(open.len(), 1);
    }
}

/// Closed too early by a mistake, a call comes out whole once it has ended.
#[test]
fn a_call_that_was_given_up_too_early_is_told_again() {
    let mut open = open();
    open.push(as_written(&in_talk(), "", 340, 0, 0), at(66));
    open.asterisk_started("", at(300), at(300));
    assert!(tell(open.finished(at(400)))[0].cut);
    let mut rest = in_talk();
    rest.at(500).exit("b1", &[IVAN, CLIENT]).hangup(&[IVAN, CLIENT]).plain("LINKEDID_END", CLIENT, "");
    open.push(as_written(&rest, "", 340, 0, 0), at(500));
    let finished = open.finished(at(501));
    assert!(finished.iter().all(is_complete));
    let told = tell(finished);
    assert_eq!((told.len(), told[0].cut, told[0].talk_seconds), (1, false, 494));
}
