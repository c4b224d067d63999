//! A scenario's file: what a person sees, the script, and the truth, maybe another one on some lanes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use crate::{
    crm,
    dialplan::Form,
    lab::Lane,
    script::{self, Line, Step},
    truth::{CdrAlone, Truth},
};

/// Words of the truth that its comparison knows, and those of the CRM (`crm::Note`).
const TRUTH: [&str; 18] = [
    "direction",
    "client",
    "did",
    "result",
    "talked",
    "talk",
    "talk_seconds",
    "via",
    "voicemail",
    "asked",
    "missed_at",
    "lost_after",
    "recording",
    "heard",
    "responsible",
    "registered",
    "after_hours",
    "dnd",
];

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A scenario as it is played on one lane.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// `group::name`.
    pub(crate) name: String,
    /// What a person beside the phones sees, one Russian sentence.
    pub(crate) intent: String,
    /// The script.
    pub(crate) lines: Vec<Line>,
    /// In the subset that always runs.
    pub(crate) quick: bool,
    /// Lines of cdr.conf that differ while it plays.
    pub(crate) cdr_conf: BTreeMap<String, String>,
    /// Global RECORD_OPTIONS while it plays; none means the lane's own.
    pub(crate) record_options: Option<String>,
    /// Seconds that a talk may be told longer or shorter.
    pub(crate) slack: u32,
    /// Its calls come in through the shipped dialplan, which asks so; none means the lane's own way.
    pub(crate) asks: Option<Form>,
    /// When phones begin to ring, in seconds after the client's call; none means nobody looks.
    pub(crate) rings: Option<Vec<f64>>,
    /// How well CDR alone tells it.
    pub(crate) cdr_alone: Option<CdrAlone>,
    /// One for each call, as the lane's table says; the JSON form is the fixture's.
    pub(crate) truth: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    intent: String,
    steps: Spanned<String>,
    truth: Spanned<Tables>,
    #[serde(default)]
    quick: bool,
    only: Option<BTreeSet<String>>,
    #[serde(default)]
    cdr_conf: BTreeMap<String, String>,
    record_options: Option<String>,
    /// Played once for each.
    #[serde(default)]
    asks: Vec<Form>,
    rings: Option<Rings>,
    cdr_alone: Option<CdrAlone>,
    slack: Option<u32>,
    /// By flavour, version or lane.
    plain: Option<Tables>,
    freepbx: Option<Tables>,
    #[serde(rename = "asterisk-16")]
    asterisk_16: Option<Tables>,
    #[serde(rename = "asterisk-22")]
    asterisk_22: Option<Tables>,
    #[serde(rename = "22-plain")]
    plain_22: Option<Tables>,
    #[serde(rename = "22-freepbx")]
    freepbx_22: Option<Tables>,
    #[serde(rename = "16-plain")]
    plain_16: Option<Tables>,
    #[serde(rename = "16-freepbx")]
    freepbx_16: Option<Tables>,
}

/// For all ways to ask, or for each its own.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rings {
    All(Vec<f64>),
    Each(BTreeMap<Form, Vec<f64>>),
}

