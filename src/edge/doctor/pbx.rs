//! Asterisk's tables: reachable, complete, cheap to ask, and in which time zone.

use chrono::TimeDelta;

use super::Notes;
use crate::{
    edge::{
        clock,
        pbx_database::{PbxDatabase, PbxError, Remark, Schema},
    },
    logic::call::{CallRows, group, was_asked_about},
    settings::Settings,
};

/// Looks at the tables and at the calls of the last day.
pub(super) async fn tables(settings: &Settings, notes: &mut Notes<'_>) {
    if settings.pbx.database_url.is_none() {
        return notes.off("pbx", "check.pbx_off", &[]);
    }
    match look(settings, notes).await {
        Ok(()) => {}
        Err(error) => notes.fault("pbx", "check.pbx_bad", &[("error", &error.to_string())]),
    }
}

async fn look(settings: &Settings, notes: &mut Notes<'_>) -> Result<(), PbxError> {
    let database = PbxDatabase::connect(&settings.pbx).await?;
    let schema = database.schema().await?;
    shape(&schema, notes);
    zone(settings, &database, notes).await?;
    let now = clock::now();
    let calls: Vec<CallRows> = database.calls_between(now - TimeDelta::days(1), now).await?;
    let calls: Vec<CallRows> = calls.into_iter().flat_map(group).collect();
    if calls.is_empty() {
        notes.warn("pbx", "check.no_calls", &[]);
    } else {
        notes.ok("pbx", "check.calls", &[("n", &calls.len().to_string())]);
        dialplan(settings, &calls, notes);
    }
    Ok(())
}

/// The watchdog of our dialplan leaves rows of its own. CURL() leaves none, so their lack is no fault.
fn dialplan(settings: &Settings, calls: &[CallRows], notes: &mut Notes<'_>) {
    match calls.iter().filter(|rows| was_asked_about(rows)).count() {
        0 if settings.agi.enabled => notes.off("dialplan", "check.dialplan_silent", &[]),
        0 => {}
        asked => notes.ok("dialplan", "check.dialplan_asks", &[("n", &asked.to_string())]),
    }
}

fn shape(schema: &Schema, notes: &mut Notes<'_>) {
    let cel = schema.cel.as_ref().map_or("—", |table| table.name.as_str());
    notes.ok("pbx", "check.tables", &[("cdr", &schema.cdr.name), ("cel", cel)]);
    // The statements below say the same and what to do.
    for remark in schema.remarks.iter().filter(|remark| !matches!(remark, Remark::Scan { .. })) {
        notes.warn("pbx", "check.remark", &[("remark", &remark.to_string())]);
    }
    for table in std::iter::once(&schema.cdr).chain(&schema.cel) {
        let said = |column: &&String| *column == "linkedid" && schema.remarks.contains(&Remark::NoLinkedid);
        let missing: Vec<&str> =
            table.missing.iter().filter(|column| !said(column)).map(String::as_str).collect();
        if !missing.is_empty() {
            let values = [("table", table.name.as_str()), ("columns", &missing.join(", "))];
            notes.warn("pbx", "check.columns", &values);
        }
        for statement in &table.ddl {
            notes.warn("pbx", "check.ddl", &[("table", &table.name), ("statement", statement)]);
        }
    }
}

/// The zone as set, against the one that the newest rows show.
async fn zone(settings: &Settings, database: &PbxDatabase, notes: &mut Notes<'_>) -> Result<(), PbxError> {
    let now = clock::now();
    let ahead = database.ahead_of_utc(now).await?;
    let Some(set) = settings.pbx.timezone else {
        notes.ok("pbx", "check.zone_found", &[("offset", &written(ahead))]);
        return Ok(());
    };
    let unset = crate::settings::Pbx { timezone: None, ..settings.pbx.clone() };
    let shown = PbxDatabase::connect(&unset).await?.ahead_of_utc(now).await?;
    let values = [("zone", set.name()), ("offset", &written(ahead)), ("shown", &written(shown))];
    // An empty table shows nothing, which reads as UTC.
    if shown == ahead || shown.is_zero() && database_is_empty(database).await? {
        notes.ok("pbx", "check.zone", &values);
    } else {
        notes.fault("pbx", "check.zone_differs", &values);
    }
    Ok(())
}

async fn database_is_empty(database: &PbxDatabase) -> Result<bool, PbxError> {
    let now = clock::now();
    Ok(database.calls_between(now - TimeDelta::days(1), now + TimeDelta::days(1)).await?.is_empty())
}

/// `UTC+3`, `UTC-3:30`.
fn written(ahead: TimeDelta) -> String {
    let minutes = ahead.num_minutes();
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    let sign = if minutes < 0 { '-' } else { '+' };
    if rest == 0 { format!("UTC{sign}{hours}") } else { format!("UTC{sign}{hours}:{rest:02}") }
}
