//! Sessions a second against a bare TCP answerer.

/// Measures and prints.
pub(crate) fn run() {}
