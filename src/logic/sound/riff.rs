//! The chunks of a WAV, read so that a header which was never closed still gives its samples.

use std::io::{Read, Seek, SeekFrom};

use super::{Coding, Fault, Shape, gsm};

const EXTENSIBLE: u16 = 0xFFFE;
/// What writers put where they do not know a size yet.
const UNKNOWN: [u32; 3] = [0, 0xFFFF_FFFF, 0x7FFF_FFFF];
/// A header alone: the file was opened, and closed or left without a sample.
const SHORTEST: u64 = 44;
/// A WAV with more chunks before its samples is no WAV.
const MOST_CHUNKS: usize = 64;

/// The shape of a WAV of `length` bytes.
pub(super) fn shape<R: Read + Seek>(source: &mut R, length: u64) -> Result<Shape, Fault> {
    if length <= SHORTEST {
        return Err(Fault::Empty);
    }
    source.seek(SeekFrom::Start(4)).map_err(Fault::Read)?;
    let riff_end = u64::from(read_u32(source)?) + 8;
    let mut format = None;
    let mut position = 12;
    for _ in 0..MOST_CHUNKS {
        if position + 8 > length {
            break;
        }
        source.seek(SeekFrom::Start(position)).map_err(Fault::Read)?;
        let mut id = [0; 4];
        source.read_exact(&mut id).map_err(Fault::Read)?;
        let size = read_u32(source)?;
        let start = position + 8;
        match &id {
            b"fmt " => format = Some(Format::read(source, size.min(64))?),
            b"data" => {
                let format = format.ok_or(Fault::Broken("samples come before their format"))?;
                let (bytes, closed) = data_bytes(size, start, length, riff_end);
                let mut shape = format.shape((start, bytes))?;
                shape.closed = closed;
                return Ok(shape);
            }
            _ => {}
        }
        position = start + u64::from(size) + u64::from(size % 2);
    }
    Err(Fault::Broken("no samples are announced"))
}

/// How many bytes of samples there are, and whether the header knew.
fn data_bytes(size: u32, start: u64, length: u64, riff_end: u64) -> (u64, bool) {
    let there = length - start;
    let announced = u64::from(size);
    if UNKNOWN.contains(&size) && riff_end != length {
        return (there, there == 0);
    }
    (announced.min(there), announced <= there)
}

/// The `fmt ` chunk.
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    block: u16,
    bits: u16,
}

impl Format {
    fn read<R: Read>(source: &mut R, size: u32) -> Result<Self, Fault> {
        let mut bytes = Vec::new();
        source.by_ref().take(u64::from(size)).read_to_end(&mut bytes).map_err(Fault::Read)?;
        if bytes.len() < 16 {
            return Err(Fault::Broken("its format is cut"));
        }
        let u16_at =
            |at: usize| bytes.get(at..at + 2).map_or(0, |pair| u16::from_le_bytes([pair[0], pair[1]]));
        let tag = match u16_at(0) {
            EXTENSIBLE => u16_at(24),
            tag => tag,
        };
        let rate = u32::from(u16_at(4)) | u32::from(u16_at(6)) << 16;
        Ok(Self { tag, channels: u16_at(2), rate, block: u16_at(12), bits: u16_at(14) })
    }

    fn shape(&self, place: (u64, u64)) -> Result<Shape, Fault> {
        if !(1000..=384_000).contains(&self.rate) {
            return Err(Fault::Broken("its sample rate is absurd"));
        }
        let (coding, block) = match (self.channels, self.tag, self.bits) {
            (0, ..) => return Err(Fault::Broken("it has no channels")),
            (3.., ..) => return Err(Fault::Unsupported(format!("sound of {} channels", self.channels))),
            (_, 1, 8) => (Coding::Pcm8, self.frame(1)),
            (_, 1, 16) => (Coding::Pcm16, self.frame(2)),
            (_, 1, 24) => (Coding::Pcm24, self.frame(3)),
            (_, 1, 32) => (Coding::Pcm32, self.frame(4)),
            (_, 3, 32) => (Coding::Float32, self.frame(4)),
            (_, 6, _) => (Coding::Alaw, self.frame(1)),
            (_, 7, _) => (Coding::Ulaw, self.frame(1)),
            (_, 2, _) => (Coding::AdpcmMs, self.adpcm_block(7, 2)?),
            (_, 0x11, _) => (Coding::AdpcmIma, self.adpcm_block(4, 1)?),
            (1, 0x31, _) => (Coding::GsmPairs, (gsm::PAIR_BYTES as u32, 2 * gsm::FRAME_SAMPLES as u32)),
            (_, tag, bits) => return Err(Fault::Unsupported(format!("WAV format {tag:#x} of {bits} bits"))),
        };
        Ok(Shape::new(coding, self.rate, self.channels, block, place))
    }

    fn frame(&self, sample_bytes: u32) -> (u32, u32) {
        (sample_bytes * u32::from(self.channels), 1)
    }

    /// A block of ADPCM: a header a channel that already holds some samples, then two samples a byte.
    fn adpcm_block(&self, header: u32, in_header: u32) -> Result<(u32, u32), Fault> {
        let (block, channels) = (u32::from(self.block), u32::from(self.channels));
        let coded = block.checked_sub(header * channels).ok_or(Fault::Broken("its blocks are too short"))?;
        let whole = header != 4 || coded % (4 * channels) == 0;
        if self.bits != 4 || coded == 0 || !whole {
            return Err(Fault::Broken("its blocks do not hold whole samples"));
        }
        Ok((block, coded * 2 / channels + in_header))
    }
}

fn read_u32<R: Read>(source: &mut R) -> Result<u32, Fault> {
    let mut bytes = [0; 4];
    source.read_exact(&mut bytes).map_err(Fault::Read)?;
    Ok(u32::from_le_bytes(bytes))
}
