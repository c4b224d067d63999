//! What holds for whatever may happen at a PBX.

use std::collections::BTreeMap;

use perezvon::{
    logic::call::{Call, CallRows, Direction, Outcome, capture::capture, group},
    settings::Settings,
};
use proptest::{prelude::*, sample::Index};

use super::{
    properties::{collect, pushed, rows_of, told},
    switchboard::{Happened, any_happening, any_morning},
};

/// What a table lacks, or what became of it.
#[derive(Debug, Clone)]
enum Poor {
    Whole,
    /// Columns that are not there.
    NoExtra,
    NoIds,
    NoPeers,
    NoSequence,
    NoLinkedidInCdr,
    /// Asterisk 16 tells of no sounds and digits.
    NoStreams,
    /// A narrow column.
    ExtraOf(usize),
    /// One table only.
    CdrAlone,
    CelAlone,
    /// Asterisk was killed: events up to there, and of the legs a few.
    Killed(Index, usize),
    /// Rows that were lost.
    Lost(Vec<bool>),
}

fn any_poverty() -> impl Strategy<Value = Poor> {
    prop_oneof![
        4 => Just(Poor::Whole),
        1 => Just(Poor::NoExtra),
        2 => Just(Poor::NoIds),
        1 => Just(Poor::NoPeers),
        1 => Just(Poor::NoSequence),
        1 => Just(Poor::NoLinkedidInCdr),
        1 => Just(Poor::NoStreams),
        1 => (20_usize..160).prop_map(Poor::ExtraOf),
        1 => Just(Poor::CdrAlone),
        1 => Just(Poor::CelAlone),
        2 => (any::<Index>(), 0_usize..4).prop_map(|(at, legs)| Poor::Killed(at, legs)),
        2 => prop::collection::vec(prop::bool::weighted(0.8), 60).prop_map(Poor::Lost),
    ]
}

impl Poor {
    fn of(&self, mut rows: CallRows) -> CallRows {
        match self {
            Self::Whole => {}
            Self::NoExtra => rows.cel.iter_mut().for_each(|row| row.extra.clear()),
            Self::NoIds => rows.cel.iter_mut().for_each(|row| row.id = 0),
            Self::NoPeers => rows.cel.iter_mut().for_each(|row| row.peer.clear()),
            Self::NoSequence => rows.cdr.iter_mut().for_each(|row| row.sequence = None),
            Self::NoLinkedidInCdr => rows.cdr.iter_mut().for_each(|row| row.linkedid.clear()),
            Self::NoStreams => {
                rows.cel.retain(|row| !row.eventtype.starts_with("STREAM") && row.eventtype != "DTMF");
            }
            Self::ExtraOf(width) => rows.cel.iter_mut().for_each(|row| row.extra.truncate(*width)),
            Self::CdrAlone => rows.cel.clear(),
            Self::CelAlone => rows.cdr.clear(),
            Self::Killed(at, legs) => {
                rows.cel.truncate(at.index(rows.cel.len()) + 1);
                rows.cdr.truncate(*legs);
            }
            Self::Lost(kept) => {
                let all = rows_of(&rows).into_iter().zip(kept.iter().cycle());
                rows = collect(all.filter(|(_, kept)| **kept).map(|(row, _)| row));
            }
        }
        rows
    }
}

/// Rows of a call, of whatever table.
fn any_rows() -> impl Strategy<Value = CallRows> {
    (any_happening(), any_poverty()).prop_map(|(happened, poor)| poor.of(happened.rows))
}

fn in_order(mut calls: Vec<Call>) -> Vec<Call> {
    calls.sort_by(|left, right| left.started_at.cmp(&right.started_at).then_with(|| left.id.cmp(&right.id)));
    calls
}

