//! Poll cost at 10 thousand and 10 million rows.

/// Measures and prints.
pub(crate) fn run() {}
