//! Who was joined with whom, and when: bridges, Local pairs between them, holding and music on hold.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    channel::Channels,
    event::Event,
    name::{self, Name},
};

/// A span of time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Span {
    pub(super) fn seconds(&self) -> f64 {
        (self.to - self.from).as_seconds_f64().max(0.0)
    }
}

/// What the bridges of a call show.
#[derive(Debug, Default)]
pub(super) struct Bridged {
    /// Spans a channel was joined with the client (through any number of Local pairs), neither of them on hold.
    pub with_client: BTreeMap<usize, Vec<Span>>,
    /// The same, hold counted in: who stood on the other side.
    pub beside_client: BTreeMap<usize, Vec<Span>>,
    /// Spans a channel was in a bridge with any other.
    pub with_anybody: BTreeMap<usize, Vec<Span>>,
    /// Channels that shared a bridge.
    pub partners: BTreeMap<usize, BTreeSet<usize>>,
}

/// Bridges as they stand between two events.
struct Standing<'a> {
    channels: &'a Channels,
    clients: &'a BTreeSet<usize>,
    bridge_of: BTreeMap<usize, String>,
    holding: BTreeSet<String>,
    on_music: BTreeSet<usize>,
    /// Who bears a name now: a transfer to a colleague still ringing swaps names.
    bearers: BTreeMap<&'a str, usize>,
    /// Channels that bear another name than they began with.
    renamed: BTreeMap<usize, &'a str>,
}

/// Replays the events; `clients` are the channels of the client.
pub(super) fn replay<'a>(
    events: &[Event<'a>],
    channels: &'a Channels,
    clients: &'a BTreeSet<usize>,
) -> Bridged {
    let mut standing = Standing {
        channels,
        clients,
        bridge_of: BTreeMap::new(),
        holding: BTreeSet::new(),
        on_music: BTreeSet::new(),
        bearers: BTreeMap::new(),
        renamed: BTreeMap::new(),
    };
    let mut bridged = Bridged::default();
    for (index, event) in events.iter().enumerate() {
        let changed = standing.take(event);
        let to = events.get(index + 1).map_or(event.at, |next| next.at);
        if changed {
            bridged.meet(&standing);
        }
        if !standing.bridge_of.is_empty() {
            bridged.record(&standing, Span { from: event.at, to });
        }
    }
    bridged
}

impl Bridged {
    fn meet(&mut self, standing: &Standing<'_>) {
        for (channel, bridge) in &standing.bridge_of {
            let others = standing.members(bridge).filter(|other| other != channel);
            self.partners.entry(*channel).or_default().extend(others);
        }
    }

    fn record(&mut self, standing: &Standing<'_>, span: Span) {
        for channel in standing.reached(false) {
            extend(self.with_client.entry(channel).or_default(), span);
        }
        for channel in standing.reached(true) {
            extend(self.beside_client.entry(channel).or_default(), span);
        }
        for (channel, bridge) in &standing.bridge_of {
            if !standing.holding.contains(bridge) && standing.members(bridge).nth(1).is_some() {
                extend(self.with_anybody.entry(*channel).or_default(), span);
            }
        }
    }
}

fn extend(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.to >= span.from => last.to = last.to.max(span.to),
        _ => spans.push(span),
    }
}

impl<'a> Standing<'a> {
    /// Whether the event changed anything.
    fn take(&mut self, event: &Event<'a>) -> bool {
        let Some(channel) = self.channels.find(&event.row.uniqueid) else {
            return false;
        };
        self.bears(channel, &event.row.channame);
        match event.row.eventtype.as_str() {
            "BRIDGE_ENTER" => self.enter(channel, event),
            "BRIDGE_EXIT" => self.leave(channel, event),
            "HANGUP" | "CHAN_END" => self.end(channel),
            // Music on hold has a class, a prompt has a sound.
            "STREAM_BEGIN" if event.extra("class").is_some() => self.on_music.insert(channel),
            "STREAM_END" => self.on_music.remove(&channel),
            _ => false,
        }
    }

    fn bears(&mut self, channel: usize, name: &'a str) {
        if self.channels.all[channel].name != name {
            self.renamed.insert(channel, name);
        } else {
            self.renamed.remove(&channel);
        }
        self.bearers.insert(name, channel);
    }

