//! Channels, bridges and the rows they leave.

use perezvon::logic::call::{CallRows, CdrRow, CelRow};

/// 20 November 2026, 09:00:00 UTC; noon in Moscow.
const NOON: i64 = 1_795_165_200;

/// A channel.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) uniqueid: String,
    pub(super) linkedid: String,
    /// Linkedid that it began with.
    root: String,
    /// Caller number.
    pub(super) number: String,
    pub(super) place: (String, String),
    pub(super) app: &'static str,
    pub(super) bridge: Option<String>,
    pub(super) answered: Option<i64>,
    pub(super) alive: bool,
}

/// A leg that goes on.
#[derive(Debug, Clone)]
struct Leg {
    caller: usize,
    called: Option<usize>,
    began: i64,
    answered: bool,
}

/// Asterisk, as far as its tables show it.
pub(super) struct Board {
    pub(super) now: i64,
    first: u64,
    pub(super) lines: Vec<Line>,
    legs: Vec<Leg>,
    bridges: u32,
    sequence: i64,
    pub(super) did: String,
    rows: CallRows,
}

impl Board {
    pub(super) fn new(second: i64, first: u64) -> Self {
        Self {
            now: second,
            first,
            lines: Vec::new(),
            legs: Vec::new(),
            bridges: 0,
            sequence: i64::try_from(first).unwrap(),
            did: "74951234567".to_owned(),
            rows: CallRows::default(),
        }
    }

    pub(super) fn rows(self) -> CallRows {
        self.rows
    }

    /// A channel begins, on behalf of `root` or by itself.
    pub(super) fn start(
        &mut self,
        endpoint: &str,
        number: &str,
        root: Option<usize>,
        (exten, context): (&str, &str),
    ) -> usize {
        let counter = self.first + u64::try_from(self.lines.len()).unwrap();
        let uniqueid = format!("{}.{counter}", NOON + self.now);
        let linkedid = root.map_or_else(|| uniqueid.clone(), |root| self.lines[root].linkedid.clone());
        self.lines.push(Line {
            name: format!("{endpoint}-{counter:08x}"),
            uniqueid,
            root: linkedid.clone(),
            linkedid,
            number: number.to_owned(),
            place: (exten.to_owned(), context.to_owned()),
            app: "",
            bridge: None,
            answered: None,
            alive: true,
        });
        let line = self.lines.len() - 1;
        self.event("CHAN_START", line, "");
        line
    }

    /// Both halves of a Local pair, with one counter.
    pub(super) fn pair(&mut self, exten: &str, context: &str, root: usize) -> (usize, usize) {
        let endpoint = format!("Local/{exten}@{context}");
        let counter = self.first + u64::try_from(self.lines.len()).unwrap();
        let halves = [1, 2].map(|half| {
            let line = self.start(&endpoint, "", Some(root), (exten, context));
            let name = format!("{endpoint}-{counter:08x};{half}");
            self.rows.cel.last_mut().unwrap().channame.clone_from(&name);
            self.lines[line].name = name;
            line
        });
        (halves[0], halves[1])
    }

    pub(super) fn event(&mut self, eventtype: &str, line: usize, extra: &str) {
        let peer = self.peer(line, eventtype);
        let line = &self.lines[line];
        let id = i64::try_from(self.rows.cel.len()).unwrap() + i64::try_from(self.first * 1000).unwrap() + 1;
        let began = eventtype == "CHAN_START";
        self.rows.cel.push(CelRow {
            id,
            eventtype: eventtype.to_owned(),
            eventtime: wall(self.now),
            cid_num: line.number.clone(),
            cid_ani: if began { String::new() } else { line.number.clone() },
            exten: line.place.0.clone(),
            context: line.place.1.clone(),
            channame: line.name.clone(),
            appname: line.app.to_owned(),
            uniqueid: line.uniqueid.clone(),
            linkedid: line.linkedid.clone(),
            peer,
            extra: extra.to_owned(),
            ..CelRow::default()
        });
    }

    /// Who is in the bridge already.
    fn peer(&self, line: usize, eventtype: &str) -> String {
        if eventtype != "BRIDGE_ENTER" {
            return String::new();
        }
        let bridge = &self.lines[line].bridge;
        let mut others =
            self.lines.iter().enumerate().filter(|(other, one)| *other != line && one.bridge == *bridge);
        others.next().map(|(_, one)| one.name.clone()).unwrap_or_default()
    }

