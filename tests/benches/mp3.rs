//! WAV → MP3 against the lame command.

/// Measures and prints.
pub(crate) fn run() {}
