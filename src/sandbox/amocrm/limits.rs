//! Who asks too often (reference 2.1).

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use super::options::Limits;

/// What the limits say of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    TooMany,
    Blocked,
}

/// Recent requests. Refused ones count too (stricter reading): hammering never gets through.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    recent: HashMap<(IpAddr, Option<String>), VecDeque<Instant>>,
    account: VecDeque<Instant>,
    refusals: HashMap<IpAddr, VecDeque<Instant>>,
    blocked: HashMap<IpAddr, Instant>,
}

impl Limiter {
    /// A request of an integration comes from an address.
    pub(super) fn check(
        &mut self,
        address: IpAddr,
        integration: Option<String>,
        limits: &Limits,
        now: Instant,
    ) -> Verdict {
        if self.blocked.get(&address).is_some_and(|until| now < *until) {
            return Verdict::Blocked;
        }
        self.blocked.remove(&address);
        let second = Duration::from_secs(1);
        let own = tally(self.recent.entry((address, integration)).or_default(), now, second);
        let all = tally(&mut self.account, now, second);
        let over = |count: usize, most: Option<u32>| most.is_some_and(|most| count > most as usize);
        if !over(own, limits.per_second) && !over(all, limits.per_account) {
            return Verdict::Pass;
        }
        let refused = tally(self.refusals.entry(address).or_default(), now, limits.block_window);
        if refused > limits.block_after as usize {
            self.refusals.remove(&address);
            self.blocked.insert(address, now + limits.block_length);
            return Verdict::Blocked;
        }
        Verdict::TooMany
    }

    /// Blocks and counts are lifted.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Adds this moment, drops those older than the window, counts the rest.
fn tally(moments: &mut VecDeque<Instant>, now: Instant, window: Duration) -> usize {
    moments.push_back(now);
    while moments.front().is_some_and(|first| now.duration_since(*first) >= window) {
        moments.pop_front();
    }
    moments.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eighth_request_of_a_second_is_refused_and_stubbornness_blocks() {
        let (mut limiter, limits, start) = (Limiter::default(), Limits::real(), Instant::now());
        let address = IpAddr::from([127, 0, 0, 1]);
        let mut ask = |ms| limiter.check(address, None, &limits, start + Duration::from_millis(ms));
        for _ in 0..7 {
            assert_eq!(ask(0), Verdict::Pass);
        }
        assert_eq!(ask(500), Verdict::TooMany);
        assert_eq!(ask(1501), Verdict::Pass);
        let verdicts: Vec<Verdict> = (0..30).map(|_| ask(1502)).collect();
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::TooMany).count(), 9);
        assert_eq!(verdicts.last(), Some(&Verdict::Blocked));
        assert_eq!(ask(30_000), Verdict::Blocked);
        assert_eq!(ask(62_000), Verdict::Pass);
    }
}
