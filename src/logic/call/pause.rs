//! Time in the client's bridge that is no talk: the transfer being dialled, the colleague being consulted.

use chrono::Duration;

use super::{
    bridge::{Bridged, Span},
    channel::Born,
    client::Client,
    event::Event,
    story::Story,
};

/// Prompt and digits of a transfer by feature code, where Asterisk does not tell when they began: the prompt takes
/// a second, three digits two.
const DIALLING: Duration = Duration::seconds(3);

/// Spans in which this channel, though joined with the client, did not talk with him.
pub(super) fn pauses(story: &Story<'_>, client: &Client, bridged: &Bridged, index: usize) -> Vec<Span> {
    let mut pauses = second_line(story, bridged, index);
    if !story.hears_streams() {
        pauses.extend(dialling(story, client, index));
    }
    pauses
}

/// The employee's other call: a phone has one ear. Music on hold, where it is told, knows better.
fn second_line(story: &Story<'_>, bridged: &Bridged, index: usize) -> Vec<Span> {
    let channel = &story.channels.all[index];
    let Some(extension) = channel.employee() else {
        return Vec::new();
    };
    let lines = story.channels.iter().filter(|(other, line)| {
        *other != index
            && line.employee() == Some(extension)
            && line.born == Born::Incoming
            && line.start > channel.start
            && !bridged.beside_client.contains_key(other)
    });
    let spans = lines.map(|(_, line)| Span { from: line.start, to: line.end });
    spans.filter(|span| !music_in(story, span)).collect()
}

fn music_in(story: &Story<'_>, span: &Span) -> bool {
    let near = Duration::seconds(2);
    let mut music = story.of_type("STREAM_BEGIN").filter(|event| event.extra("class").is_some());
    music.any(|event| span.from - near <= event.at && event.at <= span.to)
}

/// A transfer by feature code keeps the one who dials it in the bridge, with music for the client.
fn dialling(story: &Story<'_>, client: &Client, index: usize) -> Vec<Span> {
    let uniqueid = story.channels.all[index].uniqueid.as_str();
    let mut pauses = Vec::new();
    for (at, event) in story.events.iter().enumerate() {
        let left = event.is("BRIDGE_EXIT") && event.row.uniqueid == uniqueid;
        if left && (blindly(story, client, at) || to_consult(story, at)) {
            pauses.push(Span { from: event.at - DIALLING, to: event.at });
        }
    }
    pauses
}

/// A blind transfer by feature code ends in the transferrer's own bridge thread, so he leaves before the client does;
/// by REFER his phone hangs up later.
fn blindly(story: &Story<'_>, client: &Client, exit: usize) -> bool {
    let own = &story.events[exit];
    let bridge = own.extra("bridge_id");
    let mut before =
        story.events[..exit].iter().rev().take_while(|event| event.at + Duration::seconds(1) >= own.at);
    let transferred = before.any(|event| event.is("BLINDTRANSFER") && event.row.uniqueid == own.row.uniqueid);
    let client_left = |event: &Event<'_>| {
        let channel = story.channels.find(&event.row.uniqueid);
        event.is("BRIDGE_EXIT")
            && event.extra("bridge_id") == bridge
            && channel.is_some_and(|channel| client.channels.contains(&channel))
    };
    transferred && story.events[exit..].iter().any(client_left)
}

/// A consultation by feature code takes the same channel into another bridge, to a Local channel made for it; its
/// context is whatever TRANSFER_CONTEXT names.
fn to_consult(story: &Story<'_>, exit: usize) -> bool {
    let own = &story.events[exit];
    let soon = own.at + Duration::seconds(1);
    let next = story.events[exit..]
        .iter()
        .take_while(|event| event.at <= soon)
        .find(|event| event.is("BRIDGE_ENTER") && event.row.uniqueid == own.row.uniqueid);
    let Some(enter) = next.filter(|enter| enter.extra("bridge_id") != own.extra("bridge_id")) else {
        return false;
    };
    let second = enter.extra("bridge_id");
    story.events.iter().any(|event| {
        let channel = story.channels.find(&event.row.uniqueid);
        event.is("BRIDGE_ENTER")
            && event.extra("bridge_id") == second
            && channel.is_some_and(|channel| {
                let made = &story.channels.all[channel];
                !made.is_real() && (made.start - own.at).abs() <= Duration::seconds(1)
            })
    })
}
