//! When a call has just ended: which files are whole, and which is Asterisk about to close?

use std::{
    fs::{self, File},
    time::Duration,
};

use chrono::TimeDelta;
use perezvon::{
    edge::{
        clock,
        recordings::{Mp3, Reason, Tags},
    },
    logic::call::{Call, Detail, RecordingState},
};

use super::{Pbx, call, now, wav};

/// A call with this file whose last channel was gone so long ago, as CEL told.
fn ended(path: &str, ago: TimeDelta) -> Call {
    let ended_at = clock::now() - ago;
    Call { started_at: ended_at - TimeDelta::seconds(60), ended_at, detail: Detail::Full, ..call(&[path]) }
}

impl Pbx {
    /// A file with these bytes, last written so long ago.
    fn written(&self, name: &str, bytes: &[u8], ago: Duration) {
        let file = self.monitor().join(name);
        fs::write(&file, bytes).unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(now() - ago).unwrap();
    }

    async fn made(&self, call: &Call) -> Result<Mp3, Reason> {
        let made = self.library.convert(call, &Tags::default()).await;
        if let Ok(mp3) = &made {
            fs::remove_file(&mp3.file).unwrap();
        }
        made
    }

    async fn state_of(&self, mut call: Call) -> RecordingState {
        self.library.probe_call(&mut call).await;
        call.recordings[0].state
    }
}

fn is_growing(made: &Result<Mp3, Reason>) -> bool {
    matches!(made, Err(Reason::Growing { .. }))
}

const JUST_NOW: Duration = Duration::ZERO;
const AT_ONCE: TimeDelta = TimeDelta::milliseconds(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_header_is_whole_and_a_closed_header_alone_is_empty() {
    let pbx = Pbx::new();
    pbx.written("talk.wav", &wav(2.0), JUST_NOW);
    assert_eq!(pbx.made(&ended("talk.wav", AT_ONCE)).await.unwrap().seconds, 2.0);
    assert_eq!(pbx.state_of(ended("talk.wav", AT_ONCE)).await, RecordingState::Ready);

    pbx.written("nobody.wav", &wav(0.0), JUST_NOW);
    assert_eq!(pbx.made(&ended("nobody.wav", AT_ONCE)).await, Err(Reason::Empty));
    assert_eq!(pbx.state_of(ended("nobody.wav", AT_ONCE)).await, RecordingState::Empty);
    let cdr_alone = Call { detail: Detail::CdrOnly, ..ended("nobody.wav", AT_ONCE) };
    assert!(is_growing(&pbx.made(&cdr_alone).await), "the call may go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asterisk_has_not_closed_yet_is_waited_for_however_old_its_last_write_is() {
    let pbx = Pbx::new();
    let minute = Duration::from_secs(60);
    let mut unclosed = wav(2.0);
    unclosed[4..8].copy_from_slice(&[0; 4]);
    unclosed[40..44].copy_from_slice(&[0; 4]);
    // The last two seconds are in Asterisk's buffer; a talk of a second is there as a whole.
    for (name, bytes) in [("unclosed.wav", &unclosed[..]), ("short.wav", &[]), ("short.gsm", &[])] {
        pbx.written(name, bytes, minute);
        assert!(is_growing(&pbx.made(&ended(name, AT_ONCE)).await), "{name}");
        assert_eq!(pbx.state_of(ended(name, AT_ONCE)).await, RecordingState::Growing, "{name}");
    }
    let later = TimeDelta::seconds(10);
    assert_eq!(pbx.made(&ended("unclosed.wav", later)).await.unwrap().seconds, 2.0, "Asterisk died");
    assert_eq!(pbx.made(&ended("short.wav", later)).await, Err(Reason::Empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_a_header_are_whole_a_moment_after_the_call() {
    let pbx = Pbx::new();
    let call = |ago| ended("talk.ulaw", TimeDelta::seconds(ago));
    pbx.written("talk.ulaw", &[0x7f; 16_000], Duration::from_secs(2));
    assert!(is_growing(&pbx.made(&call(1)).await), "the rest may be in the buffer");
    assert_eq!(pbx.made(&call(4)).await.unwrap().seconds, 2.0);
    pbx.written("talk.ulaw", &[0x7f; 16_000], JUST_NOW);
    assert!(is_growing(&pbx.made(&call(4)).await), "it was written to just now");
}
