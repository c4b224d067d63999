//! Asterisk's side of AMI, as much of it as a listener meets.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use md5::{Digest, Md5};
use perezvon::settings::{Ami, Secret};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::broadcast,
    task::JoinHandle,
};

const CHALLENGE: &str = "413347498";
pub(crate) const SECRET: &str = "a secret of manager.conf";

/// A manager interface on a port of this machine.
pub(crate) struct AsteriskAmi {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    /// What all sessions are sent; an empty text closes them.
    events: broadcast::Sender<String>,
    logins: AtomicU32,
    refusals: AtomicU32,
    /// Takes connections and says nothing.
    frozen: AtomicBool,
    /// All that came, without what proves the secret.
    heard: Mutex<Vec<String>>,
}

impl AsteriskAmi {
    pub(crate) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// On a port that was listened on before.
    pub(crate) fn on(listener: TcpListener) -> Self {
        let state = Arc::new(State {
            events: broadcast::channel(10_000).0,
            logins: AtomicU32::new(0),
            refusals: AtomicU32::new(0),
            frozen: AtomicBool::new(false),
            heard: Mutex::default(),
        });
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&shared).serve(stream));
            }
        });
        Self { address, state, task }
    }

    pub(crate) fn settings(&self) -> Ami {
        Ami {
            address: self.address.to_string(),
            username: "perezvon".to_owned(),
            secret: Secret::new(SECRET),
        }
    }

    /// A channel hangs up.
    pub(crate) fn hang_up(&self, uniqueid: &str) {
        self.say(&format!(
            "Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/101-0000000f\r\nChannelState: 6\r\n\
             CallerIDName: M\u{fc}ller\r\nUniqueid: {uniqueid}\r\nLinkedid: {uniqueid}\r\nCause: 16\r\n\
             Cause-txt: Normal Clearing\r\n\r\n"
        ));
    }

    /// Bytes to everybody who is logged in.
    pub(crate) fn say(&self, text: &str) {
        // Nobody may be listening.
        let _ = self.state.events.send(text.to_owned());
    }

    /// Closes all sessions; new ones are taken.
    pub(crate) fn close_all(&self) {
        self.say("");
    }

    pub(crate) fn freeze(&self) {
        self.state.frozen.store(true, Ordering::Release);
    }

    pub(crate) fn logins(&self) -> u32 {
        self.state.logins.load(Ordering::Acquire)
    }

    pub(crate) fn refusals(&self) -> u32 {
        self.state.refusals.load(Ordering::Acquire)
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.state.heard.lock().unwrap().clone()
    }
}

impl Drop for AsteriskAmi {
    fn drop(&mut self) {
        self.task.abort();
        self.close_all();
    }
}

impl State {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        if self.frozen.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut events = None;
        let _ = write.write_all(b"Asterisk Call Manager/11.0.0\r\n").await;
        let mut action: Vec<String> = Vec::new();
        loop {
            let event = async {
                match &mut events {
                    Some(events) => next_of(events).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) if line.is_empty() => {
                        if !self.answer(&std::mem::take(&mut action), &mut events, &mut write).await {
                            return;
                        }
                    }
                    Ok(Some(line)) => action.push(line),
                    _ => return,
                },
                text = event => {
                    if text.is_empty() || write.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Gives whether the session goes on.
    async fn answer(
        &self,
        action: &[String],
        events: &mut Option<broadcast::Receiver<String>>,
        write: &mut OwnedWriteHalf,
    ) -> bool {
        let get = |name: &str| {
            let prefix = format!("{name}: ");
            action.iter().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
        };
        self.heard.lock().unwrap().push(get("Action"));
        let key: String =
            Md5::digest(format!("{CHALLENGE}{SECRET}")).iter().map(|byte| format!("{byte:02x}")).collect();
        let (answer, goes_on) = match get("Action").as_str() {
            "Challenge" => (format!("Success\r\nChallenge: {CHALLENGE}"), true),
            "Login" if get("Key") == key => {
                self.logins.fetch_add(1, Ordering::AcqRel);
                *events = Some(self.events.subscribe());
                ("Success\r\nMessage: Authentication accepted".to_owned(), true)
            }
            "Login" => {
                self.refusals.fetch_add(1, Ordering::AcqRel);
                ("Error\r\nMessage: Authentication failed".to_owned(), false)
            }
            "Ping" => ("Success\r\nPing: Pong".to_owned(), true),
            other => (format!("Error\r\nMessage: Invalid/unknown command: {other}."), true),
        };
        let (status, rest) = answer.split_once("\r\n").unwrap_or((&answer, ""));
        let text = format!("Response: {status}\r\nActionID: {}\r\n{rest}\r\n\r\n", get("ActionID"));
        write.write_all(text.as_bytes()).await.is_ok() && goes_on
    }
}

/// What a slow listener missed is gone, as with Asterisk.
async fn next_of(events: &mut broadcast::Receiver<String>) -> String {
    loop {
        match events.recv().await {
            Ok(text) => return text,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return String::new(),
        }
    }
}
