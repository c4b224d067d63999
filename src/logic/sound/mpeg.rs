//! How long an MP3 plays: from its Xing frame, else by walking its frames.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::{Coding, Fault, Shape};

/// Kilobits a second of layer III, by index: MPEG-1, then MPEG-2 and 2.5.
const KILOBITS: [[u32; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// How much rubbish may stand before the first frame.
const LONGEST_SEARCH: u64 = 64 * 1024;

/// What an MP3 holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mpeg {
    /// Where the first frame stands, after ID3 tags.
    pub first_frame: u64,
    /// Samples a second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Frames of sound, without the Xing frame.
    pub frames: u64,
    /// Samples per channel in a frame.
    pub frame_samples: u32,
    /// Whether a Xing or Info frame told so.
    pub tagged: bool,
    /// Length of the sound without the encoder's delay and padding, when it is known.
    pub seconds: f64,
}

impl Mpeg {
    /// Reads an MP3. `Empty` when it has no frame of sound, `NotSound` when it begins like something else.
    pub fn of<R: Read + Seek>(source: &mut R) -> Result<Self, Fault> {
        let mut source = BufReader::new(source);
        let from = after_id3(&mut source)?;
        let (first_frame, header) = first_header(&mut source, from)?;
        let mut frame = vec![0; header.bytes as usize];
        source.seek(SeekFrom::Start(first_frame)).map_err(Fault::Read)?;
        let tag = source.read_exact(&mut frame).ok().and_then(|()| Xing::find(&frame, header));
        let (frames, edges) = match tag {
            Some(Xing { frames: Some(frames), edges }) => (u64::from(frames), edges),
            Some(Xing { frames: None, edges }) => {
                (count_frames(&mut source, first_frame + u64::from(header.bytes))?, edges)
            }
            None => (count_frames(&mut source, first_frame)?, 0),
        };
        if frames == 0 {
            return Err(Fault::Empty);
        }
        let samples = (frames * u64::from(header.samples)).saturating_sub(u64::from(edges));
        Ok(Self {
            first_frame,
            rate: header.rate,
            channels: header.channels,
            frames,
            frame_samples: header.samples,
            tagged: tag.is_some(),
            seconds: samples as f64 / f64::from(header.rate),
        })
    }
}

/// The shape of an MP3 given as a recording.
pub(super) fn shape<R: Read + Seek>(source: &mut R) -> Result<Shape, Fault> {
    let mpeg = Mpeg::of(source)?;
    Ok(Shape {
        coding: Coding::Mp3,
        rate: mpeg.rate,
        channels: mpeg.channels,
        block_bytes: 1,
        block_samples: mpeg.frame_samples,
        start: mpeg.first_frame,
        blocks: mpeg.frames,
        seconds: mpeg.seconds,
        closed: true,
    })
}

/// The four bytes that begin a frame.
#[derive(Debug, Clone, Copy)]
struct Header {
    bytes: u32,
    rate: u32,
    channels: u16,
    samples: u32,
    old: bool,
}

impl Header {
    fn parse(bytes: [u8; 4]) -> Option<Self> {
        let word = u32::from_be_bytes(bytes);
        let (version, layer) = (word >> 19 & 3, word >> 17 & 3);
        if word >> 21 != 0x7FF || version == 1 || layer != 1 {
            return None;
        }
        let old = version != 3;
        let rate = [44100, 48000, 32000].get((word >> 10 & 3) as usize)? >> [2, 0, 1, 0][version as usize];
        let kilobits = *KILOBITS[usize::from(old)].get((word >> 12 & 15) as usize)?;
        if kilobits == 0 {
            return None;
        }
        let samples = if old { 576 } else { 1152 };
        let bytes = samples / 8 * kilobits * 1000 / rate + (word >> 9 & 1);
        let channels = if word >> 6 & 3 == 3 { 1 } else { 2 };
        Some(Self { bytes, rate, channels, samples, old })
    }

    /// Where the Xing frame's words stand: after the side information.
    fn side_end(self) -> usize {
        4 + match (self.old, self.channels) {
            (false, 2) => 32,
            (false, _) | (true, 2) => 17,
            (true, _) => 9,
        }
    }
}

#[derive(Clone, Copy)]
struct Xing {
    frames: Option<u32>,
    /// Samples of the encoder's delay and padding.
    edges: u32,
}

impl Xing {
    fn find(frame: &[u8], header: Header) -> Option<Self> {
        let tag = frame.get(header.side_end()..)?;
        if !tag.starts_with(b"Xing") && !tag.starts_with(b"Info") {
            return None;
        }
        let word = |at: usize| tag.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
        let flags = word(4)?;
        let frames = if flags & 1 != 0 { word(8) } else { None };
        let lame_at = 8 + [4, 4, 100, 4]
            .iter()
            .enumerate()
            .map(|(n, size)| (flags >> n & 1) as usize * size)
            .sum::<usize>();
        let edges = match tag.get(lame_at..lame_at + 24) {
            Some(lame) if lame.starts_with(b"LAME") || lame.starts_with(b"Lavc") => {
                let packed = u32::from_be_bytes([0, lame[21], lame[22], lame[23]]);
                (packed >> 12) + (packed & 0xFFF)
            }
            _ => 0,
        };
        Some(Self { frames, edges })
    }
}

/// Where the sound begins: after any number of ID3v2 tags.
fn after_id3<R: Read + Seek>(source: &mut R) -> Result<u64, Fault> {
    let mut position = 0;
    loop {
        source.seek(SeekFrom::Start(position)).map_err(Fault::Read)?;
        let mut head = Vec::new();
        source.by_ref().take(10).read_to_end(&mut head).map_err(Fault::Read)?;
        if head.len() < 10 || !head.starts_with(b"ID3") {
            return Ok(position);
        }
        let size = head[6..].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
        position += 10 + size + if head[5] & 0x10 != 0 { 10 } else { 0 };
    }
}

/// The first frame that another frame follows, or that ends the file.
fn first_header<R: Read + Seek>(source: &mut R, from: u64) -> Result<(u64, Header), Fault> {
    source.seek(SeekFrom::Start(from)).map_err(Fault::Read)?;
    let mut bytes = Vec::new();
    source.by_ref().take(LONGEST_SEARCH).read_to_end(&mut bytes).map_err(Fault::Read)?;
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    let header_at = |at: usize| bytes.get(at..at + 4).and_then(|w| Header::parse([w[0], w[1], w[2], w[3]]));
    (0..bytes.len())
        .find_map(|at| {
            let header = header_at(at)?;
            let next = at + header.bytes as usize;
            (next >= bytes.len() || header_at(next).is_some()).then_some((from + at as u64, header))
        })
        .ok_or(Fault::NotSound)
}

fn count_frames<R: Read + Seek>(source: &mut BufReader<R>, from: u64) -> Result<u64, Fault> {
    source.seek(SeekFrom::Start(from)).map_err(Fault::Read)?;
    let mut frames = 0;
    let mut bytes = [0; 4];
    while source.read_exact(&mut bytes).is_ok() {
        let Some(header) = Header::parse(bytes) else { break };
        frames += 1;
        source.seek_relative(i64::from(header.bytes) - 4).map_err(Fault::Read)?;
    }
    Ok(frames)
}
