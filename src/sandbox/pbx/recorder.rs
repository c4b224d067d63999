//! WAV files that grow while a call goes on, as MixMonitor writes them: the header says its sizes only at the end.

use std::{io::SeekFrom, ops::Range, path::PathBuf, time::Duration};

use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt},
    time::Instant,
};

use super::voice::{RATE, Talk, ringing};

/// How often a file grows.
const STEP: Duration = Duration::from_millis(200);

/// One file to be.
pub(super) struct Recorder {
    pub(super) path: PathBuf,
    /// When it is begun and closed.
    pub(super) open: Range<Instant>,
    /// Seconds of sound, `true` for talk and `false` for ringing.
    pub(super) sound: Vec<(bool, u32)>,
    pub(super) seed: u64,
}

impl Recorder {
    /// Writes the file at the pace of the call.
    pub(super) async fn run(self) -> std::io::Result<()> {
        tokio::time::sleep_until(self.open.start).await;
        if let Some(folder) = self.path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut file = File::create(&self.path).await?;
        file.write_all(&header(0)).await?;
        let samples: u64 = self.sound.iter().map(|(_, seconds)| u64::from(*seconds) * u64::from(RATE)).sum();
        let mut talk = Talk::new(self.seed);
        let mut written = 0;
        while written < samples {
            tokio::time::sleep(STEP.min(self.open.end.saturating_duration_since(Instant::now()))).await;
            let passed = (Instant::now() - self.open.start).as_secs_f64();
            let whole = (self.open.end - self.open.start).as_secs_f64().max(0.001);
            let until = ((passed / whole).min(1.0) * samples as f64) as u64;
            let bytes: Vec<u8> =
                (written..until).flat_map(|at| self.sample(at, &mut talk).to_le_bytes()).collect();
            file.write_all(&bytes).await?;
            file.flush().await?;
            written = until;
        }
        tokio::time::sleep_until(self.open.end).await;
        file.seek(SeekFrom::Start(0)).await?;
        file.write_all(&header(u32::try_from(samples * 2).unwrap_or(u32::MAX))).await?;
        file.flush().await
    }

    fn sample(&self, at: u64, talk: &mut Talk) -> i16 {
        let mut end = 0;
        for (talking, seconds) in &self.sound {
            end += u64::from(*seconds) * u64::from(RATE);
            if at < end {
                return if *talking { talk.sample() } else { ringing(at) };
            }
        }
        0
    }
}

/// 44 bytes before PCM of 16 bits, one channel.
fn header(bytes: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend((bytes + 36).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend([1, 0, 1, 0]);
    header.extend(RATE.to_le_bytes());
    header.extend((RATE * 2).to_le_bytes());
    header.extend([2, 0, 16, 0]);
    header.extend(b"data");
    header.extend(bytes.to_le_bytes());
    header
}
