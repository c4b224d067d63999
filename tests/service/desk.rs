//! An admin's desk: a settings file, Asterisk's tables with calls of the last hour, an account, and the program.

use std::{fs, process::Output};

use chrono::TimeDelta;
use perezvon::{
    edge::{clock, store::Store},
    logic::call::CallRows,
    sandbox::amocrm::Handle,
    settings::StoreUrl,
};
use serde_json::Value;

use crate::{
    commands::{code, perezvon, said},
    delivery_lab::sandbox,
    harness::FreshStore,
    poller::{fixtures::fixture, tables::Pbx},
};

/// What each of the calls is, by its place in the corpus; the oldest first.
const CALLS: [&str; 4] = [
    "freepbx-17/inbound_answered",
    "freepbx-17/ringgroup_answered_102",
    "freepbx-17/inbound_missed",
    "asterisk-22/internal_answered",
];

/// Everything a subcommand meets.
pub(crate) struct Desk {
    pub(crate) sandbox: Handle,
    pub(crate) store: Store,
    /// Linkedids of the calls in the tables: talked with 101, talked with 102, missed, internal.
    pub(crate) ids: Vec<String>,
    url: StoreUrl,
    pbx: Pbx,
}

impl Desk {
    /// With an account in the settings.
    pub(crate) async fn set_up(fresh: &FreshStore) -> Self {
        let pbx = Pbx::sqlite().await;
        pbx.make_tables().await;
        let mut ids = Vec::new();
        for (at, name) in (1..).zip(CALLS) {
            let rows = fixture(name, clock::now() - TimeDelta::minutes(60 - 10 * at));
            ids.push(rows.cel[0].linkedid.clone());
            pbx.write(&rows).await;
        }
        fs::create_dir(pbx.folder.path().join("wav")).unwrap();
        let sandbox = sandbox().await;
        let desk = Self { sandbox, store: fresh.store.clone(), ids, url: fresh.url.clone(), pbx };
        desk.connect("");
        desk
    }

    /// Puts rows into Asterisk's tables.
    pub(crate) async fn write(&self, rows: &CallRows) {
        self.pbx.write(rows).await;
    }

    /// Settings with the account, and with these lines.
    pub(crate) fn connect(&self, more: &str) {
        self.connect_to("", more);
    }

    /// The same, with these lines in `[pbx]`.
    pub(crate) fn connect_to(&self, pbx: &str, more: &str) {
        let account = format!(
            "[amocrm]\nbase_url = \"{}\"\ntoken = \"{}\"\nrequests_per_second = 50\n",
            self.sandbox.base_url(),
            self.sandbox.token()
        );
        self.write_settings(pbx, &(account + more));
    }

    /// Settings without an account.
    pub(crate) fn disconnect(&self) {
        self.write_settings("", "");
    }

    fn write_settings(&self, pbx: &str, more: &str) {
        let store = match &self.url {
            StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            StoreUrl::Mysql(url) => url.clone(),
        };
        let (folder, users) = (self.pbx.folder.path(), self.sandbox.users());
        let text = format!(
            "[ui]\nlanguage = \"en\"\n[store]\nurl = \"{store}\"\n\
             [pbx]\ndatabase_url = \"sqlite:master.db\"\nquiet = \"1s\"\n{pbx}\
             [recordings]\nsource = \"wav\"\nmp3_folder = \"mp3\"\nwait = \"1s\"\n\
             [employees]\n101 = {}\n102 = {}\n{more}",
            users[1].id, users[2].id,
        );
        fs::write(folder.join("perezvon.toml"), text).unwrap();
    }

    /// Runs the program.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let folder = self.pbx.folder.path().to_owned();
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let run = move || perezvon(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Runs the program with `--json`; each line of what it says when it ends with this code.
    pub(crate) async fn json(&self, arguments: &[&str], expected: i32) -> Vec<Value> {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(code(&output), expected, "{arguments:?}: {}", said(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many contacts, leads, calls and tasks stand in the account.
    pub(crate) fn stands(&self) -> [usize; 4] {
        let sandbox = &self.sandbox;
        [sandbox.contacts().len(), sandbox.leads().len(), sandbox.calls().len(), sandbox.tasks().len()]
    }
}
