//! What happens to one client.

use std::collections::BTreeMap;

use super::{Entry, Happened, Step, extension, rows::Board};

/// A phone of ours that rings or talks, with the Local pair it was called by.
#[derive(Debug, Clone, Copy)]
struct Phone {
    line: usize,
    extension: &'static str,
    pair: Option<(usize, usize)>,
}

/// An employee's second line and whom he called from it.
#[derive(Debug, Clone, Copy)]
struct Consultation {
    own: usize,
    colleague: Phone,
    agreed: bool,
}

/// Where the client is.
#[derive(Debug, Clone)]
enum Phase {
    Ringing(Vec<Phone>),
    Talking(Phone),
    Consulting(Phone, Consultation),
    Parked,
    Gone,
}

pub(super) struct Story<'a> {
    board: &'a mut Board,
    /// The client's channel.
    client: usize,
    /// The channel that dialled: the client's, or 101's in an outgoing call.
    root: usize,
    inbound: bool,
    number: String,
    phase: Phase,
    on_hold: bool,
    /// Since when he talks with whom.
    since: Option<(&'static str, i64)>,
    talked: BTreeMap<String, i64>,
}

const INTERNAL: &str = "from-internal";

impl<'a> Story<'a> {
    pub(super) fn begin(board: &'a mut Board, entry: Entry, number: &str) -> Self {
        let inbound = entry != Entry::Outgoing;
        let (client, root) = if inbound {
            let did = board.did.clone();
            let client = board.start("PJSIP/trunk", number, None, (&did, "from-trunk"));
            (client, client)
        } else {
            let root = board.start("PJSIP/101", "101", None, (number, INTERNAL));
            let client = board.start("PJSIP/trunk", "", Some(root), ("s", "from-trunk"));
            board.lines[client].number = number.to_owned();
            board.lines[root].app = "Dial";
            board.leg(root, Some(client));
            (client, root)
        };
        let mut story = Self {
            board,
            client,
            root,
            inbound,
            number: number.to_owned(),
            phase: Phase::Ringing(Vec::new()),
            on_hold: false,
            since: None,
            talked: BTreeMap::new(),
        };
        match entry {
            Entry::Phone => story.ring_phones(&["101"], ("101", "ext-local")),
            Entry::Group => story.ring_phones(&["101", "102", "103"], ("600", "ext-group")),
            Entry::Queue => story.ring_queue(),
            Entry::Menu => {
                story.stand_at("s", "ivr-1", "BackGround");
                story.board.answer(client);
                story.board.event("STREAM_BEGIN", client, r#"{"sound":"menu"}"#);
                story.board.now += 3;
                story.board.event("DTMF", client, r#"{"digit":"2","duration_ms":100}"#);
                story.board.event("STREAM_END", client, "");
                story.ring_queue();
            }
            Entry::Outgoing => {
                let phone = Phone { line: root, extension: "101", pair: None };
                story.phase = Phase::Ringing(vec![phone]);
            }
        }
        story
    }

    fn stand_at(&mut self, exten: &str, context: &str, app: &'static str) {
        let line = &mut self.board.lines[self.client];
        line.place = (exten.to_owned(), context.to_owned());
        line.app = app;
    }

    fn ring_phones(&mut self, extensions: &[&'static str], (exten, context): (&str, &str)) {
        self.stand_at(exten, context, "Dial");
        let ring = |extension: &&'static str| {
            let line = self.board.start(
                &format!("PJSIP/{extension}"),
                extension,
                Some(self.client),
                ("s", INTERNAL),
            );
            self.board.lines[line].place.0 = (*extension).to_owned();
            self.board.lines[line].app = "AppDial";
            self.board.leg(self.client, Some(line));
            Phone { line, extension, pair: None }
        };
        self.phase = Phase::Ringing(extensions.iter().map(ring).collect());
    }

    fn ring_queue(&mut self) {
        self.stand_at("500", "ext-queues", "Queue");
        self.board.answer(self.client);
        self.board.event("APP_START", self.client, "");
        self.board.event("STREAM_BEGIN", self.client, r#"{"class":"default"}"#);
        let mut phones = Vec::new();
        for extension in ["101", "102"] {
            let (one, two) = self.board.pair(extension, "from-queue", self.client);
            self.board.lines[one].app = "AppQueue";
            self.board.leg(self.client, Some(one));
            let line = self.board.start(
                &format!("PJSIP/{extension}"),
                extension,
                Some(self.client),
                ("s", INTERNAL),
            );
            self.board.lines[line].place.0 = extension.to_owned();
            self.board.lines[line].app = "AppDial";
            self.board.leg(two, Some(line));
            phones.push(Phone { line, extension, pair: Some((one, two)) });
        }
        self.phase = Phase::Ringing(phones);
    }

    pub(super) fn step(&mut self, step: Step) {
        let (choice, whom) = (usize::from(step.choice), extension(step.whom));
        if !matches!(self.phase, Phase::Gone) {
            self.board.now += i64::from(step.wait);
        }
        match self.phase.clone() {
            Phase::Ringing(phones) => match choice % 12 {
                0 => self.client_leaves(),
                1 | 2 if self.inbound => self.pick_up(&phones, whom),
                3 | 4 if phones.len() > 1 => self.decline(phones, usize::from(step.whom)),
                _ => self.lifted(&phones, usize::from(step.whom) % phones.len()),
            },
            Phase::Talking(phone) if whom == phone.extension => self.hold(!self.on_hold),
            Phase::Talking(phone) => match choice % 12 {
                0 => self.client_leaves(),
                1 | 2 => self.hold(!self.on_hold),
                3..=5 => {
                    self.let_go(phone, whom);
                    self.ring_phones(&[whom], (whom, "ext-local"));
                }
                6 => {
                    self.let_go(phone, "500");
                    self.ring_queue();
                }
                7 | 8 if self.inbound => self.park(phone),
                _ => self.consult(phone, whom),
            },
            Phase::Consulting(phone, consultation) => match choice % 8 {
                0 => self.client_leaves(),
                1 | 2 => self.come_back(phone, consultation),
                _ if consultation.agreed => self.join(phone, consultation),
                _ => self.agree(phone, consultation),
            },
            Phase::Parked if choice % 8 == 0 => self.client_leaves(),
            Phase::Parked => self.retrieve(whom),
            Phase::Gone => {}
        }
    }

    fn decline(&mut self, mut phones: Vec<Phone>, which: usize) {
        let phone = phones.remove(which % phones.len());
        self.stop_ringing(phone, 21);
        self.phase = Phase::Ringing(phones);
    }

    fn lifted(&mut self, phones: &[Phone], at: usize) {
        if !self.inbound && self.board.lines[self.client].answered.is_none() {
            self.board.answer(self.client);
            self.board.answer(self.root);
            self.talk(Phone { line: self.root, extension: "101", pair: None });
            return;
        }
        let phone = phones[at];
        self.board.answer(phone.line);
        if let Some((one, two)) = phone.pair {
            self.board.answer(one);
            self.board.answer(two);
        }
        for other in phones.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| *other) {
            self.stop_ringing(other, 26);
        }
        if self.board.lines[self.client].app == "Queue" {
            self.board.event("STREAM_END", self.client, "");
        }
        self.board.answer(self.client);
        self.talk(phone);
    }

    /// Joins the client with a phone, maybe through its Local pair.
    fn talk(&mut self, phone: Phone) {
        let bridge = self.board.new_bridge();
        let caller = if phone.line == self.root { self.root } else { self.client };
        match phone.pair {
            Some((one, two)) => {
                self.board.enter(phone.line, &bridge, "simple_bridge");
                self.board.enter(two, &bridge, "simple_bridge");
                let bridge = self.board.new_bridge();
                self.board.enter(one, &bridge, "simple_bridge");
                self.board.enter(self.client, &bridge, "simple_bridge");
                self.board.leg_answered(self.client, one);
                self.board.leg_answered(two, phone.line);
            }
            None if caller == self.root && !self.inbound => {
                self.board.enter(self.client, &bridge, "simple_bridge");
                self.board.enter(self.root, &bridge, "simple_bridge");
                self.board.leg_answered(self.root, self.client);
            }
            None => {
                self.board.enter(phone.line, &bridge, "simple_bridge");
                self.board.enter(self.client, &bridge, "simple_bridge");
                self.board.leg_answered(self.client, phone.line);
            }
        }
        self.phase = Phase::Talking(phone);
        self.on_hold = false;
        self.talks_with(Some(phone.extension));
    }

    /// Counts the time with whom he was, and begins to count with another.
    fn talks_with(&mut self, extension: Option<&'static str>) {
        if let Some((before, since)) = self.since.take() {
            *self.talked.entry(before.to_owned()).or_default() += self.board.now - since;
        }
        self.since = extension.map(|extension| (extension, self.board.now));
    }

    fn stop_ringing(&mut self, phone: Phone, cause: u32) {
        self.board.hang_up(phone.line, cause, "");
        if let Some((one, two)) = phone.pair {
            self.board.hang_up(one, cause, "");
            self.board.hang_up(two, cause, "CANCEL");
        }
        let of = move |line: usize| {
            line == phone.line || phone.pair.is_some_and(|(one, two)| line == one || line == two)
        };
        self.board.legs_end(|caller, called| of(caller) || called.is_some_and(of));
    }

    fn pick_up(&mut self, phones: &[Phone], by: &'static str) {
        let target = phones[0];
        let own = self.board.start(&format!("PJSIP/{by}"), by, None, ("*8", INTERNAL));
        self.board.lines[own].app = "Pickup";
        self.board.answer(own);
        let (name, uniqueid) = (self.board.lines[own].name.clone(), self.board.lines[own].uniqueid.clone());
        let extra = format!(r#"{{"pickup_channel":"{name}","pickup_channel_uniqueid":"{uniqueid}"}}"#);
        self.board.event("PICKUP", target.line, &extra);
        self.board.hang_up(target.line, 26, "");
        let caller = target.pair.map_or(self.client, |(_, two)| two);
        self.board.legs_end(|_, called| called == Some(target.line));
        self.board.leg(caller, Some(own));
        let phone = Phone { line: own, extension: by, pair: target.pair };
        if let Some((one, two)) = phone.pair {
            self.board.answer(one);
            self.board.answer(two);
        }
        for other in &phones[1..] {
            self.stop_ringing(*other, 26);
        }
        if self.board.lines[self.client].app == "Queue" {
            self.board.event("STREAM_END", self.client, "");
        }
        self.board.answer(self.client);
        self.board.merge(own, self.client);
        self.talk(phone);
    }

    fn hold(&mut self, on: bool) {
        let (event, extra) = if on { ("STREAM_BEGIN", r#"{"class":"default"}"#) } else { ("STREAM_END", "") };
        self.board.event(event, self.client, extra);
        self.on_hold = on;
        let Phase::Talking(phone) = self.phase else { return };
        self.talks_with((!on).then_some(phone.extension));
    }

    /// The employee is out of the call, the client is not; `to` is where he is sent.
    fn let_go(&mut self, phone: Phone, to: &str) {
        if self.on_hold {
            self.hold(false);
        }
        self.talks_with(None);
        let bridge = self.board.lines[phone.line].bridge.clone().unwrap_or_default();
        let (name, uniqueid) =
            (self.board.lines[self.client].name.clone(), self.board.lines[self.client].uniqueid.clone());
        let extra = format!(
            r#"{{"extension":"{to}","context":"from-internal-xfer","bridge_id":"{bridge}","transferee_channel_name":"{name}","transferee_channel_uniqueid":"{uniqueid}"}}"#
        );
        self.board.event("BLINDTRANSFER", phone.line, &extra);
        self.board.leave(self.client);
        self.release(phone);
    }

    fn release(&mut self, phone: Phone) {
        let of = move |line: usize| {
            line == phone.line || phone.pair.is_some_and(|(one, two)| line == one || line == two)
        };
        self.board.hang_up(phone.line, 16, "");
        if let Some((one, two)) = phone.pair {
            self.board.hang_up(one, 16, "");
            self.board.hang_up(two, 16, "ANSWER");
        }
        self.board.legs_end(|caller, called| of(caller) || called.is_some_and(of));
    }

    fn consult(&mut self, phone: Phone, with: &'static str) {
        if self.on_hold {
            self.hold(false);
        }
        self.talks_with(None);
        let own =
            self.board.start(&format!("PJSIP/{}", phone.extension), phone.extension, None, (with, INTERNAL));
        self.board.event("STREAM_BEGIN", self.client, r#"{"class":"default"}"#);
        self.board.lines[own].app = "Dial";
        let line = self.board.start(&format!("PJSIP/{with}"), with, Some(own), ("s", INTERNAL));
        self.board.lines[line].place.0 = with.to_owned();
        self.board.lines[line].app = "AppDial";
        self.board.leg(own, Some(line));
        let colleague = Phone { line, extension: with, pair: None };
        self.phase = Phase::Consulting(phone, Consultation { own, colleague, agreed: false });
    }

    fn agree(&mut self, phone: Phone, consultation: Consultation) {
        let Consultation { own, colleague, .. } = consultation;
        self.board.answer(colleague.line);
        self.board.answer(own);
        let bridge = self.board.new_bridge();
        self.board.enter(colleague.line, &bridge, "simple_bridge");
        self.board.enter(own, &bridge, "simple_bridge");
        self.board.leg_answered(own, colleague.line);
        self.phase = Phase::Consulting(phone, Consultation { agreed: true, ..consultation });
    }

    fn join(&mut self, phone: Phone, Consultation { own, colleague, .. }: Consultation) {
        let bridges =
            [self.client, own].map(|line| self.board.lines[line].bridge.clone().unwrap_or_default());
        let second = self.board.lines[own].uniqueid.clone();
        let target = self.board.lines[colleague.line].uniqueid.clone();
        self.board.leave(self.client);
        self.board.leave(own);
        self.board.enter(self.client, &bridges[1], "simple_bridge");
        self.board.event("STREAM_END", self.client, "");
        let extra = format!(
            r#"{{"bridge1_id":"{}","channel2_uniqueid":"{second}","bridge2_id":"{}","transfer_target_channel_uniqueid":"{target}"}}"#,
            bridges[0], bridges[1]
        );
        self.board.event("ATTENDEDTRANSFER", phone.line, &extra);
        self.board.merge(colleague.line, self.client);
        self.board.hang_up(own, 16, "ANSWER");
        self.board.legs_end(|caller, _| caller == own);
        self.release(phone);
        self.board.leg(self.client, Some(colleague.line));
        self.board.leg_answered(self.client, colleague.line);
        self.phase = Phase::Talking(colleague);
        self.talks_with(Some(colleague.extension));
    }

    fn come_back(&mut self, phone: Phone, Consultation { own, colleague, .. }: Consultation) {
        self.board.hang_up(colleague.line, 16, "");
        self.board.hang_up(own, 16, "CANCEL");
        self.board.legs_end(|caller, _| caller == own);
        self.board.event("STREAM_END", self.client, "");
        self.phase = Phase::Talking(phone);
        self.talks_with(Some(phone.extension));
    }

    fn park(&mut self, phone: Phone) {
        self.let_go(phone, "70");
        let parker =
            format!(r#"{{"parker_dial_string":"PJSIP/{}","parking_lot":"default"}}"#, phone.extension);
        self.board.event("PARK_START", self.client, &parker);
        let lot = self.board.new_bridge();
        self.board.enter(self.client, &lot, "holding_bridge");
        self.board.event("STREAM_BEGIN", self.client, r#"{"class":"default"}"#);
        self.phase = Phase::Parked;
    }

    fn retrieve(&mut self, by: &'static str) {
        let own = self.board.start(&format!("PJSIP/{by}"), by, None, ("71", INTERNAL));
        self.board.lines[own].app = "ParkedCall";
        self.board.answer(own);
        self.board.event("STREAM_END", self.client, "");
        let name = self.board.lines[own].name.clone();
        let extra = format!(r#"{{"reason":"ParkedCallUnparked","retriever":"{name}"}}"#);
        self.board.event("PARK_END", self.client, &extra);
        self.board.leave(self.client);
        let bridge = self.board.new_bridge();
        self.board.enter(self.client, &bridge, "simple_bridge");
        self.board.merge(own, self.client);
        self.board.enter(own, &bridge, "simple_bridge");
        self.board.leg(self.client, Some(own));
        self.board.leg_answered(self.client, own);
        let phone = Phone { line: own, extension: by, pair: None };
        self.phase = Phase::Talking(phone);
        self.on_hold = false;
        self.talks_with(Some(by));
    }

    fn client_leaves(&mut self) {
        if self.on_hold && matches!(self.phase, Phase::Talking(_)) {
            self.hold(false);
        }
        self.talks_with(None);
        match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Ringing(phones) => {
                let root = self.root;
                for phone in phones.into_iter().filter(|phone| phone.line != root) {
                    self.stop_ringing(phone, 16);
                }
            }
            Phase::Talking(phone) => {
                self.board.leave(self.client);
                self.release(phone);
            }
            Phase::Consulting(phone, consultation) => {
                self.board.event("STREAM_END", self.client, "");
                self.board.leave(self.client);
                self.release(phone);
                self.board.hang_up(self.client, 16, "ANSWER");
                self.board.now += 2;
                self.board.hang_up(consultation.colleague.line, 16, "");
                self.board.hang_up(consultation.own, 16, "ANSWER");
            }
            Phase::Parked => {
                self.board.event("PARK_END", self.client, r#"{"reason":"ParkedCallGiveUp"}"#);
                self.board.leave(self.client);
            }
            Phase::Gone => {}
        }
        self.board.hang_up(self.client, 16, "ANSWER");
        self.board.hang_up(self.root, 16, "ANSWER");
        self.board.legs_end(|_, _| true);
    }

    pub(super) fn end(mut self) -> Happened {
        self.client_leaves();
        let id = self.board.lines[self.root].uniqueid.clone();
        let board = std::mem::replace(self.board, Board::new(0, 0));
        Happened { rows: board.rows(), id, inbound: self.inbound, client: self.number, talked: self.talked }
    }
}
