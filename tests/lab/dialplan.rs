//! Calls through the files of `dialplan/` as they are shipped, with Perezvon well or in trouble.
//!
//! A scenario with `asks = […]` is played once for each way to ask. Its calls come in through the shipped file's own
//! `from-trunk-perezvon`: on FreePBX they do so anyhow, on the plain PBX the trunk's context hands them on, and the example's
//! default route is the PBX's own.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use perezvon::sandbox::amocrm::{Fault, Rule, When};
use serde::Deserialize;

use crate::{ami::Ami, gate::Gate, lab::Lane, names, names::Names, service::Service};

/// How the dialplan asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// AGI behind a watchdog.
    Watchdog,
    /// CURL().
    Curl,
}

impl Form {
    /// As in the files of scenarios.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Watchdog => "watchdog",
            Self::Curl => "curl",
        }
    }
}

/// What is wrong with Perezvon, or different.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The process ends, and comes back.
    Stops,
    Starts,
    /// SIGSTOP, SIGCONT.
    Freezes,
    Wakes,
    /// The dialplan's address answers no SYN.
    OutOfReach,
    /// Each connection is handed on so much later.
    Late(Duration),
    /// `[agi] transliterate = true`.
    Transliterates,
    /// `hagi://`: the first of two servers is stopped, or answers no SYN.
    FirstIsStopped,
    FirstIsOutOfReach,
    /// The same, and the watchdog waits five seconds.
    FirstIsOutOfReachWithPatience,
    /// Each answer of the CRM takes so long.
    SlowCrm(Duration),
}

/// What a scenario changes on its lane, and takes back.
pub(crate) struct Dialplan<'a> {
    lane: &'a Lane,
    service: &'a Service,
    /// Files as they were.
    files: BTreeMap<PathBuf, String>,
    gate: Option<Gate>,
    names: Option<Names>,
    is_frozen: bool,
    is_changed: bool,
    slow: Option<u64>,
}

impl<'a> Dialplan<'a> {
    pub(crate) fn new(lane: &'a Lane, service: &'a Service) -> Self {
        Self {
            lane,
            service,
            files: BTreeMap::new(),
            gate: None,
            names: None,
            is_frozen: false,
            is_changed: false,
            slow: None,
        }
    }

    /// Calls come in through the shipped file, which asks so.
    pub(crate) async fn ship(&mut self, form: Form, pbx: &Ami) -> Result<(), String> {
        if self.lane.flavour == "plain" {
            let handed_on = "[from-trunk]\nexten => _[+0-9].,1,Goto(from-trunk-perezvon,${EXTEN},1)\n\n[from-trunk-lab]\n";
            self.edit("extensions.conf", "[from-trunk]\n", handed_on)?;
            self.edit("extensions_perezvon.conf", "Goto(from-trunk-default,", "Goto(did,")?;
        }
        if form == Form::Curl {
            self.edit(self.shipped(), "Gosub(perezvon,s,1(", "Gosub(perezvon-curl,s,1(")?;
        }
        reload(pbx).await
    }

    /// Makes it happen.
    pub(crate) async fn perform(&mut self, trouble: &Trouble, pbx: &Ami) -> Result<(), String> {
        match trouble {
            Trouble::Stops => self.service.stop().await,
            Trouble::Starts => self.service.restart(&[]).await,
            Trouble::Freezes => {
                self.is_frozen = true;
                self.service.signal("-STOP").await
            }
            Trouble::Wakes => {
                self.is_frozen = false;
                self.service.signal("-CONT").await
            }
            Trouble::OutOfReach => {
                self.gate = Some(Gate::swallowing(&self.other()).await?);
                self.edit(self.shipped(), &self.lane.perezvon, &self.other())?;
                reload(pbx).await
            }
            Trouble::Late(delay) => {
                self.gate = Some(Gate::delaying(&self.other(), &self.lane.perezvon, *delay).await?);
                self.edit(self.shipped(), &self.lane.perezvon, &self.other())?;
                reload(pbx).await
            }
            Trouble::Transliterates => {
                self.is_changed = true;
                self.service.stop().await?;
                self.service.restart(&[("PEREZVON__AGI__TRANSLITERATE", "true")]).await
            }
            Trouble::FirstIsStopped => self.two_servers(pbx).await,
            Trouble::FirstIsOutOfReach | Trouble::FirstIsOutOfReachWithPatience => {
                self.gate = Some(Gate::swallowing(&self.other()).await?);
                if *trouble == Trouble::FirstIsOutOfReachWithPatience {
                    self.edit(
                        self.shipped(),
                        "Dial(Local/crm@agi-guard/n,2,g)",
                        "Dial(Local/crm@agi-guard/n,5,g)",
                    )?;
                }
                self.two_servers(pbx).await
            }
            Trouble::SlowCrm(delay) => {
                // Who was a stranger a minute ago would be one from memory.
                self.is_changed = true;
                self.service.stop().await?;
                self.service.restart(&[("PEREZVON__AGI__UNKNOWN_TTL", "1ms")]).await?;
                let rule = Rule::new("/api/*", Fault::Delay(*delay), When::Always);
                self.slow = Some(self.service.sandbox.faults().set(rule));
                Ok(())
            }
        }
    }

