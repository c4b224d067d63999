//! Where reading stopped: kept in the store, found again by the next run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Trouble, intake::Intake, sweeps::Sweeps, tail::Tail};
use crate::edge::pbx_database::Newest;

/// At the very first start so many rows are looked at that are there already: calls may have ended while the database
/// could not be reached yet.
const LOOK_BACK: i64 = 500;

/// What a restart begins with; kept in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Last key of `cel` that needs no second look.
    cel: Option<i64>,
    /// Of `cdr`.
    cdr: Option<i64>,
    /// When polling was switched on: calls that ended before are for backfill.
    begun: DateTime<Utc>,
    /// When windows of a `cdr` without a key were read last.
    swept: DateTime<Utc>,
}

/// How each table is read.
pub(super) struct Reading {
    pub(super) cel: Option<Tail>,
    pub(super) cdr: CdrReading,
    pub(super) begun: DateTime<Utc>,
    kept: Place,
}

pub(super) enum CdrReading {
    Key(Tail),
    Sweeps(Box<Sweeps>),
}

impl Reading {
    /// Whether the greatest keys are others than those read last.
    pub(super) fn is_behind(&self, newest: Newest) -> bool {
        let moved = |tail: &Tail, newest: Option<i64>| newest.is_some_and(|newest| newest != tail.top());
        let cdr = matches!(&self.cdr, CdrReading::Key(tail) if moved(tail, newest.cdr));
        cdr || self.cel.as_ref().is_some_and(|tail| moved(tail, newest.cel))
    }
}

impl Intake {
    /// Finds the place where the last run stopped; the very first start begins now.
    pub(super) async fn begin(&self) -> Result<Reading, Trouble> {
        let settings = self.parts.database.settings();
        let schema = self.parts.database.schema().await?;
        let newest = self.parts.database.newest().await?;
        let back = |newest: Option<i64>| newest.map(|newest| (newest - LOOK_BACK).max(0));
        let place = match self.parts.store.cursor(&self.cursor()).await? {
            Some(kept) => serde_json::from_str(&kept).unwrap_or_default(),
            None => Place {
                cel: back(newest.cel),
                cdr: back(newest.cdr),
                begun: self.started,
                swept: self.started,
            },
        };
        let tail = |kept: Option<i64>, newest: Option<i64>| Some(Tail::at(kept.unwrap_or(newest?)));
        let cel = newest.cel.and_then(|_| tail(place.cel, newest.cel));
        let cdr = match newest.cdr.and_then(|_| tail(place.cdr, newest.cdr)) {
            Some(tail) => CdrReading::Key(tail),
            None => CdrReading::Sweeps(Box::new(
                Sweeps::load(
                    &self.parts.store,
                    settings.max_call.chrono(),
                    settings.poll_interval.0,
                    schema.cel.is_some(),
                    place.begun,
                    place.swept,
                )
                .await?,
            )),
        };
        Ok(Reading { cel, cdr, begun: place.begun, kept: Place::default() })
    }

    /// Another database or table is another place.
    fn cursor(&self) -> String {
        let settings = self.parts.database.settings();
        let url = settings.database_url.as_ref().map(ToString::to_string).unwrap_or_default();
        let sum = Sha256::digest(format!("{url} {} {}", settings.cdr_table, settings.cel_table));
        let sum: String = sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("pbx {sum}")
    }

    /// Keeps the place, when it has moved.
    pub(super) async fn keep(&self, reading: &mut Reading) -> Result<(), Trouble> {
        let (cdr, swept) = match &reading.cdr {
            CdrReading::Key(tail) => (Some(tail.floor()), reading.begun),
            CdrReading::Sweeps(sweeps) => (None, sweeps.swept()),
        };
        let place = Place { cel: reading.cel.as_ref().map(Tail::floor), cdr, begun: reading.begun, swept };
        if place != reading.kept {
            let value = serde_json::to_string(&place).expect("four plain values");
            self.parts.store.keep_cursor(&self.cursor(), &value).await?;
            reading.kept = place;
        }
        Ok(())
    }
}
