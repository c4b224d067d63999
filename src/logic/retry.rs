//! Attempts + now → next try, or give up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How often a request of one action is sent before it is given up.
pub const MOST_ATTEMPTS: u32 = 12;

const LONGEST: Duration = Duration::from_secs(3600);

/// How long things are waited for; a rehearsal may be in a greater hurry than [`Waits::default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// How long after a lost answer the CRM is asked whether the request arrived.
    ///
    /// Two things must be over by then: the request may still be running in the CRM when the connection is gone, and
    /// lists may show what was just made a little later.
    pub settle: Duration,
    /// After the first failure; each further one doubles it.
    pub first: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { settle: Duration::from_secs(10), first: Duration::from_secs(5) }
    }
}

/// What to do after an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again then.
    At(DateTime<Utc>),
    /// A person must look at it.
    GiveUp,
}

impl Waits {
    /// After `attempts` (1 or more) that failed: 5 s, 10 s, 20 s … an hour; the twelfth was the last.
    pub fn after(&self, attempts: u32, now: DateTime<Utc>) -> Retry {
        if attempts >= MOST_ATTEMPTS {
            return Retry::GiveUp;
        }
        Retry::At(now + TimeDelta::from_std(self.doubled(attempts)).unwrap_or(TimeDelta::hours(1)))
    }

    /// The wait after so many failures in a row of something that is never given up (the CRM as a whole): at most
    /// `most`.
    pub fn endless(&self, failures: u32, most: Duration) -> Duration {
        self.doubled(failures).min(most)
    }

    /// [`Waits::settle`] as a span of time.
    pub fn settle(&self) -> TimeDelta {
        TimeDelta::from_std(self.settle).unwrap_or(TimeDelta::seconds(10))
    }

    fn doubled(&self, attempts: u32) -> Duration {
        self.first.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn each_failure_doubles_the_wait() {
        assert_eq!(Waits::default().after(1, at(0)), Retry::At(at(5)));
        assert_eq!(Waits::default().after(2, at(0)), Retry::At(at(10)));
        assert_eq!(Waits::default().after(4, at(100)), Retry::At(at(140)));
    }

    #[test]
    fn no_wait_is_longer_than_an_hour() {
        assert_eq!(Waits::default().after(11, at(0)), Retry::At(at(3600)));
        assert_eq!(Waits::default().endless(u32::MAX, Duration::from_secs(60)), Duration::from_secs(60));
    }

    #[test]
    fn the_last_attempt_gives_up() {
        assert_eq!(Waits::default().after(MOST_ATTEMPTS, at(0)), Retry::GiveUp);
    }
}
