//! A name server for `hagi://`: two servers of one name, by SRV.

use std::net::Ipv4Addr;

use tokio::{net::UdpSocket, task::JoinHandle};

/// The name that the dialplan asks.
pub(crate) const NAME: &str = "perezvon.lab";

const A: u16 = 1;
const SRV: u16 = 33;

/// Answers on port 53 of an address for as long as it is kept.
pub(crate) struct Names(JoinHandle<()>);

impl Drop for Names {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Names {
    /// `_agi._tcp.NAME` is the first server, then the second.
    pub(crate) async fn start(at: &str, first: &str, second: &str) -> Result<Self, String> {
        let parse = |host: &str| host.parse().map_err(|error| format!("{host}: {error}"));
        let hosts: [Ipv4Addr; 2] = [parse(first)?, parse(second)?];
        let socket =
            UdpSocket::bind((at, 53)).await.map_err(|error| format!("name server at {at}: {error}"))?;
        Ok(Self(tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                if let Some(answer) = answer(&question[..length], hosts) {
                    // A lost answer is asked for again.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        })))
    }
}

/// The answer to a question, empty for names and types that nobody has; none for what is no question.
fn answer(question: &[u8], hosts: [Ipv4Addr; 2]) -> Option<Vec<u8>> {
    let (name, end) = name_at(question, 12)?;
    let asked = question.get(end..end + 4)?;
    let kind = u16::from_be_bytes([asked[0], asked[1]]);
    let targets = [format!("first.{NAME}"), format!("second.{NAME}")];
    let records: Vec<Vec<u8>> = match kind {
        SRV if name == format!("_agi._tcp.{NAME}") => {
            targets.iter().zip([10, 20]).map(|(target, priority)| service(priority, target)).collect()
        }
        A => targets
            .iter()
            .zip(hosts)
            .filter(|(target, _)| **target == name)
            .map(|(_, host)| host.octets().to_vec())
            .collect(),
        _ => Vec::new(),
    };
    let mut answer = question.get(..2)?.to_vec();
    // An answer with authority; one question, so many records.
    answer.extend([0x85, 0x80, 0, 1, 0, u8::try_from(records.len()).ok()?, 0, 0, 0, 0]);
    answer.extend(question.get(12..end + 4)?);
    for record in records {
        // The name of the question, the type, class IN, no time to live.
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 0]);
        answer.extend(u16::try_from(record.len()).ok()?.to_be_bytes());
        answer.extend(record);
    }
    Some(answer)
}

/// Priority, weight 0, port 4573, target.
fn service(priority: u16, target: &str) -> Vec<u8> {
    let mut record = [priority.to_be_bytes(), [0, 0], 4573_u16.to_be_bytes()].concat();
    for label in target.split('.') {
        record.push(label.len() as u8);
        record.extend(label.as_bytes());
    }
    record.push(0);
    record
}

/// The name at a place, in lower case, and where it ends.
fn name_at(packet: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}
