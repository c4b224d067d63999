//! A call made fit to be shown to strangers: its rows with every number, name and address replaced, told the same.
//!
//! What stays: extensions, times and dates (mistakes around midnight and the change of clocks would not show
//! otherwise), ids of channels, Asterisk's own words. What is replaced, each thing by the same everywhere: outside
//! numbers and DIDs in any spelling ([`numbers`]), names of people, lines, contexts and files ([`words`]), addresses,
//! account codes, systemnames. What goes: digits pressed, arguments of applications that may hold scripts or PINs. Keys
//! and sequence numbers are counted anew.
//!
//! Nothing is believed: what comes out is searched for what went in before anybody gets it.

mod channel;
mod columns;
mod company;
mod fixture;
mod leaks;
mod numbers;
mod story;
mod text;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, CallRows, Context, fold, group};
use crate::settings::Settings;

use numbers::Numbers;
use text::Known;
use words::Words;

/// A disguised call.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Its rows.
    pub rows: CallRows,
    /// What of the settings decides how it is told, disguised as well; the defaults when nothing does.
    pub settings: Settings,
    /// How we tell it.
    pub told: Vec<Call>,
    /// Whether that is how we tell the original, too, but for the disguise.
    pub faithful: bool,
}

/// Why a call is not given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The settings do not parse.
    #[error("{0}")]
    Settings(String),
    /// Something of the original would still be in it: a fault of ours.
    #[error(
        "something private would be left in {0}; nothing was written. Please report this, without the rows"
    )]
    Leak(String),
}

/// What stands for what.
struct Disguise<'a> {
    context: &'a Context,
    rows: &'a CallRows,
    known: Known,
    numbers: Numbers<'a>,
    words: Words,
    /// Phones and lines that are not named by an extension.
    endpoints: BTreeMap<String, String>,
    phones: BTreeSet<String>,
    hosts: BTreeMap<String, String>,
    bridges: BTreeMap<String, String>,
    /// Keys of `cel`, in order.
    ids: Vec<i64>,
    /// Sequence numbers of `cdr`, in order.
    sequences: Vec<i64>,
}

/// Disguises the rows of one call; the same rows in any order give the same.
pub fn capture(rows: &CallRows, settings: &Settings) -> Result<Capture, CaptureError> {
    let context = Context::from_settings(settings).map_err(CaptureError::Settings)?;
    let rows = in_order(rows);
    let mut listening = Disguise::of(&rows, &context, Numbers::listening(&context));
    listening.all_rows();
    listening.company(settings);
    let mut disguise = Disguise::of(&rows, &context, listening.numbers.make_up());
    let disguised = disguise.all_rows();
    let made_up = disguise.company(settings);
    let told = tell(&disguised, &Context::from_settings(&made_up).map_err(CaptureError::Settings)?);
    let original: Vec<Call> = tell(&rows, &context).iter().map(|call| disguise.call(call)).collect();
    if let Some(leak) = disguise.leak(&disguised, &made_up) {
        return Err(CaptureError::Leak(leak));
    }
    Ok(Capture { faithful: original == told, rows: disguised, settings: made_up, told })
}

fn tell(rows: &CallRows, context: &Context) -> Vec<Call> {
    group(rows.clone()).iter().filter_map(|rows| fold(rows, context)).collect()
}

/// Rows in the one order that does not depend on how they came.
fn in_order(rows: &CallRows) -> CallRows {
    let mut rows = rows.clone();
    rows.cdr.sort_by_cached_key(|row| format!("{row:?}"));
    rows.cel.sort_by_cached_key(|row| format!("{row:?}"));
    rows.tidy();
    rows
}

impl<'a> Disguise<'a> {
    fn of(rows: &'a CallRows, context: &'a Context, numbers: Numbers<'a>) -> Self {
        let ids: BTreeSet<i64> = rows.cel.iter().map(|row| row.id).filter(|id| *id != 0).collect();
        let sequences: BTreeSet<i64> = rows.cdr.iter().filter_map(|row| row.sequence).collect();
        let mut disguise = Self {
            context,
            rows,
            known: Known::of(rows),
            numbers,
            words: Words::default(),
            endpoints: BTreeMap::new(),
            phones: BTreeSet::new(),
            hosts: BTreeMap::new(),
            bridges: BTreeMap::new(),
            ids: ids.into_iter().collect(),
            sequences: sequences.into_iter().collect(),
        };
        disguise.learn_phones();
        disguise
    }

    fn all_rows(&mut self) -> CallRows {
        let rows = self.rows;
        CallRows {
            cdr: rows.cdr.iter().map(|row| self.cdr(row)).collect(),
            cel: rows.cel.iter().map(|row| self.cel(row)).collect(),
        }
    }
}
