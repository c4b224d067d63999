//! The best call that CDR alone can give.
//!
//! A CDR has one row for each pair of channels, so a talk is a row of the client's channel, answered and billed, with
//! a phone on its other side. `dst` and `dcontext` are what the dialplan made of them, `ANSWERED` is said of mailboxes,
//! menus, parking and phones that lost a pick-up. What no row tells: how long a
//! second leg rang on an answered channel, how long a transfer was dialled, that an employee held the client.

use std::collections::BTreeSet;

use super::{
    Call, CallRows, Context, Detail, Direction,
    bridge::{self, Span},
    cdr_talks::unaccepted,
    channel::{Side, side},
    conversation::Talk,
    leg::{Leg, dialled_number},
    menu,
    name::Name,
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
    if legs.is_torn_off() {
        return None;
    }
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
        menus: menu::menus_by_cdr(&legs),
        cut: false,
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

    /// The outgoing leg of a forward whose call is told by other rows, which a table without linkedids can't tie
    /// to it.
    fn is_torn_off(&self) -> bool {
        let outgoing = |leg: &Leg<'_>| {
            let row = leg.row;
            row.linkedid.is_empty()
                && row.channel.starts_with("Local/")
                && row.channel.ends_with(";2")
                && matches!(self.called(leg), Side::Trunk(_))
        };
        self.legs.iter().all(outgoing)
    }

    /// Whose the channel is that ran the dialplan.
    pub(super) fn calling(&self, leg: &Leg<'_>) -> Side {
        side(self.context, &leg.row.channel, &leg.row.cnum, &leg.row.dcontext)
    }

    /// Whose the channel is that was reached.
    pub(super) fn called(&self, leg: &Leg<'_>) -> Side {
        side(self.context, &leg.row.dstchannel, "", "")
    }

    pub(super) fn first_outside<'b>(&self, mut numbers: impl Iterator<Item = &'b str>) -> Option<String> {
        numbers.find_map(|number| Some(self.context.outside(number)?.as_str().to_owned()))
    }

    /// The outside number that this leg dialled.
    pub(super) fn dialled(&self, leg: &Leg<'_>) -> Option<String> {
        self.first_outside(dialled_number(&leg.row.lastdata).chain([leg.row.dst.as_str()]))
    }

    pub(super) fn is_of_client(&self, leg: &Leg<'_>) -> bool {
        let row = leg.row;
        self.clients.contains(row.channel.as_str())
            || self.clients.contains(row.dstchannel.as_str())
            || (self.clients.is_empty() && row.channel == self.root.row.channel)
            || row.channel.starts_with("Local/")
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
