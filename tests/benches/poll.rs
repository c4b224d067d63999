//! Poll cost at 10 thousand and 10 million rows.
//!
//! `PEREZVON_TEST_MYSQL` names a server (FreePBX's tables there); without it SQLite is measured, with at most a million
//! rows. `PEREZVON_BENCH_ROWS=10000000` and `PEREZVON_BENCH_CEL_ROWS=5000000` set the size of the big tables.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{
    AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection,
    sync_connection_wrapper::SyncConnectionWrapper,
};
use perezvon::{
    edge::{clock, pbx_database::PbxDatabase},
    settings::{Pbx, StoreUrl},
};

const SMALL: u64 = 10_000;
/// Questions of one kind in a row.
const ROUNDS: usize = 30;
/// Small and big take turns so often; the best median counts, as others use this machine, too.
const TURNS: usize = 3;
/// One call row every so many seconds, as baselines of busy offices have it (13.7 thousand a day).
const EVERY: f64 = 6.3;

/// Measures and prints.
pub(crate) fn run() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(measure());
}

fn size(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

async fn measure() {
    let server = std::env::var("PEREZVON_TEST_MYSQL").ok();
    let usual = if server.is_some() { 10_000_000 } else { 1_000_000 };
    let big = size("PEREZVON_BENCH_ROWS", usual);
    let big_cel = size("PEREZVON_BENCH_CEL_ROWS", big / 2);
    let folder = tempfile::tempdir().expect("a folder");
    let mut tables = Vec::new();
    for (cdr, cel) in [(SMALL, SMALL), (big, big_cel)] {
        let started = Instant::now();
        let url = match &server {
            Some(server) => mysql(server, cdr, cel).await,
            None => sqlite(folder.path(), cdr, cel).await,
        };
        println!("  loaded {cdr} cdr and {cel} cel rows in {:.0} s", started.elapsed().as_secs_f64());
        tables.push(url);
    }
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (url, best) in tables.iter().zip(&mut figures) {
            let asked = ask(url.clone()).await;
            if best.is_empty() {
                *best = asked;
            } else {
                best.iter_mut().zip(asked).for_each(|(best, asked)| best.1 = best.1.min(asked.1));
            }
        }
    }
    if let Some(server) = &server {
        drop_databases(server).await;
    }
    let engine = if server.is_some() { "MariaDB" } else { "SQLite" };
    println!(
        "  {engine}: best of {TURNS} medians of {ROUNDS}, µs, at {SMALL} rows and at {big} (cel {big_cel})"
    );
    for (small, big) in figures[0].iter().zip(&figures[1]) {
        let ratio = big.1 / small.1.max(1.0);
        println!("  {:<44} {:>9.0} {:>9.0}   big/small {ratio:.2}", small.0, small.1, big.1);
    }
}

/// What the poller asks, with the median time of each in µs.
async fn ask(url: StoreUrl) -> Vec<(&'static str, f64)> {
    let settings = Pbx { database_url: Some(url), timezone: Some(chrono_tz::Tz::UTC), ..Pbx::default() };
    let database =
        PbxDatabase::connect(&settings).await.expect("tables").with_patience(Duration::from_secs(600));
    let newest = database.newest().await.expect("keys");
    let cel = newest.cel.unwrap_or(0);
    let ids: Vec<String> =
        database.cel_after(cel - 30).await.expect("rows").into_iter().map(|row| row.linkedid).collect();
    let last = ids.last().cloned().unwrap_or_default();
    let now = clock::now();
    let keyed = newest.cdr.is_some();
    let mut figures = vec![
        (
            "an idle poll (cel after the last id, keys)",
            median(async || {
                database.cel_after(cel).await.expect("rows");
                database.newest().await.expect("keys");
            })
            .await,
        ),
        (
            "50 new cel rows",
            median(async || assert!(!database.cel_after(cel - 50).await.expect("rows").is_empty())).await,
        ),
        (
            "a finished call whole (cel and cdr)",
            median(async || {
                assert!(!database.rows_of(std::slice::from_ref(&last), now).await.expect("rows").is_empty());
            })
            .await,
        ),
    ];
    if keyed {
        let key = newest.cdr.unwrap_or(0);
        figures.push((
            "50 new cdr rows by key",
            median(async || assert!(!database.cdr_after(key - 50).await.expect("rows").is_empty())).await,
        ));
    } else {
        figures.push((
            "cdr: legs begun in 15 minutes",
            median(async || {
                database.cdr_since(now - TimeDelta::minutes(15), None).await.expect("rows");
            })
            .await,
        ));
        figures.push((
            "cdr: legs of 8 hours that ended lately",
            median(async || {
                database
                    .cdr_since(now - TimeDelta::hours(8), Some(now - TimeDelta::minutes(10)))
                    .await
                    .expect("rows");
            })
            .await,
        ));
    }
    figures
}

