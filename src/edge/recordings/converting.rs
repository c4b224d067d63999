//! Recordings of a call → its one MP3, written so that a crash leaves either the whole file or none.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufReader, BufWriter},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use chrono::DateTime;
use tempfile::NamedTempFile;
use tracing::{debug, warn};

use super::{Mp3, Reason, Tags, finding, finding::Source, link::safe_name, over};
use crate::{
    edge::metrics,
    logic::{
        call::{Call, RecordingState},
        sound::{
            self, Coding, Fault, Made, Shape, Sound,
            joining::{Piece, choose},
            mpeg::Mpeg,
        },
    },
    settings::Bitrate,
};

/// Names of files being written begin so; they never look like a finished MP3.
const UNFINISHED: &str = ".unfinished-";
/// Recordings are for the service and its group alone.
const MODE: u32 = 0o640;
const BUFFER: usize = 64 * 1024;
/// No conversion takes so long: what is older was left by a killed process.
const ABANDONED: Duration = Duration::from_secs(6 * 3600);
/// Times of files and of calls agree about so well.
const EARLY: f64 = 5.0;
const LATE: f64 = 120.0;

/// `[recordings] mp3_folder`: `YYYY/MM/DD/CALL.mp3`, by the UTC day in the call's id.
pub(super) struct Shelf {
    folder: PathBuf,
    bitrate: Bitrate,
}

