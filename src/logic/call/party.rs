//! Who was asked, by whose forward, and whether for the client at all.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::{
    bridge::Bridged,
    channel::{Born, Channel},
    client::{Client, outbound_number},
    story::Story,
};

/// How far apart things may lie that happened at one moment: both tables round to seconds.
const MOMENT: Duration = Duration::seconds(1);

/// Extension or number of a channel's person.
pub(super) fn party(story: &Story<'_>, index: usize) -> String {
    let channel = &story.channels.all[index];
    if let Some(extension) = channel.employee() {
        return extension.to_owned();
    }
    let number = match channel.born {
        Born::Incoming => story.context.outside(&channel.first_number).map(|phone| phone.as_str().to_owned()),
        Born::Dialed | Born::Originated => outbound_number(story, index).or_else(|| {
            let ancestors = ancestors(story, index);
            let mut dialled = ancestors.iter().map(|local| story.channels.all[*local].parsed().dialled());
            dialled.find_map(|number| Some(story.context.outside(number)?.as_str().to_owned()))
        }),
    };
    number.or_else(|| channel.trunk().map(str::to_owned)).unwrap_or_default()
}

/// The channel that dialled this one: the CDR tells, else the Local pair that was made for its number.
fn parent(story: &Story<'_>, index: usize) -> Option<usize> {
    let channel = &story.channels.all[index];
    let told = || story.legs.iter().filter(|leg| leg.row.dstchannel == channel.name);
    // When a Local pair was optimised away, the caller's own channel has a row with this one, too.
    let by_pair = told().find(|leg| leg.row.channel.ends_with(";2"));
    if let Some(parent) =
        by_pair.or_else(|| told().next()).and_then(|leg| story.channels.named(&leg.row.channel))
    {
        return Some(parent);
    }
    let number = channel.employee().map(str::to_owned).or_else(|| outbound_number(story, index));
    let canonical = |dialled: &str| story.context.outside(dialled).map(|phone| phone.as_str().to_owned());
    let made_for = |local: &Channel| {
        let dialled = local.parsed().dialled();
        Some(dialled) == number.as_deref() || (number.is_some() && canonical(dialled) == number)
    };
    story
        .channels
        .iter()
        .filter(|(half, local)| local.name.ends_with(";2") && story.channels.twin(*half) != Some(index))
        .filter(|(_, local)| {
            local.start <= channel.start && local.end + MOMENT >= channel.start && made_for(local)
        })
        .map(|(local, _)| local)
        .next_back()
}

/// Local channels (their first halves) between this one and the channel that began it all, nearest first.
fn ancestors(story: &Story<'_>, index: usize) -> Vec<usize> {
    let mut ancestors = Vec::new();
    let mut at = index;
    while let Some(first_half) = parent(story, at).and_then(|parent| story.channels.twin(parent)) {
        if ancestors.contains(&first_half) || first_half == index {
            break;
        }
        ancestors.push(first_half);
        at = first_half;
    }
    ancestors
}

/// Whether this channel was dialled to bring somebody to the client, and not to consult a colleague.
pub(super) fn asked_for_client(story: &Story<'_>, client: &Client, bridged: &Bridged, index: usize) -> bool {
    let channel = &story.channels.all[index];
    let root = story.channels.root(index);
    if channel.born == Born::Incoming || index == root {
        return index == client.root;
    }
    if root != client.root {
        return handed_over(story, root, channel);
    }
    let since = client.channels.iter().map(|client| story.channels.all[*client].start).min();
    let before_client = since.is_some_and(|since| channel.start < since);
    // In an ordered call the employee is rung first; who else was rung before the client was is nobody's business.
    let ordered = story.channels.all[root].born == Born::Originated;
    (ordered || !before_client) && !consulted(story, bridged, index)
}

