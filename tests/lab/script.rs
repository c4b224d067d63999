//! The words of the scripts: one line, one step. README.md lists them; a new one is a variant of [`Step`], an arm of
//! [`Reader::step`], and an arm of `play::Play::perform`.

use std::time::Duration;

use crate::dialplan::{self, Trouble};

/// One line of a script.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Line of the file.
    pub(crate) number: usize,
    /// As written.
    pub(crate) text: String,
    /// What it says.
    pub(crate) step: Step,
}

/// Somebody in a call: a phone, an outside number or a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    /// Extension or number.
    pub(crate) number: String,
    /// Of a client with several calls: the one to this number.
    pub(crate) dialled: Option<String>,
}

/// When the PBX forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    Always,
    Busy,
    Silent,
}

/// How a click in the CRM rings the employee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Click {
    /// `PJSIP/101`.
    Pjsip,
    /// `Local/101@from-internal`.
    Local,
}

/// What a line makes happen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// A phone or number will behave so when called: a value of `phone/NUMBER`.
    Behaves { number: String, how: String },
    /// A phone registers, or no longer does.
    Registers { extension: String, on: bool },
    /// The PBX forwards an extension's calls.
    Forwards { extension: String, when: Forward, to: String },
    /// Follow-me of an extension.
    FollowMe { extension: String, on: bool },
    /// Do not disturb.
    DoesNotDisturb { extension: String },
    /// The CRM has a contact of this number, whose responsible has this extension.
    CrmKnows { number: String, name: String, extension: String },
    /// A client calls a number of the company.
    ClientCalls { number: String, did: String, name: Option<String>, hidden: bool },
    /// An employee dials.
    Calls { extension: String, to: String },
    /// The party's newest call is up, and so long.
    Talks { party: Party, seconds: Duration },
    /// The party's newest call rings, and so long.
    Rings { party: Party, seconds: Duration },
    /// Digits as tones.
    Presses { party: Party, digits: String },
    /// Blind transfer by the phone's button.
    Refers { extension: String, to: String },
    /// The phone puts its call on hold and makes a second one.
    Consults { extension: String, to: String },
    /// The phone joins its two calls.
    Joins { extension: String },
    /// The phone ends the second call and goes back to the first.
    Cancels { extension: String },
    /// The phone's hold button.
    Holds { party: Party },
    /// The same once more.
    Resumes { party: Party },
    /// The party's newest call ends.
    HangsUp { party: Party },
    /// The PBX ends the party's newest call by itself.
    IsDropped { party: Party },
    /// A click in the CRM.
    Clicks { extension: String, to: String, form: Click },
    /// Nothing, so long.
    Waits { seconds: Duration },
    /// SIGKILL, and the PBX starts again.
    KillsThePbx,
    /// `module reload cdr`.
    ReloadsCdr,
    /// Something befalls Perezvon, until the scenario ends.
    Perezvon(Trouble),
    /// The phone rings, and shows this name.
    Sees { extension: String, name: String },
}

/// Reads a script; a line that is no step is a fault with its number. `first` is the number of its first line.
pub(crate) fn read(text: &str, first: usize) -> Result<Vec<Line>, (usize, String)> {
    let mut reader = Reader::default();
    let mut lines = Vec::new();
    for (number, text) in (first..).zip(text.lines()) {
        // As in Asterisk's own files, a semicolon begins a remark.
        let text = text.split(';').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let step = reader.step(text).map_err(|why| (number, format!("“{text}”: {why}")))?;
        lines.push(Line { number, text: text.to_owned(), step });
    }
    match lines.is_empty() {
        true => Err((first, "a script without a step".to_owned())),
        false => Ok(lines),
    }
}

/// Remembers who has called, so that `client` alone means the only one.
#[derive(Debug, Default)]
struct Reader {
    clients: Vec<String>,
}

impl Reader {
    fn step(&mut self, text: &str) -> Result<Step, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["wait", time] => Ok(Step::Waits { seconds: seconds(time)? }),
            ["kill", "the", "pbx"] => Ok(Step::KillsThePbx),
            ["reload", "cdr"] => Ok(Step::ReloadsCdr),
            ["perezvon", rest @ ..] => dialplan::read(rest).map(Step::Perezvon).ok_or_else(|| {
                "nothing of that kind befalls Perezvon; tests/lab/README.md lists it".to_owned()
            }),
            ["click", from, "to", to, "as", form] => Ok(Step::Clicks {
                extension: extension(from)?,
                to: dialled(to)?,
                form: match *form {
                    "pjsip" => Click::Pjsip,
                    "local" => Click::Local,
                    _ => return Err("a click is `as pjsip` or `as local`".to_owned()),
                },
            }),
            ["forward", from, "to", to, rest @ ..] => Ok(Step::Forwards {
                extension: extension(from)?,
                to: dialled(to)?,
                when: match rest {
                    [] => Forward::Always,
                    ["when", "busy"] => Forward::Busy,
                    ["when", "silent"] => Forward::Silent,
                    _ => return Err("a forward is unconditional, `when busy` or `when silent`".to_owned()),
                },
            }),
            ["follow-me", "of", whose, state @ ("on" | "off")] => {
                Ok(Step::FollowMe { extension: extension(whose)?, on: *state == "on" })
            }
            ["crm", "knows", who, "as", name @ .., "of", whose] if !name.is_empty() => Ok(Step::CrmKnows {
                number: outside(who)?,
                name: name.join(" "),
                extension: extension(whose)?,
            }),
            ["client", rest @ ..] => self.of_client(rest),
            [who, rest @ ..] if is_number(who) => of_number(who, rest),
            _ => Err("no such words; tests/lab/README.md lists them".to_owned()),
        }
    }

    fn of_client(&mut self, words: &[&str]) -> Result<Step, String> {
        if let [number, "calls", did, how @ ..] = words {
            let (name, hidden) = match how {
                [] => (None, false),
                ["anonymously"] => (None, true),
                ["named", name @ ..] if !name.is_empty() => (Some(name.join(" ")), false),
                _ => return Err("a client calls plainly, `named NAME` or `anonymously`".to_owned()),
            };
            let number = outside(number)?;
            if !self.clients.contains(&number) {
                self.clients.push(number.clone());
            }
            return Ok(Step::ClientCalls { number, did: outside(did)?, name, hidden });
        }
        let (number, words) = match words {
            [number, rest @ ..] if is_number(number) => (outside(number)?, rest),
            rest => match self.clients.as_slice() {
                [only] => (only.clone(), rest),
                [] => return Err("no client has called yet".to_owned()),
                _ => return Err("several clients have called: `client NUMBER …`".to_owned()),
            },
        };
        if !self.clients.contains(&number) {
            return Err(format!("client {number} has not called; an outside number needs no `client`"));
        }
        let (dialled, words) = match words {
            ["to", did, rest @ ..] => (Some(outside(did)?), rest),
            rest => (None, rest),
        };
        of_party(Party { number, dialled }, words)
    }
}

