//! A played scenario as a fixture of the fast tests: `tests/calls/lab-LANE/NAME.json`.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use perezvon::logic::call::Call;
use serde_json::{Value, json};
use toml::Table;

use crate::{ami::Ami, crm, lab::Lane, play::Played, rows::Raw, rows::Rows, scenario::Scenario};

/// What a PBX calls its spool when it is alone on its machine.
const SPOOL: &str = "/var/spool/asterisk";
/// Options of cdr.conf that change the rows, with Asterisk's defaults.
const CDR_CONF: [(&str, &str); 4] =
    [("unanswered", "no"), ("congestion", "no"), ("endbeforehexten", "yes"), ("initiatedseconds", "no")];

/// Everything that is known of one play.
pub(crate) struct Capture<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) scenario: &'a Scenario,
    pub(crate) played: &'a Played,
    pub(crate) rows: &'a Rows,
    pub(crate) calls: &'a [Call],
    /// Lines of queue_log that it added.
    pub(crate) queue_log: Vec<String>,
    /// As the PBX calls itself.
    pub(crate) asterisk: String,
}

impl Capture<'_> {
    /// Writes the fixture; gives its path.
    pub(crate) fn write(&self) -> Result<PathBuf, String> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/calls/lab-{}", self.lane.name));
        let name = self.scenario.name.replace("::", "_").replace('-', "_");
        self.write_to(&folder.join(format!("{name}.json")))
    }

    /// Writes it there.
    pub(crate) fn write_to(&self, path: &Path) -> Result<PathBuf, String> {
        let fault = |error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(path)).map_err(fault)?;
        fs::write(path, self.text()).map_err(fault)?;
        Ok(path.to_path_buf())
    }

    /// The fixture: one row a line.
    fn text(&self) -> String {
        let scenario = self.scenario;
        let truths: Vec<Value> =
            scenario.truth.iter().enumerate().map(|(at, truth)| self.truth(at, truth)).collect();
        let truth = match truths.as_slice() {
            [one] => one.clone(),
            _ => Value::Array(truths),
        };
        let mut text = String::from("{\n");
        let mut put = |key: &str, value: &Value| {
            let _ = writeln!(text, " {}: {value},", json!(key));
        };
        put("scenario", &json!(scenario.name.rsplit("::").next()));
        put("asterisk", &json!(self.asterisk));
        put("flavour", &json!(self.lane.flavour));
        put("intent", &json!(scenario.intent));
        put("tz", &json!(self.lane.timezone));
        put("cdr_conf", &self.cdr_conf());
        if let Some(options) = &scenario.record_options {
            put("record_options", &json!(options));
        }
        if let Some(alone) = scenario.cdr_alone {
            put("cdr_alone", &alone.slack().map_or(json!(false), |slack| json!(slack)));
        }
        if scenario.slack != 2 {
            put("slack", &json!(scenario.slack));
        }
        put("truth", &truth);
        let of = |rows: &[Raw]| rows.iter().map(written).collect::<Vec<_>>();
        let timeline = self.played.timeline.iter().map(|moment| json!(moment).to_string()).collect();
        list(&mut text, "timeline", timeline, ",");
        list(&mut text, "cdr", of(&self.rows.cdr), ",");
        list(&mut text, "cel", of(&self.rows.cel), ",");
        list(&mut text, "queue_log", self.queue_log.iter().map(|line| json!(line).to_string()).collect(), "");
        text.push_str("}\n");
        self.as_elsewhere(&text)
    }

    fn truth(&self, at: usize, truth: &Table) -> Value {
        let mut value = serde_json::to_value(truth).unwrap_or_default();
        let files = self.calls.get(at).map(|call| crm::files(call, self.lane)).unwrap_or_default();
        let told = |(path, bytes): &(PathBuf, u64)| {
            let seconds = (crm::seconds(*bytes) * 100.0).round() / 100.0;
            let path = path.to_string_lossy().replace(&*self.lane.spool.to_string_lossy(), SPOOL);
            json!({"path": path, "bytes": bytes, "seconds": seconds})
        };
        value["recordings"] = files.iter().map(told).collect();
        value
    }

    fn cdr_conf(&self) -> Value {
        let text = fs::read_to_string(self.lane.etc.join("cdr.conf")).unwrap_or_default();
        let written = |key: &str| {
            text.lines().rev().find_map(|line| {
                let (name, value) = line.split(';').next()?.split_once('=')?;
                (name.trim() == key).then(|| value.trim_start_matches('>').trim().to_owned())
            })
        };
        let own = |key: &str| self.scenario.cdr_conf.get(key).cloned();
        let mut all: serde_json::Map<String, Value> = CDR_CONF
            .iter()
            .map(|(key, default)| {
                let value = own(key).or_else(|| written(key)).unwrap_or_else(|| (*default).to_owned());
                ((*key).to_owned(), json!(value))
            })
            .collect();
        all.extend(self.scenario.cdr_conf.iter().map(|(key, value)| (key.clone(), json!(value))));
        Value::Object(all)
    }

    /// The lab's own folders and addresses mean nothing to anybody else.
    fn as_elsewhere(&self, text: &str) -> String {
        let net = self.lane.pbx.rsplit_once('.').map_or("", |(net, _)| net);
        text.replace(&self.lane.spool_inside, SPOOL).replace(&format!("{net}."), "127.0.0.")
    }
}

/// A row in the table's order of columns.
fn written(row: &Raw) -> String {
    let columns: Vec<String> = row.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", columns.join(", "))
}

fn list(text: &mut String, key: &str, items: Vec<String>, after: &str) {
    let _ = match items.is_empty() {
        true => writeln!(text, " {}: []{after}", json!(key)),
        false => writeln!(text, " {}: [\n  {}\n ]{after}", json!(key), items.join(",\n  ")),
    };
}

/// How long queue_log is.
pub(crate) fn queue_log_end(lane: &Lane) -> u64 {
    fs::metadata(&lane.queue_log).map_or(0, |metadata| metadata.len())
}

/// Lines that queue_log got since.
pub(crate) fn queue_log_since(lane: &Lane, end: u64) -> Vec<String> {
    let mut text = Vec::new();
    let read = fs::File::open(&lane.queue_log).and_then(|mut file| {
        file.seek(SeekFrom::Start(end))?;
        file.read_to_end(&mut text)
    });
    match read {
        Ok(_) => String::from_utf8_lossy(&text).lines().map(str::to_owned).collect(),
        // No queue has been asked yet.
        Err(_) => Vec::new(),
    }
}

/// Version as the PBX tells it: `22.10.1…`.
pub(crate) async fn version(pbx: &Ami) -> String {
    let said = pbx.command("core show version").await.unwrap_or_default();
    said.split_whitespace().nth(1).unwrap_or_default().to_owned()
}
