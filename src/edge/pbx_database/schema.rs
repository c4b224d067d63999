//! Which tables, columns and keys a PBX has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    PbxError,
    catalogue::{ColumnFound, columns_of, indexes_of},
    connection::{Connection, Engine},
    names::{self, Column, KEY, Need},
};
use crate::settings;

/// What was found, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The CDR table.
    pub cdr: Table,
    /// The CEL table; none when the PBX writes none or it cannot be used (then a remark says why).
    pub cel: Option<Table>,
    /// What a person should know; nothing here stops the work.
    pub remarks: Vec<Remark>,
}

/// One table as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Useful columns it lacks, by our names.
    pub missing: Vec<String>,
    /// Statements that an admin may run once so that questions stay cheap; empty when all is well.
    pub ddl: Vec<String>,
    /// A number that grows with each row, when there is one.
    pub key: Option<String>,
    columns: BTreeMap<&'static str, String>,
    indexed: BTreeSet<String>,
}

/// Something worth knowing about the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// `[pbx] cel_table` is empty.
    CelOff,
    /// No such CEL table.
    CelAbsent {
        /// The name looked for.
        table: String,
    },
    /// The CEL table lacks what nothing works without.
    CelUnusable {
        /// Its name.
        table: String,
        /// Columns by our names; `id` is a growing key.
        lacks: Vec<String>,
    },
    /// `cdr.linkedid` is absent: legs of one call meet by channel names only.
    NoLinkedid,
    /// Neither a key nor an index on the time: each question reads the whole table.
    Scan {
        /// The table.
        table: String,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CelOff => f.write_str("[pbx] cel_table is empty: calls come from CDR alone"),
            Self::CelAbsent { table } => write!(
                f,
                "there is no table {table}: calls come from CDR alone; switch CEL on (cel.conf and cel_odbc.conf or \
                 cel_sqlite3_custom.conf, see dialplan/), or set [pbx] cel_table to its name"
            ),
            Self::CelUnusable { table, lacks } if lacks == &[KEY] => write!(
                f,
                "table {table} has no growing key: calls come from CDR alone; once, at night: \
                 ALTER TABLE {table} ADD id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY;"
            ),
            Self::CelUnusable { table, lacks } => write!(
                f,
                "table {table} lacks {}: calls come from CDR alone; add what is missing, or name it in [pbx] column_names",
                lacks.join(", ")
            ),
            Self::NoLinkedid => f.write_str(
                "the CDR table has no linkedid: add the column and let Asterisk fill it (cdr_adaptive_odbc does so by itself)",
            ),
            Self::Scan { table } => write!(
                f,
                "table {table} has neither a growing key nor an index on its time, so each question reads all of it: \
                 run the statement that `perezvon check` prints, at night"
            ),
        }
    }
}

impl Table {
    /// Their name of a column of ours.
    pub fn column(&self, ours: &str) -> Option<&str> {
        self.columns.get(ours).map(String::as_str)
    }

    /// Whether an index begins with a column of ours.
    pub fn is_indexed(&self, ours: &str) -> bool {
        self.columns.get(ours).is_some_and(|theirs| self.indexed.contains(&theirs.to_lowercase()))
    }
}

impl Schema {
    /// Looks at both tables.
    pub(super) async fn find(
        connection: &mut Connection,
        engine: Engine,
        settings: &settings::Pbx,
    ) -> Result<Self, PbxError> {
        check_ours(settings)?;
        let mut remarks = Vec::new();
        let found = columns_of(connection, engine, &settings.cdr_table).await?;
        if found.is_empty() {
            return Err(PbxError::NoTable { table: settings.cdr_table.clone() });
        }
        let indexed = indexes_of(connection, engine, &settings.cdr_table).await?;
        let (mut cdr, lacks) = fit("cdr", names::CDR, &settings.cdr_table, found, indexed, engine, settings)?;
        if !lacks.is_empty() {
            return Err(PbxError::NoColumn { table: cdr.name, columns: lacks.join(", ") });
        }
        if cdr.column("linkedid").is_none() {
            remarks.push(Remark::NoLinkedid);
        }
        if cdr.key.is_none() && !cdr.is_indexed("calldate") {
            remarks.push(Remark::Scan { table: cdr.name.clone() });
        }
        cdr.ddl = wanted_ddl(&cdr, engine, "uniqueid");
        let cel = find_cel(connection, engine, settings, &mut remarks).await?;
        Ok(Self { cdr, cel, remarks })
    }
}

async fn find_cel(
    connection: &mut Connection,
    engine: Engine,
    settings: &settings::Pbx,
    remarks: &mut Vec<Remark>,
) -> Result<Option<Table>, PbxError> {
    let name = settings.cel_table.as_str();
    if name.is_empty() {
        remarks.push(Remark::CelOff);
        return Ok(None);
    }
    let found = columns_of(connection, engine, name).await?;
    if found.is_empty() {
        remarks.push(Remark::CelAbsent { table: name.to_owned() });
        return Ok(None);
    }
    let indexed = indexes_of(connection, engine, name).await?;
    let (mut cel, mut lacks) = fit("cel", names::CEL, name, found, indexed, engine, settings)?;
    if cel.key.is_none() {
        lacks.push(KEY.to_owned());
    }
    if !lacks.is_empty() {
        remarks.push(Remark::CelUnusable { table: name.to_owned(), lacks });
        return Ok(None);
    }
    cel.ddl = wanted_ddl(&cel, engine, "linkedid");
    Ok(Some(cel))
}

