//! Which files Asterisk recorded, and which of them may hold a talk.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{
    Recording, RecordingState,
    bridge::{Bridged, Span},
    client::Client,
    conversation::Talk,
    leg::Leg,
    story::Story,
};

/// A file and what it covers.
struct Tape {
    path: String,
    /// From the recorder's start to its stop, or the end of its channel.
    covers: Span,
    /// Of a talk with the client; else of a consultation.
    with_client: bool,
    /// Somebody talked on it.
    talked: bool,
}

/// Files in order of time, those with the client before those of consultations.
pub(super) fn recordings(
    story: &Story<'_>,
    client: &Client,
    bridged: &Bridged,
    talks: &[Talk],
) -> Vec<Recording> {
    let mut tapes = tapes(story, client, bridged, talks);
    let known: BTreeSet<String> = tapes.iter().map(|tape| file_name(&tape.path).to_owned()).collect();
    let spoken: Vec<Span> = talks.iter().flat_map(|talk| talk.spans.iter().copied()).collect();
    let more = tapes_of(&story.legs, |_| true, &spoken);
    tapes.extend(more.into_iter().filter(|tape| !known.contains(file_name(&tape.path))));
    in_order(tapes)
}

/// Files that only the CDR names.
pub(super) fn named(
    legs: &[Leg<'_>],
    of_client: impl Fn(&Leg<'_>) -> bool,
    spoken: &[Span],
) -> Vec<Recording> {
    in_order(tapes_of(legs, of_client, spoken))
}

fn in_order(mut tapes: Vec<Tape>) -> Vec<Recording> {
    tapes.sort_by(|left, right| order(left).cmp(&order(right)));
    tapes.into_iter().map(told).collect()
}

/// A file is named by every leg of its channel, so it may cover the time of all of them.
fn tapes_of(legs: &[Leg<'_>], of_client: impl Fn(&Leg<'_>) -> bool, spoken: &[Span]) -> Vec<Tape> {
    let mut tapes: Vec<Tape> = Vec::new();
    for leg in legs {
        let path = leg.row.recordingfile.trim();
        if path.is_empty() {
            continue;
        }
        let with_client = of_client(leg);
        let heard = during(&Span { from: leg.start, to: leg.end }, spoken);
        let talked = if with_client { heard } else { leg.may_be_talk() };
        match tapes.iter_mut().find(|tape| file_name(&tape.path) == file_name(path)) {
            Some(tape) => {
                tape.covers.to = tape.covers.to.max(leg.end);
                tape.talked |= talked;
            }
            None => {
                let covers = Span { from: leg.start, to: leg.end };
                tapes.push(Tape { path: path.to_owned(), covers, with_client, talked });
            }
        }
    }
    tapes
}

fn order(tape: &Tape) -> impl Ord + '_ {
    (!tape.with_client, tape.covers.from, &tape.path)
}

fn told(tape: Tape) -> Recording {
    // Whether the file is there is for those to find out who may open it.
    let state = if tape.talked { RecordingState::Missing } else { RecordingState::Empty };
    Recording { path: tape.path, seconds: 0.0, state }
}

fn tapes(story: &Story<'_>, client: &Client, bridged: &Bridged, talks: &[Talk]) -> Vec<Tape> {
    let mut tapes: Vec<Tape> = Vec::new();
    for event in story.of_type("APP_START") {
        let row = event.row;
        let Some(path) = path(&row.appname, &row.appdata) else {
            continue;
        };
        let Some(channel) = story.channels.find(&row.uniqueid) else {
            continue;
        };
        if tapes.iter().any(|tape| file_name(&tape.path) == file_name(&path)) {
            continue;
        }
        let covers = Span { from: event.at, to: stop(story, &row.uniqueid, event.at) };
        let with_client = client.channels.contains(&channel)
            || channel == client.root
            || bridged.beside_client.contains_key(&channel);
        let talked = if with_client {
            talks.iter().any(|talk| talk.accepted_at.is_some() && during(&covers, &talk.spans))
        } else {
            bridged.with_anybody.get(&channel).is_some_and(|spans| during(&covers, spans))
        };
        tapes.push(Tape { path, covers, with_client, talked });
    }
    tapes
}

/// Whether any of the spans lies within; one that only touches the beginning was over before.
fn during(covers: &Span, spans: &[Span]) -> bool {
    spans.iter().any(|span| span.from <= covers.to && (covers.from < span.to || covers.from <= span.from))
}

fn stop(story: &Story<'_>, uniqueid: &str, from: DateTime<Utc>) -> DateTime<Utc> {
    let own = story.events.iter().filter(|event| event.row.uniqueid == uniqueid);
    let stopped =
        own.filter(|event| event.at >= from && event.row.appname == "StopMixMonitor").map(|event| event.at);
    let end = story.channels.find(uniqueid).map(|channel| story.channels.all[channel].end);
    stopped.min().or(end).unwrap_or(from)
}

/// First argument of MixMonitor; Monitor has the format before it.
fn path(app: &str, arguments: &str) -> Option<String> {
    let mut arguments = arguments.split(',');
    let first = arguments.next()?.trim();
    match app {
        "MixMonitor" => (!first.is_empty()).then(|| first.to_owned()),
        "Monitor" => {
            let base = arguments.next()?.trim();
            (!base.is_empty()).then(|| format!("{base}.{}", if first.is_empty() { "wav" } else { first }))
        }
        _ => None,
    }
}

/// Last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
