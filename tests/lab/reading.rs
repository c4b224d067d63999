//! Trials that need no lab: the scenarios' files, and the words of the scripts.

use std::{collections::BTreeSet, path::Path, time::Duration};

use libtest_mimic::{Failed, Trial};

use crate::{
    scenario::Source,
    script::{self, Step},
};

/// A scenario that misses nothing.
const WHOLE: &str = r#"intent = "Клиент поговорил с 101."
steps = """
101 answers after 2
client 79161234567 calls 74951234567
101 talks 5    ; as long as that
client hangs up
"""
[truth]
direction = "inbound"
client = "79161234567"
did = "74951234567"
result = "answered"
talk = [{ who = "101", seconds = 5 }]
"#;

/// All of them.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("reading::a_misspelt_step_names_file_and_line", misspelt),
        Trial::test("reading::a_word_of_the_truth_that_nobody_compares_is_refused", unknown_truth),
        Trial::test("reading::client_alone_is_the_only_client", only_client),
        Trial::test("reading::a_table_of_the_flavour_changes_the_truth_there_only", flavours),
        Trial::test("reading::every_word_is_in_the_readme", documented),
    ]
}

fn parse(text: &str) -> Result<Source, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/scenarios/group/name.toml");
    Source::parse(&path, text).map_err(|fault| fault.to_string())
}

fn expect(holds: bool, what: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn misspelt() -> Result<(), Failed> {
    expect(parse(WHOLE).is_ok(), "the whole scenario is read")?;
    for (right, wrong, line) in [
        ("101 talks 5", "101 tals 5", 5),
        ("101 talks 5", "109 talks five", 5),
        ("client hangs up", "client 79160000000 hangs up", 6),
        ("101 answers after 2", "102 answers soon", 3),
        ("intent", "intention", 1),
        ("result = \"answered\"", "result = \"spoken\"", 8),
    ] {
        let fault = parse(&WHOLE.replace(right, wrong)).err().unwrap_or_default();
        let place = format!("tests/lab/scenarios/group/name.toml:{line}: ");
        expect(fault.contains(&place), &format!("{wrong} gives “{fault}”, not {place}"))?;
    }
    Ok(())
}

fn unknown_truth() -> Result<(), Failed> {
    let fault = parse(&format!("{WHOLE}talk_secs = 5\n")).err().unwrap_or_default();
    expect(fault.contains("talk_secs"), &fault)
}

fn only_client() -> Result<(), Failed> {
    let calls = "client 79161234567 calls 74951234567\nclient 79031112233 calls 74951234102\n";
    let fault = script::read(&format!("{calls}client hangs up"), 1).err();
    expect(fault.is_some_and(|(line, _)| line == 3), "two clients, and `client` alone is a fault of line 3")?;
    let lines = script::read(&format!("{calls}client 79031112233 talks 1.5"), 1).map_err(|(_, why)| why)?;
    let talks = matches!(&lines[2].step, Step::Talks { party, seconds }
        if party.number == "79031112233" && *seconds == Duration::from_millis(1_500));
    expect(talks, "a client is named by the number")
}

fn flavours() -> Result<(), Failed> {
    let source = parse(&format!("{WHOLE}[freepbx]\ntalk_seconds = 6\ncdr_alone = false\n"))?;
    let lanes = crate::lab::imagined();
    for lane in &lanes {
        let scenario =
            source.on_lane(lane).map_err(|fault| fault.to_string())?.ok_or("is played everywhere")?;
        let seconds = scenario.truths()[0].talk_seconds;
        let (wanted, alone) = if lane.flavour == "freepbx" { (6, None) } else { (5, Some(2)) };
        expect((seconds, scenario.by_cdr_alone()) == (wanted, alone), &lane.name)?;
    }
    let source = parse(&format!("only = [\"22-plain\"]\n{WHOLE}"))?;
    let played: Vec<bool> = lanes.iter().map(|lane| matches!(source.on_lane(lane), Ok(Some(_)))).collect();
    expect(played == [true, false, false, false], "`only` leaves the other lanes out")
}

/// The README's table of words holds an example of each variant, and each example can be read.
fn documented() -> Result<(), Failed> {
    let readme = include_str!("README.md");
    let words = readme.split_once("### Words of the scripts").map_or(readme, |(_, words)| words);
    // The next section has tables of its own.
    let words = words.split_once("\n## ").map_or(words, |(words, _)| words);
    let rows = words.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let examples = rows.flat_map(|(words, _)| words.split("`, `"));
    let text = examples.fold("client 79161234567 calls 74951234567\n".to_owned(), |text, example| {
        format!("{text}{example}\n")
    });
    let lines = script::read(&text, 0).map_err(|(line, why)| format!("example {line}: {why}"))?;
    let kinds: BTreeSet<String> = lines.iter().map(|line| kind(&format!("{:?}", line.step))).collect();
    let source = include_str!("script.rs");
    let variants = source.split_once("pub(crate) enum Step {").and_then(|(_, rest)| rest.split_once("\n}"));
    let variants = variants.map_or("", |(variants, _)| variants).lines().map(str::trim);
    for variant in variants.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase())) {
        let variant = kind(variant);
        expect(kinds.contains(&variant), &format!("README.md shows no line that is a {variant}"))?;
    }
    Ok(())
}

/// The first word of a variant, in code or in `Debug`.
fn kind(text: &str) -> String {
    text.chars().take_while(char::is_ascii_alphabetic).collect()
}
