//! What a person beside the phones saw, and how a told call differs from it.
//!
//! The fast tests and the lab share this file, so that a captured call is judged as it was when it was live.

use std::collections::{BTreeMap, BTreeSet};

use perezvon::logic::call::{Call, Conversation, Direction, LostAfter, MissedAt, Outcome, RecordingState};
use serde::Deserialize;

/// What a person saw.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Truth {
    pub(crate) direction: Direction,
    /// Digits; empty for internal and hidden.
    pub(crate) client: String,
    pub(crate) did: Option<String>,
    /// `answered`, `missed`, `noanswer`, `busy`, `failed`, `not_dialed`.
    pub(crate) result: String,
    pub(crate) talked: BTreeSet<String>,
    /// In order of time; who talked twice stands there twice.
    pub(crate) talk: Vec<TruthTalk>,
    pub(crate) talk_seconds: u32,
    /// Whose forward or follow-me led to those who talked.
    pub(crate) via: Option<String>,
    #[serde(default)]
    pub(crate) voicemail: bool,
    /// Whose phones rang, or would have.
    #[serde(default)]
    pub(crate) asked: BTreeSet<String>,
    pub(crate) missed_at: Option<MissedAt>,
    pub(crate) lost_after: Option<LostAfter>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TruthTalk {
    pub(crate) who: String,
    pub(crate) seconds: u32,
}

/// How well CDR alone tells a call.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum CdrAlone {
    /// Seconds that it may be off.
    Slack(u32),
    /// `false`: it can't tell the call.
    Tells(bool),
}

impl CdrAlone {
    /// Seconds that CDR alone may be off; none where it can't tell the call.
    pub(crate) fn slack(self) -> Option<u32> {
        match self {
            Self::Slack(slack) => Some(slack),
            Self::Tells(tells) => tells.then_some(2),
        }
    }
}

/// What the calls, in the order in which they began, must have in common with the truths, as faults; `slack` in seconds.
pub(crate) fn faults(calls: &[Call], truths: &[Truth], slack: u32) -> Vec<String> {
    if calls.len() != truths.len() {
        return vec![format!("told {} calls, were {}", calls.len(), truths.len())];
    }
    calls.iter().zip(truths).flat_map(|(call, truth)| faults_of(call, truth, slack)).collect()
}

pub(crate) fn plus(number: &str) -> String {
    if number.len() > 5 { format!("+{number}") } else { number.to_owned() }
}

/// The outcome that a word of the truth means.
pub(crate) fn outcome_of(result: &str) -> Outcome {
    match result {
        "answered" => Outcome::Talked,
        "missed" => Outcome::Missed,
        "noanswer" => Outcome::NoAnswer,
        "busy" => Outcome::Busy,
        "failed" => Outcome::Failed,
        "not_dialed" => Outcome::NotDialed,
        other => panic!("no result is called {other}"),
    }
}

fn faults_of(call: &Call, truth: &Truth, slack: u32) -> Vec<String> {
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
    check("outcome", format!("{:?}", call.outcome), format!("{:?}", outcome_of(&truth.result)));
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
            call.conversations.iter().any(|talk| talk.party == plus(who)).to_string(),
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
    faults.extend(talk_faults(&accepted.collect::<Vec<_>>(), truth, slack));
    if call.talk_seconds.abs_diff(truth.talk_seconds) > slack.max(2) {
        faults.push(format!("talk: told {} s, was {} s", call.talk_seconds, truth.talk_seconds));
    }
    let apart: u32 = truth.talk.iter().map(|talk| talk.seconds).sum();
    faults.extend(disorder(call, apart > truth.talk_seconds));
    faults
}

/// Each one's seconds, and the order in which they first talked.
fn talk_faults(accepted: &[&Conversation], truth: &Truth, slack: u32) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seconds: BTreeMap<&str, u32> = BTreeMap::new();
    for talk in &truth.talk {
        *seconds.entry(&talk.who).or_default() += talk.seconds;
    }
    for (who, was) in seconds {
        let own = accepted.iter().filter(|told| told.party == plus(who));
        let told: u32 = own.map(|told| told.talk_seconds).sum();
        if told.abs_diff(was) > slack {
            faults.push(format!("talk with {who}: told {told} s, was {was} s"));
        }
    }
    let mut order: Vec<String> = Vec::new();
    for talk in &truth.talk {
        if !order.contains(&plus(&talk.who)) {
            order.push(plus(&talk.who));
        }
    }
    let mut by_time: Vec<&&Conversation> = accepted.iter().collect();
    by_time.sort_by_key(|talk| talk.accepted_at);
    let mut told: Vec<String> = Vec::new();
    for talk in by_time {
        if order.contains(&talk.party) && !told.contains(&talk.party) {
            told.push(talk.party.clone());
        }
    }
    if told != order {
        faults.push(format!("talked in turn: told {told:?}, was {order:?}"));
    }
    faults
}

/// What no call may be, whatever happened in it; `together` when several talked with the client at the same time.
fn disorder(call: &Call, together: bool) -> Vec<String> {
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
    let adds_up = if together { sum >= call.talk_seconds } else { sum.abs_diff(call.talk_seconds) <= 2 };
    must(adds_up, format!("sum {sum} s of {} s", call.talk_seconds));
    let silent = call.outcome != Outcome::Talked;
    let empty = call.recordings.iter().all(|file| file.state == RecordingState::Empty);
    must(!silent || empty, "a file of a call nobody took is not empty".to_owned());
    must(silent || call.recordings.is_empty() || !empty, "no file of a talk".to_owned());
    faults
}
