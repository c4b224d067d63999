//! The two ports, and the address that the staff's browsers use.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::Notes;
use crate::{logic::dialplan::AGI_PORT, settings::Settings};

const PATIENCE: Duration = Duration::from_secs(2);

/// What sits on a port.
enum Port {
    /// Nothing: it is ours to take.
    Free,
    /// Perezvon.
    Ours,
    /// Something else, or something that does not answer.
    Taken,
    /// It cannot be listened on.
    Refused(String),
}

/// FastAGI: does it answer as a dialplan would be answered?
pub(super) async fn agi(settings: &Settings, notes: &mut Notes<'_>) {
    if !settings.agi.enabled {
        return notes.off("agi", "check.agi_off", &[]);
    }
    let address = settings.agi.listen;
    let question = "agi_network: yes\nagi_network_script: name\nagi_request: agi://check/name\n\
        agi_channel: Local/check\nagi_callerid: 0\nagi_arg_1: \n\n";
    let port = port(address, question, |answer| {
        let answer = answer.to_ascii_uppercase();
        answer.starts_with("SET ") || answer.starts_with("EXEC ")
    });
    let port = port.await;
    tell("agi", address, port, notes);
}

/// The web server, and `public_url`.
pub(super) async fn http(settings: &Settings, notes: &mut Notes<'_>) {
    let address = settings.http.listen;
    let question = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let port = port(address, question, |answer| answer.contains("\"parts\""));
    let port = port.await;
    tell("http", address, port, notes);
    let url = settings.http.public_url.trim_end_matches('/');
    if url.is_empty() {
        if !settings.amocrm.base_url.is_empty() {
            notes.warn("http", "check.no_public_url", &[]);
        }
        return;
    }
    if !url.starts_with("https://") {
        notes.warn("http", "check.public_http", &[("url", url)]);
    }
    match fetch(&format!("{url}/healthz")).await {
        Ok(text) if text.contains("\"parts\"") => notes.ok("http", "check.public_url", &[("url", url)]),
        Ok(_) => notes.warn("http", "check.public_other", &[("url", url)]),
        Err(error) => notes.warn("http", "check.public_bad", &[("url", url), ("error", &error)]),
    }
}

async fn fetch(url: &str) -> Result<String, String> {
    let plain = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string()
    };
    let client = reqwest::Client::builder().timeout(PATIENCE * 2).build().map_err(plain)?;
    client.get(url).send().await.map_err(plain)?.text().await.map_err(plain)
}

async fn port(address: SocketAddr, question: &str, is_ours: impl Fn(&str) -> bool) -> Port {
    let mut near = address;
    if near.ip().is_unspecified() {
        near.set_ip(if near.is_ipv6() { [0, 0, 0, 0, 0, 0, 0, 1].into() } else { [127, 0, 0, 1].into() });
    }
    let Ok(Ok(mut stream)) = timeout(PATIENCE, TcpStream::connect(near)).await else {
        return match TcpListener::bind(address).await {
            Ok(_) => Port::Free,
            Err(error) => Port::Refused(error.to_string()),
        };
    };
    let mut answer = Vec::new();
    let talk = async {
        stream.write_all(question.as_bytes()).await?;
        let mut piece = [0; 2048];
        while !is_ours(&String::from_utf8_lossy(&answer)) {
            let read = stream.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..read]);
        }
        Ok::<_, std::io::Error>(())
    };
    // Whatever ended the talk, the answer so far decides.
    let _ = timeout(PATIENCE, talk).await;
    if is_ours(&String::from_utf8_lossy(&answer)) { Port::Ours } else { Port::Taken }
}

fn tell(part: &'static str, address: SocketAddr, port: Port, notes: &mut Notes<'_>) {
    let is_agis_own = part == "agi" && address.port() == AGI_PORT;
    let address = address.to_string();
    let values = [("part", part), ("address", address.as_str())];
    match port {
        Port::Ours => notes.ok(part, "check.port_ours", &values),
        Port::Free => notes.ok(part, "check.port_free", &values),
        Port::Taken if is_agis_own => notes.fault(part, "check.agi_port_taken", &values),
        Port::Taken => notes.fault(part, "check.port_taken", &values),
        Port::Refused(error) => {
            notes.fault(part, "check.port_refused", &[values[0], values[1], ("error", &error)]);
        }
    }
}
