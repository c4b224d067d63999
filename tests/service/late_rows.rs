//! Rows that come late: a call that stands in the CRM is told anew, its note is changed, and never doubled.

use std::{sync::Arc, time::Duration};

use perezvon::{
    edge::{
        clock,
        hangups::Hangups,
        pbx_database::PbxDatabase,
        poller,
        recordings::Library,
        status::Board,
        store::{CallState, StoredCall},
    },
    logic::{
        call::{Call, CallRows, Context, digits, fold, group},
        rules::plan::{Action, CallNote},
    },
    sandbox::amocrm::Toggles,
    settings::{Employee, Secret, Settings, Span},
};
use proptest::{
    prelude::*,
    sample::Index,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tokio_util::sync::CancellationToken;

use crate::{
    delivery_lab::{Lab, sandbox, settings_for},
    harness::sqlite_store,
    poller::{fixtures::moved, tables::Pbx},
    switchboard::any_happening_of,
};

const CLIENTS: [&str; 12] = [
    "79161230001",
    "79161230002",
    "79161230003",
    "79161230004",
    "79161230005",
    "79161230006",
    "79161230007",
    "79161230008",
    "79161230009",
    "79161230010",
    "79161230011",
    "79161230012",
];

/// A call, and in which pieces its rows are written.
#[derive(Debug, Clone)]
struct Late {
    client: &'static str,
    id: String,
    /// The first is what was there when the call was registered first.
    pieces: Vec<CallRows>,
    all: CallRows,
}

fn any_late(client: &'static str, first: u64) -> impl Strategy<Value = Late> {
    let cuts = prop::collection::vec(any::<Index>(), 1..5);
    let legs = prop::collection::vec(any::<Index>(), 8);
    (any_happening_of(client, first), any::<Index>(), cuts, legs).prop_map(
        move |(happened, begun, cuts, legs)| {
            let all = moved(&happened.rows, clock::now());
            let shift = |id: &str| happened.rows.cel.iter().position(|row| row.uniqueid == id);
            let id = all.cel[shift(&happened.id).unwrap()].uniqueid.clone();
            let begun = begun.index(all.cel.len()) + 1;
            let mut late: Vec<CallRows> = all.cel[begun..]
                .iter()
                .map(|row| CallRows { cel: vec![row.clone()], cdr: Vec::new() })
                .collect();
            // Events are numbered as they are written; a leg may come at any time.
            for (row, place) in all.cdr.iter().zip(legs.iter().cycle()) {
                let at = place.index(late.len() + 1);
                late.insert(at, CallRows { cdr: vec![row.clone()], cel: Vec::new() });
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(late.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = vec![CallRows { cel: all.cel[..begun].to_vec(), cdr: Vec::new() }];
            let mut from = 0;
            for to in cuts.into_iter().chain([late.len()]) {
                let mut piece = CallRows::default();
                for row in &late[from..to] {
                    piece.cel.extend(row.cel.clone());
                    piece.cdr.extend(row.cdr.clone());
                }
                pieces.push(piece);
                from = to;
            }
            Late { client, id, pieces, all }
        },
    )
}

/// A company's poller, stopped and begun anew every few seconds.
async fn poll(
    pbx_settings: Settings,
    lab_store: perezvon::edge::store::Store,
    wake: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let pause = stop.child_token();
        let parts = poller::Parts {
            database: PbxDatabase::new(&pbx_settings.pbx).unwrap(),
            store: lab_store.clone(),
            context: Arc::new(Context::from_settings(&pbx_settings).unwrap()),
            library: Arc::new(Library::new(&pbx_settings, Secret::default())),
            board: Arc::new(Board::default()),
            wake: Arc::clone(&wake),
            hangups: Arc::new(Hangups::default()),
        };
        let running = tokio::spawn(poller::run(parts, pause.clone()));
        let _ = tokio::time::timeout(Duration::from_secs(4), stop.cancelled()).await;
        pause.cancel();
        running.await.unwrap();
    }
}

/// Waits until what was written of a call stands in the store and is delivered; gives up after so long.
async fn delivered(lab: &Lab, id: &str, rows: usize, patience: Duration) -> Option<StoredCall> {
    let waiting = async {
        loop {
            if let Some(stored) = lab.store.call(id).await.unwrap() {
                let there = stored.rows.cel.len() + stored.rows.cdr.len() >= rows;
                if there && stored.state != CallState::Waiting {
                    return stored;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(patience, waiting).await.ok()
}

/// The call of the client, as all its rows tell it.
fn told(late: &Late, settings: &Settings) -> (Call, usize) {
    let context = Context::from_settings(settings).unwrap();
    let mut all = late.all.clone();
    all.cel.iter_mut().for_each(|row| digits::hide_in_cel(row, settings.pbx.ivr_digits));
    let mut groups = group(all).into_iter();
    let own = groups.find(|rows| rows.linkedids().contains(&late.id)).expect("its rows");
    (fold(&own, &context).expect("a call"), own.cel.len() + own.cdr.len())
}

async fn play(late: &Late, pbx: &Pbx, lab: &Lab, settings: &Settings) -> StoredCall {
    let mut written = 0;
    for piece in &late.pieces {
        pbx.write_cel(&piece.cel).await;
        pbx.write_cdr(&piece.cdr).await;
        written += piece.cel.len() + piece.cdr.len();
        // Rows of a consultation may be another call, and the first rows none at all.
        delivered(lab, &late.id, written, Duration::from_secs(4)).await;
    }
    let (expected, rows) = told(late, settings);
    let stored = delivered(lab, &late.id, rows, Duration::from_secs(30)).await.expect("it is delivered");
    assert_eq!(stored.call, expected, "{:?}", late.pieces);
    stored
}

fn note_of(stored: &StoredCall) -> CallNote {
    let plan = stored.plan.as_ref().expect("a plan");
    let note = plan.actions.iter().find_map(|planned| match &planned.action {
        Action::WriteCall { note, .. } => Some(note.clone()),
        _ => None,
    });
    note.expect("a note")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_call_is_told_anew_by_late_rows_in_one_note() {
    let fresh = sqlite_store().await;
    let pbx = Pbx::all().await.remove(0);
    let sandbox = sandbox().await;
    let mut settings = settings_for(&sandbox);
    for (extension, user) in
        ["101", "102", "103", "104", "105", "106"].into_iter().zip(sandbox.users().iter().cycle())
    {
        let employee = Employee::new(user.id, extension);
        settings.employees.insert(extension.to_owned(), employee);
    }
    sandbox.faults().set_toggles(Toggles { editable_call_notes: true, ..Toggles::default() });
    settings.pbx = pbx.settings().pbx;
    // Each piece is told at once, whether the call may go on or not.
    (settings.pbx.max_call, settings.pbx.quiet) = (Span::millis(400), Span::millis(200));
    let lab = Lab::with(&fresh.store, sandbox, settings.clone()).await;
    let stop = CancellationToken::new();
    let polling = tokio::spawn(poll(settings.clone(), fresh.store.clone(), lab.wake(), stop.clone()));
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let calls: Vec<Late> = (0..)
        .zip(CLIENTS)
        .map(|(at, client)| any_late(client, 1000 * (at + 1)).new_tree(&mut runner).unwrap().current())
        .collect();
    let playing = calls.iter().map(|late| play(late, &pbx, &lab, &settings));
    let stored = futures::future::join_all(playing).await;
    let notes = lab.sandbox.calls();
    for (late, stored) in calls.iter().zip(&stored) {
        let own: Vec<_> = notes.iter().filter(|note| note.phone.ends_with(late.client)).collect();
        assert_eq!(own.len(), 1, "{}: {own:#?}", late.client);
        let (note, planned) = (own[0], note_of(stored));
        assert!(note.uniq.contains(&stored.id), "{}", note.uniq);
        assert_eq!(note.duration, i64::from(stored.call.talk_seconds), "{}", late.client);
        assert_eq!(note.duration, i64::from(planned.duration));
        assert_eq!(note.call_result, planned.result.unwrap_or_default(), "{}", late.client);
        assert_eq!((note.inbound, note.created_at), (planned.inbound, planned.created_at));
    }
    let mut changes = 0;
    for stored in &stored {
        let requests = lab.store.requests_of(&stored.id).await.unwrap();
        changes += requests.iter().filter(|request| request.method == "PATCH").count();
    }
    assert!(changes > CLIENTS.len() / 2, "only {changes} notes were changed");
    stop.cancel();
    polling.await.unwrap();
    lab.stop().await;
}
