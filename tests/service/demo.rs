//! The demo from start to Ctrl-C.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// A running demo; killed when the test is over.
struct Demo {
    child: Child,
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
    folder: Option<tempfile::TempDir>,
}

impl Demo {
    fn start(more: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), more)
    }

    fn start_in(folder: tempfile::TempDir, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_perezvon"))
            .args(["demo", "--calls", "8", "--speed", "40", "--dir"])
            .arg(folder.path())
            .args(more)
            .env("LC_ALL", "en_US.UTF-8")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Self { child, lines, heard: Vec::new(), folder: Some(folder) }
    }

    /// Reads on until a line holds these words.
    fn until(&mut self, words: &str) -> String {
        let limit = Instant::now() + Duration::from_secs(90);
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no {words:?} in:\n{}", self.heard.join("\n"));
            };
            self.heard.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    fn address(&mut self, name: &str) -> String {
        let line = self.until(name);
        line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_demo_is_told_and_ctrl_c_ends_it_cleanly() {
    // Fails only when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut demo = Demo::start(&[]);
    let pages = demo.address("  Perezvon");
    let crm = demo.address("pretend amoCRM");
    let done = demo.until("Done: ");
    assert!(done.contains("0 failed"), "{done}");
    assert!(demo.heard.iter().any(|line| line.contains('☎') && line.contains("µs")), "{:#?}", demo.heard);
    assert!(demo.heard.iter().any(|line| line.contains('✓') && line.contains("MP3")), "{:#?}", demo.heard);
    for page in [&pages, &crm] {
        assert_eq!(reqwest::get(page).await.unwrap().status(), 200, "{page}");
    }
    demo.until("Ctrl-C ends it");
    let pid = demo.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    demo.until("Everything is kept in");
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    assert!(demo.folder.take().unwrap().path().join("perezvon.db").exists());
}

#[test]
fn a_demo_that_is_to_end_by_itself_does() {
    let mut demo = Demo::start(&["--exit"]);
    demo.until("Done: ");
    demo.until("Everything is kept in");
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_demo_in_the_same_folder_begins_anew() {
    let mut first = Demo::start(&["--exit"]);
    first.until("Everything is kept in");
    assert_eq!(first.child.wait().unwrap().code(), Some(0));
    let mut second = Demo::start_in(first.folder.take().unwrap(), &["--exit"]);
    let done = second.until("Done: ");
    assert!(done.contains("0 failed"), "{done}");
    second.until("Everything is kept in");
    assert_eq!(second.child.wait().unwrap().code(), Some(0));
}
