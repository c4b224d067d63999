//! The whole service between Asterisk's tables and the CRM: rows and a WAV go in, a card with a sound comes out.

use std::{
    fs,
    io::Cursor,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use chrono::TimeDelta;
use perezvon::{
    edge::{
        clock,
        status::Health,
        store::{CallState, Store, StoredCall},
    },
    logic::{
        call::{self, Call, CallRows, Context, Direction, Outcome},
        sound::mpeg::Mpeg,
    },
    sandbox::amocrm::{Handle, Kind, Toggles},
    serve::{self, Running, Sockets},
    settings::{Employee, Language, Settings, StoreUrl},
};
use reqwest::{StatusCode, header};

use crate::{
    delivery_lab::{sandbox, settings_for},
    harness::{FreshStore, stores},
    poller::{fixtures::fixture, tables::Pbx},
    recordings::wav,
};

/// A PBX, an account, and the service between them.
pub(crate) struct Whole {
    pub(crate) pbx: Pbx,
    pub(crate) sandbox: Handle,
    settings: Settings,
    store: Store,
    running: Option<Running>,
}

impl Whole {
    async fn start(store: &Store, url: &StoreUrl, pbx: Pbx) -> Self {
        Self::start_with(store, url, pbx, |_| {}).await
    }

    /// The same, with other settings.
    pub(crate) async fn start_with(
        store: &Store,
        url: &StoreUrl,
        pbx: Pbx,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        // Fails only when another test was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = sandbox().await;
        let mut settings = pbx.settings();
        let Settings { amocrm, employees, base, .. } = settings_for(&sandbox);
        (settings.amocrm, settings.base) = (amocrm, base);
        settings.employees.extend(employees);
        let user = sandbox.users()[2].id;
        settings.employees.insert("102".to_owned(), Employee::new(user, "Вера"));
        settings.employees.remove("103");
        settings.ui.language = Some(Language::En);
        settings.store.url = url.clone();
        settings.http.listen = "127.0.0.1:0".parse().unwrap();
        settings.agi.enabled = false;
        settings.recordings.source = pbx.folder.path().join("monitor");
        settings.recordings.mp3_folder = pbx.folder.path().join("mp3");
        fs::create_dir_all(&settings.recordings.source).unwrap();
        change(&mut settings);
        let mut whole = Self { pbx, sandbox, settings, store: store.clone(), running: None };
        whole.go().await;
        whole
    }

    /// Starts the service; returns when it reads the tables and knows the account.
    async fn go(&mut self) {
        let sockets = Sockets::bind(&self.settings).await.unwrap();
        let address = sockets.http.local_addr().unwrap();
        // Links stay the same when it starts again.
        self.settings.http.listen = address;
        self.settings.http.public_url = format!("http://{address}");
        self.running = Some(serve::start(self.settings.clone(), sockets).await.unwrap());
        self.until("the service is ready", || async {
            let running = self.running.as_ref().unwrap();
            let reads = running.board.all().get("pbx").is_some_and(|part| part.health == Health::Ok);
            reads && running.directory.complete_until().is_some()
        })
        .await;
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    /// Rows of a call of the corpus as if it had ended now, and the call that they tell.
    pub(crate) fn ended_now(&self, name: &str) -> (CallRows, Call) {
        let context = Context::from_settings(&self.settings).unwrap();
        let told = |rows: &CallRows| call::fold(rows, &context).unwrap();
        let now = clock::now();
        let length = told(&fixture(name, now)).ended_at - now;
        let rows = fixture(name, now - length);
        let call = told(&rows);
        (rows, call)
    }

    /// Where Asterisk records a call.
    pub(crate) fn file_of(&self, call: &Call) -> PathBuf {
        let path = call.recordings[0].path.trim_start_matches("/var/spool/asterisk/monitor/").to_owned();
        let file = self.settings.recordings.source.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        file
    }

    /// The WAV of a call, closed a minute ago.
    fn record(&self, call: &Call, seconds: f64) -> PathBuf {
        let file = self.file_of(call);
        fs::write(&file, wav(seconds)).unwrap();
        let closed = SystemTime::from(clock::now()) - Duration::from_secs(60);
        fs::File::options().write(true).open(&file).unwrap().set_modified(closed).unwrap();
        file
    }

    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        for _ in 0..1_500 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let calls = self.store.calls(&Default::default()).await.unwrap();
        let told: Vec<_> = calls.iter().map(|call| (&call.id, call.state, &call.reason)).collect();
        panic!("waited 30 s in vain: {what}; {} {told:#?}", self.pbx.url);
    }

    /// Waits until a call is in this state.
    pub(crate) async fn is(&self, call: &Call, state: CallState) -> StoredCall {
        self.until(&format!("{} is {}", call.id, state.as_str()), || async {
            self.store.call(&call.id).await.unwrap().is_some_and(|call| call.state == state)
        })
        .await;
        self.store.call(&call.id).await.unwrap().unwrap()
    }

    /// Waits until the store has so many rows of a call, and it is registered with them.
    async fn is_registered_with(&self, rows: usize, call: &Call) -> StoredCall {
        self.until(&format!("{} is registered with {rows} rows", call.id), || async {
            self.store.call(&call.id).await.unwrap().is_some_and(|call| {
                call.state == CallState::Registered && call.rows.cel.len() + call.rows.cdr.len() == rows
            })
        })
        .await;
        self.store.call(&call.id).await.unwrap().unwrap()
    }

    /// How a part of the service says it is.
    pub(crate) fn health(&self, part: &str) -> Option<Health> {
        self.running.as_ref()?.board.all().get(part).map(|part| part.health)
    }

    /// How often a note was asked to be changed.
    fn changes(&self) -> usize {
        self.sandbox.requests().iter().filter(|request| request.method == "PATCH").count()
    }
}

/// Asterisk's tables and the service's state on one engine each.
pub(crate) async fn engines() -> Vec<(Pbx, FreshStore)> {
    Pbx::all().await.into_iter().zip(stores().await).collect()
}

/// Asks for a note's recording as a browser does: all of it, then its tail.
pub(crate) async fn play(link: &str) -> Vec<u8> {
    let client = reqwest::Client::new();
    let whole = client.get(link).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK, "{link}");
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "audio/mpeg");
    let length: usize = whole.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    let sound = whole.bytes().await.unwrap().to_vec();
    assert_eq!(sound.len(), length);
    let tail =
        client.get(link).header(header::RANGE, format!("bytes={}-", length - 100)).send().await.unwrap();
    assert_eq!(tail.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(tail.bytes().await.unwrap(), sound[length - 100..]);
    sound
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_call_stands_in_amocrm_with_its_recording() {
    for fresh in stores().await {
        let pbx = Pbx::sqlite().await;
        pbx.make_tables().await;
        let mut whole = Whole::start(&fresh.store, &fresh.url, pbx).await;
        let (rows, talked) = whole.ended_now("freepbx-17/inbound_answered");
        whole.record(&talked, 6.0);
        whole.pbx.write(&rows).await;
        let stored = whole.is(&talked, CallState::Registered).await;
        assert!(stored.reason.contains("MP3"), "{}", stored.reason);
        let (contacts, leads, notes) =
            (whole.sandbox.contacts(), whole.sandbox.leads(), whole.sandbox.calls());
        assert_eq!((contacts.len(), leads.len(), notes.len()), (1, 1, 1), "{}", fresh.engine);
        let user = whole.sandbox.users()[1].id;
        assert_eq!(contacts[0].phones, ["+79161234567"]);
        assert_eq!((contacts[0].responsible_user_id, leads[0].responsible_user_id), (user, user));
        let note = &notes[0];
        assert_eq!((note.kind, note.entity_id), (Kind::Lead, leads[0].id));
        assert_eq!((note.inbound, note.duration, note.call_status), (true, 6, Some(4)));
        assert_eq!((note.phone.as_str(), note.created_at), ("+79161234567", talked.started_at.timestamp()));
        let sound = play(&note.link).await;
        let seconds = Mpeg::of(&mut Cursor::new(sound)).unwrap().seconds;
        assert!((seconds - 6.0).abs() < 0.2, "{seconds}");
        let forged = reqwest::get(note.link.replace(&talked.id, "1795173574.5")).await.unwrap();
        assert_eq!(forged.status(), StatusCode::FORBIDDEN);
        assert!(whole.sandbox.tasks().is_empty());

        let (rows, missed) = whole.ended_now("freepbx-17/inbound_missed");
        whole.record(&missed, 7.0);
        whole.pbx.write(&rows).await;
        let (rows, internal) = whole.ended_now("asterisk-22/internal_answered");
        assert_eq!(internal.direction, Direction::Internal);
        whole.record(&internal, 6.0);
        whole.pbx.write(&rows).await;
        whole.is(&internal, CallState::Skipped).await;
        whole.is(&missed, CallState::Registered).await;
        let (notes, tasks) = (whole.sandbox.calls(), whole.sandbox.tasks());
        assert_eq!((notes.len(), tasks.len()), (2, 1), "{}", fresh.engine);
        assert_eq!((whole.sandbox.contacts().len(), whole.sandbox.leads().len()), (1, 1));
        assert_eq!((notes[1].call_status, notes[1].link.as_str()), (Some(6), ""), "ringing is no recording");
        assert_eq!(tasks[0].entity, Some((Kind::Lead, leads[0].id)));
        assert_eq!(tasks[0].responsible_user_id, user);
        assert_eq!(tasks[0].complete_till, (missed.ended_at + TimeDelta::hours(1)).timestamp());
        whole.stop().await;
        // The link outlives a restart.
        whole.go().await;
        play(&note.link).await;
        assert_eq!(whole.sandbox.calls().len(), 2);
        whole.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_change_the_note_once_where_the_crm_allows_it() {
    for editable in [true, false] {
        for (pbx, fresh) in engines().await {
            let mut whole = Whole::start(&fresh.store, &fresh.url, pbx).await;
            let toggles = Toggles { editable_call_notes: editable, ..Toggles::default() };
            whole.sandbox.faults().set_toggles(toggles);
            let (rows, talked) = whole.ended_now("freepbx-17/inbound_answered");
            whole.record(&talked, 6.0);
            let (late, early): (Vec<_>, Vec<_>) =
                rows.cel.iter().cloned().partition(|row| {
                    ["ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT"].contains(&row.eventtype.as_str())
                });
            whole.pbx.write_cel(&early).await;
            let seems = whole.is_registered_with(early.len(), &talked).await;
            assert_eq!(seems.call.outcome, Outcome::Missed, "{}", fresh.engine);
            let first = whole.sandbox.calls();
            assert_eq!((first.len(), first[0].duration, first[0].link.as_str()), (1, 0, ""));

            whole.pbx.write_cel(&late).await;
            whole.pbx.write_cdr(&rows.cdr).await;
            let stored = whole.is_registered_with(rows.cel.len() + rows.cdr.len(), &talked).await;
            assert_eq!((stored.call.outcome, stored.call.talk_seconds), (Outcome::Talked, 6));
            let notes = whole.sandbox.calls();
            if editable {
                assert_eq!((notes.len(), notes[0].duration, notes[0].call_status), (1, 6, Some(4)));
                assert_eq!((notes[0].id, notes[0].entity_id), (first[0].id, first[0].entity_id));
                play(&notes[0].link).await;
            } else {
                assert_eq!(notes, first, "it cannot be changed, and is not written beside");
                assert!(stored.reason.contains("did not take"), "{}", stored.reason);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            // A refusal may be asked for again by each further row, never in a loop.
            let most = if editable { 1 } else { 2 };
            assert!((1..=most).contains(&whole.changes()), "{} changes", whole.changes());
            let sandbox = &whole.sandbox;
            let cards = (sandbox.contacts().len(), sandbox.leads().len(), sandbox.calls().len());
            assert_eq!(cards, (1, 1, 1), "{}", fresh.engine);
            whole.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_row_of_a_call_that_left_the_tables_shrinks_nothing() {
    for (pbx, fresh) in engines().await {
        let mut whole = Whole::start(&fresh.store, &fresh.url, pbx).await;
        let (rows, talked) = whole.ended_now("freepbx-17/inbound_answered");
        whole.record(&talked, 6.0);
        let all = rows.cel.len() + rows.cdr.len();
        let at = rows.cel.iter().rposition(|row| row.eventtype == "CHAN_END").unwrap();
        let (mut early, late) = (rows.clone(), rows.cel[at].clone());
        early.cel.remove(at);
        whole.pbx.write(&early).await;
        let before = whole.is_registered_with(all - 1, &talked).await;
        let notes = whole.sandbox.calls();
        whole.stop().await;
        whole.pbx.execute("DELETE FROM cel WHERE eventtype <> 'LINKEDID_END'; DELETE FROM cdr").await;
        whole.go().await;
        whole.pbx.write_cel(&[late]).await;
        let after = whole.is_registered_with(all, &talked).await;
        assert_eq!(after.call, before.call, "{}", fresh.engine);
        assert_eq!(whole.sandbox.calls(), notes, "{}", fresh.engine);
        assert_eq!(whole.changes(), 0, "nothing that was told has changed");
        whole.stop().await;
    }
}
