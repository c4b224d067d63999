//! Channels that AMI saw hang up, until the tables show it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::logic::call::CelRow;

/// From a poll that did not show a channel's end to the next; each further one waits twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// So many polls look for one channel, over three seconds; then the ordinary poll must do.
const LOOKS: u32 = 5;
/// How long either side is remembered for the other.
const KEPT: Duration = Duration::from_secs(90);
/// So many channels are remembered: a flood must not fill the memory.
const MOST: usize = 50_000;

/// What one side told of and the other did not yet.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// Told by AMI, not shown by the tables: how often looked for, and when again.
    missing: HashMap<String, (u32, Instant)>,
    told: HashMap<String, Instant>,
    shown: HashMap<String, Instant>,
    forgot: Option<Instant>,
}

impl Awaited {
    /// AMI told that these channels are gone.
    pub(super) fn expect(&mut self, uniqueids: Vec<String>, now: Instant) {
        for uniqueid in uniqueids {
            if self.told.len() >= MOST {
                return;
            }
            if !self.shown.contains_key(&uniqueid) {
                self.missing.insert(uniqueid.clone(), (0, now));
            }
            self.told.insert(uniqueid, now);
        }
    }

    /// A row of the tables.
    pub(super) fn saw(&mut self, row: &CelRow, now: Instant) {
        if matches!(row.eventtype.as_str(), "HANGUP" | "CHAN_END") {
            self.missing.remove(&row.uniqueid);
            self.shown.insert(row.uniqueid.clone(), now);
        }
    }

    /// A poll has ended: what it did not show is looked for again, later and later.
    pub(super) fn looked(&mut self, now: Instant) {
        self.missing.retain(|_, (looks, next)| {
            if *next <= now {
                *looks += 1;
                *next = now + FIRST * 2u32.pow(*looks - 1);
            }
            *looks <= LOOKS
        });
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.missing.values().map(|(_, next)| *next).min()
    }

    /// Whether AMI told lately that this channel is gone.
    pub(super) fn was_told(&self, uniqueid: &str) -> bool {
        self.told.contains_key(uniqueid)
    }

    /// Forgets what is long ago, now and then.
    pub(super) fn forget(&mut self, now: Instant) {
        if self.forgot.is_some_and(|at| now.duration_since(at) < KEPT) {
            return;
        }
        self.forgot = Some(now);
        let lately = |_: &String, at: &mut Instant| now.duration_since(*at) < KEPT;
        self.told.retain(lately);
        self.shown.retain(lately);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(eventtype: &str, uniqueid: &str) -> CelRow {
        CelRow { eventtype: eventtype.to_owned(), uniqueid: uniqueid.to_owned(), ..CelRow::default() }
    }

    fn expected(uniqueid: &str, now: Instant) -> Awaited {
        let mut awaited = Awaited::default();
        awaited.expect(vec![uniqueid.to_owned()], now);
        awaited
    }

    #[test]
    fn a_channel_is_looked_for_until_its_end_shows() {
        let now = Instant::now();
        let mut awaited = expected("1.1", now);
        awaited.saw(&row("ANSWER", "1.1"), now);
        awaited.looked(now);
        assert_eq!(awaited.next(), Some(now + FIRST));
        awaited.saw(&row("CHAN_END", "1.1"), now);
        assert_eq!(awaited.next(), None);
        assert!(awaited.was_told("1.1") && !awaited.was_told("1.2"));
    }

    #[test]
    fn rows_may_be_quicker_than_ami() {
        let now = Instant::now();
        let mut awaited = Awaited::default();
        awaited.saw(&row("HANGUP", "1.1"), now);
        awaited.expect(vec!["1.1".to_owned()], now);
        assert_eq!(awaited.next(), None);
        awaited.forget(now + KEPT);
        assert!(!awaited.was_told("1.1"));
    }

    #[test]
    fn what_never_shows_is_looked_for_a_few_times_only() {
        let mut now = Instant::now();
        let (began, mut looks) = (now, 0);
        let mut awaited = expected("1.1", now);
        while let Some(next) = awaited.next() {
            now = next;
            awaited.looked(now);
            looks += 1;
        }
        assert_eq!((looks, now - began), (LOOKS + 1, FIRST * 31));
    }
}
