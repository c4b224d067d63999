//! Logs: to standard error, for people or as JSON.

use std::env;

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people; without time under systemd, which keeps its own.
    Human,
}

/// Starts logging at `level` unless `PEREZVON_LOG`, else `RUST_LOG`, asks for another.
pub(super) fn start(format: LogFormat, level: &str) {
    let wish = env::var("PEREZVON_LOG").or_else(|_| env::var("RUST_LOG")).unwrap_or_default();
    let filter = if wish.is_empty() { EnvFilter::new(level) } else { EnvFilter::new(wish) };
    let registry = tracing_subscriber::registry().with(filter);
    let under_systemd = env::var_os("JOURNAL_STREAM").is_some();
    let colours = env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    // A second start (a test in the same process) keeps the first.
    let _ = match format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LogFormat::Human if under_systemd => registry.with(layer.without_time()).try_init(),
        LogFormat::Human => registry.with(layer.compact()).try_init(),
    };
}
