//! What a subcommand fails with.

use std::{error::Error, fmt, process::ExitCode};

use crate::settings::load::Faults;

/// A failure with its causes, printed as plain sentences. Any error turns into it with `?`.
#[derive(Debug)]
pub struct CliError {
    usage: bool,
    error: Box<dyn Error + Send + Sync>,
}

impl CliError {
    /// The command did not do its work: exit code 1.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { usage: false, error: text.into().into() }
    }

    /// The command was asked wrongly: exit code 2.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { usage: true, error: text.into().into() }
    }

    /// 1 for failures, 2 for bad usage or settings.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.usage { 2 } else { 1 })
    }
}

// Not `Error` itself, so that this does not overlap with the standard library's `From<T> for T`.
impl<E: Error + Send + Sync + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        let error: Box<dyn Error + Send + Sync> = Box::new(error);
        Self { usage: error.is::<Faults>(), error }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.error.to_string();
        write!(f, "{said}")?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many libraries repeat their cause in their own text.
            if !said.contains(&text) {
                write!(f, "\n  because: {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file cannot be read")]
        struct Unread(#[source] std::io::Error);
        let error = CliError::from(Unread(std::io::Error::other("disk on fire")));
        assert_eq!(error.to_string(), "the file cannot be read\n  because: disk on fire");
    }
}
