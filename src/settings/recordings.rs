//! `[recordings]`: WAV in, MP3 out.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Secret, Span};

/// MP3 rate: `"V7"` (variable, the measured best for speech) or a constant number of kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitrate {
    /// LAME's VBR level 0 (best) to 9 (smallest).
    Vbr(u8),
    /// Constant kilobits a second.
    Cbr(u16),
}

impl Serialize for Bitrate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Vbr(level) => serializer.collect_str(&format_args!("V{level}")),
            Self::Cbr(kbit) => serializer.serialize_u16(*kbit),
        }
    }
}

impl<'de> Deserialize<'de> for Bitrate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u16),
            Text(String),
        }
        let wrong =
            || serde::de::Error::custom("write \"V7\" (V0 to V9) or one of 8, 16, 24, 32, 40, 48, 64");
        match Form::deserialize(deserializer)? {
            Form::Number(kbit @ (8 | 16 | 24 | 32 | 40 | 48 | 64)) => Ok(Self::Cbr(kbit)),
            Form::Number(_) => Err(wrong()),
            Form::Text(text) => text
                .strip_prefix(['V', 'v'])
                .and_then(|level| level.parse().ok())
                .filter(|level| *level <= 9)
                .map(Self::Vbr)
                .ok_or_else(wrong),
        }
    }
}

/// `[recordings]`: where Asterisk records, where MP3 go, how links are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// Asterisk's folder, usually `/var/spool/asterisk/monitor`; files outside it are never opened.
    pub source: PathBuf,
    /// Our folder of MP3.
    pub mp3_folder: PathBuf,
    /// `"V7"`, or kbit/s.
    pub bitrate: Bitrate,
    /// How long a missing or growing file is waited for before the call is registered without it.
    pub wait: Span,
    /// How long MP3 are kept; `"0s"` means for ever.
    pub keep: Span,
    /// How long a signed link opens; `"0s"` means for ever.
    pub link_lifetime: Span,
    /// Key of the signatures; empty means made at the first start and kept in the store.
    pub link_secret: Secret,
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            source: "/var/spool/asterisk/monitor".into(),
            mp3_folder: "/var/lib/perezvon/mp3".into(),
            bitrate: Bitrate::Vbr(7),
            wait: Span::secs(60),
            keep: Span::secs(0),
            link_lifetime: Span::secs(0),
            link_secret: Secret::default(),
        }
    }
}
