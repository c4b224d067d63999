//! `perezvon calls --capture` as an admin runs it.

use chrono::{TimeDelta, Utc};
use perezvon::{edge::clock, settings::StoreUrl};
use serde_json::Value;

use crate::{
    commands::{code, perezvon, said},
    poller::{fixtures::fixture, tables::Pbx},
};

/// Settings for these tables.
fn settings(pbx: &Pbx) {
    let url = match &pbx.url {
        StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreUrl::Mysql(url) => url.clone(),
    };
    let text =
        format!("[ui]\nlanguage = \"en\"\n[pbx]\ndatabase_url = {url:?}\n[employees]\n101 = 1\n102 = 2\n");
    std::fs::write(pbx.folder.path().join("perezvon.toml"), text).unwrap();
}

fn ago(minutes: i64) -> chrono::DateTime<Utc> {
    clock::now() - TimeDelta::minutes(minutes)
}

async fn old_and_new() -> Vec<Pbx> {
    let mut all = Pbx::all().await;
    all.extend(Pbx::all_with(|pbx| pbx.without = vec!["linkedid", "sequence", "peeraccount"]).await);
    all.extend(Pbx::all_with(|pbx| pbx.names = vec![("calldate", "start"), ("extra", "eventextra")]).await);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_captured_by_any_of_its_ids_from_new_tables_and_old() {
    for pbx in old_and_new().await {
        settings(&pbx);
        let rows = fixture("asterisk-22/attended_transfer_refer", ago(30));
        pbx.write(&fixture("freepbx-17/inbound_answered", ago(40))).await;
        pbx.write(&rows).await;
        pbx.write(&fixture("freepbx-17/queue_answered", ago(29))).await;
        let folder = pbx.folder.path();
        let mut ids: Vec<&str> = rows.cel.iter().map(|row| row.uniqueid.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert!(ids.len() > 3);
        let mut first = None;
        for id in ids {
            let output = perezvon(folder, &["calls", "--capture", id]);
            assert_eq!(code(&output), 0, "{}", said(&output));
            let text = String::from_utf8(output.stdout).unwrap();
            let captured: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(captured["cel"].as_array().unwrap().len(), rows.cel.len(), "{id} from {}", pbx.url);
            assert_eq!(captured["cdr"].as_array().unwrap().len(), rows.cdr.len(), "{id} from {}", pbx.url);
            assert_eq!(captured["told"]["outcome"], "talked");
            assert_eq!(captured["told"]["conversations"][0]["party"], "105");
            assert!(!text.contains("1234567") && !text.contains("Смирнова"), "{text}");
            assert_eq!(*first.get_or_insert_with(|| text.clone()), text, "{id} from {}", pbx.url);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_into_a_file_with_what_is_left_to_do() {
    let pbx = Pbx::all().await.remove(0);
    settings(&pbx);
    let rows = fixture("freepbx-17/ringgroup_answered_102", ago(30));
    pbx.write(&rows).await;
    let folder = pbx.folder.path();
    let id = rows.cel[0].linkedid.clone();
    let output = perezvon(folder, &["calls", "--capture", &id, "--out", "wrong_group.json"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(output.stdout.is_empty());
    assert!(
        said(&output).contains("wrong_group.json") && said(&output).contains("truth"),
        "{}",
        said(&output)
    );
    let captured: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("wrong_group.json")).unwrap()).unwrap();
    assert_eq!(captured["scenario"], "wrong_group");
    assert_eq!(captured["queue_log"], Value::Array(Vec::new()));
    let how = captured["truth"]["comment"].as_str().unwrap();
    assert!(how.contains("talk_seconds") && how.contains(r#"[{"who": "101""#), "{how}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said() {
    let pbx = Pbx::all().await.remove(0);
    settings(&pbx);
    let folder = pbx.folder.path();
    for id in ["1795173574.4", "nothing"] {
        let output = perezvon(folder, &["calls", "--capture", id]);
        assert_eq!(code(&output), 1, "{}", said(&output));
        assert!(said(&output).contains(&format!("no call {id}")), "{}", said(&output));
    }
    for arguments in
        [vec!["calls"], vec!["calls", "--out", "x"], vec!["calls", "--from", "1h", "--capture", "1.1"]]
    {
        assert_eq!(code(&perezvon(folder, &arguments)), 2, "{arguments:?}");
    }
}