/// What a phone or an outside number does, or how it is.
fn of_number(who: &str, words: &[&str]) -> Result<Step, String> {
    let number = who.to_owned();
    let behaves = |how: String| Ok(Step::Behaves { number: who.to_owned(), how });
    match words {
        ["answers"] => behaves("answer:0".to_owned()),
        ["answers", "after", time] => behaves(format!("answer:{}", seconds(time)?.as_secs_f64())),
        ["speaks", "early", time, "then", "answers"] => {
            behaves(format!("progress:{}", seconds(time)?.as_secs_f64()))
        }
        ["is", "silent"] => behaves("silent".to_owned()),
        ["is", "busy"] => behaves("busy".to_owned()),
        ["is", "wrong"] => behaves("wrong".to_owned()),
        ["is", "congested"] => behaves("congested".to_owned()),
        ["declines"] => behaves("decline".to_owned()),
        ["refuses", "with", code] if code.len() == 3 && is_number(code) => behaves(format!("code:{code}")),
        ["forwards", "to", to] => behaves(format!("forward:{}", dialled(to)?)),
        ["is", "unregistered"] => Ok(Step::Registers { extension: extension(who)?, on: false }),
        ["is", "registered"] => Ok(Step::Registers { extension: extension(who)?, on: true }),
        ["does", "not", "disturb"] => Ok(Step::DoesNotDisturb { extension: extension(who)? }),
        ["calls", to] => Ok(Step::Calls { extension: extension(who)?, to: dialled(to)? }),
        ["refers", "to", to] => Ok(Step::Refers { extension: extension(who)?, to: dialled(to)? }),
        ["consults", to] => Ok(Step::Consults { extension: extension(who)?, to: dialled(to)? }),
        ["joins"] => Ok(Step::Joins { extension: extension(who)? }),
        ["cancels"] => Ok(Step::Cancels { extension: extension(who)? }),
        ["sees", name @ ..] if !name.is_empty() => {
            Ok(Step::Sees { extension: extension(who)?, name: name.join(" ") })
        }
        words => of_party(Party { number, dialled: None }, words),
    }
}

/// What anybody in a call does.
fn of_party(party: Party, words: &[&str]) -> Result<Step, String> {
    match words {
        ["talks" | "listens", time] => Ok(Step::Talks { party, seconds: seconds(time)? }),
        ["rings"] => Ok(Step::Rings { party, seconds: Duration::ZERO }),
        ["rings" | "waits", time] => Ok(Step::Rings { party, seconds: seconds(time)? }),
        ["presses", digits] if digits.chars().all(|digit| "0123456789*#".contains(digit)) => {
            Ok(Step::Presses { party, digits: (*digits).to_owned() })
        }
        ["holds"] => Ok(Step::Holds { party }),
        ["resumes"] => Ok(Step::Resumes { party }),
        ["hangs", "up"] => Ok(Step::HangsUp { party }),
        ["is", "dropped"] => Ok(Step::IsDropped { party }),
        _ => Err("no such words; tests/lab/README.md lists them".to_owned()),
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn extension(word: &str) -> Result<String, String> {
    match ["101", "102", "103", "104", "105"].contains(&word) {
        true => Ok(word.to_owned()),
        false => Err(format!("{word} is no phone: they are 101 to 105")),
    }
}

fn outside(word: &str) -> Result<String, String> {
    match is_number(word) && word.len() > 5 {
        true => Ok(word.to_owned()),
        false => Err(format!("{word} is no outside number")),
    }
}

/// Whatever a phone can dial.
fn dialled(word: &str) -> Result<String, String> {
    match !word.is_empty() && word.chars().all(|digit| "0123456789*#".contains(digit)) {
        true => Ok(word.to_owned()),
        false => Err(format!("{word} cannot be dialled")),
    }
}

fn seconds(word: &str) -> Result<Duration, String> {
    let fault = || format!("{word} is no number of seconds from 0 to 300");
    let seconds: f64 = word.parse().map_err(|_| fault())?;
    match (0.0..=300.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(fault()),
    }
}
