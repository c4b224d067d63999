//! Rows in a real database become calls.

pub(crate) mod fixtures;
mod signs;
pub(crate) mod tables;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::{
    cli::calls::calls_of,
    edge::{
        clock,
        hangups::Hangups,
        pbx_database::PbxDatabase,
        poller,
        recordings::Library,
        status::{Board, Health},
        store::{CallFilter, Store},
    },
    logic::call::{self, Call, CallRows, CelRow, Context, Outcome, RecordingState},
    sandbox::pbx::{self, PbxEvent, Person},
    settings::{Secret, Settings, Span, StoreUrl},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::harness::sqlite_store;
use fixtures::{fixture, fixtures, moved};
use tables::Pbx;

impl Pbx {
    fn poll(&self, settings: &Settings, store: &Store) -> Polling {
        let stop = CancellationToken::new();
        let board = Arc::new(Board::default());
        let hangups = Arc::new(Hangups::default());
        let parts = poller::Parts {
            database: PbxDatabase::new(&settings.pbx).unwrap(),
            store: store.clone(),
            context: Arc::new(Context::from_settings(settings).unwrap()),
            library: Arc::new(Library::new(settings, Secret::default())),
            board: board.clone(),
            wake: Arc::new(Notify::new()),
            hangups: hangups.clone(),
        };
        let running = tokio::spawn(poller::run(parts, stop.clone()));
        Polling { stop, board, hangups, running }
    }
}

struct Polling {
    stop: CancellationToken,
    board: Arc<Board>,
    hangups: Arc<Hangups>,
    running: tokio::task::JoinHandle<()>,
}

impl Polling {
    async fn ready(&self) {
        until("the poller reads", || async { self.board.all().contains_key("pbx").then_some(()) }).await;
    }

