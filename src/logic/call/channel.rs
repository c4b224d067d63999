//! Channels of one call: whose they are, how they came to be, when they lived.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{
    Context,
    event::Event,
    name::{self, Name},
    time,
};

/// Whose a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    /// A phone of ours, with its extension.
    Employee(String),
    /// The line to the world, with its endpoint name.
    Trunk(String),
    /// Half of a Local pair.
    Local,
    /// Asterisk's own.
    Technical,
}

/// How a channel came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Born {
    /// Somebody dialled in, or lifted a phone of ours.
    Incoming,
    /// Somebody dialled it for another channel.
    Dialed,
    /// The CRM or a script ordered it.
    Originated,
}

/// One channel.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub uniqueid: String,
    pub name: String,
    pub side: Side,
    pub born: Born,
    /// Linkedid when it began: the uniqueid of the channel on whose behalf it was made.
    pub root: String,
    pub start: DateTime<Utc>,
    /// The last that is known of it.
    pub end: DateTime<Utc>,
    pub answered: Option<DateTime<Utc>>,
    /// Hangup cause, Q.850.
    pub cause: Option<u32>,
    /// `DIALSTATUS` at the end: what its own Dial came to.
    pub dialstatus: String,
    /// Channel that hung up first, or `dialplan/…`.
    pub hangup_source: String,
    /// Dialplan extension and context it began in.
    pub began_at: (String, String),
    /// Extension of the dialplan that dialled it.
    pub dialled_from: Option<String>,
    /// A queue dialled it.
    pub by_queue: bool,
    /// Caller number when it began.
    pub first_number: String,
    /// Numbers it had later, and extensions, in order of time.
    pub numbers: Vec<String>,
}

impl Channel {
    pub(super) fn employee(&self) -> Option<&str> {
        match &self.side {
            Side::Employee(extension) => Some(extension),
            _ => None,
        }
    }

