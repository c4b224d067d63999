//! What stands between the PBX and Perezvon when something is wrong: an address that swallows, or delays.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

/// FastAGI and HTTP.
const PORTS: [u16; 2] = [4573, 8573];
/// How long a connection that must not come is waited for.
const NOBODY: Duration = Duration::from_millis(400);

/// Something at an address, for as long as it is kept.
pub(crate) struct Gate {
    _tasks: JoinSet<()>,
    _kept: Vec<TcpListener>,
}

impl Gate {
    /// Nothing answers there, as if the machine were off or a firewall dropped all packets: the listener's queue is full,
    /// and Linux then answers no SYN. Needs no firewall and no network namespace.
    pub(crate) async fn swallowing(host: &str) -> Result<Self, String> {
        let (mut tasks, mut kept) = (JoinSet::new(), Vec::new());
        for address in addresses(host)? {
            let fault = |error: std::io::Error| format!("{address}: {error}");
            let socket = TcpSocket::new_v4().map_err(fault)?;
            socket.set_reuseaddr(true).map_err(fault)?;
            socket.bind(address).map_err(fault)?;
            kept.push(socket.listen(0).map_err(fault)?);
            for _ in 0..4 {
                tasks.spawn(async move {
                    let waiting = TcpStream::connect(address).await;
                    std::future::pending::<()>().await;
                    drop(waiting);
                });
            }
        }
        sleep(Duration::from_millis(100)).await;
        for address in addresses(host)? {
            if let Ok(answered) = timeout(NOBODY, TcpStream::connect(address)).await {
                return Err(format!("{address} was to swallow everything, and said {answered:?}"));
            }
        }
        Ok(Self { _tasks: tasks, _kept: kept })
    }

    /// Hands everything on to another host, each connection so much later.
    pub(crate) async fn delaying(host: &str, to: &str, delay: Duration) -> Result<Self, String> {
        let mut tasks = JoinSet::new();
        for (address, beyond) in addresses(host)?.into_iter().zip(addresses(to)?) {
            let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
            tasks.spawn(async move {
                let mut passing = JoinSet::new();
                while let Ok((mut from, _)) = listener.accept().await {
                    passing.spawn(async move {
                        sleep(delay).await;
                        if let Ok(mut to) = TcpStream::connect(beyond).await {
                            // Whoever closes first ends it.
                            let _ = copy_bidirectional(&mut from, &mut to).await;
                        }
                    });
                }
            });
        }
        Ok(Self { _tasks: tasks, _kept: Vec::new() })
    }
}

fn addresses(host: &str) -> Result<Vec<SocketAddr>, String> {
    let address = |port: &u16| format!("{host}:{port}").parse().map_err(|error| format!("{host}: {error}"));
    PORTS.iter().map(address).collect()
}
