//! Files, links, ranges.

mod closing;

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use perezvon::{
    edge::{
        clock,
        recordings::{BadLink, Library, Mp3, Reason, Tags},
        web::recordings::router,
    },
    logic::{
        call::{Call, Detail, Direction, Outcome, Recording, RecordingState},
        sound::mpeg::Mpeg,
    },
    settings::{Language, Secret, Settings, Span},
};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::harness::stores;

/// Unix second of the calls' start: 2026-11-20 11:21:12 UTC, 14:21:12 in Moscow.
const START: i64 = 1_795_173_672;
const NAME: &str = "external-101-79161234567-20261120-142112-1795173672.31.wav";

/// A monitor folder, an MP3 folder and a library of them.
struct Pbx {
    root: TempDir,
    settings: Settings,
    library: Library,
}

impl Pbx {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.http.public_url = "https://pbx.example.ru/".to_owned();
        settings.recordings.source = root.path().join("monitor");
        settings.recordings.mp3_folder = root.path().join("mp3");
        change(&mut settings);
        fs::create_dir_all(root.path().join("monitor/2026/11/20")).unwrap();
        let library = Library::new(&settings, Secret::new("a key"));
        Self { root, settings, library }
    }

    fn monitor(&self) -> PathBuf {
        self.root.path().join("monitor")
    }

    /// Writes a recording of so many seconds that was closed long ago.
    fn record(&self, path: &str, seconds: f64) -> PathBuf {
        self.record_until(path, seconds, SystemTime::UNIX_EPOCH + Duration::from_secs(START as u64 + 60))
    }

    fn record_until(&self, path: &str, seconds: f64, ended: SystemTime) -> PathBuf {
        let file = self.monitor().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, wav(seconds)).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(ended).unwrap();
        file
    }

    fn state(&self, path: &str) -> RecordingState {
        self.library.probe(&recording(path), started_at()).state
    }

    async fn convert(&self, paths: &[&str]) -> Result<Mp3, Reason> {
        self.library.convert(&call(paths), &Tags::default()).await
    }

    /// Files below the MP3 folder.
    fn shelf(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.settings.recordings.mp3_folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

fn now() -> SystemTime {
    clock::now().into()
}

fn started_at() -> DateTime<Utc> {
    DateTime::from_timestamp(START, 0).unwrap()
}

fn recording(path: &str) -> Recording {
    Recording { path: path.to_owned(), seconds: 0.0, state: RecordingState::Missing }
}

fn call(paths: &[&str]) -> Call {
    Call {
        id: format!("{START}.31"),
        linkedids: vec![format!("{START}.31")],
        direction: Direction::Inbound,
        client: Some("+79161234567".to_owned()),
        did: None,
        trunk: None,
        started_at: started_at(),
        answered_at: Some(started_at()),
        ended_at: started_at() + TimeDelta::seconds(60),
        outcome: Outcome::Talked,
        missed_at: None,
        lost_after: None,
        talk_seconds: 50,
        conversations: Vec::new(),
        recordings: paths.iter().map(|path| recording(path)).collect(),
        menus: Vec::new(),
        cut: false,
        detail: Detail::Full,
    }
}

/// A tone of 8 kHz, 16 bit, mono.
pub(crate) fn wav(seconds: f64) -> Vec<u8> {
    let samples: Vec<u8> = (0..(seconds * 8000.0) as u32)
        .flat_map(|n| (((f64::from(n) * 0.35).sin() * 9000.0) as i16).to_le_bytes())
        .collect();
    let mut file = b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    file.extend((samples.len() as u32).to_le_bytes());
    file.extend(&samples);
    let size = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

fn mpeg(file: &Path) -> Mpeg {
    Mpeg::of(&mut fs::File::open(file).unwrap()).unwrap()
}

#[test]
fn a_recording_is_found_however_asterisk_spelled_it() {
    let pbx = Pbx::new();
    let dated = pbx.record(&format!("2026/11/20/{NAME}"), 1.0);
    let inside = dated.to_string_lossy().into_owned();
    for spelling in [
        inside.as_str(),
        &format!("2026/11/20/{NAME}"),
        NAME,
        NAME.trim_end_matches(".wav"),
        // Asterisk in a container sees the folder elsewhere.
        &format!("/var/spool/asterisk/monitor/2026/11/20/{NAME}"),
    ] {
        let probed = pbx.library.probe(&recording(spelling), started_at());
        assert_eq!(probed.state, RecordingState::Ready, "{spelling}");
        assert_eq!((probed.seconds, probed.file), (1.0, Some(fs::canonicalize(&dated).unwrap())));
    }
    pbx.record("2026/11/21/no-date.wav", 1.0);
    assert_eq!(pbx.state("no-date.wav"), RecordingState::Ready, "the day after the call's, in UTC+14");
    pbx.record("queues/sales/plain.wav", 1.0);
    assert_eq!(pbx.state("plain.wav"), RecordingState::Ready, "in any folder");
    pbx.record("2026/11/20/turned.mp3", 1.0);
    assert!(
        pbx.library.probe(&recording("turned.wav"), started_at()).file.is_some(),
        "an admin's script made MP3"
    );
    assert_eq!(pbx.state("20261120-nowhere.wav"), RecordingState::Missing);
    assert_eq!(pbx.state(""), RecordingState::Missing);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let pbx = Pbx::new();
    let secret = pbx.root.path().join("secret.wav");
    fs::write(&secret, wav(1.0)).unwrap();
    fs::create_dir(pbx.root.path().join("monitor-of-others")).unwrap();
    fs::write(pbx.root.path().join("monitor-of-others/x.wav"), wav(1.0)).unwrap();
    symlink(&secret, pbx.monitor().join("linked.wav")).unwrap();
    symlink(pbx.root.path(), pbx.monitor().join("up")).unwrap();
    symlink(pbx.monitor(), pbx.monitor().join("loop")).unwrap();
    for path in [
        "../secret.wav",
        "2026/../../secret.wav",
        "/../secret.wav",
        secret.to_str().unwrap(),
        "linked.wav",
        "up/secret.wav",
        "secret.wav",
        "../monitor-of-others/x.wav",
        "x.wav",
        "..",
        "/",
        "linked.wav\0.wav",
        "/etc/passwd",
    ] {
        let probed = pbx.library.probe(&recording(path), started_at());
        assert_eq!((probed.state, probed.file), (RecordingState::Missing, None), "{path:?}");
    }
    pbx.record("2026/11/20/inside.wav", 1.0);
    symlink(pbx.monitor().join("2026/11/20/inside.wav"), pbx.monitor().join("alias.wav")).unwrap();
    assert_eq!(pbx.state("alias.wav"), RecordingState::Ready, "a link that stays inside is followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_file_is_waited_for() {
    let pbx = Pbx::new();
    let path = pbx.record_until("2026/11/20/now.wav", 2.0, now());
    let mut unclosed = fs::read(&path).unwrap();
    unclosed[4..8].copy_from_slice(&[0; 4]);
    unclosed[40..44].copy_from_slice(&[0; 4]);
    fs::write(&path, &unclosed).unwrap();
    assert_eq!(pbx.state("now.wav"), RecordingState::Growing, "its header is open and it is fresh");
    let reason = pbx.convert(&["now.wav"]).await.unwrap_err();
    assert!(matches!(&reason, Reason::Growing { .. }) && reason.retryable() && reason.passes(), "{reason}");
    assert!(pbx.shelf().is_empty());

    fs::write(&path, wav(3.0)).unwrap();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..20 {
            file.write_all(&[0; 1600]).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(pbx.state("now.wav"), RecordingState::Growing, "its header is closed, yet bytes come");
    writer.join().unwrap();

    fs::write(&path, wav(3.0)).unwrap();
    assert_eq!(pbx.state("now.wav"), RecordingState::Ready, "closed a moment ago");
    fs::write(&path, &unclosed).unwrap();
    pbx.record_until("2026/11/20/crashed.wav", 1.0, now());
    let long_ago = now() - Duration::from_secs(60);
    fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(
        pbx.state("now.wav"),
        RecordingState::Ready,
        "never closed, and nothing came for long: a crash"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_becomes_one_mp3_and_is_not_made_twice() {
    let pbx = Pbx::new();
    pbx.record(&format!("2026/11/20/{NAME}"), 5.0);
    let mut seen = call(&[NAME]);
    pbx.library.probe_call(&mut seen).await;
    assert_eq!((seen.recordings[0].seconds, seen.recordings[0].state), (5.0, RecordingState::Ready));
    let tags = Tags { title: "+79161234567 → 101".to_owned(), at: Some(started_at()), ..Tags::default() };
    let made = pbx.library.convert(&seen, &tags).await.unwrap();
    assert_eq!(made.seconds, 5.0);
    assert_eq!(made.bytes, fs::metadata(&made.file).unwrap().len());
    assert_eq!(made.file, pbx.settings.recordings.mp3_folder.join("2026/11/20/1795173672.31.mp3"));
    assert_eq!(fs::metadata(&made.file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!((mpeg(&made.file).seconds - 5.0).abs() < 0.001);
    assert_eq!(pbx.library.finished(&seen.id), Some(made.file.clone()));
    let before = fs::metadata(&made.file).unwrap().modified().unwrap();
    fs::remove_dir_all(pbx.monitor()).unwrap();
    let again = pbx.library.convert(&seen, &tags).await.unwrap();
    assert_eq!((&again.file, again.bytes), (&made.file, made.bytes));
    assert!((again.seconds - 5.0).abs() < 0.001);
    assert_eq!(fs::metadata(&made.file).unwrap().modified().unwrap(), before);
    assert_eq!(pbx.shelf(), [made.file]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_conversions_of_one_call_at_once_leave_one_whole_file() {
    let pbx = Pbx::new();
    pbx.record(&format!("2026/11/20/{NAME}"), 20.0);
    let made = futures::future::join_all((0..8).map(|_| pbx.convert(&[NAME]))).await;
    assert!(made.iter().all(Result::is_ok));
    assert_eq!(pbx.shelf().len(), 1);
    assert!((mpeg(&pbx.shelf()[0]).seconds - 20.0).abs() < 0.001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_mp3_is_made_again() {
    let pbx = Pbx::new();
    pbx.record(&format!("2026/11/20/{NAME}"), 2.0);
    let made = pbx.convert(&[NAME]).await.unwrap();
    fs::write(&made.file, b"").unwrap();
    assert_eq!(pbx.convert(&[NAME]).await.unwrap().bytes, made.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_converted_gets_a_reason_and_no_file() {
    let pbx = Pbx::new();
    pbx.record("2026/11/20/header.wav", 0.0);
    let broken = pbx.record("2026/11/20/page.wav", 1.0);
    fs::write(&broken, "<html>no such recording</html>").unwrap();
    let old = now() - Duration::from_secs(600);
    fs::File::options().write(true).open(&broken).unwrap().set_modified(old).unwrap();
    assert_eq!(pbx.state("header.wav"), RecordingState::Empty);
    assert_eq!(pbx.convert(&["header.wav"]).await, Err(Reason::Empty));
    assert_eq!(pbx.convert(&[]).await, Err(Reason::NotRecorded));
    let reason = pbx.convert(&["page.wav"]).await.unwrap_err();
    assert!(matches!(reason, Reason::Unusable { .. }) && !reason.retryable(), "{reason}");
    let reason = pbx.convert(&["20261120-gone.wav"]).await.unwrap_err();
    assert!(matches!(reason, Reason::Missing { .. }) && reason.retryable() && reason.passes(), "{reason}");
    let mut missed = call(&[NAME]);
    pbx.record(&format!("2026/11/20/{NAME}"), 30.0);
    missed.recordings[0].state = RecordingState::Empty;
    let reason = pbx.library.convert(&missed, &Tags::default()).await;
    assert_eq!(reason, Err(Reason::Empty), "ringing tones of a missed call are not registered, however long");
    assert!(pbx.shelf().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_takes_no_file_is_said_plainly_and_left_clean() {
    // A file where a folder should be: refused even to root, whom modes do not stop.
    let pbx = Pbx::with(|settings| settings.recordings.mp3_folder.push("taken/mp3"));
    fs::create_dir(pbx.root.path().join("mp3")).unwrap();
    fs::write(pbx.root.path().join("mp3/taken"), "").unwrap();
    pbx.record(&format!("2026/11/20/{NAME}"), 2.0);
    let reason = pbx.convert(&[NAME]).await.unwrap_err();
    assert!(
        matches!(reason, Reason::Unwritable { .. }) && reason.retryable() && !reason.passes(),
        "{reason}"
    );
    assert!(reason.to_string().contains("mp3_folder"), "{reason}");
    fs::remove_file(pbx.root.path().join("mp3/taken")).unwrap();
    assert!(pbx.convert(&[NAME]).await.is_ok(), "once it was mended, the same request succeeds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_gives_its_whole_file_and_a_call_in_two_parts_both() {
    let pbx = Pbx::new();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(START as u64 + seconds);
    // FreePBX: the first file runs to the end of the call, the second repeats its last part.
    pbx.record_until("2026/11/20/whole.wav", 50.0, at(55));
    pbx.record_until("2026/11/20/second.wav", 20.0, at(55));
    let made = pbx.convert(&["second.wav", "whole.wav"]).await.unwrap();
    assert_eq!(made.seconds, 50.0);
    fs::remove_file(&made.file).unwrap();
    pbx.record_until("2026/11/20/first.wav", 20.0, at(25));
    let made = pbx.convert(&["second.wav", "first.wav"]).await.unwrap();
    assert_eq!(made.seconds, 40.0, "one after another: both");
    fs::remove_file(&made.file).unwrap();
    let mut recent = call(&["first.wav", "20261120-not-yet.wav"]);
    recent.ended_at = clock::now();
    let reason = pbx.library.convert(&recent, &Tags::default()).await.unwrap_err();
    assert!(reason.passes(), "{reason}");
    recent.ended_at = clock::now() - TimeDelta::hours(1);
    let made = pbx.library.convert(&recent, &Tags::default()).await.unwrap();
    assert_eq!(made.seconds, 20.0, "the waiting is over: what is there is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_mp3_that_the_pbx_made_is_copied() {
    let pbx = Pbx::new();
    pbx.record(&format!("2026/11/20/{NAME}"), 3.0);
    let made = pbx.convert(&[NAME]).await.unwrap();
    let bytes = fs::read(&made.file).unwrap();
    fs::write(pbx.record("2026/11/20/own.mp3", 1.0), &bytes).unwrap();
    fs::File::options()
        .write(true)
        .open(pbx.monitor().join("2026/11/20/own.mp3"))
        .unwrap()
        .set_modified(now() - Duration::from_secs(60))
        .unwrap();
    fs::remove_file(&made.file).unwrap();
    let copied = pbx.convert(&["own.mp3"]).await.unwrap();
    assert_eq!(fs::read(&copied.file).unwrap(), bytes);
    assert!((copied.seconds - 3.0).abs() < 0.001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_id_from_outside_is_only_ever_a_name() {
    let pbx = Pbx::new();
    pbx.record(&format!("2026/11/20/{NAME}"), 1.0);
    for id in ["../../../etc/passwd", "..", "/etc/passwd", "pbx-1795173672.31", "а б", ".hidden", "a\0b"] {
        let mut call = call(&[NAME]);
        call.id = id.to_owned();
        let made = pbx.library.convert(&call, &Tags::default()).await.unwrap();
        let file = fs::canonicalize(&made.file).unwrap();
        assert!(
            file.starts_with(fs::canonicalize(&pbx.settings.recordings.mp3_folder).unwrap()),
            "{id}: {file:?}"
        );
    }
    assert_eq!(pbx.shelf().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_mp3_and_abandoned_beginnings_are_removed_and_nothing_else() {
    let pbx = Pbx::with(|settings| settings.recordings.keep = Span::secs(30 * 86400));
    let shelf = &pbx.settings.recordings.mp3_folder;
    let put = |path: &str, days: u64| {
        let file = shelf.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "x").unwrap();
        let time = now() - Duration::from_secs(days * 86400);
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        file
    };
    let kept =
        [put("2026/11/01/1.mp3", 29), put("2026/10/01/notes.txt", 90), put("2026/11/20/.unfinished-a", 0)];
    let gone = [put("2026/10/01/2.mp3", 31), put("2026/09/01/3.mp3", 60), put("2026/11/20/.unfinished-b", 1)];
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    pbx.library.run_cleanup(stop).await;
    assert!(kept.iter().all(|file| file.exists()));
    assert!(!gone.iter().any(|file| file.exists()));
    assert!(!shelf.join("2026/09").exists(), "empty folders go too");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_links_is_made_once_and_kept() {
    for fresh in stores().await {
        let settings = Settings::default();
        let first = Library::open(&settings, &fresh.store).await.unwrap();
        let second = Library::open(&settings, &fresh.store).await.unwrap();
        assert_eq!(first.link("1.1", None), second.link("1.1", None), "{}", fresh.engine);
        let mut with_key = Settings::default();
        with_key.recordings.link_secret = Secret::new("from the settings");
        let third = Library::open(&with_key, &fresh.store).await.unwrap();
        assert_ne!(first.link("1.1", None), third.link("1.1", None), "{}", fresh.engine);
    }
}

/// An answer read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(library: &Arc<Library>, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router(Arc::clone(library), Language::Ru)
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A library with one MP3, its bytes and the path of its link.
async fn published(pbx: &Pbx) -> (Arc<Library>, Vec<u8>, String) {
    pbx.record(&format!("2026/11/20/{NAME}"), 150.0);
    let made = pbx.convert(&[NAME]).await.unwrap();
    let library = Arc::new(Library::new(&pbx.settings, Secret::new("a key")));
    let link = library.link(&format!("{START}.31"), None);
    let path = link.strip_prefix("https://pbx.example.ru").unwrap().to_owned();
    assert!(path.starts_with("/recordings/1795173672.31/") && path.ends_with(".mp3"), "{path}");
    (library, fs::read(made.file).unwrap(), path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_link_plays_and_every_range_is_exact() {
    let pbx = Pbx::new();
    let (library, bytes, path) = published(&pbx).await;
    let whole = ask(&library, Method::GET, &path, &[]).await;
    assert_eq!((whole.status, whole.body == bytes), (StatusCode::OK, true));
    for (name, value) in [
        ("content-type", "audio/mpeg"),
        ("accept-ranges", "bytes"),
        ("access-control-allow-origin", "*"),
        ("content-length", &bytes.len().to_string()),
        ("content-disposition", ""),
    ] {
        assert_eq!(whole.header(name), value, "{name}");
    }
    let length = bytes.len();
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=0-".to_owned(), 0, length - 1),
        ("bytes=100-199".to_owned(), 100, 199),
        ("bytes=-7".to_owned(), length - 7, length - 1),
        (format!("bytes={}-{}", length - 1, length + 10), length - 1, length - 1),
        ("bytes=65530-70000".to_owned(), 65530, 70000),
    ] {
        let part = ask(&library, Method::GET, &path, &[("range", &range)]).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(part.body, bytes[first..=last], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/{length}"));
        assert_eq!(part.header("content-length"), (last - first + 1).to_string());
        let head = ask(&library, Method::HEAD, &path, &[("range", &range)]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::PARTIAL_CONTENT, 0));
        assert_eq!(head.header("content-length"), (last - first + 1).to_string());
    }
    let beyond = ask(&library, Method::GET, &path, &[("range", &format!("bytes={length}-"))]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!((beyond.header("content-range"), beyond.body.len()), (&*format!("bytes */{length}"), 0));
    let several = ask(&library, Method::GET, &path, &[("range", "bytes=0-1,5-6")]).await;
    assert_eq!((several.status, several.body.len()), (StatusCode::OK, length));
    let preflight = ask(&library, Method::OPTIONS, &path, &[]).await;
    assert_eq!(preflight.header("access-control-allow-headers"), "Range, If-Range");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_not_changed_is_not_sent_again() {
    let pbx = Pbx::new();
    let (library, bytes, path) = published(&pbx).await;
    let whole = ask(&library, Method::GET, &path, &[]).await;
    let (tag, date) = (whole.header("etag"), whole.header("last-modified"));
    assert!(tag.starts_with('"') && date.ends_with(" GMT"));
    for known in [("if-none-match", tag), ("if-modified-since", date)] {
        let answer = ask(&library, Method::GET, &path, &[known]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known:?}");
    }
    let same = ask(&library, Method::GET, &path, &[("range", "bytes=0-9"), ("if-range", tag)]).await;
    assert_eq!(same.body, bytes[..10]);
    let other = ask(&library, Method::GET, &path, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await;
    assert_eq!((other.status, other.body.len()), (StatusCode::OK, bytes.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_expired_link_is_refused_before_the_disk_is_asked() {
    let pbx = Pbx::new();
    let (library, _, path) = published(&pbx).await;
    let signature = path.rsplit('/').next().unwrap().to_owned();
    let past = library.link(&format!("{START}.31"), Some(clock::now() - TimeDelta::seconds(1)));
    let hour = library.link(&format!("{START}.31"), Some(clock::now() + TimeDelta::hours(1)));
    let path_of = |link: &str| link.strip_prefix("https://pbx.example.ru").unwrap().to_owned();
    assert_eq!(ask(&library, Method::GET, &path_of(&hour), &[]).await.status, StatusCode::OK);
    for wrong in [
        path_of(&past),
        path.replace(".mp3", ""),
        path.replace(".31/", ".32/"),
        format!("{}A.mp3", path.trim_end_matches(".mp3")),
        format!("/recordings/{START}.31/.mp3"),
        format!("/recordings/..%2F..%2Fmonitor%2Fsecret/{signature}"),
        format!("/recordings/%2Fetc%2Fpasswd/{signature}"),
        format!("/recordings/{START}.31%00/{signature}"),
        format!("/recordings/%2e%2e/{signature}"),
    ] {
        let answer = ask(&library, Method::GET, &wrong, &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{wrong}");
        assert!(!answer.body.is_empty());
    }
    let other_key = Arc::new(Library::new(&pbx.settings, Secret::new("another key")));
    assert_eq!(ask(&other_key, Method::GET, &path, &[]).await.status, StatusCode::FORBIDDEN);
    let without = Library::new(&pbx.settings, Secret::default());
    let empty = Library::new(&pbx.settings, Secret::default());
    assert_eq!(
        without.verify(
            "1.1",
            empty.link("1.1", None).rsplit('/').next().unwrap().trim_end_matches(".mp3"),
            clock::now()
        ),
        Err(BadLink::Changed),
        "no key is never an empty key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_gone_says_so_to_a_person() {
    let pbx = Pbx::new();
    let library = Arc::new(Library::new(&pbx.settings, Secret::new("a key")));
    let link = library.link("1795173672.99", None);
    let answer = ask(&library, Method::GET, link.strip_prefix("https://pbx.example.ru").unwrap(), &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(String::from_utf8(answer.body).unwrap().contains("Записи этого звонка здесь нет"));
}

#[test]
fn a_link_expires_as_long_after_the_call_as_the_settings_say() {
    let pbx = Pbx::with(|settings| settings.recordings.link_lifetime = Span::secs(3600));
    assert_eq!(pbx.library.expiry(started_at()), Some(started_at() + TimeDelta::hours(1)));
    assert_eq!(Pbx::new().library.expiry(started_at()), None);
}

fn convert_command(input: &Path, output: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_perezvon"));
    command.current_dir(input.parent().unwrap()).env("LC_ALL", "C").arg("convert").arg(input).arg(output);
    command
}

#[test]
fn the_command_converts_one_file_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.wav", "out.mp3"].map(|name| folder.path().join(name));
    fs::write(&input, wav(12.0)).unwrap();
    let done = convert_command(&input, &output).arg("--json").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["seconds"], 12.0);
    assert_eq!(report["output_bytes"], fs::metadata(&output).unwrap().len());
    assert!((mpeg(&output).seconds - 12.0).abs() < 0.001);
    for (what, bytes, said) in [
        ("a header", wav(0.0), "no sound in it"),
        ("a page", b"<html>no such recording</html>".to_vec(), "not a sound file"),
    ] {
        let output = folder.path().join("never.mp3");
        fs::write(&input, bytes).unwrap();
        let refused = convert_command(&input, &output).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{what}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(said), "{what}");
        assert!(!output.exists(), "{what}");
    }
    let same = convert_command(&input, &input).output().unwrap();
    assert_eq!(same.status.code(), Some(2));
}

#[test]
fn a_conversion_killed_at_any_moment_leaves_the_whole_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.wav", "out.mp3"].map(|name| folder.path().join(name));
    fs::write(&input, wav(600.0)).unwrap();
    let mut cut_off = 0;
    for round in 0..12 {
        let mut child = convert_command(&input, &output).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + 60 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        if output.exists() {
            assert!((mpeg(&output).seconds - 600.0).abs() < 0.001);
            fs::remove_file(&output).unwrap();
        } else {
            cut_off += 1;
        }
    }
    assert!(cut_off > 0, "no round came in time to cut a conversion off");
}
