//! WAV and its relatives → MP3, over `Read`, `Seek` and `Write`; nothing here opens a file.
//!
//! [`shape`] finds out what a file holds (by its first bytes, else by its name), [`pcm`] turns it into samples,
//! [`mp3`] turns samples into an MP3, [`mpeg`] reads back how long an MP3 plays, [`joining`] chooses among
//! several recordings of one call. A second of sound at a time, so hours need no more memory than seconds.
//!
//! Symphonia's codecs decode the samples; its WAV reader is not used, as it refuses what a crashed or still
//! writing Asterisk leaves (RIFF size 0) and the formats that Asterisk adds (wav49, raw G.711, GSM, slin).

mod gsm;
pub mod joining;
pub mod mp3;
pub mod mpeg;
pub mod pcm;
mod riff;
pub mod shape;

use std::io;

pub use mp3::{Made, encode};
pub use pcm::Sound;
pub use shape::{Coding, Shape};

/// Why a file gives no sound, or its MP3 could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A header and no samples: Asterisk opened the file and nothing was said.
    #[error("no sound in it: a header only, as of a call that nobody answered")]
    Empty,
    /// Something else under the name of a recording.
    #[error("not a sound file: it begins like no format that Asterisk records")]
    NotSound,
    /// The header contradicts itself.
    #[error("broken: {0}")]
    Broken(&'static str),
    /// A format that cannot be decoded here.
    #[error("{0} cannot be converted; record as wav, wav49, gsm, ulaw, alaw or sln")]
    Unsupported(String),
    /// The source stopped giving bytes.
    #[error("cannot read the recording: {0}")]
    Read(#[source] io::Error),
    /// The target took no more bytes.
    #[error("cannot write the MP3: {0}")]
    Write(#[source] io::Error),
}
