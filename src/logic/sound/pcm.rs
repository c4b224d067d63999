//! A file's bytes → 16-bit samples, about a second at a time.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::{
    audio::{Channels, layouts},
    codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known},
    packet::PacketRef,
    units::{Duration, Timestamp},
};

use super::{Coding, Fault, Shape, gsm};

/// Sound being decoded.
pub struct Sound<R> {
    source: R,
    shape: Shape,
    codec: Codec,
    blocks_left: u64,
    bytes: Vec<u8>,
}

enum Codec {
    Symphonia(Box<dyn AudioDecoder>),
    Gsm(gsm::Decoder),
    GsmPairs(gsm::Decoder),
}

impl<R: Read + Seek> Sound<R> {
    /// Opens what `source` holds; `name` gives the format of files without a header.
    ///
    /// # Errors
    /// Every [`Fault`] but [`Fault::Write`]; an MP3 is [`Fault::Unsupported`], as it needs no conversion.
    pub fn open(mut source: R, name: &str) -> Result<Self, Fault> {
        let shape = Shape::of(&mut source, name)?;
        let codec = Codec::of(&shape)?;
        source.seek(SeekFrom::Start(shape.start)).map_err(Fault::Read)?;
        Ok(Self { source, blocks_left: shape.blocks, shape, codec, bytes: Vec::new() })
    }

    /// What the file holds.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Replaces `samples` by the next second or so, channels interleaved; leaves it empty at the end.
    /// A file that turned out shorter than it was ends early; a block that does not decode is silence.
    pub fn read(&mut self, samples: &mut Vec<i16>) -> Result<(), Fault> {
        samples.clear();
        let Shape { rate, block_bytes, block_samples, .. } = self.shape;
        let blocks = self.blocks_left.min(u64::from(rate / block_samples).max(1));
        self.bytes.resize(blocks as usize * block_bytes as usize, 0);
        let read = read_full(&mut self.source, &mut self.bytes).map_err(Fault::Read)?;
        let whole = read / block_bytes as usize;
        self.blocks_left = if (whole as u64) < blocks { 0 } else { self.blocks_left - blocks };
        for piece in self.bytes[..whole * block_bytes as usize].chunks(self.codec.piece(&self.shape)) {
            self.codec.decode(piece, &self.shape, samples);
        }
        Ok(())
    }
}

impl Codec {
    fn of(shape: &Shape) -> Result<Self, Fault> {
        let id = match shape.coding {
            Coding::Pcm8 => well_known::CODEC_ID_PCM_U8,
            Coding::Pcm16 => well_known::CODEC_ID_PCM_S16LE,
            Coding::Pcm24 => well_known::CODEC_ID_PCM_S24LE,
            Coding::Pcm32 => well_known::CODEC_ID_PCM_S32LE,
            Coding::Float32 => well_known::CODEC_ID_PCM_F32LE,
            Coding::Ulaw => well_known::CODEC_ID_PCM_MULAW,
            Coding::Alaw => well_known::CODEC_ID_PCM_ALAW,
            Coding::AdpcmMs => well_known::CODEC_ID_ADPCM_MS,
            Coding::AdpcmIma => well_known::CODEC_ID_ADPCM_IMA_WAV,
            Coding::Gsm => return Ok(Self::Gsm(gsm::Decoder::new())),
            Coding::GsmPairs => return Ok(Self::GsmPairs(gsm::Decoder::new())),
            Coding::Mp3 => return Err(Fault::Unsupported("An MP3".to_owned())),
        };
        symphonia_decoder(id, shape).map(Self::Symphonia)
    }

    /// How many bytes go through the codec at once.
    fn piece(&self, shape: &Shape) -> usize {
        match self {
            Self::Symphonia(_) if shape.block_samples == 1 => (shape.rate * shape.block_bytes) as usize,
            _ => shape.block_bytes as usize,
        }
    }

    fn decode(&mut self, piece: &[u8], shape: &Shape, samples: &mut Vec<i16>) {
        match self {
            Self::Gsm(decoder) => decoder.frame(piece, samples),
            Self::GsmPairs(decoder) => decoder.pair(piece, samples),
            Self::Symphonia(decoder) => {
                let blocks = piece.len() / shape.block_bytes as usize;
                let frames = blocks * shape.block_samples as usize;
                let packet = PacketRef::new(0, Timestamp::ZERO, Duration::new(frames as u64), piece);
                let from = samples.len();
                samples.resize(from + frames * usize::from(shape.channels), 0);
                if let Ok(decoded) = decoder.decode_ref(&packet)
                    && decoded.samples_interleaved() == samples.len() - from
                {
                    decoded.copy_to_slice_interleaved(&mut samples[from..]);
                }
            }
        }
    }
}

fn symphonia_decoder(id: AudioCodecId, shape: &Shape) -> Result<Box<dyn AudioDecoder>, Fault> {
    let channels: Channels = match shape.channels {
        1 => layouts::CHANNEL_LAYOUT_MONO,
        _ => layouts::CHANNEL_LAYOUT_STEREO,
    };
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(id).with_sample_rate(shape.rate).with_channels(channels);
    if shape.block_samples > 1 {
        parameters
            .with_max_frames_per_packet(u64::from(shape.block_samples))
            .with_frames_per_block(u64::from(shape.block_samples));
    }
    symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .map_err(|error| Fault::Unsupported(format!("{:?} ({error})", shape.coding)))
}

/// Fills `bytes` as far as `source` goes.
fn read_full<R: Read>(source: &mut R, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
