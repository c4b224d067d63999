//! Bytes ↔ the words of AMI, and one session as a state machine.
//!
//! Asterisk greets with a banner; we log in (by its challenge, so that the secret does not travel, or plainly where it
//! gives none) and ask for the events about channels. From then on it talks and we listen; after a silence we ask
//! whether it still lives.
//!
//! [`codec`] makes frames of lines, [`packet`] is a block of headers, [`action`] is what we say, [`session`] decides
//! what happens next. Seen on Asterisk 16.28 and 22.10.

pub mod action;
pub mod codec;
pub mod packet;
pub mod session;

pub use action::{Action, Proof, Request};
pub use codec::{AmiCodec, Frame, Malformed};
pub use packet::Packet;
pub use session::{Ending, Event, Session, Step};
