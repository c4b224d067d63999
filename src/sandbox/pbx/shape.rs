//! Shapes of calls: rows that a real Asterisk wrote (plain 22 and FreePBX 17), with times, numbers and names taken out.
//!
//! In `shapes/*.json` a text like `{{client}}` stands for what one played call puts there: `u0` a channel's uniqueid,
//! `n0` the number in its name, `b0` a bridge, `s3` the local time of second 3, `a`, `b`, `c` the extensions.

use serde::Deserialize;
use serde_json::Value;

use super::dice::Dice;

/// Columns of a row of `cel` after its second.
pub(super) const CEL: [&str; 16] = [
    "eventtype",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_rdnis",
    "cid_dnid",
    "exten",
    "context",
    "channame",
    "appname",
    "appdata",
    "uniqueid",
    "linkedid",
    "peer",
    "userdeftype",
    "eventextra",
];

/// Columns of a row of `cdr` after its seconds of start, answer, end and writing.
pub(super) const CDR: [&str; 18] = [
    "clid",
    "src",
    "dst",
    "dcontext",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "disposition",
    "uniqueid",
    "userfield",
    "did",
    "recordingfile",
    "cnum",
    "cnam",
    "outbound_cnum",
    "linkedid",
    "peeraccount",
];

/// A call as it once happened.
#[derive(Debug, Deserialize)]
pub(super) struct Shape {
    /// Its name.
    pub(super) shape: String,
    /// `inbound`, `outbound` or `internal`.
    pub(super) kind: String,
    /// In which second each channel began.
    pub(super) ids: Vec<u32>,
    /// How many numbers of channel names there are.
    pub(super) channels: usize,
    /// How many bridges.
    pub(super) bridges: usize,
    /// Seconds in which people talk.
    pub(super) talk: Vec<(u32, u32)>,
    /// Files.
    pub(super) recordings: Vec<Recorded>,
    cel: Vec<Vec<Value>>,
    cdr: Vec<Vec<Value>>,
}

/// A file of a shape.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recorded {
    pub(super) path: String,
    pub(super) from: u32,
    pub(super) to: u32,
    /// Only what was said while joined (MixMonitor's option `b`).
    pub(super) bridged: bool,
    /// Nothing but the 44 bytes of the header.
    pub(super) empty: bool,
}

impl Shape {
    /// Rows of `cel`: second, columns.
    pub(super) fn cel(&self) -> impl Iterator<Item = (u32, Vec<&str>)> {
        self.cel.iter().map(|row| (second(row, 0), texts(row, 1)))
    }

    /// Rows of `cdr`: seconds of start, answer, end and writing, then columns.
    pub(super) fn cdr(&self) -> impl Iterator<Item = ([u32; 4], Vec<&str>)> {
        self.cdr.iter().map(|row| ([0, 1, 2, 3].map(|at| second(row, at)), texts(row, 4)))
    }

    /// The last second.
    pub(super) fn length(&self) -> u32 {
        let cel = self.cel().map(|(at, _)| at);
        cel.chain(self.cdr().flat_map(|(seconds, _)| seconds)).max().unwrap_or(0)
    }
}

fn second(row: &[Value], at: usize) -> u32 {
    row.get(at).and_then(Value::as_u64).and_then(|second| u32::try_from(second).ok()).unwrap_or(0)
}

fn texts(row: &[Value], from: usize) -> Vec<&str> {
    row.iter().skip(from).map(|value| value.as_str().unwrap_or_default()).collect()
}

macro_rules! shapes {
    ($(($count:literal, $name:literal)),* $(,)?) => {
        /// How often in a deck, and the file.
        const FILES: &[(usize, &str)] = &[$(($count, include_str!(concat!("shapes/", $name, ".json"))),)*];
    };
}

// A morning as sales departments have it: every shape once, common ones more often.
shapes![
    (8, "inbound_answered"),
    (4, "inbound_missed"),
    (1, "inbound_busy"),
    (1, "inbound_anonymous"),
    (4, "queue_answered"),
    (2, "queue_abandoned"),
    (3, "ringgroup_answered"),
    (1, "ringgroup_missed"),
    (2, "blind_transfer"),
    (1, "attended_transfer"),
    (1, "attended_transfer_refer"),
    (1, "followme_mobile"),
    (1, "forward_external"),
    (1, "pickup"),
    (1, "park_retrieve"),
    (1, "voicemail"),
    (1, "dnd_voicemail"),
    (2, "ivr_hangup"),
    (1, "afterhours"),
    (2, "internal"),
    (6, "outbound_answered"),
    (1, "outbound_busy"),
    (2, "outbound_no_answer"),
    (1, "outbound_congestion"),
    (1, "originate_answered"),
    (1, "originate_local"),
    (1, "originate_agent_no_answer"),
];

