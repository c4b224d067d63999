//! What a plan must know of the company: settings, numbers, which CRM users may own anything.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    logic::{
        call::{Call, Conversation, Direction},
        directory::Known,
        hours::Calendar,
        phone::{Phone, Phones},
    },
    settings::{Language, PerDirection, Settings, Span},
};

/// The company as the rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Company<'a> {
    /// What it has set.
    pub settings: &'a Settings,
    /// Spelling of numbers, employees' mobiles.
    pub phones: &'a Phones,
    /// CRM users that may be responsible; none while they could not be read.
    pub active_users: Option<&'a BTreeSet<u64>>,
    /// Of the reasons.
    pub language: Language,
    /// Where the company works: times in texts, working hours.
    pub zone: Tz,
}

/// The sentence in the reader's language.
pub(super) fn say(language: Language, russian: impl Into<String>, english: impl Into<String>) -> String {
    match language {
        Language::Ru => russian.into(),
        Language::En => english.into(),
    }
}

impl Company<'_> {
    /// The extension of an employee's mobile number.
    pub(super) fn mobile_of(&self, phone: &str) -> Option<&str> {
        Phone::from_canonical(phone).and_then(|phone| self.phones.employee_of(&phone))
    }

    /// The name of a call's line: of the company number that was dialled, else of the trunk.
    pub(crate) fn line_name(&self, call: &Call) -> Option<&str> {
        let trunks = &self.settings.trunks;
        let of_number = call.did.as_ref().and_then(|did| {
            let number = self.phones.canonical(did);
            let same =
                |key: &&String| *key == did || (number.is_some() && self.phones.canonical(key) == number);
            trunks.iter().find(|(key, _)| same(key))
        });
        let of_trunk = || call.trunk.as_ref().and_then(|trunk| trunks.get_key_value(trunk));
        let (_, trunk) = of_number.or_else(of_trunk)?;
        Some(trunk.name.as_str()).filter(|name| !name.is_empty())
    }

    /// When so much of this user's working time has passed; none when it never will.
    pub(crate) fn due(&self, from: DateTime<Utc>, after: Span, user: Option<u64>) -> Option<DateTime<Utc>> {
        Calendar::of_user(self.settings, self.zone, user).add_working(from, after.chrono())
    }

    /// Whether a switch is on for this direction.
    pub(super) fn allows(&self, switch: PerDirection, direction: Direction) -> bool {
        match direction {
            Direction::Inbound => switch.inbound,
            Direction::Outbound => switch.outbound,
            Direction::Internal => false,
        }
    }

    /// The extension that a conversation belongs to: the party's, that of its mobile, or the one that forwarded.
    pub(crate) fn extension_of<'a>(&'a self, conversation: &'a Conversation) -> &'a str {
        if let Some(extension) = self.mobile_of(&conversation.party) {
            return extension;
        }
        match &conversation.via {
            Some(via) if conversation.party.starts_with('+') => via,
            _ => &conversation.party,
        }
    }

    /// The CRM user of a conversation, when he is mapped and active.
    pub(super) fn user_of(&self, conversation: &Conversation) -> Option<u64> {
        let employee = self.settings.employees.get(self.extension_of(conversation))?;
        self.active(employee.user)
    }

    /// The user, unless he is the robot (0), or dismissed.
    pub(super) fn active(&self, user: u64) -> Option<u64> {
        (user != 0 && self.active_users.is_none_or(|active| active.contains(&user))).then_some(user)
    }

    /// `[base] default_user`, unless dismissed.
    pub(super) fn default_user(&self) -> Option<u64> {
        self.settings.base.default_user.and_then(|user| self.active(user))
    }

    /// Who took part for the company: the last who talked; when nobody did, the last who was asked.
    pub(super) fn employee_of(&self, call: &Call) -> Option<u64> {
        let talked = call.last_talked().is_some();
        let mut asked: Vec<_> =
            call.conversations.iter().filter(|one| one.accepted_at.is_some() || !talked).collect();
        // The last who picked up need not be the last whose phone rang: a client may join a talk that was there before.
        asked.sort_by_key(|one| one.accepted_at);
        asked.into_iter().rev().find_map(|one| self.user_of(one))
    }

    /// Who is to own what is made for a client that the CRM does not have.
    pub(super) fn owner_of_new(&self, call: &Call) -> Option<u64> {
        self.employee_of(call).or_else(|| self.default_user())
    }

    /// Who is to own what is made for a client that the CRM has: the owner of his one open lead, of his card, else as
    /// for a new one.
    pub(super) fn owner_of_known(&self, call: &Call, known: &Known) -> Option<u64> {
        let lead = match known.leads.as_slice() {
            [lead] => self.active(lead.responsible),
            _ => None,
        };
        lead.or_else(|| self.active(known.responsible)).or_else(|| self.owner_of_new(call))
    }
}
