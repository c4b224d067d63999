//! `perezvon explain`: rows, conversations, decisions and requests of one call.

use std::{fmt::Write as _, process::ExitCode};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::{CliError, Global, block_on};
use crate::{
    edge::store::{Store, StoredAction, StoredCall, StoredRequest},
    logic::call::digits,
    settings::{Language, Settings},
    text::say,
};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Any linkedid of the call
    pub call: String,
    /// Deliver it again: what stands in the CRM stays, what is missing is sent by the running service
    #[arg(long)]
    pub retry: bool,
}

/// All that is kept about a call.
struct Story {
    stored: StoredCall,
    actions: Vec<StoredAction>,
    requests: Vec<StoredRequest>,
}

/// Runs it.
pub fn run(args: &Args, global: &Global) -> Result<ExitCode, CliError> {
    let settings = global.settings()?;
    let story = block_on(read(args, &settings))?;
    if global.json {
        let told = json!({"call": story.stored, "actions": story.actions, "requests": story.requests});
        println!("{told}");
    } else {
        print!("{}", Page::new(&settings).text(&story));
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(args: &Args, settings: &Settings) -> Result<Story, CliError> {
    let store = Store::open_to_look(&settings.store.url).await?;
    if args.retry {
        store.retry_call(&args.call).await?;
    }
    let Some(mut stored) = store.call(&args.call).await? else {
        let unknown = say(settings.language(), "explain.unknown", &[("call", &args.call)]);
        return Err(CliError::failed(unknown));
    };
    digits::hide_in_call(&mut stored.call, &mut stored.rows, settings.pbx.ivr_digits);
    let actions = store.actions_of(&stored.id).await?;
    let requests = store.requests_of(&stored.id).await?;
    Ok(Story { stored, actions, requests })
}

/// The form for people.
struct Page {
    language: Language,
    zone: Option<Tz>,
    out: String,
}

impl Page {
    fn new(settings: &Settings) -> Self {
        Self { language: settings.language(), zone: settings.pbx.timezone, out: String::new() }
    }

    fn text(mut self, story: &Story) -> String {
        self.head(&story.stored);
        self.rows(&story.stored);
        self.conversations(&story.stored);
        self.decisions(story);
        self.requests(&story.requests);
        self.out
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, key: &str) {
        let text = say(self.language, key, &[]);
        self.line(&format!("\n{text}"));
    }

    /// Local time of the PBX when its zone is set, else UTC.
    fn time(&self, at: DateTime<Utc>) -> String {
        match self.zone {
            Some(zone) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
            None => at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
        }
    }

    fn word(&self, kind: &str, value: &impl serde::Serialize) -> String {
        let word = json!(value);
        say(self.language, &format!("{kind}.{}", word.as_str().unwrap_or_default()), &[])
    }

    fn head(&mut self, stored: &StoredCall) {
        let call = &stored.call;
        let direction = self.word("calls.direction", &call.direction);
        let outcome = self.word("calls.outcome", &call.outcome);
        let client = call.client.as_deref().unwrap_or("–");
        let began = self.time(call.started_at);
        self.line(&format!("{}  {began}  {direction}  {client}  {outcome}", stored.id));
        let state = self.word("state", &stored.state);
        let next = stored.next_at.map(|at| format!(" → {}", self.time(at))).unwrap_or_default();
        let reason = if stored.reason.is_empty() { String::new() } else { format!(": {}", stored.reason) };
        self.line(&format!("{state}{reason}{next}"));
        let path = call.menu_path();
        if !path.is_empty() {
            let menus = say(self.language, "explain.menus", &[("path", &path)]);
            self.line(&menus);
        }
        if call.cut {
            let cut = say(self.language, "explain.cut", &[]);
            self.line(&cut);
        }
    }

    fn rows(&mut self, stored: &StoredCall) {
        self.heading("explain.rows");
        for row in &stored.rows.cdr {
            let (from, to) = (&row.channel, &row.dstchannel);
            let line = format!(
                "  cdr  {}  {from} → {to}  {} {}  {} {}s/{}s  {}",
                row.calldate, row.src, row.dst, row.disposition, row.duration, row.billsec, row.lastapp
            );
            self.line(&line);
        }
        for row in &stored.rows.cel {
            let line = format!(
                "  cel  {}  {:<20} {}  {}  {} {}{}",
                row.eventtime,
                row.eventtype,
                row.channame,
                row.exten,
                row.appname,
                row.peer,
                row.digit().unwrap_or_default()
            );
            self.line(&line);
        }
    }

    fn conversations(&mut self, stored: &StoredCall) {
        self.heading("explain.conversations");
        for one in &stored.call.conversations {
            let via = one.via.as_ref().map(|via| format!("{via}→")).unwrap_or_default();
            let taken = one.accepted_at.map_or_else(|| "–".to_owned(), |at| self.time(at));
            let line = format!(
                "  {via}{}  {} … {taken} … {}  {}:{:02}",
                one.party,
                self.time(one.requested_at),
                self.time(one.ended_at),
                one.talk_seconds / 60,
                one.talk_seconds % 60
            );
            self.line(&line);
        }
        for recording in &stored.call.recordings {
            let state = json!(recording.state);
            let line = format!(
                "  ♪ {}  {:.0} s  {}",
                recording.path,
                recording.seconds,
                state.as_str().unwrap_or("")
            );
            self.line(&line);
        }
    }

    fn decisions(&mut self, story: &Story) {
        self.heading("explain.decisions");
        let Some(plan) = &story.stored.plan else {
            let none = say(self.language, "explain.no_plan", &[]);
            return self.line(&format!("  {none}"));
        };
        if let Some(reason) = &plan.skip {
            self.line(&format!("  {reason}"));
        }
        for remark in &plan.remarks {
            self.line(&format!("  · {remark}"));
        }
        for planned in &plan.actions {
            let kind = planned.action.kind();
            let name = say(self.language, &format!("explain.{kind}"), &[]);
            let mut line = format!("  {name}: {}", planned.reason);
            if let Some(action) = story.actions.iter().find(|action| action.kind == kind) {
                let id = &action.result["id"];
                let id = if id.is_null() { String::new() } else { format!(" {id}") };
                let _ = write!(line, "  [{}{id}]", action.state.as_str());
                if !action.reason.is_empty() {
                    let _ = write!(line, "  {}", action.reason);
                }
            }
            self.line(&line);
        }
    }

    fn requests(&mut self, requests: &[StoredRequest]) {
        self.heading("explain.requests");
        for request in requests {
            let at = self.time(request.sent_at);
            self.line(&format!(
                "  {at}  {} {}  {}  {} ms",
                request.method, request.path, request.status, request.took_ms
            ));
            for (arrow, body) in [("→", &request.body), ("←", &request.answer)] {
                if !body.is_empty() {
                    self.line(&format!("    {arrow} {body}"));
                }
            }
        }
    }
}
