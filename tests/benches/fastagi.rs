//! FastAGI sessions a second and p99 against a bare TCP answerer doing the same exchange in the same program.
//!
//! The bare one reads until the empty line, writes the very bytes that we answer, closes its side and reads to the
//! end: what is left is what parsing, deciding and the deadline cost. Rounds of the two take turns, and medians are
//! printed. Load comes from one thread beside the server's one, so on two cores they do not share one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use perezvon::{
    edge::{directory::Directory, fastagi, routing::Routing, status::Board},
    logic::{
        directory::{EntityKind, Known},
        phone::Phones,
    },
    settings::{Employee, Settings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 7;
const CROWDS: [(usize, usize); 3] = [(1, 3_000), (64, 8_000), (512, 8_000)];

const ENVIRONMENT: &[u8] = b"agi_network: yes\nagi_network_script: route\n\
    agi_request: agi://127.0.0.1/route\nagi_channel: PJSIP/trunk-00000000\nagi_language: en\nagi_type: PJSIP\n\
    agi_uniqueid: 1795167864.29\nagi_version: 22.10.1+dfsg+~cs6.17.60671434-1\nagi_callerid: 79161234567\n\
    agi_calleridname: unknown\nagi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\n\
    agi_dnid: 74951234567\nagi_rdnis: unknown\nagi_context: from-trunk\nagi_extension: 74951234567\n\
    agi_priority: 4\nagi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 140569429165760\n\n";

const ANSWER: &str = "SET VARIABLE CRM_NAME \"Иван Петров\"\nSET VARIABLE CRM_EXTEN \"101\"\n\
    SET VARIABLE CRM_RESPONSIBLE \"7\"\nSET VARIABLE CRM_ENTITY \"contact/123\"\n\
    SET VARIABLE CALLERID(name) \"Иван Петров\"\nSET VARIABLE CRM_STATUS \"found\"\n";

/// Measures and prints.
pub(crate) fn run() {
    let stop = CancellationToken::new();
    let main = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let ours = main.block_on(our_server(&stop));
    let bare = bare_server();
    let load = Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("{:>8} {:>22} {:>22} {:>18}", "at once", "bare /s, p99", "perezvon /s, p99", "rate, p99 ratio");
    for (at_once, sessions) in CROWDS {
        let (bare, ours) = medians(&load, bare, ours, at_once, sessions);
        println!(
            "{at_once:>8} {:>9.0} {:>9.2} ms {:>9.0} {:>9.2} ms {:>9.2} {:>8.2}",
            bare.rate,
            bare.p99.as_secs_f64() * 1e3,
            ours.rate,
            ours.p99.as_secs_f64() * 1e3,
            ours.rate / bare.rate,
            ours.p99.as_secs_f64() / bare.p99.as_secs_f64(),
        );
    }
    stop.cancel();
}

/// One round's figures.
#[derive(Clone, Copy)]
struct Round {
    rate: f64,
    p99: Duration,
}

fn medians(
    load: &Runtime,
    bare: SocketAddr,
    ours: SocketAddr,
    at_once: usize,
    sessions: usize,
) -> (Round, Round) {
    let (mut of_bare, mut of_ours) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let first = load.block_on(crowd(bare, at_once, sessions));
        let second = load.block_on(crowd(ours, at_once, sessions));
        // The first round warms both up.
        if round > 0 {
            of_bare.push(first);
            of_ours.push(second);
        }
    }
    (median(&mut of_bare), median(&mut of_ours))
}

fn median(rounds: &mut [Round]) -> Round {
    let middle = rounds.len() / 2;
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let rate = rounds[middle].rate;
    rounds.sort_by_key(|round| round.p99);
    Round { rate, p99: rounds[middle].p99 }
}

async fn crowd(address: SocketAddr, at_once: usize, sessions: usize) -> Round {
    let left = Arc::new(AtomicUsize::new(sessions));
    let began = Instant::now();
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    let began = Instant::now();
                    call(address).await;
                    times.push(began.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::with_capacity(sessions);
    for caller in callers {
        times.extend(caller.await.expect("a caller"));
    }
    let rate = sessions as f64 / began.elapsed().as_secs_f64();
    times.sort();
    Round { rate, p99: times[times.len() * 99 / 100] }
}

/// One call as Asterisk makes it: environment, commands, replies, close.
async fn call(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("loopback works");
    stream.set_nodelay(true).expect("loopback works");
    stream.write_all(ENVIRONMENT).await.expect("loopback works");
    let (mut got, mut buffer) = (0, [0; 1024]);
    while got < ANSWER.len() {
        let count = stream.read(&mut buffer).await.expect("loopback works");
        assert!(count > 0, "closed after {got} bytes");
        got += count;
    }
    stream.write_all("200 result=1\n".repeat(6).as_bytes()).await.expect("loopback works");
    assert_eq!(stream.read(&mut buffer).await.expect("loopback works"), 0, "more than the answer");
}

async fn our_server(stop: &CancellationToken) -> SocketAddr {
    let mut settings = Settings::default();
    settings.employees.insert("101".to_owned(), Employee::new(7, "Анна"));
    let phones = Arc::new(Phones::new(&settings.numbers).expect("defaults are good"));
    let directory = Directory::empty();
    let known = Known {
        kind: EntityKind::Contact,
        id: 123,
        name: "Иван Петров".to_owned(),
        responsible: 7,
        created_at: 1,
        updated_at: 1,
        phones: vec!["+79161234567".to_owned()],
        leads: Vec::new(),
    };
    directory.learn(known).await;
    let listener = fastagi::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback works");
    let address = listener.local_addr().expect("loopback works");
    let routing = Arc::new(Routing::new(Arc::new(settings), phones, directory));
    tokio::spawn(fastagi::run(listener, routing, Arc::new(Board::default()), stop.clone()));
    address
}

/// Knows the answer without reading the question.
fn bare_server() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
            let listener = fastagi::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback works");
            tell.send(listener.local_addr().expect("loopback works")).expect("loopback works");
            answer_all(listener).await;
        });
    });
    told.recv().expect("loopback works")
}

async fn answer_all(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("loopback works");
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let (mut buffer, mut got) = ([0; 2048], 0);
            while !buffer[..got].ends_with(b"\n\n") {
                match stream.read(&mut buffer[got..]).await {
                    Ok(count) if count > 0 => got += count,
                    _ => return,
                }
            }
            let _ = stream.write_all(ANSWER.as_bytes()).await;
            let _ = stream.shutdown().await;
            while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        });
    }
}
