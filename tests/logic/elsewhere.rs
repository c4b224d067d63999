//! The calls of `tests/calls` as another PBX would have written them: other settings, older tables, the night when the
//! clocks change.

use std::{collections::BTreeSet, path::Path};

use perezvon::logic::call::{CallRows, CdrRow, Context};

use super::{
    calls::{by_cdr_alone, calls_in, fixtures, report},
    truth::faults,
};

type Change = fn(&mut CallRows);

/// What another `cdr.conf`, another writer or an older table makes of the same calls.
fn variants() -> Vec<(&'static str, Change)> {
    vec![
        ("CDR in a late batch", |rows| rows.cdr.clear()),
        ("canceldispositionenabled, congestion", |rows| {
            for row in &mut rows.cdr {
                match row.disposition.as_str() {
                    "NO ANSWER" => "CANCEL",
                    "FAILED" => "CONGESTION",
                    other => other,
                }
                .to_owned()
                .clone_into(&mut row.disposition);
            }
        }),
        ("endbeforehexten=no", |rows| with_last_row(rows, "s", "macro-hangupcall", "Hangup", "ANSWERED")),
        ("an h extension", |rows| with_last_row(rows, "h", "from-internal", "UserEvent", "ANSWERED")),
        ("linkedids only in CEL", |rows| rows.cdr.iter_mut().for_each(|row| row.linkedid.clear())),
        ("a CEL table without ids", |rows| rows.cel.iter_mut().for_each(|row| row.id = 0)),
        ("systemname", |rows| {
            let named = |id: &str| if id.is_empty() { String::new() } else { format!("pbx-1-{id}") };
            for row in &mut rows.cdr {
                (row.uniqueid, row.linkedid) = (named(&row.uniqueid), named(&row.linkedid));
            }
            for row in &mut rows.cel {
                (row.uniqueid, row.linkedid) = (named(&row.uniqueid), named(&row.linkedid));
                row.extra = row.extra.replace("uniqueid\":\"1", "uniqueid\":\"pbx-1-1");
            }
        }),
        ("written in UTC", |rows| {
            rows.cdr.iter_mut().for_each(|row| row.calldate = three_hours_less(&row.calldate));
            rows.cel.iter_mut().for_each(|row| row.eventtime = three_hours_less(&row.eventtime));
        }),
    ]
}

/// Only the CDR names the extension that forwarded without a Local pair; only ids order the rows of one second, which
/// tell a transfer by digits from one by REFER where CEL hears no digits.
fn untold(what: &str, path: &Path) -> bool {
    let path = path.to_string_lossy();
    (what == "CDR in a late batch" && path.ends_with("freepbx-17/forward_external.json"))
        || (what == "a CEL table without ids"
            && ["asterisk-16/blind_transfer_dtmf.json", "blind_transfer_external_dtmf_16.json"]
                .iter()
                .any(|name| path.ends_with(name)))
}

fn with_last_row(rows: &mut CallRows, dst: &str, dcontext: &str, lastapp: &str, disposition: &str) {
    let Some(first) = rows.cdr.first().cloned() else { return };
    let end = |row: &CdrRow| wall(&row.calldate) + chrono::TimeDelta::seconds(row.duration);
    let own = rows.cdr.iter().filter(|row| row.uniqueid == first.uniqueid);
    let last = own.map(end).max().unwrap();
    rows.cdr.push(CdrRow {
        calldate: last.to_string(),
        dst: dst.to_owned(),
        dcontext: dcontext.to_owned(),
        lastapp: lastapp.to_owned(),
        disposition: disposition.to_owned(),
        dstchannel: String::new(),
        lastdata: String::new(),
        duration: 0,
        billsec: 0,
        sequence: Some(9999),
        ..first
    });
}

fn wall(time: &str) -> chrono::NaiveDateTime {
    chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S%.f").unwrap()
}

fn three_hours_less(time: &str) -> String {
    (wall(time) - chrono::TimeDelta::hours(3)).to_string()
}

