//! Why there is no MP3, and what to do about it.

use std::{io, path::Path};

use crate::{logic::sound::Fault, settings::Language, text::say};

/// Why there is no MP3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Asterisk names no recording.
    #[error("the call was not recorded")]
    NotRecorded,
    /// Only headers, or the ringing tones of a call nobody took.
    #[error("the recording holds no talk")]
    Empty,
    /// Not where Asterisk said, nor elsewhere under the folder.
    #[error(
        "{path} is not under [recordings] source: moved, deleted, hidden from this account, or another folder is meant"
    )]
    Missing {
        /// As Asterisk wrote it.
        path: String,
    },
    /// Asterisk has not closed it yet.
    #[error("{path} is still being written")]
    Growing {
        /// As Asterisk wrote it.
        path: String,
    },
    /// The file itself is at fault, and will stay so.
    #[error("{path}: {why}")]
    Unusable {
        /// As Asterisk wrote it.
        path: String,
        /// The fault.
        why: String,
    },
    /// The file may not be read.
    #[error(
        "{path} cannot be read: {why}; let this service's account read it (usually by the group asterisk)"
    )]
    Unreadable {
        /// As Asterisk wrote it.
        path: String,
        /// What the system said.
        why: String,
    },
    /// No room for the MP3.
    #[error("the disk or quota of {folder} is full; free some space or set [recordings] keep")]
    DiskFull {
        /// `[recordings] mp3_folder`.
        folder: String,
    },
    /// The MP3 cannot be written for another reason.
    #[error("cannot write into {folder}: {why}; check [recordings] mp3_folder and its owner")]
    Unwritable {
        /// `[recordings] mp3_folder`.
        folder: String,
        /// What the system said.
        why: String,
    },
    /// The service is going down.
    #[error("the service is stopping")]
    Stopping,
}

impl Reason {
    /// Whether the same request can succeed later: by itself ([`Reason::passes`]), or once the admin mended
    /// the machine.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::NotRecorded | Self::Empty | Self::Unusable { .. })
    }

    /// Whether a little waiting may be enough: the file is growing, or has not appeared yet.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Growing { .. } | Self::Stopping)
    }

    /// As [`std::fmt::Display`], in the language of the office; what the system or a decoder said stays English.
    pub fn say(&self, language: Language) -> String {
        let (key, values): (&str, &[(&str, &str)]) = match self {
            Self::NotRecorded => ("no_mp3.not_recorded", &[]),
            Self::Empty => ("no_mp3.empty", &[]),
            Self::Missing { path } => ("no_mp3.missing", &[("path", path)]),
            Self::Growing { path } => ("no_mp3.growing", &[("path", path)]),
            Self::Unusable { path, why } => ("no_mp3.unusable", &[("path", path), ("why", why)]),
            Self::Unreadable { path, why } => ("no_mp3.unreadable", &[("path", path), ("why", why)]),
            Self::DiskFull { folder } => ("no_mp3.disk_full", &[("folder", folder)]),
            Self::Unwritable { folder, why } => ("no_mp3.unwritable", &[("folder", folder), ("why", why)]),
            Self::Stopping => ("no_mp3.stopping", &[]),
        };
        say(language, key, values)
    }

    /// What a conversion of `path` into `folder` met.
    pub(super) fn of(fault: Fault, path: &str, folder: &Path) -> Self {
        match fault {
            Fault::Empty => Self::Empty,
            Fault::Read(error) => Self::Unreadable { path: path.to_owned(), why: error.to_string() },
            Fault::Write(error) => Self::writing(&error, folder),
            fault => Self::Unusable { path: path.to_owned(), why: fault.to_string() },
        }
    }

    /// What writing into `folder` met.
    pub(super) fn writing(error: &io::Error, folder: &Path) -> Self {
        let folder = folder.display().to_string();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { folder },
            _ => Self::Unwritable { folder, why: error.to_string() },
        }
    }
}
