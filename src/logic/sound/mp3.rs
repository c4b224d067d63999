//! Samples → MP3, with ID3 tags before it and a Xing frame that tells players its length.

use std::io::{Read, Seek, SeekFrom, Write};

use chrono::{DateTime, Datelike, Timelike, Utc};
use id3::TagLike;
use mp3lame_encoder as lame;

use super::{Fault, Sound};
use crate::settings::Bitrate;

/// Rates that MP3 knows; others are resampled to the nearest below.
const RATES: [u32; 9] = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];
/// LAME's algorithm quality: half the processor time of the default 5, and 9 saves nothing more.
const QUALITY: lame::Quality = lame::Quality::Ok;

/// Who and when, for the player's display; every field may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// What the player shows first, for example `+79161234567 → 101`.
    pub title: String,
    /// The employees who talked.
    pub artist: String,
    /// The company or the line.
    pub album: String,
    /// When the call began.
    pub at: Option<DateTime<Utc>>,
}

/// An MP3 that was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Made {
    /// Length of the sound.
    pub seconds: f64,
    /// Size with tags.
    pub bytes: u64,
}

/// Encodes sounds of one rate one after another; channels are mixed to mono when they differ.
///
/// # Errors
/// [`Fault::Empty`] when no sample came, [`Fault::Read`], [`Fault::Write`].
pub fn encode<R: Read + Seek, W: Write + Seek>(
    sounds: &mut [Sound<R>],
    target: W,
    bitrate: Bitrate,
    tags: &Tags,
) -> Result<Made, Fault> {
    let Some(first) = sounds.first() else { return Err(Fault::Empty) };
    let rate = first.shape().rate;
    if sounds.iter().any(|sound| sound.shape().rate != rate) {
        return Err(Fault::Unsupported("Recordings of different sample rates joined into one".to_owned()));
    }
    let stereo = sounds.iter().all(|sound| sound.shape().channels == 2);
    let mut writer = Mp3Writer::new(target, rate, stereo, bitrate, tags)?;
    let mut samples = Vec::new();
    for sound in sounds {
        loop {
            sound.read(&mut samples)?;
            if samples.is_empty() {
                break;
            }
            if !stereo && sound.shape().channels == 2 {
                mix_to_mono(&mut samples);
            }
            writer.push(&samples)?;
        }
    }
    writer.finish()
}

/// An encoder and the file it fills.
struct Mp3Writer<W> {
    target: W,
    encoder: lame::Encoder,
    stereo: bool,
    rate: u32,
    frames: u64,
    /// Where the Xing frame stands: right after the tags.
    xing_at: u64,
    /// Encoded and not yet written.
    encoded: Vec<u8>,
}

impl<W: Write + Seek> Mp3Writer<W> {
    fn new(mut target: W, rate: u32, stereo: bool, bitrate: Bitrate, tags: &Tags) -> Result<Self, Fault> {
        let encoder = encoder(rate, stereo, bitrate)
            .map_err(|error| Fault::Unsupported(format!("Sound of {rate} samples a second ({error})")))?;
        let tags = id3_bytes(tags);
        target.write_all(&tags).map_err(Fault::Write)?;
        Ok(Self { target, encoder, stereo, rate, frames: 0, xing_at: tags.len() as u64, encoded: Vec::new() })
    }

    fn push(&mut self, samples: &[i16]) -> Result<(), Fault> {
        let frames = samples.len() / if self.stereo { 2 } else { 1 };
        self.encoded.clear();
        self.encoded.reserve(lame::max_required_buffer_size(frames));
        if self.stereo {
            self.encoder.encode_to_vec(lame::InterleavedPcm(samples), &mut self.encoded)
        } else {
            self.encoder.encode_to_vec(lame::MonoPcm(samples), &mut self.encoded)
        }
        .map_err(|_| Fault::Broken("the encoder refused its samples"))?;
        self.frames += frames as u64;
        self.target.write_all(&self.encoded).map_err(Fault::Write)
    }

