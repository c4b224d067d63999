//! The best call that CDR alone can give.
//!
//! A CDR has one row for each pair of channels, so a talk is a row of the client's channel, answered and billed, with
//! a phone on its other side. `dst` and `dcontext` are what the dialplan made of them, `ANSWERED` is said of mailboxes,
//! menus, parking and phones that lost a pick-up: see `reads_freepbx_rows` in the tests. What no row tells: how long a
//! second leg rang on an answered channel, how long a transfer was dialled, that an employee held the client.

use std::collections::BTreeSet;

use super::{
    Call, CallRows, Context, Detail, Direction,
    bridge::{self, Span, without},
    channel::{Side, side},
    conversation::{self, Talk},
    leg::{Leg, dialled_number},
    name::{self, Name},
    recording,
    story::Story,
    time::by_number,
    verdict_cdr,
};

/// Legs of one call, with the client found.
pub(super) struct Legs<'a> {
    pub context: &'a Context,
    pub legs: &'a [Leg<'a>],
    /// The leg with which the call began.
    pub root: Leg<'a>,
    pub direction: Direction,
    /// Names of the client's channels; among employees, of the caller's.
    pub clients: BTreeSet<&'a str>,
    pub number: Option<String>,
}

/// Whether a leg looks like a talk.
pub(super) fn talked(story: &Story<'_>) -> bool {
    story.legs.iter().any(Leg::may_be_talk)
}

/// Tells the call from its legs; none when they are no call.
pub(super) fn fold(rows: &CallRows, story: &Story<'_>) -> Option<Call> {
    let legs = Legs::of(story)?;
    let mut talks = legs.talks();
    let verdict = verdict_cdr::verdict(&legs, &talks)?;
    let spoken: Vec<Span> = bridge::union(talks.iter().flat_map(|talk| &talk.spans));
    let answered_at = talks.iter().filter_map(|talk| talk.accepted_at).min();
    if legs.direction == Direction::Internal {
        talks.insert(0, legs.caller(answered_at));
    }
    let linkedids = rows.linkedids();
    let recordings = recording::named(legs.legs, |leg| legs.is_of_client(leg), &spoken);
    Some(Call {
        id: linkedids.first()?.clone(),
        linkedids,
        direction: legs.direction,
        client: legs.number.clone(),
        did: legs.did(),
        trunk: legs.trunk(),
        started_at: legs.legs.iter().map(|leg| leg.start).min()?,
        answered_at,
        ended_at: legs.legs.iter().map(|leg| leg.end).max()?,
        outcome: verdict.outcome,
        missed_at: verdict.missed_at,
        lost_after: verdict.lost_after,
        talk_seconds: bridge::total(&spoken),
        conversations: talks.iter().map(Talk::told).collect(),
        recordings,
        detail: Detail::CdrOnly,
    })
}

impl<'a> Legs<'a> {
    fn of(story: &'a Story<'a>) -> Option<Self> {
        let first = |own: bool| {
            let legs = story.legs.iter().filter(move |leg| !own || leg.row.uniqueid == leg.row.linkedid);
            legs.min_by(|left, right| by_number(&left.row.uniqueid).cmp(&by_number(&right.row.uniqueid)))
        };
        let root = first(true).or_else(|| first(false))?;
        let (context, legs) = (story.context, story.legs.as_slice());
        let mut call = Self {
            context,
            legs,
            root: *root,
            direction: Direction::Internal,
            clients: BTreeSet::from([root.row.channel.as_str()]),
            number: None,
        };
        if matches!(call.calling(root), Side::Trunk(_)) {
            call.number = call.first_outside([&root.row.cnum, &root.row.src].into_iter().map(String::as_str));
            let colleague = call.number.as_deref().is_some_and(|number| context.client(number).is_none());
            call.direction = if colleague { Direction::Internal } else { Direction::Inbound };
            call.number = call.number.filter(|_| !colleague);
            return Some(call);
        }
        call.find_dialled();
        Some(call)
    }

    /// An outgoing call's client is the first trunk channel that was dialled, with all later tries of his number.
    fn find_dialled(&mut self) {
        let outgoing = |leg: &&Leg<'a>| matches!(self.called(leg), Side::Trunk(_));
        let Some(first) = self.legs.iter().find(outgoing) else {
            self.number = self.ordered_number();
            if self.number.is_some() || self.ordered() {
                (self.direction, self.clients) = (Direction::Outbound, BTreeSet::new());
            }
            return;
        };
        let number = self.dialled(first);
        if number.as_deref().is_some_and(|number| self.context.client(number).is_none()) {
            return;
        }
        let tries = self.legs.iter().filter(outgoing).filter(|leg| self.dialled(leg) == number);
        self.clients = tries.map(|leg| leg.row.dstchannel.as_str()).collect();
        (self.direction, self.number) = (Direction::Outbound, number);
    }

