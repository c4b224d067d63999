//! One FastAGI session as a state machine: what happened → what to do next.
//!
//! Whatever happens, Asterisk is sent all variables exactly once before the deadline that began when it connected;
//! then our side is closed and the replies are read until it closes, too. Reading on matters: closing with bytes
//! unread would reset the connection, and commands still on their way would be lost.

use std::time::{Duration, Instant};

use super::{Command, Question, Reply, answer, request::Environment};
use crate::logic::rules::route::{Route, RouteStatus};

/// How long Asterisk may take to carry out what we sent and close; nobody waits for us any more.
pub const DRAIN: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The environment is complete.
    Request(Environment),
    /// The question of [`Step::Ask`] is answered.
    Answer(Route),
    /// Asterisk answered a command.
    Reply(Reply),
    /// The caller hung up. Variables can still be set, and the `h` extension reads them.
    Hangup,
    /// The bytes are not AGI.
    Malformed,
    /// Asterisk closed.
    Eof,
    /// The instant of the last step has come.
    Deadline,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Go on reading; at this instant, [`Event::Deadline`].
    WaitUntil(Instant),
    /// Find the answer, and go on reading; at this instant, [`Event::Deadline`].
    Ask(Question, Instant),
    /// Write all of it at once and close our side; then as [`Step::WaitUntil`].
    Send(Vec<Command>, Instant),
    /// Close; the session is over.
    Finish,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Reading,
    Asking { name_only: bool },
    Draining,
    Over,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    state: State,
    opened: Instant,
    deadline: Instant,
    status: Option<RouteStatus>,
    refused: u32,
    hung_up: bool,
    closed: bool,
}

impl Session {
    /// A connection accepted at `opened` that is answered within `limit` of it.
    pub fn new(opened: Instant, limit: Duration) -> Self {
        Self {
            state: State::Reading,
            opened,
            deadline: opened + limit,
            status: None,
            refused: 0,
            hung_up: false,
            closed: false,
        }
    }

    /// The first step.
    pub const fn begin(&self) -> Step {
        Step::WaitUntil(self.deadline)
    }

    /// The next step.
    pub fn next(&mut self, event: Event, now: Instant) -> Step {
        match (&self.state, event) {
            (State::Over, _) => Step::Finish,
            (State::Reading, Event::Request(environment)) => self.ask(&environment),
            (State::Asking { name_only }, Event::Answer(route)) => {
                let route = if *name_only { route.name_only() } else { route };
                self.send(&route, now)
            }
            (State::Reading | State::Asking { .. }, Event::Deadline) => self.send(&Route::timeout(), now),
            (State::Reading | State::Asking { .. }, Event::Malformed) => {
                self.send(&Route::error("not AGI"), now)
            }
            // A port check, or a client that only half closed and still wants its answer.
            (State::Reading, Event::Eof)
            | (State::Draining, Event::Eof | Event::Deadline | Event::Malformed) => {
                self.state = State::Over;
                Step::Finish
            }
            (_, event) => {
                self.note(&event);
                Step::WaitUntil(self.deadline)
            }
        }
    }

    /// What was answered; none when nothing was asked.
    pub const fn status(&self) -> Option<RouteStatus> {
        self.status
    }

    /// How many commands Asterisk did not carry out.
    pub const fn refused(&self) -> u32 {
        self.refused
    }

    /// Whether the caller hung up meanwhile.
    pub const fn hung_up(&self) -> bool {
        self.hung_up
    }

    fn ask(&mut self, environment: &Environment) -> Step {
        let question = Question::of(environment);
        if let Some(budget) = question.budget {
            self.deadline = self.deadline.min(self.opened + budget);
        }
        self.state = State::Asking { name_only: question.name_only };
        Step::Ask(question, self.deadline)
    }

    fn send(&mut self, route: &Route, now: Instant) -> Step {
        self.state = State::Draining;
        self.status = Some(route.status);
        // A side that is closed already has nothing more to say.
        self.deadline = if self.closed { now } else { now + DRAIN };
        Step::Send(answer(route), self.deadline)
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Reply(reply) if !reply.is_success() => self.refused += 1,
            Event::Hangup => self.hung_up = true,
            Event::Eof => self.closed = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);

