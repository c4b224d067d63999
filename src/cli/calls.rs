//! `perezvon calls`: calls of a period, straight from Asterisk's tables; or one call, made fit for a bug report.

use std::{
    io::{BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{CliError, Global, block_on, moment::moment};
use crate::{
    edge::{
        clock,
        pbx_database::{PbxDatabase, PbxError},
        recordings::Library,
    },
    logic::call::{self, Call, Context, Conversation, MissedAt, RecordingState},
    settings::{Language, Secret, Settings},
    text,
};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Beginning: `2026-11-20`, `"2026-11-20 09:30"`, RFC 3339, `yesterday`, `2h` (ago)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, required_unless_present = "capture")]
    pub from: Option<String>,
    /// End, the same forms or `now`
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub to: String,
    /// One call by its linkedid or any uniqueid in it: its rows without numbers and names, for a bug report
    #[arg(long, value_name = "CALL", conflicts_with_all = ["from", "json"])]
    pub capture: Option<String>,
    /// Where the captured call is written, else standard output
    #[arg(long, value_name = "FILE", requires = "capture")]
    pub out: Option<PathBuf>,
}

/// A scan of a table without an index may take its time; a person is waiting and can stop it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    if let Some(id) = &args.capture {
        return block_on(capture(id, args.out.as_deref(), &settings));
    }
    let from = args.from.as_deref().unwrap_or_default();
    let zone = settings.pbx.timezone;
    let now = clock::now();
    let from_time = moment(from, now, zone).map_err(CliError::usage)?;
    let to = moment(&args.to, now, zone).map_err(CliError::usage)?;
    if from_time >= to {
        return Err(CliError::usage(format!("--from {from} is not before --to {}", args.to)));
    }
    block_on(print(&settings, from_time, to, global.json))?;
    Ok(ExitCode::SUCCESS)
}