impl Rings {
    fn of(&self, form: Option<Form>) -> Option<Vec<f64>> {
        match self {
            Self::All(rings) => Some(rings.clone()),
            Self::Each(rings) => rings.get(&form?).cloned(),
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Tables {
    One(Table),
    Many(Vec<Table>),
}

impl Tables {
    fn list(&self) -> Vec<Table> {
        match self {
            Self::One(table) => vec![table.clone()],
            Self::Many(tables) => tables.clone(),
        }
    }
}

impl File {
    /// What differs on a lane, the most particular last.
    fn differing(&self, version: u32, flavour: &str) -> Vec<Vec<Table>> {
        let flavoured = match flavour {
            "plain" => (&self.plain, [(16, &self.plain_16), (22, &self.plain_22)]),
            _ => (&self.freepbx, [(16, &self.freepbx_16), (22, &self.freepbx_22)]),
        };
        let versioned = [(16, &self.asterisk_16), (22, &self.asterisk_22)];
        let of = |pairs: [(u32, &Option<Tables>); 2]| {
            pairs.into_iter().find(|(own, _)| *own == version).and_then(|(_, tables)| tables.clone())
        };
        let all = [flavoured.0.clone(), of(versioned), of(flavoured.1)];
        all.into_iter().flatten().map(|tables| tables.list()).collect()
    }

    /// Whether it is played there.
    fn plays_on(&self, version: u32, flavour: &str) -> bool {
        let names = [format!("{version}-{flavour}"), flavour.to_owned(), format!("asterisk-{version}")];
        self.only.as_ref().is_none_or(|only| names.iter().any(|name| only.contains(name)))
    }
}

/// All scenarios, by name.
pub(crate) fn all() -> Result<Vec<Source>, Fault> {
    let folder = folder();
    let mut found = Vec::new();
    let list = |path: &Path| -> Result<Vec<PathBuf>, Fault> {
        let entries = fs::read_dir(path).map_err(|error| Fault(format!("{}: {error}", path.display())))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    };
    for group in list(&folder)?.into_iter().filter(|path| path.is_dir()) {
        for path in list(&group)?.into_iter().filter(|path| path.extension().is_some_and(|is| is == "toml")) {
            let source = Source::read(&path)?;
            for form in source.file.asks.clone() {
                found.push(Source::read(&path)?.asking(form));
            }
            if source.file.asks.is_empty() {
                found.push(source);
            }
        }
    }
    Ok(found)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/scenarios")
}

/// A file that was read.
pub(crate) struct Source {
    /// `group::name`.
    pub(crate) name: String,
    path: PathBuf,
    file: File,
    lines: Vec<Line>,
    truth_line: usize,
    form: Option<Form>,
}

impl Source {
    /// The same, asking so: a scenario of its own.
    fn asking(mut self, form: Form) -> Self {
        self.name = format!("{}::{}", self.name, form.as_str());
        self.form = Some(form);
        self
    }

    fn read(path: &Path) -> Result<Self, Fault> {
        let text = fs::read_to_string(path).map_err(|error| Fault(format!("{}: {error}", path.display())))?;
        Self::parse(path, &text)
    }

    /// Reads a file's text.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display().to_string();
        let at = |line: usize, why: &str| Fault(format!("{shown}:{line}: {why}"));
        let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
        let file: File = toml::from_str(text)
            .map_err(|error| at(error.span().map_or(1, |span| line_of(span.start)), error.message()))?;
        let span = file.steps.span();
        // A newline right after the quotes does not belong to the text.
        let begins_below = text[span.start..].trim_start_matches(['"', '\'']).starts_with(['\n', '\r']);
        let first = line_of(span.start) + usize::from(begins_below);
        let lines = script::read(file.steps.get_ref(), first).map_err(|(line, why)| at(line, &why))?;
        let part = |path: Option<&Path>| {
            path.and_then(Path::file_stem)
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        };
        let name = format!("{}::{}", part(path.parent()), part(Some(path)));
        let truth_line = line_of(file.truth.span().start);
        let source = Self { name, path: path.to_owned(), file, lines, truth_line, form: None };
        for (version, flavour) in [(22, "plain"), (22, "freepbx"), (16, "plain"), (16, "freepbx")] {
            source.on(version, flavour)?;
        }
        Ok(source)
    }

    /// As it is played on that lane; none where it is not.
    pub(crate) fn on_lane(&self, lane: &Lane) -> Result<Option<Scenario>, Fault> {
        self.on(lane.version, &lane.flavour)
    }

    fn on(&self, version: u32, flavour: &str) -> Result<Option<Scenario>, Fault> {
        let file = &self.file;
        if !file.plays_on(version, flavour) {
            return Ok(None);
        }
        let fault = |why: String| Fault(format!("{}:{}: {why}", self.path.display(), self.truth_line));
        let mut truth = file.truth.get_ref().list();
        let (mut cdr_alone, mut slack) = (file.cdr_alone, file.slack);
        for mut others in file.differing(version, flavour) {
            if let Some(said) = others.first_mut().and_then(|other| other.remove("cdr_alone")) {
                cdr_alone = Some(said.try_into().map_err(|error| fault(format!("cdr_alone: {error}")))?);
            }
            if let Some(said) = others.first_mut().and_then(|other| other.remove("slack")) {
                slack = Some(said.try_into().map_err(|error| fault(format!("slack: {error}")))?);
            }
            if others.len() > truth.len() {
                return Err(fault("more calls differ than the truth has".to_owned()));
            }
            for (table, other) in truth.iter_mut().zip(others) {
                table.extend(other);
            }
        }
        truth.iter_mut().try_for_each(complete).map_err(fault)?;
        Ok(Some(Scenario {
            name: self.name.clone(),
            intent: file.intent.clone(),
            lines: self.lines.clone(),
            quick: file.quick,
            cdr_conf: file.cdr_conf.clone(),
            record_options: file.record_options.clone(),
            slack: slack.unwrap_or(2),
            asks: self.form,
            rings: file.rings.as_ref().and_then(|rings| rings.of(self.form)),
            cdr_alone,
            truth,
        }))
    }
}

/// Fills in what follows from the rest, refuses words that nobody compares.
fn complete(truth: &mut Table) -> Result<(), String> {
    if let Some(word) = truth.keys().find(|word| !TRUTH.contains(&word.as_str())) {
        return Err(format!("nobody compares “{word}” of the truth; it knows {}", TRUTH.join(", ")));
    }
    let talk =
        truth.entry("talk").or_insert(Value::Array(Vec::new())).as_array().cloned().unwrap_or_default();
    let mut who: Vec<Value> = Vec::new();
    for one in talk.iter().filter_map(|one| one.get("who")) {
        if !who.contains(one) {
            who.push(one.clone());
        }
    }
    let sum = talk.iter().filter_map(|one| one.get("seconds")?.as_integer()).sum::<i64>();
    let talked = !talk.is_empty();
    truth.entry("talked").or_insert(Value::Array(who));
    truth.entry("talk_seconds").or_insert(Value::Integer(sum));
    truth.entry("recording").or_insert(Value::Boolean(talked));
    crm::fate(&judged(truth)?, truth).map(|_| ())
}

/// The part that the comparison of stories knows.
fn judged(truth: &Table) -> Result<Truth, String> {
    let truth: Truth =
        truth.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    match ["answered", "missed", "noanswer", "busy", "failed", "not_dialed"].contains(&truth.result.as_str())
    {
        true => Ok(truth),
        false => Err(format!("no result is called “{}”", truth.result)),
    }
}

impl Scenario {
    /// What the stories are compared with.
    pub(crate) fn truths(&self) -> Vec<Truth> {
        self.truth.iter().filter_map(|table| judged(table).ok()).collect()
    }

    /// Seconds that CDR alone may be off; none where it can't tell the call.
    pub(crate) fn by_cdr_alone(&self) -> Option<u32> {
        self.cdr_alone.map_or(Some(2), CdrAlone::slack)
    }

    /// Whether the PBX dies in it: rows are missing, and nobody can say when the call ended.
    pub(crate) fn kills_the_pbx(&self) -> bool {
        self.lines.iter().any(|line| line.step == Step::KillsThePbx)
    }
}
