//! Byte-exact AMI conversations: `tests/ami/*.ami`, each whole, cut in two at every byte, and byte by byte.
//!
//! In a file `A>` is a line of Asterisk's (`A|>`: ended by a line feed alone), `P>` one of ours; `silence` the moment
//! that we waited for. `in:`, `hung up:` and `ends:` are what the edge is told. `\xNN` stands for a byte.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use perezvon::{
    logic::ami::{Action, AmiCodec, Event, Frame, Malformed, Packet, Proof, Request, Session, Step, codec},
    settings::{Ami, Secret},
};
use proptest::{collection::vec, prelude::*};
use tokio_util::codec::{Decoder, Encoder};

use crate::dialogues::{bytes_of, in_two};

/// What Asterisk does, or what is expected of us.
enum Line {
    Bytes(Vec<u8>),
    Silence,
    Expected(String),
}

fn lines_of(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let said = match line.split_once('>') {
            Some(("A", said)) => Some((said, &b"\r\n"[..])),
            Some(("A|", said)) => Some((said, &b"\n"[..])),
            _ => None,
        };
        match said {
            Some((said, end)) => {
                let bytes = [&bytes_of(said.strip_prefix(' ').unwrap_or(said)), end].concat();
                match lines.last_mut() {
                    Some(Line::Bytes(before)) => before.extend(bytes),
                    _ => lines.push(Line::Bytes(bytes)),
                }
            }
            None if line == "silence" => lines.push(Line::Silence),
            None => lines.push(Line::Expected(line.to_owned())),
        }
    }
    lines
}

/// Plays Asterisk against codec and session, without a socket.
struct Stage {
    codec: AmiCodec,
    session: Session,
    now: Instant,
    until: Instant,
    buffer: BytesMut,
    happened: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let settings = Ami {
            address: "127.0.0.1:5038".to_owned(),
            username: "perezvon".to_owned(),
            secret: Secret::new("probe secret"),
        };
        let now = Instant::now();
        let session = Session::new(&settings, now);
        let Step::WaitUntil(until) = session.begin() else { panic!("it waits for the greeting") };
        Self {
            codec: AmiCodec::default(),
            session,
            now,
            until,
            buffer: BytesMut::new(),
            happened: Vec::new(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.now += Duration::from_millis(1);
        self.buffer.extend_from_slice(bytes);
        while let Some(frame) = self.codec.decode(&mut self.buffer).unwrap() {
            self.happen(match frame {
                Frame::Banner(version) => Event::Banner(version),
                Frame::Packet(packet) => Event::Packet(packet),
            });
        }
    }

    fn happen(&mut self, event: Event) {
        let until = match self.session.next(event, self.now) {
            Step::WaitUntil(until) => until,
            Step::Send(request, until) => {
                let mut bytes = BytesMut::new();
                self.codec.encode(&request, &mut bytes).unwrap();
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                let lines = text.strip_suffix("\r\n").unwrap().split("\r\n");
                self.happened.extend(lines.map(|line| format!("P> {line}").trim_end().to_owned()));
                until
            }
            Step::In(version, until) => {
                self.happened.push(format!("in: {version}"));
                until
            }
            Step::HungUp(uniqueid, until) => {
                self.happened.push(format!("hung up: {uniqueid}"));
                until
            }
            Step::Finish(ending) => return self.happened.push(format!("ends: {ending:?}")),
        };
        assert!(until > self.now, "a deadline in the past is a hot loop");
        self.until = until;
    }

    fn silence(&mut self) {
        self.now = self.until;
        self.happen(Event::Deadline);
    }
}

fn play(lines: &[Line], pieces: impl Fn(&[u8]) -> Vec<&[u8]>, what: &str) {
    let mut stage = Stage::new();
    let mut expected = Vec::new();
    for line in lines {
        match line {
            Line::Expected(line) => expected.push(line.clone()),
            said => {
                assert_eq!(stage.happened, expected, "{what}");
                match said {
                    Line::Bytes(bytes) => pieces(bytes).into_iter().for_each(|piece| stage.hear(piece)),
                    _ => stage.silence(),
                }
            }
        }
    }
    assert_eq!(stage.happened, expected, "{what}");
}

#[test]
fn conversations_go_as_written_however_the_bytes_arrive() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ami");
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let lines = lines_of(&fs::read_to_string(&path).unwrap());
        play(&lines, |bytes| vec![bytes], &name);
        play(&lines, |bytes| bytes.chunks(1).collect(), &format!("{name}, byte by byte"));
        for cut in 1..800 {
            play(&lines, |bytes| in_two(bytes, cut), &format!("{name}, cut at {cut}"));
        }
        files += 1;
    }
    assert!(files >= 10, "only {files} conversations");
}

fn decoded(bytes: &[u8]) -> Result<Vec<Frame>, Malformed> {
    let (mut codec, mut buffer) = (AmiCodec::default(), BytesMut::from(bytes));
    std::iter::from_fn(|| codec.decode(&mut buffer).transpose()).collect()
}

fn packets(text: &str) -> Vec<Packet> {
    let frames = decoded(format!("Asterisk Call Manager/5.0.4\r\n{text}").as_bytes()).unwrap();
    let packet = |frame| match frame {
        Frame::Packet(packet) => Some(packet),
        Frame::Banner(_) => None,
    };
    frames.into_iter().filter_map(packet).collect()
}

