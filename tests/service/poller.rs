//! Rows in a real database become calls.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use perezvon::{
    cli::calls::calls_of,
    edge::{
        clock,
        pbx_database::PbxDatabase,
        poller,
        recordings::Library,
        status::Board,
        store::{CallFilter, Store},
    },
    logic::call::{self, Call, CallRows, CdrRow, CelRow, Context},
    settings::{Secret, Settings, Span, StoreUrl},
};
use regex::{Captures, Regex};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::harness::{fresh_mysql_database, sqlite_store};

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
struct Pbx {
    url: StoreUrl,
    /// Column of ours → theirs.
    names: Vec<(&'static str, &'static str)>,
    /// Columns that the CDR table lacks.
    without: Vec<&'static str>,
    cel: bool,
    folder: tempfile::TempDir,
}

impl Pbx {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(folder.path().join("master.db"));
        Self { url, names: Vec::new(), without: Vec::new(), cel: true, folder }
    }

    async fn mysql() -> Option<Self> {
        let url = fresh_mysql_database().await?;
        let folder = tempfile::tempdir().unwrap();
        Some(Self { url, names: Vec::new(), without: Vec::new(), cel: true, folder })
    }

    async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        all.extend(Self::mysql().await);
        for pbx in &all {
            pbx.make_tables().await;
        }
        all
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.url, StoreUrl::Sqlite(_))
    }

    fn their<'a>(&self, name: &'a str) -> &'a str {
        match self.names.iter().find(|(ours, _)| *ours == name) {
            Some((_, theirs)) => theirs,
            None if name == "extra" && self.is_sqlite() => "eventextra",
            None => name,
        }
    }

    async fn execute(&self, sql: &str) {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                let mut connection = Sqlite::establish(&path.to_string_lossy()).await.unwrap();
                connection.batch_execute("PRAGMA busy_timeout = 5000").await.unwrap();
                connection.batch_execute(sql).await.unwrap();
            }
            StoreUrl::Mysql(url) => {
                AsyncMysqlConnection::establish(url).await.unwrap().batch_execute(sql).await.unwrap();
            }
        }
    }

    async fn make_tables(&self) {
        let list = |columns: &[&str]| {
            let kind = |name: &str| match name {
                "calldate" | "eventtime" => "DATETIME",
                "duration" | "billsec" | "amaflags" | "sequence" => "INT",
                "uniqueid" | "linkedid" => "VARCHAR(32) NOT NULL DEFAULT ''",
                "extra" | "eventextra" => "VARCHAR(512)",
                _ => "VARCHAR(255) NOT NULL DEFAULT ''",
            };
            let columns = columns.iter().filter(|name| **name != "id" && !self.without.contains(name));
            columns.map(|name| format!("{} {}", self.their(name), kind(name))).collect::<Vec<_>>().join(", ")
        };
        let (cdr, cel) = (list(&CDR), list(&CEL));
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
                    "CREATE TABLE cel (id INT AUTO_INCREMENT PRIMARY KEY, {cel}, KEY (uniqueid), KEY (linkedid))"
                ))
                .await;
            }
        }
    }

    fn insert(&self, table: &str, columns: &[&str], row: &Value, with_id: bool) -> String {
        let columns: Vec<&&str> = columns
            .iter()
            .filter(|name| (**name != "id" || with_id) && !self.without.contains(name))
            .collect();
        let literal = |name: &str| match &row[name] {
            Value::String(text) if self.is_sqlite() => format!("'{}'", text.replace('\'', "''")),
            Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
            Value::Null => "NULL".to_owned(),
            other => other.to_string(),
        };
        let names: Vec<&str> = columns
            .iter()
            .map(|name| if **name == "id" && self.is_sqlite() { "AcctId" } else { self.their(name) })
            .collect();
        let values: Vec<String> = columns.iter().map(|name| literal(name)).collect();
        format!("INSERT INTO {table} ({}) VALUES ({});", names.join(", "), values.join(", "))
    }

    async fn write(&self, rows: &CallRows) {
        self.write_cel(&rows.cel).await;
        self.write_cdr(&rows.cdr).await;
    }

    async fn write_cel(&self, rows: &[CelRow]) {
        if self.cel {
            let rows =
                rows.iter().map(|row| self.insert("cel", &CEL, &serde_json::to_value(row).unwrap(), false));
            self.execute(&rows.collect::<String>()).await;
        }
    }

    async fn write_cdr(&self, rows: &[CdrRow]) {
        let rows =
            rows.iter().map(|row| self.insert("cdr", &CDR, &serde_json::to_value(row).unwrap(), false));
        self.execute(&rows.collect::<String>()).await;
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.pbx.database_url = Some(self.url.clone());
        settings.pbx.poll_interval = Span::millis(50);
        settings.pbx.quiet = Span::secs(1);
        settings.recordings.source = self.folder.path().to_owned();
        for extension in ["101", "102", "103"] {
            let employee = perezvon::settings::Employee { user: 1, name: String::new() };
            settings.employees.insert(extension.to_owned(), employee);
        }
        settings
    }

    fn poll(&self, settings: &Settings, store: &Store) -> Polling {
        let stop = CancellationToken::new();
        let board = Arc::new(Board::default());
        let running = tokio::spawn(poller::run(
            PbxDatabase::new(&settings.pbx).unwrap(),
            store.clone(),
            Arc::new(Context::from_settings(settings).unwrap()),
            Arc::new(Library::new(settings, Secret::default())),
            board.clone(),
            Arc::new(Notify::new()),
            stop.clone(),
        ));
        Polling { stop, board, running }
    }
}

