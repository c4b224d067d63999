//! The directory as it outlives a restart: cards, open leads, and which belongs to which.

use std::fmt::Write as _;

use diesel::{
    backend::Backend,
    prelude::*,
    query_builder::{BoxedSqlQuery, SqlQuery},
    serialize::ToSql,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::{
    Store, StoreError,
    schema::{directory_entities as cards, directory_lead_links as links, directory_leads as leads},
    with_connection,
};
use crate::logic::directory::{EntityKind, Listed, OpenLead, Owner};

/// Rows of one statement: well under every engine's limit of bound values.
const ROWS: usize = 200;

/// What is to be written at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryChanges {
    /// Cards, in place of what was kept of them.
    pub cards: Vec<Listed>,
    /// Cards that the CRM no longer has.
    pub gone_cards: Vec<Owner>,
    /// Open leads with all their owners, in place of what was kept of them.
    pub leads: Vec<(OpenLead, Vec<Owner>)>,
    /// Leads that are closed or deleted.
    pub gone_leads: Vec<u64>,
}

impl DirectoryChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
            && self.gone_cards.is_empty()
            && self.leads.is_empty()
            && self.gone_leads.is_empty()
    }
}

type CardRow = (i64, String, i64, i64, i64, String);
type LeadRow = (i64, i64, i64, i64, i64, i64);
type LinkRow = (i64, String, i64);

