//! WAV → MP3 against the lame command at the same settings: processor time of whole processes, start included.

use std::{fs, path::Path, process::Command};

const SPEECH: &[u8] = include_bytes!("../sounds/speech.sln");
const ROUNDS: u32 = 7;
/// Linux counts processor time of ended children in hundredths of a second.
const TICKS: f64 = 100.0;

/// Measures and prints.
pub(crate) fn run() {
    let lame = Command::new("lame").arg("--version").output().is_ok_and(|output| output.status.success());
    if !lame {
        println!("lame is not installed: no ratio, only our own time (Debian: apt-get install lame)");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (seconds, repeat) in [(10, 16), (180, 1), (1800, 1)] {
        measure(folder.path(), seconds, repeat, lame);
    }
}

/// `repeat` conversions in a row lift short files above the clock's hundredths.
fn measure(folder: &Path, seconds: usize, repeat: u32, lame: bool) {
    let [wav, ours, theirs] = ["in.wav", "ours.mp3", "lame.mp3"].map(|name| folder.join(name));
    fs::write(&wav, wav_of(seconds)).expect("the folder takes a WAV");
    let convert = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perezvon"));
        command.arg("convert").arg(&wav).arg(&ours);
        processor_seconds(&mut command, repeat)
    };
    let reference = || {
        let mut command = Command::new("lame");
        // Without --resample lame takes "V7" for V3.5 at this rate: other settings, a quarter more bytes.
        command.args(["--quiet", "-V7", "-q7", "-m", "m", "--resample", "8"]).arg(&wav).arg(&theirs);
        processor_seconds(&mut command, repeat)
    };
    // In turns, so that another load on the machine strikes both alike.
    let rounds: Vec<(f64, f64)> =
        (0..ROUNDS).map(|_| (convert(), if lame { reference() } else { 0.0 })).collect();
    let median = |pick: fn(&(f64, f64)) -> f64| {
        let mut times: Vec<f64> = rounds.iter().map(pick).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (our_time, lame_time) = (median(|round| round.0), median(|round| round.1));
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    print!("{seconds} s of 8 kHz mono: {our_time:.3} CPU s, {} bytes", size(&ours));
    if lame {
        let ratio = our_time / lame_time;
        print!("; lame -V7 -q7: {lame_time:.3} CPU s, {} bytes; ratio {ratio:.2}", size(&theirs));
    }
    println!();
}

/// Processor time of one of `repeat` runs, seconds.
fn processor_seconds(command: &mut Command, repeat: u32) -> f64 {
    let before = children_ticks();
    for _ in 0..repeat {
        assert!(command.output().expect("the command starts").status.success(), "{command:?} fails");
    }
    (children_ticks() - before) / TICKS / f64::from(repeat)
}

/// User and system time of ended children: fields 16 and 17 of `/proc/self/stat`.
fn children_ticks() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
    // The name in parentheses may hold spaces; what follows it may not.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}

/// Synthetic speech over and over, each second a little louder or softer.
fn wav_of(seconds: usize) -> Vec<u8> {
    let mut samples = Vec::with_capacity(seconds * SPEECH.len());
    for second in 0..seconds {
        let loudness = 64 + (second * 37 % 64) as i32;
        samples.extend(SPEECH.chunks_exact(2).flat_map(|pair| {
            let sample = i32::from(i16::from_le_bytes([pair[0], pair[1]]));
            ((sample * loudness / 128) as i16).to_le_bytes()
        }));
    }
    let mut wav = b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    let size = wav.len() as u32 - 8;
    wav[4..8].copy_from_slice(&size.to_le_bytes());
    wav
}
