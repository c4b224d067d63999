//! The include file, as a page shows it, a browser saves it, and a command prints it.

use chrono::TimeDelta;
use perezvon::{
    edge::clock,
    settings::{Language, Settings},
};

use crate::{commands::perezvon, desk::Desk, harness::sqlite_store, pages::site, poller::fixtures::fixture};

fn elsewhere(settings: &mut Settings) {
    settings.agi.listen = "10.0.0.5:4580".parse().unwrap();
    settings.http.listen = "10.0.0.5:8580".parse().unwrap();
    settings.agi.allow = vec!["10.0.0.9".parse().unwrap()];
}

/// What an HTML page says.
fn text_of(page: &str) -> String {
    let page = page.replace("&#x2f;", "/").replace("&quot;", "\"").replace("&#x27;", "'");
    page.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_file_with_our_address_and_says_why_of_each_line() {
    let site = site(sqlite_store().await, elsewhere).await;
    for (flavour, own) in [
        ("plain", "Dial(PJSIP/${CRM_EXTEN},15)"),
        ("freepbx", "fwconsole reload"),
        ("issabel", "PEER Details"),
    ] {
        let page = text_of(&site.page(&format!("/dialplan?for={flavour}")).await);
        assert!(page.contains("AGI(agi://10.0.0.5:4580/${CRM_QUESTION})"), "{page}");
        assert!(page.contains("CURL(http://10.0.0.5:8580/route?${CRM_QUERY})"), "{page}");
        assert!(page.contains(own) && page.contains(&format!("perezvon dialplan {flavour}")), "{page}");
        assert!(page.contains("AGI has no time limit of its own") && !page.contains("dialplan."), "{page}");
        assert!(!page.contains("agi://127.0.0.1") && !page.contains("http://127.0.0.1"), "{page}");
    }
    // An unknown one is the plain one.
    assert!(site.page("/dialplan?for=elastix").await.contains("perezvon dialplan plain"));
    let russian = site.client.get(format!("{}/dialplan", site.base)).header("cookie", "language=ru");
    let russian = russian.send().await.unwrap().text().await.unwrap();
    assert!(russian.contains("У AGI нет предела ожидания") && !russian.contains("dialplan."), "{russian}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_would_keep_the_file_from_working() {
    let site = site(sqlite_store().await, |settings| {
        settings.agi.enabled = false;
        settings.http.listen = "10.0.0.5:8580".parse().unwrap();
    })
    .await;
    let page = text_of(&site.page("/dialplan?for=freepbx").await);
    let of_the_port = "port 4573 belongs to FreePBX's own AGI server";
    for told in ["enabled = false", of_the_port, "only hosts of <code>[agi] allow"] {
        assert!(page.contains(told), "{told} is not in {page}");
    }
    assert!(!text_of(&site.page("/dialplan?for=issabel").await).contains(of_the_port));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_saves_what_the_command_prints() {
    let site = site(sqlite_store().await, |settings| {
        elsewhere(settings);
        settings.ui.language = Some(Language::En);
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "[agi]\nlisten = \"10.0.0.5:4580\"\nallow = [\"10.0.0.9\"]\n[http]\nlisten = \"10.0.0.5:8580\"\n";
    std::fs::write(folder.path().join("perezvon.toml"), settings).unwrap();
    for flavour in ["plain", "freepbx", "issabel"] {
        let path = format!("{}/dialplan/{flavour}/extensions_perezvon.conf", site.base);
        let answer = site.client.get(path).send().await.unwrap();
        let saved = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(saved.starts_with("attachment") && saved.contains("extensions_perezvon.conf"), "{saved}");
        let printed = perezvon(folder.path(), &["dialplan", flavour]);
        assert_eq!(String::from_utf8_lossy(&printed.stderr), "");
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), answer.text().await.unwrap(), "{flavour}");
    }
    assert_eq!(site.get("/dialplan/elastix/extensions_perezvon.conf").await.0, 404);
}

#[test]
fn the_command_warns_beside_the_file_and_takes_another_address() {
    let folder = tempfile::tempdir().unwrap();
    let printed = perezvon(folder.path(), &["dialplan", "freepbx"]);
    assert_eq!(printed.status.code(), Some(0));
    let warned = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(warned.contains("4574") && warned.lines().count() == 1, "{warned}");
    let printed = perezvon(folder.path(), &["dialplan", "--address", "pbx-crm.example.ru"]);
    let file = String::from_utf8(printed.stdout).unwrap();
    assert!(
        file.contains("agi://pbx-crm.example.ru/") && file.contains("http://pbx-crm.example.ru:8573/"),
        "{file}"
    );
    assert_eq!(perezvon(folder.path(), &["dialplan", "elastix"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_in_the_rows_whether_the_dialplan_asks() {
    let desk = Desk::set_up(&sqlite_store().await).await;
    let said = |output: std::process::Output| String::from_utf8(output.stdout).unwrap();
    assert!(said(desk.run(&["check"]).await).contains("no call was asked about"));
    let mut rows = fixture("freepbx-17/inbound_missed", clock::now() - TimeDelta::minutes(3));
    let mut watchdog = rows.cdr[0].clone();
    watchdog.dstchannel = "Local/crm@agi-guard-0000000a;1".to_owned();
    rows.cdr.insert(0, watchdog);
    desk.write(&rows).await;
    let told = said(desk.run(&["check"]).await);
    assert!(told.contains("the dialplan asked about 1 call\n"), "{told}");
}
