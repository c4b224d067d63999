//! Asterisk's manager interface: one connection that listens, made anew whenever it ends.
//!
//! Nothing depends on it: it makes polls come sooner. The secret is in no log; after a refusal it is tried seldom,
//! since PBXs ban addresses that try too often.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::{codec::Framed, sync::CancellationToken};

use super::{
    hangups::Hangups,
    metrics as counters,
    status::{Board, Health},
};
use crate::{
    logic::{
        ami::{AmiCodec, Ending, Event, Frame, Malformed, Session, Step},
        retry::Waits,
    },
    settings,
};

const CONNECT: Duration = Duration::from_secs(5);
/// Asterisk reads at once, or it is not well.
const WRITE: Duration = Duration::from_secs(5);
/// Room for some events.
const BUFFER: usize = 16 * 1024;
/// A session of this length was a good one: after it we come back at once.
const GOOD: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// FreePBX's fail2ban bans after a handful of refusals in ten minutes.
const AFTER_REFUSAL: Duration = Duration::from_secs(300);
/// A lost session of ours is noticed by Asterisk when its TCP gives up, or somebody logs out.
const WHILE_IN_USE: Duration = Duration::from_secs(60);
const WAITS: Waits = Waits { settle: Duration::ZERO, first: Duration::from_secs(1) };

/// Why there is no connection (any more); each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AmiFailure {
    /// Nobody takes the connection.
    #[error(
        "{address} does not answer: {why}; is Asterisk running, and does manager.conf have enabled = yes with this bindaddr and port?"
    )]
    Unreachable {
        /// `[ami] address`.
        address: String,
        /// What the system said.
        why: String,
    },
    /// Not AMI, or too long.
    #[error("{address}: {why}")]
    Malformed {
        /// `[ami] address`.
        address: String,
        /// What was wrong.
        why: Malformed,
    },
    /// Asterisk closed, or the network did.
    #[error("{address} closed the connection; Asterisk restarts, or manager.conf was reloaded")]
    Closed {
        /// `[ami] address`.
        address: String,
    },
    /// The session ended.
    #[error("{}", told(.address, .username, .ending))]
    Ended {
        /// `[ami] address`.
        address: String,
        /// `[ami] username`.
        username: String,
        /// Why.
        ending: Ending,
    },
}

fn told(address: &str, username: &str, ending: &Ending) -> String {
    match ending {
        Ending::Refused => format!(
            "{address} refuses {username}: give [ami] the username and secret of a section of manager.conf, and see \
             that its permit and acl let this machine in"
        ),
        Ending::InUse => format!(
            "{address}: somebody is logged in as {username} already; give Perezvon a section of its own in manager.conf"
        ),
        Ending::Denied(why) => format!("{address} does not let {username} in: {why}"),
        Ending::Silent => format!("{address} takes the connection and does not answer"),
    }
}

impl AmiFailure {
    fn pause(&self, failures: u32) -> Duration {
        match self {
            Self::Ended { ending: Ending::Refused, .. } => AFTER_REFUSAL,
            Self::Ended { ending: Ending::InUse, .. } => WHILE_IN_USE,
            _ => WAITS.endless(failures, LONGEST_PAUSE),
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Malformed { .. } => "malformed",
            Self::Closed { .. } => "closed",
            Self::Ended { ending: Ending::Silent, .. } => "silent",
            Self::Ended { .. } => "refused",
        }
    }
}

/// A session that is connected.
pub struct Line {
    address: String,
    username: String,
    frames: Framed<TcpStream, AmiCodec>,
    session: Session,
    step: Step,
}

/// What a session tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// We are in; the protocol's version.
    In(String),
    /// The channel of this uniqueid is gone.
    HungUp(String),
}

impl Line {
    /// Connects; logging in is the first that [`Line::news`] does.
    pub async fn open(settings: &settings::Ami) -> Result<Self, AmiFailure> {
        let unreachable = |why: String| AmiFailure::Unreachable { address: settings.address.clone(), why };
        let stream = match timeout(CONNECT, TcpStream::connect(&settings.address)).await {
            Ok(connected) => connected.map_err(|error| unreachable(error.to_string()))?,
            Err(_) => return Err(unreachable(format!("nothing came within {} s", CONNECT.as_secs()))),
        };
        // Short questions must not wait for each other's acknowledgement.
        let _ = stream.set_nodelay(true);
        let session = Session::new(settings, Instant::now());
        Ok(Self {
            address: settings.address.clone(),
            username: settings.username.clone(),
            frames: Framed::with_capacity(stream, AmiCodec::default(), BUFFER),
            step: session.begin(),
            session,
        })
    }

