//! Bytes ↔ the words of AGI, and one session as a state machine.
//!
//! Asterisk connects and sends its environment; we answer with all variables in one write and close our side, so
//! that no round trip and no slow reader costs us anything; then its replies are read until it closes too.
//!
//! [`parse`] reads lines, [`codec`] makes frames of them, [`request`] finds the question in the environment,
//! [`command`] writes what we say, [`session`] decides what happens next.

pub mod codec;
pub mod command;
pub mod parse;
pub mod request;
pub mod session;

pub use codec::{AgiCodec, Frame, Malformed};
pub use command::{Command, answer};
pub use parse::Reply;
pub use request::{Environment, Question};
pub use session::{Event, Session, Step};
