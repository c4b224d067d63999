//! What the demo prints: addresses first, then a line for each thing that happens to a call.

use std::{collections::BTreeMap, path::Path, time::Duration};

use chrono::{Local, TimeDelta};
use tokio::sync::mpsc;

use crate::{
    edge::{
        clock,
        store::{CallFilter, CallState, Store, StoredCall},
    },
    logic::call::{Call, Outcome},
    sandbox::{
        amocrm::{Handle, User},
        pbx::{PbxEvent, Told},
    },
    serve::Running,
    settings::Language,
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

/// One sentence in the reader's language.
fn say(language: Language, ru: &str, en: &str) {
    println!("{}", either(language, ru, en));
}

const fn either<'a>(language: Language, ru: &'a str, en: &'a str) -> &'a str {
    match language {
        Language::Ru => ru,
        Language::En => en,
    }
}

/// The addresses.
pub(super) fn greet(language: Language, running: &Running, crm: &Handle, folder: &Path, temporary: bool) {
    let pages = format!("http://{}", running.http);
    let agi = running.agi.map(|address| format!("agi://{address}")).unwrap_or_default();
    println!("{}\n", either(language, "Перезвон: показ на ненастоящих АТС и amoCRM", "Perezvon: a demo on a pretend PBX and a pretend amoCRM"));
    let rows = [
        (either(language, "Перезвон", "Perezvon"), pages.as_str()),
        (either(language, "ненастоящая amoCRM", "pretend amoCRM"), &crm.base_url()),
        ("FastAGI", &agi),
        (either(language, "папка", "folder"), &folder.display().to_string()),
    ];
    for (name, place) in rows {
        println!("  {name:<20} {place}");
    }
    if temporary {
        say(language, "\nПапка временная: --dir сохранит её. Ctrl-C заканчивает.\n", "\nThe folder is temporary: --dir keeps one. Ctrl-C ends it.\n");
    } else {
        say(language, "\nCtrl-C заканчивает.\n", "\nCtrl-C ends it.\n");
    }
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
        let client = if client.is_empty() { either(self.language, "номер скрыт", "hidden number").to_owned() } else { format!("+{client}") };
        let route = match told {
            Ok(told) => self.route(&told),
            Err(error) => error,
        };
        println!("{} ☎ {client:<14} → {route} ({} µs)", time(), took.as_micros());
    }

    fn route(&self, told: &Told) -> String {
        let nobody = either(self.language, "в CRM нет", "not in the CRM");
        let responsible = self.names.get(&told.responsible).map_or("", String::as_str);
        match (told.name.as_str(), told.exten.as_str()) {
            ("", _) => nobody.to_owned(),
            (name, "") => format!("{name}; {responsible}"),
            (name, exten) => format!("{name}; {responsible}, {exten}"),
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
        let outcome = match call.outcome {
            Outcome::Talked => either(self.language, "разговор", "talked"),
            Outcome::Missed => either(self.language, "пропущен", "missed"),
            Outcome::NoAnswer => either(self.language, "не ответили", "no answer"),
            Outcome::Busy => either(self.language, "занято", "busy"),
            Outcome::Failed => either(self.language, "не удался", "failed"),
            Outcome::NotDialed => either(self.language, "не набран", "not dialled"),
        };
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
    let Tally { registered, skipped, failed } = tally;
    match language {
        Language::Ru => println!("\nГотово: занесено {registered}, пропущено по правилам {skipped}, не удалось {failed}."),
        Language::En => println!("\nDone: {registered} registered, {skipped} skipped by rule, {failed} failed."),
    }
    if !exits {
        say(language, "Страницы остаются открытыми; Ctrl-C заканчивает.", "The pages stay open; Ctrl-C ends it.");
    }
}

/// Last words.
pub(super) fn goodbye(language: Language, kept: Option<&Path>) {
    match kept {
        Some(folder) => println!("{} {}", either(language, "\nВсё осталось в", "\nEverything is kept in"), folder.display()),
        None => say(language, "\nДо свидания.", "\nGoodbye."),
    }
}

fn time() -> String {
    clock::now().with_timezone(&Local).format("%H:%M:%S").to_string()
}
