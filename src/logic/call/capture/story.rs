//! The original's story in the disguise's words.

use super::Disguise;
use crate::logic::call::{Call, Conversation, Menu, Recording};

impl Disguise<'_> {
    /// What is told of the original, disguised.
    pub(super) fn call(&mut self, call: &Call) -> Call {
        let conversations = call.conversations.iter().map(|talk| Conversation {
            party: self.party(&talk.party),
            via: talk.via.as_deref().map(|via| self.party(via)),
            ..talk.clone()
        });
        let conversations = conversations.collect();
        let recordings = call.recordings.iter();
        let recordings =
            recordings.map(|file| Recording { path: self.text(&file.path), ..file.clone() }).collect();
        let menus = call.menus.iter().map(|menu| Menu {
            name: self.text(&menu.name),
            digits: menu.digits.clone().filter(|_| false),
            led_to: menu.led_to.as_deref().map(|place| self.number(place)),
            ..menu.clone()
        });
        let menus = menus.collect();
        Call {
            id: self.known.id(&call.id).unwrap_or(&call.id).to_owned(),
            linkedids: call.linkedids.iter().map(|id| self.known.id(id).unwrap_or(id).to_owned()).collect(),
            client: call.client.as_deref().map(|number| self.number(number)),
            did: call.did.as_deref().map(|did| self.number(did)),
            trunk: call.trunk.as_deref().map(|name| self.endpoint(name)),
            conversations,
            recordings,
            menus,
            ..call.clone()
        }
    }

    /// An extension, a number, or the name of a line whose number is unknown.
    fn party(&mut self, party: &str) -> String {
        if party.starts_with('+') { self.number(party) } else { self.endpoint(party) }
    }
}
