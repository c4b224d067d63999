//! A call as a person beside the phones would tell it.
//!
//! The JSON of [`Call`] is an outside contract: `perezvon calls --json` prints one object a line.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

/// Who began, and whether anybody from outside took part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A client called the company.
    Inbound,
    /// An employee called a client, by hand or by click.
    Outbound,
    /// Employees among themselves.
    Internal,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A person talked with the client.
    Talked,
    /// Inbound, and no person talked with the client.
    Missed,
    /// Outbound, rang, not picked up.
    NoAnswer,
    /// Outbound, busy.
    Busy,
    /// Outbound, the line or the number refused.
    Failed,
    /// Click-to-call where the employee never picked up: the client was never dialled.
    NotDialed,
}

impl Outcome {
    /// The word of the JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Talked => "talked",
            Self::Missed => "missed",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NotDialed => "not_dialed",
        }
    }
}

/// Where a missed call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedAt {
    /// While a phone rang.
    Ringing,
    /// No phone could ring (busy, not registered, do not disturb), or nobody was asked: after hours.
    Unreachable,
    /// While waiting in a queue.
    Queue,
    /// In a menu or announcement.
    Ivr,
    /// In voicemail.
    Voicemail,
}

/// The client talked, then was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostAfter {
    /// After a transfer that nobody took.
    Transfer,
    /// While parked.
    Park,
}

/// How much Asterisk told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// CEL and CDR.
    Full,
    /// CDR alone: the best it can give.
    CdrOnly,
}

/// One attempt to join the client with one employee or outside number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Extension, or `+E.164`.
    pub party: String,
    /// Extension whose forward or follow-me led there.
    pub via: Option<String>,
    /// When the party's phone was asked, UTC.
    #[serde(serialize_with = "seconds")]
    pub requested_at: DateTime<Utc>,
    /// When the party and the client were joined, UTC.
    #[serde(serialize_with = "optional_seconds")]
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it ended, UTC.
    #[serde(serialize_with = "seconds")]
    pub ended_at: DateTime<Utc>,
    /// Seconds together with the client.
    pub talk_seconds: u32,
}

/// A menu that the client stood in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    /// Dialplan context: `ivr-1`.
    pub name: String,
    /// When he came to it, UTC.
    #[serde(serialize_with = "seconds")]
    pub entered_at: DateTime<Utc>,
    /// What he pressed there, `•` for each key when it was more than a choice; only when `[pbx] ivr_digits` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<String>,
    /// Where the dialplan led from there: an extension, queue or group, a context, the next menu; none when he left.
    pub led_to: Option<String>,
}

/// Whether a recording can be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Sound of a talk, closed.
    Ready,
    /// Nothing of a talk in it: a header only, or ringing tones and announcements of a call nobody took.
    Empty,
    /// Not where Asterisk said.
    Missing,
    /// Still being written.
    Growing,
}

/// A file that Asterisk recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Path as Asterisk wrote it; a bare file name when only the CDR names it.
    pub path: String,
    /// Length of the sound.
    pub seconds: f64,
    /// Whether it can be converted.
    pub state: RecordingState,
}

/// All that happened for one client from first channel to last, over all linkedids that share a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The smallest linkedid, compared as numbers.
    pub id: String,
    /// All linkedids, smallest first.
    pub linkedids: Vec<String>,
    /// Who began.
    pub direction: Direction,
    /// The outside party, `+E.164`; none for internal and anonymous calls.
    pub client: Option<String>,
    /// The company number that was dialled, digits as the trunk gave them.
    pub did: Option<String>,
    /// Endpoint name of the line.
    pub trunk: Option<String>,
    /// First channel, UTC.
    #[serde(serialize_with = "seconds")]
    pub started_at: DateTime<Utc>,
    /// First talk, UTC.
    #[serde(serialize_with = "optional_seconds")]
    pub answered_at: Option<DateTime<Utc>>,
    /// Last channel, UTC.
    #[serde(serialize_with = "seconds")]
    pub ended_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
    /// Where a missed call ended.
    pub missed_at: Option<MissedAt>,
    /// How a talk lost its client.
    pub lost_after: Option<LostAfter>,
    /// Seconds of all conversations.
    pub talk_seconds: u32,
    /// Everybody who was asked, in order of time.
    pub conversations: Vec<Conversation>,
    /// Files, in order of time.
    pub recordings: Vec<Recording>,
    /// Menus that the client went through, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub menus: Vec<Menu>,
    /// Asterisk never told its end: it died in the middle of the call, or the call still goes on. What is told goes up
    /// to the last that is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// How much Asterisk told.
    pub detail: Detail,
}

fn seconds<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn optional_seconds<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

impl Call {
    /// The last employee or outside number that talked with the client.
    pub fn last_talked(&self) -> Option<&Conversation> {
        self.conversations.iter().filter(|one| one.accepted_at.is_some()).max_by_key(|one| one.accepted_at)
    }

    /// Menu after menu and where they led, `ivr-1 → ivr-2 (3) → 500`, with what was pressed in brackets; empty without
    /// menus.
    pub fn menu_path(&self) -> String {
        let mut steps: Vec<String> = Vec::new();
        for menu in &self.menus {
            if steps.last() == Some(&menu.name) {
                steps.pop();
            }
            let pressed = menu.digits.as_ref().map(|digits| format!(" ({digits})")).unwrap_or_default();
            steps.push(format!("{}{pressed}", menu.name));
            steps.extend(menu.led_to.clone());
        }
        steps.join(" → ")
    }

    /// Whether a person talked with the client.
    pub fn talked(&self) -> bool {
        self.outcome == Outcome::Talked
    }
}
