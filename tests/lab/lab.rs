//! `lab.json`: what `tests/lab/up` has brought up.

use std::{fs, path::PathBuf};

use serde::Deserialize;

/// Names the file.
pub(crate) const VARIABLE: &str = "PEREZVON_LAB";

/// Lanes that a whole lab has, for listing scenarios where there is none.
pub(crate) const LANES: [(&str, u32, &str); 4] = [
    ("22-plain", 22, "plain"),
    ("22-freepbx", 22, "freepbx"),
    ("16-plain", 16, "plain"),
    ("16-freepbx", 16, "freepbx"),
];

/// One PBX with its outside world and database.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Lane {
    pub(crate) name: String,
    /// Asterisk's major version.
    pub(crate) version: u32,
    /// `plain` or `freepbx`.
    pub(crate) flavour: String,
    /// Addresses.
    pub(crate) pbx: String,
    pub(crate) operator: String,
    pub(crate) perezvon: String,
    /// Asterisk's tables, twice.
    pub(crate) database: String,
    pub(crate) sqlite: PathBuf,
    /// The PBX's spool, as this machine and as Asterisk sees it.
    pub(crate) spool: PathBuf,
    pub(crate) spool_inside: String,
    /// Its configuration, and what it writes beside the tables.
    pub(crate) etc: PathBuf,
    pub(crate) queue_log: PathBuf,
    pub(crate) log: PathBuf,
    /// Its debootstrap folder, and its own inside that.
    pub(crate) root: String,
    pub(crate) home: String,
    /// What its clocks show.
    pub(crate) timezone: String,
}

#[derive(Deserialize)]
struct Lab {
    lanes: Vec<Lane>,
}

/// The lab that the environment names, and the folder where it keeps things; none when there is none.
pub(crate) fn of_environment() -> Result<Option<(PathBuf, Vec<Lane>)>, String> {
    let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return Ok(None) };
    let fault = |why: String| format!("{VARIABLE}={}: {why}; tests/lab/up writes it", path.display());
    let text = fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
    let lab: Lab = serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
    let folder = path.parent().map_or_else(PathBuf::new, PathBuf::from);
    Ok(Some((folder, lab.lanes)))
}

/// Lanes by name only, where there is no lab.
pub(crate) fn imagined() -> Vec<Lane> {
    let lane = |(name, version, flavour): (&str, u32, &str)| Lane {
        name: name.to_owned(),
        version,
        flavour: flavour.to_owned(),
        pbx: String::new(),
        operator: String::new(),
        perezvon: String::new(),
        database: String::new(),
        sqlite: PathBuf::new(),
        spool: PathBuf::new(),
        spool_inside: String::new(),
        etc: PathBuf::new(),
        queue_log: PathBuf::new(),
        log: PathBuf::new(),
        root: String::new(),
        home: String::new(),
        timezone: String::new(),
    };
    LANES.into_iter().map(lane).collect()
}
