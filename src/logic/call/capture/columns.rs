//! Rows, column by column.

use super::{Disguise, words};
use crate::logic::call::{CdrRow, CelRow, digits::HIDDEN};

impl Disguise<'_> {
    /// A leg.
    pub(super) fn cdr(&mut self, row: &CdrRow) -> CdrRow {
        let sequence = |number: &i64| self.sequences.iter().position(|known| known == number);
        CdrRow {
            sequence: row
                .sequence
                .as_ref()
                .and_then(sequence)
                .and_then(|place| i64::try_from(place + 1).ok()),
            calldate: row.calldate.clone(),
            clid: self.clid(&row.clid),
            src: self.number(&row.src),
            dst: self.number(&row.dst),
            dcontext: self.text(&row.dcontext),
            channel: self.channel(&row.channel),
            dstchannel: self.channel(&row.dstchannel),
            lastapp: row.lastapp.clone(),
            lastdata: self.arguments(&row.lastapp, &row.lastdata),
            duration: row.duration,
            billsec: row.billsec,
            disposition: row.disposition.clone(),
            accountcode: self.text(&row.accountcode),
            uniqueid: self.id(&row.uniqueid),
            userfield: self.text(&row.userfield),
            did: self.number(&row.did),
            recordingfile: self.text(&row.recordingfile),
            cnum: self.number(&row.cnum),
            cnam: self.name(&row.cnam, &row.cnum),
            outbound_cnum: self.number(&row.outbound_cnum),
            linkedid: self.id(&row.linkedid),
            peeraccount: self.text(&row.peeraccount),
        }
    }

    /// An event.
    pub(super) fn cel(&mut self, row: &CelRow) -> CelRow {
        let place = self.ids.iter().position(|id| *id == row.id && row.id != 0);
        CelRow {
            id: place.and_then(|place| i64::try_from(place + 1).ok()).unwrap_or(0),
            eventtype: row.eventtype.clone(),
            eventtime: row.eventtime.clone(),
            cid_name: self.name(&row.cid_name, &row.cid_num),
            cid_num: self.number(&row.cid_num),
            cid_ani: self.number(&row.cid_ani),
            cid_rdnis: self.number(&row.cid_rdnis),
            cid_dnid: self.number(&row.cid_dnid),
            exten: self.number(&row.exten),
            context: self.text(&row.context),
            channame: self.channel(&row.channame),
            appname: row.appname.clone(),
            appdata: self.arguments(&row.appname, &row.appdata),
            accountcode: self.text(&row.accountcode),
            uniqueid: self.id(&row.uniqueid),
            linkedid: self.id(&row.linkedid),
            peer: self.channels(&row.peer),
            userdeftype: self.text(&row.userdeftype),
            extra: self.extra(&row.extra, row.eventtype != "USER_DEFINED"),
        }
    }

    fn id(&mut self, id: &str) -> String {
        match self.known.id(id) {
            Some(made) => made.to_owned(),
            None => self.text(id),
        }
    }

    /// `"name" <number>`.
    fn clid(&mut self, clid: &str) -> String {
        match clid.rsplit_once('<').and_then(|(name, number)| Some((name, number.strip_suffix('>')?))) {
            Some((name, number)) => {
                let quoted = name.trim();
                let name = quoted.trim_matches('"');
                let made = self.name(name, number);
                let quote = if quoted.starts_with('"') { "\"" } else { "" };
                format!("{quote}{made}{quote} <{}>", self.number(number))
            }
            None => self.name(clid, clid),
        }
    }

    /// A caller's name; `number` is his.
    fn name(&mut self, name: &str, number: &str) -> String {
        let digits = name.chars().filter(char::is_ascii_digit).count();
        if words::is_nobody(name) || digits >= super::numbers::SHORTEST {
            return self.number(name);
        }
        let employee = self.context.is_extension(number);
        self.words.name(name, employee)
    }

    /// What an application was told: only of applications whose arguments are known, and no more of them than that.
    /// Scripts, PINs and addresses are left out.
    fn arguments(&mut self, app: &str, arguments: &str) -> String {
        let mut parts = arguments.split([',', '|']);
        let first = parts.next().unwrap_or_default();
        match app {
            "Dial" => {
                let targets: Vec<String> = first.split('&').map(|target| self.dialled(target)).collect();
                joined(targets.join("&"), options(parts, 2))
            }
            "Queue" => joined(self.text(first), options(parts, 6)),
            "MixMonitor" => joined(self.text(first), options(parts, 1)),
            "Monitor" => {
                joined(self.text(first), parts.next().map(|base| self.text(base)).into_iter().collect())
            }
            "VoiceMail" | "ConfBridge" | "MeetMe" | "BackGround" | "Background" | "Playback" | "Pickup" => {
                joined(self.text(first), options(parts, 1))
            }
            "Park" | "ParkedCall" => {
                joined(self.text(first), parts.next().map(|lot| self.text(lot)).into_iter().collect())
            }
            "AppDial" | "AppDial2" | "AppQueue" | "Busy" | "Congestion" | "Hangup" | "WaitExten" | "Wait" => {
                self.text(first)
            }
            _ => String::new(),
        }
    }

    /// JSON, whole or cut: each value as its key says. The keys of Asterisk's own events stay.
    fn extra(&mut self, json: &str, asterisks: bool) -> String {
        let (mut out, mut rest, mut key) = (String::new(), json, String::new());
        while let Some(open) = rest.find('"') {
            out.push_str(&self.text(&rest[..open]));
            if rest[..open].contains(',') {
                // The value before was no string.
                key.clear();
            }
            let inside = &rest[open + 1..];
            let end = end_of_string(inside);
            let string = &inside[..end];
            out.push('"');
            // A text that was cut says nothing to us, but maybe to others.
            let Some(after) = inside.get(end + 1..) else { return out };
            if key.is_empty() {
                string.clone_into(&mut key);
                out.push_str(&if asterisks { string.to_owned() } else { self.text(string) });
            } else {
                out.push_str(&self.value(&key, string));
                key.clear();
            }
            out.push('"');
            rest = after;
        }
        out.push_str(&self.text(rest));
        out
    }

    fn value(&mut self, key: &str, value: &str) -> String {
        match key {
            "digit" => HIDDEN.to_owned(),
            "bridge_id" | "bridge1_id" | "bridge2_id" => self.bridge(value),
            "extension" => self.number(value),
            "hangupsource" | "retriever" | "parker_dial_string" => self.channel(value),
            _ if key.ends_with("uniqueid") => self.id(value),
            _ if key.ends_with("_name") || key.ends_with("_channel") || key.starts_with("local_") => {
                self.channel(value)
            }
            _ => self.text(value),
        }
    }

    fn bridge(&mut self, bridge: &str) -> String {
        let count = self.bridges.len() + 1;
        self.bridges.entry(bridge.to_owned()).or_insert_with(|| format!("bridge-{count}")).clone()
    }
}

/// Up to so many more arguments: short numbers and letters of options, without what stands in brackets.
fn options<'a>(parts: impl Iterator<Item = &'a str>, most: usize) -> Vec<String> {
    let mut depth = 0;
    let mut kept: Vec<String> = Vec::new();
    for part in parts {
        let mut outside = String::new();
        for sign in part.chars() {
            match sign {
                '(' => depth += 1,
                ')' => depth = (depth - 1).max(0),
                _ if depth == 0 => outside.push(sign),
                _ => {}
            }
        }
        let number =
            outside.len() < super::numbers::SHORTEST && outside.bytes().all(|byte| byte.is_ascii_digit());
        let letters = outside.len() <= 16 && outside.bytes().all(|byte| byte.is_ascii_alphabetic());
        kept.push(if number || letters { outside } else { String::new() });
    }
    kept.truncate(most);
    kept
}

fn joined(first: String, mut more: Vec<String>) -> String {
    while more.last().is_some_and(String::is_empty) {
        more.pop();
    }
    std::iter::once(first).chain(more).collect::<Vec<_>>().join(",")
}

/// Where a JSON string ends, its whole length when it was cut.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices() {
        match sign {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}
