//! The subcommands as a person runs them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use perezvon::sandbox::amocrm::{Options, Sandbox};
use serde_json::Value;

/// Runs the program in a folder, with no settings but what the test gives.
pub(crate) fn perezvon(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perezvon"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PEREZVON_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).env("LC_ALL", "C.UTF-8").output().expect("runs")
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn settings(folder: &Path, text: &str) {
    fs::write(folder.join("perezvon.toml"), text).unwrap();
}

#[test]
fn the_first_screen_says_what_it_is_and_shows_examples() {
    let folder = tempfile::tempdir().unwrap();
    let screen = perezvon(folder.path(), &["--help"]);
    assert_eq!(code(&screen), 0);
    let screen = said(&screen);
    for word in ["Asterisk", "demo ", "serve ", "Examples:", "Exit codes", "--config"] {
        assert!(screen.contains(word), "{word} is not in\n{screen}");
    }
    assert!(screen.lines().count() <= 60, "more than a screen: {} lines", screen.lines().count());
    assert!(screen.lines().all(|line| line.chars().count() <= 120));
    // Without a subcommand the same screen, but as a bad usage.
    assert_eq!(code(&perezvon(folder.path(), &[])), 2);
    assert_eq!(code(&perezvon(folder.path(), &["srve"])), 2);
    assert_eq!(code(&perezvon(folder.path(), &["serve", "--nonsense"])), 2);
}

#[test]
fn bad_settings_end_every_command_with_2_and_all_faults() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), "[agi]\ndeadlin = \"1s\"\n[numbers]\ncountry = \"ZZ\"\n");
    for arguments in [vec!["settings", "check"], vec!["migrate"], vec!["serve"], vec!["check"]] {
        let output = perezvon(folder.path(), &arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("agi.deadlin") && said(&output).contains("numbers.country"));
    }
    let missing = perezvon(folder.path(), &["settings", "check", "--config", "nowhere.toml"]);
    assert_eq!(code(&missing), 2);
    assert!(said(&missing).contains("nowhere.toml"));
}

#[test]
fn the_example_is_good_settings() {
    let folder = tempfile::tempdir().unwrap();
    let example = perezvon(folder.path(), &["settings", "example", "--language", "ru"]);
    assert!(said(&example).contains("PEREZVON__AGI__DEADLINE") && said(&example).contains("Настройки"));
    settings(folder.path(), &said(&example));
    let check = perezvon(folder.path(), &["settings", "check"]);
    assert_eq!(code(&check), 0, "{}", said(&check));
}

#[test]
fn show_tells_where_each_value_came_from_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), "[admin]\npassword = \"hidden-word\"\n");
    let shown = said(&perezvon(folder.path(), &["settings", "show"]));
    let line = shown.lines().find(|line| line.starts_with("password")).expect("shown");
    assert!(line.contains("***") && line.contains("perezvon.toml:2"), "{line}");
    assert!(!shown.contains("hidden-word"));
    let lines: Value =
        serde_json::from_slice(&perezvon(folder.path(), &["settings", "show", "--json"]).stdout).unwrap();
    assert!(lines.as_array().unwrap().iter().any(|line| line["key"] == "agi.deadline"));
}

#[test]
fn migrate_makes_the_tables_and_may_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), "[store]\nurl = \"sqlite:state.db\"\n");
    for _ in 0..2 {
        let output = perezvon(folder.path(), &["migrate"]);
        assert_eq!(code(&output), 0, "{}", said(&output));
    }
    assert!(folder.path().join("state.db").exists());
}

#[test]
fn a_store_that_cannot_be_opened_ends_with_1_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), "[store]\nurl = \"sqlite:/proc/nowhere/state.db\"\n");
    let output = perezvon(folder.path(), &["migrate"]);
    assert_eq!(code(&output), 1);
    assert!(said(&output).contains("[store] url"), "{}", said(&output));
}

#[test]
fn completions_and_the_manual_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        assert!(said(&perezvon(folder.path(), &["completions", shell])).contains("backfill"), "{shell}");
    }
    assert!(said(&perezvon(folder.path(), &["man"])).contains(".TH"));
}

fn findings(output: &Output) -> Vec<(String, String, String)> {
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)));
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    facts["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            (word(finding, "part"), word(finding, "health"), word(finding, "text") + &word(finding, "advice"))
        })
        .collect()
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[store]\nurl = \"sqlite:state.db\"\n[pbx]\ndatabase_url = \"sqlite:/nowhere/master.db\"\n\
        [agi]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[recordings]\nsource = \"/nowhere\"\nmp3_folder = \"mp3\"\n";
    settings(folder.path(), text);
    let output = perezvon(folder.path(), &["check", "--json"]);
    assert_eq!(code(&output), 1);
    let found = findings(&output);
    let has = |part: &str, health: &str| found.iter().any(|(p, h, _)| p == part && h == health);
    assert!(has("pbx", "fault") && has("recordings", "fault") && has("store", "warning"), "{found:#?}");
    assert!(has("amocrm", "off"), "{found:#?}");
    assert!(!folder.path().join("state.db").exists(), "the doctor makes nothing");
    let plain = said(&perezvon(folder.path(), &["check"]));
    assert!(plain.contains("FAULT") && plain.contains("→"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_the_crm_and_finds_users_that_are_not_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, Options::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["wav", "mp3"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let text = format!(
        "[store]\nurl = \"sqlite:state.db\"\n[agi]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [recordings]\nsource = \"wav\"\nmp3_folder = \"mp3\"\n[amocrm]\nbase_url = \"{}\"\ntoken = \"{}\"\n",
        sandbox.base_url(),
        sandbox.token()
    );
    let run = |text: String| {
        let path = folder.path().to_owned();
        tokio::task::spawn_blocking(move || {
            settings(&path, &text);
            perezvon(&path, &["check", "--json"])
        })
    };
    let good = run(text.clone()).await.unwrap();
    assert_eq!(code(&good), 0, "{}", said(&good));
    assert!(findings(&good).iter().any(|(part, health, _)| part == "amocrm" && health == "ok"));
    assert!(findings(&good).iter().any(|(_, health, told)| health == "ok" && told.contains("mp3")));
    assert_eq!(fs::read_dir(folder.path().join("mp3")).unwrap().count(), 0, "nothing is left behind");
    let bad = run(text + "[employees]\n101 = 999999999\n[base]\npipeline = 888888888\n").await.unwrap();
    assert_eq!(code(&bad), 1);
    let told: String = findings(&bad).into_iter().map(|(_, _, told)| told).collect();
    assert!(told.contains("999999999") && told.contains("888888888"), "{told}");
}
