//! Rows of Asterisk's `cdr` and `cel` tables become calls.
//!
//! [`rows`] are what the tables hold, [`model`] is what comes out.

mod context;
mod fold;
mod group;
pub mod model;
mod open;
pub mod rows;

pub use context::Context;
pub use fold::fold;
pub use group::{CallRows, group};
pub use model::{
    Call, Conversation, Detail, Direction, LostAfter, MissedAt, Outcome, Recording, RecordingState,
};
pub use open::{OpenCalls, is_complete};
pub use rows::{CdrRow, CelRow};
