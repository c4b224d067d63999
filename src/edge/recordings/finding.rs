//! From what Asterisk wrote to a file inside `[recordings] source`, and nowhere else.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, BufReader},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use tracing::warn;

use super::Probed;
use crate::{
    edge::clock,
    logic::{
        call::RecordingState,
        sound::{Coding, Fault, Shape},
    },
};

/// Asterisk writes when its buffer is full or the file is closed; until then nobody sees that it grows.
const BUFFER: f64 = 32_768.0;
/// How long a file with a closed header is still watched, and how late a write may come.
const REST: Duration = Duration::from_secs(5);
/// The buffer's time in the thinnest format, GSM: for files that say nothing about themselves yet.
const LONGEST_REST: Duration = Duration::from_secs(25);
/// MixMonitor's thread ends the file some milliseconds after its channel; loaded machines need longer.
const CLOSING: Duration = Duration::from_secs(3);
/// Files without a header when their call is over: nothing came for so long.
const QUIET: Duration = Duration::from_millis(1500);
/// How far apart a fresh file is looked at twice.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);
/// What a name without extension may end with, and what a `.wav` may have been turned into by an admin's script.
const EXTENSIONS: [&str; 8] = ["wav", "mp3", "WAV", "gsm", "ulaw", "alaw", "sln", "wav16"];
/// How long the list of folders is believed.
const FOLDERS_FRESH: Duration = Duration::from_secs(600);
const MOST_FOLDERS: usize = 20_000;
const DEEPEST: usize = 6;

/// `[recordings] source`.
pub(super) struct Source {
    root: PathBuf,
    /// Folders below the root, for names without a date; read when first needed.
    folders: Mutex<Option<(Instant, Arc<[PathBuf]>)>>,
}

impl Source {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, folders: Mutex::new(None) }
    }

    /// The file that a recording's path or name means.
    ///
    /// In this order: the path below the root; when Asterisk sees the folder elsewhere (a container, a mount), the
    /// last parts of the path below the root; the day in the name; the days around the call; any folder.
    pub(super) fn find(&self, path: &str, started_at: DateTime<Utc>) -> Option<PathBuf> {
        let root = fs::canonicalize(&self.root).ok()?;
        let parts = inner_parts(path)?;
        let name = parts.last()?;
        let below = Path::new(path).strip_prefix(&self.root).ok().map(Path::to_path_buf);
        let tails = (0..parts.len()).map(|from| parts[from..].iter().collect::<PathBuf>());
        let days = name_days(&name.to_string_lossy()).into_iter().chain(days_around(started_at));
        let dated = days.map(|day| {
            let folder = format!("{:04}/{:02}/{:02}", day.year(), day.month(), day.day());
            Path::new(&folder).join(name)
        });
        let known = below.into_iter().chain(tails).chain(dated);
        known
            .into_iter()
            .find_map(|relative| existing(&root, &root.join(relative)))
            .or_else(|| self.folders(&root).iter().find_map(|folder| existing(&root, &folder.join(name))))
    }

    /// Finds and [`look`]s.
    pub(super) fn probe(&self, path: &str, started_at: DateTime<Utc>, over: Option<Duration>) -> Probed {
        let Some(file) = self.find(path, started_at) else {
            return Probed { seconds: 0.0, state: RecordingState::Missing, file: None };
        };
        let (shape, growing) = look(&file, over);
        let (seconds, state) = match (shape, growing) {
            (Ok(shape), true) => (shape.seconds, RecordingState::Growing),
            (Err(_), true) => (0.0, RecordingState::Growing),
            (Ok(shape), false) => (shape.seconds, RecordingState::Ready),
            (Err(Fault::Empty), false) => (0.0, RecordingState::Empty),
            (Err(_), false) => (0.0, RecordingState::Ready),
        };
        Probed { seconds, state, file: Some(file) }
    }

    fn folders(&self, root: &Path) -> Arc<[PathBuf]> {
        let mut folders = self.folders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*folders {
            Some((read_at, list)) if read_at.elapsed() < FOLDERS_FRESH => Arc::clone(list),
            _ => {
                let mut list = Vec::new();
                collect_folders(root, DEEPEST, &mut list);
                // The newest days first: that is where a call of now is.
                list.sort_unstable_by(|a, b| b.cmp(a));
                let list: Arc<[PathBuf]> = list.into();
                *folders = Some((Instant::now(), Arc::clone(&list)));
                list
            }
        }
    }
}