/// The line from which a transfer with consultation brought its target.
fn second_line(story: &Story<'_>, root: usize) -> bool {
    let root = story.channels.all[root].uniqueid.as_str();
    story.of_type("ATTENDEDTRANSFER").any(|transfer| transfer.extra("channel2_uniqueid") == Some(root))
}

/// A colleague called from a second line, who was still ringing when the client was transferred to him.
fn handed_over(story: &Story<'_>, root: usize, channel: &Channel) -> bool {
    let root = story.channels.all[root].uniqueid.as_str();
    story.of_type("ATTENDEDTRANSFER").any(|transfer| {
        let second =
            [transfer.extra("channel2_uniqueid"), transfer.extra("transfer_target_channel_uniqueid")];
        second.contains(&Some(root)) && channel.end + MOMENT >= transfer.at
    })
}

/// A colleague called by a feature code in the middle of a talk, to whom the client never came. When the one who
/// called hung up and it rang on, it rang for the client.
fn consulted(story: &Story<'_>, bridged: &Bridged, index: usize) -> bool {
    let end = story.channels.all[index].end;
    ancestors(story, index).iter().any(|local| {
        let colleague_stayed = bridged.partners.get(local).is_some_and(|partners| {
            let mut real = partners.iter().map(|partner| &story.channels.all[*partner]);
            real.any(|partner| partner.is_real() && partner.end + MOMENT >= end)
        });
        colleague_stayed && !bridged.beside_client.contains_key(local)
    })
}

/// The extension whose forward led to this channel.
pub(super) fn via(story: &Story<'_>, index: usize, party: &str) -> Option<String> {
    let channel = &story.channels.all[index];
    if channel.born != Born::Dialed {
        return None;
    }
    let ancestors = ancestors(story, index);
    let transferred = story.of_type("BLINDTRANSFER").any(|transfer| {
        transfer.extra("extension").is_some_and(|to| {
            to == party || story.context.outside(to).is_some_and(|phone| phone.as_str() == party)
        })
    });
    let consulting =
        ancestors.iter().any(|local| story.channels.all[*local].parsed().context.ends_with("-xfer"))
            || second_line(story, story.channels.root(index));
    if transferred || consulting {
        return employee_of(story, party);
    }
    let own = |extension: &String| {
        extension != party && forwards(story, extension) && !took_it(story, extension, channel.start)
    };
    from_follow_me(story, &ancestors)
        .filter(own)
        .or_else(|| from_phone(story, &ancestors, index).filter(own))
        .or_else(|| {
            let dialled =
                ancestors.iter().map(|local| story.channels.all[*local].parsed().dialled().to_owned());
            dialled.filter(|number| story.context.is_extension(number)).find(own)
        })
        .or_else(|| from_dialplan(story, &ancestors, index, party).filter(own))
        .or_else(|| in_place_of(story, index).filter(own))
        .or_else(|| employee_of(story, party))
}

/// The extension's own phone had been picked up before: whoever is rung then was called by a person, not by a forward.
fn took_it(story: &Story<'_>, extension: &str, before: DateTime<Utc>) -> bool {
    story.channels.iter().any(|(_, phone)| {
        phone.employee() == Some(extension) && phone.answered.is_some_and(|answered| answered < before)
    })
}

/// The employee whose mobile it is, by the settings.
fn employee_of(story: &Story<'_>, party: &str) -> Option<String> {
    let phone = story.context.phones.canonical(party)?;
    story.context.phones.employee_of(&phone).map(str::to_owned)
}

/// An extension of a person, not of a group or queue.
fn forwards(story: &Story<'_>, extension: &String) -> bool {
    let context = story.context;
    if !context.employees.is_empty() {
        return context.employees.contains(extension);
    }
    let shared = |dialplan: &str| dialplan.contains("queue") || dialplan.contains("group");
    let in_cel = story.events.iter().any(|event| event.row.exten == *extension && shared(&event.row.context));
    let in_cdr = story.legs.iter().any(|leg| leg.row.dst == *extension && shared(&leg.row.dcontext));
    let queued = story.legs.iter().any(|leg| leg.row.dst == *extension && leg.row.lastapp == "Queue");
    context.is_extension(extension) && !in_cel && !in_cdr && !queued
}

