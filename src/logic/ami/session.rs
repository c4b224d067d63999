//! One AMI session as a state machine: what happened → what to do next.

use std::time::{Duration, Instant};

use super::{Action, Packet, Proof, Request, action::action_id};
use crate::settings::{Ami, Secret};

/// How long Asterisk may take to greet, and to answer: after a wrong secret it thinks for a second.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long a silence we ask whether Asterisk still lives.
const SILENCE: Duration = Duration::from_secs(15);
/// Classes of events: channels that come and go. Each event more would cost Asterisk, too.
const EVENTS: &str = "call";

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The greeting, with the protocol's version.
    Banner(String),
    /// An event or an answer.
    Packet(Packet),
    /// The instant of the last step has come.
    Deadline,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Go on reading; at this instant, [`Event::Deadline`].
    WaitUntil(Instant),
    /// Send it; then as [`Step::WaitUntil`].
    Send(Request, Instant),
    /// We are in, on a protocol of this version; then as [`Step::WaitUntil`].
    In(String, Instant),
    /// The channel of this uniqueid is gone; then as [`Step::WaitUntil`].
    HungUp(String, Instant),
    /// Close; the session is over.
    Finish(Ending),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Asterisk does not know the account, its secret, or its address.
    Refused,
    /// `allowmultiplelogin = no`, and somebody else is in, perhaps a lost session of ours.
    InUse,
    /// Asterisk's own words, for example that it is shutting down.
    Denied(String),
    /// No answer in time.
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Challenging(u64),
    LoggingIn(u64),
    In,
    /// A sign of life is due.
    Pinging,
    Over,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    username: String,
    secret: Secret,
    state: State,
    version: String,
    deadline: Instant,
    last_id: u64,
}

impl Session {
    /// A connection that was made at `opened`.
    pub fn new(settings: &Ami, opened: Instant) -> Self {
        Self {
            username: settings.username.clone(),
            secret: settings.secret.clone(),
            state: State::Greeting,
            version: String::new(),
            deadline: opened + PATIENCE,
            last_id: 0,
        }
    }

    /// The first step.
    pub const fn begin(&self) -> Step {
        Step::WaitUntil(self.deadline)
    }

    /// The next step.
    pub fn next(&mut self, event: Event, now: Instant) -> Step {
        match (self.state, event) {
            (State::Over, _) => Step::WaitUntil(self.deadline),
            (State::Greeting, Event::Banner(version)) => {
                self.version = version;
                self.send(Action::Challenge, State::Challenging, now)
            }
            (State::In, Event::Deadline) => self.send(Action::Ping, |_| State::Pinging, now),
            (_, Event::Deadline) => self.finish(Ending::Silent),
            (State::In | State::Pinging, Event::Packet(packet)) => self.hear(&packet, now),
            (State::Challenging(id), Event::Packet(packet)) if answers(&packet, id) => {
                self.log_in(&packet, now)
            }
            (State::LoggingIn(id), Event::Packet(packet)) if answers(&packet, id) => {
                if is_success(&packet) {
                    self.rest(now);
                    Step::In(self.version.clone(), self.deadline)
                } else {
                    self.finish(denied(&packet))
                }
            }
            _ => Step::WaitUntil(self.deadline),
        }
    }

    fn log_in(&mut self, challenge: &Packet, now: Instant) -> Step {
        let proof = match challenge.get("Challenge").filter(|_| is_success(challenge)) {
            Some(challenge) => Proof::of_challenge(challenge, &self.secret),
            None => Proof::Secret(self.secret.clone()),
        };
        let login = Action::Login { username: self.username.clone(), proof, events: EVENTS };
        self.send(login, State::LoggingIn, now)
    }

    /// Whatever comes shows that Asterisk lives.
    fn hear(&mut self, packet: &Packet, now: Instant) -> Step {
        self.rest(now);
        match packet.get("Uniqueid") {
            Some(uniqueid) if packet.get("Event") == Some("Hangup") && !uniqueid.is_empty() => {
                Step::HungUp(uniqueid.to_owned(), self.deadline)
            }
            _ => Step::WaitUntil(self.deadline),
        }
    }

    fn rest(&mut self, now: Instant) {
        self.state = State::In;
        self.deadline = now + SILENCE;
    }

    fn send(&mut self, action: Action, then: fn(u64) -> State, now: Instant) -> Step {
        self.last_id += 1;
        self.state = then(self.last_id);
        self.deadline = now + PATIENCE;
        Step::Send(Request { id: self.last_id, action }, self.deadline)
    }

    fn finish(&mut self, ending: Ending) -> Step {
        self.state = State::Over;
        Step::Finish(ending)
    }
}

/// Whether it is the answer to the request of this id.
fn answers(packet: &Packet, id: u64) -> bool {
    packet.get("Response").is_some() && packet.get("ActionID") == Some(&action_id(id))
}

fn is_success(packet: &Packet) -> bool {
    packet.get("Response").is_some_and(|word| word.eq_ignore_ascii_case("Success"))
}

fn denied(packet: &Packet) -> Ending {
    match packet.get("Message").unwrap_or_default() {
        "Authentication failed" => Ending::Refused,
        "Login Already In Use" => Ending::InUse,
        message => Ending::Denied(message.to_owned()),
    }
}
