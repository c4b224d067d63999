//! Sound that resembles two people talking on a telephone: vowels as formants over a voice's pitch, hiss for consonants,
//! syllables in words, words in phrases, phrases in turns, pauses between. Nobody will understand a word.

use std::f32::consts::TAU;

use super::dice::Dice;

/// Samples a second, as Asterisk records.
pub(super) const RATE: u32 = 8000;

/// First three formants of а, э, и, о, у, Hz (textbook figures, rounded).
const VOWELS: [[f32; 3]; 5] = [
    [700.0, 1200.0, 2500.0],
    [500.0, 1800.0, 2500.0],
    [280.0, 2250.0, 2900.0],
    [500.0, 900.0, 2400.0],
    [300.0, 700.0, 2300.0],
];

/// A second-order resonator.
#[derive(Debug, Default, Clone, Copy)]
struct Resonator {
    a: f32,
    b: f32,
    c: f32,
    y1: f32,
    y2: f32,
}

impl Resonator {
    fn tune(&mut self, hertz: f32, width: f32) {
        let r = (-std::f32::consts::PI * width / RATE as f32).exp();
        self.c = -r * r;
        self.b = 2.0 * r * (TAU * hertz / RATE as f32).cos();
        self.a = 1.0 - self.b - self.c;
    }

    fn step(&mut self, x: f32) -> f32 {
        let y = self.a * x + self.b * self.y1 + self.c * self.y2;
        self.y2 = self.y1;
        self.y1 = y;
        y
    }
}

/// What one stretch of sound is.
#[derive(Debug, Clone, Copy)]
enum Part {
    Pause,
    Consonant,
    Vowel { from: f32, to: f32 },
}

/// Two voices in turn, without end.
#[derive(Debug)]
pub(super) struct Talk {
    dice: Dice,
    tract: [Resonator; 3],
    phase: f32,
    part: Part,
    done: u32,
    length: u32,
    second_voice: bool,
    syllables_left: u32,
    words_left: u32,
    loudness: f32,
}

impl Talk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            tract: [Resonator::default(); 3],
            phase: 0.0,
            part: Part::Pause,
            done: 0,
            length: RATE / 5,
            second_voice: seed.is_multiple_of(2),
            syllables_left: 0,
            words_left: 0,
            loudness: 0.0,
        }
    }

    pub(super) fn sample(&mut self) -> i16 {
        if self.done >= self.length {
            self.next_part();
        }
        let through = self.done as f32 / self.length as f32;
        self.done += 1;
        let noise = self.dice.unit() as f32 * 2.0 - 1.0;
        let envelope = (through * std::f32::consts::PI).sin();
        let voice = match self.part {
            Part::Pause => 0.0,
            Part::Consonant => noise * 0.10 * envelope,
            Part::Vowel { from, to } => {
                let pitch = from + (to - from) * through;
                self.phase = (self.phase + pitch / RATE as f32).fract();
                // The vocal folds open slowly and close at once.
                let folds = if self.phase < 0.6 { (self.phase / 0.6).powi(2) } else { 0.0 } - 0.2;
                self.tract.iter_mut().map(|tube| tube.step(folds + noise * 0.01)).sum::<f32>() * envelope
            }
        };
        ((voice * self.loudness + noise * 0.002) * 16_000.0).clamp(-30_000.0, 30_000.0) as i16
    }

    /// Consonant, vowel, consonant, vowel; after a word a breath; after a turn the other one speaks.
    fn next_part(&mut self) {
        self.done = 0;
        let milliseconds = |ms: f64| (ms * f64::from(RATE) / 1000.0) as u32;
        if let Part::Consonant = self.part {
            self.syllables_left = self.syllables_left.saturating_sub(1);
            let base = if self.second_voice { 205.0 } else { 115.0 };
            let from = base * self.dice.between(0.95, 1.2) as f32;
            let vowel = VOWELS[self.dice.below(VOWELS.len())];
            for ((tube, hertz), width) in self.tract.iter_mut().zip(vowel).zip([70.0, 90.0, 130.0]) {
                let taller = if self.second_voice { 1.15 } else { 1.0 };
                tube.tune(hertz * taller, width);
            }
            self.loudness = self.dice.between(0.6, 1.0) as f32;
            self.part = Part::Vowel { from, to: from * 0.9 };
            self.length = milliseconds(self.dice.between(90.0, 190.0));
        } else if self.syllables_left > 0 {
            self.part = Part::Consonant;
            self.length = milliseconds(self.dice.between(30.0, 80.0));
        } else {
            let turn = self.words_left == 0;
            if turn {
                self.second_voice = !self.second_voice;
                self.words_left = 3 + self.dice.below(9) as u32;
            }
            self.words_left -= 1;
            self.syllables_left = 1 + self.dice.below(4) as u32;
            self.part = Part::Pause;
            let pause = if turn { self.dice.between(300.0, 900.0) } else { self.dice.between(20.0, 160.0) };
            self.length = milliseconds(pause);
        }
        self.length = self.length.max(1);
    }
}

/// The ringing tone of Russian exchanges: 425 Hz, a second on, four off.
pub(super) fn ringing(sample: u64) -> i16 {
    let second = (sample / u64::from(RATE)) % 5;
    if second != 0 {
        return 0;
    }
    ((sample as f32 * 425.0 * TAU / RATE as f32).sin() * 5_000.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_is_loud_and_quiet_by_turns() {
        let mut talk = Talk::new(3);
        let tenths: Vec<f64> = (0..100)
            .map(|_| {
                (0..RATE / 10).map(|_| f64::from(talk.sample()).abs()).sum::<f64>() / f64::from(RATE / 10)
            })
            .collect();
        let loud = tenths.iter().filter(|level| **level > 400.0).count();
        let quiet = tenths.iter().filter(|level| **level < 100.0).count();
        assert!(loud > 30, "{loud} loud tenths of a second of 100: {tenths:?}");
        assert!(quiet > 3, "{quiet} quiet tenths of a second of 100: {tenths:?}");
    }
}
