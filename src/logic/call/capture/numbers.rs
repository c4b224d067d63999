//! Outside numbers: each is replaced by one of the same length and country that nobody was called by.
//!
//! Spellings of one number (`79161234567`, `89161234567`, `9161234567`, a mobile behind a dial prefix) stay spellings of
//! one number. Four leading digits stay (country and kind of number), and no five digits in a row are those of any
//! original.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Context;

/// Shorter runs of digits are extensions, codes and counters.
pub(super) const SHORTEST: usize = 5;
/// So many last digits in common make two runs spellings of one number.
const COMMON: usize = 7;
/// So many first digits stay.
const KEPT: usize = 4;
/// So many made-up numbers are tried before one that is no number of the country must do.
const TRIES: u64 = 2_000;

/// Digits → digits.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    context: &'a Context,
    made: BTreeMap<String, String>,
    /// All runs asked for, when none were made up yet.
    asked: BTreeSet<String>,
}

/// Runs that are one number.
struct Spellings {
    /// As the directory would have it, without the plus; none when no number can be read.
    canonical: Option<String>,
    runs: Vec<String>,
}

impl<'a> Numbers<'a> {
    /// Takes note of what it is asked, for [`Numbers::make_up`].
    pub(super) fn listening(context: &'a Context) -> Self {
        Self { context, made: BTreeMap::new(), asked: BTreeSet::new() }
    }

    /// Made-up numbers for all that was asked.
    pub(super) fn make_up(self) -> Self {
        let context = self.context;
        let forbidden: BTreeSet<&[u8]> =
            self.asked.iter().flat_map(|run| run.as_bytes().windows(SHORTEST)).collect();
        let (mut made, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for (place, number) in (0..).zip(classes(context, &self.asked)) {
            let found = (0..TRIES).map(|attempt| number.disguised(place, attempt)).find(|spelled| {
                number.fits(context, spelled)
                    && spelled.iter().all(|run| is_new(run, &forbidden) && !taken.contains(run))
            });
            // Rather a number of no country than one of a client.
            let found = found.or_else(|| {
                (0..TRIES)
                    .map(|attempt| number.rough(place, attempt))
                    .find(|spelled| spelled.iter().all(|run| is_new(run, &forbidden) && !taken.contains(run)))
            });
            let spelled =
                found.unwrap_or_else(|| number.runs.iter().map(|run| "0".repeat(run.len())).collect());
            taken.extend(spelled.iter().cloned());
            made.extend(number.runs.into_iter().zip(spelled));
        }
        Self { context, made, asked: self.asked }
    }

    /// Whether these digits may be anybody's outside.
    pub(super) fn is_outside(&self, digits: &str) -> bool {
        digits.len() >= SHORTEST && !self.context.is_extension(digits)
    }

    /// What stands for these digits.
    pub(super) fn run(&mut self, digits: &str) -> String {
        if !self.is_outside(digits) {
            return digits.to_owned();
        }
        if let Some(made) = self.made.get(digits) {
            return made.clone();
        }
        self.asked.insert(digits.to_owned());
        "0".repeat(digits.len())
    }

    /// Original runs.
    pub(super) fn originals(&self) -> impl Iterator<Item = &str> {
        self.asked.iter().map(String::as_str)
    }
}

/// Which runs are one number, in order.
fn classes(context: &Context, runs: &BTreeSet<String>) -> Vec<Spellings> {
    let canonical = |run: &str| {
        let phone = context.phones.canonical(run)?;
        let digits = phone.as_str().trim_start_matches('+').to_owned();
        (in_common(&digits, run) >= COMMON.min(run.len())).then_some(digits)
    };
    let mut numbers: BTreeMap<String, Spellings> = BTreeMap::new();
    let mut rest: Vec<&String> = Vec::new();
    for run in runs {
        match canonical(run) {
            Some(digits) => {
                // The story has it in this spelling, whatever the rows have.
                let first = Spellings { canonical: Some(digits.clone()), runs: vec![digits.clone()] };
                let number = numbers.entry(digits.clone()).or_insert(first);
                if *run != digits {
                    number.runs.push(run.clone());
                }
            }
            None => rest.push(run),
        }
    }
    for run in rest {
        let near = numbers.keys().filter(|digits| in_common(digits, run) >= COMMON);
        let nearest = near.max_by_key(|digits| in_common(digits, run)).cloned();
        let key = nearest.unwrap_or_else(|| run.clone());
        let number = numbers.entry(key).or_insert(Spellings { canonical: None, runs: Vec::new() });
        number.runs.push(run.clone());
    }
    numbers.into_values().collect()
}

/// How many last digits two runs have in common.
fn in_common(one: &str, other: &str) -> usize {
    one.bytes().rev().zip(other.bytes().rev()).take_while(|(one, other)| one == other).count()
}

impl Spellings {
    /// The number's own digits.
    fn digits(&self) -> &str {
        self.canonical.as_deref().or_else(|| self.runs.first().map(String::as_str)).unwrap_or_default()
    }

    /// Every spelling of a made-up number, in the order of `runs`.
    fn disguised(&self, place: u64, attempt: u64) -> Vec<String> {
        let own = self.digits();
        let kept = if self.canonical.is_some() { KEPT.min(own.len().saturating_sub(SHORTEST)) } else { 0 };
        let made = format!("{}{}", &own[..kept], random_digits(place, attempt, own.len() - kept));
        let spell = |run: &String| {
            let common = in_common(own, run);
            format!("{}{}", &run[..run.len() - common], &made[made.len() - common..])
        };
        self.runs.iter().map(spell).collect()
    }

    /// The same without any of the original's digits.
    fn rough(&self, place: u64, attempt: u64) -> Vec<String> {
        let long = self.runs.iter().map(String::len).max().unwrap_or_default();
        let made = random_digits(place, attempt, long);
        self.runs.iter().map(|run| made[long - run.len()..].to_owned()).collect()
    }

    /// Whether the settings read the made-up spellings as they read the originals.
    fn fits(&self, context: &Context, spelled: &[String]) -> bool {
        let made = self.canonical.as_ref().and_then(|_| spelled.first());
        self.runs.iter().zip(spelled).all(|(run, spelled)| {
            let read = |digits: &str| {
                context
                    .phones
                    .canonical(digits)
                    .map(|phone| phone.as_str().trim_start_matches('+').to_owned())
            };
            let as_before = match read(run) {
                None => read(spelled).is_none(),
                Some(own) if Some(&own) == self.canonical.as_ref() => read(spelled).as_ref() == made,
                Some(_) => true,
            };
            as_before && !context.is_extension(spelled)
        })
    }
}

/// No five digits in a row are an original's.
fn is_new(run: &str, forbidden: &BTreeSet<&[u8]>) -> bool {
    run.as_bytes().windows(SHORTEST).all(|five| !forbidden.contains(five))
}

/// The same digits for the same place and attempt (splitmix64); the first is no zero.
fn random_digits(place: u64, attempt: u64, count: usize) -> String {
    let mut state = place.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ attempt;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % 10
    };
    let digits = (0..count).map(|at| if at == 0 { next() % 9 + 1 } else { next() });
    digits.map(|digit| digit.to_string()).collect()
}
