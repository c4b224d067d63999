//! What Asterisk's tables hold, as text: columns that a table lacks are empty.
//!
//! Field names are FreePBX's column names (cdr: `framework/installlib/SQL/cdr.sql`; cel: module cdr), so rows
//! of the fixtures parse as they stand. `eventextra` of older tables and of `cel_sqlite3_custom` is [`CelRow::extra`].

use serde::{Deserialize, Serialize};

use super::extra;

/// One row of `cdr`: a leg that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct CdrRow {
    /// START of the leg, `YYYY-MM-DD HH:MM:SS[.ffffff]`, local time of the PBX unless it writes UTC.
    pub calldate: String,
    /// `"name" <number>`.
    pub clid: String,
    /// Number of the calling side.
    pub src: String,
    /// Dialplan extension; not who talked.
    pub dst: String,
    /// Dialplan context.
    pub dcontext: String,
    /// Channel that ran the dialplan.
    pub channel: String,
    /// The other channel: who was really reached.
    pub dstchannel: String,
    /// Last application.
    pub lastapp: String,
    /// Its arguments.
    pub lastdata: String,
    /// Seconds from start to end.
    pub duration: i64,
    /// Seconds from answer to end; not talk.
    pub billsec: i64,
    /// ANSWERED, NO ANSWER, BUSY, FAILED, CONGESTION, CANCEL.
    pub disposition: String,
    /// Account code.
    pub accountcode: String,
    /// UTC second the channel began + counter.
    pub uniqueid: String,
    /// Free text of the dialplan.
    pub userfield: String,
    /// Company number dialled (FreePBX).
    pub did: String,
    /// Recording's file name (FreePBX); filled for unanswered calls, too.
    pub recordingfile: String,
    /// Caller number as set by the dialplan (FreePBX).
    pub cnum: String,
    /// Caller name as set by the dialplan (FreePBX); often the number again.
    pub cnam: String,
    /// Number shown to the called side (FreePBX).
    pub outbound_cnum: String,
    /// Empty in tables without the column.
    pub linkedid: String,
    /// Account code of the other side.
    pub peeraccount: String,
    /// Running number since Asterisk's start; absent in old tables.
    pub sequence: Option<i64>,
}

/// One row of `cel`: one event of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct CelRow {
    /// Insertion order.
    pub id: i64,
    /// CHAN_START, ANSWER, BRIDGE_ENTER, …
    pub eventtype: String,
    /// `YYYY-MM-DD HH:MM:SS[.ffffff]`, local time of the PBX unless it writes UTC.
    pub eventtime: String,
    /// Caller name.
    pub cid_name: String,
    /// Caller number.
    pub cid_num: String,
    /// ANI.
    pub cid_ani: String,
    /// Redirecting number.
    pub cid_rdnis: String,
    /// Dialled number.
    pub cid_dnid: String,
    /// Dialplan extension.
    pub exten: String,
    /// Dialplan context.
    pub context: String,
    /// Channel.
    pub channame: String,
    /// Application.
    pub appname: String,
    /// Its arguments.
    pub appdata: String,
    /// Account code.
    pub accountcode: String,
    /// Channel's id.
    pub uniqueid: String,
    /// Call's id.
    pub linkedid: String,
    /// The other channel.
    pub peer: String,
    /// Name of a user-defined event.
    pub userdeftype: String,
    /// JSON, maybe cut.
    #[serde(alias = "eventextra")]
    pub extra: String,
}

impl CelRow {
    /// The key of a phone that a `DTMF` event tells, [`HIDDEN`](super::digits::HIDDEN) when it was taken out.
    pub fn digit(&self) -> Option<&str> {
        extra::field(&self.extra, "digit").filter(|_| self.eventtype == "DTMF")
    }
}