#[test]
fn other_settings_of_the_pbx_tell_the_same_call() {
    let mut all = Vec::new();
    for (what, change) in variants() {
        for (path, fixture) in fixtures() {
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            if untold(what, &path) {
                continue;
            }
            let by_cdr = by_cdr_alone(&file, &fixture);
            let mut full = fixture.rows.clone();
            let told = calls_in(full.clone(), &fixture.context());
            change(&mut full);
            for context in fixture.contexts() {
                let calls = calls_in(full.clone(), &context);
                let mut found = faults(&calls, &fixture.truth, fixture.slack);
                for (call, told) in calls.iter().zip(&told) {
                    let moved = (call.started_at - told.started_at).num_seconds().abs();
                    found.extend((moved > 1).then(|| format!("moved by {moved} s")));
                }
                all.extend(found.into_iter().map(|fault| format!("{what}: {}: {fault}", path.display())));
            }
            let Some(slack) = by_cdr.filter(|_| !full.cdr.is_empty()) else { continue };
            let alone = CallRows { cel: Vec::new(), ..full };
            let found = faults(&calls_in(alone, &fixture.context()), &fixture.truth, slack);
            all.extend(found.into_iter().map(|fault| format!("{what}, alone: {}: {fault}", path.display())));
        }
    }
    report(all);
}

/// A night when Berlin's clocks change: the second of it, and the offsets before and after.
const NIGHTS: [(i64, i64, i64); 2] = [(1_774_746_000, 3600, 7200), (1_792_890_000, 7200, 3600)];

/// The same call as a PBX in Berlin writes it, begun four seconds before the change.
fn in_the_night(rows: &CallRows, (change, before, after): (i64, i64, i64)) -> CallRows {
    let epoch = |id: &str| id.split('.').next().and_then(|second| second.parse::<i64>().ok());
    let ids = rows.linkedids();
    let start = ids.iter().filter_map(|id| epoch(id)).min().unwrap();
    let shift = change - 4 - start;
    let moved_id = |id: &str| match (epoch(id), id.split_once('.')) {
        (Some(second), Some((_, counter))) => format!("{}.{counter}", second + shift),
        _ => id.to_owned(),
    };
    let moved_time = |time: &str| {
        let utc = wall(time).and_utc().timestamp() - 3 * 3600 + shift;
        let offset = if utc < change { before } else { after };
        chrono::DateTime::from_timestamp(utc + offset, 0).unwrap().naive_utc().to_string()
    };
    let channels: BTreeSet<String> = rows.cel.iter().map(|row| row.uniqueid.clone()).collect();
    let mut rows = rows.clone();
    for row in &mut rows.cdr {
        row.calldate = moved_time(&row.calldate);
        (row.uniqueid, row.linkedid) = (moved_id(&row.uniqueid), moved_id(&row.linkedid));
    }
    for row in &mut rows.cel {
        row.eventtime = moved_time(&row.eventtime);
        for id in &channels {
            row.extra = row.extra.replace(&format!("\"{id}\""), &format!("\"{}\"", moved_id(id)));
        }
        (row.uniqueid, row.linkedid) = (moved_id(&row.uniqueid), moved_id(&row.linkedid));
    }
    rows
}

#[test]
fn calls_in_the_night_of_the_change_tell_the_same() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        for night in NIGHTS {
            let rows = in_the_night(&fixture.rows, night);
            let zones = [
                Some(chrono_tz::Europe::Berlin),
                None,
                Some(chrono_tz::Europe::Moscow),
                Some(chrono_tz::UTC),
            ];
            // Without the zone an hour more or less of four can't be told, nor one of a call whose legs and end are unknown.
            let unknown = ["four_hours_over_midnight", "killed_in_talk"].contains(&file.as_str());
            let known = if unknown { 1 } else { zones.len() };
            for zone in &zones[..known] {
                let context = Context { timezone: *zone, ..fixture.context() };
                let found = faults(&calls_in(rows.clone(), &context), &fixture.truth, fixture.slack);
                all.extend(
                    found.into_iter().map(|fault| format!("{zone:?} {night:?}: {}: {fault}", path.display())),
                );
                let Some(slack) = by_cdr_alone(&file, &fixture) else { continue };
                let alone = calls_in(CallRows { cel: Vec::new(), ..rows.clone() }, &context);
                let found = faults(&alone, &fixture.truth, slack);
                all.extend(
                    found
                        .into_iter()
                        .map(|fault| format!("{zone:?} {night:?} alone: {}: {fault}", path.display())),
                );
            }
        }
    }
    report(all);
}
