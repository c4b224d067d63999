//! One connection to an Asterisk's manager interface: actions out, events in, each with the moment it came.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{oneshot, watch},
    task::JoinHandle,
};

/// How long an answer to an action is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events that come by the hundred and tell the lab nothing.
const UNHEARD: [&str; 6] =
    ["VarSet", "Newexten", "RTCPSent", "RTCPReceived", "ChallengeSent", "SuccessfulAuth"];

/// One message: the first line's word and value, then all others. A key that comes twice (`Output`) is there twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message(pub(crate) Vec<(String, String)>);

impl Message {
    /// The first value of a key, or "".
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// All values of a key, a line each.
    pub(crate) fn all(&self, key: &str) -> String {
        let own = self.0.iter().filter(|(name, _)| name == key);
        own.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n")
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one line without its end.
    fn take(&mut self, line: &str) {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        self.0.push((key.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()));
    }
}

/// What Asterisk told of itself.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// When it came here.
    pub(crate) at: Instant,
    /// Its fields.
    pub(crate) message: Message,
}

impl Event {
    /// A field, or "".
    pub(crate) fn get(&self, key: &str) -> &str {
        self.message.get(key)
    }

    /// Whether it is of this type.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.get("Event") == kind
    }
}

type Pending = Arc<Mutex<HashMap<String, oneshot::Sender<Message>>>>;

/// A connection that is signed in.
pub(crate) struct Ami {
    /// For messages: whose it is.
    name: String,
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    pending: Pending,
    events: Arc<Mutex<Vec<Event>>>,
    /// How many events there are; closed when the connection is.
    count: watch::Receiver<usize>,
    next: AtomicU64,
    reader: JoinHandle<()>,
}

impl Drop for Ami {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Ami {
    /// Connects and signs in as `lab`.
    pub(crate) async fn connect(name: &str, address: &str) -> Result<Self, String> {
        let fault = |error: io::Error| format!("AMI of {name} at {address}: {error}");
        let stream = TcpStream::connect(address).await.map_err(fault)?;
        stream.set_nodelay(true).map_err(fault)?;
        let (read, write) = stream.into_split();
        let (told, count) = watch::channel(0);
        let (pending, events) = (Pending::default(), Arc::<Mutex<Vec<Event>>>::default());
        let reader = tokio::spawn(hear(read, Arc::clone(&pending), Arc::clone(&events), told));
        let ami = Self {
            name: name.to_owned(),
            writer: tokio::sync::Mutex::new(write),
            pending,
            events,
            count,
            next: AtomicU64::new(1),
            reader,
        };
        ami.ask(&[("Action", "Login"), ("Username", "lab"), ("Secret", "lab")]).await?;
        Ok(ami)
    }

    /// Connects as soon as somebody answers there, within `patience`.
    pub(crate) async fn connect_within(
        name: &str,
        address: &str,
        patience: Duration,
    ) -> Result<Self, String> {
        let until = Instant::now() + patience;
        loop {
            match Self::connect(name, address).await {
                Ok(ami) => return Ok(ami),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Sends an action and waits for its answer; an answer that is an error is an error.
    pub(crate) async fn ask(&self, action: &[(&str, &str)]) -> Result<Message, String> {
        let id = format!("lab-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let mut text = String::new();
        for (key, value) in action {
            if value.contains(['\r', '\n']) {
                return Err(format!("{key} of an AMI action holds a line's end"));
            }
            text.push_str(&format!("{key}: {value}\r\n"));
        }
        text.push_str(&format!("ActionID: {id}\r\n\r\n"));
        let (sender, answer) = oneshot::channel();
        lock(&self.pending).insert(id.clone(), sender);
        let sent = self.writer.lock().await.write_all(text.as_bytes()).await;
        sent.map_err(|error| format!("AMI of {}: {error}", self.name))?;
        let what =
            || action.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ");
        let answer = match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err(format!("AMI of {} closed: {}", self.name, what())),
            Err(_) => {
                lock(&self.pending).remove(&id);
                return Err(format!("AMI of {} gave no answer in {PATIENCE:?}: {}", self.name, what()));
            }
        };
        if answer.get("Response") == "Error" {
            return Err(format!("AMI of {} refused ({}): {}", self.name, answer.get("Message"), what()));
        }
        Ok(answer)
    }

    /// What a command of Asterisk's console prints.
    pub(crate) async fn command(&self, command: &str) -> Result<String, String> {
        Ok(self.ask(&[("Action", "Command"), ("Command", command)]).await?.all("Output"))
    }

    /// How many events there have been: a place to look from later.
    pub(crate) fn mark(&self) -> usize {
        lock(&self.events).len()
    }

    /// Events since a mark.
    pub(crate) fn since(&self, mark: usize) -> Vec<Event> {
        lock(&self.events).get(mark..).unwrap_or_default().to_vec()
    }

    /// Follows the events: changes whenever there is a new one.
    pub(crate) fn follow(&self) -> watch::Receiver<usize> {
        self.count.clone()
    }
}

/// Reads until the connection ends.
async fn hear(
    read: OwnedReadHalf,
    pending: Pending,
    events: Arc<Mutex<Vec<Event>>>,
    told: watch::Sender<usize>,
) {
    let mut lines = BufReader::new(read);
    let mut message = Message::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        // Bytes: a name cut in the middle of a letter is not UTF-8.
        match lines.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if !text.is_empty() {
            // The greeting stands alone and is not followed by an empty line.
            if !text.starts_with("Asterisk Call Manager/") {
                message.take(text);
            }
            continue;
        }
        let message = std::mem::take(&mut message);
        if message.is_empty() {
            continue;
        }
        if message.get("Response").is_empty() {
            if !UNHEARD.contains(&message.get("Event")) {
                let mut events = lock(&events);
                events.push(Event { at: Instant::now(), message });
                let _ = told.send(events.len());
            }
        } else if let Some(asker) = lock(&pending).remove(message.get("ActionID")) {
            let _ = asker.send(message);
        }
    }
    // Whoever still waits hears at once that nothing will come.
    lock(&pending).clear();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
