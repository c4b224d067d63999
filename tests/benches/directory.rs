//! Memory with a million phones.

/// Measures and prints.
pub fn run() {}
