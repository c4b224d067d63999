//! Calls come in: new, changed by late rows, merged, or the same again.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use super::{
    CallState, Put, Store, StoreError,
    calls::{CallRow, read_json, write_json},
    schema::{actions, call_linkedids, calls},
    with_connection,
};
use crate::{
    edge::clock,
    logic::call::{Call, CallRows, CdrRow, CelRow},
};

impl Store {
    /// Keeps a finished call; safe to repeat. The same rows in any order are [`Put::Same`].
    ///
    /// A call that shares a linkedid with known ones takes their place: the one that is furthest in its delivery keeps
    /// its id, the others are left out when nothing was sent for them, else skipped with the reason.
    pub async fn put_call(&self, call: &Call, rows: &CallRows) -> Result<Put, StoreError> {
        let fresh = call_row(call, rows);
        let put = with_connection!(self, |connection| {
            connection
                .transaction(async |connection| {
                    // A write first, so that two writers queue up here instead of failing later.
                    for linkedid in &call.linkedids {
                        let (linkedid, id) = (call_linkedids::linkedid.eq(linkedid), &call.id);
                        diesel::insert_or_ignore_into(call_linkedids::table)
                            .values((linkedid, call_linkedids::call_id.eq(id)))
                            .execute(connection)
                            .await?;
                    }
                    let owners: Vec<String> = call_linkedids::table
                        .filter(call_linkedids::linkedid.eq_any(&call.linkedids))
                        .select(call_linkedids::call_id)
                        .load(connection)
                        .await?;
                    let known: Vec<CallRow> = calls::table
                        .filter(calls::id.eq_any(&owners))
                        .select(CallRow::as_select())
                        .load(connection)
                        .await?;
                    let Some(kept) = known.iter().min_by_key(|row| precedence(row)) else {
                        diesel::insert_into(calls::table).values(&fresh).execute(connection).await?;
                        return Ok(Put::New);
                    };
                    if known.len() == 1 && kept.fingerprint == fresh.fingerprint {
                        return Ok(Put::Same);
                    }
                    diesel::update(calls::table.find(&kept.id))
                        .set((Told::from(&fresh), calls::reason.eq(""), calls::next_at.eq(fresh.next_at)))
                        .execute(connection)
                        .await?;
                    let of_either = call_linkedids::linkedid
                        .eq_any(&call.linkedids)
                        .or(call_linkedids::call_id.eq_any(&owners));
                    diesel::update(call_linkedids::table.filter(of_either))
                        .set(call_linkedids::call_id.eq(&kept.id))
                        .execute(connection)
                        .await?;
                    let others: Vec<&String> =
                        known.iter().map(|row| &row.id).filter(|id| **id != kept.id).collect();
                    let begun: Vec<String> = actions::table
                        .filter(actions::call_id.eq_any(&others))
                        .select(actions::call_id)
                        .distinct()
                        .load(connection)
                        .await?;
                    diesel::update(calls::table.filter(calls::id.eq_any(&begun)))
                        .set(PartOf::call(&kept.id))
                        .execute(connection)
                        .await?;
                    let gone = calls::id.eq_any(&others).and(calls::id.ne_all(&begun));
                    diesel::delete(calls::table.filter(gone)).execute(connection).await?;
                    Ok::<_, StoreError>(Put::Changed)
                })
                .await?
        });
        Ok(put)
    }

    /// These rows and those already kept for calls that share a linkedid with them: to be folded together, so that a
    /// late row never replaces the story by its own small one.
    pub async fn with_known_rows(&self, mut rows: CallRows) -> Result<CallRows, StoreError> {
        let cel = rows.cel.iter().map(|row| (&row.linkedid, &row.uniqueid));
        let cdr = rows.cdr.iter().map(|row| (&row.linkedid, &row.uniqueid));
        // Old tables have no linkedid; their calls are kept under the channel.
        let linkedids: BTreeSet<String> = cel
            .chain(cdr)
            .map(|(linkedid, uniqueid)| if linkedid.is_empty() { uniqueid } else { linkedid })
            .cloned()
            .collect();
        let known: Vec<(String, String)> = with_connection!(self, |connection| {
            let ids: Vec<String> = call_linkedids::table
                .filter(call_linkedids::linkedid.eq_any(&linkedids))
                .select(call_linkedids::call_id)
                .distinct()
                .load(connection)
                .await?;
            calls::table
                .filter(calls::id.eq_any(&ids))
                .select((calls::id, calls::rows_json))
                .load(connection)
                .await?
        });
        for (id, json) in known {
            let kept: CallRows = read_json("the rows of call", &id, &json)?;
            for row in kept.cdr {
                if !rows.cdr.iter().any(|fresh| same_leg(fresh, &row)) {
                    rows.cdr.push(row);
                }
            }
            for row in kept.cel {
                if !rows.cel.iter().any(|fresh| same_event(fresh, &row)) {
                    rows.cel.push(row);
                }
            }
        }
        Ok(rows)
    }
}

