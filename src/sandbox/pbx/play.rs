//! One call played: asks the route, then writes each row at the moment Asterisk would.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Options, PbxError, PbxEvent, Person, ZONE,
    dice::Dice,
    line::{self, Ringing},
    recorder::Recorder,
    shape::{self, Shape, Stretch},
    table::Tables,
};
use crate::edge::clock;

/// CDR is written by another thread than CEL, a little later.
const CDR_LATER: Duration = Duration::from_millis(30);

/// Numbers that Asterisk counts up since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    pub(super) unique: usize,
    pub(super) channel: usize,
    pub(super) sequence: usize,
}

/// One call to be played.
pub(super) struct Played {
    pub(super) shape: Arc<Shape>,
    pub(super) options: Arc<Options>,
    pub(super) tables: Arc<Tables>,
    pub(super) counters: Counters,
    pub(super) dice: Dice,
}

/// Who takes part, and when.
struct Cast {
    client: Person,
    did: String,
    mobile: String,
    employees: [Person; 3],
    stretch: Stretch,
    began: Instant,
    ends_at: DateTime<Utc>,
    bridges: Vec<String>,
    counters: Counters,
}

enum Step {
    Cel(Vec<String>),
    Cdr(Vec<String>),
}

impl Played {
    /// Plays it to its end.
    pub(super) async fn run(mut self, events: mpsc::Sender<PbxEvent>) -> Result<(), PbxError> {
        let mut cast = self.cast();
        if self.shape.kind == "inbound" {
            self.ask_the_way(&mut cast, &events).await;
        }
        let mut recorders = tokio::task::JoinSet::new();
        for recorder in self.recorders(&cast) {
            recorders.spawn(recorder.run());
        }
        for (due, step) in self.steps(&cast) {
            tokio::time::sleep_until(due).await;
            match step {
                Step::Cel(values) => {
                    let columns = [&["eventtime", "amaflags"], &shape::CEL[..]].concat();
                    self.tables.add("cel", &columns, values).await?;
                }
                Step::Cdr(values) => {
                    let columns =
                        [&["calldate", "duration", "billsec", "amaflags", "sequence"], &shape::CDR[..]]
                            .concat();
                    self.tables.add("cdr", &columns, values).await?;
                }
            }
        }
        while let Some(written) = recorders.join_next().await {
            written.map_err(std::io::Error::other)??;
        }
        let ended =
            PbxEvent::Ended { linkedid: cast.uniqueid(&self.shape, 0), shape: self.shape.shape.clone() };
        // Nobody listening is no reason to stop calling.
        let _ = events.send(ended).await;
        Ok(())
    }

    fn cast(&mut self) -> Cast {
        let dice = &mut self.dice;
        let stretch = Stretch::new(&self.shape, dice);
        let wall = Duration::from_secs_f64(f64::from(stretch.length()) / self.options.speed);
        let ends = clock::now() + TimeDelta::from_std(wall).unwrap_or_default();
        let mut employees = self.options.employees.clone();
        dice.shuffle(&mut employees);
        let employee = |at: usize| employees.get(at % employees.len().max(1)).cloned().unwrap_or_else(nobody);
        Cast {
            client: client(&self.options.clients, dice),
            did: format!("7495123450{}", dice.below(3)),
            mobile: format!("7903{:07}", dice.below(10_000_000)),
            employees: [employee(0), employee(1), employee(2)],
            stretch,
            began: Instant::now(),
            ends_at: DateTime::from_timestamp(ends.timestamp(), 0).unwrap_or(ends),
            bridges: (0..self.shape.bridges).map(|_| uuid(dice)).collect(),
            counters: self.counters,
        }
    }

    /// Asks FastAGI as the dialplan does; a known employee is rung first, the name shows on the phones.
    async fn ask_the_way(&self, cast: &mut Cast, events: &mpsc::Sender<PbxEvent>) {
        let Some(server) = self.options.agi else { return };
        let hidden = self.shape.shape == "inbound_anonymous";
        let ringing = Ringing {
            channel: format!("PJSIP/trunk-{:08x}", cast.counters.channel),
            uniqueid: cast.uniqueid(&self.shape, 0),
            callerid: if hidden { "anonymous".to_owned() } else { cast.client.number.clone() },
            dnid: cast.did.clone(),
        };
        let asked = Instant::now();
        let told = line::ask(server, &ringing).await;
        let took = asked.elapsed();
        if let Ok(told) = &told {
            if let Some(at) = cast.employees.iter().position(|person| person.number == told.exten) {
                cast.employees.swap(0, at);
            } else if let Some(person) = self.options.employees.iter().find(|one| one.number == told.exten) {
                cast.employees[0] = person.clone();
            }
            cast.client.name.clone_from(&told.callerid_name);
        }
        let client = if hidden { String::new() } else { cast.client.number.clone() };
        let rang = PbxEvent::Rang { linkedid: ringing.uniqueid, client, did: cast.did.clone(), told, took };
        // Nobody listening is no reason to stop calling.
        let _ = events.send(rang).await;
    }

