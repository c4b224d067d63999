//! Statements over the two tables, and rows out of them. Everything is read as text: what a column's type is, is the admin's business.

use diesel::{
    QueryableByName,
    sql_types::{Nullable, Text},
};

use super::{
    connection::{Engine, Query},
    names::{self, Column},
    schema::Table,
};
use crate::logic::call::{CdrRow, CelRow};

/// How many rows one question brings at most: SQLite's file is locked while it is answered.
pub(super) const PAGE: i64 = 500;

/// Which table is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cdr,
    Cel,
}

impl Kind {
    fn columns(self) -> &'static [Column] {
        match self {
            Self::Cdr => names::CDR,
            Self::Cel => names::CEL,
        }
    }

    /// Our name of the time.
    pub(super) fn time(self) -> &'static str {
        match self {
            Self::Cdr => "calldate",
            Self::Cel => "eventtime",
        }
    }
}

/// Makes the struct that a row is loaded into and its way to the row of `logic`.
macro_rules! raw_row {
    ($(#[$doc:meta])* $raw:ident => $row:ident, texts: [$($text:ident),*], others: [$($other:ident),*], |$from:ident, $key:ident| { $($made:ident: $how:expr),* }) => {
        $(#[$doc])*
        #[derive(Debug, QueryableByName)]
        pub(super) struct $raw {
            #[diesel(sql_type = Nullable<Text>)]
            row_key: Option<String>,
            $(#[diesel(sql_type = Nullable<Text>)] $text: Option<String>,)*
            $(#[diesel(sql_type = Nullable<Text>)] $other: Option<String>,)*
        }

        impl $raw {
            /// The key (0 without one) and the row.
            pub(super) fn into_row(self) -> (i64, $row) {
                let $from = self;
                let $key = number($from.row_key.as_deref()).unwrap_or(0);
                ($key, $row { $($made: $how,)* $($text: $from.$text.unwrap_or_default(),)* })
            }
        }
    };
}

raw_row! {
    /// A row of `cdr` as text.
    RawCdr => CdrRow,
    texts: [calldate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, disposition, accountcode, uniqueid, userfield,
        did, recordingfile, cnum, cnam, outbound_cnum, linkedid, peeraccount],
    others: [duration, billsec, sequence],
    |raw, _key| {
        duration: number(raw.duration.as_deref()).unwrap_or(0),
        billsec: number(raw.billsec.as_deref()).unwrap_or(0),
        sequence: number(raw.sequence.as_deref())
    }
}

raw_row! {
    /// A row of `cel` as text.
    RawCel => CelRow,
    texts: [eventtype, eventtime, cid_name, cid_num, cid_ani, cid_rdnis, cid_dnid, exten, context, channame, appname, appdata, accountcode,
        uniqueid, linkedid, peer, userdeftype, extra],
    others: [],
    |raw, key| { id: key }
}

/// Whole or decimal (`6.000000`, as `${CDR(billsec,f)}` writes).
fn number(text: Option<&str>) -> Option<i64> {
    let text = text?.trim();
    text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|seconds| seconds as i64))
}

/// One loaded key, or nothing when the table is empty.
#[derive(Debug, QueryableByName)]
pub(super) struct KeyFound {
    #[diesel(sql_type = Nullable<Text>)]
    row_key: Option<String>,
}

impl KeyFound {
    pub(super) fn key(&self) -> Option<i64> {
        number(self.row_key.as_deref())
    }
}

/// A key with what tells its row's time.
#[derive(Debug, QueryableByName)]
pub(super) struct KeyTime {
    #[diesel(sql_type = Nullable<Text>)]
    row_key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) time: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    length: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) uniqueid: Option<String>,
}

impl KeyTime {
    pub(super) fn key(&self) -> i64 {
        number(self.row_key.as_deref()).unwrap_or(0)
    }

    /// Seconds from the row's time to its end; 0 for CEL.
    pub(super) fn length(&self) -> i64 {
        number(self.length.as_deref()).unwrap_or(0)
    }
}

/// Builds statements over one table.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) engine: Engine,
    pub(super) table: &'a Table,
    pub(super) kind: Kind,
}

impl Ask<'_> {
    /// A quoted column; `NULL` when the table lacks it.
    pub(super) fn column(self, ours: &str) -> String {
        self.table.column(ours).map_or_else(|| "NULL".to_owned(), |theirs| self.engine.quoted(theirs))
    }

    /// The quoted key; `NULL` without one.
    pub(super) fn key(self) -> String {
        self.table.key.as_deref().map_or_else(|| "NULL".to_owned(), |key| self.engine.quoted(key))
    }

    fn named(self, expression: &str, name: &str) -> String {
        format!("{} AS {}", self.engine.text(expression), self.engine.quoted(name))
    }

    /// `SELECT` of every column of a row; `condition` and what follows it are ours, never the user's.
    pub(super) fn rows(self, condition: &str) -> Query {
        let columns: Vec<String> = std::iter::once(self.named(&self.key(), "row_key"))
            .chain(
                self.kind.columns().iter().map(|column| self.named(&self.column(column.ours), column.ours)),
            )
            .collect();
        self.select(&columns.join(", "), condition)
    }

    /// Keys and times only.
    pub(super) fn times(self, condition: &str) -> Query {
        let length = if self.kind == Kind::Cdr { self.column("duration") } else { "NULL".to_owned() };
        let columns = [
            self.named(&self.key(), "row_key"),
            self.named(&self.column(self.kind.time()), "time"),
            self.named(&length, "length"),
            self.named(&self.column("uniqueid"), "uniqueid"),
        ];
        self.select(&columns.join(", "), condition)
    }

    /// The greatest key, at no cost.
    pub(super) fn newest_key(self) -> Query {
        let newest = format!("MAX({})", self.key());
        self.select(&self.named(&newest, "row_key"), "")
    }

    /// The newest rows' times, by key or by time.
    pub(super) fn newest_times(self, count: usize) -> Query {
        let by = if self.table.key.is_some() { self.key() } else { self.column(self.kind.time()) };
        self.times(&format!("ORDER BY {by} DESC LIMIT {count}"))
    }

    fn select(self, what: &str, condition: &str) -> Query {
        Query::new(format!("SELECT {what} FROM {} {condition}", self.engine.quoted(&self.table.name)))
    }

    /// `column IN (?, …)`.
    pub(super) fn among(self, ours: &str, count: usize) -> String {
        format!("{} IN ({})", self.column(ours), vec!["?"; count].join(", "))
    }
}
