//! Calls made fit to be shown to strangers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use perezvon::{
    logic::call::{
        Call, CallRows, Context,
        capture::{Capture, capture},
    },
    settings::Settings,
};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{
    calls::{Fixture, calls_in, fixtures, report},
    truth::{Truth, faults},
};

/// What may look like a number in a captured row and is none: ids of channels, dates and times, counters of names.
fn without_ids(text: &str) -> String {
    static IDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b1[0-9]{9}\.[0-9]+\b|-?\b20[0-9]{6}(-[0-9]{6})?\b|-[0-9a-f]{8}\b").unwrap()
    });
    IDS.replace_all(text, " ").into_owned()
}

/// Numbers of the fixtures, in every spelling.
fn outside(rows: &CallRows) -> BTreeSet<String> {
    static UUIDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap());
    static PORTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r":[0-9]{4,5}\b").unwrap());
    static RUNS: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9]{6,}").unwrap());
    let text = without_ids(&serde_json::to_string(rows).unwrap());
    let text = UUIDS.replace_all(&text, " ");
    RUNS.find_iter(&PORTS.replace_all(&text, " ")).map(|run| run.as_str().to_owned()).collect()
}

/// Every name of a person that stands in the rows.
fn names(rows: &CallRows) -> BTreeSet<String> {
    let of_cel = rows.cel.iter().map(|row| row.cid_name.clone());
    let of_cdr = rows.cdr.iter().flat_map(|row| [row.cnam.clone(), row.clid.clone()]);
    let words = of_cel.chain(of_cdr).flat_map(|name| {
        name.split(|sign: char| !sign.is_alphabetic()).map(str::to_owned).collect::<Vec<_>>()
    });
    words
        .filter(|word| word.chars().count() > 3 && !["Anonymous", "anonymous"].contains(&word.as_str()))
        .collect()
}

/// What of the original is left in the fixture's text.
fn leaks(rows: &CallRows, text: &str) -> Vec<String> {
    let shown = without_ids(text);
    let numbers = outside(rows);
    let fives = numbers.iter().flat_map(|run| (0..=run.len() - 5).map(|from| run[from..from + 5].to_owned()));
    fives.chain(names(rows)).filter(|piece| shown.contains(piece.as_str())).collect()
}

fn captured(rows: &CallRows) -> Capture {
    capture(rows, &Settings::default()).unwrap()
}

/// The person's truth in the words of the disguise.
fn disguised(truth: &Truth, original: &Call, told: &Call) -> Truth {
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    let mut pair = |original: Option<&str>, told: Option<&str>| {
        if let (Some(original), Some(told)) = (original, told) {
            made.insert(original.trim_start_matches('+').to_owned(), told.trim_start_matches('+').to_owned());
        }
    };
    pair(original.client.as_deref(), told.client.as_deref());
    pair(original.did.as_deref(), told.did.as_deref());
    for (original, told) in original.conversations.iter().zip(&told.conversations) {
        pair(Some(&original.party), Some(&told.party));
    }
    let of = |text: &String| made.get(text).unwrap_or(text).clone();
    let mut truth = truth.clone();
    truth.client = of(&truth.client);
    truth.did = truth.did.as_ref().map(of);
    truth.talked = truth.talked.iter().map(of).collect();
    truth.asked = truth.asked.iter().map(of).collect();
    truth.talk.iter_mut().for_each(|talk| talk.who = of(&talk.who));
    truth
}

#[test]
fn every_fixture_is_captured_without_its_numbers_and_names_and_told_the_same() {
    let mut all = Vec::new();
    for (path, fixture) in fixtures() {
        let context = fixture.context();
        let settings = fixture.settings.clone().unwrap_or_default();
        let captured = capture(&fixture.rows, &settings).unwrap();
        let mut say = |what: String| all.push(format!("{}: {what}", path.display()));
        if !captured.faithful {
            say("told otherwise".to_owned());
        }
        let text = captured.fixture("captured", "", "how");
        for leak in leaks(&fixture.rows, &text) {
            say(format!("{leak} is left"));
        }
        if captured.rows.cel.iter().any(|row| row.digit().is_some_and(|digit| digit != "•")) {
            say("a digit is left".to_owned());
        }
        let original = calls_in(fixture.rows.clone(), &context);
        let pairs = fixture.truth.iter().zip(original.iter().zip(&captured.told));
        let truths: Vec<Truth> =
            pairs.map(|(truth, (original, told))| disguised(truth, original, told)).collect();
        for fault in faults(&captured.told, &truths, fixture.slack) {
            say(fault);
        }
    }
    report(all);
}

#[test]
fn a_captured_call_is_a_fixture_once_its_truth_is_filled_in() {
    let name = "freepbx-17/followme_mobile_answered";
    let (_, fixture) =
        fixtures().into_iter().find(|(path, _)| path.to_string_lossy().contains(name)).unwrap();
    let captured = captured(&fixture.rows);
    let text = captured.fixture("captured", "22.10.1", "how it is filled in");
    assert!(serde_json::from_str::<Fixture>(&text).is_err(), "without the truth it is none");
    let mut filled: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(filled["truth"]["comment"], "how it is filled in");
    assert_eq!((&filled["scenario"], &filled["asterisk"]), (&"captured".into(), &"22.10.1".into()));
    assert_eq!(filled["told"]["client"], *captured.told[0].client.as_ref().unwrap());
    let mobile = captured.told[0].conversations.iter().find(|talk| talk.accepted_at.is_some()).unwrap();
    let truth = &mut filled["truth"];
    truth["direction"] = "inbound".into();
    truth["result"] = "answered".into();
    truth["talked"] = serde_json::json!([mobile.party.trim_start_matches('+')]);
    truth["via"] = "101".into();
    truth["talk"] =
        serde_json::json!([{ "who": mobile.party.trim_start_matches('+'), "seconds": mobile.talk_seconds }]);
    truth["talk_seconds"] = mobile.talk_seconds.into();
    let fixture: Fixture = serde_json::from_value(filled).unwrap();
    let told = calls_in(fixture.rows.clone(), &fixture.context());
    assert_eq!(told, captured.told);
    assert_eq!(faults(&told, &fixture.truth, 2), Vec::<String>::new());
}