/// FreePBX rings the desk (`FMPR-101`) beside the follow-me list (`FMGL-…`).
fn from_follow_me(story: &Story<'_>, ancestors: &[usize]) -> Option<String> {
    let list = ancestors.iter().find(|local| story.channels.all[**local].parsed().is_follow_me_list())?;
    let start = story.channels.all[*list].start;
    let desk = story
        .channels
        .iter()
        .find(|(_, other)| other.parsed().is_follow_me_desk() && (other.start - start).abs() <= MOMENT * 2);
    desk.map(|(_, desk)| desk.parsed().dialled().to_owned())
}

/// The phone answered 302: its channel ends when the Local pair to the new number begins.
fn from_phone(story: &Story<'_>, ancestors: &[usize], index: usize) -> Option<String> {
    let first = &story.channels.all[ancestors.last().copied().unwrap_or(index)];
    let forwarded = story.of_type("FORWARD").next().is_some();
    let phone = story.channels.iter().filter(|(other, _)| *other != index).find(|(_, phone)| {
        let moved = phone.answered.is_none() && (phone.end - first.start).abs() <= MOMENT;
        forwarded && moved && phone.born == Born::Dialed && phone.start <= first.start
    });
    phone.and_then(|(_, phone)| phone.employee()).map(str::to_owned)
}

/// The dialplan stood at the extension when it dialled the other number, and that one alone: a number that rings
/// several colleagues is a group's.
fn from_dialplan(story: &Story<'_>, ancestors: &[usize], index: usize, party: &str) -> Option<String> {
    if ancestors.is_empty() && story.channels.all[index].employee().is_some() {
        return None;
    }
    let chain = || [index].into_iter().chain(ancestors.iter().copied());
    let other = |extension: &&str| story.context.is_extension(extension) && *extension != party;
    let dialled_from = |channel: usize| story.channels.all[channel].dialled_from.as_deref().filter(other);
    let of_leg = |channel: usize| {
        let name = story.channels.all[channel].name.as_str();
        let mut legs = story.legs.iter().filter(|leg| leg.row.dstchannel == name);
        legs.find_map(|leg| Some(leg.row.dst.as_str()).filter(other))
    };
    let extension = chain().find_map(dialled_from).or_else(|| chain().find_map(of_leg))?;
    (!rings_colleagues(story, extension)).then(|| extension.to_owned())
}

/// FreePBX goes from a busy or silent extension straight to its forward: the CDR stays with the extension, whose own phone
/// had been rung in vain. (An extension that rings other phones only is another name of theirs.)
fn in_place_of(story: &Story<'_>, index: usize) -> Option<String> {
    let channel = &story.channels.all[index];
    let leg = story.legs.iter().find(|leg| leg.row.dstchannel == channel.name)?;
    let extension = leg.row.dst.as_str();
    let in_vain = |phone: &Channel| {
        let dialled = phone.born == Born::Dialed && phone.employee() == Some(extension);
        dialled && phone.answered.is_none() && phone.end <= channel.start + MOMENT
    };
    story.channels.iter().any(|(_, phone)| in_vain(phone)).then(|| extension.to_owned())
}

/// Whether the dialplan dialled several extensions from this one, and not its own phone.
fn rings_colleagues(story: &Story<'_>, extension: &str) -> bool {
    let from_here =
        story.channels.iter().filter(|(_, channel)| channel.dialled_from.as_deref() == Some(extension));
    let dialled: BTreeSet<&str> = from_here
        .map(|(_, channel)| channel.employee().unwrap_or_else(|| channel.parsed().dialled()))
        .filter(|number| story.context.is_extension(number))
        .collect();
    dialled.len() > 1 && !dialled.contains(extension)
}
