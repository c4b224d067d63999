//! WAV and its relatives.
