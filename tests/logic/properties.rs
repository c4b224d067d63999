//! What holds for any rows.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::{
    logic::call::{Call, CallRows, CdrRow, CelRow, Context, OpenCalls, fold, group, is_complete},
    settings::Settings,
};
use proptest::{prelude::*, sample::Index};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::from_settings(&Settings::default()).unwrap());

/// All fixtures' rows, by PBX.
static CALLS: LazyLock<BTreeMap<String, Vec<CallRows>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls");
    let mut calls: BTreeMap<String, Vec<CallRows>> = BTreeMap::new();
    for pbx in fs::read_dir(folder).unwrap() {
        let pbx = pbx.unwrap();
        for file in fs::read_dir(pbx.path()).unwrap() {
            let path = file.unwrap().path();
            if !path.to_string_lossy().ends_with(".call.json") {
                let rows = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
                calls.entry(pbx.file_name().to_string_lossy().into_owned()).or_default().push(rows);
            }
        }
    }
    calls
});

/// A row of either table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    Cdr(CdrRow),
    Cel(CelRow),
}

pub(super) fn rows_of(calls: &CallRows) -> Vec<Row> {
    let cel = calls.cel.iter().cloned().map(Row::Cel);
    calls.cdr.iter().cloned().map(Row::Cdr).chain(cel).collect()
}

pub(super) fn collect(rows: impl IntoIterator<Item = Row>) -> CallRows {
    let mut calls = CallRows::default();
    for row in rows {
        match row {
            Row::Cdr(row) => calls.cdr.push(row),
            Row::Cel(row) => calls.cel.push(row),
        }
    }
    calls
}

pub(super) fn told(rows: CallRows) -> Vec<Call> {
    group(rows).iter().filter_map(|rows| fold(rows, &CONTEXT)).collect()
}

/// A call of the corpus, of CDR and CEL or of CDR alone.
fn any_call() -> impl Strategy<Value = CallRows> {
    let pbx = CALLS.values().cloned().collect::<Vec<_>>();
    let rows: Vec<CallRows> = pbx.into_iter().flatten().collect();
    (prop::sample::select(rows), prop::bool::weighted(0.8)).prop_map(|(mut rows, full)| {
        if !full {
            rows.cel.clear();
        }
        rows
    })
}

/// Two different calls of one PBX.
fn two_calls() -> impl Strategy<Value = (CallRows, CallRows)> {
    let pbx: Vec<Vec<CallRows>> = CALLS.values().cloned().collect();
    (prop::sample::select(pbx), any::<Index>(), any::<Index>())
        .prop_map(|(calls, one, other)| (one.get(&calls).clone(), other.get(&calls).clone()))
        .prop_filter("different", |(one, other)| one != other)
}

/// The rows in any order.
fn shuffled(rows: CallRows) -> impl Strategy<Value = Vec<Row>> {
    Just(rows_of(&rows)).prop_shuffle()
}

fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// Pushes the rows in pieces, asking for finished calls in between; the last telling of each call counts.
pub(super) fn pushed(rows: Vec<Row>, cuts: &[Index], pause: i64) -> Vec<Call> {
    let mut open = OpenCalls::new(Duration::from_secs(10), Duration::from_secs(8 * 3600));
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len().max(1))).collect();
    cuts.sort_unstable();
    let mut now = epoch();
    let mut last: Vec<CallRows> = Vec::new();
    let mut take = |finished: Vec<CallRows>| {
        for rows in finished {
            let ids = rows.linkedids();
            last.retain(|earlier| earlier.linkedids().iter().all(|id| !ids.contains(id)));
            last.push(rows);
        }
    };
    let mut from = 0;
    for to in cuts.into_iter().chain([rows.len()]) {
        open.push(collect(rows[from..to].iter().cloned()), now);
        now += TimeDelta::seconds(pause);
        take(open.finished(now));
        from = to;
    }
    take(open.finished(now + TimeDelta::hours(9)));
    assert!(open.is_empty());
    let mut calls: Vec<Call> = last.iter().filter_map(|rows| fold(rows, &CONTEXT)).collect();
    calls.sort_by(|left, right| left.started_at.cmp(&right.started_at).then(left.id.cmp(&right.id)));
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rows_changes_nothing((rows, shuffled) in any_call().prop_flat_map(|rows| (Just(rows.clone()), shuffled(rows)))) {
        prop_assert_eq!(told(rows), told(collect(shuffled)));
    }

    #[test]
    fn rows_read_twice_change_nothing(rows in any_call(), twice in prop::collection::vec(any::<Index>(), 1..20)) {
        prop_assume!(!rows.is_empty());
        let all = rows_of(&rows);
        let doubled = twice.iter().map(|index| index.get(&all).clone());
        let doubled = collect(all.clone().into_iter().chain(doubled));
        prop_assert_eq!(told(rows), told(doubled));
    }

    #[test]
    fn pieces_of_a_poll_change_nothing(
        (rows, shuffled) in any_call().prop_flat_map(|rows| (Just(rows.clone()), shuffled(rows))),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
        pause in 0_i64..30,
    ) {
        prop_assert_eq!(told(rows), pushed(shuffled, &cuts, pause));
    }

    #[test]
    fn calls_at_the_same_time_stay_apart((one, other) in two_calls(), seed in any::<u64>()) {
        let mut rows = rows_of(&one);
        rows.extend(rows_of(&other));
        rows.sort_by_key(|row| {
            let text = format!("{row:?}{seed}");
            text.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
        });
        let total = rows.len();
        let groups = group(collect(rows));
        prop_assert_eq!(groups.iter().map(|rows| rows.cdr.len() + rows.cel.len()).sum::<usize>(), total);
        let mut apart = told(one);
        apart.extend(told(other));
        apart.sort_by(|left, right| left.id.cmp(&right.id));
        let mut together: Vec<Call> = groups.iter().filter_map(|rows| fold(rows, &CONTEXT)).collect();
        together.sort_by(|left, right| left.id.cmp(&right.id));
        prop_assert_eq!(apart, together);
    }

    #[test]
    fn talk_fits_into_the_call_whatever_is_cut_away(rows in any_call(), kept in prop::collection::vec(any::<bool>(), 80)) {
        let all = rows_of(&rows);
        let cut = collect(all.into_iter().zip(kept.iter().cycle()).filter(|(_, kept)| **kept).map(|(row, _)| row));
        for group in group(cut) {
            is_complete(&group);
            let Some(call) = fold(&group, &CONTEXT) else { continue };
            let length = (call.ended_at - call.started_at).num_seconds();
            prop_assert!(i64::from(call.talk_seconds) <= length + 1, "{call:?}");
            for talk in &call.conversations {
                prop_assert!(talk.requested_at <= talk.ended_at, "{call:?}");
                prop_assert!(talk.accepted_at.is_none_or(|at| talk.requested_at <= at && at <= talk.ended_at), "{call:?}");
            }
            prop_assert!(call.started_at <= call.ended_at);
            prop_assert!(call.linkedids.contains(&call.id));
        }
    }

    #[test]
    fn rubbish_is_no_call_and_no_panic(
        text in "[0-9A-Za-z:;/@#\\-\\. \\{\\}\",]{0,40}",
        name in "(PJSIP|Local|DAHDI)/[0-9a-z@-]{0,12}(;1|;2)?",
        kind in "(CHAN_START|BRIDGE_ENTER|HANGUP|ANSWER|APP_START)",
        number in any::<i64>(),
    ) {
        let cel = CelRow {
            id: number, eventtype: kind, eventtime: text.clone(), channame: name.clone(), uniqueid: text.clone(),
            linkedid: text.clone(), extra: text.clone(), exten: text.clone(), ..CelRow::default()
        };
        let cdr = CdrRow {
            calldate: "2026-11-20 12:00:00".to_owned(), channel: name.clone(), dstchannel: name, duration: number,
            billsec: number, disposition: "ANSWERED".to_owned(), uniqueid: text, ..CdrRow::default()
        };
        told(CallRows { cdr: vec![cdr], cel: vec![cel] });
    }
}
