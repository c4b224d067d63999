//! Requests so far + now → go, or wait until.
//!
//! amoCRM counts requests a second over all of an integration and, when that is overdone, blocks the address.
//! So everything that is sent passes one [`Pace`]: at most so many in any window of a second, the last places of
//! each window kept for those in a hurry, all of them stalled by one 429. Times are spans since any fixed start.
//!
//! The server counts when a request arrives, which is between its sending and its answer. So a place is free again a
//! window after the answer: however uneven the way there, no window at the server holds more than the limit.

use std::time::Duration;

use super::request::Urgency;

/// First pause after a 429 that does not say how long; doubles with each in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// First silence after a block page; doubles with each in a row. Only support lifts a block early, and asking on
/// prolongs it.
const FIRST_SILENCE: Duration = Duration::from_secs(300);
const LONGEST_SILENCE: Duration = Duration::from_secs(2 * 3600);

/// By when a request that got no answer has arrived, as far as its place is concerned: a server that hangs must not
/// keep ringing phones from being asked about.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// A place in the window; given back by [`Pace::landed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// Why nothing may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The window is full; a place is free at this time.
    Window(Duration),
    /// A 429 stalls everything until this time.
    Stalled(Duration),
    /// A block page silences everything until this time.
    Silenced(Duration),
}

/// One budget of requests.
#[derive(Debug)]
pub struct Pace {
    places: usize,
    window: Duration,
    /// Requests that count, and by when each has arrived.
    under_way: Vec<(Ticket, Duration)>,
    tickets: u64,
    stalled_until: Duration,
    pauses: u32,
    silent_until: Duration,
    silences: u32,
}

impl Pace {
    /// At most so many requests in any second; less than one means one in `1/per_second` seconds.
    pub fn new(per_second: f64) -> Self {
        let per_second = if per_second.is_finite() { per_second.clamp(0.01, 50.0) } else { 1.0 };
        // The cast is of a number between 1 and 50.
        let places = per_second.floor().max(1.0) as usize;
        Self {
            places,
            window: Duration::from_secs_f64(places as f64 / per_second),
            under_way: Vec::with_capacity(places),
            tickets: 0,
            stalled_until: Duration::ZERO,
            pauses: 0,
            silent_until: Duration::ZERO,
            silences: 0,
        }
    }

    /// Takes a place for a request that is sent now, or says until when to wait.
    pub fn take(&mut self, now: Duration, urgency: Urgency) -> Result<Ticket, Wait> {
        if now < self.silent_until {
            return Err(Wait::Silenced(self.silent_until));
        }
        if now < self.stalled_until {
            return Err(Wait::Stalled(self.stalled_until));
        }
        self.under_way.retain(|(_, arrived)| *arrived + self.window > now);
        let places = self.places_for(urgency);
        if self.under_way.len() >= places {
            let mut arrivals: Vec<Duration> = self.under_way.iter().map(|(_, arrived)| *arrived).collect();
            arrivals.sort_unstable();
            return Err(Wait::Window(arrivals[arrivals.len() - places] + self.window));
        }
        self.tickets += 1;
        self.under_way.push((Ticket(self.tickets), now + UNDER_WAY));
        Ok(Ticket(self.tickets))
    }

    /// The answer came, or nobody waits for it any more.
    pub fn landed(&mut self, ticket: Ticket, now: Duration) {
        for (_, arrived) in self.under_way.iter_mut().filter(|(its, _)| *its == ticket) {
            *arrived = now.min(*arrived);
        }
    }

    /// A third of the window is kept for calls, people and ringing phones, its last place for the latter.
    fn places_for(&self, urgency: Urgency) -> usize {
        let kept = match urgency {
            Urgency::Ringing => 0,
            Urgency::Live | Urgency::Person => self.places / 6,
            Urgency::Background => self.places / 3,
        };
        (self.places - kept).max(1)
    }

    /// A 429 came: everything stalls, for as long as the server said, else longer with each in a row.
    pub fn stall(&mut self, now: Duration, told: Option<Duration>) -> Duration {
        let pause = told.unwrap_or_else(|| doubled(FIRST_PAUSE, self.pauses, LONGEST_PAUSE));
        self.pauses = self.pauses.saturating_add(1);
        self.stalled_until = self.stalled_until.max(now + pause);
        pause
    }

