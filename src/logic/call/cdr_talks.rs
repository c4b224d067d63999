//! Who talked with the client, and who was asked, by CDR alone.

use std::collections::BTreeSet;

use super::{
    Direction,
    bridge::{Span, without},
    cdr_only::{Legs, extension},
    channel::{Side, side},
    conversation::{self, Talk},
    leg::Leg,
    name::{self, Name},
};

impl<'a> Legs<'a> {
    pub(super) fn talks(&self) -> Vec<Talk> {
        let mut tries: Vec<Talk> = self.legs.iter().filter_map(|leg| self.talk(leg)).collect();
        let known: BTreeSet<String> = tries.iter().map(|talk| talk.party.clone()).collect();
        let more = self.legs.iter().filter_map(|leg| self.asked_by_queue(leg));
        tries.extend(more.filter(|talk| !known.contains(&talk.party)));
        tries.sort_by_key(|talk| (talk.requested_at, talk.accepted_at.is_none(), talk.party.clone()));
        conversation::once_each(tries)
    }

    /// What a leg of the client's tells of the one on its other side.
    fn talk(&self, leg: &Leg<'a>) -> Option<Talk> {
        let row = leg.row;
        let other = if self.clients.contains(row.channel.as_str()) {
            row.dstchannel.as_str()
        } else if self.clients.contains(row.dstchannel.as_str()) {
            row.channel.as_str()
        } else if self.clients.is_empty() {
            return self.undialled(leg);
        } else {
            return None;
        };
        if other.is_empty() {
            return self.intended(leg);
        }
        let (party, heard) = self.person(other, leg, 4)?;
        let mut pauses = self.pauses(leg, other, &party);
        if let Some(heard) = heard {
            pauses.push(Span { from: leg.start, to: heard.from });
            pauses.push(Span { from: heard.to, to: leg.end.max(heard.to) });
        }
        let billed: Vec<Span> = leg.may_be_talk().then(|| leg.billed()).into_iter().collect();
        let spans: Vec<Span> =
            without(&billed, &pauses).into_iter().filter(|span| span.seconds() >= 1.0).collect();
        Some(Talk {
            via: self.via(leg, &party),
            requested_at: leg.start,
            accepted_at: spans.first().map(|span| span.from),
            ended_at: spans.last().map_or(leg.end, |span| span.to),
            spans,
            channel: 0,
            party,
        })
    }

    /// The phone that the CRM rang for a client who was never dialled.
    fn undialled(&self, leg: &Leg<'_>) -> Option<Talk> {
        let party = extension(self.called(leg)).or_else(|| extension(self.calling(leg)))?;
        Some(unaccepted(party, leg))
    }

    /// A phone rung by a Local pair whose first half has no row of the client's.
    fn asked_by_queue(&self, leg: &Leg<'_>) -> Option<Talk> {
        let first_half = name::twin(&leg.row.channel)?;
        let reached = |other: &Leg<'_>| other.row.dstchannel == first_half;
        let consulted = self.legs.iter().any(|other| reached(other) && !self.is_of_client(other));
        let party = extension(self.called(leg))?;
        (self.direction == Direction::Inbound && !consulted).then(|| unaccepted(party, leg))
    }

    /// The person behind a channel, and, behind a Local pair, when he was on the line.
    fn person(&self, channel: &str, leg: &Leg<'_>, depth: u8) -> Option<(String, Option<Span>)> {
        match side(self.context, channel, if channel == leg.row.channel { &leg.row.cnum } else { "" }, "") {
            Side::Employee(extension) => Some((extension, None)),
            Side::Trunk(endpoint) => Some((self.behind_endpoint(leg, endpoint), None)),
            Side::Technical => None,
            Side::Local => {
                let second = name::twin(channel);
                let behind = self.legs.iter().filter(|other| Some(&other.row.channel) == second.as_ref());
                let best =
                    behind.filter(|_| depth > 0).max_by_key(|other| (other.may_be_talk(), other.start));
                let found = best.and_then(|best| {
                    let (party, inner) = self.person(&best.row.dstchannel, best, depth - 1)?;
                    Some((party, inner.or_else(|| best.may_be_talk().then(|| best.billed()))))
                });
                found.or_else(|| {
                    let dialled = Name::parse(channel).dialled();
                    let number = self.first_outside([dialled].into_iter());
                    number
                        .or_else(|| self.context.is_extension(dialled).then(|| dialled.to_owned()))
                        .map(|it| (it, None))
                })
            }
        }
    }