/// What is left of a call that turned out to be part of another.
#[derive(AsChangeset)]
#[diesel(table_name = calls, treat_none_as_null = true)]
struct PartOf {
    state: &'static str,
    reason: String,
    next_at: Option<i64>,
}

impl PartOf {
    fn call(id: &str) -> Self {
        Self { state: CallState::Skipped.as_str(), reason: format!("part of call {id}"), next_at: None }
    }
}

/// Whether two rows are one leg's: what else stands in them may have been changed since.
fn same_leg(fresh: &CdrRow, kept: &CdrRow) -> bool {
    let leg = |row: &CdrRow| {
        (
            row.uniqueid.clone(),
            row.sequence,
            row.calldate.clone(),
            row.channel.clone(),
            row.dstchannel.clone(),
        )
    };
    let told = |row: &CdrRow| (row.lastapp.clone(), row.disposition.clone(), row.duration);
    leg(fresh) == leg(kept) && (fresh.sequence.is_some() || told(fresh) == told(kept))
}

/// Whether two rows are one event's: what was pressed may have been hidden since.
fn same_event(fresh: &CelRow, kept: &CelRow) -> bool {
    let event = |row: &CelRow| (row.id, row.uniqueid.clone(), row.eventtype.clone(), row.eventtime.clone());
    if kept.id == 0 { fresh == kept } else { event(fresh) == event(kept) }
}

/// What later rows change of a kept call.
#[derive(AsChangeset)]
#[diesel(table_name = calls)]
struct Told<'a> {
    started_at: i64,
    ended_at: i64,
    direction: &'a str,
    client: Option<Option<&'a str>>,
    outcome: &'a str,
    state: &'a str,
    fingerprint: &'a str,
    call_json: &'a str,
    rows_json: &'a str,
    updated_at: i64,
}

impl<'a> From<&'a CallRow> for Told<'a> {
    fn from(row: &'a CallRow) -> Self {
        Self {
            started_at: row.started_at,
            ended_at: row.ended_at,
            direction: &row.direction,
            client: Some(row.client.as_deref()),
            outcome: &row.outcome,
            state: &row.state,
            fingerprint: &row.fingerprint,
            call_json: &row.call_json,
            rows_json: &row.rows_json,
            updated_at: row.updated_at,
        }
    }
}

/// Which of several calls that turn out to be one keeps its id: the smallest key wins.
fn precedence(row: &CallRow) -> (bool, i64, String) {
    (row.state != CallState::Registered.as_str(), row.created_at, row.id.clone())
}

fn call_row(call: &Call, rows: &CallRows) -> CallRow {
    let now = clock::now().timestamp();
    CallRow {
        id: call.id.clone(),
        started_at: call.started_at.timestamp(),
        ended_at: call.ended_at.timestamp(),
        direction: word(&call.direction),
        client: call.client.clone(),
        outcome: word(&call.outcome),
        state: CallState::Waiting.as_str().to_owned(),
        reason: String::new(),
        next_at: Some(now),
        fingerprint: fingerprint(rows),
        call_json: write_json(call),
        rows_json: write_json(rows),
        plan_json: String::new(),
        created_at: now,
        updated_at: now,
    }
}

/// The word that serde writes for a variant.
fn word<T: serde::Serialize>(variant: &T) -> String {
    write_json(variant).trim_matches('"').to_owned()
}

/// Sum of the rows, whatever their order and however often each was read.
fn fingerprint(rows: &CallRows) -> String {
    let lines: BTreeSet<String> =
        rows.cdr.iter().map(write_json).chain(rows.cel.iter().map(write_json)).collect();
    let mut sum = Sha256::new();
    for line in &lines {
        sum.update(line.as_bytes());
        sum.update(b"\n");
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