#[test]
fn the_same_call_is_captured_the_same_however_its_rows_came() {
    for (path, fixture) in fixtures() {
        let first = captured(&fixture.rows);
        let mut rows = fixture.rows.clone();
        rows.cdr.reverse();
        rows.cel.reverse();
        rows.cel.extend(fixture.rows.cel.iter().take(5).cloned());
        let again = captured(&rows);
        assert_eq!(first.fixture("a", "", "b"), again.fixture("a", "", "b"), "{}", path.display());
    }
}

/// A capture is what anybody may have, so capturing it once more must not be refused, nor change its story.
#[test]
fn a_capture_can_be_captured() {
    for (path, fixture) in fixtures() {
        let once = captured(&fixture.rows);
        let twice = capture(&once.rows, &once.settings).unwrap();
        assert!(twice.faithful, "{}", path.display());
        let story = |call: &Call| {
            let talks = call
                .conversations
                .iter()
                .map(|talk| (talk.accepted_at, talk.talk_seconds))
                .collect::<Vec<_>>();
            (call.outcome, call.missed_at, call.lost_after, call.started_at, call.ended_at, talks)
        };
        let stories = |captured: &Capture| captured.told.iter().map(story).collect::<Vec<_>>();
        assert_eq!(stories(&once), stories(&twice), "{}", path.display());
    }
}
/// A call of a company that gives names to everything, with whatever else stands in such tables.
fn talkative() -> (CallRows, Settings) {
    #[derive(Deserialize)]
    struct Talkative {
        settings: Settings,
        #[serde(flatten)]
        rows: CallRows,
    }
    let talkative: Talkative = serde_json::from_str(include_str!("captures/talkative.json")).unwrap();
    (talkative.rows, talkative.settings)
}

#[test]
fn a_talkative_dialplan_gives_nothing_away() {
    let (rows, settings) = talkative();
    let original = calls_in(rows.clone(), &Context::from_settings(&settings).unwrap());
    assert_eq!((original.len(), original[0].talk_seconds), (1, 10));
    let captured = capture(&rows, &settings).unwrap();
    assert!(captured.faithful, "{:#?} is not {original:#?}", captured.told);
    let text = captured.fixture("captured", "", "how");
    let private = [
        "Ян",
        "Ли",
        "Иван",
        "Петр",
        "petrov",
        "Анна",
        "Смирнов",
        "smirnova",
        "Глеб",
        "Орлов",
        "romashka",
        "Ромашка",
        "msk",
        "gorod",
        "otdel",
        "prodazh",
        "Записи",
        "home",
        "договор",
        "Klient",
        "48151623",
        "SeKreT",
        "Parol",
        "token",
        "10.20.30",
        "2001:db9",
        "30000",
        "1234567",
        "79161",
        "91612",
        "16123",
        "61234",
        "74951",
        "49512",
        "95123",
        "9161",
        "7903",
        "7812",
        "\"202\"",
    ];
    let shown = without_ids(&text);
    for piece in private {
        assert!(!shown.contains(piece), "{piece} is left");
    }
    assert_eq!(
        captured.told[0].trunk.as_deref(),
        captured.settings.trunks.keys().find(|key| key.starts_with("trunk")).map(String::as_str)
    );
    let fixture: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(fixture["tz"], "Europe/Moscow");
    let settings: Settings = serde_json::from_value(fixture["settings"].clone()).unwrap();
    assert_eq!(calls_in(captured.rows.clone(), &Context::from_settings(&settings).unwrap()), captured.told);
}

/// Numbers of other countries keep their length and stay numbers of that country.
#[test]
fn made_up_numbers_are_of_the_same_country() {
    let numbers = [
        ("RU", "79161234567", "+7916"),
        ("RU", "380441234567", "+3804"),
        ("RU", "88001234567", "+7800"),
        ("KZ", "77011234567", "+7701"),
        ("US", "12125551234", "+1212"),
        ("DE", "4930123456", "+4930"),
        ("GB", "442079460958", "+4420"),
        ("RU", "998901234567", "+9989"),
    ];
    for (country, number, head) in numbers {
        let mut settings = Settings::default();
        settings.numbers.country = country.to_owned();
        let text = serde_json::to_string(&fixtures()[0].1.rows).unwrap();
        let rows: CallRows = serde_json::from_str(&text.replace("79161234567", number)).unwrap();
        let captured = capture(&rows, &settings).unwrap();
        let client = captured.told[0].client.clone().unwrap();
        let context = Context::from_settings(&settings).unwrap();
        let original = context.phones.canonical(number).unwrap();
        assert!(client.starts_with(head), "{number} became {client}");
        assert_eq!(client.len(), original.as_str().len(), "{number} became {client}");
        assert_eq!(context.phones.canonical(&client).unwrap().as_str(), client);
        assert!(captured.faithful, "{number}: {:#?}", captured.told);
    }
}
