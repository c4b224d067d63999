//! Rows of Asterisk's `cdr` and `cel` tables become calls.
//!
//! [`rows`] are what the tables hold, [`model`] is what comes out.

mod archive;
mod bridge;
pub mod capture;
mod cdr_only;
mod cdr_talks;
mod channel;
mod client;
mod context;
mod conversation;
mod cut;
pub mod digits;
mod event;
mod extra;
mod fold;
mod group;
mod leg;
mod menu;
pub mod model;
mod name;
mod open;
mod outcome;
mod party;
mod pause;
mod recording;
mod restart;
pub mod rows;
mod sighting;
mod story;
mod time;
mod verdict_cdr;

pub use context::Context;
pub use fold::fold;
pub use group::{CallRows, group};
pub use model::{
    Call, Conversation, Detail, Direction, LostAfter, Menu, MissedAt, Outcome, Recording, RecordingState,
};
pub use open::{OpenCalls, is_complete};
pub use restart::Restarts;
pub use rows::{CdrRow, CelRow};
pub use story::was_asked_about;
