//! From the hang-up to the CRM: no ordinary poll is due while these calls end. The times are printed, not judged: the
//! machine may be busy. `cargo test --test service latency -- --nocapture` shows them.

use std::{
    fs::File,
    io::{Cursor, Seek, SeekFrom, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use perezvon::{
    edge::{status::Health, store::CallState},
    logic::{
        call::{Call, CallRows},
        sound::mpeg::Mpeg,
    },
    settings::Span,
};

use crate::{
    asterisk_ami::AsteriskAmi,
    recordings::wav,
    whole::{Whole, engines, play},
};

/// Real calls that are recorded, of different shapes; one of them was missed.
const CALLS: [&str; 5] =
    ["inbound_answered", "queue_answered", "inbound_missed", "ringgroup_answered_102", "outbound_answered"];

/// Asterisk as it is when the last channel of a call has gone: samples on the disk, lengths not yet.
fn record(whole: &Whole, call: &Call, seconds: f64) -> Option<(PathBuf, Vec<u8>)> {
    call.recordings.first()?;
    let (file, closed) = (whole.file_of(call), wav(seconds));
    let mut open = closed.clone();
    open[4..8].fill(0);
    open[40..44].fill(0);
    std::fs::write(&file, &open[..open.len() - open.len() % 32_768]).unwrap();
    Some((file, closed))
}

/// What its recorder's thread does then.
fn close((file, closed): (PathBuf, Vec<u8>)) {
    let mut file = File::options().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(44)).unwrap();
    file.write_all(&closed[44..]).unwrap();
    file.rewind().unwrap();
    file.write_all(&closed[..44]).unwrap();
}

/// A call ends: AMI tells, rows are written, the file is closed, within some hundredths of a second.
async fn end(whole: &Whole, ami: Option<&AsteriskAmi>, rows: &CallRows, call: &Call) -> Instant {
    let recording = record(whole, call, 6.0);
    let at = rows.cel.iter().position(|row| row.eventtype == "HANGUP").unwrap();
    whole.pbx.write_cel(&rows.cel[..at]).await;
    let hung_up = Instant::now();
    if let Some(ami) = ami {
        let gone = rows.cel.iter().filter(|row| row.eventtype == "HANGUP");
        gone.for_each(|row| ami.hang_up(&row.uniqueid));
    }
    whole.pbx.write_cel(&rows.cel[at..]).await;
    whole.pbx.write_cdr(&rows.cdr).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    recording.into_iter().for_each(close);
    hung_up
}

fn told(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64();
    format!("{} calls, median {:.2} s, 95th percentile {:.2} s", times.len(), at(50), at(95))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_stand_in_the_crm_long_before_the_next_poll() {
    for with_ami in [true, false] {
        for (pbx, fresh) in engines().await {
            let ami = AsteriskAmi::start().await;
            let change = |settings: &mut perezvon::settings::Settings| {
                settings.pbx.poll_interval = Span::secs(600);
                if with_ami {
                    settings.ami = ami.settings();
                }
            };
            let mut whole = Whole::start_with(&fresh.store, &fresh.url, pbx, change).await;
            let health = if with_ami { Health::Ok } else { Health::Off };
            whole.until("AMI is as set", || async { whole.health("ami") == Some(health) }).await;
            // A call that ended in the second in which polling began may be from before it.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let mut times = Vec::new();
            for (before, name) in CALLS.iter().enumerate() {
                let (rows, call) = whole.ended_now(&format!("freepbx-17/{name}"));
                let hung_up = end(&whole, with_ami.then_some(&ami), &rows, &call).await;
                whole
                    .until(&format!("{name} stands in the CRM"), || async {
                        whole.sandbox.calls().len() > before
                    })
                    .await;
                times.push(hung_up.elapsed());
                let note = &whole.sandbox.calls()[before];
                assert_eq!(note.link.is_empty(), !call.talked(), "{name}");
                if call.talked() {
                    let seconds = Mpeg::of(&mut Cursor::new(play(&note.link).await)).unwrap().seconds;
                    assert!((seconds - 6.0).abs() < 0.2, "the whole recording of {name}: {seconds} s");
                }
            }
            let how = if with_ami { "with AMI" } else { "without AMI" };
            println!("hang-up to note and recording, {}, {how}: {}", fresh.engine, told(times));
            whole.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_talk_arrives_and_keeps_no_other_call_waiting() {
    let (pbx, fresh) = engines().await.remove(0);
    let mut whole = Whole::start_with(&fresh.store, &fresh.url, pbx, |_| {}).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (rows, long) = whole.ended_now("freepbx-17/inbound_answered");
    close(record(&whole, &long, 3600.0).unwrap());
    let began = Instant::now();
    whole.pbx.write(&rows).await;
    whole
        .until("its recording is being converted", || async {
            let stored = fresh.store.call(&long.id).await.unwrap();
            stored.is_some_and(|call| call.reason.contains("turned into MP3"))
        })
        .await;
    let (rows, short) = whole.ended_now("freepbx-17/queue_answered");
    end(&whole, None, &rows, &short).await;
    whole.is(&short, CallState::Registered).await;
    let waiting = fresh.store.call(&long.id).await.unwrap().unwrap();
    assert_eq!(waiting.state, CallState::Waiting, "the short call did not wait for the long one");
    whole.is(&long, CallState::Registered).await;
    println!("an hour of WAV: {:.1} s from its rows to the note", began.elapsed().as_secs_f64());
    let note = whole.sandbox.calls().pop().unwrap();
    let seconds = Mpeg::of(&mut Cursor::new(play(&note.link).await)).unwrap().seconds;
    assert!((seconds - 3600.0).abs() < 0.2, "{seconds} s");
    whole.stop().await;
}