    /// An outside number, or the phone of an extension whose endpoint is not named by it.
    fn behind_endpoint(&self, leg: &Leg<'_>, endpoint: String) -> String {
        let line = Name::parse(&self.root.row.channel).endpoint == endpoint
            || self.context.trunks.contains(&endpoint);
        let own = || (!line && self.context.is_extension(&leg.row.dst)).then(|| leg.row.dst.clone());
        // Where a Local pair was optimised away, only the pair's own leg tells what it dialled.
        let elsewhere = || {
            let mut same = self.legs.iter().filter(|other| other.row.dstchannel == leg.row.dstchannel);
            same.find_map(|other| self.dialled(other))
        };
        self.dialled(leg).or_else(elsewhere).or_else(own).unwrap_or(endpoint)
    }

    /// The extension whose phone could not ring, so that the mailbox or a busy tone was all the caller got.
    fn intended(&self, leg: &Leg<'_>) -> Option<Talk> {
        let row = leg.row;
        let in_vain = row.disposition != "ANSWERED" || row.lastapp == "VoiceMail";
        let at_extension = self.direction == Direction::Inbound && self.context.is_extension(&row.dst);
        let known = self.context.employees.is_empty() || self.context.employees.contains(&row.dst);
        let alone = self.legs.iter().all(|leg| leg.row.dstchannel.is_empty());
        (in_vain && at_extension && known && alone && !is_shared(leg))
            .then(|| unaccepted(row.dst.clone(), leg))
    }

    /// Consultations: another employee on the same Local pair, or the same employee on another line.
    fn pauses(&self, leg: &Leg<'_>, other: &str, party: &str) -> Vec<Span> {
        let consults = self.legs.iter().filter(|consult| {
            let own = self.clients.contains(consult.row.channel.as_str()) || consult.row.channel == other;
            let caller = extension(self.calling(consult));
            let same_pair =
                other.starts_with("Local/") && consult.row.dstchannel == other && caller.is_some();
            let second_line = caller.as_deref() == Some(party) && consult.start > leg.start;
            !own && !self.clients.contains(consult.row.dstchannel.as_str()) && (same_pair || second_line)
        });
        consults.map(|consult| Span { from: consult.start, to: consult.end }).collect()
    }

    /// A number outside, reached while the dialplan stood at an extension that had not talked yet.
    fn via(&self, leg: &Leg<'_>, party: &str) -> Option<String> {
        let own = || {
            let phone = self.context.phones.canonical(party)?;
            self.context.phones.employee_of(&phone).map(str::to_owned)
        };
        if self.direction != Direction::Inbound || !party.starts_with('+') {
            return None;
        }
        let row = leg.row;
        let talked_before = self.legs.iter().any(|earlier| {
            earlier.start < leg.start
                && earlier.may_be_talk()
                && extension(self.called(earlier)).as_deref() == Some(row.dst.as_str())
        });
        let known = self.context.employees.is_empty() || self.context.employees.contains(&row.dst);
        let forwards = known && !is_shared(leg) && !talked_before && self.context.is_extension(&row.dst);
        if forwards { Some(row.dst.clone()) } else { own() }
    }
}

/// A group's or queue's number stood in `dst`.
fn is_shared(leg: &Leg<'_>) -> bool {
    let row = leg.row;
    row.lastapp == "Queue" || row.dcontext.contains("queue") || row.dcontext.contains("group")
}

/// Asked in vain.
pub(super) fn unaccepted(party: String, leg: &Leg<'_>) -> Talk {
    Talk {
        party,
        via: None,
        requested_at: leg.start,
        ended_at: leg.end,
        accepted_at: None,
        spans: Vec::new(),
        channel: 0,
    }
}
