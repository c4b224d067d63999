//! GSM 06.10 full rate (ETSI EN 300 961), decoder only: 33-byte frames of `.gsm`, 65-byte pairs of "wav49".
//!
//! Sixteen-bit saturating arithmetic as the standard's reference writes it, so the output is bit-exact.

/// Samples of one frame: 20 ms at 8 kHz.
pub(super) const FRAME_SAMPLES: usize = 160;
/// Bytes of one frame in a `.gsm` file.
pub(super) const FRAME_BYTES: usize = 33;
/// Bytes of two frames in a WAV of format 0x31.
pub(super) const PAIR_BYTES: usize = 65;

const SUBFRAMES: usize = 4;
const SUBFRAME_SAMPLES: usize = 40;
const PULSES: usize = 13;
/// The longest look back of the long-term predictor.
const HISTORY: usize = 120;

/// Bits of each log area ratio (table 1.1).
const LAR_BITS: [u32; 8] = [6, 6, 5, 5, 4, 4, 3, 3];
/// Table 4.1: smallest coded value, offset and inverse step of each log area ratio.
const LAR_MIN: [i16; 8] = [-32, -32, -16, -16, -8, -8, -4, -4];
const LAR_OFFSET: [i16; 8] = [0, 0, 2048, -2560, 94, -1792, -341, -1144];
const LAR_INVERSE_STEP: [i16; 8] = [13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708];
/// Table 4.3b: gains of the long-term predictor.
const LONG_TERM_GAIN: [i16; 4] = [3277, 11469, 21299, 32767];
/// Table 4.6: normalised mantissas of the pulses' block maximum.
const MANTISSA: [i16; 8] = [18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767];

/// One frame as the encoder chose it, before any synthesis.
struct Parameters {
    ratios: [i16; 8],
    subframes: [Subframe; SUBFRAMES],
}

#[derive(Clone, Copy, Default)]
struct Subframe {
    lag: usize,
    gain: usize,
    grid: usize,
    maximum: i16,
    pulses: [i16; PULSES],
}

impl Parameters {
    /// Fields in the order of the standard; `take(n)` gives the next `n` bits as a number.
    fn read(mut take: impl FnMut(u32) -> i16) -> Self {
        let ratios = LAR_BITS.map(&mut take);
        let mut subframes = [Subframe::default(); SUBFRAMES];
        for subframe in &mut subframes {
            subframe.lag = take(7) as usize;
            subframe.gain = take(2) as usize;
            subframe.grid = take(2) as usize;
            subframe.maximum = take(6);
            subframe.pulses = std::array::from_fn(|_| take(3));
        }
        Self { ratios, subframes }
    }
}

/// How the ratios of the last frame and of this one make those of a stretch of samples.
type Mix = fn(i16, i16) -> i16;

