//! Rows of Asterisk's `cdr` and `cel` tables become calls.
//!
//! [`rows`] are what the tables hold, [`model`] is what comes out.

pub mod model;
pub mod rows;

pub use model::{
    Call, Conversation, Detail, Direction, LostAfter, MissedAt, Outcome, Recording, RecordingState,
};
pub use rows::{CdrRow, CelRow};
