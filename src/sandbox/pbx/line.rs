//! A channel that runs `AGI(agi://…)`: the far end of FastAGI, as Asterisk plays it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::Told;

/// Asterisk gives up connecting after two seconds; the sample dialplan's watchdog gives up waiting as soon.
const PATIENCE: Duration = Duration::from_secs(2);

/// The ringing channel.
pub(super) struct Ringing {
    pub(super) channel: String,
    pub(super) uniqueid: String,
    pub(super) callerid: String,
    pub(super) dnid: String,
}

/// Asks, and gives what was set.
pub(super) async fn ask(server: SocketAddr, ringing: &Ringing) -> Result<Told, String> {
    match tokio::time::timeout(PATIENCE, talk(server, ringing)).await {
        Ok(told) => told.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn talk(server: SocketAddr, ringing: &Ringing) -> std::io::Result<Told> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    write.write_all(environment(server, ringing).as_bytes()).await?;
    let mut told = Told::default();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = obey(&line, ringing, &mut told);
        write.write_all(answer.as_bytes()).await?;
    }
    Ok(told)
}

/// What Asterisk 22 sends first, in its order.
fn environment(server: SocketAddr, ringing: &Ringing) -> String {
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let lines = [
        ("network", "yes".to_owned()),
        ("network_script", "route".to_owned()),
        ("request", format!("agi://{server}/route")),
        ("channel", ringing.channel.clone()),
        ("language", "ru".to_owned()),
        ("type", "PJSIP".to_owned()),
        ("uniqueid", ringing.uniqueid.clone()),
        ("version", "22.10.1".to_owned()),
        ("callerid", or_unknown(&ringing.callerid)),
        ("calleridname", "unknown".to_owned()),
        ("callingpres", "0".to_owned()),
        ("callingani2", "0".to_owned()),
        ("callington", "0".to_owned()),
        ("callingtns", "0".to_owned()),
        ("dnid", or_unknown(&ringing.dnid)),
        ("rdnis", "unknown".to_owned()),
        ("context", "from-trunk".to_owned()),
        ("extension", or_unknown(&ringing.dnid)),
        ("priority", "1".to_owned()),
        ("enhanced", "0.0".to_owned()),
        ("accountcode", String::new()),
        ("threadid", "140569429165760".to_owned()),
    ];
    let mut text: String = lines.iter().map(|(name, value)| format!("agi_{name}: {value}\n")).collect();
    text.push('\n');
    text
}

/// Carries out one command.
fn obey(line: &str, ringing: &Ringing, told: &mut Told) -> String {
    let words = words(line);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match (word(0).to_uppercase().as_str(), word(1).to_uppercase().as_str()) {
        ("SET", "VARIABLE") => set(told, word(2), word(3)),
        ("SET", "CALLERID") => {
            told.callerid_name = word(2).split('<').next().unwrap_or("").trim_matches(['"', ' ']).to_owned()
        }
        ("GET", "VARIABLE" | "FULL") => return got(&words[1..].join(" "), ringing),
        ("EXEC" | "VERBOSE" | "NOOP" | "ANSWER" | "CHANNEL" | "SET", _) => {}
        _ => return "510 Invalid or unknown command\n".to_owned(),
    }
    "200 result=1\n".to_owned()
}

fn set(told: &mut Told, name: &str, value: &str) {
    let place = match name {
        "CRM_STATUS" => &mut told.status,
        "CRM_NAME" => &mut told.name,
        "CRM_EXTEN" => &mut told.exten,
        "CRM_RESPONSIBLE" => &mut told.responsible,
        "CRM_ENTITY" => &mut told.entity,
        "CALLERID(name)" => &mut told.callerid_name,
        _ => return,
    };
    value.clone_into(place);
}

fn got(asked: &str, ringing: &Ringing) -> String {
    let value = if asked.contains("linkedid") || asked.contains("UNIQUEID") {
        &ringing.uniqueid
    } else if asked.contains("CALLERID(num)") {
        &ringing.callerid
    } else if asked.contains("did") || asked.contains("DNID") || asked.contains("CALLERID(dnid)") {
        &ringing.dnid
    } else {
        return "200 result=0\n".to_owned();
    };
    format!("200 result=1 ({value})\n")
}

/// Words of a command: quotes hold spaces, a backslash holds the next character.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut letters = line.trim_end().chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            '"' => (quoted, any) = (!quoted, true),
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            other => word.push(other),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_asterisk_reads_them() {
        let ringing = Ringing {
            channel: "PJSIP/trunk-0000000e".into(),
            uniqueid: "1795167102.18".into(),
            callerid: "79161234567".into(),
            dnid: "74951234567".into(),
        };
        let mut told = Told::default();
        for (line, answer) in [
            (r#"SET VARIABLE CRM_NAME "ООО \"Ромашка\"""#, "200 result=1\n"),
            (r#"SET VARIABLE CRM_EXTEN """#, "200 result=1\n"),
            ("GET VARIABLE CHANNEL(linkedid)", "200 result=1 (1795167102.18)\n"),
            ("GET FULL VARIABLE ${NOTHING}", "200 result=0\n"),
            ("MAKE COFFEE", "510 Invalid or unknown command\n"),
        ] {
            assert_eq!(obey(line, &ringing, &mut told), answer, "{line}");
        }
        assert_eq!((told.name.as_str(), told.exten.as_str()), ("ООО \"Ромашка\"", ""));
    }
}
