//! Who the client is, and who called whom.

use std::collections::BTreeSet;

use super::{
    Direction,
    channel::{Born, Channel, Side},
    leg,
    story::Story,
};

/// The one the call is about: the client, or among employees the one who called.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub direction: Direction,
    /// `+E.164`; none for anonymous and internal.
    pub number: Option<String>,
    /// His channels; more than one when several lines were tried. Empty when he was never dialled.
    pub channels: BTreeSet<usize>,
    /// The channel with which the call began.
    pub root: usize,
}

/// Finds the client; none when the rows are no call.
pub(super) fn client(story: &Story<'_>) -> Option<Client> {
    let found = story.channels.iter().filter(|(_, channel)| channel.trunk().is_some()).find_map(
        |(index, channel)| {
            let root = story.channels.root(index);
            let from_outside = story.channels.all[root].trunk().is_some();
            match channel.born {
                Born::Incoming => inbound(story, index),
                Born::Dialed if root != index && from_outside => None,
                Born::Dialed | Born::Originated => outbound(story, index, root),
            }
        },
    );
    found.or_else(|| undialled(story)).or_else(|| internal(story))
}

fn inbound(story: &Story<'_>, index: usize) -> Option<Client> {
    let channel = &story.channels.all[index];
    let number = inbound_number(story, channel);
    if number.as_deref().is_some_and(|number| story.context.client(number).is_none()) {
        return None;
    }
    Some(Client { direction: Direction::Inbound, number, channels: BTreeSet::from([index]), root: index })
}

/// As the dialplan rewrote it, else as the line gave it.
fn inbound_number(story: &Story<'_>, channel: &Channel) -> Option<String> {
    let legs = || story.legs.iter().filter(|leg| leg.row.channel == channel.name);
    let rewritten = legs().map(|leg| leg.row.cnum.as_str()).chain(legs().map(|leg| leg.row.src.as_str()));
    let given =
        [channel.first_number.as_str()].into_iter().chain(channel.numbers.first().map(String::as_str));
    let outside = |number: &str| story.context.outside(number).map(|phone| phone.as_str().to_owned());
    rewritten.chain(given).find_map(outside)
}

fn outbound(story: &Story<'_>, index: usize, root: usize) -> Option<Client> {
    let number = outbound_number(story, index);
    if number.as_deref().is_some_and(|number| story.context.client(number).is_none()) {
        return None;
    }
    let tries = story.channels.iter().filter(|(other, channel)| {
        channel.trunk().is_some()
            && channel.born == Born::Dialed
            && story.channels.root(*other) == root
            && outbound_number(story, *other) == number
    });
    let mut channels: BTreeSet<usize> = tries.map(|(other, _)| other).collect();
    channels.insert(index);
    Some(Client { direction: Direction::Outbound, number, channels, root })
}

/// The number a trunk channel was dialled with: what Dial was told, its connected number, what was typed.
pub(super) fn outbound_number(story: &Story<'_>, index: usize) -> Option<String> {
    let channel = &story.channels.all[index];
    let outside = |number: &str| story.context.outside(number).map(|phone| phone.as_str().to_owned());
    let own = channel.numbers.iter().map(String::as_str).find_map(outside);
    let legs = || story.legs.iter().filter(|leg| leg.row.dstchannel == channel.name);
    let told = legs().flat_map(|leg| leg::dialled_number(&leg.row.lastdata)).find_map(outside);
    let typed = || legs().find_map(|leg| outside(&leg.row.dst));
    // The operator may correct the connected number once it is answered, so what was dialled comes first.
    told.or(own).or_else(typed)
}

/// A call to the outside that never got a line: refused by the dialplan, or ordered and not picked up.
fn undialled(story: &Story<'_>) -> Option<Client> {
    let (root, channel) = story
        .channels
        .iter()
        .find(|(index, channel)| story.channels.root(*index) == *index && channel.trunk().is_none())?;
    let client = |number: &str| story.context.client(number).map(|phone| phone.as_str().to_owned());
    let of =
        |number, root| Client { direction: Direction::Outbound, number, channels: BTreeSet::new(), root };
    let alone = story.channels.iter().filter(|(_, channel)| channel.employee().is_some()).count() <= 1;
    match (&channel.side, channel.born) {
        (Side::Employee(_), Born::Incoming) if alone => {
            client(&channel.began_at.0).map(|number| of(Some(number), root))
        }
        (Side::Employee(_) | Side::Local, Born::Originated) if alone => {
            let number = channel.numbers.iter().map(String::as_str).find_map(client);
            let employee = story.channels.iter().find(|(_, channel)| channel.employee().is_some());
            let (_, employee) = employee?;
            (number.is_some() || employee.answered.is_none()).then(|| of(number, root))
        }
        _ => None,
    }
}

/// Employees among themselves; none for feature codes, where no other phone was called.
fn internal(story: &Story<'_>) -> Option<Client> {
    let real = || story.channels.iter().filter(|(_, channel)| channel.is_real());
    let is_root = |index: usize| story.channels.root(index) == index;
    // A click-to-call among employees begins with a Local pair, the caller is whom it rings first.
    let (caller, channel) = real().find(|(index, _)| is_root(*index)).or_else(|| real().next())?;
    let others = real()
        .any(|(index, other)| index != caller && (other.born != Born::Incoming || other.end > other.start));
    let exten = channel.began_at.0.as_str();
    let tried = !channel.dialstatus.is_empty() && story.context.is_extension(exten);
    (others || tried).then(|| Client {
        direction: Direction::Internal,
        number: None,
        channels: BTreeSet::from([caller]),
        root: story.channels.root(caller),
    })
}
