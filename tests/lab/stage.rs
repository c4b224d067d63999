//! A lane with everything that a scenario needs; plays one at a time and judges what came of it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use perezvon::{
    edge::clock,
    logic::call::{Call, CallRows, Context, fold, group},
    settings::Settings,
};

use crate::{
    ami::Ami,
    capture::{self, Capture},
    crm::{self, Before, Fate},
    dialplan::{Waits, ring_faults},
    lab::Lane,
    latency::{Latencies, Watch},
    play::{Play, Played, Unplayable},
    rows::{self, Rows},
    scenario::Scenario,
    service::Service,
    truth::{Truth, faults},
};

/// How long the service may take until a call is registered or left out; the goal is another matter.
const SERVICE: Duration = Duration::from_secs(30);
/// How long what must not come is waited for.
const NOTHING: Duration = Duration::from_secs(3);

/// Why a scenario failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The script could not be played: nothing is known about the product.
    Unplayable(String),
    /// The product told another story than the person saw.
    WrongStory { faults: Vec<String>, seen: String },
    /// The lab or the service broke.
    Broken(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplayable(why) => write!(f, "UNPLAYABLE, the story was not tested: {why}"),
            Self::WrongStory { faults, seen } => {
                write!(f, "WRONG STORY, {} faults:\n  {}\n{seen}", faults.len(), faults.join("\n  "))
            }
            Self::Broken(why) => write!(f, "THE LAB BROKE: {why}"),
        }
    }
}

/// A lane that is ready.
pub(crate) struct Stage {
    lane: Lane,
    outside: Ami,
    pbx: Ami,
    service: Arc<Service>,
    watch: Watch,
    context: Context,
    /// The last scenario, and what the CRM was after it.
    last: Option<(String, Before)>,
    /// Where failures leave what was captured.
    folder: PathBuf,
}

impl Stage {
    /// Connects to both Asterisks and starts the service; `folder` is the lab's.
    pub(crate) async fn open(lane: &Lane, folder: &Path) -> Result<Self, String> {
        let patience = Duration::from_secs(10);
        let address = |host: &str| format!("{host}:5038");
        let outside = Ami::connect_within("the outside world", &address(&lane.operator), patience).await?;
        let pbx = Ami::connect_within("the PBX", &address(&lane.pbx), patience).await?;
        let service = Arc::new(Service::start(lane, &folder.join("perezvon").join(&lane.name)).await?);
        let watch = Watch::start(&service);
        let context = Context::from_settings(&Settings::default())?;
        Ok(Self {
            lane: lane.clone(),
            outside,
            pbx,
            service,
            watch,
            context,
            last: None,
            folder: folder.join("failed").join(&lane.name),
        })
    }

    /// Ends the service.
    pub(crate) async fn close(&self) -> Result<(), String> {
        let late = self.late_faults().await;
        self.service.stop().await?;
        if late.is_empty() { Ok(()) } else { Err(late.join("; ")) }
    }

