//! Everything known about one call before it is judged.

use super::{
    CallRows, Context,
    channel::Channels,
    event::{self, Event},
    leg::{self, Leg},
    name::Name,
    time::Clock,
};

/// The rows of one call, read.
pub(super) struct Story<'a> {
    pub context: &'a Context,
    pub events: Vec<Event<'a>>,
    pub legs: Vec<Leg<'a>>,
    pub channels: Channels,
}

impl<'a> Story<'a> {
    pub(super) fn of(rows: &'a CallRows, context: &'a Context) -> Self {
        let clock = Clock::of(rows, context.timezone);
        let events = event::events(&rows.cel, &clock);
        let channels = Channels::of(&events, context);
        Self { context, legs: leg::legs(&rows.cdr, &clock), channels, events }
    }

    /// CEL rows of this type, in order.
    pub(super) fn of_type(&self, eventtype: &'static str) -> impl Iterator<Item = &Event<'a>> {
        self.events.iter().filter(move |event| event.is(eventtype))
    }

    /// Whether CEL tells of music and prompts (Asterisk 18 and later, `events=all`).
    pub(super) fn hears_streams(&self) -> bool {
        self.events
            .iter()
            .any(|event| ["STREAM_BEGIN", "STREAM_END", "DTMF"].contains(&event.row.eventtype.as_str()))
    }
}

/// Whether our dialplan's AGI watchdog left rows among these: the call was asked about.
pub fn was_asked_about(rows: &CallRows) -> bool {
    let watchdog = |name: &str| Name::parse(name).is_watchdog();
    rows.cdr.iter().any(|row| watchdog(&row.dstchannel)) || rows.cel.iter().any(|row| watchdog(&row.channame))
}

/// The rows without those of the AGI watchdog, without doubles, in order.
pub(super) fn clean(rows: &CallRows) -> CallRows {
    let watchdog = |name: &str| Name::parse(name).is_watchdog();
    let mut rows = rows.clone();
    rows.cel.retain(|row| !watchdog(&row.channame));
    for row in &mut rows.cdr {
        // The caller's own leg stays, as one in which nobody was asked.
        if watchdog(&row.dstchannel) {
            row.dstchannel.clear();
            row.lastapp.clear();
            row.lastdata.clear();
        }
    }
    rows.cdr.retain(|row| !watchdog(&row.channel));
    rows.tidy();
    rows
}