impl Store {
    /// Writes changes, all or none.
    pub async fn keep_directory(&self, changes: &DirectoryChanges) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        with_connection!(self, |connection| {
            connection
                .transaction(async |connection| {
                    for rows in changes.cards.chunks(ROWS) {
                        card_rows(rows).execute(connection).await?;
                    }
                    for (kind, id) in &changes.gone_cards {
                        diesel::delete(cards::table.find((kind.singular(), signed(*id))))
                            .execute(connection)
                            .await?;
                    }
                    let rewritten = changes.leads.iter().map(|(lead, _)| lead.id);
                    let unlinked: Vec<i64> =
                        rewritten.chain(changes.gone_leads.iter().copied()).map(signed).collect();
                    for ids in unlinked.chunks(ROWS) {
                        diesel::delete(links::table.filter(links::lead_id.eq_any(ids)))
                            .execute(connection)
                            .await?;
                    }
                    let gone: Vec<i64> = changes.gone_leads.iter().copied().map(signed).collect();
                    for ids in gone.chunks(ROWS) {
                        diesel::delete(leads::table.filter(leads::id.eq_any(ids)))
                            .execute(connection)
                            .await?;
                    }
                    for rows in changes.leads.chunks(ROWS) {
                        lead_rows(rows).execute(connection).await?;
                    }
                    for rows in link_rows(&changes.leads).chunks(ROWS) {
                        linked(rows).execute(connection).await?;
                    }
                    Ok::<(), diesel::result::Error>(())
                })
                .await?;
        });
        Ok(())
    }

    /// Up to `limit` cards of one kind with ids above `after`, in order.
    pub async fn directory_cards(
        &self,
        kind: EntityKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Listed>, StoreError> {
        let rows: Vec<CardRow> = with_connection!(self, |connection| {
            cards::table
                .filter(cards::kind.eq(kind.singular()).and(cards::id.gt(signed(after))))
                .order(cards::id)
                .limit(i64::from(limit))
                .select((
                    cards::id,
                    cards::name,
                    cards::responsible,
                    cards::created_at,
                    cards::updated_at,
                    cards::phones,
                ))
                .load(connection)
                .await?
        });
        let read = |(id, name, responsible, created_at, updated_at, phones): CardRow| Listed {
            kind,
            id: unsigned(id),
            name,
            responsible: unsigned(responsible),
            created_at,
            updated_at,
            phones: phones.split(' ').filter_map(|phone| phone.parse().ok()).collect(),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Up to `limit` open leads with ids above `after`, in order, each with its owners.
    pub async fn directory_leads(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(OpenLead, Vec<Owner>)>, StoreError> {
        let (rows, owners): (Vec<LeadRow>, Vec<LinkRow>) = with_connection!(self, |connection| {
            let rows: Vec<LeadRow> = leads::table
                .filter(leads::id.gt(signed(after)))
                .order(leads::id)
                .limit(i64::from(limit))
                .select(leads::all_columns)
                .load(connection)
                .await?;
            let last = rows.last().map_or(0, |row| row.0);
            let owners = links::table
                .filter(links::lead_id.gt(signed(after)).and(links::lead_id.le(last)))
                .select(links::all_columns)
                .load(connection)
                .await?;
            (rows, owners)
        });
        let mut read: Vec<(OpenLead, Vec<Owner>)> =
            rows.into_iter().map(|row| (open_lead(row), Vec::new())).collect();
        for (lead, kind, owner) in owners {
            let place = read.binary_search_by_key(&unsigned(lead), |(lead, _)| lead.id);
            let kind = if kind == "company" { EntityKind::Company } else { EntityKind::Contact };
            if let Ok(place) = place {
                read[place].1.push((kind, unsigned(owner)));
            }
        }
        Ok(read)
    }

    /// Empties the directory: another account stands in the settings now.
    pub async fn clear_directory(&self) -> Result<(), StoreError> {
        with_connection!(self, |connection| {
            connection
                .transaction(async |connection| {
                    diesel::delete(cards::table).execute(connection).await?;
                    diesel::delete(links::table).execute(connection).await?;
                    diesel::delete(leads::table).execute(connection).await?;
                    Ok::<(), diesel::result::Error>(())
                })
                .await?;
        });
        Ok(())
    }
}

const CARD_COLUMNS: &[&str] = &["kind", "id", "name", "responsible", "created_at", "updated_at", "phones"];
const LEAD_COLUMNS: &[&str] = &["id", "pipeline", "status", "responsible", "created_at", "updated_at"];
const LINK_COLUMNS: &[&str] = &["lead_id", "kind", "entity_id"];

/// `REPLACE INTO table (…) VALUES (?, …), …`: both engines know it, and Diesel's own batch insert has no form that
/// fits both.
fn replace(table: &str, columns: &[&str], rows: usize) -> String {
    let mut sql = format!("REPLACE INTO {table} (");
    for (place, column) in columns.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(sql, "{comma}`{column}`");
    }
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    sql + ") VALUES " + &vec![row; rows].join(", ")
}

/// A statement with as many bound values as it has rows.
type Batch<'a, DB> = BoxedSqlQuery<'a, DB, SqlQuery>;

fn card_rows<DB>(rows: &[Listed]) -> Batch<'_, DB>
where
    DB: Backend,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
    for<'a> &'a str: ToSql<Text, DB>,
{
    let mut query = diesel::sql_query(replace("directory_entities", CARD_COLUMNS, rows.len())).into_boxed();
    for card in rows {
        query = query
            .bind::<Text, _>(card.kind.singular())
            .bind::<BigInt, _>(signed(card.id))
            .bind::<Text, _>(card.name.as_str())
            .bind::<BigInt, _>(signed(card.responsible))
            .bind::<BigInt, _>(card.created_at)
            .bind::<BigInt, _>(card.updated_at)
            .bind::<Text, _>(spaced(&card.phones));
    }
    query
}

fn lead_rows<DB>(rows: &[(OpenLead, Vec<Owner>)]) -> Batch<'_, DB>
where
    DB: Backend,
    i64: ToSql<BigInt, DB>,
{
    let mut query = diesel::sql_query(replace("directory_leads", LEAD_COLUMNS, rows.len())).into_boxed();
    for (lead, _) in rows {
        query = query
            .bind::<BigInt, _>(signed(lead.id))
            .bind::<BigInt, _>(signed(lead.pipeline))
            .bind::<BigInt, _>(signed(lead.status))
            .bind::<BigInt, _>(signed(lead.responsible))
            .bind::<BigInt, _>(lead.created_at)
            .bind::<BigInt, _>(lead.updated_at);
    }
    query
}

fn linked<DB>(rows: &[LinkRow]) -> Batch<'_, DB>
where
    DB: Backend,
    i64: ToSql<BigInt, DB>,
    for<'a> &'a str: ToSql<Text, DB>,
{
    let mut query = diesel::sql_query(replace("directory_lead_links", LINK_COLUMNS, rows.len())).into_boxed();
    for (lead, kind, owner) in rows {
        query = query.bind::<BigInt, _>(*lead).bind::<Text, _>(kind.as_str()).bind::<BigInt, _>(*owner);
    }
    query
}

fn link_rows(leads: &[(OpenLead, Vec<Owner>)]) -> Vec<LinkRow> {
    let row = |lead: u64, owner: &Owner| (signed(lead), owner.0.singular().to_owned(), signed(owner.1));
    leads.iter().flat_map(|(lead, owners)| owners.iter().map(move |owner| row(lead.id, owner))).collect()
}

fn open_lead((id, pipeline, status, responsible, created_at, updated_at): LeadRow) -> OpenLead {
    OpenLead {
        id: unsigned(id),
        pipeline: unsigned(pipeline),
        status: unsigned(status),
        responsible: unsigned(responsible),
        created_at,
        updated_at,
    }
}

fn spaced(phones: &[u64]) -> String {
    phones.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

/// The CRM's ids are far below 2^63.
fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn unsigned(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}
