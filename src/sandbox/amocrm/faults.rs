//! Switches for faults: what goes wrong, where, how often.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// 402: the subscription is over.
    Unpaid,
    /// 500 as problem JSON; nothing was done.
    ServerError,
    /// 502 as HTML; nothing was done.
    BadGateway,
    /// 504 as HTML; nothing was done.
    GatewayTimeout,
    /// 504 as HTML; yet the request was carried out.
    GatewayTimeoutAfterCommit,
    /// 429 as problem JSON with `retry_after`.
    TooManyRequests,
    /// 429 as a gateway's HTML page.
    TooManyRequestsHtml,
    /// 403 as problem JSON: no right.
    Forbidden,
    /// 403 as nginx writes it when the address is blocked.
    Blocked,
    /// 401.
    Unauthorized,
    /// 200 with an HTML page instead of JSON; nothing was done.
    Html,
    /// The connection is closed before anything was done.
    Dropped,
    /// The request is carried out, then the connection is closed without an answer.
    LostReply,
    /// The answer takes so much longer; goes together with another fault.
    Delay(Duration),
}

/// How often a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Each time.
    Always,
    /// Each n-th matching request; the first to suffer is the n-th.
    Every(u32),
    /// With this probability, 0 to 1.
    Chance(f64),
    /// The next n matching requests, then no more.
    Next(u32),
}

/// A fault, where it strikes and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `GET`, `POST`…; none means any.
    pub method: Option<String>,
    /// Path with `*` for anything, as in `/api/v4/*/notes`.
    pub path: String,
    /// What goes wrong.
    pub fault: Fault,
    /// How often.
    pub when: When,
}

impl Rule {
    /// A fault on every method of a path.
    pub fn new(path: impl Into<String>, fault: Fault, when: When) -> Self {
        Self { method: None, path: path.into(), fault, when }
    }

    /// Only for one method.
    #[must_use]
    pub fn only(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into().to_uppercase());
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method) && glob(&self.path, path)
    }
}

/// Behaviours that are uncertain in the real service and can be had both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Toggles {
    /// New and changed cards are found by `query=` only after this long (reference 6.1).
    pub search_lag: Duration,
    /// A refresh token dies at once when exchanged, not when its successor is first used (1.4).
    pub strict_rotation: bool,
    /// The same incoming lead twice is refused instead of tagged as duplicate (3.13).
    pub refuse_same_unsorted: bool,
    /// Call notes can be changed by `PATCH` (6.4); the stricter reading refuses it.
    pub editable_call_notes: bool,
    /// The incoming-lead stage is off in every pipeline (3.13).
    pub unsorted_off: bool,
}

/// A rule that is switched on.
#[derive(Debug, Clone)]
pub struct ActiveRule {
    /// For [`Faults::remove`].
    pub id: u64,
    /// The rule.
    pub rule: Rule,
    /// Requests that matched.
    pub matched: u64,
    /// Requests that suffered.
    pub struck: u64,
}

#[derive(Debug, Default)]
struct Switches {
    rules: Vec<ActiveRule>,
    toggles: Toggles,
    chance: u64,
    serial: u64,
}

/// The switchboard; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Switches>>);

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Switches { chance: seed, ..Switches::default() })))
    }

    /// Switches a fault on; the answer is for [`Faults::remove`].
    pub fn set(&self, rule: Rule) -> u64 {
        let mut switches = self.switches();
        switches.serial += 1;
        let id = switches.serial;
        switches.rules.push(ActiveRule { id, rule, matched: 0, struck: 0 });
        id
    }

    /// Switches one fault off.
    pub fn remove(&self, id: u64) {
        self.switches().rules.retain(|active| active.id != id);
    }

    /// Switches all faults off; the toggles stay.
    pub fn clear(&self) {
        self.switches().rules.clear();
    }

    /// What is on, with counts.
    pub fn rules(&self) -> Vec<ActiveRule> {
        self.switches().rules.clone()
    }

    /// The uncertain behaviours as set now.
    pub fn toggles(&self) -> Toggles {
        self.switches().toggles
    }

    /// Sets the uncertain behaviours.
    pub fn set_toggles(&self, toggles: Toggles) {
        self.switches().toggles = toggles;
    }

    /// Which faults a request suffers: delays added up, and the first other fault.
    pub(super) fn strike(&self, method: &str, path: &str) -> (Duration, Option<Fault>) {
        let mut switches = self.switches();
        let Switches { rules, chance, .. } = &mut *switches;
        let (mut delay, mut fault) = (Duration::ZERO, None);
        for active in rules.iter_mut().filter(|active| active.rule.fits(method, path)) {
            active.matched += 1;
            let strikes = match active.rule.when {
                When::Always => true,
                When::Every(n) => active.matched.is_multiple_of(u64::from(n.max(1))),
                When::Chance(part) => next_chance(chance) < part,
                When::Next(n) => active.struck < u64::from(n),
            };
            match active.rule.fault {
                Fault::Delay(longer) if strikes => delay += longer,
                other if strikes && fault.is_none() => fault = Some(other),
                _ => continue,
            }
            active.struck += 1;
        }
        (delay, fault)
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number in 0..1; the same seed gives the same row (splitmix64).
pub(super) fn next_chance(seed: &mut u64) -> f64 {
    (next_random(seed) >> 11) as f64 / (1u64 << 53) as f64
}

/// 64 bits of splitmix64.
pub(super) fn next_random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *seed;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    if rest.is_empty() {
        return true;
    }
    loop {
        if glob(rest, text) {
            return true;
        }
        let Some(next) = text.chars().next() else { return false };
        text = &text[next.len_utf8()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(glob("/api/v4/*", "/api/v4/contacts/1/notes"));
        assert!(glob("/api/v4/*/notes", "/api/v4/contacts/1/notes"));
        assert!(!glob("/api/v4/*/notes", "/api/v4/contacts"));
        assert!(glob("*", ""));
    }

    #[test]
    fn every_third_request_suffers() {
        let faults = Faults::new(1);
        faults.set(Rule::new("*", Fault::LostReply, When::Every(3)).only("post"));
        let row: Vec<bool> = (0..6).map(|_| faults.strike("POST", "/x").1.is_some()).collect();
        assert_eq!(row, [false, false, true, false, false, true]);
        assert_eq!(faults.strike("GET", "/x").1, None);
    }

    #[test]
    fn a_delay_goes_with_another_fault() {
        let faults = Faults::new(1);
        faults.set(Rule::new("*", Fault::Delay(Duration::from_secs(1)), When::Next(1)));
        faults.set(Rule::new("*", Fault::Unpaid, When::Next(1)));
        assert_eq!(faults.strike("GET", "/x"), (Duration::from_secs(1), Some(Fault::Unpaid)));
        assert_eq!(faults.strike("GET", "/x"), (Duration::ZERO, None));
    }
}