    fn recorders(&self, cast: &Cast) -> Vec<Recorder> {
        let of = |(at, file): (usize, &shape::Recorded)| {
            let mut sound: Vec<(bool, u32)> = Vec::new();
            for second in file.from..file.to {
                let talking = self.shape.talk.iter().any(|(from, to)| (*from..*to).contains(&second));
                let length = cast.stretch.at(second + 1) - cast.stretch.at(second);
                match sound.last_mut() {
                    _ if file.empty || (file.bridged && !talking) => {}
                    Some((same, seconds)) if *same == talking => *seconds += length,
                    _ => sound.push((talking, length)),
                }
            }
            Recorder {
                path: self.options.folder.join("monitor").join(self.fill(&file.path, cast)),
                open: self.due(cast, file.from)..self.due(cast, file.to),
                sound,
                seed: self.dice.clone().next() ^ at as u64,
            }
        };
        self.shape.recordings.iter().enumerate().map(of).collect()
    }

    /// When that second of the shape is now.
    fn due(&self, cast: &Cast, second: u32) -> Instant {
        cast.began + Duration::from_secs_f64(f64::from(cast.stretch.at(second)) / self.options.speed)
    }

    /// All rows in order of their writing.
    fn steps(&self, cast: &Cast) -> Vec<(Instant, Step)> {
        let mut steps = Vec::new();
        for (second, row) in self.shape.cel() {
            let mut values = vec![cast.wall(second), "DOCUMENTATION".to_owned()];
            values.extend(row.iter().map(|text| self.fill(text, cast)));
            steps.push((self.due(cast, second), Step::Cel(values)));
        }
        for (at, ([start, answer, end, written], row)) in self.shape.cdr().enumerate() {
            let length = |from: u32| (cast.stretch.at(end) - cast.stretch.at(from)).to_string();
            let sequence = (cast.counters.sequence + at).to_string();
            let billed = if answer < end { length(answer) } else { "0".to_owned() };
            let mut values =
                vec![cast.wall(start), length(start), billed, "DOCUMENTATION".to_owned(), sequence];
            values.extend(row.iter().map(|text| self.fill(text, cast)));
            steps.push((self.due(cast, written) + CDR_LATER, Step::Cdr(values)));
        }
        steps.sort_by_key(|(due, _)| *due);
        steps
    }

    /// Puts this call's values where the shape has `{{name}}`.
    fn fill(&self, text: &str, cast: &Cast) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else { break };
            out.push_str(before);
            out.push_str(&self.value(name, cast));
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    fn value(&self, name: &str, cast: &Cast) -> String {
        let tail = |at: usize| name.get(at..).and_then(|number| number.parse::<usize>().ok());
        let [a, b, c] = &cast.employees;
        match name {
            "client" => cast.client.number.clone(),
            "client10" => cast.client.number.chars().skip(1).collect(),
            "client_name" => cast.client.name.clone(),
            "did" => cast.did.clone(),
            "mobile" => cast.mobile.clone(),
            "monitor" => self.options.folder.join("monitor").to_string_lossy().into_owned(),
            "day" => cast.local(0).format("%Y/%m/%d").to_string(),
            "a" => a.number.clone(),
            "b" => b.number.clone(),
            "c" => c.number.clone(),
            "a_name" => a.name.clone(),
            "b_name" => b.name.clone(),
            "c_name" => c.name.clone(),
            _ => match (name.chars().next(), tail(1)) {
                (Some('u'), Some(at)) => cast.uniqueid(&self.shape, at),
                (Some('n'), Some(at)) => format!("{:08x}", cast.counters.channel + at),
                (Some('b'), Some(at)) => cast.bridges.get(at).cloned().unwrap_or_default(),
                (Some('s'), Some(at)) => cast.local(at as u32).format("%Y%m%d-%H%M%S").to_string(),
                _ => String::new(),
            },
        }
    }
}

impl Cast {
    /// The PBX's clock at a second of the shape: the call ends now, however fast it is played, so that no row is of
    /// the future.
    fn at(&self, second: u32) -> DateTime<Utc> {
        self.ends_at - TimeDelta::seconds(i64::from(self.stretch.length() - self.stretch.at(second)))
    }

    fn local(&self, second: u32) -> DateTime<chrono_tz::Tz> {
        self.at(second).with_timezone(&ZONE)
    }

    fn wall(&self, second: u32) -> String {
        self.local(second).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn uniqueid(&self, shape: &Shape, at: usize) -> String {
        let second = shape.ids.get(at).copied().unwrap_or(0);
        format!("{}.{}", self.at(second).timestamp(), self.counters.unique + at)
    }
}

/// One of those given; the name shows only when the route says it.
fn client(known: &[Person], dice: &mut Dice) -> Person {
    if known.is_empty() {
        let prefix = ["7916", "7926", "7903", "7812", "7343"][dice.below(5)];
        return Person { number: format!("{prefix}{:07}", dice.below(10_000_000)), name: String::new() };
    }
    Person { name: String::new(), ..known[dice.below(known.len())].clone() }
}

fn nobody() -> Person {
    Person { number: "101".to_owned(), name: String::new() }
}

fn uuid(dice: &mut Dice) -> String {
    let (a, b) = (dice.next(), dice.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}