async fn print(
    settings: &Settings,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    json: bool,
) -> Result<(), CliError> {
    let database = PbxDatabase::connect(&settings.pbx).await?.with_patience(PATIENCE);
    let context = Context::from_settings(settings).map_err(CliError::usage)?;
    let library = Library::new(settings, Secret::default());
    for remark in &database.schema().await?.remarks {
        eprintln!("perezvon: {remark}");
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut table = Table::new(settings);
    for (from, to) in days(from, to) {
        for call in calls_of(&database, &context, &library, from, to).await? {
            if json {
                if !written(serde_json::to_writer(&mut out, &call).map_err(Into::into))?
                    || !written(writeln!(out))?
                {
                    return Ok(());
                }
            } else {
                table.add(&call);
            }
        }
    }
    if !json {
        written(out.write_all(table.text().as_bytes()))?;
    }
    written(out.flush())?;
    Ok(())
}

/// Writes one call down without anything private in it.
async fn capture(id: &str, out: Option<&Path>, settings: &Settings) -> Result<ExitCode, CliError> {
    let say = |key: &str, values: &[(&str, &str)]| text::say(settings.language(), key, values);
    let database = PbxDatabase::connect(&settings.pbx).await?.with_patience(PATIENCE);
    let Some(rows) = database.call_of(id).await? else {
        return Err(CliError::failed(say("capture.unknown", &[("call", id)])));
    };
    let captured =
        call::capture::capture(&rows, settings).map_err(|error| CliError::failed(error.to_string()))?;
    if !captured.faithful {
        eprintln!("perezvon: {}", say("capture.unfaithful", &[]));
    }
    let name = out.and_then(Path::file_stem).map_or_else(|| "captured".into(), |stem| stem.to_string_lossy());
    let fixture = captured.fixture(&name, "", &say("capture.truth", &[]));
    match out {
        Some(path) => {
            std::fs::write(path, fixture)?;
            eprintln!("perezvon: {}", say("capture.written", &[("file", &path.display().to_string())]));
        }
        None => _ = written(std::io::stdout().lock().write_all(fixture.as_bytes()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether anybody still reads: `perezvon calls … | head` is no failure.
fn written(done: std::io::Result<()>) -> Result<bool, CliError> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Calls that began in `[from, to)`, in order, their recordings looked at. Reads Asterisk's tables and recordings only.
pub async fn calls_of(
    database: &PbxDatabase,
    context: &Context,
    library: &Library,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Call>, PbxError> {
    let rows = database.calls_between(from, to).await?;
    let mut calls: Vec<Call> = rows.iter().filter_map(|rows| call::fold(rows, context)).collect();
    calls.retain(|call| call.started_at >= from && call.started_at < to);
    calls.sort_by(|a, b| a.started_at.cmp(&b.started_at).then_with(|| a.id.cmp(&b.id)));
    for call in &mut calls {
        library.probe_call(call).await;
    }
    Ok(calls)
}

/// A period in pieces of at most a day, so that a year fits in memory; a call begins in exactly one of them.
pub fn days(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
    let mut next = from;
    std::iter::from_fn(move || {
        let from = (next < to).then_some(next)?;
        next = (from + TimeDelta::days(1)).min(to);
        Some((from, next))
    })
}

/// The form for people.
struct Table {
    language: Language,
    zone: Option<Tz>,
    lines: Vec<Vec<String>>,
}

impl Table {
    fn new(settings: &Settings) -> Self {
        let (language, zone) = (settings.language(), settings.pbx.timezone);
        let names = ["began", "direction", "client", "line", "outcome", "talk", "who", "recording"];
        let head = names.map(|name| text::say(language, &format!("calls.{name}"), &[])).to_vec();
        Self { language, zone, lines: vec![head] }
    }

    fn add(&mut self, call: &Call) {
        let began = match self.zone {
            Some(zone) => call.started_at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
            None => call.started_at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
        };
        let line = call.did.as_deref().or(call.trunk.as_deref()).unwrap_or("");
        let who: Vec<String> = call.conversations.iter().map(who).collect();
        self.lines.push(vec![
            began,
            self.word("direction", &call.direction),
            call.client.clone().unwrap_or_else(|| "–".to_owned()),
            line.to_owned(),
            self.outcome(call),
            if call.talked() { minutes(call.talk_seconds) } else { String::new() },
            who.join(", "),
            self.recording(call),
        ]);
    }

    /// A word of the contract, `missed_at: ivr`, in the reader's language.
    fn word(&self, kind: &str, value: &impl serde::Serialize) -> String {
        let word = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned));
        text::say(self.language, &format!("calls.{kind}.{}", word.unwrap_or_default()), &[])
    }

    fn outcome(&self, call: &Call) -> String {
        let outcome = self.word("outcome", &call.outcome);
        match (&call.missed_at, &call.lost_after) {
            (Some(MissedAt::Ivr), _) if !call.menus.is_empty() => {
                format!("{outcome} ({} {})", self.word("missed_at", &MissedAt::Ivr), call.menu_path())
            }
            (Some(at), _) => format!("{outcome} ({})", self.word("missed_at", at)),
            (_, Some(after)) => format!("{outcome} ({})", self.word("lost_after", after)),
            _ => outcome,
        }
    }

    fn recording(&self, call: &Call) -> String {
        let best = |state| call.recordings.iter().find(|recording| recording.state == state);
        let ready: f64 =
            call.recordings.iter().filter(|r| r.state == RecordingState::Ready).map(|r| r.seconds).sum();
        if best(RecordingState::Ready).is_some() {
            return minutes(ready.round() as u32);
        }
        match best(RecordingState::Growing).or_else(|| best(RecordingState::Missing)) {
            Some(recording) if call.talked() => self.word("state", &recording.state),
            _ => String::new(),
        }
    }

    fn text(&self) -> String {
        let columns = self.lines.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        for line in &self.lines {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
        }
        let count = (self.lines.len() - 1).to_string();
        out.push_str(&text::say(self.language, "calls.count", &[("n", &count)]));
        out.push('\n');
        out
    }
}

/// `102 1:05`, `(101)` who was asked in vain, `101→+79031112233 0:40` by forward.
fn who(conversation: &Conversation) -> String {
    let via = conversation.via.as_ref().map(|via| format!("{via}→")).unwrap_or_default();
    match conversation.accepted_at {
        Some(_) => format!("{via}{} {}", conversation.party, minutes(conversation.talk_seconds)),
        None => format!("({via}{})", conversation.party),
    }
}

fn minutes(seconds: u32) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_falls_into_days_without_gap_or_overlap() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (from, to) = (time("2026-11-18T12:00:00Z"), time("2026-11-20T13:00:00Z"));
        let pieces: Vec<_> = days(from, to).collect();
        assert_eq!(pieces.len(), 3);
        assert_eq!((pieces[0].0, pieces[2].1), (from, to));
        assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0));
    }
}