async fn median(mut work: impl AsyncFnMut()) -> f64 {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        work().await;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The `n`th newest of `rows` began so many seconds ago; expressions of SQL over `seq`.
fn began(now: DateTime<Utc>, rows: u64, each: f64) -> String {
    format!("({} - CAST(({rows} - seq) * {each} AS INTEGER))", now.timestamp())
}

const CDR: &str = "calldate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, duration, billsec, disposition, \
                   amaflags, accountcode, uniqueid, userfield, did, recordingfile, cnum, cnam, outbound_cnum, outbound_cnam, \
                   dst_cnam, linkedid, peeraccount, sequence";
const CEL: &str = "eventtype, eventtime, cid_name, cid_num, cid_ani, cid_rdnis, cid_dnid, exten, context, channame, appname, \
                   appdata, amaflags, accountcode, uniqueid, linkedid, peer, userdeftype, extra";

/// As FreePBX's installers make them.
const FREEPBX_KEYS: &str = "ALTER TABLE cdr ADD KEY (calldate), ADD KEY (dst), ADD KEY (accountcode), ADD KEY (uniqueid), \
                            ADD KEY (did), ADD KEY (recordingfile(100)); \
                            ALTER TABLE cel ADD KEY (uniqueid), ADD KEY (linkedid), ADD KEY (context)";

fn pieces(rows: u64) -> impl Iterator<Item = (u64, u64)> {
    const PIECE: u64 = 500_000;
    (1..=rows).step_by(PIECE as usize).map(move |first| (first, (first + PIECE - 1).min(rows)))
}

async fn mysql(server: &str, cdr: u64, cel: u64) -> StoreUrl {
    let name = format!("perezvon_bench_{cdr}");
    let mut connection =
        AsyncMysqlConnection::establish(&format!("{server}/mysql")).await.expect("the server answers");
    let text = "VARCHAR(80) NOT NULL DEFAULT ''";
    connection
        .batch_execute(&format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}; USE {name}; \
            CREATE TABLE cdr (calldate DATETIME NOT NULL, clid {text}, src {text}, dst {text}, dcontext {text}, channel {text}, \
            dstchannel {text}, lastapp {text}, lastdata {text}, duration INT NOT NULL DEFAULT 0, billsec INT NOT NULL DEFAULT 0, \
            disposition VARCHAR(45) NOT NULL DEFAULT '', amaflags INT NOT NULL DEFAULT 0, accountcode VARCHAR(20) NOT NULL DEFAULT '', \
            uniqueid VARCHAR(32) NOT NULL DEFAULT '', userfield {text}, did {text}, recordingfile VARCHAR(255) NOT NULL DEFAULT '', \
            cnum {text}, cnam {text}, outbound_cnum {text}, outbound_cnam {text}, dst_cnam {text}, \
            linkedid VARCHAR(32) NOT NULL DEFAULT '', peeraccount {text}, sequence INT NOT NULL DEFAULT 0); \
            CREATE TABLE cel (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, eventtype VARCHAR(30) NOT NULL, eventtime DATETIME NOT NULL, \
            cid_name {text}, cid_num {text}, cid_ani {text}, cid_rdnis {text}, cid_dnid {text}, exten {text}, context {text}, \
            channame {text}, appname {text}, appdata {text}, amaflags INT NOT NULL DEFAULT 0, accountcode VARCHAR(20) NOT NULL DEFAULT '', \
            uniqueid VARCHAR(32) NOT NULL, linkedid VARCHAR(32) NOT NULL, peer {text}, userdeftype {text}, extra VARCHAR(512) NOT NULL DEFAULT ''
            ); SET unique_checks = 0; SET foreign_key_checks = 0"))
        .await
        .expect("may create databases");
    let now = clock::now();
    let time = |rows, each| format!("FROM_UNIXTIME({})", began(now, rows, each));
    // In pieces, so that no undo log grows to the size of the table; indexes afterwards, sorted at once.
    for (first, last) in pieces(cdr) {
        let values = cdr_values(now, cdr, &time(cdr, EVERY), "CONCAT");
        let sql = format!("INSERT INTO cdr ({CDR}) {values} FROM seq_{first}_to_{last}");
        connection.batch_execute(&sql).await.expect("cdr fills");
    }
    for (first, last) in pieces(cel) {
        let values = cel_values(now, cel, &time(cel, EVERY / 15.0), "CONCAT");
        let sql = format!("INSERT INTO cel ({CEL}) {values} FROM seq_{first}_to_{last}");
        connection.batch_execute(&sql).await.expect("cel fills");
    }
    connection.batch_execute(FREEPBX_KEYS).await.expect("indexes are made");
    StoreUrl::Mysql(format!("{server}/{name}"))
}

async fn drop_databases(server: &str) {
    let mut connection =
        AsyncMysqlConnection::establish(&format!("{server}/mysql")).await.expect("the server answers");
    let big = size("PEREZVON_BENCH_ROWS", 10_000_000);
    connection
        .batch_execute(&format!(
            "DROP DATABASE IF EXISTS perezvon_bench_{SMALL}; DROP DATABASE IF EXISTS perezvon_bench_{big}"
        ))
        .await
        .expect("may drop databases");
}

async fn sqlite(folder: &std::path::Path, cdr: u64, cel: u64) -> StoreUrl {
    let path = folder.join(format!("master-{cdr}.db"));
    let mut connection =
        SyncConnectionWrapper::<diesel::SqliteConnection>::establish(&path.to_string_lossy())
            .await
            .expect("a file");
    let now = clock::now();
    let time = |rows, each| format!("datetime({}, 'unixepoch')", began(now, rows, each));
    let count = |rows| {
        format!(
            "FROM (WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {rows}) SELECT seq FROM n)"
        )
    };
    connection
        .batch_execute(&format!(
            "PRAGMA synchronous = OFF; CREATE TABLE cdr (AcctId INTEGER PRIMARY KEY, {CDR}); \
             CREATE TABLE cel (AcctId INTEGER PRIMARY KEY, {CEL}); \
             INSERT INTO cdr ({CDR}) {} {}; INSERT INTO cel ({CEL}) {} {};",
            cdr_values(now, cdr, &time(cdr, EVERY), "concat"),
            count(cdr),
            cel_values(now, cel, &time(cel, EVERY / 15.0), "concat"),
            count(cel),
        ))
        .await
        .expect("tables fill");
    StoreUrl::Sqlite(path)
}

/// Every fifth row is a second leg of the call before.
fn cdr_values(now: DateTime<Utc>, rows: u64, time: &str, concat: &str) -> String {
    let call = format!("{concat}({}, '.', seq - (seq % 5 = 0))", began(now, rows, EVERY));
    format!(
        "SELECT {time}, '\"79161234567\" <79161234567>', '79161234567', '101', 'ext-local', {concat}('PJSIP/trunk-', seq), \
         {concat}('PJSIP/101-', seq), 'Dial', 'PJSIP/101,20', 20 + seq % 300, seq % 300, 'ANSWERED', 3, '', {call}, '', '74951234567', \
         {concat}('external-101-79161234567-', seq, '.wav'), '79161234567', '', '', '', '', {call}, '', seq"
    )
}

/// Fifteen events a call, its last rows named as the newest CDR rows are not: calls are found by CEL's own ids.
fn cel_values(now: DateTime<Utc>, rows: u64, time: &str, concat: &str) -> String {
    let call = format!("{concat}({}, '.', seq - seq % 15)", now.timestamp());
    format!(
        "SELECT CASE seq % 15 WHEN 0 THEN 'CHAN_START' WHEN 14 THEN 'LINKEDID_END' ELSE 'BRIDGE_ENTER' END, {time}, '', '79161234567', \
         '79161234567', '', '74951234567', '101', 'ext-local', {concat}('PJSIP/trunk-', seq - seq % 15), 'Dial', 'PJSIP/101,20', 3, '', \
         {call}, {call}, '', '', '{{\"bridge_id\":\"5983f169-fca0-4b92-98a3-f00b617fb8be\"}}' /* of {rows} */"
    )
}
