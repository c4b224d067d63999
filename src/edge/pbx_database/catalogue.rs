//! What the server knows of a table: its columns and indexes.

use std::collections::BTreeSet;

use diesel::{
    QueryableByName,
    sql_types::{Nullable, Text},
};

use super::{
    PbxError,
    connection::{Connection, Engine, Query},
};

#[derive(QueryableByName)]
pub(super) struct ColumnFound {
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) kind: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) more: Option<String>,
}

#[derive(QueryableByName)]
struct IndexFound {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

/// Columns of a table as the server knows them; none when there is no such table.
pub(super) async fn columns_of(
    connection: &mut Connection,
    engine: Engine,
    table: &str,
) -> Result<Vec<ColumnFound>, PbxError> {
    let (base, name) = table.split_once('.').map_or((None, table), |(base, name)| (Some(base), name));
    let query = match engine {
        Engine::Mysql => Query::new(format!(
            "SELECT CAST(column_name AS CHAR) AS name, CAST(data_type AS CHAR) AS kind, CAST(extra AS CHAR) AS more \
             FROM information_schema.columns WHERE table_schema = {} AND table_name = ? ORDER BY ordinal_position",
            if base.is_some() { "?" } else { "DATABASE()" }
        )),
        Engine::Sqlite => Query::new(
            "SELECT name, type AS kind, CASE WHEN pk > 0 THEN 'pk' ELSE '' END AS more FROM pragma_table_info(?)",
        ),
    };
    Ok(connection.load(&placed(query, engine, base, name)).await?)
}

/// First columns of all indexes, lower case.
pub(super) async fn indexes_of(
    connection: &mut Connection,
    engine: Engine,
    table: &str,
) -> Result<BTreeSet<String>, PbxError> {
    let (base, name) = table.split_once('.').map_or((None, table), |(base, name)| (Some(base), name));
    let query = match engine {
        Engine::Mysql => Query::new(format!(
            "SELECT CAST(column_name AS CHAR) AS name FROM information_schema.statistics \
             WHERE table_schema = {} AND table_name = ? AND seq_in_index = 1",
            if base.is_some() { "?" } else { "DATABASE()" }
        )),
        Engine::Sqlite => Query::new(
            "SELECT columns.name AS name FROM pragma_index_list(?) AS indexes, pragma_index_info(indexes.name) AS columns \
             WHERE columns.seqno = 0",
        ),
    };
    let found: Vec<IndexFound> = connection.load(&placed(query, engine, base, name)).await?;
    Ok(found.into_iter().filter_map(|index| index.name).map(|name| name.to_lowercase()).collect())
}

fn placed(query: Query, engine: Engine, base: Option<&str>, name: &str) -> Query {
    match base {
        Some(base) if engine == Engine::Mysql => query.text(base).text(name),
        _ => query.text(name),
    }
}
