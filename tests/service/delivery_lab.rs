//! A registrar with its store, directory and library, against the sandbox amoCRM.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::{
    edge::{
        amocrm::Amocrm,
        clock,
        directory::Directory,
        recordings::Library,
        registrar::{Parts, Registrar},
        status::Board,
        store::{CallFilter, CallState, Put, Store, StoredCall},
    },
    logic::{
        call::{Call, CallRows, CdrRow, Conversation, Detail, Direction, MissedAt, Outcome},
        phone::Phones,
        retry::Waits,
    },
    sandbox::amocrm::{Handle, Options, Sandbox},
    settings::{Employee, Language, Secret, Settings},
};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A call as the poller would hand it over: `serial` makes it another one.
pub(crate) fn call(serial: u32, client: &str, outcome: Outcome, ended: DateTime<Utc>) -> Call {
    let started = ended - TimeDelta::seconds(60);
    let id = format!("{}.{serial}", started.timestamp());
    let talked = outcome == Outcome::Talked;
    let outbound = matches!(outcome, Outcome::NoAnswer | Outcome::Busy | Outcome::Failed);
    Call {
        id: id.clone(),
        linkedids: vec![id],
        direction: if outbound { Direction::Outbound } else { Direction::Inbound },
        client: Some(client.to_owned()),
        did: Some("74951234567".to_owned()),
        trunk: Some("trunk".to_owned()),
        started_at: started,
        answered_at: talked.then(|| started + TimeDelta::seconds(10)),
        ended_at: ended,
        outcome,
        missed_at: (outcome == Outcome::Missed).then_some(MissedAt::Ringing),
        lost_after: None,
        talk_seconds: if talked { 50 } else { 0 },
        conversations: vec![Conversation {
            party: "101".to_owned(),
            via: None,
            requested_at: started + TimeDelta::seconds(1),
            accepted_at: talked.then(|| started + TimeDelta::seconds(10)),
            ended_at: ended,
            talk_seconds: if talked { 50 } else { 0 },
        }],
        recordings: Vec::new(),
        menus: Vec::new(),
        cut: false,
        detail: Detail::Full,
    }
}

/// Rows that make a call what it is, as far as the store looks at them.
pub(crate) fn rows(call: &Call) -> CallRows {
    let row = |linkedid: &String| CdrRow {
        linkedid: linkedid.clone(),
        uniqueid: linkedid.clone(),
        billsec: i64::from(call.talk_seconds),
        ..CdrRow::default()
    };
    CallRows { cdr: call.linkedids.iter().map(row).collect(), cel: Vec::new() }
}

/// `+7916` and seven digits.
pub(crate) fn number(serial: u32) -> String {
    format!("+7916{:07}", 1_234_000 + serial)
}

/// Everything that delivers, in this process.
pub(crate) struct Lab {
    pub(crate) sandbox: Handle,
    pub(crate) store: Store,
    pub(crate) directory: Arc<Directory>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// A sandbox with nobody in it.
pub(crate) async fn sandbox() -> Handle {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Sandbox::start(listener, Options::default()).unwrap()
}

/// Settings for a sandbox: one employee, quick requests.
pub(crate) fn settings_for(sandbox: &Handle) -> Settings {
    let mut settings = Settings::default();
    settings.amocrm.base_url = sandbox.base_url();
    settings.amocrm.token = Secret::new(sandbox.token());
    settings.amocrm.requests_per_second = 1000.0;
    let users = sandbox.users();
    settings.employees.insert("101".to_owned(), Employee::new(users[1].id, "Борис"));
    settings.base.default_user = Some(users[0].id);
    settings
}

impl Lab {
    /// Starts on a store, with a fresh sandbox.
    pub(crate) async fn start(store: &Store) -> Self {
        let sandbox = sandbox().await;
        let settings = settings_for(&sandbox);
        Self::with(store, sandbox, settings).await
    }