/// Every name in `[pbx] column_names` must be one of ours, and fit to stand in a statement; so must the tables.
fn check_ours(settings: &settings::Pbx) -> Result<(), PbxError> {
    for table in [&settings.cdr_table, &settings.cel_table].into_iter().filter(|name| !name.is_empty()) {
        if table.split('.').count() > 2 || !table.split('.').all(names::is_sound) {
            return Err(PbxError::BadName { name: table.clone() });
        }
    }
    let ours = || {
        let of = |table: &'static str, columns: &'static [Column]| {
            columns.iter().map(|column| column.ours).chain([KEY]).map(move |name| format!("{table}.{name}"))
        };
        of("cdr", names::CDR).chain(of("cel", names::CEL)).collect::<Vec<_>>()
    };
    for (name, theirs) in &settings.column_names {
        let known = ours();
        if !known.contains(name) {
            let nearest =
                names::nearest(name, known.iter().map(String::as_str)).unwrap_or_default().to_owned();
            return Err(PbxError::UnknownName { name: name.clone(), nearest });
        }
        if !names::is_sound(theirs) {
            return Err(PbxError::BadName { name: theirs.clone() });
        }
    }
    Ok(())
}

/// Pairs our columns with theirs; gives also the required ones that are absent.
fn fit(
    prefix: &str,
    wanted: &'static [Column],
    name: &str,
    found: Vec<ColumnFound>,
    indexed: BTreeSet<String>,
    engine: Engine,
    settings: &settings::Pbx,
) -> Result<(Table, Vec<String>), PbxError> {
    let theirs: Vec<&str> = found.iter().filter_map(|column| column.name.as_deref()).collect();
    let present = |name: &str| theirs.iter().find(|other| other.eq_ignore_ascii_case(name)).copied();
    let told = |ours: &str| match settings.column_names.get(&format!("{prefix}.{ours}")) {
        None => Ok(None),
        Some(name) => present(name).map(Some).ok_or_else(|| PbxError::NoSuchColumn {
            table: settings_name(prefix, settings).to_owned(),
            key: format!("{prefix}.{ours}"),
            column: name.clone(),
            nearest: names::nearest(name, theirs.iter().copied()).unwrap_or_default().to_owned(),
        }),
    };
    let (mut columns, mut missing, mut lacks) = (BTreeMap::new(), Vec::new(), Vec::new());
    for column in wanted {
        let usual = || std::iter::once(&column.ours).chain(column.others).find_map(|name| present(name));
        match (told(column.ours)?.or_else(usual), column.need) {
            (Some(name), _) => _ = columns.insert(column.ours, name.to_owned()),
            (None, Need::Required) => lacks.push(column.ours.to_owned()),
            (None, Need::Useful) => missing.push(column.ours.to_owned()),
            (None, Need::Optional) => {}
        }
    }
    let key = told(KEY)?.map(str::to_owned).or_else(|| growing(&found, engine));
    Ok((Table { name: name.to_owned(), missing, ddl: Vec::new(), key, columns, indexed }, lacks))
}

fn settings_name<'a>(prefix: &str, settings: &'a settings::Pbx) -> &'a str {
    if prefix == "cdr" { &settings.cdr_table } else { &settings.cel_table }
}

/// The key that grows with each row: AUTO_INCREMENT, SQLite's integer key or its hidden rowid.
fn growing(found: &[ColumnFound], engine: Engine) -> Option<String> {
    let is = |column: &ColumnFound, word: &str| {
        column.more.as_deref().is_some_and(|more| more.to_lowercase().contains(word))
    };
    match engine {
        Engine::Mysql => found.iter().find(|column| is(column, "auto_increment"))?.name.clone(),
        Engine::Sqlite => found
            .iter()
            .find(|column| {
                is(column, "pk")
                    && column.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("integer"))
            })
            .map_or_else(|| Some("rowid".to_owned()), |column| column.name.clone()),
    }
}

/// What an admin may run once. SQLite's tables are read by their key only, so they need nothing.
fn wanted_ddl(table: &Table, engine: Engine, asked_by: &str) -> Vec<String> {
    let mut ddl = Vec::new();
    if engine == Engine::Sqlite {
        return ddl;
    }
    let name = engine.quoted(&table.name);
    let index = |ours: &str| {
        let theirs = table.column(ours).unwrap_or(ours);
        format!("CREATE INDEX perezvon_{ours} ON {name} ({});", engine.quoted(theirs))
    };
    if table.key.is_none() && table.column("calldate").is_some() && !table.is_indexed("calldate") {
        ddl.push(index("calldate"));
    }
    if !table.is_indexed(asked_by) {
        ddl.push(index(asked_by));
    }
    ddl
}