    /// Writes what the encoder still holds, then the Xing frame over its placeholder.
    fn finish(mut self) -> Result<Made, Fault> {
        if self.frames == 0 {
            return Err(Fault::Empty);
        }
        self.encoded.clear();
        self.encoded.reserve(lame::max_required_buffer_size(0));
        self.encoder
            .flush_to_vec::<lame::FlushGap>(&mut self.encoded)
            .map_err(|_| Fault::Broken("the encoder did not finish"))?;
        self.target.write_all(&self.encoded).map_err(Fault::Write)?;
        let bytes = self.target.stream_position().map_err(Fault::Write)?;
        self.encoded.clear();
        self.encoded.reserve(self.encoder.lame_tag_size());
        // Constant 8 kbit/s has no room for it, and needs none.
        if self.encoder.lame_tag_encode_to_vec(&mut self.encoded).is_some() {
            self.target.seek(SeekFrom::Start(self.xing_at)).map_err(Fault::Write)?;
            self.target.write_all(&self.encoded).map_err(Fault::Write)?;
        }
        self.target.flush().map_err(Fault::Write)?;
        Ok(Made { seconds: self.frames as f64 / f64::from(self.rate), bytes })
    }
}

/// The output rate is always named: left to choose, LAME takes "V7" for V3.5 at 8 kHz, a quarter more bytes.
fn encoder(rate: u32, stereo: bool, bitrate: Bitrate) -> Result<lame::Encoder, lame::BuildError> {
    let known = RATES.iter().rev().find(|known| **known <= rate).unwrap_or(&RATES[0]);
    let mut builder = lame::Builder::new()
        .ok_or(lame::BuildError::NoMem)?
        .with_num_channels(if stereo { 2 } else { 1 })?
        .with_sample_rate(rate)?
        .with_output_sample_rate(std::num::NonZero::new(*known))?
        .with_mode(if stereo { lame::Mode::JointStereo } else { lame::Mode::Mono })?
        .with_quality(QUALITY)?
        .with_to_write_vbr_tag(true)?;
    match bitrate {
        Bitrate::Vbr(level) => {
            builder.set_vbr_mode(lame::VbrMode::Mtrh)?;
            builder.set_vbr_quality(vbr_level(level))?;
        }
        Bitrate::Cbr(kilobits) => builder.set_brate(cbr(kilobits))?,
    }
    builder.build()
}

fn vbr_level(level: u8) -> lame::Quality {
    use lame::Quality::{Best, Decent, Good, NearBest, Nice, Ok, SecondBest, SecondWorst, VeryNice, Worst};
    let levels = [Best, SecondBest, NearBest, VeryNice, Nice, Good, Decent, Ok, SecondWorst, Worst];
    levels[usize::from(level.min(9))]
}

/// The nearest rate that the encoder's interface names; LAME itself fits it to the sample rate.
fn cbr(kilobits: u16) -> lame::Bitrate {
    match kilobits {
        ..=8 => lame::Bitrate::Kbps8,
        9..=16 => lame::Bitrate::Kbps16,
        17..=24 => lame::Bitrate::Kbps24,
        25..=32 => lame::Bitrate::Kbps32,
        33..=40 => lame::Bitrate::Kbps40,
        41..=48 => lame::Bitrate::Kbps48,
        _ => lame::Bitrate::Kbps64,
    }
}

/// ID3v2.4 in UTF-8: the only version whose time and Cyrillic every browser reads.
fn id3_bytes(tags: &Tags) -> Vec<u8> {
    let mut tag = id3::Tag::new();
    let mut set = |id: &str, text: &str| {
        if !text.is_empty() {
            tag.set_text(id, text);
        }
    };
    set("TIT2", &tags.title);
    set("TPE1", &tags.artist);
    set("TALB", &tags.album);
    if let Some(at) = tags.at {
        tag.set_date_recorded(id3::Timestamp {
            year: at.year(),
            month: Some(at.month() as u8),
            day: Some(at.day() as u8),
            hour: Some(at.hour() as u8),
            minute: Some(at.minute() as u8),
            second: Some(at.second() as u8),
        });
    }
    let mut bytes = Vec::new();
    if tag.frames().next().is_some() && tag.write_to(&mut bytes, id3::Version::Id3v24).is_err() {
        // A tag that cannot be written is no reason to lose the sound.
        bytes.clear();
    }
    bytes
}

fn mix_to_mono(samples: &mut Vec<i16>) {
    let mixed = samples.len() / 2;
    for n in 0..mixed {
        samples[n] = ((i32::from(samples[2 * n]) + i32::from(samples[2 * n + 1])) / 2) as i16;
    }
    samples.truncate(mixed);
}
