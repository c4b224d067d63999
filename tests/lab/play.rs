//! Plays a script: each step makes something happen on the outside world's Asterisk or the PBX, then waits for events.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use tokio::process::Command;

use crate::{
    ami::{Ami, Event},
    dialplan::Dialplan,
    lab::Lane,
    legs::{Leg, legs},
    scenario::Scenario,
    script::{Click, Forward, Line, Party, Step},
    service::Service,
};

/// How long a phone may take to ring or a call to be picked up.
const PICK_UP: Duration = Duration::from_secs(40);
/// How long a party waits for the PBX to end its call.
const DROP: Duration = Duration::from_secs(90);
/// How long Asterisk may take for what it does at once.
const AT_ONCE: Duration = Duration::from_secs(8);
/// Between two tones, and after the last: the PBX then plays its prompt.
const BETWEEN_DIGITS: Duration = Duration::from_millis(250);
const AFTER_DIGITS: Duration = Duration::from_millis(1_000);

/// Why a script could not be played: nothing is known about the story then.
#[derive(Debug)]
pub(crate) struct Unplayable(pub(crate) String);

impl From<String> for Unplayable {
    fn from(why: String) -> Self {
        Self(why)
    }
}

/// A change of the PBX that is taken back after the scenario.
enum Undo {
    Put { family: String, key: String, value: String },
    Delete { family: String, key: String },
    Register(String),
    Global { name: String, value: String },
    Config { text: String },
}

/// What happened, for the fixture and for the faults.
pub(crate) struct Played {
    /// Seconds since the beginning, and what.
    pub(crate) timeline: Vec<(f64, String)>,
    /// The PBX's events since the beginning.
    pub(crate) events: Vec<Event>,
    /// Channels that the PBX still had long after the last call.
    pub(crate) leak: Option<String>,
    /// When phones began to ring, in seconds after the client's call; together means once.
    pub(crate) rings: Vec<f64>,
    /// What phones showed, and should not have.
    pub(crate) shown: Vec<String>,
}

/// A scenario on a lane, while it plays.
pub(crate) struct Play<'a> {
    lane: &'a Lane,
    outside: &'a Ami,
    pbx: &'a mut Ami,
    service: &'a Service,
    began: Instant,
    outside_mark: usize,
    pbx_mark: usize,
    /// Events of a PBX that was killed since.
    before: Vec<Event>,
    placed: Vec<Leg>,
    timeline: Vec<(f64, String)>,
    undo: Vec<Undo>,
    dialplan: Dialplan<'a>,
    shown: Vec<String>,
}

impl<'a> Play<'a> {
    pub(crate) fn new(lane: &'a Lane, outside: &'a Ami, pbx: &'a mut Ami, service: &'a Service) -> Self {
        let (outside_mark, pbx_mark) = (outside.mark(), pbx.mark());
        Self {
            lane,
            outside,
            pbx,
            service,
            began: Instant::now(),
            outside_mark,
            pbx_mark,
            before: Vec::new(),
            placed: Vec::new(),
            timeline: Vec::new(),
            undo: Vec::new(),
            dialplan: Dialplan::new(lane, service),
            shown: Vec::new(),
        }
    }

    /// Plays all of it; leaves the lane as it was, also when a step failed.
    pub(crate) async fn play(mut self, scenario: &Scenario) -> (Result<(), Unplayable>, Played) {
        let mut played = self.prepare(scenario).await.map_err(Unplayable);
        for line in &scenario.lines {
            if played.is_err() {
                break;
            }
            self.tell(&line.text);
            played = self.perform(line).await.map_err(|Unplayable(why)| {
                Unplayable(format!("line {} “{}”: {why}", line.number, line.text))
            });
        }
        let (ended, leak) = match self.end().await {
            Ok(leak) => (Ok(()), leak),
            Err(why) => (Err(why), None),
        };
        let (rings, shown) = (rings(&self.legs()), std::mem::take(&mut self.shown));
        let undone = self.take_back().await;
        let mut events = self.before;
        events.extend(self.pbx.since(self.pbx_mark));
        let undone = undone.map_err(Unplayable);
        let played = played.and(ended).and(undone);
        (played, Played { timeline: self.timeline, events, leak, rings, shown })
    }