    /// Starts with these settings; returns when the directory is complete.
    pub(crate) async fn with(store: &Store, sandbox: Handle, settings: Settings) -> Self {
        let hurry = Waits { settle: Duration::from_secs(1), first: Duration::from_secs(1) };
        Self::with_waits(store, sandbox, settings, hurry).await
    }

    /// The same, in another hurry.
    pub(crate) async fn with_waits(
        store: &Store,
        sandbox: Handle,
        mut settings: Settings,
        waits: Waits,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        settings.recordings.source = folder.path().join("wav");
        settings.recordings.mp3_folder = folder.path().join("mp3");
        std::fs::create_dir_all(&settings.recordings.source).unwrap();
        let settings = Arc::new(settings);
        let board = Arc::new(Board::default());
        let phones = Arc::new(Phones::new(&settings.numbers).unwrap());
        let amocrm = Amocrm::new(&settings.amocrm, store.clone(), Arc::clone(&board)).unwrap();
        let directory = Directory::open(
            &settings,
            store.clone(),
            Some(Arc::clone(&amocrm)),
            Arc::clone(&phones),
            Arc::clone(&board),
        )
        .await
        .unwrap();
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let parts = Parts {
            settings: Arc::clone(&settings),
            store: store.clone(),
            amocrm: Some(amocrm),
            directory: Arc::clone(&directory),
            library: Arc::new(Library::open(&settings, store).await.unwrap()),
            phones,
            board,
            language: Language::En,
        };
        let registrar = Registrar::with_waits(parts, waits);
        let tasks = vec![
            tokio::spawn(Arc::clone(&directory).run_sync(stop.clone())),
            tokio::spawn(registrar.run(Arc::clone(&wake), stop.clone())),
        ];
        let lab = Self { sandbox, store: store.clone(), directory, wake, stop, tasks, _folder: folder };
        lab.until("the directory is complete", || async { lab.directory.complete_until().is_some() }).await;
        lab
    }

    /// What the registrar is woken by.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Hands a call over, as the poller does.
    pub(crate) async fn put(&self, call: &Call) -> Put {
        let put = self.store.put_call(call, &rows(call)).await.unwrap();
        self.wake.notify_one();
        put
    }

    /// Waits until something holds; fails after half a minute.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        self.within(Duration::from_secs(30), what, holds).await;
    }

    /// Waits until something holds, so long.
    pub(crate) async fn within<F: Future<Output = bool>>(
        &self,
        patience: Duration,
        what: &str,
        holds: impl Fn() -> F,
    ) {
        let ended = tokio::time::timeout(patience, async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        if ended.is_err() {
            let calls = self.store.calls(&CallFilter::default()).await.unwrap();
            let told: Vec<_> = calls
                .iter()
                .take(8)
                .map(|call| format!("{} {} {}", call.id, call.state.as_str(), call.reason))
                .collect();
            panic!("not within {patience:?}: {what}; calls: {told:#?}");
        }
    }

    /// Waits until no call waits any more, and all of them are in this state.
    pub(crate) async fn all(&self, state: CallState, count: usize) {
        let what = format!("{count} calls are {}", state.as_str());
        self.until(&what, || async { self.count(state).await == count }).await;
    }

    /// How many calls are in a state.
    pub(crate) async fn count(&self, state: CallState) -> usize {
        usize::try_from(self.store.count_calls_by_state().await.unwrap()[&state]).unwrap()
    }

    /// A call by its id.
    pub(crate) async fn stored(&self, id: &str) -> StoredCall {
        self.store.call(id).await.unwrap().expect("it was put")
    }

    /// Ends everything but the sandbox in the middle of its work.
    pub(crate) fn kill(self) -> Handle {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.sandbox
    }

    /// Stops everything but the sandbox.
    pub(crate) async fn stop(self) -> Handle {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        self.sandbox
    }
}

/// A minute ago.
pub(crate) fn just_now() -> DateTime<Utc> {
    clock::now() - TimeDelta::seconds(5)
}
