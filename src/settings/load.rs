//! Settings from a file and the environment, or every fault at once.

use std::{fmt, path::Path};

use super::Settings;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `section.key`; empty when the file as a whole is meant.
    pub key: String,
    /// Where it stands: `perezvon.toml line 12`, or the variable's name.
    pub place: String,
    /// What is wrong and what to write.
    pub text: String,
}

/// Everything that is wrong, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings have faults:")?;
        for fault in &self.0 {
            write!(f, "\n  {} ({}): {}", fault.key, fault.place, fault.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Settings from a file (none: defaults) and the process's environment.
pub fn load(path: Option<&Path>) -> Result<Settings, Faults> {
    let fault = |text: String| {
        let place = path.map(|path| path.display().to_string()).unwrap_or_default();
        Faults(vec![Fault { key: String::new(), place, text }])
    };
    match path {
        None => Ok(Settings::default()),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
            toml::from_str(&text).map_err(|error| fault(error.to_string()))
        }
    }
}