    fn asked(script: &str) -> (Session, Instant, Step) {
        let opened = Instant::now();
        let mut session = Session::new(opened, LIMIT);
        assert_eq!(session.begin(), Step::WaitUntil(opened + LIMIT));
        let mut environment = Environment::default();
        environment.push(b"agi_network_script", script.as_bytes());
        let step = session.next(Event::Request(environment), opened);
        (session, opened, step)
    }

    fn found() -> Route {
        Route {
            status: RouteStatus::Found,
            name: "Иван".to_owned(),
            exten: "101".to_owned(),
            responsible: "7".to_owned(),
            entity: "contact/1".to_owned(),
            reason: String::new(),
        }
    }

    fn sent(step: &Step) -> String {
        match step {
            Step::Send(commands, _) => commands.iter().map(Command::line).collect(),
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn the_budget_can_only_lower_the_deadline() {
        for (script, wanted) in [("route?budget=100", 100), ("route?budget=5000", 300), ("route", 300)] {
            let (_, opened, step) = asked(script);
            match step {
                Step::Ask(_, until) => assert_eq!(until, opened + Duration::from_millis(wanted)),
                step => panic!("{step:?}"),
            }
        }
    }

    #[test]
    fn the_variables_are_set_once_whatever_happens() {
        let (mut session, opened, _) = asked("route");
        assert!(sent(&session.next(Event::Deadline, opened + LIMIT)).contains("CRM_STATUS \"timeout\""));
        let late = session.next(Event::Answer(found()), opened + LIMIT);
        assert_eq!(late, Step::WaitUntil(opened + LIMIT + DRAIN));
        assert_eq!(session.next(Event::Eof, opened), Step::Finish);
        assert_eq!(session.next(Event::Deadline, opened), Step::Finish);
        assert_eq!(session.status(), Some(RouteStatus::Timeout));
    }

    #[test]
    fn the_name_path_leaves_the_phone_to_the_dialplan() {
        let (mut session, opened, _) = asked("name");
        let text = sent(&session.next(Event::Answer(found()), opened));
        assert!(text.contains("CRM_EXTEN \"\"\n") && text.contains("CRM_RESPONSIBLE \"\"\n"), "{text}");
        assert!(
            text.contains("CRM_NAME \"Иван\"\n") && text.contains("CRM_ENTITY \"contact/1\"\n"),
            "{text}"
        );
    }

    #[test]
    fn a_port_check_is_no_session() {
        let opened = Instant::now();
        let mut session = Session::new(opened, LIMIT);
        assert_eq!(session.next(Event::Eof, opened), Step::Finish);
        assert_eq!(session.status(), None);
    }

    #[test]
    fn a_hangup_or_a_closed_side_does_not_take_the_answer_away() {
        for event in [Event::Hangup, Event::Eof] {
            let (mut session, opened, _) = asked("route");
            assert_eq!(session.next(event.clone(), opened), Step::WaitUntil(opened + LIMIT));
            assert_eq!(session.hung_up(), event == Event::Hangup);
            let step = session.next(Event::Answer(found()), opened);
            assert!(sent(&step).ends_with("CRM_STATUS \"found\"\n"));
            let drain = if event == Event::Eof { Duration::ZERO } else { DRAIN };
            assert!(matches!(step, Step::Send(_, until) if until == opened + drain));
        }
    }

    #[test]
    fn foreign_bytes_get_an_error_not_silence() {
        let opened = Instant::now();
        let mut session = Session::new(opened, LIMIT);
        assert!(sent(&session.next(Event::Malformed, opened)).ends_with("CRM_STATUS \"error\"\n"));
        assert_eq!(session.next(Event::Malformed, opened), Step::Finish);
    }

    #[test]
    fn refused_commands_are_counted() {
        let (mut session, opened, _) = asked("route");
        session.next(Event::Answer(found()), opened);
        for code in [200, 510, 511, 520] {
            let reply = Reply { code, result: String::new(), value: None, text: String::new() };
            assert!(matches!(session.next(Event::Reply(reply), opened), Step::WaitUntil(_)));
        }
        assert_eq!(session.refused(), 3);
    }
}
