//! Everybody's calls as the outside world's Asterisk tells of them.

use std::time::Instant;

use crate::{ami::Event, script::Party};

/// One call of one party: a channel of the outside world.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    /// Extension or number of the party.
    pub(crate) number: String,
    /// Whom it called; none when it was called.
    pub(crate) dialled: Option<String>,
    /// Its id there.
    pub(crate) uniqueid: String,
    /// Its name there; none until it has one.
    pub(crate) channel: Option<String>,
    /// When it was placed, or began to ring.
    pub(crate) began: Instant,
    /// When it was picked up.
    pub(crate) up: Option<Instant>,
    /// The caller's name on the phone's display.
    pub(crate) shown: String,
    /// When it ended, and Asterisk's word for why.
    pub(crate) gone: Option<(Instant, String)>,
}

impl Leg {
    /// A call that this party places.
    pub(crate) fn placed(number: &str, dialled: &str, uniqueid: &str) -> Self {
        Self {
            number: number.to_owned(),
            dialled: Some(dialled.to_owned()),
            uniqueid: uniqueid.to_owned(),
            channel: None,
            began: Instant::now(),
            up: None,
            shown: String::new(),
            gone: None,
        }
    }

    /// Whether it goes on.
    pub(crate) fn is_live(&self) -> bool {
        self.gone.is_none()
    }

    /// Whether it is this party's.
    pub(crate) fn is_of(&self, party: &Party) -> bool {
        self.number == party.number && (party.dialled.is_none() || self.dialled == party.dialled)
    }
}

/// All calls since a scenario began, in the order in which they began.
pub(crate) fn legs(placed: &[Leg], events: &[Event]) -> Vec<Leg> {
    let mut legs = placed.to_vec();
    for event in events {
        let id = event.get("Uniqueid");
        if event.get("UserEvent") == "LabRings" {
            legs.push(Leg {
                number: event.get("Number").to_owned(),
                dialled: None,
                uniqueid: id.to_owned(),
                channel: Some(event.get("Channel").to_owned()),
                began: event.at,
                up: None,
                shown: event.get("FromName").to_owned(),
                gone: None,
            });
        }
        let Some(leg) = legs.iter_mut().find(|leg| leg.uniqueid == id) else { continue };
        if event.is("Newchannel") {
            leg.channel = Some(event.get("Channel").to_owned());
        } else if event.get("UserEvent") == "LabUp" {
            leg.up.get_or_insert(event.at);
        } else if event.is("Hangup") {
            leg.gone = Some((event.at, event.get("Cause-txt").to_owned()));
        }
    }
    legs.sort_by_key(|leg| leg.began);
    legs
}
