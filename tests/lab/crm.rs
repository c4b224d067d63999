//! What must stand in the CRM when a scenario is over, by the truth, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use perezvon::{
    logic::{
        call::{Call, Direction, Outcome},
        sound::mpeg::Mpeg,
    },
    sandbox::amocrm::CallNote,
};
use serde::Deserialize;
use toml::Table;

use crate::{
    lab::Lane,
    service::Service,
    truth::{Truth, outcome_of, plus},
};

/// Bytes of a second in Asterisk's WAV (8 kHz, 16 bit), after a header of 44.
const BYTES_A_SECOND: f64 = 16_000.0;
const HEADER: u64 = 44;
/// Seconds by which a sound may be shorter than the talk.
const SLACK: f64 = 2.0;

/// What the truth says of the CRM beside the story.
#[derive(Debug, Clone, Deserialize)]
struct Wanted {
    /// A recording of the talk can be heard.
    recording: bool,
    /// Seconds that can be heard, where not the whole talk was recorded.
    heard: Option<u32>,
    /// Whose call it is in the CRM, where that does not follow from who talked.
    responsible: Option<String>,
    /// Where it does not follow from the direction: whether the CRM gets it.
    registered: Option<Registered>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Registered {
    Gets(bool),
    Word(String),
}

/// What is to become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stands in the CRM.
    Registered,
    /// The service has it, the CRM not.
    LeftOut,
    /// The service does not know yet that it has ended.
    Later,
}

/// What the truth says of it.
pub(crate) fn fate(truth: &Truth, table: &Table) -> Result<Fate, String> {
    let wanted: Wanted =
        table.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let is_clients = truth.direction != Direction::Internal && !truth.client.is_empty();
    match wanted.registered {
        Some(Registered::Gets(true)) => Ok(Fate::Registered),
        Some(Registered::Gets(false)) => Ok(Fate::LeftOut),
        Some(Registered::Word(word)) if word == "later" => Ok(Fate::Later),
        Some(Registered::Word(word)) => Err(format!("registered is true, false or \"later\", not “{word}”")),
        None if is_clients && truth.result != "not_dialed" => Ok(Fate::Registered),
        None => Ok(Fate::LeftOut),
    }
}

/// The CRM and the service as they were before a scenario.
pub(crate) struct Before {
    pub(crate) notes: BTreeSet<u64>,
    tasks: BTreeSet<u64>,
    /// How many calls the service has.
    pub(crate) calls: u64,
}

impl Before {
    pub(crate) async fn of(service: &Service) -> Result<Self, String> {
        Ok(Self {
            notes: service.sandbox.notes().iter().map(|note| note.id).collect(),
            tasks: service.sandbox.tasks().iter().map(|task| task.id).collect(),
            calls: service.count().await?,
        })
    }

    /// Call notes that have come since.
    fn new_calls(&self, service: &Service) -> Vec<CallNote> {
        service.sandbox.calls().into_iter().filter(|note| !self.notes.contains(&note.id)).collect()
    }

    /// How far it is from what the truth says, as faults.
    pub(crate) async fn faults(
        &self,
        service: &Service,
        lane: &Lane,
        calls: &[(&Call, &Truth, &Table)],
        slack: u32,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let mut notes = self.new_calls(service);
        let (mut clients, mut missed) = (BTreeSet::new(), 0);
        for (call, truth, table) in calls {
            let wanted: Wanted = match (*table).clone().try_into() {
                Ok(wanted) => wanted,
                Err(error) => return vec![format!("the truth: {error}")],
            };
            if fate(truth, table) != Ok(Fate::Registered) {
                continue;
            }
            clients.insert(plus(&truth.client));
            missed += usize::from(truth.result == "missed");
            let own = |note: &CallNote| call.linkedids.iter().any(|id| note.uniq == format!("perezvon-{id}"));
            let Some(at) = notes.iter().position(own) else {
                faults.push(format!("the CRM has no note of the call of {}", truth.client));
                continue;
            };
            let note = notes.swap_remove(at);
            faults.extend(note_faults(&note, call, truth, &wanted, service));
            if note.duration.abs_diff(i64::from(truth.talk_seconds)) > u64::from(slack.max(2)) {
                let (told, was) = (note.duration, truth.talk_seconds);
                faults.push(format!("the CRM's duration is {told} s, not {was}"));
            }
            faults.extend(sound_faults(&note, call, truth, &wanted, service, lane).await);
        }
        faults.extend(notes.iter().map(|note| format!("a ghost in the CRM: {note:?}")));
        faults.extend(self.other_faults(service, &clients, missed));
        faults
    }