/// The call of the client among all that is told: consultations that he never was in are calls of their own.
fn of_client(happened: &Happened) -> Call {
    let calls = told(happened.rows.clone());
    let mut own = calls.into_iter().filter(|call| call.linkedids.contains(&happened.id));
    own.next().expect("the client's call")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn who_talked_and_how_long_is_told_as_it_was(happened in any_happening()) {
        let call = of_client(&happened);
        let direction = if happened.inbound { Direction::Inbound } else { Direction::Outbound };
        prop_assert_eq!(call.direction, direction);
        prop_assert_eq!(call.client.clone(), Some(format!("+{}", happened.client)));
        let mut seconds: BTreeMap<String, i64> = BTreeMap::new();
        for talk in call.conversations.iter().filter(|talk| talk.accepted_at.is_some()) {
            *seconds.entry(talk.party.clone()).or_default() += i64::from(talk.talk_seconds);
        }
        let brief = |talked: &BTreeMap<String, i64>| -> BTreeMap<String, i64> {
            talked.iter().filter(|(_, seconds)| **seconds > 0).map(|(who, seconds)| (who.clone(), *seconds)).collect()
        };
        prop_assert_eq!(brief(&seconds), brief(&happened.talked), "{:#?}", call);
        let talked = happened.talked.values().any(|seconds| *seconds > 0);
        prop_assert!(!talked || call.outcome == Outcome::Talked);
        prop_assert!(talked || !happened.talked.is_empty() || call.outcome != Outcome::Talked);
        prop_assert!(!call.cut);
    }

    #[test]
    fn the_order_of_rows_changes_nothing((rows, shuffled) in any_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows_of(&rows)).prop_shuffle()))) {
        prop_assert_eq!(told(rows), told(collect(shuffled)));
    }

    #[test]
    fn pieces_of_a_poll_change_nothing(
        (rows, shuffled) in any_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows_of(&rows)).prop_shuffle())),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
        pause in 0_i64..30,
        as_written in any::<bool>(),
    ) {
        let arriving = if as_written { rows_of(&rows) } else { shuffled };
        prop_assert_eq!(in_order(told(rows)), pushed(arriving, &cuts, pause));
    }

    #[test]
    fn no_row_is_in_two_calls(calls in prop::collection::vec(any_rows(), 1..4)) {
        let rows = collect(calls.iter().flat_map(rows_of));
        let mut all = rows_of(&group(CallRows { ..rows.clone() }).into_iter().fold(CallRows::default(), |mut all, call| {
            all.cdr.extend(call.cdr);
            all.cel.extend(call.cel);
            all
        }));
        let mut expected = rows_of(&rows);
        // The same row twice is one row.
        for rows in [&mut all, &mut expected] {
            rows.sort();
        }
        expected.dedup();
        prop_assert_eq!(all, expected);
    }

    #[test]
    fn calls_of_one_morning_stay_apart(morning in any_morning(), seed in any::<u64>()) {
        let mut together = morning.iter().flat_map(|call| rows_of(&call.rows)).collect::<Vec<_>>();
        together.sort_by_key(|row| {
            let text = format!("{row:?}");
            text.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
        });
        let apart = morning.iter().flat_map(|call| told(call.rows.clone())).collect();
        prop_assert_eq!(in_order(told(collect(together))), in_order(apart));
    }

    #[test]
    fn talk_fits_into_the_call_and_its_times_are_in_order(rows in any_rows()) {
        for call in told(rows) {
            let length = (call.ended_at - call.started_at).num_seconds();
            prop_assert!(i64::from(call.talk_seconds) <= length, "{:#?}", call);
            let sum: u32 = call.conversations.iter().map(|talk| talk.talk_seconds).sum();
            prop_assert!(call.direction == Direction::Internal || sum >= call.talk_seconds, "{:#?}", call);
            for talk in &call.conversations {
                prop_assert!(call.started_at <= talk.requested_at && talk.ended_at <= call.ended_at, "{:#?}", call);
                let accepted = talk.accepted_at.unwrap_or(talk.requested_at);
                prop_assert!(talk.requested_at <= accepted && accepted <= talk.ended_at, "{:#?}", call);
                prop_assert!(i64::from(talk.talk_seconds) <= (talk.ended_at - accepted).num_seconds(), "{:#?}", call);
                let in_vain = call.conversations.iter().filter(|other| other.party == talk.party && other.accepted_at.is_none());
                prop_assert!(in_vain.count() <= 1, "{} listed twice: {:#?}", talk.party, call);
            }
            let first = call.conversations.iter().filter_map(|talk| talk.accepted_at).min();
            prop_assert_eq!(call.answered_at, first);
            prop_assert_eq!(call.talked(), first.is_some());
            prop_assert!(call.conversations.is_sorted_by_key(|talk| talk.requested_at));
            prop_assert!(call.linkedids.contains(&call.id));
        }
    }
}

proptest! {
    // Each makes up numbers, which asks a phone book.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_can_be_captured_and_is_told_the_same(rows in any_rows()) {
        let captured = capture(&rows, &Settings::default()).unwrap();
        prop_assert!(captured.faithful, "{:#?}", captured.told);
        let text = captured.fixture("captured", "", "");
        prop_assert!(!text.contains("79161234567") && !text.contains("1234567"), "{}", text);
    }
}
