//! What the demo prints: addresses first, then a line for each thing that happens to a call.

use std::{collections::BTreeMap, path::Path, time::Duration};

use chrono::{Local, TimeDelta};
use tokio::sync::mpsc;

use crate::{
    edge::{
        clock,
        store::{CallFilter, CallState, Store, StoredCall},
    },
    logic::call::Call,
    sandbox::{
        amocrm::{Handle, User},
        pbx::{PbxEvent, Told},
    },
    serve::Running,
    settings::Language,
    text::say,
};

/// How the calls came out.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Stand in the CRM.
    pub(super) registered: usize,
    /// A rule said no.
    pub(super) skipped: usize,
    /// Gave up.
    pub(super) failed: usize,
}

/// The addresses.
pub(super) fn greet(language: Language, running: &Running, crm: &Handle, folder: &Path, temporary: bool) {
    let line = |key, values: &[(&str, &str)]| println!("{}", say(language, key, values));
    line("demo.title", &[]);
    println!();
    let agi = running.agi.map(|address| format!("agi://{address}")).unwrap_or_default();
    let rows = [
        ("demo.pages", format!("http://{}", running.http)),
        ("demo.crm", crm.base_url()),
        ("demo.agi", agi),
        ("demo.folder", folder.display().to_string()),
    ];
    for (key, place) in rows {
        println!("  {:<20} {place}", say(language, key, &[]));
    }
    println!();
    line(if temporary { "demo.temporary" } else { "demo.kept_folder" }, &[]);
    println!();
}

/// Prints until the PBX has ended and each of its calls is told.
pub(super) async fn live(
    language: Language,
    store: Store,
    users: Vec<User>,
    mut heard: mpsc::Receiver<PbxEvent>,
) -> Tally {
    let names = users.into_iter().map(|user| (user.id.to_string(), user.name)).collect();
    let mut board = LineBoard { language, names, told: BTreeMap::new(), began: clock::now() };
    let mut ended = 0;
    let mut look = tokio::time::interval(Duration::from_millis(250));
    let mut closed = false;
    loop {
        tokio::select! {
            event = heard.recv(), if !closed => match event {
                Some(event) => ended += board.event(event),
                None => closed = true,
            },
            _ = look.tick() => board.look(&store).await,
        }
        if closed && board.settled() >= ended {
            return board.tally();
        }
    }
}

struct LineBoard {
    language: Language,
    names: BTreeMap<String, String>,
    told: BTreeMap<String, CallState>,
    began: chrono::DateTime<chrono::Utc>,
}

impl LineBoard {
    /// One when a call's rows are all written.
    fn event(&self, event: PbxEvent) -> usize {
        match event {
            PbxEvent::Rang { client, told, took, .. } => {
                self.rang(&client, told, took);
                0
            }
            PbxEvent::Ended { .. } => 1,
        }
    }

    fn rang(&self, client: &str, told: Result<Told, String>, took: Duration) {
        let client =
            if client.is_empty() { say(self.language, "demo.hidden", &[]) } else { format!("+{client}") };
        let route = match told {
            Ok(told) => self.route(&told),
            Err(error) => error,
        };
        println!("{} ☎ {client:<14} → {route} ({} µs)", time(), took.as_micros());
    }

    fn route(&self, told: &Told) -> String {
        let responsible = self.names.get(&told.responsible).map_or("", String::as_str);
        match (told.status.as_str(), told.name.as_str(), told.exten.as_str()) {
            ("found", name, "") => format!("{name}; {responsible}"),
            ("found", name, exten) => format!("{name}; {responsible}, {exten}"),
            ("unknown", ..) => say(self.language, "demo.unknown", &[]),
            (status, ..) => say(self.language, "demo.no_answer", &[("status", status)]),
        }
    }

    async fn look(&mut self, store: &Store) {
        let from = Some(self.began - TimeDelta::hours(12));
        let filter = CallFilter { from, limit: Some(200), ..CallFilter::default() };
        match store.calls(&filter).await {
            Ok(calls) => calls.iter().rev().for_each(|call| self.tell(call)),
            Err(error) => eprintln!("{error}"),
        }
    }

    fn tell(&mut self, stored: &StoredCall) {
        if stored.created_at < self.began - TimeDelta::seconds(2) || stored.state == CallState::Waiting {
            return;
        }
        if self.told.insert(stored.id.clone(), stored.state) == Some(stored.state) {
            return;
        }
        let mark = match stored.state {
            CallState::Registered => "✓",
            CallState::Skipped => "–",
            CallState::Failed | CallState::Waiting => "✗",
        };
        println!("{} {mark} {}: {}", time(), self.call(&stored.call), stored.reason);
    }

    fn call(&self, call: &Call) -> String {
        let client = call.client.as_deref().unwrap_or("—");
        let outcome = say(self.language, &format!("calls.outcome.{}", call.outcome.as_str()), &[]);
        let parties: Vec<&str> =
            call.conversations.iter().filter(|c| c.accepted_at.is_some()).map(|c| c.party.as_str()).collect();
        match call.talked() {
            true => format!("{client:<14} {outcome} {} s, {}", call.talk_seconds, parties.join(" → ")),
            false => format!("{client:<14} {outcome}"),
        }
    }

    fn settled(&self) -> usize {
        self.told.len()
    }

    fn tally(&self) -> Tally {
        let count = |state| self.told.values().filter(|told| **told == state).count();
        Tally {
            registered: count(CallState::Registered),
            skipped: count(CallState::Skipped),
            failed: count(CallState::Failed),
        }
    }
}

/// The PBX is done and all is told.
pub(super) fn sum_up(language: Language, tally: &Tally, exits: bool) {
    let [registered, skipped, failed] =
        [tally.registered, tally.skipped, tally.failed].map(|n| n.to_string());
    let values = [("registered", &*registered), ("skipped", &*skipped), ("failed", &*failed)];
    println!("\n{}", say(language, "demo.done", &values));
    if !exits {
        println!("{}", say(language, "demo.pages_stay", &[]));
    }
}

/// Last words.
pub(super) fn goodbye(language: Language, kept: Option<&Path>) {
    let folder = kept.map(|folder| folder.display().to_string()).unwrap_or_default();
    let key = if kept.is_some() { "demo.kept" } else { "demo.goodbye" };
    println!("\n{}", say(language, key, &[("folder", &folder)]));
}

fn time() -> String {
    clock::now().with_timezone(&Local).format("%H:%M:%S").to_string()
}