    /// Tasks, contacts and leads: one of each client's.
    fn other_faults(&self, service: &Service, clients: &BTreeSet<String>, missed: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let tasks = service.sandbox.tasks().iter().filter(|task| !self.tasks.contains(&task.id)).count();
        if tasks != missed {
            faults.push(format!("{tasks} new tasks in the CRM for {missed} missed calls"));
        }
        let contacts = service.contacts();
        for client in clients {
            let own = contacts.iter().filter(|contact| contact.phones.contains(client)).count();
            if own != 1 {
                faults.push(format!("{own} contacts of {client} in the CRM"));
            }
        }
        let leads = service.leads().len();
        if leads != clients.len() {
            faults.push(format!("{leads} leads in the CRM for {} clients", clients.len()));
        }
        faults
    }
}

fn note_faults(
    note: &CallNote,
    call: &Call,
    truth: &Truth,
    wanted: &Wanted,
    service: &Service,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |what: &str, got: String, want: String| {
        if got != want {
            faults.push(format!("the CRM's {what} is {got}, not {want}"));
        }
    };
    check("direction", word(note.inbound), word(truth.direction == Direction::Inbound));
    check("number", note.phone.clone(), plus(&truth.client));
    let status = match (outcome_of(&truth.result), truth.voicemail) {
        (Outcome::Talked, _) => 4,
        (Outcome::Busy, _) => 7,
        (_, true) => 1,
        _ => 6,
    };
    check("status", format!("{:?}", note.call_status), format!("{:?}", Some(status)));
    check("time", note.created_at.to_string(), call.started_at.timestamp().to_string());
    let users = responsible(truth, wanted, service);
    if !users.contains(&note.responsible_user_id) {
        faults.push(format!("the CRM's responsible is user {}, not {users:?}", note.responsible_user_id));
    }
    faults
}

fn word(inbound: bool) -> String {
    if inbound { "in" } else { "out" }.to_owned()
}

/// Users any of whom may own the note.
fn responsible(truth: &Truth, wanted: &Wanted, service: &Service) -> BTreeSet<u64> {
    let user = |who: &String| service.users.get(who).copied();
    if let Some(who) = &wanted.responsible {
        return if who == "default" {
            [service.default_user].into()
        } else {
            user(who).into_iter().collect()
        };
    }
    let talked = truth.talk.iter().rev().find_map(|talk| user(&talk.who));
    let asked: BTreeSet<u64> = truth.asked.iter().filter_map(user).collect();
    match (talked.or_else(|| truth.via.as_ref().and_then(user)), asked.is_empty()) {
        (Some(user), _) => [user].into(),
        (None, false) => asked,
        (None, true) => [service.default_user].into(),
    }
}

/// The link plays, and is as long as what was recorded.
async fn sound_faults(
    note: &CallNote,
    call: &Call,
    truth: &Truth,
    wanted: &Wanted,
    service: &Service,
    lane: &Lane,
) -> Vec<String> {
    let talked = truth.result == "answered";
    if !talked || !wanted.recording {
        let silent = note.link.is_empty();
        return if silent {
            Vec::new()
        } else {
            vec![format!("nothing was recorded, but there is {}", note.link)]
        };
    }
    if note.link.is_empty() {
        return vec![format!(
            "the note has no recording; {} files: {:?}",
            call.recordings.len(),
            call.recordings
        )];
    }
    let sound = match service.play(&note.link).await {
        Ok(sound) => sound,
        Err(fault) => return vec![fault],
    };
    let Ok(sound) = Mpeg::of(&mut Cursor::new(sound)) else {
        return vec![format!("{} is no MP3", note.link)];
    };
    let files: Vec<f64> = files(call, lane).into_iter().map(|(_, bytes)| seconds(bytes)).collect();
    let (longest, sum) = (files.iter().copied().fold(0.0, f64::max), files.iter().sum::<f64>());
    let mut faults = Vec::new();
    if !(longest - 0.3..=sum + 0.3).contains(&sound.seconds) {
        faults.push(format!("the sound is {:.1} s, its files {files:.1?}", sound.seconds));
    }
    let heard = wanted.heard.unwrap_or(truth.talk_seconds);
    if sound.seconds < f64::from(heard) - SLACK {
        faults.push(format!("the sound is {:.1} s, the talk was {heard} s", sound.seconds));
    }
    faults
}

/// The call's files on the disk, and their sizes.
pub(crate) fn files(call: &Call, lane: &Lane) -> Vec<(PathBuf, u64)> {
    let names = call.recordings.iter().filter_map(|recording| Path::new(&recording.path).file_name());
    names.filter_map(|name| find(&lane.spool.join("monitor"), name)).collect()
}

/// Seconds of sound in a WAV of that size.
pub(crate) fn seconds(bytes: u64) -> f64 {
    bytes.saturating_sub(HEADER) as f64 / BYTES_A_SECOND
}

fn find(folder: &Path, name: &std::ffi::OsStr) -> Option<(PathBuf, u64)> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name) {
                return Some(found);
            }
        } else if path.file_name() == Some(name) {
            return Some((path, entry.metadata().ok()?.len()));
        }
    }
    None
}
