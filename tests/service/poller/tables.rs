//! A PBX's tables as Asterisk would make and fill them.

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use perezvon::{
    logic::call::{CallRows, CdrRow, CelRow},
    settings::{Settings, Span, StoreUrl},
};
use serde_json::Value;

use crate::harness::fresh_mysql_database;

type Sqlite = diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>;

/// FreePBX's columns; `id` and indexes as its installer makes them.
const CDR: [&str; 24] = [
    "calldate",
    "clid",
    "src",
    "dst",
    "dcontext",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "accountcode",
    "uniqueid",
    "userfield",
    "did",
    "recordingfile",
    "cnum",
    "cnam",
    "outbound_cnum",
    "linkedid",
    "peeraccount",
    "sequence",
];
const CEL: [&str; 19] = [
    "id",
    "eventtype",
    "eventtime",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_rdnis",
    "cid_dnid",
    "exten",
    "context",
    "channame",
    "appname",
    "appdata",
    "accountcode",
    "uniqueid",
    "linkedid",
    "peer",
    "userdeftype",
    "extra",
];

/// A PBX's database, empty; rows are put in as Asterisk would.
pub(crate) struct Pbx {
    pub(crate) url: StoreUrl,
    /// Column of ours → theirs.
    pub(crate) names: Vec<(&'static str, &'static str)>,
    /// Columns that the CDR table lacks.
    pub(crate) without: Vec<&'static str>,
    pub(crate) cel: bool,
    pub(crate) folder: tempfile::TempDir,
}

impl Pbx {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(folder.path().join("master.db"));
        Self { url, names: Vec::new(), without: Vec::new(), cel: true, folder }
    }

    pub(crate) async fn mysql() -> Option<Self> {
        let url = fresh_mysql_database().await?;
        let folder = tempfile::tempdir().unwrap();
        Some(Self { url, names: Vec::new(), without: Vec::new(), cel: true, folder })
    }

    pub(crate) async fn all() -> Vec<Self> {
        Self::all_with(|_| {}).await
    }

    /// On SQLite and, when there is one, on MariaDB, changed before the tables are made.
    pub(crate) async fn all_with(change: impl Fn(&mut Self)) -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        all.extend(Self::mysql().await);
        for pbx in &mut all {
            change(pbx);
            pbx.make_tables().await;
        }
        all
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.url, StoreUrl::Sqlite(_))
    }

    pub(crate) fn their<'a>(&self, name: &'a str) -> &'a str {
        match self.names.iter().find(|(ours, _)| *ours == name) {
            Some((_, theirs)) => theirs,
            None if name == "extra" && self.is_sqlite() => "eventextra",
            None => name,
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                let mut connection = Sqlite::establish(&path.to_string_lossy()).await.unwrap();
                connection
                    .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF")
                    .await
                    .unwrap();
                connection.batch_execute(sql).await.unwrap();
            }
            StoreUrl::Mysql(url) => {
                AsyncMysqlConnection::establish(url).await.unwrap().batch_execute(sql).await.unwrap();
            }
        }
    }

    pub(crate) async fn make_tables(&self) {
        let list = |columns: &[&str], without: &[&str]| {
            let kind = |name: &str| match name {
                "calldate" | "eventtime" => "DATETIME",
                "duration" | "billsec" | "amaflags" | "sequence" => "INT",
                "uniqueid" | "linkedid" => "VARCHAR(32) NOT NULL DEFAULT ''",
                "extra" | "eventextra" => "VARCHAR(512)",
                _ => "VARCHAR(255) NOT NULL DEFAULT ''",
            };
            let columns = columns.iter().filter(|name| **name != "id" && !without.contains(name));
            columns.map(|name| format!("{} {}", self.their(name), kind(name))).collect::<Vec<_>>().join(", ")
        };
        let (cdr, cel) = (list(&CDR, &self.without), list(&CEL, &[]));
        if self.is_sqlite() {
            self.execute(&format!("CREATE TABLE cdr (AcctId INTEGER PRIMARY KEY, {cdr})")).await;
            if self.cel {
                self.execute(&format!("CREATE TABLE cel (AcctId INTEGER PRIMARY KEY, {cel})")).await;
            }
        } else {
            let (time, id) = (self.their("calldate"), self.their("uniqueid"));
            self.execute(&format!("CREATE TABLE cdr ({cdr}, KEY ({time}), KEY ({id}))")).await;
            if self.cel {
                self.execute(&format!(
                    "CREATE TABLE cel (id INT AUTO_INCREMENT PRIMARY KEY, {cel}, KEY (uniqueid), KEY ({}))",
                    self.their("linkedid")
                ))
                .await;
            }
        }
    }

    pub(crate) fn insert(&self, table: &str, columns: &[&str], row: &Value) -> String {
        let absent = |name: &str| name == "id" || (table == "cdr" && self.without.contains(&name));
        let columns: Vec<&&str> = columns.iter().filter(|name| !absent(name)).collect();
        let literal = |name: &str| match &row[name] {
            Value::String(text) if self.is_sqlite() => format!("'{}'", text.replace('\'', "''")),
            Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
            Value::Null => "NULL".to_owned(),
            other => other.to_string(),
        };
        let names: Vec<&str> = columns.iter().map(|name| self.their(name)).collect();
        let values: Vec<String> = columns.iter().map(|name| literal(name)).collect();
        format!("INSERT INTO {table} ({}) VALUES ({});", names.join(", "), values.join(", "))
    }

    pub(crate) async fn write(&self, rows: &CallRows) {
        self.write_cel(&rows.cel).await;
        self.write_cdr(&rows.cdr).await;
    }

    pub(crate) async fn write_cel(&self, rows: &[CelRow]) {
        if self.cel {
            let rows = rows.iter().map(|row| self.insert("cel", &CEL, &serde_json::to_value(row).unwrap()));
            self.execute(&format!("BEGIN; {} COMMIT;", rows.collect::<String>())).await;
        }
    }

    pub(crate) async fn write_cdr(&self, rows: &[CdrRow]) {
        let rows = rows.iter().map(|row| self.insert("cdr", &CDR, &serde_json::to_value(row).unwrap()));
        self.execute(&format!("BEGIN; {} COMMIT;", rows.collect::<String>())).await;
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (ours, theirs) in &self.names {
            for (table, columns) in [("cdr", &CDR[..]), ("cel", &CEL[..])] {
                if columns.contains(ours) && !(table == "cdr" && self.without.contains(ours)) {
                    settings.pbx.column_names.insert(format!("{table}.{ours}"), (*theirs).to_owned());
                }
            }
        }
        settings.pbx.database_url = Some(self.url.clone());
        settings.pbx.poll_interval = Span::millis(50);
        settings.pbx.quiet = Span::secs(1);
        settings.recordings.source = self.folder.path().to_owned();
        for extension in ["101", "102", "103"] {
            let employee = perezvon::settings::Employee::new(1, "");
            settings.employees.insert(extension.to_owned(), employee);
        }
        settings
    }
}