    /// The client of a call that never got a line: what was typed, or the caller number that the CRM set.
    fn ordered_number(&self) -> Option<String> {
        let row = self.root.row;
        if !row.dstchannel.is_empty() || !matches!(self.calling(&self.root), Side::Employee(_)) {
            return None;
        }
        let ordered = (row.lastapp == "AppDial2").then_some([row.cnum.as_str(), row.src.as_str()]);
        let number =
            self.first_outside([row.dst.as_str()].into_iter().chain(ordered.into_iter().flatten()))?;
        self.context.client(&number).map(|phone| phone.as_str().to_owned())
    }

    /// Ordered by the CRM (a Local pair or `AppDial2`), and only one phone was rung, in vain.
    fn ordered(&self) -> bool {
        let phones: BTreeSet<String> = self
            .legs
            .iter()
            .flat_map(|leg| [self.called(leg), self.calling(leg)])
            .filter_map(extension)
            .collect();
        let ordered = self.root.row.channel.starts_with("Local/") || self.root.row.lastapp == "AppDial2";
        ordered && phones.len() == 1 && !self.legs.iter().any(|leg| leg.may_be_talk())
    }

    /// Whose the channel is that ran the dialplan.
    pub(super) fn calling(&self, leg: &Leg<'_>) -> Side {
        side(self.context, &leg.row.channel, &leg.row.cnum, &leg.row.dcontext)
    }

    /// Whose the channel is that was reached.
    pub(super) fn called(&self, leg: &Leg<'_>) -> Side {
        side(self.context, &leg.row.dstchannel, "", "")
    }

    fn first_outside<'b>(&self, mut numbers: impl Iterator<Item = &'b str>) -> Option<String> {
        numbers.find_map(|number| Some(self.context.outside(number)?.as_str().to_owned()))
    }

    /// The outside number that this leg dialled.
    fn dialled(&self, leg: &Leg<'_>) -> Option<String> {
        self.first_outside(dialled_number(&leg.row.lastdata).chain([leg.row.dst.as_str()]))
    }

    pub(super) fn is_of_client(&self, leg: &Leg<'_>) -> bool {
        let row = leg.row;
        self.clients.contains(row.channel.as_str())
            || self.clients.contains(row.dstchannel.as_str())
            || (self.clients.is_empty() && row.channel == self.root.row.channel)
            || row.channel.starts_with("Local/")
    }

    fn talks(&self) -> Vec<Talk> {
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
            return None;
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
            Side::Trunk(endpoint) => Some((self.dialled(leg).unwrap_or(endpoint), None)),
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
        let shared =
            row.lastapp == "Queue" || row.dcontext.contains("queue") || row.dcontext.contains("group");
        let known = self.context.employees.is_empty() || self.context.employees.contains(&row.dst);
        let forwards = known && !shared && !talked_before && self.context.is_extension(&row.dst);
        if forwards { Some(row.dst.clone()) } else { own() }
    }

    /// The one who called among employees.
    fn caller(&self, answered_at: Option<chrono::DateTime<chrono::Utc>>) -> Talk {
        let root = &self.root;
        let party =
            extension(self.calling(root)).or_else(|| self.first_outside([root.row.src.as_str()].into_iter()));
        let mut caller = unaccepted(party.unwrap_or_else(|| root.row.src.clone()), root);
        caller.accepted_at = answered_at;
        caller
    }

    fn did(&self) -> Option<String> {
        let own = self.legs.iter().filter(|leg| leg.row.channel == self.root.row.channel);
        let named = own.map(|leg| leg.row.did.trim()).find(|did| super::fold::is_number(did));
        let typed = Some(self.root.row.dst.as_str())
            .filter(|dst| super::fold::is_number(dst) && !self.context.is_extension(dst));
        named.or(typed).filter(|_| self.direction == Direction::Inbound).map(str::to_owned)
    }

    fn trunk(&self) -> Option<String> {
        let client = self.clients.iter().next_back().filter(|_| self.direction != Direction::Internal)?;
        Some(Name::parse(client).endpoint.to_owned())
    }
}

pub(super) fn extension(side: Side) -> Option<String> {
    match side {
        Side::Employee(extension) => Some(extension),
        _ => None,
    }
}

fn unaccepted(party: String, leg: &Leg<'_>) -> Talk {
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
