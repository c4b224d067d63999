//! Real calls' rows against what a person saw.
//!
//! `tests/calls/<pbx>/NAME.json` holds the rows and the person's `truth`, `NAME.call.json` the call as we tell it,
//! reviewed. Those in `composed` were not captured but put together from captured rows by Asterisk's rules.
//! `PEREZVON_REVIEW=1 cargo test --test logic calls` writes those anew, to be reviewed as a diff.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use perezvon::{
    logic::call::{
        Call, CallRows, Context, Direction, LostAfter, MissedAt, Outcome, RecordingState, fold, group,
    },
    settings::{Employee, Settings, Trunk},
};
use serde::Deserialize;

/// What a person saw.
#[derive(Debug, Deserialize)]
pub(super) struct Truth {
    direction: Direction,
    client: String,
    did: Option<String>,
    result: String,
    talked: BTreeSet<String>,
    talk: Vec<TruthTalk>,
    talk_seconds: u32,
    via: Option<String>,
    #[serde(default)]
    voicemail: bool,
    #[serde(default)]
    asked: BTreeSet<String>,
    missed_at: Option<MissedAt>,
    lost_after: Option<LostAfter>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TruthTalk {
    who: String,
    seconds: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(super) enum CdrAlone {
    Slack(u32),
    Tells(bool),
}

#[derive(Debug, Deserialize)]
pub(super) struct Fixture {
    pub(super) truth: Truth,
    /// Composed calls: seconds that CDR alone may be off, or `false` where it can't tell the call.
    cdr_alone: Option<CdrAlone>,
    #[serde(flatten)]
    pub(super) rows: CallRows,
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

fn plus(number: &str) -> String {
    if number.len() > 5 { format!("+{number}") } else { number.to_owned() }
}

/// What the call must have in common with the truth, as faults; `slack` in seconds.
pub(super) fn faults(call: &Call, truth: &Truth, slack: u32) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |what: &str, got: String, want: String| {
        if got != want {
            faults.push(format!("{what}: told {got}, was {want}"));
        }
    };
    let client = Some(&truth.client).filter(|number| !number.is_empty()).map(|number| plus(number));
    check("direction", format!("{:?}", call.direction), format!("{:?}", truth.direction));
    check("client", format!("{:?}", call.client), format!("{client:?}"));
    check("did", format!("{:?}", call.did), format!("{:?}", truth.did));
    let outcome = match truth.result.as_str() {
        "answered" => Outcome::Talked,
        "missed" => Outcome::Missed,
        "noanswer" => Outcome::NoAnswer,
        "busy" => Outcome::Busy,
        "failed" => Outcome::Failed,
        "not_dialed" => Outcome::NotDialed,
        other => panic!("{other}"),
    };
    check("outcome", format!("{:?}", call.outcome), format!("{outcome:?}"));
    let accepted = call.conversations.iter().filter(|talk| talk.accepted_at.is_some());
    let talked: BTreeSet<String> = accepted.clone().map(|talk| talk.party.clone()).collect();
    let wanted: BTreeSet<String> = truth.talked.iter().map(|who| plus(who)).collect();
    check("talked", format!("{talked:?}"), format!("{wanted:?}"));
    let told: BTreeSet<_> = accepted.clone().map(|talk| talk.via.as_deref()).collect();
    let via = truth.talked.first().map(|_| truth.via.as_deref());
    check("via", format!("{told:?}"), format!("{:?}", via.into_iter().collect::<BTreeSet<_>>()));
    for who in &truth.asked {
        check(
            &format!("{who} asked"),
            call.conversations.iter().any(|talk| talk.party == *who).to_string(),
            "true".to_owned(),
        );
    }
    let mailbox = call.missed_at == Some(MissedAt::Voicemail);
    check("voicemail", mailbox.to_string(), truth.voicemail.to_string());
    if let Some(missed_at) = truth.missed_at {
        check("missed at", format!("{:?}", call.missed_at), format!("{:?}", Some(missed_at)));
    }
    if truth.missed_at.is_some() || truth.lost_after.is_some() || truth.talk.len() > 1 {
        check("lost after", format!("{:?}", call.lost_after), format!("{:?}", truth.lost_after));
    }
    for talk in &truth.talk {
        let told: u32 =
            accepted.clone().filter(|told| told.party == plus(&talk.who)).map(|told| told.talk_seconds).sum();
        if told.abs_diff(talk.seconds) > slack {
            faults.push(format!("talk with {}: told {told} s, was {} s", talk.who, talk.seconds));
        }
    }
    if call.talk_seconds.abs_diff(truth.talk_seconds) > slack.max(2) {
        faults.push(format!("talk: told {} s, was {} s", call.talk_seconds, truth.talk_seconds));
    }
    faults.extend(disorder(call));
    faults
}

/// What no call may be, whatever happened in it.
fn disorder(call: &Call) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    let talks = &call.conversations;
    must(talks.is_sorted_by_key(|talk| talk.requested_at), "conversations out of order".to_owned());
    for talk in talks {
        let inside = call.started_at <= talk.requested_at && talk.ended_at <= call.ended_at;
        let accepted = talk.accepted_at.unwrap_or(talk.requested_at);
        must(
            inside && talk.requested_at <= accepted && accepted <= talk.ended_at,
            format!("times of {talk:?}"),
        );
        let listed = talks.iter().filter(|other| other.party == talk.party && other.accepted_at.is_none());
        must(listed.count() <= 1, format!("{} listed twice in vain", talk.party));
    }
    let first = talks.iter().filter_map(|talk| talk.accepted_at).min();
    must(call.answered_at == first, format!("answered at {:?}, first accepted {first:?}", call.answered_at));
    let sum: u32 = talks.iter().map(|talk| talk.talk_seconds).sum();
    must(sum.abs_diff(call.talk_seconds) <= 2, format!("sum {sum} s of {} s", call.talk_seconds));
    let silent = call.outcome != Outcome::Talked;
    let empty = call.recordings.iter().all(|file| file.state == RecordingState::Empty);
    must(!silent || empty, "a file of a call nobody took is not empty".to_owned());
    must(silent || call.recordings.is_empty() || !empty, "no file of a talk".to_owned());
    faults
}

/// The same company with its employees and trunk written down, and its zone, maybe the wrong one.
pub(super) fn told_context(zone: chrono_tz::Tz) -> Context {
    let mut settings = Settings::default();
    for extension in ["101", "102", "103", "105"] {
        settings.employees.insert(extension.to_owned(), Employee { user: 1, name: String::new() });
    }
    settings.trunks.insert("trunk".to_owned(), Trunk::default());
    settings.trunks.insert("74951234567".to_owned(), Trunk::default());
    settings.pbx.timezone = Some(zone);
    Context::from_settings(&settings).unwrap()
}

pub(super) fn only_call(rows: CallRows) -> Call {
    call_in(rows, &context())
}

pub(super) fn call_in(rows: CallRows, context: &Context) -> Call {
    let groups = group(rows);
    assert_eq!(groups.len(), 1, "one call");
    fold(&groups[0], context).expect("a call")
}

pub(super) fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_call_comes_out_as_the_person_saw_it() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let call = only_call(fixture.rows);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let pbx = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        all.extend(
            faults(&call, &fixture.truth, 2).into_iter().map(|fault| format!("{pbx}/{name}: {fault}")),
        );
    }
    report(all);
}