/// A recording that can be converted.
struct Ready {
    path: String,
    file: PathBuf,
    shape: Shape,
    piece: Piece,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf, bitrate: Bitrate) -> Self {
        Self { folder, bitrate }
    }

    /// Where a call's MP3 stands; derived from the id alone, and always below the folder.
    pub(super) fn place(&self, call_id: &str) -> PathBuf {
        let day = call_id
            .rsplit('-')
            .next()
            .and_then(|id| id.split('.').next())
            .filter(|seconds| seconds.len() == 10)
            .and_then(|seconds| seconds.parse().ok())
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map_or_else(|| "undated".to_owned(), |time| time.format("%Y/%m/%d").to_string());
        self.folder.join(day).join(format!("{}.mp3", safe_name(call_id)))
    }

    /// Makes the MP3, or finds it made. `all`: a recording that is not ready yet is a reason to wait.
    pub(super) fn convert(
        &self,
        source: &Source,
        call: &Call,
        tags: &Tags,
        all: bool,
    ) -> Result<Mp3, Reason> {
        let place = self.place(&call.id);
        if let Some(mp3) = finished(&place) {
            return Ok(mp3);
        }
        let begun = Instant::now();
        let made = self.make(place, source, call, tags, all);
        let result = if made.is_ok() { "ok" } else { "refused" };
        ::metrics::counter!(metrics::MP3, "result" => result).increment(1);
        ::metrics::histogram!(metrics::MP3_SECONDS).record(begun.elapsed());
        made
    }

    fn make(
        &self,
        place: PathBuf,
        source: &Source,
        call: &Call,
        tags: &Tags,
        all: bool,
    ) -> Result<Mp3, Reason> {
        let pieces = chosen(gather(source, call, all)?);
        let Some(first) = pieces.first() else { return Err(Reason::Empty) };
        let folder = place.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|error| Reason::writing(&error, &self.folder))?;
        let files: Vec<(&Path, &Shape)> =
            pieces.iter().map(|piece| (piece.file.as_path(), &piece.shape)).collect();
        let made = write(&place, &files, self.bitrate, tags, MODE)
            .and_then(|made| self.settle(folder).map(|()| made).map_err(Fault::Write))
            .map_err(|fault| Reason::of(fault, &first.path, &self.folder))?;
        debug!(call = call.id, seconds = made.seconds, bytes = made.bytes, "made an MP3");
        Ok(Mp3 { file: place, seconds: made.seconds, bytes: made.bytes })
    }

    /// fsync of the folders that may be new: after a power cut the day is still there.
    fn settle(&self, folder: &Path) -> io::Result<()> {
        let new = folder.ancestors().skip(1).take_while(|one| one.starts_with(&self.folder));
        new.into_iter().try_for_each(|one| File::open(one)?.sync_all())
    }

    /// Removes what killed conversions left and, with `keep`, MP3 older than that; says how many files.
    pub(super) fn clean(&self, now: SystemTime, keep: Option<Duration>) -> u64 {
        let mut removed = 0;
        self.clean_folder(&self.folder, now, keep, &mut removed);
        removed
    }

    fn clean_folder(&self, folder: &Path, now: SystemTime, keep: Option<Duration>, removed: &mut u64) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            if metadata.is_dir() {
                self.clean_folder(&path, now, keep, removed);
                continue;
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let allowed = if name.starts_with(UNFINISHED) {
                Some(ABANDONED)
            } else {
                keep.filter(|_| name.ends_with(".mp3"))
            };
            let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            if allowed.zip(age).is_some_and(|(allowed, age)| metadata.is_file() && age > allowed) {
                match fs::remove_file(&path) {
                    Ok(()) => *removed += 1,
                    Err(error) => warn!(file = %path.display(), %error, "cannot remove an old MP3"),
                }
            }
        }
        if keep.is_some() && folder != self.folder {
            // Goes only when empty; a day that still holds files stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Writes the MP3 of `files` joined to `place`: under a temporary name, fsync, rename, fsync of the folder, so that
/// the name means a whole file at any instant. An MP3 is copied as it is.
fn write(
    place: &Path,
    files: &[(&Path, &Shape)],
    bitrate: Bitrate,
    tags: &Tags,
    mode: u32,
) -> Result<Made, Fault> {
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut target = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(Fault::Write)?;
    let made = fill(&mut target, files, bitrate, tags)?;
    target.as_file().sync_all().map_err(Fault::Write)?;
    target.persist(place).map_err(|error| Fault::Write(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Fault::Write)?;
    Ok(made)
}

fn fill(
    target: &mut NamedTempFile,
    files: &[(&Path, &Shape)],
    bitrate: Bitrate,
    tags: &Tags,
) -> Result<Made, Fault> {
    if let [(file, Shape { coding: Coding::Mp3, seconds, .. })] = files {
        let mut source = finding::open(file).map_err(Fault::Read)?;
        let bytes = io::copy(&mut source, target).map_err(Fault::Write)?;
        return Ok(Made { seconds: *seconds, bytes });
    }
    let mut sounds = Vec::new();
    for (path, _) in files {
        let file = finding::open(path).map_err(Fault::Read)?;
        sounds.push(Sound::open(BufReader::with_capacity(BUFFER, file), &path.to_string_lossy())?);
    }
    sound::encode(&mut sounds, BufWriter::with_capacity(BUFFER, target), bitrate, tags)
}

/// One file to one MP3, growing or not.
///
/// # Errors
/// [`Fault::Empty`] and the other faults of the file, [`Fault::Write`] for `output`'s folder.
pub fn convert_file(input: &Path, output: &Path, bitrate: Bitrate) -> Result<Made, Fault> {
    let shape = finding::shape_of(input)?;
    write(output, &[(input, &shape)], bitrate, &Tags::default(), 0o644)
}

/// A finished MP3 that is whole; a rename put it there, so a first frame is proof enough.
fn finished(place: &Path) -> Option<Mp3> {
    let file = File::open(place).ok()?;
    let bytes = file.metadata().ok()?.len();
    let mpeg = Mpeg::of(&mut BufReader::new(file)).ok()?;
    Some(Mp3 { file: place.to_path_buf(), seconds: mpeg.seconds, bytes })
}

/// The recordings of a call that hold sound.
fn gather(source: &Source, call: &Call, all: bool) -> Result<Vec<Ready>, Reason> {
    let (mut ready, over) = (Vec::new(), over(call));
    let mut reason = if call.recordings.is_empty() { Reason::NotRecorded } else { Reason::Empty };
    let talks = call.recordings.iter().filter(|one| one.state != RecordingState::Empty);
    for path in talks.map(|one| &one.path) {
        let found = match source.find(path, call.started_at) {
            None => Err(Reason::Missing { path: path.clone() }),
            Some(file) => match finding::look(&file, over) {
                (_, true) => Err(Reason::Growing { path: path.clone() }),
                (Err(Fault::Empty), false) => continue,
                (Err(fault), false) => Err(Reason::of(fault, path, Path::new(""))),
                (Ok(shape), false) => {
                    Ok(Ready { piece: piece(&file, &shape, call), path: path.clone(), file, shape })
                }
            },
        };
        match found {
            // The same file under two names (CDR and CEL) is one recording.
            Ok(one) if ready.iter().any(|other: &Ready| other.file == one.file) => {}
            Ok(one) => ready.push(one),
            Err(why) if all && why.passes() => return Err(why),
            Err(why) => reason = why,
        }
    }
    if ready.is_empty() { Err(reason) } else { Ok(ready) }
}

/// Those of the ready that make up the whole call, in order of time.
fn chosen(ready: Vec<Ready>) -> Vec<Ready> {
    // MP3 that an admin's script made cannot be joined without loss: then the longest alone.
    let joinable = ready.iter().all(|one| one.shape.coding != Coding::Mp3);
    let alone = |one: &Ready| Piece { began: None, ..one.piece.clone() };
    let pieces: Vec<Piece> =
        ready.iter().map(|one| if joinable { one.piece.clone() } else { alone(one) }).collect();
    let mut ready: Vec<Option<Ready>> = ready.into_iter().map(Some).collect();
    choose(&pieces).into_iter().filter_map(|index| ready[index].take()).collect()
}

/// When a recording ran: up to its last change when that fits the call, else from the unique id in its name.
fn piece(file: &Path, shape: &Shape, call: &Call) -> Piece {
    let (from, to) = (call.started_at.timestamp() as f64 - EARLY, call.ended_at.timestamp() as f64 + LATE);
    let changed = fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    let by_change = changed
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .map(|time| (time.as_secs_f64() - shape.seconds, time.as_secs_f64()))
        .filter(|(began, ended)| *began >= from && *ended <= to)
        .map(|(began, _)| began);
    let by_name = || {
        let name = file.file_stem()?.to_str()?;
        let seconds: f64 = name.rsplit('-').next()?.split('.').next()?.parse().ok()?;
        Some(seconds).filter(|began| (from..=to).contains(began))
    };
    Piece { began: by_change.or_else(by_name), seconds: shape.seconds, rate: shape.rate }
}