    pub(super) fn trunk(&self) -> Option<&str> {
        match &self.side {
            Side::Trunk(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// A person's end: a phone of ours, or the world's.
    pub(super) fn is_real(&self) -> bool {
        matches!(self.side, Side::Employee(_) | Side::Trunk(_))
    }

    pub(super) fn parsed(&self) -> Name<'_> {
        Name::parse(&self.name)
    }
}

/// All channels of a call, in order of their start.
#[derive(Debug, Default)]
pub(super) struct Channels {
    pub all: Vec<Channel>,
    by_uniqueid: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
}

impl Channels {
    pub(super) fn of(events: &[Event<'_>], context: &Context) -> Self {
        let mut rows: HashMap<&str, Vec<&Event<'_>>> = HashMap::new();
        for event in events.iter().filter(|event| !event.row.uniqueid.is_empty()) {
            rows.entry(&event.row.uniqueid).or_default().push(event);
        }
        let mut all: Vec<Channel> = rows.into_values().filter_map(|rows| channel(&rows, context)).collect();
        all.sort_by(|left, right| order(left).cmp(&order(right)));
        let by_uniqueid = index(&all, |channel| &channel.uniqueid);
        let by_name = index(&all, |channel| &channel.name);
        Self { all, by_uniqueid, by_name }
    }

    pub(super) fn find(&self, uniqueid: &str) -> Option<usize> {
        self.by_uniqueid.get(uniqueid).copied()
    }

    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The other half of a Local pair.
    pub(super) fn twin(&self, index: usize) -> Option<usize> {
        name::twin(&self.all[index].name).and_then(|twin| self.named(&twin))
    }

    /// The channel on whose behalf this one was made; itself when nobody's.
    pub(super) fn root(&self, index: usize) -> usize {
        self.find(&self.all[index].root).unwrap_or(index)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &Channel)> {
        self.all.iter().enumerate()
    }
}

fn order(channel: &Channel) -> impl Ord + '_ {
    (channel.start, time::by_number(&channel.uniqueid))
}

fn index(all: &[Channel], key: impl Fn(&Channel) -> &String) -> HashMap<String, usize> {
    all.iter().enumerate().rev().map(|(index, channel)| (key(channel).clone(), index)).collect()
}

/// The events of one channel, in order, make the channel; none when they only name it.
fn channel(events: &[&Event<'_>], context: &Context) -> Option<Channel> {
    let first = events.iter().find(|event| event.is("CHAN_START")).or_else(|| events.first())?;
    let row = first.row;
    let start = if first.is("CHAN_START") { None } else { time::born(&row.uniqueid) }.unwrap_or(first.at);
    let hangup = events.iter().rev().find(|event| event.is("HANGUP"));
    let side = side(context, &row.channame, &row.cid_num, &row.context);
    let born = born(events, &side);
    Some(Channel {
        uniqueid: row.uniqueid.clone(),
        name: row.channame.clone(),
        born,
        root: if row.linkedid.is_empty() { row.uniqueid.clone() } else { row.linkedid.clone() },
        start,
        end: end(events).max(start),
        answered: events.iter().find(|event| event.is("ANSWER")).map(|event| event.at),
        cause: hangup.and_then(|event| event.extra("hangupcause")?.parse().ok()),
        dialstatus: hangup.and_then(|event| event.extra("dialstatus")).unwrap_or_default().to_owned(),
        hangup_source: hangup.and_then(|event| event.extra("hangupsource")).unwrap_or_default().to_owned(),
        began_at: (row.exten.clone(), row.context.clone()),
        dialled_from: events
            .iter()
            .find(|event| event.row.appname == "AppDial" && !event.row.exten.is_empty())
            .map(|event| event.row.exten.clone()),
        by_queue: events.iter().any(|event| event.row.appname == "AppQueue"),
        first_number: row.cid_num.clone(),
        numbers: later_numbers(events),
        side,
    })
}

fn later_numbers(events: &[&Event<'_>]) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let later = events.iter().filter(|event| !event.is("CHAN_START"));
    for number in later.flat_map(|event| [&event.row.cid_num, &event.row.exten]) {
        if !number.is_empty() && !numbers.contains(number) {
            numbers.push(number.clone());
        }
    }
    numbers
}

fn end(events: &[&Event<'_>]) -> DateTime<Utc> {
    let ended = events.iter().rev().find(|event| event.is("CHAN_END"));
    let hung_up = events.iter().rev().find(|event| event.is("HANGUP"));
    ended.or(hung_up).or_else(|| events.last()).map(|event| event.at).unwrap_or_default()
}

fn born(events: &[&Event<'_>], side: &Side) -> Born {
    let Some(first) = events.iter().find(|event| event.is("CHAN_START")).or_else(|| events.first()) else {
        return Born::Incoming;
    };
    let row = first.row;
    let is_root = row.linkedid.is_empty() || row.linkedid == row.uniqueid;
    let ordered = events.iter().any(|event| event.row.appname == "AppDial2");
    let lifted = first.is("CHAN_START") && row.exten == "s" && matches!(side, Side::Employee(_));
    if !is_root {
        Born::Dialed
    } else if ordered || lifted || *side == Side::Local {
        Born::Originated
    } else {
        Born::Incoming
    }
}

/// Whose a channel is, by its name, the settings and, for phones not named by extension, its own caller number.
pub(super) fn side(context: &Context, channel: &str, number: &str, dialplan: &str) -> Side {
    let name = Name::parse(channel);
    if name.is_local() {
        return Side::Local;
    }
    if name.is_technical() || name.endpoint.is_empty() {
        return Side::Technical;
    }
    let endpoint = name.endpoint;
    if context.employees.contains(endpoint) {
        return Side::Employee(endpoint.to_owned());
    }
    if context.trunks.contains(endpoint) {
        return Side::Trunk(endpoint.to_owned());
    }
    let from_outside =
        ["from-trunk", "from-pstn", "from-did"].iter().any(|start| dialplan.starts_with(start));
    if context.is_extension(endpoint) && !from_outside {
        return Side::Employee(endpoint.to_owned());
    }
    // A second phone of an employee: `101-mobile`, `sip101`.
    let digits = endpoint.trim_matches(|sign: char| !sign.is_ascii_digit());
    if !from_outside && digits.bytes().all(|byte| byte.is_ascii_digit()) && context.employees.contains(digits)
    {
        return Side::Employee(digits.to_owned());
    }
    if context.is_extension(number) && !from_outside {
        return Side::Employee(number.to_owned());
    }
    Side::Trunk(endpoint.to_owned())
}