    /// Plays a scenario and judges it; `fixture` writes it as one, too.
    pub(crate) async fn run(
        &mut self,
        scenario: &Scenario,
        latencies: &Latencies,
        waits: &Waits,
        fixture: bool,
    ) -> Result<(), Failure> {
        let late = self.late_faults().await;
        self.last = None;
        self.service.forget_clients().await.map_err(Failure::Broken)?;
        let before = Before::of(&self.service).await.map_err(Failure::Broken)?;
        let (queue_log, began) = (capture::queue_log_end(&self.lane), clock::now());
        let play = Play::new(&self.lane, &self.outside, &mut self.pbx, &self.service);
        let (result, played) = play.play(scenario).await;
        let rows = rows::of_events(&self.lane, &played.events, scenario.kills_the_pbx()).await;
        let (rows, unwritten) = match rows {
            Ok(rows) => (rows, None),
            Err(why) => (Rows::default(), Some(why)),
        };
        let seen = rows.call_rows();
        let calls = self.calls_of(&seen);
        let capture = Capture {
            lane: &self.lane,
            scenario,
            played: &played,
            rows: &rows,
            calls: &calls,
            queue_log: capture::queue_log_since(&self.lane, queue_log),
            asterisk: capture::version(&self.pbx).await,
        };
        let left = self.folder.join(format!("{}.json", scenario.name.replace("::", "-")));
        if let Err(Unplayable(why)) = result {
            let _ = capture.write_to(&left);
            // What it did leave is to be told before the next one begins.
            tokio::time::sleep(NOTHING).await;
            return Err(Failure::Unplayable(format!("{why}\n{}", self.shown(&played, &left))));
        }
        if let Some(why) = unwritten {
            return Err(Failure::Unplayable(why));
        }
        if fixture {
            let path = capture.write().map_err(Failure::Broken)?;
            println!("written: {}", path.display());
        }
        let mut found = late;
        found.extend(self.story_faults(scenario, &seen, &calls, began - TimeDelta::seconds(5)).await);
        found.extend(played.leak.iter().chain(&played.shown).cloned());
        if let Some(wanted) = &scenario.rings {
            waits.add(&format!("{}::{}", self.lane.name, scenario.name), &played.rings);
            found.extend(ring_faults(wanted, &played.rings));
        }
        found.extend(self.service_faults(scenario, &before, &seen, &calls).await);
        self.service.check_alive().map_err(Failure::Broken)?;
        let after = Before::of(&self.service).await.map_err(Failure::Broken)?;
        self.measure(scenario, &calls, &played, latencies);
        let result = if found.is_empty() {
            Ok(())
        } else {
            let _ = capture.write_to(&left);
            Err(Failure::WrongStory { faults: found, seen: self.shown(&played, &left) })
        };
        self.last = Some((scenario.name.clone(), after));
        result
    }

    fn calls_of(&self, rows: &CallRows) -> Vec<Call> {
        group(rows.clone()).iter().filter_map(|rows| fold(rows, &self.context)).collect()
    }

    /// (a) the story of the rows, and of CDR alone; (b) the same from SQLite.
    async fn story_faults(
        &self,
        scenario: &Scenario,
        rows: &CallRows,
        calls: &[Call],
        began: DateTime<Utc>,
    ) -> Vec<String> {
        let truths = scenario.truths();
        let named = |name: &str, found: Vec<String>| -> Vec<String> {
            found.into_iter().map(|fault| format!("{name}: {fault}")).collect()
        };
        let without_cel = |rows: &CallRows| CallRows { cdr: rows.cdr.clone(), cel: Vec::new() };
        let mut all = named("the rows", faults(calls, &truths, scenario.slack));
        let by_cdr = scenario.by_cdr_alone();
        if let Some(slack) = by_cdr {
            all.extend(named("CDR alone", faults(&self.calls_of(&without_cel(rows)), &truths, slack)));
        }
        if rows.is_empty() {
            return all;
        }
        match rows::of_sqlite(&self.lane, rows, began).await {
            Err(why) => all.push(format!("SQLite: {why}")),
            Ok(rows) => {
                all.extend(named("SQLite", faults(&self.calls_of(&rows), &truths, scenario.slack)));
                if let Some(slack) = by_cdr {
                    let alone = self.calls_of(&without_cel(&rows));
                    all.extend(named("SQLite, CDR alone", faults(&alone, &truths, slack)));
                }
            }
        }
        all
    }