    pub(super) fn answer(&mut self, line: usize) {
        if self.lines[line].answered.is_none() {
            self.lines[line].answered = Some(self.now);
            self.event("ANSWER", line, "");
        }
    }

    pub(super) fn new_bridge(&mut self) -> String {
        self.bridges += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.first, self.bridges)
    }

    pub(super) fn enter(&mut self, line: usize, bridge: &str, technology: &str) {
        self.lines[line].bridge = Some(bridge.to_owned());
        let extra = format!(r#"{{"bridge_id":"{bridge}","bridge_technology":"{technology}"}}"#);
        self.event("BRIDGE_ENTER", line, &extra);
    }

    pub(super) fn leave(&mut self, line: usize) {
        if let Some(bridge) = self.lines[line].bridge.take() {
            let extra = format!(r#"{{"bridge_id":"{bridge}","bridge_technology":"simple_bridge"}}"#);
            self.event("BRIDGE_EXIT", line, &extra);
        }
    }

    /// Out of its bridge, and gone; the last of its call ends the call.
    pub(super) fn hang_up(&mut self, line: usize, cause: u32, status: &str) {
        if !self.lines[line].alive {
            return;
        }
        self.leave(line);
        let extra = format!(r#"{{"hangupcause":{cause},"hangupsource":"","dialstatus":"{status}"}}"#);
        self.event("HANGUP", line, &extra);
        self.event("CHAN_END", line, "");
        self.lines[line].alive = false;
        let linkedid = self.lines[line].linkedid.clone();
        if !self.lines.iter().any(|other| other.alive && other.linkedid == linkedid) {
            self.event("LINKEDID_END", line, "");
        }
    }

    /// The line's call becomes part of another one.
    pub(super) fn merge(&mut self, line: usize, into: usize) {
        let (own, linkedid) = (self.lines[line].linkedid.clone(), self.lines[into].linkedid.clone());
        self.lines[line].linkedid = linkedid;
        if !self.lines.iter().any(|other| other.alive && other.linkedid == own) {
            let now = self.lines[line].linkedid.clone();
            self.lines[line].linkedid = own;
            self.event("LINKEDID_END", line, "");
            self.lines[line].linkedid = now;
        }
    }

    pub(super) fn leg(&mut self, caller: usize, called: Option<usize>) {
        let leg = Leg { caller, called, began: self.now, answered: false };
        self.legs.push(leg);
    }

    /// The two talk.
    pub(super) fn leg_answered(&mut self, caller: usize, called: usize) {
        for leg in self.legs.iter_mut().filter(|leg| leg.caller == caller && leg.called == Some(called)) {
            leg.answered = true;
        }
    }

    /// Writes down the legs of this line that nothing more happens to.
    pub(super) fn legs_end(&mut self, of: impl Fn(usize, Option<usize>) -> bool) {
        let legs = std::mem::take(&mut self.legs);
        let (done, open): (Vec<Leg>, Vec<Leg>) = legs.into_iter().partition(|leg| of(leg.caller, leg.called));
        self.legs = open;
        for leg in done {
            let (caller, called) = (&self.lines[leg.caller], leg.called.map(|called| &self.lines[called]));
            self.sequence += 1;
            let talked = called.and_then(|called| called.answered).filter(|_| leg.answered);
            let row = CdrRow {
                calldate: wall(leg.began),
                clid: format!("\"\" <{}>", caller.number),
                src: caller.number.clone(),
                dst: caller.place.0.clone(),
                dcontext: caller.place.1.clone(),
                channel: caller.name.clone(),
                dstchannel: called.map(|called| called.name.clone()).unwrap_or_default(),
                lastapp: if caller.app == "Queue" { "Queue" } else { "Dial" }.to_owned(),
                duration: self.now - leg.began,
                billsec: talked.map_or(0, |at| self.now - at.max(leg.began)),
                disposition: if talked.is_some() { "ANSWERED" } else { "NO ANSWER" }.to_owned(),
                uniqueid: caller.uniqueid.clone(),
                did: if caller.place.1.starts_with("from-") { String::new() } else { self.did.clone() },
                cnum: caller.number.clone(),
                linkedid: caller.root.clone(),
                sequence: Some(self.sequence),
                ..CdrRow::default()
            };
            self.rows.cdr.push(row);
        }
    }
}

fn wall(second: i64) -> String {
    let time = chrono::DateTime::from_timestamp(NOON + second + 3 * 3600, 0).unwrap();
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}