/// The parts of a path; none when it is empty, climbs, or holds what no file name can.
fn inner_parts(path: &str) -> Option<Vec<&OsStr>> {
    if path.contains('\0') {
        return None;
    }
    let mut parts = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                warn!(path, "a recording's path climbs out of its folder; it is not opened");
                return None;
            }
        }
    }
    if parts.is_empty() { None } else { Some(parts) }
}

/// The file itself, with another extension if need be, wherever symbolic links lead, when that is inside `root`.
fn existing(root: &Path, candidate: &Path) -> Option<PathBuf> {
    let other_names = || {
        let extension = candidate.extension().and_then(OsStr::to_str).unwrap_or("");
        let known = EXTENSIONS.iter().any(|one| one.eq_ignore_ascii_case(extension));
        EXTENSIONS.iter().map(move |other| {
            if known { candidate.with_extension(other) } else { appended(candidate, other) }
        })
    };
    std::iter::once(candidate.to_path_buf()).chain(other_names()).find_map(|name| {
        let file = fs::canonicalize(&name).ok()?;
        if !file.starts_with(root) {
            warn!(link = %name.display(), "leads out of [recordings] source; it is not opened");
            return None;
        }
        file.is_file().then_some(file)
    })
}

/// `a.31` + `wav` is `a.31.wav`: the digits after the dot of a unique id are no extension.
fn appended(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Days written as eight digits (`external-101-79161234567-20261120-142112-…`).
fn name_days(name: &str) -> Vec<NaiveDate> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() == 8 && run.starts_with("20"))
        .filter_map(|run| NaiveDate::parse_from_str(run, "%Y%m%d").ok())
        .collect()
}

/// The day of the call in any time zone.
fn days_around(started_at: DateTime<Utc>) -> [NaiveDate; 3] {
    let day = |hours| (started_at + TimeDelta::hours(hours)).date_naive();
    [day(0), day(14), day(-12)]
}

fn collect_folders(folder: &Path, depth: usize, list: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        // `file_type` does not follow links: a loop of them is not entered.
        if list.len() < MOST_FOLDERS && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list.push(entry.path());
            if depth > 1 {
                collect_folders(&entry.path(), depth - 1, list);
            }
        }
    }
}

/// What a file holds, and whether it is still growing. `over`: how long ago the last channel of its call was gone, when
/// that is known.
///
/// Asterisk writes a WAV's lengths last of all, behind all samples (`update_header` in format_wav.c, 16 to 22), so a
/// header that is closed when the call is over needs no second look. An MP3 an admin's script may still be writing.
pub(super) fn look(file: &Path, over: Option<Duration>) -> (Result<Shape, Fault>, bool) {
    let before = fs::metadata(file);
    let shape = shape_of(file);
    let growing = before.is_ok_and(|before| match &shape {
        Ok(shape) if shape.coding == Coding::Mp3 => is_younger(&before, REST) && has_grown(file, &before),
        Ok(shape) if shape.closed && shape.start > 0 => {
            over.is_none() && is_younger(&before, REST) && has_grown(file, &before)
        }
        // A header alone is written at the close, too.
        Err(Fault::Empty) if over.is_some() && before.len() > 0 => false,
        _ if over.is_some_and(|past| past < CLOSING) => true,
        Ok(shape) if shape.start == 0 && over.is_some() => is_younger(&before, QUIET),
        Ok(shape) => is_younger(&before, REST + buffered(shape)),
        Err(_) => is_younger(&before, LONGEST_REST),
    });
    (shape, growing)
}

/// How long sound can wait in Asterisk's buffer.
fn buffered(shape: &Shape) -> Duration {
    let samples = BUFFER / f64::from(shape.block_bytes) * f64::from(shape.block_samples);
    Duration::from_secs_f64(samples / f64::from(shape.rate))
}

pub(super) fn shape_of(file: &Path) -> Result<Shape, Fault> {
    let name = file.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let mut source = BufReader::new(open(file).map_err(Fault::Read)?);
    Shape::of(&mut source, &name)
}

/// Opens a recording that was found.
pub(super) fn open(file: &Path) -> io::Result<File> {
    File::open(file)
}

/// Whether the file was written so lately; a file server whose clock runs ahead counts as just now.
fn is_younger(metadata: &Metadata, age: Duration) -> bool {
    let now = SystemTime::from(clock::now());
    metadata.modified().is_ok_and(|modified| now.duration_since(modified).map_or(true, |past| past < age))
}

fn has_grown(file: &Path, before: &Metadata) -> bool {
    std::thread::sleep(BETWEEN_LOOKS);
    fs::metadata(file)
        .is_ok_and(|after| after.len() != before.len() || after.modified().ok() != before.modified().ok())
}