    fn health(&self) -> Option<Health> {
        self.board.all().get("pbx").map(|part| part.health)
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    for _ in 0..1200 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited 30 s in vain: {what}");
}

async fn stored(store: &Store) -> Vec<Call> {
    let calls = store.calls(&CallFilter { limit: Some(10_000), ..CallFilter::default() }).await.unwrap();
    calls.into_iter().map(|stored| stored.call).collect()
}

/// What the rows tell without any database.
fn told(rows: &CallRows, settings: &Settings) -> Vec<Call> {
    let context = Context::from_settings(settings).unwrap();
    let mut rows = rows.clone();
    rows.cel.iter_mut().for_each(|row| call::digits::hide_in_cel(row, settings.pbx.ivr_digits));
    rows.cdr.iter_mut().for_each(|row| call::digits::hide_in_cdr(row, settings.pbx.ivr_digits));
    let mut calls: Vec<Call> =
        call::group(rows).iter().filter_map(|rows| call::fold(rows, &context)).collect();
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

/// The one call that these rows tell.
fn one(rows: &CallRows, settings: &Settings) -> Call {
    let mut calls = told(rows, settings);
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

/// Waits until the store holds exactly this call.
async fn holds(store: &Store, expected: &Call, what: &str) {
    let mut last = Vec::new();
    for _ in 0..1200 {
        last = stored(store).await;
        last.iter_mut().for_each(settle);
        if last == [expected.clone()] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: {last:#?} is not {expected:#?}");
}

const HARD: [&str; 3] =
    ["freepbx-17/attended_transfer_dtmf", "freepbx-17/queue_answered", "asterisk-22/pickup_directed"];

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_one_by_one_between_polls_make_the_same_call() {
    for name in HARD {
        for pbx in Pbx::all().await {
            let settings = pbx.settings();
            let fresh = sqlite_store().await;
            let polling = pbx.poll(&settings, &fresh.store);
            polling.ready().await;
            let rows = fixture(name, now());
            for row in &rows.cel {
                pbx.write_cel(std::slice::from_ref(row)).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            for row in &rows.cdr {
                pbx.write_cdr(std::slice::from_ref(row)).await;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            holds(&fresh.store, &one(&rows, &settings), name).await;
            polling.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_doubled_rows_complete_the_call_and_double_nothing() {
    for pbx in Pbx::all().await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let rows = fixture("freepbx-17/queue_answered", now());
        pbx.write_cel(&rows.cel).await;
        let alone = CallRows { cel: rows.cel.clone(), cdr: Vec::new() };
        holds(&fresh.store, &one(&alone, &settings), "CEL alone suffices").await;
        pbx.write_cdr(&rows.cdr).await;
        pbx.write_cdr(&rows.cdr).await;
        pbx.write_cel(&rows.cel[3..9]).await;
        holds(&fresh.store, &one(&rows, &settings), "CDR came late").await;
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_four_hours_that_began_before_polling_is_whole() {
    for pbx in Pbx::all().await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let began = now() - TimeDelta::hours(4);
        let early = fixture("freepbx-17/inbound_answered", began);
        let late = fixture("freepbx-17/inbound_answered", now());
        let mut rows = CallRows::default();
        let at = early.cel.iter().position(|row| row.eventtype == "BRIDGE_EXIT").unwrap();
        rows.cel.extend_from_slice(&early.cel[..at]);
        rows.cel.extend(
            early.cel[at..]
                .iter()
                .zip(&late.cel[at..])
                .map(|(row, late)| CelRow { eventtime: late.eventtime.clone(), ..row.clone() }),
        );
        rows.cdr = early.cdr.clone();
        rows.cdr[0].duration += 4 * 3600;
        rows.cdr[0].billsec += 4 * 3600;
        pbx.write_cel(&rows.cel[..at]).await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        pbx.write_cel(&rows.cel[at..]).await;
        pbx.write_cdr(&rows.cdr).await;
        holds(&fresh.store, &one(&rows, &settings), "four hours").await;
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_cel_a_long_call_is_found_by_its_end() {
    for pbx in Pbx::all_with(|pbx| pbx.cel = false).await {
        let mut settings = pbx.settings();
        settings.pbx.cel_table.clear();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        polling.stop().await;
        let mut rows = fixture("freepbx-17/inbound_answered", now() - TimeDelta::hours(3));
        rows.cel.clear();
        rows.cdr[0].duration += 3 * 3600;
        rows.cdr[0].billsec += 3 * 3600;
        pbx.write_cdr(&rows.cdr).await;
        let polling = pbx.poll(&settings, &fresh.store);
        holds(&fresh.store, &one(&rows, &settings), "CDR only").await;
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_cel_every_fixture_gives_what_cdr_can_tell() {
    for pbx in Pbx::all_with(|pbx| pbx.cel = false).await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let mut expected = Vec::new();
        for (at, (_, mut rows)) in fixtures().into_iter().enumerate() {
            rows = moved(&rows, now() + TimeDelta::minutes(i64::try_from(at).unwrap()));
            rows.cel.clear();
            pbx.write_cdr(&rows.cdr).await;
            expected.extend(told(&rows, &settings));
        }
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        until("all calls are stored", || async {
            (stored(&fresh.store).await.len() >= expected.len()).then_some(())
        })
        .await;
        let mut calls = stored(&fresh.store).await;
        calls.iter_mut().for_each(settle);
        calls.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(calls, expected, "{}", pbx.url);
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_is_read_on() {
    for pbx in Pbx::all().await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let rows = fixture("freepbx-17/blind_transfer_dtmf", now());
        pbx.write_cel(&rows.cel[..10]).await;
        pbx.execute("ALTER TABLE cel RENAME TO cel_away").await;
        until("the board shows a fault", || async {
            (polling.health() == Some(Health::Fault)).then_some(())
        })
        .await;
        pbx.execute("ALTER TABLE cel_away RENAME TO cel").await;
        pbx.write_cel(&rows.cel[10..]).await;
        pbx.write_cdr(&rows.cdr).await;
        holds(&fresh.store, &one(&rows, &settings), "after a fault").await;
        assert_eq!(polling.health(), Some(Health::Ok));
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_of_columns_are_told_in_the_settings() {
    let renamed = |pbx: &mut Pbx| {
        pbx.names = vec![
            ("calldate", "began"),
            ("linkedid", "call_id"),
            ("extra", "ev_extra"),
            ("disposition", "state"),
        ];
    };
    for pbx in Pbx::all_with(renamed).await {
        let mut settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let rows = fixture("freepbx-17/attended_transfer_dtmf", now());
        pbx.write(&rows).await;
        holds(&fresh.store, &one(&rows, &settings), "renamed columns").await;
        polling.stop().await;

        settings.pbx.column_names.insert("cdr.linkdid".into(), "call_id".into());
        let error = PbxDatabase::connect(&settings.pbx).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("did you mean cdr.linkedid"), "{error}");
        settings.pbx.column_names.remove("cdr.linkdid");
        settings.pbx.column_names.insert("cdr.linkedid".into(), "call_idd".into());
        let error = PbxDatabase::connect(&settings.pbx).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("did you mean \"call_id\""), "{error}");
        settings.pbx.column_names.insert("cdr.linkedid".into(), "x`; DROP TABLE cdr; --".into());
        let error = PbxDatabase::connect(&settings.pbx).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("cannot be a name"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_table_without_linkedid_and_sequence_is_enough() {
    for pbx in Pbx::all_with(|pbx| pbx.without = vec!["linkedid", "sequence", "peeraccount"]).await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let mut rows = fixture("freepbx-17/queue_answered", now());
        pbx.write(&rows).await;
        for row in &mut rows.cdr {
            (row.linkedid, row.sequence) = (String::new(), None);
        }
        holds(&fresh.store, &one(&rows, &settings), "no linkedid").await;
        polling.stop().await;
        let schema = PbxDatabase::connect(&settings.pbx).await.unwrap().schema().await.unwrap();
        assert!(schema.cdr.missing.contains(&"linkedid".to_owned()), "{:?}", schema.cdr.missing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_call_loses_and_doubles_nothing() {
    for pbx in Pbx::all().await {
        let settings = pbx.settings();
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let first = fixture("freepbx-17/ringgroup_answered_102", now());
        let second = fixture("freepbx-17/attended_transfer_dtmf", now() + TimeDelta::minutes(1));
        pbx.write_cel(&second.cel[..20]).await;
        pbx.write(&first).await;
        holds(&fresh.store, &one(&first, &settings), "the first call").await;
        let before = until("its CDR rows are stored, too", || async {
            let stored = fresh.store.calls(&CallFilter::default()).await.unwrap().remove(0);
            (stored.rows.cdr.len() == first.cdr.len()).then_some(stored)
        })
        .await;
        polling.stop().await;
        pbx.write_cel(&second.cel[20..]).await;
        pbx.write_cdr(&second.cdr).await;
        let polling = pbx.poll(&settings, &fresh.store);
        until("both calls are stored", || async { (stored(&fresh.store).await.len() == 2).then_some(()) })
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let calls = fresh.store.calls(&CallFilter::default()).await.unwrap();
        let find = |id: &str| calls.iter().find(|call| call.id == id).unwrap();
        assert_eq!(find(&before.id).rows, before.rows, "{}", pbx.url);
        assert_eq!(find(&before.id).updated_at, before.updated_at, "{}", pbx.url);
        let expected = one(&second, &settings);
        let mut call = find(&expected.id).call.clone();
        settle(&mut call);
        assert_eq!(call, expected);
        polling.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_sqlite_gives_out_again_are_noticed() {
    let pbx = Pbx::all().await.swap_remove(0);
    let settings = pbx.settings();
    let fresh = sqlite_store().await;
    let first = fixture("freepbx-17/queue_answered", now() - TimeDelta::hours(1));
    pbx.write(&first).await;
    let polling = pbx.poll(&settings, &fresh.store);
    polling.ready().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    pbx.execute("DELETE FROM cel; DELETE FROM cdr").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rows = fixture("freepbx-17/inbound_answered", now());
    pbx.write(&rows).await;
    holds(&fresh.store, &one(&rows, &settings), "reused keys").await;
    polling.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lacks_is_named_with_the_statement_that_mends_it() {
    let Some(pbx) = Pbx::mysql().await else { return };
    pbx.execute(
        "CREATE TABLE cdr (accountcode VARCHAR(20), src VARCHAR(80), dst VARCHAR(80), dcontext VARCHAR(80), clid VARCHAR(80), \
         channel VARCHAR(80), dstchannel VARCHAR(80), lastapp VARCHAR(80), lastdata VARCHAR(80), start DATETIME, \
         answer DATETIME, end DATETIME, duration INT, billsec INT, disposition VARCHAR(45), amaflags VARCHAR(45), \
         userfield VARCHAR(256), uniqueid VARCHAR(150), linkedid VARCHAR(150), peeraccount VARCHAR(20), sequence INT)",
    )
    .await;
    let settings = pbx.settings();
    let schema = PbxDatabase::connect(&settings.pbx).await.unwrap().schema().await.unwrap();
    assert_eq!(schema.cel, None);
    let said: Vec<String> = schema.remarks.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|text| text.contains("no table cel")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("reads all of it")), "{said:?}");
    assert!(schema.cdr.ddl.iter().any(|sql| sql.contains("(`start`)")), "{:?}", schema.cdr.ddl);
    for statement in &schema.cdr.ddl {
        pbx.execute(statement).await;
    }
    let mended = PbxDatabase::connect(&settings.pbx).await.unwrap().schema().await.unwrap();
    assert_eq!(mended.cdr.ddl, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_one_call_a_line() {
    for pbx in Pbx::all().await {
        let rows = fixture("freepbx-17/blind_transfer_dtmf", now() - TimeDelta::minutes(30));
        pbx.write(&rows).await;
        let config = pbx.folder.path().join("perezvon.toml");
        let url = match &pbx.url {
            StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            StoreUrl::Mysql(url) => url.clone(),
        };
        std::fs::write(
            &config,
            format!("[pbx]\ndatabase_url = {url:?}\n[employees]\n101 = 1\n102 = 1\n103 = 1\n"),
        )
        .unwrap();
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_perezvon"))
            .args(["calls", "--from", "-2h", "--json", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let lines: Vec<Call> = String::from_utf8(out.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let expected = one(&rows, &pbx.settings());
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0].id, &lines[0].conversations), (&expected.id, &expected.conversations));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pretend_pbx_makes_calls_that_tell_their_shape() {
    let folder = tempfile::tempdir().unwrap();
    let person = |number: &str, name: &str| Person { number: number.into(), name: name.into() };
    let options = pbx::Options {
        folder: folder.path().to_owned(),
        agi: None,
        calls: Some(60),
        speed: 400.0,
        seed: 5,
        employees: vec![
            person("101", "Анна"),
            person("102", "Борис"),
            person("103", "Вера"),
            person("104", "Глеб"),
        ],
        clients: vec![person("79161234567", "ООО Ромашка"), person("79261112233", "Пётр")],
    };
    let (events, mut heard) = tokio::sync::mpsc::channel(1000);
    let running = pbx::Pbx::start(options, events, CancellationToken::new()).await.unwrap();
    let mut settings = Settings::default();
    settings.pbx.database_url = Some(StoreUrl::Sqlite(running.database.clone()));
    settings.recordings.source = running.recordings.clone();
    running.ended().await;
    let database = PbxDatabase::connect(&settings.pbx).await.unwrap();
    let context = Context::from_settings(&settings).unwrap();
    let library = Library::new(&settings, Secret::default());
    let calls =
        calls_of(&database, &context, &library, now() - TimeDelta::hours(3), now() + TimeDelta::minutes(5))
            .await
            .unwrap();
    let mut count = 0;
    while let Some(event) = heard.recv().await {
        let PbxEvent::Ended { linkedid, shape } = event else { continue };
        count += 1;
        let call = calls
            .iter()
            .find(|call| call.linkedids.contains(&linkedid))
            .unwrap_or_else(|| panic!("no call of {linkedid}, {shape}"));
        let outcome = match shape.as_str() {
            "originate_agent_no_answer" => Outcome::NotDialed,
            "outbound_busy" => Outcome::Busy,
            "outbound_no_answer" => Outcome::NoAnswer,
            "outbound_congestion" => Outcome::Failed,
            "inbound_missed" | "inbound_busy" | "queue_abandoned" | "ringgroup_missed" | "voicemail"
            | "dnd_voicemail" | "ivr_hangup" | "afterhours" => Outcome::Missed,
            _ => Outcome::Talked,
        };
        assert_eq!(call.outcome, outcome, "{shape}: {call:#?}");
        if ["inbound_answered", "queue_answered", "outbound_answered"].contains(&shape.as_str()) {
            let ready =
                call.recordings.iter().any(|one| one.state == RecordingState::Ready && one.seconds > 5.0);
            assert!(ready, "{shape}: {call:#?}");
        }
    }
    assert_eq!(count, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_stored_within_a_second_and_a_half_of_its_hang_up() {
    for pbx in Pbx::all().await {
        let mut settings = pbx.settings();
        settings.pbx.poll_interval = Span::secs(1);
        let fresh = sqlite_store().await;
        let polling = pbx.poll(&settings, &fresh.store);
        polling.ready().await;
        let mut waits = Vec::new();
        for at in 0..5 {
            let rows = fixture("freepbx-17/inbound_answered", now() + TimeDelta::minutes(at));
            let id = rows.cel[0].linkedid.clone();
            tokio::time::sleep(Duration::from_millis(170 * u64::try_from(at).unwrap())).await;
            pbx.write(&rows).await;
            let hung_up = std::time::Instant::now();
            until("it is stored", || async { fresh.store.call(&id).await.unwrap() }).await;
            waits.push(hung_up.elapsed());
        }
        waits.sort();
        assert!(waits[2] < Duration::from_millis(1500), "{}: {waits:?}", pbx.url);
        polling.stop().await;
    }
}