    /// A block page came: everything falls silent.
    pub fn silence(&mut self, now: Duration) -> Duration {
        let silence = doubled(FIRST_SILENCE, self.silences, LONGEST_SILENCE);
        self.silences = self.silences.saturating_add(1);
        self.silent_until = self.silent_until.max(now + silence);
        silence
    }

    /// An ordinary answer came: the next pause begins small again.
    pub fn answered(&mut self) {
        self.pauses = 0;
        self.silences = 0;
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn no_window_of_a_second_holds_more_than_the_limit() {
        let mut pace = Pace::new(6.0);
        let mut sent = Vec::new();
        let mut now = ms(10_000);
        while sent.len() < 100 {
            match pace.take(now, Urgency::Ringing) {
                Ok(ticket) => {
                    pace.landed(ticket, now);
                    sent.push(now);
                }
                Err(Wait::Window(until)) => {
                    assert!(until > now);
                    now = until;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        for place in 6..sent.len() {
            assert!(sent[place] - sent[place - 6] >= ms(1000));
        }
        assert!(*sent.last().unwrap() < ms(10_000 + 17_000), "and none is wasted");
    }

    #[test]
    fn a_ringing_phone_finds_places_that_a_sync_cannot_take() {
        let mut pace = Pace::new(6.0);
        let mut sent = |at, urgency| pace.take(ms(at), urgency).map(|ticket| pace.landed(ticket, ms(at)));
        let background = (0..10).filter(|_| sent(5000, Urgency::Background).is_ok()).count();
        assert_eq!(background, 4);
        let live = (0..10).filter(|_| sent(5000, Urgency::Live).is_ok()).count();
        assert_eq!(live, 1);
        assert_eq!(sent(5001, Urgency::Ringing), Ok(()));
        assert_eq!(sent(5001, Urgency::Ringing), Err(Wait::Window(ms(6000))));
    }

    #[test]
    fn one_request_in_two_seconds_is_a_pace_too() {
        let mut pace = Pace::new(0.5);
        let ticket = pace.take(ms(0), Urgency::Background).unwrap();
        pace.landed(ticket, ms(0));
        assert_eq!(pace.take(ms(100), Urgency::Ringing), Err(Wait::Window(ms(2000))));
        assert!(pace.take(ms(2000), Urgency::Background).is_ok());
    }

    #[test]
    fn a_place_is_free_a_window_after_the_answer() {
        let mut pace = Pace::new(1.0);
        let ticket = pace.take(ms(0), Urgency::Live).unwrap();
        pace.landed(ticket, ms(400));
        assert_eq!(pace.take(ms(1000), Urgency::Live), Err(Wait::Window(ms(1400))));
        assert!(pace.take(ms(1400), Urgency::Live).is_ok());
        assert_eq!(pace.take(ms(1500), Urgency::Ringing), Err(Wait::Window(ms(3400))), "no answer yet");
        assert!(pace.take(ms(3400), Urgency::Ringing).is_ok(), "a server that hangs blocks nobody for good");
    }

    #[test]
    fn a_429_stalls_everybody_longer_each_time_until_an_answer_comes() {
        let mut pace = Pace::new(6.0);
        pace.stall(ms(0), None);
        assert_eq!(pace.take(ms(999), Urgency::Ringing), Err(Wait::Stalled(ms(1000))));
        assert!(pace.take(ms(1000), Urgency::Ringing).is_ok());
        assert_eq!(pace.stall(ms(1000), None), ms(2000));
        assert_eq!(pace.stall(ms(3000), Some(ms(300_000))), ms(300_000));
        assert_eq!(pace.take(ms(300_000), Urgency::Ringing), Err(Wait::Stalled(ms(303_000))));
        pace.answered();
        assert_eq!(pace.stall(ms(400_000), None), ms(1000));
    }

    #[test]
    fn a_block_page_silences_for_minutes_then_hours() {
        let mut pace = Pace::new(6.0);
        assert_eq!(pace.silence(ms(0)), ms(300_000));
        assert_eq!(pace.take(ms(1000), Urgency::Ringing), Err(Wait::Silenced(ms(300_000))));
        assert!(pace.take(ms(300_000), Urgency::Ringing).is_ok());
        assert_eq!(pace.silence(ms(300_000)), ms(600_000));
        for _ in 0..9 {
            pace.silence(ms(900_000));
        }
        assert_eq!(pace.silence(ms(900_000)), LONGEST_SILENCE);
    }
}