    /// (c) the service has exactly these calls, with all their rows, and the CRM what the truth says.
    async fn service_faults(
        &self,
        scenario: &Scenario,
        before: &Before,
        rows: &CallRows,
        calls: &[Call],
    ) -> Vec<String> {
        let truths = scenario.truths();
        let (mut all, mut told, mut awaited) = (Vec::new(), Vec::new(), 0_u64);
        let groups = group(rows.clone());
        let folded = groups.iter().filter_map(|rows| Some((fold(rows, &self.context)?, rows)));
        for (at, (call, rows)) in folded.enumerate() {
            let fate =
                truths.get(at).zip(scenario.truth.get(at)).map(|(truth, table)| crm::fate(truth, table));
            if fate == Some(Ok(Fate::Later)) {
                continue;
            }
            awaited += 1;
            match self.settled(&call, rows).await {
                Ok(call) => told.push(call),
                Err(why) => all.push(why),
            }
        }
        if told.len() < groups.len() || groups.is_empty() {
            // Nothing says that nothing comes.
            tokio::time::sleep(NOTHING).await;
        }
        if told.len() == truths.len() {
            let found = faults(&told, &truths, scenario.slack);
            all.extend(found.into_iter().map(|fault| format!("the service: {fault}")));
        }
        match self.service.count().await {
            Ok(now) if now != before.calls + awaited => {
                all.push(format!("the service has {} calls more, were {awaited}", now - before.calls));
            }
            Ok(_) => {}
            Err(why) => all.push(why),
        }
        if calls.len() == truths.len() {
            let together: Vec<(&Call, &Truth, &toml::Table)> =
                calls.iter().zip(&truths).zip(&scenario.truth).map(|((a, b), c)| (a, b, c)).collect();
            all.extend(before.faults(&self.service, &self.lane, &together, scenario.slack).await);
        }
        all
    }

    /// What came after the last scenario was judged: late rows must change calls, never add any.
    async fn late_faults(&self) -> Vec<String> {
        let Some((name, after)) = &self.last else { return Vec::new() };
        let now = match Before::of(&self.service).await {
            Ok(now) => now,
            Err(why) => return vec![why],
        };
        match now.calls == after.calls && now.notes == after.notes {
            true => Vec::new(),
            false => vec![format!(
                "after {name} was over, the service got {} calls more, the CRM {} notes",
                now.calls.saturating_sub(after.calls),
                now.notes.difference(&after.notes).count()
            )],
        }
    }

    /// Waits until the service is through with a call and all its rows; gives the call as it tells it.
    async fn settled(&self, call: &Call, rows: &CallRows) -> Result<Call, String> {
        let until = Instant::now() + SERVICE;
        let mut last = "it does not have it".to_owned();
        while Instant::now() < until {
            if let Some(found) = self.service.call(&call.id).await {
                let stored = &found["call"];
                let count = |table: &str| stored["rows"][table].as_array().map_or(0, Vec::len);
                let state = stored["state"].as_str().unwrap_or_default();
                let whole = (count("cdr"), count("cel")) == (rows.cdr.len(), rows.cel.len());
                if whole && ["registered", "skipped", "failed"].contains(&state) {
                    return serde_json::from_value(stored["call"].clone()).map_err(|error| error.to_string());
                }
                last = format!(
                    "{state} ({}), {} of {} CDR and {} of {} CEL rows",
                    stored["reason"].as_str().unwrap_or_default(),
                    count("cdr"),
                    rows.cdr.len(),
                    count("cel"),
                    rows.cel.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("after {SERVICE:?} the service is not through with the call {}: {last}", call.id))
    }

    fn shown(&self, played: &Played, left: &Path) -> String {
        let lines: Vec<String> =
            played.timeline.iter().map(|(seconds, what)| format!("  {seconds:6.1} s  {what}")).collect();
        let (left, log) = (left.display(), self.lane.log.display());
        format!("what happened:\n{}\nrows and all: {left}\nlog of the PBX: {log}", lines.join("\n"))
    }

    fn measure(&self, scenario: &Scenario, calls: &[Call], played: &Played, latencies: &Latencies) {
        let truths = scenario.truths();
        for ((call, truth), table) in calls.iter().zip(&truths).zip(&scenario.truth) {
            if crm::fate(truth, table) != Ok(Fate::Registered) {
                continue;
            }
            if let Some(took) = self.watch.of(call, &played.events) {
                latencies.add(took, &format!("{}::{}", self.lane.name, scenario.name));
            }
        }
    }
}