/// All shapes, with how often each is in a deck.
pub(super) fn all() -> Vec<(usize, Shape)> {
    FILES
        .iter()
        .map(|(count, text)| (*count, serde_json::from_str(text).expect("shapes are tested")))
        .collect()
}

/// Indexes into [`all`], without end: decks that hold every shape, each shuffled; the very first is a plain answered call.
pub(super) struct Deck {
    counts: Vec<usize>,
    left: Vec<usize>,
    dice: Dice,
}

impl Deck {
    pub(super) fn new(shapes: &[(usize, Shape)], seed: u64) -> Self {
        let counts = shapes.iter().map(|(count, _)| *count).collect();
        let mut deck = Self { counts, left: Vec::new(), dice: Dice::new(seed) };
        deck.fill();
        if let Some(first) = deck.left.iter().position(|shape| *shape == 0) {
            let last = deck.left.len() - 1;
            deck.left.swap(first, last);
        }
        deck
    }

    /// Each shape once and then the rest, so that a short morning shows many.
    fn fill(&mut self) {
        let mut once: Vec<usize> = (0..self.counts.len()).collect();
        let mut more: Vec<usize> =
            self.counts.iter().enumerate().flat_map(|(shape, count)| vec![shape; count - 1]).collect();
        self.dice.shuffle(&mut once);
        self.dice.shuffle(&mut more);
        self.left = more;
        // Two of three of the first half are first showings.
        for (at, shape) in once.into_iter().enumerate() {
            let place = self.left.len().saturating_sub(at / 2);
            self.left.insert(place, shape);
        }
    }

    pub(super) fn draw(&mut self) -> usize {
        if self.left.is_empty() {
            self.fill();
        }
        self.left.pop().unwrap_or(0)
    }
}

/// Seconds of a shape → seconds of a played call: talks last longer than the recorded few seconds.
pub(super) struct Stretch(Vec<u32>);

impl Stretch {
    pub(super) fn new(shape: &Shape, dice: &mut Dice) -> Self {
        let talked: u32 = shape.talk.iter().map(|(from, to)| to - from).sum();
        // Most talks are short, some are long.
        let wanted = 15.0 + 150.0 * dice.unit().powi(2);
        let talk = wanted / f64::from(talked.max(1));
        let ring = dice.between(1.0, 2.2);
        let mut at = 0.0;
        let mut seconds = vec![0];
        for second in 0..shape.length() {
            let talking = shape.talk.iter().any(|(from, to)| (*from..*to).contains(&second));
            at += if talking { talk.max(1.0) } else { ring };
            seconds.push(at as u32);
        }
        Self(seconds)
    }

    pub(super) fn at(&self, second: u32) -> u32 {
        self.0.get(second as usize).copied().unwrap_or_else(|| self.length())
    }

    pub(super) fn length(&self) -> u32 {
        self.0.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_whole() {
        for (_, shape) in all() {
            assert!(shape.cel().all(|(_, row)| row.len() == CEL.len()), "{}", shape.shape);
            assert!(shape.cdr().all(|(_, row)| row.len() == CDR.len()), "{}", shape.shape);
            assert!(shape.cel().last().is_some_and(|(_, row)| row[0] == "LINKEDID_END"), "{}", shape.shape);
        }
    }

    #[test]
    fn a_deck_holds_every_shape_and_begins_with_a_plain_call() {
        let shapes = all();
        let mut deck = Deck::new(&shapes, 7);
        let size: usize = shapes.iter().map(|(count, _)| count).sum();
        let drawn: Vec<usize> = (0..size).map(|_| deck.draw()).collect();
        assert_eq!(shapes[drawn[0]].1.shape, "inbound_answered");
        for (at, (count, shape)) in shapes.iter().enumerate() {
            assert_eq!(drawn.iter().filter(|one| **one == at).count(), *count, "{}", shape.shape);
        }
    }
}