    fn tell(&mut self, what: &str) {
        let seconds = (self.began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        self.timeline.push((seconds, what.to_owned()));
    }

    /// What the scenario wants of the PBX before it begins.
    async fn prepare(&mut self, scenario: &Scenario) -> Result<(), String> {
        self.outside.ask(&[("Action", "DBDelTree"), ("Family", "phone")]).await.or_else(none_there)?;
        if let Some(form) = scenario.asks {
            self.dialplan.ship(form, self.pbx).await?;
        }
        if let Some(options) = &scenario.record_options {
            self.set_global("RECORD_OPTIONS", options).await?;
        }
        if !scenario.cdr_conf.is_empty() {
            let path = self.lane.etc.join("cdr.conf");
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let more: String =
                scenario.cdr_conf.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            self.undo.push(Undo::Config { text: text.clone() });
            self.write_cdr_conf(&format!("{text}\n[general](+)\n{more}")).await?;
        }
        Ok(())
    }

    async fn perform(&mut self, line: &Line) -> Result<(), Unplayable> {
        match &line.step {
            Step::Behaves { number, how } => self.behaves(number, how).await?,
            Step::Registers { extension, on } => self.registers(extension, *on).await?,
            Step::Forwards { extension, when, to } => {
                self.put_until_the_end(family(*when), extension, to).await?;
            }
            Step::DoesNotDisturb { extension } => self.put_until_the_end("DND", extension, "YES").await?,
            Step::FollowMe { extension, on } => self.follow_me(extension, *on).await?,
            Step::CrmKnows { number, name, extension } => self.service.knows(number, name, extension).await?,
            Step::ClientCalls { number, did, name, hidden } => {
                self.client_calls(number, did, name.as_deref(), *hidden).await?;
            }
            Step::Calls { extension, to } => self.dials(extension, to).await?,
            Step::Talks { party, seconds } => self.talks(party, *seconds).await?,
            Step::Rings { party, seconds } => self.rings(party, *seconds).await?,
            Step::Presses { party, digits } => self.presses(party, digits).await?,
            Step::Refers { extension, to } => {
                let leg = self.live(&phone(extension))?;
                self.refer(&leg, "refers", to).await?;
            }
            Step::Consults { extension, to } => {
                let leg = self.live(&phone(extension))?;
                self.redirect(&leg, "holds", "s").await?;
                self.dials(extension, to).await?;
            }
            Step::Joins { extension } => self.joins(extension).await?,
            Step::Cancels { extension } => self.cancels(extension).await?,
            Step::Holds { party } => {
                let leg = self.live(party)?;
                self.redirect(&leg, "holds", "s").await?;
            }
            Step::Resumes { party } => {
                let leg = self.live(party)?;
                self.redirect(&leg, "talks", "s").await?;
            }
            Step::HangsUp { party } => {
                let leg = self.live(party)?;
                self.hang_up(&leg).await?;
            }
            Step::IsDropped { party } => self.is_dropped(party).await?,
            Step::Clicks { extension, to, form } => self.clicks(extension, to, *form).await?,
            Step::Waits { seconds } => tokio::time::sleep(*seconds).await,
            Step::KillsThePbx => self.kill_the_pbx().await?,
            Step::Perezvon(trouble) => self.dialplan.perform(trouble, self.pbx).await?,
            Step::Sees { extension, name } => self.sees(extension, name).await?,
            Step::ReloadsCdr => {
                self.pbx.command("module reload cdr").await?;
            }
        }
        Ok(())
    }

    // Before and between calls.

    async fn behaves(&self, number: &str, how: &str) -> Result<(), String> {
        let put = [("Action", "DBPut"), ("Family", "phone"), ("Key", number), ("Val", how)];
        self.outside.ask(&put).await.map(|_| ())
    }

    async fn registers(&mut self, extension: &str, on: bool) -> Result<(), Unplayable> {
        let mark = self.pbx.mark();
        let action = if on { "PJSIPRegister" } else { "PJSIPUnregister" };
        if !on {
            self.undo.push(Undo::Register(extension.to_owned()));
        }
        self.outside.ask(&[("Action", action), ("Registration", extension)]).await?;
        let states: &[&str] = if on { &["NonQualified", "Reachable", "Created"] } else { &["Removed"] };
        let pbx = &*self.pbx;
        wait(pbx, AT_ONCE, &format!("the PBX hears of {action} {extension}"), || {
            let events = pbx.since(mark);
            let of = |event: &&Event| event.is("ContactStatus") && event.get("AOR") == extension;
            events.iter().filter(of).any(|event| states.contains(&event.get("ContactStatus"))).then_some(())
        })
        .await
    }

    async fn put(&self, family: &str, key: &str, value: &str) -> Result<(), String> {
        let put = [("Action", "DBPut"), ("Family", family), ("Key", key), ("Val", value)];
        self.pbx.ask(&put).await.map(|_| ())
    }

    async fn put_until_the_end(&mut self, family: &str, key: &str, value: &str) -> Result<(), String> {
        self.undo.push(Undo::Delete { family: family.to_owned(), key: key.to_owned() });
        self.put(family, key, value).await
    }

    async fn follow_me(&mut self, extension: &str, on: bool) -> Result<(), String> {
        let key = format!("{extension}/followme/ddial");
        let off = Undo::Put { family: "AMPUSER".into(), key: key.clone(), value: "EXTENSION".into() };
        self.undo.push(off);
        self.put("AMPUSER", &key, if on { "DIRECT" } else { "EXTENSION" }).await
    }

    async fn set_global(&mut self, name: &str, value: &str) -> Result<(), String> {
        let was = self.pbx.ask(&[("Action", "Getvar"), ("Variable", name)]).await?;
        self.undo.push(Undo::Global { name: name.to_owned(), value: was.get("Value").to_owned() });
        self.pbx.ask(&[("Action", "Setvar"), ("Variable", name), ("Value", value)]).await.map(|_| ())
    }

    async fn write_cdr_conf(&self, text: &str) -> Result<(), String> {
        let path = self.lane.etc.join("cdr.conf");
        fs::write(&path, text).map_err(|error: io::Error| format!("{}: {error}", path.display()))?;
        self.pbx.command("module reload cdr").await.map(|_| ())
    }

    // Calls begin.

    async fn client_calls(
        &mut self,
        number: &str,
        did: &str,
        name: Option<&str>,
        hidden: bool,
    ) -> Result<(), Unplayable> {
        let endpoint = if hidden { "company-hidden" } else { "company" };
        let caller = match (hidden, name) {
            (true, _) => "anonymous".to_owned(),
            (false, Some(name)) => format!("\"{name}\" <{number}>"),
            (false, None) => format!("<{number}>"),
        };
        self.originate(number, did, &format!("PJSIP/{did}@{endpoint}"), &caller).await
    }

    async fn dials(&mut self, extension: &str, to: &str) -> Result<(), Unplayable> {
        self.originate(extension, to, &format!("PJSIP/{to}@{extension}"), &format!("<{extension}>")).await
    }

    async fn originate(
        &mut self,
        number: &str,
        to: &str,
        channel: &str,
        caller: &str,
    ) -> Result<(), Unplayable> {
        let id = format!("lab-{}-{}", self.outside.mark(), self.placed.len());
        self.placed.push(Leg::placed(number, to, &id));
        let originate = [
            ("Action", "Originate"),
            ("Channel", channel),
            ("ChannelId", &id),
            ("CallerID", caller),
            ("Context", "talks"),
            ("Exten", "s"),
            ("Priority", "1"),
            ("Timeout", "280000"),
            ("Async", "true"),
        ];
        self.outside.ask(&originate).await?;
        self.until(AT_ONCE, &format!("{channel} is dialled"), |legs| {
            legs.iter().find(|leg| leg.uniqueid == id && leg.channel.is_some()).map(|_| ())
        })
        .await
    }

    async fn clicks(&mut self, extension: &str, to: &str, form: Click) -> Result<(), String> {
        let (channel, caller) = match form {
            Click::Pjsip => (format!("PJSIP/{extension}"), to),
            Click::Local => (format!("Local/{extension}@from-internal"), extension),
        };
        let originate = [
            ("Action", "Originate"),
            ("Channel", channel.as_str()),
            ("CallerID", &format!("<{caller}>")),
            ("Context", "from-internal"),
            ("Exten", to),
            ("Priority", "1"),
            ("Timeout", "30000"),
            ("Async", "true"),
        ];
        self.pbx.ask(&originate).await.map(|_| ())
    }

    // In calls.

    async fn talks(&mut self, party: &Party, seconds: Duration) -> Result<(), Unplayable> {
        let now = Instant::now();
        let who = &party.number;
        let (leg, up) = self
            .until(PICK_UP, &format!("{who} is in a call"), |legs| {
                let leg = newest(legs, party)?;
                Some((leg.clone(), leg.up?))
            })
            .await?;
        self.stays(&leg, up.max(now) + seconds).await
    }

    async fn rings(&mut self, party: &Party, seconds: Duration) -> Result<(), Unplayable> {
        let now = Instant::now();
        let what = format!("{} rings", party.number);
        let leg = self.until(PICK_UP, &what, |legs| newest(legs, party).cloned()).await?;
        self.stays(&leg, leg.began.max(now) + seconds).await
    }

    async fn sees(&mut self, extension: &str, name: &str) -> Result<(), Unplayable> {
        let party = phone(extension);
        let what = format!("{extension} rings");
        let leg = self.until(PICK_UP, &what, |legs| newest(legs, &party).cloned()).await?;
        if leg.shown != name {
            self.shown.push(format!("{extension} shows “{}”, not “{name}”", leg.shown));
        }
        Ok(())
    }

    /// Nothing happens to the call until then.
    async fn stays(&mut self, leg: &Leg, until: Instant) -> Result<(), Unplayable> {
        let what = format!("{} goes on", leg.number);
        let patience = until.saturating_duration_since(Instant::now());
        let ended = self
            .until(patience, &what, |legs| {
                legs.iter().find(|other| other.uniqueid == leg.uniqueid)?.gone.clone()
            })
            .await;
        match ended {
            Err(_) => Ok(()),
            Ok((at, why)) => {
                let early = until.saturating_duration_since(at).as_secs_f64();
                Err(Unplayable(format!("the call of {} ended {early:.1} s too early ({why})", leg.number)))
            }
        }
    }

    async fn presses(&mut self, party: &Party, digits: &str) -> Result<(), Unplayable> {
        let leg = self.live(party)?;
        for digit in digits.chars().map(String::from) {
            let channel = leg.channel.as_deref().unwrap_or_default();
            let play = [("Action", "PlayDTMF"), ("Channel", channel), ("Digit", &digit), ("Duration", "120")];
            self.outside.ask(&play).await?;
            tokio::time::sleep(BETWEEN_DIGITS).await;
        }
        tokio::time::sleep(AFTER_DIGITS).await;
        Ok(())
    }

    async fn joins(&mut self, extension: &str) -> Result<(), Unplayable> {
        let (held, second) = self.two_calls(extension)?;
        let other = [
            ("Action", "Setvar"),
            ("Channel", held.channel.as_deref().unwrap_or_default()),
            ("Variable", "OTHER_CALL"),
            ("Value", second.channel.as_deref().unwrap_or_default()),
        ];
        self.outside.ask(&other).await?;
        let to = second.dialled.clone().unwrap_or_default();
        self.refer(&held, "joins", &to).await
    }

    async fn cancels(&mut self, extension: &str) -> Result<(), Unplayable> {
        let (held, second) = self.two_calls(extension)?;
        self.hang_up(&second).await?;
        Ok(self.redirect(&held, "talks", "s").await?)
    }

    /// Sends a REFER and waits for what came of it.
    async fn refer(&mut self, leg: &Leg, context: &str, to: &str) -> Result<(), Unplayable> {
        // The phone hears of the outcome when the target has answered or refused; the next step waits for the target.
        Ok(self.redirect(leg, context, to).await?)
    }

    async fn redirect(&self, leg: &Leg, context: &str, exten: &str) -> Result<(), String> {
        let redirect = [
            ("Action", "Redirect"),
            ("Channel", leg.channel.as_deref().unwrap_or_default()),
            ("Context", context),
            ("Exten", exten),
            ("Priority", "1"),
        ];
        self.outside.ask(&redirect).await.map(|_| ())
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Unplayable> {
        let channel = leg.channel.as_deref().unwrap_or_default();
        self.outside.ask(&[("Action", "Hangup"), ("Channel", channel), ("Cause", "16")]).await?;
        self.until(AT_ONCE, &format!("{} has hung up", leg.number), |legs| {
            legs.iter().find(|other| other.uniqueid == leg.uniqueid && !other.is_live()).map(|_| ())
        })
        .await
    }

    async fn is_dropped(&mut self, party: &Party) -> Result<(), Unplayable> {
        self.until(DROP, &format!("the PBX ends the call of {}", party.number), |legs| {
            let own: Vec<&Leg> = legs.iter().filter(|leg| leg.is_of(party)).collect();
            (!own.is_empty() && own.iter().all(|leg| !leg.is_live())).then_some(())
        })
        .await
    }

    async fn kill_the_pbx(&mut self) -> Result<(), Unplayable> {
        self.before.extend(self.pbx.since(self.pbx_mark));
        asterisk("kill", self.lane).await?;
        asterisk("start", self.lane).await?;
        *self.pbx = Ami::connect_within("the PBX", &format!("{}:5038", self.lane.pbx), AT_ONCE).await?;
        self.pbx_mark = 0;
        for extension in ["101", "102", "103", "104"] {
            self.registers(extension, true).await?;
        }
        Ok(())
    }

    // What everybody's calls are.

    fn legs(&self) -> Vec<Leg> {
        legs(&self.placed, &self.outside.since(self.outside_mark))
    }

    /// The party's newest call.
    fn live(&self, party: &Party) -> Result<Leg, Unplayable> {
        let legs = self.legs();
        newest(&legs, party).cloned().ok_or_else(|| Unplayable(format!("{} has no call now", party.number)))
    }

    /// The phone's first call, which is on hold, and the second.
    fn two_calls(&self, extension: &str) -> Result<(Leg, Leg), Unplayable> {
        let legs = self.legs();
        let own: Vec<&Leg> = legs.iter().filter(|leg| leg.number == extension && leg.is_live()).collect();
        match own.as_slice() {
            [.., first, second] => Ok(((*first).clone(), (*second).clone())),
            _ => Err(Unplayable(format!("{extension} has {} calls, not two", own.len()))),
        }
    }

    /// Waits until something holds of the calls.
    async fn until<T>(
        &self,
        patience: Duration,
        what: &str,
        mut holds: impl FnMut(&[Leg]) -> Option<T>,
    ) -> Result<T, Unplayable> {
        let found = wait(self.outside, patience, what, || holds(&self.legs())).await;
        found.map_err(|Unplayable(why)| Unplayable(format!("{why}; calls: {}", self.shown())))
    }

    /// Everybody's calls, for messages.
    fn shown(&self) -> String {
        let of = |leg: &Leg| {
            let state = match (&leg.gone, leg.up) {
                (Some((_, why)), _) => format!("gone ({why})"),
                (None, Some(_)) => "up".to_owned(),
                (None, None) => "not up".to_owned(),
            };
            let to = leg.dialled.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
            format!("{}{to} {state}", leg.number)
        };
        let legs: Vec<String> = self.legs().iter().map(of).collect();
        if legs.is_empty() { "none".to_owned() } else { legs.join(", ") }
    }

    // The end.

    /// Everybody hangs up; gives the channels that the PBX has long after, which is a fault of its dialplan.
    async fn end(&mut self) -> Result<Option<String>, Unplayable> {
        // What the PBX ends by itself, it may.
        let all_gone = |legs: &[Leg]| legs.iter().all(|leg| !leg.is_live()).then_some(());
        if self.until(Duration::from_millis(1_500), "all calls end", all_gone).await.is_err() {
            self.tell("everybody hangs up");
            for leg in self.legs().iter().filter(|leg| leg.is_live()) {
                // It may have ended in this moment.
                let _ = self.hang_up(leg).await;
            }
            self.until(AT_ONCE, "all calls end", all_gone).await?;
        }
        self.tell("all calls have ended");
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let channels = self.pbx.command("core show channels concise").await?;
            if channels.trim().is_empty() {
                return Ok(None);
            }
            if Instant::now() > until {
                return Ok(Some(format!("30 s after the last call the PBX has channels:\n{channels}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everything as it was before.
    async fn take_back(&mut self) -> Result<(), String> {
        let mut first = self.dialplan.take_back(self.pbx).await;
        while let Some(undo) = self.undo.pop() {
            let undone = match undo {
                Undo::Put { family, key, value } => self.put(&family, &key, &value).await,
                Undo::Delete { family, key } => {
                    let delete = [("Action", "DBDel"), ("Family", family.as_str()), ("Key", key.as_str())];
                    self.pbx.ask(&delete).await.map(|_| ())
                }
                Undo::Register(extension) => {
                    self.registers(&extension, true).await.map_err(|Unplayable(why)| why)
                }
                Undo::Global { name, value } => {
                    let set = [("Action", "Setvar"), ("Variable", name.as_str()), ("Value", value.as_str())];
                    self.pbx.ask(&set).await.map(|_| ())
                }
                Undo::Config { text } => self.write_cdr_conf(&text).await,
            };
            first = first.and(undone);
        }
        first
    }
}

/// Where FreePBX keeps the target.
fn family(when: Forward) -> &'static str {
    match when {
        Forward::Always => "CF",
        Forward::Busy => "CFB",
        Forward::Silent => "CFU",
    }
}

fn phone(extension: &str) -> Party {
    Party { number: extension.to_owned(), dialled: None }
}

/// When phones began to ring after the first call was placed; those that began together count once.
fn rings(legs: &[Leg]) -> Vec<f64> {
    let Some(placed) = legs.iter().find(|leg| leg.dialled.is_some()) else { return Vec::new() };
    let own = legs.iter().filter(|leg| leg.dialled.is_none() && leg.number.len() < 4);
    let mut rings: Vec<f64> = own.map(|leg| (leg.began - placed.began).as_secs_f64()).collect();
    rings.dedup_by(|next, first| *next - *first < 0.5);
    rings
}

fn newest<'a>(legs: &'a [Leg], party: &Party) -> Option<&'a Leg> {
    legs.iter().rfind(|leg| leg.is_of(party) && leg.is_live())
}

/// Waits until something holds, looking whenever there is a new event.
async fn wait<T>(
    ami: &Ami,
    patience: Duration,
    what: &str,
    mut holds: impl FnMut() -> Option<T>,
) -> Result<T, Unplayable> {
    let mut news = ami.follow();
    let waiting = async {
        loop {
            news.mark_unchanged();
            if let Some(found) = holds() {
                return Ok(found);
            }
            if news.changed().await.is_err() {
                return Err(Unplayable("the manager interface closed: did Asterisk die?".to_owned()));
            }
        }
    };
    match tokio::time::timeout(patience, waiting).await {
        Ok(found) => found,
        Err(_) => Err(Unplayable(format!("waited {:.1} s in vain: {what}", patience.as_secs_f64()))),
    }
}

/// A family of astdb without entries cannot be deleted; that is as good.
fn none_there(why: String) -> Result<crate::ami::Message, String> {
    match why.contains("not found") {
        true => Ok(crate::ami::Message::default()),
        false => Err(why),
    }
}

/// `tests/lab/asterisk WORD` for a lane's PBX.
async fn asterisk(word: &str, lane: &Lane) -> Result<(), Unplayable> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/asterisk");
    let done = Command::new(script).args([word, &lane.root, &lane.home]).output().await;
    let done = done.map_err(|error| Unplayable(format!("{script}: {error}")))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(Unplayable(format!("{script} {word}: {}", String::from_utf8_lossy(&done.stderr)))),
    }
}
