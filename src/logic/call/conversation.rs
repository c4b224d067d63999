//! Who was asked when, and who talked with the client.

use chrono::{DateTime, Duration, Utc};

use super::{
    Conversation, Direction,
    bridge::{Bridged, Span, total, without},
    client::Client,
    event::Event,
    party,
    pause::pauses,
    story::Story,
};

/// A conversation with the spans that its seconds come from.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    pub party: String,
    pub via: Option<String>,
    pub requested_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// Joined with the client from the first to the last, whether anything was said or not.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Together, without pauses.
    pub spans: Vec<Span>,
    /// Channel of the party.
    pub channel: usize,
}

impl Talk {
    pub(super) fn told(&self) -> Conversation {
        Conversation {
            party: self.party.clone(),
            via: self.via.clone(),
            requested_at: self.requested_at,
            accepted_at: self.accepted_at,
            ended_at: self.ended_at,
            talk_seconds: total(&self.spans),
        }
    }
}

/// Everybody who was asked, in order of time; each once unless he talked twice.
pub(super) fn talks(story: &Story<'_>, client: &Client, bridged: &Bridged) -> Vec<Talk> {
    let mut tries: Vec<Talk> = story
        .channels
        .iter()
        .filter(|(index, channel)| channel.is_real() && !client.channels.contains(index))
        .filter_map(|(index, _)| talk(story, client, bridged, index))
        .collect();
    tries.sort_by(|left, right| order(left).cmp(&order(right)));
    let known: Vec<String> = tries.iter().map(|talk| talk.party.clone()).collect();
    tries.extend(queued_for(story).filter(|talk| !known.contains(&talk.party)));
    let mut talks = once_each(tries);
    if talks.is_empty() {
        talks.extend(intended(story, client));
    }
    talks
}

/// Members that a queue called by a Local pair behind which no phone rang: not registered, or busy by a switch.
fn queued_for(story: &Story<'_>) -> impl Iterator<Item = Talk> {
    let members = story.channels.iter().filter(|(_, half)| half.name.ends_with(";1") && half.by_queue);
    members.filter_map(|(channel, half)| {
        let extension = half.parsed().dialled();
        story.context.is_extension(extension).then(|| Talk {
            party: extension.to_owned(),
            via: None,
            requested_at: half.start,
            ended_at: half.end,
            accepted_at: None,
            spans: Vec::new(),
            channel,
        })
    })
}

fn order(talk: &Talk) -> impl Ord + '_ {
    (talk.requested_at, talk.accepted_at.is_none(), talk.accepted_at, &talk.party, talk.channel)
}

fn talk(story: &Story<'_>, client: &Client, bridged: &Bridged, index: usize) -> Option<Talk> {
    let channel = &story.channels.all[index];
    let joined = bridged.with_client.get(&index).map(Vec::as_slice).unwrap_or_default();
    if joined.is_empty() && !party::asked_for_client(story, client, bridged, index) {
        return None;
    }
    let party = party::party(story, index);
    let (accepted_at, ended_at) = match (joined.first(), joined.last()) {
        (Some(first), Some(last)) => (Some(first.from), last.to),
        _ => (None, channel.end),
    };
    Some(Talk {
        via: party::via(story, index, &party),
        requested_at: channel.start.min(ended_at),
        accepted_at,
        ended_at,
        spans: without(joined, &pauses(story, client, bridged, index)),
        channel: index,
        party,
    })
}

/// Tries of one party become one: his talks if he talked, else one try from the first to the last.
pub(super) fn once_each(tries: Vec<Talk>) -> Vec<Talk> {
    let mut talks: Vec<Talk> = Vec::new();
    for next in tries {
        match talks.iter_mut().rev().find(|talk| talk.party == next.party) {
            Some(talk) if merges(talk, &next) => merge(talk, next),
            _ => talks.push(next),
        }
    }
    talks.sort_by(|left, right| order(left).cmp(&order(right)));
    talks
}

/// Two talks of one party stay two when something lay between them.
fn merges(talk: &Talk, next: &Talk) -> bool {
    match (talk.accepted_at, next.accepted_at) {
        (Some(first), Some(second)) => {
            let moment = Duration::seconds(1);
            (second <= talk.ended_at + moment && first <= next.ended_at + moment)
                || is_brief(talk)
                || is_brief(next)
        }
        _ => true,
    }
}

/// Seen together only for the instant of a transfer.
fn is_brief(talk: &Talk) -> bool {
    talk.spans.iter().map(Span::seconds).sum::<f64>() < 0.5
}

fn merge(talk: &mut Talk, next: Talk) {
    talk.requested_at = talk.requested_at.min(next.requested_at);
    talk.via = talk.via.take().or_else(|| next.via.clone());
    match (talk.accepted_at, next.accepted_at) {
        (Some(_), None) => {}
        (None, None) => talk.ended_at = talk.ended_at.max(next.ended_at),
        (None, Some(_)) => {
            (talk.accepted_at, talk.ended_at) = (next.accepted_at, next.ended_at);
            (talk.spans, talk.channel) = (next.spans, next.channel);
        }
        (Some(first), Some(second)) if is_brief(talk) && !is_brief(&next) => {
            talk.accepted_at = Some(first.max(second));
            (talk.ended_at, talk.spans, talk.channel) = (next.ended_at, next.spans, next.channel);
        }
        (Some(_), Some(_)) if is_brief(&next) => {}
        (Some(first), Some(second)) => {
            talk.accepted_at = Some(first.min(second));
            talk.ended_at = talk.ended_at.max(next.ended_at);
            talk.spans = super::bridge::union(talk.spans.iter().chain(&next.spans));
        }
    }
}

/// The dialplan stood at an extension whose phone could not ring: not registered, busy by its own switch.
fn intended(story: &Story<'_>, client: &Client) -> Option<Talk> {
    let caller = &story.channels.all[client.root];
    let at_extension = || {
        let mut rows = story.events.iter().filter(|event| event.row.uniqueid == caller.uniqueid);
        rows.rfind(|event| story.context.is_extension(&event.row.exten))
    };
    // FreePBX plays the phone's state itself, so no Dial leaves a status.
    let dialling = |event: &&Event<'_>| {
        let dialplan = event.row.context.as_str();
        !caller.dialstatus.is_empty() || ["ext-local", "from-did-direct", "macro-vm"].contains(&dialplan)
    };
    let extension = match client.direction {
        Direction::Outbound => return None,
        Direction::Internal => Some(caller.began_at.0.clone()),
        Direction::Inbound => at_extension().filter(dialling).map(|event| event.row.exten.clone()),
    };
    let leg = || story.legs.iter().find(|leg| leg.row.channel == caller.name);
    let from_mailbox = || leg().filter(|leg| leg.row.lastapp == "VoiceMail").map(|leg| leg.row.dst.clone());
    let party = extension.or_else(from_mailbox).filter(|extension| {
        let shared = story.events.iter().any(|event| {
            event.row.exten == *extension
                && ["queue", "group"].iter().any(|word| event.row.context.contains(word))
        });
        let known = story.context.employees.contains(extension);
        known || (story.context.employees.is_empty() && story.context.is_extension(extension) && !shared)
    })?;
    Some(Talk {
        party,
        via: None,
        requested_at: caller.start,
        ended_at: caller.end,
        accepted_at: None,
        spans: Vec::new(),
        channel: client.root,
    })
}
