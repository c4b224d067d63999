//! Real calls' rows against what a person saw.
//!
//! `tests/calls/<pbx>/NAME.json` holds the rows and the person's `truth`, `NAME.call.json` the call as we tell it,
//! reviewed. Those in `lab-LANE` were captured by `tests/lab/capture`; those in `composed` were not captured but put together from captured rows by Asterisk's rules.
//! `PEREZVON_REVIEW=1 cargo test --test logic calls` writes those anew, to be reviewed as a diff.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use perezvon::{
    logic::call::{Call, CallRows, Context, fold, group},
    settings::{Employee, Settings, Trunk},
};
use serde::{Deserialize, Deserializer};

use super::truth::{CdrAlone, Truth, faults};

#[derive(Debug, Deserialize)]
pub(super) struct Fixture {
    #[serde(deserialize_with = "truths")]
    pub(super) truth: Vec<Truth>,
    /// Where it matters: how well CDR alone tells the call.
    cdr_alone: Option<CdrAlone>,
    /// Seconds that a talk may be told longer or shorter.
    #[serde(default = "two")]
    pub(super) slack: u32,
    /// Where it matters: the company's settings.
    pub(super) settings: Option<Settings>,
    #[serde(flatten)]
    pub(super) rows: CallRows,
}

fn two() -> u32 {
    2
}

/// One truth, or a list: one for each call, in the order in which they began.
fn truths<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Truth>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(Box<Truth>),
        Many(Vec<Truth>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(truth) => vec![*truth],
        OneOrMany::Many(truths) => truths,
    })
}

impl Fixture {
    /// What the company has set.
    pub(super) fn context(&self) -> Context {
        Context::from_settings(&self.settings.clone().unwrap_or_default()).unwrap()
    }

    /// Nothing set and everything set; a company that has its own settings is told by them alone.
    pub(super) fn contexts(&self) -> Vec<Context> {
        match self.settings {
            Some(_) => vec![self.context()],
            None => vec![context(), told_context(chrono_tz::Europe::Moscow)],
        }
    }
}

pub(super) fn context() -> Context {
    Context::from_settings(&Settings::default()).unwrap()
}

pub(super) fn fixtures() -> Vec<(PathBuf, Fixture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls");
    let mut found = Vec::new();
    for pbx in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(pbx.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.to_string_lossy().ends_with(".call.json") {
                continue;
            }
            let fixture = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            found.push((path, fixture));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    assert!(found.len() > 50, "only {} fixtures", found.len());
    found
}

/// The same company with its employees and trunk written down, and its zone, maybe the wrong one.
pub(super) fn told_context(zone: chrono_tz::Tz) -> Context {
    let mut settings = Settings::default();
    for extension in ["101", "102", "103", "105"] {
        settings.employees.insert(extension.to_owned(), Employee::new(1, ""));
    }
    settings.trunks.insert("trunk".to_owned(), Trunk::default());
    settings.trunks.insert("74951234567".to_owned(), Trunk::default());
    settings.pbx.timezone = Some(zone);
    Context::from_settings(&settings).unwrap()
}

/// The calls that rows tell, in the order in which they began.
pub(super) fn calls_of(rows: CallRows) -> Vec<Call> {
    calls_in(rows, &context())
}

pub(super) fn calls_in(rows: CallRows, context: &Context) -> Vec<Call> {
    group(rows).iter().filter_map(|rows| fold(rows, context)).collect()
}

pub(super) fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_call_comes_out_as_the_person_saw_it() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let context = fixture.context();
        let calls = calls_in(fixture.rows, &context);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let pbx = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        all.extend(
            faults(&calls, &fixture.truth, fixture.slack)
                .into_iter()
                .map(|fault| format!("{pbx}/{name}: {fault}")),
        );
    }
    report(all);
}

/// As it stands in `NAME.call.json`: the call, or a list when there are none or several.
fn written(calls: &[Call]) -> String {
    let told = match calls {
        [call] => serde_json::to_string_pretty(call),
        calls => serde_json::to_string_pretty(calls),
    };
    told.unwrap() + "\n"
}

