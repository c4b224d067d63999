//! Attempts + now → next try, or give up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How often a request of one action is sent before it is given up.
pub const MOST_ATTEMPTS: u32 = 12;

/// How long after a lost answer the CRM is asked whether the request arrived.
///
/// Two things must be over by then: the request may still be running in the CRM when the connection is gone, and lists
/// may show what was just made a little later.
pub const SETTLE: Duration = Duration::from_secs(10);

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3600);

/// What to do after an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again then.
    At(DateTime<Utc>),
    /// A person must look at it.
    GiveUp,
}

/// After `attempts` (1 or more) that failed: 5 s, 10 s, 20 s … an hour; the twelfth was the last.
pub fn after(attempts: u32, now: DateTime<Utc>) -> Retry {
    if attempts >= MOST_ATTEMPTS {
        return Retry::GiveUp;
    }
    Retry::At(now + delay(attempts))
}

/// The wait after so many failures in a row of something that is never given up (the CRM as a whole): at most `most`.
pub fn endless(failures: u32, most: Duration) -> Duration {
    doubled(failures).min(most)
}

fn delay(attempts: u32) -> TimeDelta {
    TimeDelta::from_std(doubled(attempts)).unwrap_or(TimeDelta::hours(1))
}

fn doubled(attempts: u32) -> Duration {
    FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn each_failure_doubles_the_wait() {
        assert_eq!(after(1, at(0)), Retry::At(at(5)));
        assert_eq!(after(2, at(0)), Retry::At(at(10)));
        assert_eq!(after(4, at(100)), Retry::At(at(140)));
    }

    #[test]
    fn no_wait_is_longer_than_an_hour() {
        assert_eq!(after(11, at(0)), Retry::At(at(3600)));
        assert_eq!(endless(u32::MAX, Duration::from_secs(60)), Duration::from_secs(60));
    }

    #[test]
    fn the_last_attempt_gives_up() {
        assert_eq!(after(MOST_ATTEMPTS, at(0)), Retry::GiveUp);
    }
}
