//! The lab: scenarios played on real Asterisks, with the product beside them as its users run it.
//!
//! `tests/lab/up` brings the Asterisks up and names them in `PEREZVON_LAB`; without it every trial is listed as ignored.
//! Each lane plays one scenario at a time, the lanes side by side. tests/lab/README.md has the words of the scripts.

mod ami;
mod capture;
mod crm;
mod dialplan;
mod gate;
mod lab;
mod latency;
mod legs;
mod names;
mod play;
mod reading;
mod rows;
mod scenario;
mod script;
mod service;
mod stage;
#[path = "../logic/truth.rs"]
mod truth;

use std::{collections::BTreeMap, fs::File, path::PathBuf, process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::{runtime::Runtime, sync::Mutex};

use crate::{
    dialplan::Waits,
    lab::Lane,
    latency::Latencies,
    scenario::{Scenario, Source},
    stage::{Failure, Stage},
};

/// Names, or parts of names, of the trials that are wanted, between blanks; all when it is not set.
const ONLY: &str = "PEREZVON_LAB_ONLY";
/// Only scenarios with `quick = true`.
const QUICK: &str = "PEREZVON_LAB_QUICK";
/// Every scenario that is played becomes a fixture.
const CAPTURE: &str = "PEREZVON_LAB_CAPTURE";

fn main() -> ExitCode {
    // The only one in this process; an error would say that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    let sources = match scenario::all() {
        Ok(sources) => sources,
        Err(fault) => return refused(&fault.to_string()),
    };
    let lab = match lab::of_environment() {
        Ok(lab) => lab,
        Err(fault) => return refused(&fault),
    };
    let Some((folder, lanes)) = lab else {
        let mut trials = reading::trials();
        trials.extend(ignored(&sources));
        return libtest_mimic::run(&arguments, trials).exit_code();
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => return refused(&error.to_string()),
    };
    let house = Arc::new(House {
        runtime,
        folder,
        stages: stages(&lanes),
        latencies: Latencies::default(),
        waits: Waits::default(),
    });
    let (trials, all) = house.trials(&sources, &lanes);
    let left_out = all - trials.len();
    // As many as there are: each waits for its lane's turn, so that no lane waits for another.
    arguments.test_threads = arguments.test_threads.or(Some(trials.len()));
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if listing {
        return conclusion.exit_code();
    }
    let closed = house.close();
    println!("{}", house.latencies);
    print!("{}", house.waits);
    if left_out > 0 {
        println!("{left_out} of {all} trials were not asked for; tests/lab/run --all plays them all");
    }
    match closed {
        Ok(()) => conclusion.exit_code(),
        Err(fault) => refused(&fault),
    }
}

fn refused(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// The wanted trials of a whole lab, where there is none.
fn ignored(sources: &[Source]) -> Vec<Trial> {
    let wanted = Wanted::of_environment();
    let mut trials = Vec::new();
    for lane in &lab::imagined() {
        for scenario in sources.iter().filter_map(|source| source.on_lane(lane).ok().flatten()) {
            let name = format!("{}::{}", lane.name, scenario.name);
            if wanted.wants(&name, &scenario) {
                trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
            }
        }
    }
    trials
}

/// Which trials are asked for.
struct Wanted {
    parts: Vec<String>,
    quick: bool,
}

impl Wanted {
    fn of_environment() -> Self {
        let parts = std::env::var(ONLY).unwrap_or_default();
        let parts = parts.split_whitespace().map(str::to_owned).collect();
        Self { parts, quick: std::env::var_os(QUICK).is_some() }
    }

    fn wants(&self, name: &str, scenario: &Scenario) -> bool {
        let named = self.parts.is_empty() || self.parts.iter().any(|part| name.contains(part));
        named && (scenario.quick || !self.quick)
    }
}

/// A lane's stage: opened when the first scenario comes, given up when it broke.
type Slot = Arc<Mutex<Option<(Stage, File)>>>;

fn stages(lanes: &[Lane]) -> BTreeMap<String, Slot> {
    lanes.iter().map(|lane| (lane.name.clone(), Slot::default())).collect()
}

/// What the trials share.
struct House {
    runtime: Arc<Runtime>,
    folder: PathBuf,
    stages: BTreeMap<String, Slot>,
    latencies: Latencies,
    waits: Waits,
}

impl House {
    /// Those that are wanted, scenario by scenario, and how many there are in all.
    fn trials(self: &Arc<Self>, sources: &[Source], lanes: &[Lane]) -> (Vec<Trial>, usize) {
        let wanted = Wanted::of_environment();
        let (mut trials, mut all) = (Vec::new(), 0);
        for source in sources {
            for lane in lanes {
                let Ok(Some(scenario)) = source.on_lane(lane) else { continue };
                all += 1;
                let name = format!("{}::{}", lane.name, scenario.name);
                if wanted.wants(&name, &scenario) {
                    let (house, lane) = (Arc::clone(self), lane.clone());
                    trials.push(Trial::test(name, move || house.play(&lane, &scenario)));
                }
            }
        }
        (trials, all)
    }

    /// Waits for the lane, then plays. A script that could not be played is tried once more, and it is said.
    fn play(&self, lane: &Lane, scenario: &Scenario) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let Some(slot) = self.stages.get(&lane.name) else { return Err("no such lane".into()) };
            let mut slot = slot.lock().await;
            let mut result = self.try_to_play(&mut slot, lane, scenario).await;
            if let Err(Failure::Unplayable(why)) = &result {
                println!("{}::{} is tried again: {why}", lane.name, scenario.name);
                result = self.try_to_play(&mut slot, lane, scenario).await;
            }
            result.map_err(|failure| failure.to_string().into())
        })
    }

    async fn try_to_play(
        &self,
        slot: &mut Option<(Stage, File)>,
        lane: &Lane,
        scenario: &Scenario,
    ) -> Result<(), Failure> {
        if slot.is_none() {
            let lock = self.hold(lane).map_err(Failure::Broken)?;
            *slot = Some((Stage::open(lane, &self.folder).await.map_err(Failure::Broken)?, lock));
        }
        let Some((stage, _)) = slot else { return Err(Failure::Broken("no stage".to_owned())) };
        let fixture = std::env::var_os(CAPTURE).is_some();
        let result = stage.run(scenario, &self.latencies, &self.waits, fixture).await;
        if let Err(Failure::Broken(_)) = &result {
            // The next scenario gets a fresh service.
            *slot = None;
        } else if scenario.kills_the_pbx() {
            // Of calls that died with it the service may tell at any time; the next scenario is to hear nothing of them.
            let closed = stage.close().await;
            *slot = None;
            return match closed {
                Ok(()) => result,
                Err(why) => result.and(Err(Failure::Broken(why))),
            };
        }
        result
    }

    /// No two processes play on one lane: nextest runs each trial in its own.
    fn hold(&self, lane: &Lane) -> Result<File, String> {
        let path = self.folder.join(format!("{}.lock", lane.name));
        let lock = File::create(&path).and_then(|file| file.lock().map(|()| file));
        lock.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Ends the services, which must end well.
    fn close(&self) -> Result<(), String> {
        self.runtime.block_on(async {
            let mut first = Ok(());
            for (lane, slot) in &self.stages {
                if let Some((stage, _)) = slot.lock().await.take() {
                    first = first.and(stage.close().await.map_err(|fault| format!("{lane}: {fault}")));
                }
            }
            first
        })
    }
}
