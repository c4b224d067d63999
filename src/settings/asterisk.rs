//! `[pbx]` and `[ami]`: Asterisk's tables and its manager interface.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Secret, Span, StoreUrl};

/// `[pbx]`: Asterisk's CDR and CEL tables; the service only ever reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pbx {
    /// `mysql://…` or `sqlite:/var/log/asterisk/master.db`; absent means no polling.
    pub database_url: Option<StoreUrl>,
    /// Name of the CDR table.
    pub cdr_table: String,
    /// Name of the CEL table; empty when the PBX writes none.
    pub cel_table: String,
    /// Time zone that `calldate` and `eventtime` are written in; absent means found out from the rows
    /// (`uniqueid` holds the UTC second a channel began).
    pub timezone: Option<chrono_tz::Tz>,
    /// How often new rows are asked for.
    pub poll_interval: Span,
    /// The longest call that still is found whole.
    pub max_call: Span,
    /// How long after its last row a call without an end event is closed.
    pub quiet: Span,
    /// Keep what callers press in menus (never what they press in a talk, a mailbox or where a PIN is asked for).
    pub ivr_digits: bool,
    /// Our column name → theirs, `cdr.linkedid = "linked_id"`, `cel.extra = "eventextra"`.
    pub column_names: BTreeMap<String, String>,
}

impl Default for Pbx {
    fn default() -> Self {
        Self {
            database_url: None,
            cdr_table: "cdr".to_owned(),
            cel_table: "cel".to_owned(),
            timezone: None,
            poll_interval: Span::secs(1),
            max_call: Span::secs(8 * 3600),
            quiet: Span::secs(10),
            ivr_digits: false,
            column_names: BTreeMap::new(),
        }
    }
}

/// `[ami]`: Asterisk's manager interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ami {
    /// `host:port`, usually `127.0.0.1:5038`; empty means not used.
    pub address: String,
    /// Account in manager.conf.
    pub username: String,
    /// Its secret.
    pub secret: Secret,
}
