//! A pretend Asterisk for the properties: random things happen to a client, and it writes the rows that Asterisk 22 would
//! write, with the same order of events, extra fields and linkedids as in the captured calls.
//!
//! It knows as well what a person beside the phones saw: who talked with the client, and for how long.

// Other test binaries have this file by its path, too.
#[path = "switchboard/rows.rs"]
mod rows;
#[path = "switchboard/story.rs"]
mod story;

use std::collections::BTreeMap;

use perezvon::logic::call::CallRows;
use proptest::prelude::*;

/// How the call begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The client calls 101.
    Phone,
    /// The client calls a group: 101, 102 and 103 ring.
    Group,
    /// The client waits in a queue whose members are called by Local pairs.
    Queue,
    /// The client hears a menu and comes to the queue.
    Menu,
    /// 101 calls the client.
    Outgoing,
}

/// What happens next: after so many seconds one of the things that may happen then, to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    wait: u8,
    choice: u8,
    whom: u8,
}

/// A call as it happened.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    pub(crate) rows: CallRows,
    /// Uniqueid of the channel with which it began.
    pub(crate) id: String,
    pub(crate) inbound: bool,
    pub(crate) client: String,
    /// Seconds with the client, by extension; also those who were joined with him for no time.
    pub(crate) talked: BTreeMap<String, i64>,
}

/// One who may ring or talk.
const EXTENSIONS: [&str; 6] = ["101", "102", "103", "104", "105", "106"];

fn extension(choice: u8) -> &'static str {
    EXTENSIONS[usize::from(choice) % EXTENSIONS.len()]
}

fn any_step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![Just(0_u8), 1..5_u8, 5..40_u8];
    (wait, any::<u8>(), any::<u8>()).prop_map(|(wait, choice, whom)| Step { wait, choice, whom })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        Just(Entry::Phone),
        Just(Entry::Group),
        Just(Entry::Queue),
        Just(Entry::Menu),
        Just(Entry::Outgoing)
    ]
}

/// A call of the client number `client`, begun at this second of the day, whose channels are numbered from `first`.
pub(crate) fn happens(entry: Entry, steps: &[Step], second: i64, first: u64, client: &str) -> Happened {
    let mut board = rows::Board::new(second, first);
    let mut story = story::Story::begin(&mut board, entry, client);
    steps.iter().for_each(|step| story.step(*step));
    story.end()
}

/// Any call.
pub(crate) fn any_happening() -> impl Strategy<Value = Happened> {
    any_happening_of("79161234567", 100)
}

/// Any call of this client, whose channels are numbered from `first`.
pub(crate) fn any_happening_of(client: &'static str, first: u64) -> impl Strategy<Value = Happened> {
    (any_entry(), prop::collection::vec(any_step(), 0..16))
        .prop_map(move |(entry, steps)| happens(entry, &steps, 0, first, client))
}

/// Several calls of one PBX in the same quarter of an hour, by different clients or one.
pub(crate) fn any_morning() -> impl Strategy<Value = Vec<Happened>> {
    let one = (any_entry(), prop::collection::vec(any_step(), 0..14), 0_i64..900, 0_u8..3);
    prop::collection::vec(one, 1..5).prop_map(|calls| {
        let mut first = 100;
        let mut all = Vec::new();
        for (entry, steps, second, client) in calls {
            let happened = happens(entry, &steps, second, first, &format!("7916123450{client}"));
            first += 200;
            all.push(happened);
        }
        all
    })
}
