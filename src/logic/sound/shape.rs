//! What a file holds: how samples are coded, how many, where they begin.

use std::io::{Read, Seek, SeekFrom};

use super::{Fault, gsm, mpeg, riff};

/// How samples are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Unsigned bytes.
    Pcm8,
    /// Signed little-endian 16 bit.
    Pcm16,
    /// Signed little-endian 24 bit.
    Pcm24,
    /// Signed little-endian 32 bit.
    Pcm32,
    /// Little-endian 32 bit floating point.
    Float32,
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
    /// Microsoft's ADPCM.
    AdpcmMs,
    /// IMA ADPCM in WAV's blocks.
    AdpcmIma,
    /// GSM 06.10, frames of 33 bytes.
    Gsm,
    /// GSM 06.10, two frames in 65 bytes: "wav49".
    GsmPairs,
    /// An MP3 already.
    Mp3,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// How samples are coded.
    pub coding: Coding,
    /// Samples a second and channel.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Bytes of the smallest piece that decodes alone.
    pub block_bytes: u32,
    /// Samples per channel in one block.
    pub block_samples: u32,
    /// Where the first block begins.
    pub start: u64,
    /// Whole blocks.
    pub blocks: u64,
    /// Length of the sound.
    pub seconds: f64,
    /// Whether the header's lengths fit the file: the writer came to its end. Always true without a header.
    pub closed: bool,
}

impl Shape {
    /// Looks at the first bytes, then at the extension of `name`; leaves `source` anywhere.
    pub fn of<R: Read + Seek>(source: &mut R, name: &str) -> Result<Self, Fault> {
        let length = source.seek(SeekFrom::End(0)).map_err(Fault::Read)?;
        source.rewind().map_err(Fault::Read)?;
        let mut head = Vec::new();
        source.by_ref().take(12).read_to_end(&mut head).map_err(Fault::Read)?;
        if head.is_empty() {
            return Err(Fault::Empty);
        }
        let shape = match (&head[..], extension(name).as_str()) {
            ([b'R', b'I' | b'F', b'F' | b'6', b'F' | b'4', .., b'W', b'A', b'V', b'E'], _) => {
                riff::shape(source, length)?
            }
            ([b'I', b'D', b'3', ..], _) | (_, "mp3") => mpeg::shape(source)?,
            ([b'O', b'g', b'g', b'S', ..], _) => return Err(Fault::Unsupported("Ogg".to_owned())),
            (_, extension) => raw(extension, length)?,
        };
        if shape.blocks == 0 { Err(Fault::Empty) } else { Ok(shape) }
    }

    /// A shape of `bytes` bytes from `start`, cut to whole blocks.
    pub(super) fn new(
        coding: Coding,
        rate: u32,
        channels: u16,
        (block_bytes, block_samples): (u32, u32),
        (start, bytes): (u64, u64),
    ) -> Self {
        let blocks = bytes / u64::from(block_bytes);
        let seconds = (blocks * u64::from(block_samples)) as f64 / f64::from(rate);
        Self { coding, rate, channels, block_bytes, block_samples, start, blocks, seconds, closed: true }
    }
}

/// Asterisk's headerless formats: everything is in the extension.
fn raw(extension: &str, length: u64) -> Result<Shape, Fault> {
    let (coding, rate) = match extension {
        // Asterisk's "pcm" is µ-law.
        "ulaw" | "ul" | "mu" | "ulw" | "pcm" => (Coding::Ulaw, 8000),
        "alaw" | "al" | "alw" => (Coding::Alaw, 8000),
        "gsm" => {
            let block = (gsm::FRAME_BYTES as u32, gsm::FRAME_SAMPLES as u32);
            return Ok(Shape::new(Coding::Gsm, 8000, 1, block, (0, length)));
        }
        "sln" | "slin" | "raw" => (Coding::Pcm16, 8000),
        "g722" | "g729" | "g723" | "g726" | "ilbc" | "siren7" | "siren14" | "opus" | "au" => {
            return Err(Fault::Unsupported(extension.to_uppercase()));
        }
        _ => match extension.strip_prefix("sln").and_then(|kilohertz| kilohertz.parse().ok()) {
            Some(44) => (Coding::Pcm16, 44100),
            Some(kilohertz @ (12 | 16 | 24 | 32 | 48 | 96 | 192)) => (Coding::Pcm16, kilohertz * 1000),
            _ => return Err(Fault::NotSound),
        },
    };
    let bytes = if coding == Coding::Pcm16 { 2 } else { 1 };
    Ok(Shape::new(coding, rate, 1, (bytes, 1), (0, length)))
}

/// The lower-case extension; empty when there is none.
fn extension(name: &str) -> String {
    name.rsplit_once('.').map_or_else(String::new, |(_, extension)| extension.to_lowercase())
}