    /// Everything as it was.
    pub(crate) async fn take_back(&mut self, pbx: &Ami) -> Result<(), String> {
        if let Some(rule) = self.slow.take() {
            self.service.sandbox.faults().remove(rule);
        }
        if std::mem::take(&mut self.is_frozen) {
            self.service.signal("-CONT").await?;
        }
        if std::mem::take(&mut self.is_changed) {
            self.service.stop().await?;
        }
        if self.service.is_stopped() {
            self.service.restart(&[]).await?;
        }
        (self.gate, self.names) = (None, None);
        if self.files.is_empty() {
            return Ok(());
        }
        for (path, text) in std::mem::take(&mut self.files) {
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        reload(pbx).await
    }

    /// The file of `dialplan/` that this lane includes.
    fn shipped(&self) -> &'static str {
        if self.lane.flavour == "plain" { "extensions_perezvon.conf" } else { "extensions_custom.conf" }
    }

    /// An address of the lane where otherwise nothing is.
    fn other(&self) -> String {
        self.lane.perezvon.trim_end_matches('9').to_owned() + "8"
    }

    /// The dialplan asks for a name that has two servers, of which the second is Perezvon's.
    async fn two_servers(&mut self, pbx: &Ami) -> Result<(), String> {
        let server = self.lane.perezvon.trim_end_matches('9').to_owned() + "7";
        self.names = Some(Names::start(&server, &self.other(), &self.lane.perezvon).await?);
        self.edit("resolv.conf", "", &format!("nameserver {server}\noptions timeout:1 attempts:2\n"))?;
        let one = format!("agi://{}/", self.lane.perezvon);
        self.edit(self.shipped(), &one, &format!("hagi://{}/", names::NAME))?;
        reload(pbx).await
    }

    /// Puts a text in another's place; an empty one is the file's beginning.
    fn edit(&mut self, file: &str, from: &str, to: &str) -> Result<(), String> {
        let path = self.lane.etc.join(file);
        let fault = |error: std::io::Error| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(fault)?;
        let changed = if from.is_empty() { format!("{to}{text}") } else { text.replace(from, to) };
        if changed == text {
            return Err(format!("{} has no “{from}”", path.display()));
        }
        fs::write(&path, changed).map_err(fault)?;
        self.files.entry(path).or_insert(text);
        Ok(())
    }
}

async fn reload(pbx: &Ami) -> Result<(), String> {
    let said = pbx.command("dialplan reload").await?;
    if said.contains("reloaded") { Ok(()) } else { Err(format!("dialplan reload: {said}")) }
}

/// When phones began to ring after the client had called, for the README of `dialplan/`.
#[derive(Default)]
pub(crate) struct Waits(Mutex<BTreeMap<String, Vec<f64>>>);

impl Waits {
    /// Keeps those of a scenario.
    pub(crate) fn add(&self, scenario: &str, rings: &[f64]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(scenario.to_owned(), rings.to_vec());
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return Ok(());
        }
        writeln!(f, "seconds from the client's call until a phone rings, then the next:")?;
        for (scenario, rings) in all.iter() {
            let rings: Vec<String> = rings.iter().map(|seconds| format!("{seconds:.2}")).collect();
            writeln!(f, "  {scenario:<58} {}", rings.join("  "))?;
        }
        Ok(())
    }
}

/// How a scenario's rings differ from what it says, in seconds; this machine may be slow.
pub(crate) fn ring_faults(wanted: &[f64], seen: &[f64]) -> Vec<String> {
    let close = |(want, got): (&f64, &f64)| (want - 0.1..=want + 0.9).contains(got);
    if wanted.len() == seen.len() && wanted.iter().zip(seen).all(close) {
        return Vec::new();
    }
    vec![format!("phones rang {seen:.2?} s after the call, not {wanted:.1?}")]
}

/// Words after `perezvon`.
pub(crate) fn read(words: &[&str]) -> Option<Trouble> {
    let seconds = |word: &str| word.parse().ok().filter(|time| (0.0..60.0).contains(time));
    match words {
        ["stops"] => Some(Trouble::Stops),
        ["starts"] => Some(Trouble::Starts),
        ["freezes"] => Some(Trouble::Freezes),
        ["wakes"] => Some(Trouble::Wakes),
        ["is", "out", "of", "reach"] => Some(Trouble::OutOfReach),
        ["answers", "after", time] => seconds(time).map(|time| Trouble::Late(Duration::from_secs_f64(time))),
        ["transliterates"] => Some(Trouble::Transliterates),
        ["has", "two", "servers,", "the", "first", "stopped"] => Some(Trouble::FirstIsStopped),
        ["has", "two", "servers,", "the", "first", "out", "of", "reach"] => Some(Trouble::FirstIsOutOfReach),
        [
            "has",
            "two",
            "servers,",
            "the",
            "first",
            "out",
            "of",
            "reach,",
            "the",
            "watchdog",
            "waits",
            "5",
        ] => Some(Trouble::FirstIsOutOfReachWithPatience),
        ["waits", time, "for", "the", "crm"] => {
            seconds(time).map(|time| Trouble::SlowCrm(Duration::from_secs_f64(time)))
        }
        _ => None,
    }
}