    /// The next that is worth telling. May be dropped and asked again: nothing is lost.
    pub async fn news(&mut self) -> Result<News, AmiFailure> {
        loop {
            let (news, until) = match std::mem::replace(&mut self.step, Step::WaitUntil(Instant::now())) {
                Step::WaitUntil(until) => (None, until),
                Step::Send(request, until) => {
                    // Only into the buffer: whoever drops us meanwhile does not send it twice.
                    self.frames.start_send_unpin(&request).map_err(|error| self.malformed(error))?;
                    (None, until)
                }
                Step::In(version, until) => (Some(News::In(version)), until),
                Step::HungUp(uniqueid, until) => (Some(News::HungUp(uniqueid)), until),
                Step::Finish(ending) => return Err(self.ended(ending)),
            };
            self.step = Step::WaitUntil(until);
            if let Some(news) = news {
                return Ok(news);
            }
            match timeout(WRITE, self.frames.flush()).await {
                Ok(flushed) => flushed.map_err(|error| self.malformed(error))?,
                Err(_) => return Err(self.ended(Ending::Silent)),
            }
            let event = tokio::select! {
                frame = self.frames.next() => match frame {
                    Some(Ok(Frame::Banner(version))) => Event::Banner(version),
                    Some(Ok(Frame::Packet(packet))) => {
                        metrics::counter!(counters::AMI_PACKETS).increment(1);
                        Event::Packet(packet)
                    }
                    Some(Err(error)) => return Err(self.malformed(error)),
                    None => return Err(AmiFailure::Closed { address: self.address.clone() }),
                },
                () = tokio::time::sleep_until(until.into()) => Event::Deadline,
            };
            self.step = self.session.next(event, Instant::now());
        }
    }

    fn malformed(&self, why: Malformed) -> AmiFailure {
        let address = self.address.clone();
        match why {
            Malformed::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                AmiFailure::Closed { address }
            }
            why => AmiFailure::Malformed { address, why },
        }
    }

    fn ended(&self, ending: Ending) -> AmiFailure {
        AmiFailure::Ended { address: self.address.clone(), username: self.username.clone(), ending }
    }
}

/// Listens until told to stop, and tells the poller; says how it is on the board as `ami`.
pub async fn run(settings: settings::Ami, hangups: Arc<Hangups>, board: Arc<Board>, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let talk = stop.run_until_cancelled(listen(&settings, &hangups, &board)).await;
        hangups.leave();
        let Some(failure) = talk else { return };
        failures = if began.elapsed() < GOOD { failures + 1 } else { 1 };
        let pause = failure.pause(failures);
        metrics::counter!(counters::AMI_SESSIONS, "end" => failure.word()).increment(1);
        board.say("ami", Health::Warning, format!("{failure}; next try in {} s", pause.as_secs()));
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// One session, to its end.
async fn listen(settings: &settings::Ami, hangups: &Hangups, board: &Board) -> AmiFailure {
    let mut line = match Line::open(settings).await {
        Ok(line) => line,
        Err(failure) => return failure,
    };
    let hears = |version: &str| format!("hears hang-ups from {} (AMI {version})", settings.address);
    let mut known = String::new();
    loop {
        let news = tokio::select! {
            news = line.news() => news,
            () = hangups.doubted() => {
                board.say("ami", Health::Warning, mute(&settings.username));
                continue;
            }
        };
        match news {
            Ok(News::In(version)) => {
                known = version;
                hangups.listen();
                board.say("ami", Health::Ok, hears(&known));
            }
            Ok(News::HungUp(uniqueid)) => {
                if hangups.tell(uniqueid) {
                    board.say("ami", Health::Ok, hears(&known));
                }
            }
            Err(failure) => return failure,
        }
    }
}

fn mute(username: &str) -> String {
    format!(
        "connected, but calls end and nothing is told of them: section [{username}] of manager.conf needs read = call and no \
         eventfilter that drops Hangup, and it must be the Asterisk that writes [pbx] database_url"
    )
}
