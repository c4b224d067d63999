//! One connection: bytes in, [`Session`] decides, bytes out.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    task::JoinHandle,
    time::{sleep_until, timeout},
};
use tokio_util::codec::Framed;

use crate::{
    edge::{
        metrics::{AGI_REFUSED, AGI_REFUSED_COMMANDS, AGI_SECONDS, AGI_SESSIONS},
        routing::{Caller, Routing},
    },
    logic::{
        agi::{AgiCodec, Command, Event, Frame, Malformed, Question, Session, Step, answer},
        rules::route::Route,
    },
};

/// Room for an environment, which rarely has more.
const BUFFER: usize = 2048;
/// A caller turned away need not be listened to for long.
const TURNED_AWAY: Duration = Duration::from_secs(2);

/// What one session needs.
pub(super) struct Visit {
    pub(super) routing: Arc<Routing>,
    /// Where live look-ups run.
    pub(super) lookups: Handle,
    pub(super) opened: Instant,
    pub(super) limit: Duration,
}

/// Answers one call. The permit counts it among `[agi] max_sessions` until its answer is sent.
pub(super) async fn serve(stream: TcpStream, visit: Visit, permit: OwnedSemaphorePermit) {
    let mut line = Framed::with_capacity(stream, AgiCodec::default(), BUFFER);
    let mut session = Session::new(visit.opened, visit.limit);
    let mut permit = Some(permit);
    let mut lookup: Option<JoinHandle<Route>> = None;
    let mut side = Side::Speaks;
    let mut step = session.begin();
    loop {
        let until = match step {
            Step::WaitUntil(until) => until,
            Step::Ask(question, until) => match visit.ask(&question, until) {
                Ok(route) => {
                    step = session.next(Event::Answer(route), Instant::now());
                    continue;
                }
                Err(asked) => {
                    lookup = Some(asked);
                    until
                }
            },
            Step::Send(commands, until) => {
                lookup = None;
                send(&mut line, &commands, until).await;
                permit.take();
                note_answer(&session, visit.opened);
                until
            }
            Step::Finish => break,
        };
        let event = tokio::select! {
            event = next_event(&mut line, &mut side) => event,
            route = async { lookup.as_mut().expect("checked").await }, if lookup.is_some() => {
                lookup = None;
                Event::Answer(route.unwrap_or_else(|_| Route::error("the look-up died")))
            }
            () = sleep_until(until.into()) => Event::Deadline,
        };
        step = session.next(event, Instant::now());
    }
    note_end(&session);
}

/// An empty, valid answer without a question; then the environment is read, lest it reset the connection.
pub(super) async fn turn_away(mut stream: TcpStream, opened: Instant) {
    let route = Route::error("too many calls at once");
    let text: String = answer(&route).iter().map(Command::line).collect();
    let drain = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        count(route.status.as_str(), opened);
        metrics::counter!(AGI_REFUSED).increment(1);
        let mut rest = [0; 512];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    let _ = timeout(TURNED_AWAY, drain).await;
}

impl Visit {
    /// The answer from memory, else a look-up on its way. A panic in either is an `error` answer, never silence.
    fn ask(&self, question: &Question, until: Instant) -> Result<Route, JoinHandle<Route>> {
        let quick = catch_unwind(AssertUnwindSafe(|| {
            let caller = self.routing.caller(question.phone.as_deref());
            let route = self.routing.from_memory(&caller);
            (caller, route)
        }));
        match quick {
            Ok((caller, Some(route))) => {
                note_route(question, &caller, &route, self.opened);
                Ok(route)
            }
            Ok((caller, None)) => {
                let (routing, question, opened) = (Arc::clone(&self.routing), question.clone(), self.opened);
                Err(self.lookups.spawn(async move {
                    let left = until.saturating_duration_since(Instant::now());
                    let route = routing.answer(&caller, left).await;
                    note_route(&question, &caller, &route, opened);
                    route
                }))
            }
            Err(_) => Ok(Route::error("the directory failed")),
        }
    }
}

/// All commands in one write, then our side is closed: nothing is waited for.
async fn send(line: &mut Framed<TcpStream, AgiCodec>, commands: &[Command], until: Instant) {
    let write = async {
        for command in commands {
            line.feed(command).await?;
        }
        SinkExt::<&Command>::flush(line).await?;
        line.get_mut().shutdown().await.map_err(Malformed::from)
    };
    // It fits the socket's buffer; only a peer that is gone makes this fail.
    match tokio::time::timeout_at(until.into(), write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("Asterisk did not take the answer: {error}"),
        Err(_) => tracing::warn!("Asterisk did not read the answer"),
    }
}

/// Whether Asterisk's side has more for us.
enum Side {
    Speaks,
    /// Foreign bytes, read and dropped: closing with bytes unread would take our answer away.
    Babbles,
    Closed,
}

async fn next_event(line: &mut Framed<TcpStream, AgiCodec>, side: &mut Side) -> Event {
    match side {
        Side::Speaks => {}
        Side::Babbles => {
            let mut rest = [0; 512];
            while line.get_mut().read(&mut rest).await.is_ok_and(|count| count > 0) {}
            *side = Side::Closed;
            return Event::Eof;
        }
        Side::Closed => std::future::pending().await,
    }
    match line.next().await {
        Some(Ok(Frame::Request(environment))) => Event::Request(environment),
        Some(Ok(Frame::Reply(reply))) => Event::Reply(reply),
        Some(Ok(Frame::Hangup)) => Event::Hangup,
        Some(Err(Malformed::Io(error))) => {
            tracing::debug!("a connection to FastAGI broke: {error}");
            *side = Side::Closed;
            Event::Eof
        }
        Some(Err(error)) => {
            tracing::warn!("FastAGI: {error}");
            *side = Side::Babbles;
            Event::Malformed
        }
        None => {
            *side = Side::Closed;
            Event::Eof
        }
    }
}

fn note_route(question: &Question, caller: &Caller, route: &Route, opened: Instant) {
    let phone = match caller {
        Caller::Outside(phone) => phone.masked(),
        Caller::Employee(extension) => format!("mobile of {extension}"),
        Caller::Internal => "extension".to_owned(),
        Caller::Hidden => "hidden".to_owned(),
    };
    tracing::info!(
        channel = question.channel.as_deref().unwrap_or_default(),
        phone,
        status = route.status.as_str(),
        entity = route.entity,
        exten = route.exten,
        micros = opened.elapsed().as_micros() as u64,
        "call routed"
    );
}

fn note_answer(session: &Session, opened: Instant) {
    if let Some(status) = session.status() {
        count(status.as_str(), opened);
    }
}

fn count(status: &'static str, opened: Instant) {
    metrics::counter!(AGI_SESSIONS, "status" => status).increment(1);
    metrics::histogram!(AGI_SECONDS).record(opened.elapsed().as_secs_f64());
}

fn note_end(session: &Session) {
    if session.status().is_none() {
        metrics::counter!(AGI_SESSIONS, "status" => "closed").increment(1);
    }
    if session.refused() > 0 {
        metrics::counter!(AGI_REFUSED_COMMANDS).increment(u64::from(session.refused()));
        tracing::warn!("Asterisk refused {} of our commands; is it older than 1.8?", session.refused());
    }
}