/// The memory that one frame leaves to the next.
pub(super) struct Decoder {
    residual: [i16; HISTORY],
    lag: usize,
    ratios: [i16; 8],
    lattice: [i16; 9],
    deemphasis: i16,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { residual: [0; HISTORY], lag: 40, ratios: [0; 8], lattice: [0; 9], deemphasis: 0 }
    }

    /// Decodes one 33-byte frame: a nibble of magic, then fields from the highest bit down.
    pub(super) fn frame(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        let mut bit = 4;
        let parameters = Parameters::read(|count| {
            let value = (bit..bit + count as usize)
                .fold(0, |value, at| value << 1 | i16::from(bytes[at / 8] >> (7 - at % 8) & 1));
            bit += count as usize;
            value
        });
        self.synthesize(&parameters, samples);
    }

    /// Decodes one 65-byte pair of frames: no magic, fields from the lowest bit up, the second frame mid-byte.
    pub(super) fn pair(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        let mut bit = 0;
        for _ in 0..2 {
            let parameters = Parameters::read(|count| {
                let value = (0..count as usize)
                    .fold(0, |value, n| value | i16::from(bytes[(bit + n) / 8] >> ((bit + n) % 8) & 1) << n);
                bit += count as usize;
                value
            });
            self.synthesize(&parameters, samples);
        }
    }

    fn synthesize(&mut self, parameters: &Parameters, samples: &mut Vec<i16>) {
        let mut excitation = [0; FRAME_SAMPLES];
        for (subframe, part) in parameters.subframes.iter().zip(excitation.chunks_exact_mut(SUBFRAME_SAMPLES))
        {
            self.long_term(subframe, part);
        }
        let ratios = decode_ratios(&parameters.ratios);
        let before = std::mem::replace(&mut self.ratios, ratios);
        // 5.3.3: the filter glides from the ratios of the last frame to those of this one.
        let glide: [(usize, Mix); 4] = [
            (13, |old, new| sum(sum(old >> 2, new >> 2), old >> 1)),
            (14, |old, new| sum(old >> 1, new >> 1)),
            (13, |old, new| sum(sum(old >> 2, new >> 2), new >> 1)),
            (120, |_, new| new),
        ];
        let mut from = 0;
        for (length, mix) in glide {
            let coefficients = std::array::from_fn(|n| reflection(mix(before[n], ratios[n])));
            self.short_term(&coefficients, &excitation[from..from + length], samples);
            from += length;
        }
    }

    /// 5.3.1 and 5.3.2: pulses on their grid, plus the gained residual of `lag` samples ago.
    fn long_term(&mut self, subframe: &Subframe, out: &mut [i16]) {
        let mut pulses = [0; SUBFRAME_SAMPLES];
        for (n, value) in inverse_quantize(subframe).into_iter().enumerate() {
            pulses[subframe.grid + 3 * n] = value;
        }
        if (40..=HISTORY).contains(&subframe.lag) {
            self.lag = subframe.lag;
        }
        let gain = LONG_TERM_GAIN[subframe.gain];
        for (n, sample) in out.iter_mut().enumerate() {
            // The lag is never shorter than a subframe, so only the past is asked.
            *sample = sum(pulses[n], product(gain, self.residual[HISTORY - self.lag + n]));
        }
        self.residual.copy_within(SUBFRAME_SAMPLES.., 0);
        self.residual[HISTORY - SUBFRAME_SAMPLES..].copy_from_slice(out);
    }

    /// 5.3.4 and 5.3.5: the lattice filter, then de-emphasis.
    fn short_term(&mut self, reflection: &[i16; 8], excitation: &[i16], samples: &mut Vec<i16>) {
        for &input in excitation {
            let mut sample = input;
            for n in (0..8).rev() {
                sample = difference(sample, product(reflection[n], self.lattice[n]));
                self.lattice[n + 1] = sum(self.lattice[n], product(reflection[n], sample));
            }
            self.lattice[0] = sample;
            self.deemphasis = sum(sample, product(self.deemphasis, 28180));
            samples.push(sum(self.deemphasis, self.deemphasis) & !7);
        }
    }
}

/// 5.3.3: coded log area ratios → their values.
fn decode_ratios(coded: &[i16; 8]) -> [i16; 8] {
    std::array::from_fn(|n| {
        let steps = sum(coded[n], LAR_MIN[n]) << 10;
        let value = product(LAR_INVERSE_STEP[n], difference(steps, LAR_OFFSET[n] << 1));
        sum(value, value)
    })
}

/// 5.3.3: a log area ratio → a reflection coefficient, by three straight lines.
fn reflection(ratio: i16) -> i16 {
    let size = ratio.saturating_abs();
    let value = match size {
        ..11059 => size << 1,
        11059..20070 => size + 11059,
        _ => sum(size >> 2, 26112),
    };
    if ratio < 0 { -value } else { value }
}

/// 5.3.1: three-bit pulses and their block maximum → amplitudes.
fn inverse_quantize(subframe: &Subframe) -> [i16; PULSES] {
    let (exponent, mantissa) = split_maximum(subframe.maximum);
    let shift = 6 - exponent;
    let half = if shift > 0 { 1 << (shift - 1) } else { 0 };
    subframe.pulses.map(|pulse| sum(product(MANTISSA[mantissa], ((pulse << 1) - 7) << 12), half) >> shift)
}

/// 4.2.15: the coded block maximum is a small floating-point number.
fn split_maximum(coded: i16) -> (i16, usize) {
    let mut exponent = if coded > 15 { (coded >> 3) - 1 } else { 0 };
    let mut mantissa = coded - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, mantissa as usize - 8)
}

fn sum(a: i16, b: i16) -> i16 {
    a.saturating_add(b)
}

fn difference(a: i16, b: i16) -> i16 {
    a.saturating_sub(b)
}

/// The product of two fractions of 2¹⁵, rounded.
fn product(a: i16, b: i16) -> i16 {
    let wide = (i32::from(a) * i32::from(b) + (1 << 14)) >> 15;
    i16::try_from(wide).unwrap_or(i16::MAX)
}