    /// The other half of what is a Local pair now.
    fn twin(&self, channel: usize) -> Option<usize> {
        let name = self.renamed.get(&channel).copied().unwrap_or(&self.channels.all[channel].name);
        let twin = name::twin(name)?;
        self.bearers.get(twin.as_str()).copied().or_else(|| self.channels.named(&twin))
    }

    /// Nobody's end any more: it took the place of half a Local pair.
    fn stands_in(&self, channel: usize) -> bool {
        self.renamed.get(&channel).is_some_and(|name| Name::parse(name).is_local())
    }

    fn enter(&mut self, channel: usize, event: &Event<'_>) -> bool {
        let bridge = event.extra("bridge_id").map_or_else(|| self.bridge_by_peer(event), str::to_owned);
        if event.extra("bridge_technology") == Some("holding_bridge") {
            self.holding.insert(bridge.clone());
        }
        self.on_music.remove(&channel);
        self.bridge_of.insert(channel, bridge);
        true
    }

    /// Tables without `extra` still name who is in the bridge already.
    fn bridge_by_peer(&self, event: &Event<'_>) -> String {
        let mut peers = event.row.peer.split(',').filter_map(|peer| self.channels.named(peer));
        peers
            .find_map(|peer| self.bridge_of.get(&peer).cloned())
            .unwrap_or_else(|| format!("{} {}", event.row.uniqueid, event.at))
    }

    fn leave(&mut self, channel: usize, event: &Event<'_>) -> bool {
        let left = event.extra("bridge_id");
        let is_there = self.bridge_of.get(&channel).is_some_and(|now| left.is_none_or(|left| left == now));
        if is_there {
            self.bridge_of.remove(&channel);
            self.on_music.remove(&channel);
        }
        is_there
    }

    fn end(&mut self, channel: usize) -> bool {
        self.on_music.remove(&channel);
        self.bridge_of.remove(&channel).is_some()
    }

    fn members(&self, bridge: &str) -> impl Iterator<Item = usize> {
        self.bridge_of.iter().filter(move |(_, other)| *other == bridge).map(|(channel, _)| *channel)
    }

    /// Channels joined with the client now: bridge → Local twin → bridge.
    fn reached(&self, through_hold: bool) -> BTreeSet<usize> {
        let passes = |channel: &usize| through_hold || !self.on_music.contains(channel);
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> = self.clients.iter().copied().filter(passes).collect();
        while let Some(channel) = open.pop() {
            let Some(bridge) = self.bridge_of.get(&channel).filter(|bridge| !self.holding.contains(*bridge))
            else {
                continue;
            };
            for member in self.members(bridge).filter(passes) {
                if self.clients.contains(&member) || !reached.insert(member) {
                    continue;
                }
                if let Some(twin) = self.twin(member).filter(passes).filter(|twin| reached.insert(*twin)) {
                    open.push(twin);
                }
            }
        }
        reached.retain(|channel| !self.stands_in(*channel));
        reached
    }
}

/// Spans less what lies in `pauses`.
pub(super) fn without(spans: &[Span], pauses: &[Span]) -> Vec<Span> {
    pauses
        .iter()
        .fold(spans.to_vec(), |spans, pause| spans.into_iter().flat_map(|span| rest(span, pause)).collect())
}

fn rest(span: Span, pause: &Span) -> Vec<Span> {
    if pause.to <= span.from || span.to <= pause.from {
        return vec![span];
    }
    let before = Span { from: span.from, to: pause.from };
    let after = Span { from: pause.to, to: span.to };
    [before, after].into_iter().filter(|piece| piece.from < piece.to).collect()
}

/// All spans of all lists laid over each other.
pub(super) fn union<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.copied().collect();
    spans.sort_unstable();
    let mut joined = Vec::new();
    for span in spans {
        extend(&mut joined, span);
    }
    joined
}

/// Seconds of all spans.
pub(super) fn total(spans: &[Span]) -> u32 {
    let seconds: f64 = spans.iter().map(Span::seconds).sum();
    seconds.round() as u32
}
