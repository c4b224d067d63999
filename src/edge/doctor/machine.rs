//! The store, the folders, the encoder, the space left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Notes;
use crate::{
    edge::{
        recordings::convert_file,
        status::Health,
        store::{Store, StoreError},
    },
    settings::{Bitrate, Settings, StoreUrl},
};

const GIGABYTE: u64 = 1 << 30;

/// The store: opened as it is, nothing is made. None when it cannot be used.
pub(super) async fn store(settings: &Settings, notes: &mut Notes<'_>) -> Option<Store> {
    let url = settings.store.url.to_string();
    if let StoreUrl::Sqlite(path) = &settings.store.url
        && !path.exists()
    {
        not_made_yet(path, &url, notes);
        return None;
    }
    let answer = async {
        let store = Store::connect(&settings.store.url)?;
        let counts = store.count_calls_by_state().await?;
        Ok::<_, StoreError>((store, counts.values().sum::<u64>()))
    };
    match answer.await {
        Ok((store, calls)) => {
            notes.ok("store", "check.store", &[("url", &url), ("n", &calls.to_string())]);
            if let StoreUrl::Sqlite(path) = &settings.store.url {
                space("store", path, notes);
            }
            Some(store)
        }
        Err(StoreError::Query(error)) if says_no_table(&error.to_string()) => {
            notes.warn("store", "check.store_empty", &[("url", &url)]);
            None
        }
        Err(error) => {
            notes.fault("store", "check.store_bad", &[("url", &url), ("error", &error.to_string())]);
            None
        }
    }
}

fn says_no_table(error: &str) -> bool {
    error.contains("no such table") || error.contains("doesn't exist")
}

fn not_made_yet(path: &Path, url: &str, notes: &mut Notes<'_>) {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let folder_text = folder.display().to_string();
    match tempfile::NamedTempFile::new_in(folder) {
        Ok(_) => notes.warn("store", "check.store_empty", &[("url", url)]),
        Err(error) => {
            let values = [("folder", folder_text.as_str()), ("error", &error.to_string())];
            notes.fault("store", "check.store_folder", &values);
        }
    }
}

/// Asterisk's folder, ours, the encoder.
pub(super) fn recordings(settings: &Settings, notes: &mut Notes<'_>) {
    let source = &settings.recordings.source;
    let path = source.display().to_string();
    match fs::read_dir(source) {
        Ok(_) => notes.ok("recordings", "check.source", &[("path", &path)]),
        Err(error) => {
            // Without calls there is nothing to look for there yet.
            let health = if settings.pbx.database_url.is_some() { Health::Fault } else { Health::Warning };
            let values = [("path", path.as_str()), ("error", &error.to_string())];
            notes.note("recordings", health, "check.source_bad", &values);
        }
    }
    let folder = &settings.recordings.mp3_folder;
    let path = folder.display().to_string();
    if !folder.exists() {
        return match may_be_made(folder) {
            true => notes.ok("recordings", "check.mp3_later", &[("path", &path)]),
            false => {
                notes.fault("recordings", "check.mp3_folder", &[("path", &path), ("error", "no folder")])
            }
        };
    }
    match try_encoder(folder, settings.recordings.bitrate) {
        Ok(()) => notes.ok("recordings", "check.mp3", &[("path", &path)]),
        Err(Trial::Folder(error)) => {
            notes.fault("recordings", "check.mp3_folder", &[("path", &path), ("error", &error)]);
        }
        Err(Trial::Encoder(error)) => notes.fault("recordings", "check.encoder", &[("error", &error)]),
    }
    space("recordings", folder, notes);
}

/// Whether the nearest folder above that exists lets us write.
fn may_be_made(folder: &Path) -> bool {
    let here = Path::new(".");
    let above =
        folder.ancestors().skip(1).map(|above| if above.as_os_str().is_empty() { here } else { above });
    above.into_iter().find(|above| above.exists()).is_some_and(|above| tempfile::tempdir_in(above).is_ok())
}

enum Trial {
    Folder(String),
    Encoder(String),
}

/// Turns half a second of a tone into an MP3 there, and takes both away again.
fn try_encoder(folder: &Path, bitrate: Bitrate) -> Result<(), Trial> {
    let trial = tempfile::Builder::new().prefix(".check-").tempdir_in(folder);
    let trial = trial.map_err(|error| Trial::Folder(error.to_string()))?;
    let (wav, mp3): (PathBuf, PathBuf) = (trial.path().join("tone.wav"), trial.path().join("tone.mp3"));
    fs::write(&wav, tone()).map_err(|error| Trial::Folder(error.to_string()))?;
    convert_file(&wav, &mp3, bitrate).map_err(|error| Trial::Encoder(error.to_string()))?;
    Ok(())
}

/// A WAV of 0.5 s, 8 kHz, mono, 16 bit.
fn tone() -> Vec<u8> {
    const SAMPLES: u32 = 4_000;
    let mut wav = Vec::with_capacity(44 + SAMPLES as usize * 2);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + SAMPLES * 2).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&(SAMPLES * 2).to_le_bytes());
    for sample in 0..SAMPLES {
        let wave = (f64::from(sample) * 0.35).sin() * 8_000.0;
        wav.extend_from_slice(&(wave as i16).to_le_bytes());
    }
    wav
}

/// Warns below a gigabyte: a day of calls of a busy office.
fn space(part: &'static str, path: &Path, notes: &mut Notes<'_>) {
    let Ok(volume) = rustix::fs::statvfs(path) else { return };
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    if free < GIGABYTE {
        let (megabytes, path) = ((free >> 20).to_string(), path.display().to_string());
        notes.warn(part, "check.space", &[("mb", &megabytes), ("path", &path)]);
    }
}