#[test]
fn every_call_comes_out_as_reviewed() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let told = serde_json::to_string_pretty(&only_call(fixture.rows)).unwrap() + "\n";
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
    match fixture.cdr_alone {
        Some(CdrAlone::Slack(slack)) => return Some(slack),
        Some(CdrAlone::Tells(tells)) => return tells.then_some(2),
        None => {}
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
        let call = only_call(CallRows { cdr: fixture.rows.cdr, cel: Vec::new() });
        let pbx = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        all.extend(
            faults(&call, &fixture.truth, slack).into_iter().map(|fault| format!("{pbx}/{name}: {fault}")),
        );
    }
    report(all);
}

#[test]
fn settings_change_no_call_of_the_corpus() {
    for (path, fixture) in fixtures() {
        let told = only_call(fixture.rows.clone());
        for zone in [chrono_tz::Europe::Moscow, chrono_tz::Asia::Vladivostok] {
            assert_eq!(told, call_in(fixture.rows.clone(), &told_context(zone)), "{}", path.display());
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
        let mut cdr = fixture.rows.cdr;
        for row in &mut cdr {
            (row.linkedid, row.sequence) = (String::new(), None);
        }
        let groups = group(CallRows { cdr, cel: Vec::new() });
        let calls: Vec<Call> = groups.iter().filter_map(|rows| fold(rows, &context())).collect();
        let Some(call) = calls.first() else {
            all.push(format!("{name}: no call"));
            continue;
        };
        let found = faults(call, &fixture.truth, slack);
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
            assert!(faults(&only_call(rows), &fixture.truth, 2).is_empty(), "{}", path.display());
        }
    }
}
