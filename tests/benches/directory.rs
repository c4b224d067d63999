//! Memory with a million phones.

/// Measures and prints.
pub(crate) fn run() {}