#[test]
fn every_call_comes_out_as_reviewed() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let context = fixture.context();
        let told = written(&calls_in(fixture.rows, &context));
        let reviewed = path.with_extension("call.json");
        if std::env::var_os("PEREZVON_REVIEW").is_some() {
            fs::write(&reviewed, &told).unwrap();
        }
        if fs::read_to_string(&reviewed).ok().as_ref() != Some(&told) {
            all.push(format!("{} tells another call than\n{told}", reviewed.display()));
        }
    }
    report(all);
}

/// What CDR alone can't tell: whole seconds of each talk where the second leg began on an answered channel
/// (its `billsec` counts the ringing, and the transfer being dialled counts with the first), and a click-to-call that
/// was not picked up, of which no row is written at all.
pub(super) fn by_cdr_alone(name: &str, fixture: &Fixture) -> Option<u32> {
    if let Some(said) = fixture.cdr_alone {
        return said.slack();
    }
    match name {
        "originate_agent_noanswer" => None,
        "blind_transfer_dtmf" | "blind_transfer_refer" | "attended_transfer_dtmf" => Some(6),
        "originate_answered" | "originate_local_answered" => Some(3),
        _ => Some(2),
    }
}

#[test]
fn cdr_alone_tells_who_talked() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(slack) = by_cdr_alone(&name, &fixture) else {
            if fixture.cdr_alone.is_some() {
                continue;
            }
            assert!(group(CallRows { cdr: fixture.rows.cdr, cel: Vec::new() }).is_empty(), "{name}");
            continue;
        };
        let context = fixture.context();
        let calls = calls_in(CallRows { cdr: fixture.rows.cdr, cel: Vec::new() }, &context);
        let pbx = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        all.extend(
            faults(&calls, &fixture.truth, slack).into_iter().map(|fault| format!("{pbx}/{name}: {fault}")),
        );
    }
    report(all);
}

#[test]
fn settings_change_no_call_of_the_corpus() {
    // A company that needs its own settings needs them.
    for (path, fixture) in fixtures().into_iter().filter(|(_, fixture)| fixture.settings.is_none()) {
        let told = calls_of(fixture.rows.clone());
        for zone in [chrono_tz::Europe::Moscow, chrono_tz::Asia::Vladivostok] {
            assert_eq!(told, calls_in(fixture.rows.clone(), &told_context(zone)), "{}", path.display());
        }
    }
}

/// Tables of Asterisk 1.8 to 11 as FreePBX made them then.
#[test]
fn a_cdr_without_linkedid_and_sequence_tells_the_same() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(slack) = by_cdr_alone(&name, &fixture) else { continue };
        let context = fixture.context();
        let mut cdr = fixture.rows.cdr;
        for row in &mut cdr {
            (row.linkedid, row.sequence) = (String::new(), None);
        }
        let mut calls = calls_in(CallRows { cdr, cel: Vec::new() }, &context);
        // Nothing in such a table ties a consultation to the call.
        calls.truncate(fixture.truth.len());
        let found = faults(&calls, &fixture.truth, slack);
        all.extend(found.into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    report(all);
}

#[test]
fn cel_without_extra_tells_by_peers() {
    for (path, fixture) in fixtures() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // Who consulted whom, who parked and which conversations were on hold is said in `extra` only.
        if ["inbound_answered", "queue_answered", "originate_answered", "ringgroup_answered_102"]
            .contains(&name.as_str())
        {
            let mut rows = fixture.rows;
            rows.cel.iter_mut().for_each(|row| row.extra.clear());
            assert!(faults(&calls_of(rows), &fixture.truth, fixture.slack).is_empty(), "{}", path.display());
        }
    }
}

/// A parking lot keeps one bridge for all who wait in it.
#[test]
fn clients_parked_in_one_lot_are_not_one_call() {
    let read = |name: &str| -> Fixture {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls/lab-22-plain").join(name);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let lot = |rows: &CallRows| {
        let waiting =
            rows.cel.iter().map(|row| row.extra.clone()).filter(|extra| extra.contains("holding_bridge"));
        waiting.collect::<BTreeSet<_>>()
    };
    let (mut rows, other) = (read("park_given_up.json").rows, read("park_taken_by_another.json").rows);
    assert_eq!(lot(&rows), lot(&other), "captured one after the other, while the lot's bridge lived");
    rows.cel.extend(other.cel);
    rows.cdr.extend(other.cdr);
    assert_eq!(calls_of(rows).len(), 2);
}
