//! Killed at any moment, the CRM holds each thing once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use perezvon::{
    edge::{clock, store::CallState},
    logic::call::Outcome,
    sandbox::amocrm::{Fault, Handle, Rule, When},
    settings::StoreUrl,
};

use crate::{
    delivery_lab::{call, number, rows, sandbox},
    harness::{self, FreshStore},
};

const KILLS: u32 = 30;
const CALLS: u32 = 90;

/// The same numbers each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % most
    }
}

/// Settings of the service that is killed.
fn settings_file(folder: &Path, store: &StoreUrl, sandbox: &Handle) -> std::path::PathBuf {
    let url = match store {
        StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreUrl::Mysql(url) => url.clone(),
    };
    let (folder_text, user) = (folder.display(), sandbox.users()[1].id);
    let text = format!(
        "[store]\nurl = \"{url}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[agi]\nenabled = false\n\
         [recordings]\nsource = \"{folder_text}/wav\"\nmp3_folder = \"{folder_text}/mp3\"\n\
         [amocrm]\nbase_url = \"{}\"\ntoken = \"{}\"\nrequests_per_second = 50\n\
         [employees]\n\"101\" = {user}\n",
        sandbox.base_url(),
        sandbox.token(),
    );
    let file = folder.join("perezvon.toml");
    std::fs::create_dir_all(folder.join("wav")).unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

fn serve(settings: &Path, log: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_perezvon"))
        .args(["serve", "--config"])
        .arg(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

async fn kill_at_random(fresh: FreshStore, seed: u64) {
    let (folder, sandbox, mut dice) = (tempfile::tempdir().unwrap(), sandbox().await, Dice(seed));
    let settings = settings_file(folder.path(), &fresh.url, &sandbox);
    let log = folder.path().join("log");
    let faults = sandbox.faults();
    faults.set(
        Rule::new("/api/v4/*", Fault::Delay(Duration::from_millis(120)), When::Chance(0.5)).only("POST"),
    );
    // Longer than a restart: what is asked too early is not there yet.
    faults.set(Rule::new("/api/v4/*", Fault::Delay(Duration::from_secs(3)), When::Chance(0.06)).only("POST"));
    faults.set(Rule::new("/api/v4/*", Fault::LostReply, When::Chance(0.15)).only("POST"));
    let (mut put, mut missed) = (0, 0);
    for kill in 0..KILLS {
        let mut child = serve(&settings, &log);
        let life = Duration::from_millis(150 + dice.below(1500));
        let began = Instant::now();
        while began.elapsed() < life {
            if put < CALLS * (kill + 1) / KILLS {
                // Every third number rings twice in the same second.
                let client = number(put - u32::from(put % 3 == 2));
                let outcome = if dice.below(2) == 0 { Outcome::Missed } else { Outcome::Talked };
                missed += u32::from(outcome == Outcome::Missed);
                let one = call(put, &client, outcome, clock::now() - TimeDelta::seconds(1));
                fresh.store.put_call(&one, &rows(&one)).await.unwrap();
                put += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let struck: u64 = faults.rules().iter().map(|rule| rule.struck).sum();
    assert!(struck > 10, "seed {seed}: only {struck} requests were hurt");
    faults.clear();
    let mut child = serve(&settings, &log);
    let began = Instant::now();
    loop {
        let counts = fresh.store.count_calls_by_state().await.unwrap();
        if counts[&CallState::Registered] == u64::from(put) {
            break;
        }
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        let tail: Vec<&str> = told.lines().rev().take(15).collect();
        assert!(began.elapsed() < Duration::from_secs(120), "seed {seed}: {counts:?} {tail:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    each_stands_once(&sandbox, put, missed, seed, fresh.engine);
}

fn each_stands_once(sandbox: &Handle, put: u32, missed: u32, seed: u64, engine: &str) {
    let told = format!("{engine}, seed {seed}");
    let mut contacts: BTreeMap<String, usize> = BTreeMap::new();
    for contact in sandbox.contacts() {
        *contacts.entry(contact.phones[0].clone()).or_default() += 1;
    }
    let clients: BTreeSet<String> = (0..put).map(|at| number(at - u32::from(at % 3 == 2))).collect();
    assert_eq!(contacts.keys().cloned().collect::<BTreeSet<_>>(), clients, "{told}");
    let doubled: Vec<_> = contacts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{told}: contacts {doubled:?}");
    let mut leads: BTreeMap<u64, usize> = BTreeMap::new();
    for lead in sandbox.leads() {
        *leads.entry(lead.contacts[0]).or_default() += 1;
    }
    assert_eq!(leads.len(), clients.len(), "{told}");
    assert!(leads.values().all(|count| *count == 1), "{told}: leads {leads:?}");
    let calls = sandbox.calls();
    let marks: BTreeSet<&str> = calls.iter().map(|call| call.uniq.as_str()).collect();
    assert_eq!((calls.len(), marks.len()), (put as usize, put as usize), "{told}");
    assert_eq!(sandbox.tasks().len(), missed as usize, "{told}: tasks");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_thirty_times_each_call_contact_lead_and_task_stands_once() {
    kill_at_random(harness::sqlite_store().await, 20_261_120).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_thirty_times_on_mariadb_each_stands_once() {
    for fresh in harness::stores().await.into_iter().filter(|fresh| fresh.engine == "mysql") {
        kill_at_random(fresh, 7).await;
    }
}