#[test]
fn output_of_a_command_reads_alike_from_old_and_new_asterisk() {
    let new = "Response: Success\r\nActionID: c1\r\nMessage: Command output follows\r\nOutput: one\r\nOutput: \r\n\
               Output: Privilege: three\r\n\r\n";
    let old = "Response: Follows\r\nPrivilege: Command\r\nActionID: c1\r\none\n\nPrivilege: three\n--END COMMAND--\r\n\r\n";
    let glued = old.replace("three\n--END", "three--END");
    for text in [new, old, &glued] {
        // The packet behind it is not swallowed.
        let packets = packets(&format!("{text}Event: Hangup\r\nUniqueid: 1.2\r\n\r\n"));
        assert_eq!(packets.len(), 2, "{text}");
        assert_eq!(packets[0].all("Output"), ["one", "", "Privilege: three"], "{text}");
        assert_eq!(packets[0].get("ActionID"), Some("c1"));
        assert_eq!(packets[1].get("uniqueid"), Some("1.2"));
    }
}

#[test]
fn repeated_headers_and_doubled_ends_are_kept_apart() {
    let packets = packets(
        "\r\nEvent: Newchannel\r\nChanVariable: a=1\r\nChanVariable: b=2\r\nCallerIDName: <unknown>\r\n\r\n\r\n\
         Event: Hangup\r\nUniqueid:1.2\r\n\r\n",
    );
    assert_eq!(packets.len(), 2);
    assert_eq!(packets[0].all("chanvariable"), ["a=1", "b=2"]);
    assert_eq!(packets[0].get("ChanVariable"), Some("a=1"));
    assert_eq!((packets[1].get("Uniqueid"), packets[1].get("Nothing")), (Some("1.2"), None));
}

#[test]
fn lines_and_blocks_have_limits() {
    let banner = b"Asterisk Call Manager/5.0.4\r\n".to_vec();
    let mut endless = [&banner[..], b"Event: "].concat();
    endless.resize(codec::MAX_LINE * 2, b'x');
    assert!(matches!(decoded(&endless), Err(Malformed::LineTooLong)));
    endless.push(b'\n');
    assert!(matches!(decoded(&endless), Err(Malformed::LineTooLong)));
    let many = [&banner[..], "Output: x\r\n".repeat(codec::MAX_HEADERS + 1).as_bytes()].concat();
    assert!(matches!(decoded(&many), Err(Malformed::TooMuch)));
    let fat = format!("Output: {}\r\n", "x".repeat(60_000)).repeat(18);
    assert!(matches!(decoded(&[&banner[..], fat.as_bytes()].concat()), Err(Malformed::TooMuch)));
    let raw = format!("Response: Follows\r\n{}", "text\n".repeat(300_000));
    assert!(matches!(decoded(&[&banner[..], raw.as_bytes()].concat()), Err(Malformed::TooMuch)));
}

#[test]
fn who_does_not_greet_as_asterisk_is_left_at_once() {
    for other in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n", "\r\n"] {
        assert!(matches!(decoded(other.as_bytes()), Err(Malformed::NotAmi)), "{other}");
    }
    assert!(matches!(decoded(&[0; 300]), Err(Malformed::NotAmi)), "and its first line is not waited for");
}

#[test]
fn a_value_cannot_end_its_line_and_a_secret_is_not_shown() {
    let secret = Secret::new("s3cr\r\nAction: Command");
    let action =
        Action::Login { username: "a\nb".to_owned(), proof: Proof::Secret(secret.clone()), events: "call" };
    let request = Request { id: 7, action };
    let mut bytes = BytesMut::new();
    AmiCodec::default().encode(&request, &mut bytes).unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let expected = "Action: Login\r\nActionID: perezvon-7\r\nUsername: a b\r\nSecret: s3cr  Action: Command\r\n\
                    Events: call\r\n\r\n";
    assert_eq!(text, expected);
    for shown in [format!("{request:?}"), format!("{:?}", Proof::of_challenge("1", &secret))] {
        assert!(shown.contains("***") && !shown.contains("s3cr"), "{shown}");
    }
}

fn any_packets() -> impl Strategy<Value = Vec<Vec<(String, String)>>> {
    let header = ("[A-Z][A-Za-z0-9_-]{0,12}", "[^\r\n]{0,40}")
        .prop_filter("begins no raw output", |header| {
            !(header.0.eq_ignore_ascii_case("Response") && header.1 == "Follows")
        });
    vec(vec(header, 1..12), 0..8)
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..600)) {
        let _ = decoded(&bytes);
        let _ = decoded(&[&b"Asterisk Call Manager/5\n"[..], &bytes].concat());
        let _ = decoded(&[&b"Asterisk Call Manager/5\nResponse: Follows\n"[..], &bytes].concat());
    }

    #[test]
    fn packets_come_out_as_they_went_in_wherever_the_stream_is_cut(packets in any_packets(), cuts in vec(0usize..4000, 0..6)) {
        let mut text = String::from("Asterisk Call Manager/11.0.0\r\n");
        for packet in &packets {
            packet.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
            text += "\r\n";
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let (mut codec, mut buffer, mut frames) = (AmiCodec::default(), BytesMut::new(), Vec::new());
        for cut in cuts.windows(2) {
            buffer.extend_from_slice(&text.as_bytes()[cut[0]..cut[1]]);
            while let Some(frame) = codec.decode(&mut buffer).unwrap() {
                frames.push(frame);
            }
        }
        prop_assert_eq!(frames.len(), packets.len() + 1);
        for (frame, packet) in frames[1..].iter().zip(&packets) {
            let Frame::Packet(read) = frame else { panic!("{frame:?}") };
            for (name, _) in packet {
                let written: Vec<&str> =
                    packet.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect();
                prop_assert_eq!(read.all(name), written);
            }
        }
        prop_assert!(buffer.is_empty());
    }
}
