//! The connection to Asterisk's manager interface.

use std::{sync::Arc, time::Duration};

use perezvon::{
    edge::{
        ami,
        hangups::Hangups,
        status::{Board, Health},
    },
    settings::{Ami, Secret},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::asterisk_ami::{AsteriskAmi, SECRET};

struct Listening {
    hangups: Arc<Hangups>,
    board: Arc<Board>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listening {
    fn to(settings: Ami) -> Self {
        let (hangups, board, stop) =
            (Arc::new(Hangups::default()), Arc::new(Board::default()), CancellationToken::new());
        let task = tokio::spawn(ami::run(settings, hangups.clone(), board.clone(), stop.clone()));
        Self { hangups, board, stop, task }
    }

    /// Waits until the board says so.
    async fn says(&self, health: Health, word: &str) -> String {
        let mut last = None;
        for _ in 0..1_000 {
            last = self.board.all().get("ami").cloned();
            if let Some(part) = last.as_ref().filter(|part| part.health == health && part.text.contains(word))
            {
                return part.text.clone();
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("waited 20 s in vain for {health:?} {word}: {last:?}");
    }

    async fn hears(&self) -> Vec<String> {
        timeout(Duration::from_secs(10), self.hangups.heard()).await.expect("a hang-up is told");
        self.hangups.take()
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(5), self.task).await.expect("it stops at once").unwrap();
    }
}

#[tokio::test]
async fn hang_ups_are_heard_and_a_lost_connection_is_made_anew() {
    let asterisk = AsteriskAmi::start().await;
    let listening = Listening::to(asterisk.settings());
    listening.says(Health::Ok, "AMI 11.0.0").await;
    assert!(listening.hangups.since().is_some());
    asterisk.say("Event: Newchannel\r\nUniqueid: 1.1\r\n\r\n");
    asterisk.hang_up("1795167102.14");
    assert_eq!(listening.hears().await, ["1795167102.14"]);

    asterisk.close_all();
    let text = listening.says(Health::Warning, "closed the connection").await;
    assert!(text.contains("next try in 1 s"), "{text}");
    assert_eq!(listening.hangups.since(), None, "nothing is relied on meanwhile");
    listening.says(Health::Ok, "hears hang-ups").await;
    asterisk.hang_up("1795167102.15");
    assert_eq!(listening.hears().await, ["1795167102.15"]);
    assert_eq!((asterisk.logins(), asterisk.refusals()), (2, 0));
    assert_eq!(asterisk.heard()[..2], ["Challenge", "Login"], "the secret does not travel");
    listening.stop().await;
}

#[tokio::test]
async fn a_wrong_secret_is_said_and_tried_seldom() {
    let asterisk = AsteriskAmi::start().await;
    let listening = Listening::to(Ami { secret: Secret::new("another"), ..asterisk.settings() });
    let text = listening.says(Health::Warning, "refuses perezvon").await;
    assert!(text.contains("manager.conf") && text.contains("next try in 300 s"), "{text}");
    assert!(!text.contains("another") && !text.contains(SECRET), "{text}");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(asterisk.refusals(), 1);
    listening.stop().await;
}

#[tokio::test]
async fn asterisk_may_start_later_and_another_service_is_told_from_it() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let settings =
        Ami { address: address.to_string(), username: "perezvon".to_owned(), secret: Secret::new(SECRET) };
    let listening = Listening::to(settings);
    listening.says(Health::Warning, "is Asterisk running").await;
    let other = TcpListener::bind(address).await.unwrap();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = other.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        other
    });
    listening.says(Health::Warning, "does not greet as AMI does").await;
    let asterisk = AsteriskAmi::on(answering.await.unwrap());
    listening.says(Health::Ok, "hears hang-ups").await;
    asterisk.hang_up("1.1");
    assert_eq!(listening.hears().await, ["1.1"]);
    listening.stop().await;
}

#[tokio::test]
async fn a_frozen_asterisk_is_left_and_stopping_does_not_wait_for_it() {
    let asterisk = AsteriskAmi::start().await;
    asterisk.freeze();
    let listening = Listening::to(asterisk.settings());
    listening.says(Health::Warning, "does not answer").await;
    listening.stop().await;
}

#[tokio::test]
async fn a_doubt_is_shown_until_a_hang_up_comes() {
    let asterisk = AsteriskAmi::start().await;
    let listening = Listening::to(asterisk.settings());
    listening.says(Health::Ok, "hears hang-ups").await;
    listening.hangups.doubt();
    listening.says(Health::Warning, "read = call").await;
    asterisk.hang_up("1.1");
    listening.says(Health::Ok, "hears hang-ups").await;
    assert!(listening.hangups.since().is_some());
    listening.stop().await;
}

#[tokio::test]
async fn a_line_without_end_ends_the_session_and_not_the_listening() {
    let asterisk = AsteriskAmi::start().await;
    let listening = Listening::to(asterisk.settings());
    listening.says(Health::Ok, "hears hang-ups").await;
    asterisk.say(&format!("Event: {}", "x".repeat(100_000)));
    listening.says(Health::Warning, "a line of more than").await;
    listening.says(Health::Ok, "hears hang-ups").await;
    asterisk.hang_up("1.1");
    assert_eq!(listening.hears().await, ["1.1"]);
    listening.stop().await;
}