struct Polling {
    stop: CancellationToken,
    board: Arc<Board>,
    running: tokio::task::JoinHandle<()>,
}

impl Polling {
    async fn ready(&self) {
        until("the poller reads", || async { self.board.all().contains_key("pbx").then_some(()) }).await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    for _ in 0..400 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited 10 s in vain: {what}");
}

async fn stored(store: &Store) -> Vec<Call> {
    let calls = store.calls(&CallFilter { limit: Some(10_000), ..CallFilter::default() }).await.unwrap();
    calls.into_iter().map(|stored| stored.call).collect()
}

/// All fixtures: where they come from, and their rows as they were written.
fn fixtures() -> Vec<(String, CallRows)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls");
    let mut all = Vec::new();
    for pbx in ["asterisk-16", "asterisk-22", "freepbx-17"] {
        for entry in std::fs::read_dir(root.join(pbx)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{pbx}/{}", path.file_stem().unwrap().to_string_lossy());
            let fixture: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let rows: CallRows =
                serde_json::from_value(serde_json::json!({ "cdr": fixture["cdr"], "cel": fixture["cel"] }))
                    .unwrap();
            all.push((name, rows));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn fixture(name: &str, start: DateTime<Utc>) -> CallRows {
    let (_, rows) = fixtures().into_iter().find(|(other, _)| other == name).expect("a fixture of that name");
    moved(&rows, start)
}

/// The same rows at another time; Moscow time on the wall.
fn moved(rows: &CallRows, start: DateTime<Utc>) -> CallRows {
    let first = rows.cel.iter().filter_map(|row| epoch(&row.linkedid)).min();
    let shift = start.timestamp()
        - first.or_else(|| rows.cdr.iter().filter_map(|row| epoch(&row.uniqueid)).min()).unwrap();
    static IDS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b1795\d{6}\.\d+").unwrap());
    static TIMES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^2026-11-\d\d \d\d:\d\d:\d\d").unwrap());
    let move_text = |text: &str| {
        let text = IDS.replace_all(text, |found: &Captures<'_>| {
            let (second, counter) = found[0].split_once('.').unwrap();
            format!("{}.{counter}", second.parse::<i64>().unwrap() + shift)
        });
        let text = TIMES.replace(&text, |found: &Captures<'_>| {
            let time = chrono::NaiveDateTime::parse_from_str(&found[0], "%Y-%m-%d %H:%M:%S").unwrap();
            (time + TimeDelta::seconds(shift)).format("%Y-%m-%d %H:%M:%S").to_string()
        });
        text.into_owned()
    };
    let mut value = serde_json::to_value(rows).unwrap();
    for row in value.as_object_mut().unwrap().values_mut().flat_map(|rows| rows.as_array_mut().unwrap()) {
        for text in row.as_object_mut().unwrap().values_mut() {
            if let Value::String(old) = text {
                *text = Value::String(move_text(old));
            }
        }
    }
    serde_json::from_value(value).unwrap()
}

fn epoch(id: &str) -> Option<i64> {
    id.split('.').next()?.parse().ok()
}

/// What the rows tell without any database.
fn told(rows: &CallRows, settings: &Settings) -> Vec<Call> {
    let context = Context::from_settings(settings).unwrap();
    let mut calls: Vec<Call> =
        call::group(rows.clone()).iter().filter_map(|rows| call::fold(rows, &context)).collect();
    calls.iter_mut().for_each(settle);
    calls
}

/// Recordings are not there in these tests.
fn settle(call: &mut Call) {
    call.recordings.iter_mut().for_each(|recording| recording.seconds = 0.0);
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(clock::now().timestamp(), 0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_comes_back_as_the_same_call() {
    for pbx in Pbx::all().await {
        let settings = pbx.settings();
        // Far enough apart that no call reaches into another's period.
        let start =
            |at: usize| now() - TimeDelta::days(2) + TimeDelta::minutes(10 * i64::try_from(at).unwrap());
        let all: Vec<(String, CallRows)> = fixtures()
            .into_iter()
            .enumerate()
            .map(|(at, (name, rows))| (name, moved(&rows, start(at))))
            .collect();
        for (_, rows) in &all {
            pbx.write(rows).await;
        }
        let database = PbxDatabase::connect(&settings.pbx).await.unwrap();
        let library = Library::new(&settings, Secret::default());
        let context = Context::from_settings(&settings).unwrap();
        for (at, (name, rows)) in all.iter().enumerate() {
            let (from, to) = (start(at) - TimeDelta::minutes(1), start(at) + TimeDelta::minutes(5));
            let mut calls = calls_of(&database, &context, &library, from, to).await.unwrap();
            calls.iter_mut().for_each(settle);
            assert_eq!(calls, told(rows, &settings), "{name} from {}", pbx.url);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_is_polled_as_the_same_call() {
    for pbx in Pbx::all().await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let mut expected = Vec::new();
        for (at, (_, rows)) in fixtures().into_iter().enumerate() {
            let rows = moved(&rows, now() + TimeDelta::minutes(i64::try_from(at).unwrap()));
            pbx.write(&rows).await;
            expected.extend(told(&rows, &settings));
        }
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        until("all calls are stored", || async {
            (stored(&fresh.store).await.len() >= expected.len()).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut calls = stored(&fresh.store).await;
        calls.iter_mut().for_each(settle);
        calls.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(calls.len(), expected.len(), "{}", pbx.url);
        for (call, expected) in calls.iter().zip(&expected) {
            assert_eq!(call, expected, "{}", pbx.url);
        }
        polling.stop().await;
    }
}
