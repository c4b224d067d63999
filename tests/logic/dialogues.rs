//! Byte-exact AGI conversations: `tests/dialogues/*.agi`, each whole, cut in two at every byte, and byte by byte.
//!
//! In a file `A>` is a line of Asterisk's (`A>>`: without its newline), `P>` one of ours, `asks:` the question that
//! was understood, `knows:` what the directory holds, `deadline` the moment our time is up, `ends:` how it went.
//! `\xNN`, `\r` and `\\` stand for a byte.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use perezvon::{
    logic::{
        agi::{AgiCodec, Environment, Event, Frame, Malformed, Question, Session, Step, codec},
        directory::{EntityKind, Known},
        phone::Phones,
        rules::route::{Route, Stranger, route, stranger},
    },
    settings::{Employee, Numbers, Settings},
};
use tokio_util::codec::{Decoder, Encoder};

/// One file.
#[derive(Default)]
struct Dialogue {
    known: Vec<Known>,
    /// Asterisk's bytes before our answer, and after it.
    said: [Vec<u8>; 2],
    asked: Option<String>,
    deadline: bool,
    wanted: String,
    ends: String,
}

impl Dialogue {
    fn read(text: &str) -> Self {
        let mut dialogue = Self::default();
        for line in text.lines() {
            let part = usize::from(!dialogue.wanted.is_empty());
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "#" => {}
                "A>" => {
                    dialogue.said[part].extend(bytes_of(rest));
                    dialogue.said[part].push(b'\n');
                }
                "A>>" => dialogue.said[part].extend(bytes_of(rest)),
                "P>" => dialogue.wanted += &format!("{rest}\n"),
                "P" => assert_eq!(rest, "closes"),
                "asks:" => dialogue.asked = Some(rest.to_owned()),
                "knows:" => dialogue.known.push(known(rest)),
                "deadline" => dialogue.deadline = true,
                "ends:" => dialogue.ends = rest.to_owned(),
                word => panic!("what is {word:?}?"),
            }
        }
        dialogue
    }
}

pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (byte, length) = match rest.as_bytes()[at + 1] {
            b'x' => (u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap(), 4),
            b'r' => (b'\r', 2),
            b'\\' => (b'\\', 2),
            other => panic!("what is \\{}?", char::from(other)),
        };
        bytes.push(byte);
        rest = &rest[at + length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// `+79161234567 contact/123 user 7 Иван Петров`
fn known(line: &str) -> Known {
    let words: Vec<&str> = line.splitn(5, ' ').collect();
    let (kind, id) = words[1].split_once('/').unwrap();
    Known {
        kind: if kind == "contact" { EntityKind::Contact } else { EntityKind::Company },
        id: id.parse().unwrap(),
        name: words[4].to_owned(),
        responsible: words[3].parse().unwrap(),
        created_at: 0,
        updated_at: 0,
        phones: vec![words[0].to_owned()],
        leads: Vec::new(),
    }
}

/// Plays Asterisk against codec and session, without a socket.
struct Stage<'a> {
    dialogue: &'a Dialogue,
    settings: Settings,
    phones: &'a Phones,
    codec: AgiCodec,
    session: Session,
    now: Instant,
    buffer: BytesMut,
    asked: Option<String>,
    sent: String,
    finished: bool,
}

impl<'a> Stage<'a> {
    fn new(dialogue: &'a Dialogue, phones: &'a Phones) -> Self {
        let mut settings = Settings::default();
        settings.employees.insert("101".to_owned(), Employee::new(7, "Анна"));
        let now = Instant::now();
        Self {
            dialogue,
            settings,
            phones,
            codec: AgiCodec::default(),
            session: Session::new(now, Duration::from_millis(300)),
            now,
            buffer: BytesMut::new(),
            asked: None,
            sent: String::new(),
            finished: false,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        loop {
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(frame)) => self.frame(frame),
                Ok(None) => return,
                Err(Malformed::Io(error)) => panic!("{error}"),
                Err(_) => {
                    self.buffer.clear();
                    return self.happen(Event::Malformed);
                }
            }
        }
    }

    fn close(&mut self) {
        while let Ok(Some(frame)) = self.codec.decode_eof(&mut self.buffer) {
            self.frame(frame);
        }
        self.happen(Event::Eof);
    }

    fn frame(&mut self, frame: Frame) {
        self.happen(match frame {
            Frame::Request(environment) => Event::Request(environment),
            Frame::Reply(reply) => Event::Reply(reply),
            Frame::Hangup => Event::Hangup,
        });
    }

    fn happen(&mut self, event: Event) {
        match self.session.next(event, self.now) {
            Step::WaitUntil(_) => {}
            Step::Ask(question, _) => {
                self.asked = Some(told(&question));
                if !self.dialogue.deadline {
                    let route = self.route(&question);
                    self.happen(Event::Answer(route));
                }
            }
            Step::Send(commands, _) => {
                let mut bytes = BytesMut::new();
                for command in &commands {
                    self.codec.encode(command, &mut bytes).unwrap();
                }
                self.sent += std::str::from_utf8(&bytes).unwrap();
            }
            Step::Finish => self.finished = true,
        }
    }

    fn route(&self, question: &Question) -> Route {
        let Some(phone) = question.phone.as_deref().and_then(|raw| self.phones.canonical(raw)) else {
            return stranger(Stranger::Hidden, &self.settings);
        };
        let known = self.dialogue.known.iter().find(|known| known.phones[0] == phone.as_str());
        route(known, &self.settings)
    }

    fn ends(&self) -> String {
        let mut words = vec![self.session.status().map_or("nothing", |status| status.as_str()).to_owned()];
        if self.session.refused() > 0 {
            words.push(format!("{} refused", self.session.refused()));
        }
        if self.session.hung_up() {
            words.push("hung up".to_owned());
        }
        words.join(", ")
    }
}

fn told(question: &Question) -> String {
    let mut words = Vec::new();
    words.extend(question.phone.as_ref().map(|phone| format!("phone={phone}")));
    words.extend(question.did.as_ref().map(|did| format!("did={did}")));
    words.extend(question.budget.map(|budget| format!("budget={}", budget.as_millis())));
    words.extend(question.name_only.then(|| "name only".to_owned()));
    words.join(" ")
}

fn play(dialogue: &Dialogue, phones: &Phones, pieces: impl Fn(&[u8]) -> Vec<&[u8]>, what: &str) {
    let mut stage = Stage::new(dialogue, phones);
    for piece in pieces(&dialogue.said[0]) {
        assert_eq!(stage.sent, "", "{what}: answered too early");
        stage.hear(piece);
    }
    if dialogue.deadline {
        assert_eq!(stage.sent, "", "{what}: answered before the deadline");
        stage.happen(Event::Deadline);
    }
    assert_eq!(stage.sent, dialogue.wanted, "{what}");
    assert_eq!(stage.asked, dialogue.asked, "{what}");
    for piece in pieces(&dialogue.said[1]) {
        assert!(!stage.finished, "{what}: closed before Asterisk did");
        stage.hear(piece);
    }
    stage.close();
    assert!(stage.finished, "{what}: never ends");
    assert_eq!(stage.sent, dialogue.wanted, "{what}: sent twice");
    assert_eq!(stage.ends(), dialogue.ends, "{what}");
}

pub(crate) fn in_two(bytes: &[u8], cut: usize) -> Vec<&[u8]> {
    // Nothing behind the cut is no piece: it could not arrive.
    match bytes.split_at_checked(cut) {
        Some((first, second)) if !second.is_empty() => vec![first, second],
        _ => vec![bytes],
    }
}

#[test]
fn dialogues_go_as_written_however_the_bytes_arrive() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let phones = Phones::new(&Numbers::default()).unwrap();
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let dialogue = Dialogue::read(&fs::read_to_string(&path).unwrap());
        play(&dialogue, &phones, |bytes| vec![bytes], &name);
        play(&dialogue, &phones, |bytes| bytes.chunks(1).collect(), &format!("{name}, byte by byte"));
        for cut in 1..dialogue.said[0].len().max(dialogue.said[1].len()) {
            play(&dialogue, &phones, |bytes| in_two(bytes, cut), &format!("{name}, cut at {cut}"));
        }
        files += 1;
    }
    assert!(files >= 25, "only {files} dialogues");
}

fn decoded(bytes: &[u8]) -> Result<Vec<Frame>, Malformed> {
    let (mut codec, mut buffer) = (AgiCodec::default(), BytesMut::from(bytes));
    std::iter::from_fn(|| codec.decode(&mut buffer).transpose()).collect()
}

#[test]
fn lines_and_environments_have_limits() {
    let mut endless = b"agi_network: yes\nagi_calleridname: ".to_vec();
    endless.resize(codec::MAX_LINE * 2, b'x');
    assert!(matches!(decoded(&endless), Err(Malformed::LineTooLong)));
    endless.push(b'\n');
    assert!(matches!(decoded(&endless), Err(Malformed::LineTooLong)));

    let many = "agi_arg: x\n".repeat(codec::MAX_HEADERS + 1);
    assert!(matches!(decoded(many.as_bytes()), Err(Malformed::TooMuch)));
    let fat = format!("agi_arg: {}\n", "x".repeat(8000)).repeat(9);
    assert!(matches!(decoded(fat.as_bytes()), Err(Malformed::TooMuch)));
    let manual = format!("agi_network: yes\n\n520-Usage\n{}", "text\n".repeat(20_000));
    assert!(matches!(decoded(manual.as_bytes()), Err(Malformed::TooMuch)));
}

#[test]
fn replies_are_read_to_the_last_bracket() {
    let frames = decoded(
        b"agi_network: yes\n\n200 result=1 (a (b) c) endpos=160\n200 result=-2\n200 result= (timeout)\n",
    )
    .unwrap();
    let replies: Vec<_> = frames
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Reply(reply) => Some((reply.result, reply.value, reply.text)),
            _ => None,
        })
        .collect();
    let text = str::to_owned;
    assert_eq!(
        replies,
        [
            (text("1"), Some(text("a (b) c")), text("endpos=160")),
            (text("-2"), None, text("")),
            (text(""), Some(text("timeout")), text("")),
        ]
    );
}

#[test]
fn raw_bytes_of_the_environment_are_kept() {
    let frames =
        decoded(b"agi_calleridname: M\xfcller\nagi_callerid: +7 916\nagi_dnid:\nagi_dnid: \xd0\x98\n\n")
            .unwrap();
    let Some(Frame::Request(environment)) = frames.first() else { panic!("{frames:?}") };
    let text = |name| Environment::text(environment, name);
    assert_eq!(environment.bytes_of("agi_calleridname"), Some(&b"M\xfcller"[..]));
    assert_eq!(text("agi_calleridname").as_deref(), Some("Müller"));
    assert_eq!((text("agi_callerid").as_deref(), text("agi_dnid").as_deref()), (Some("+7 916"), Some("И")));
    assert_eq!(text("agi_nothing"), None);
}

/// The lines of a context without comments.
fn context(file: &str, name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplan").join(file);
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with(';'))
        .collect()
}

#[test]
fn both_questions_are_the_same_for_plain_asterisk_and_freepbx() {
    for name in ["perezvon", "agi-guard", "perezvon-curl"] {
        let lines = context("extensions_perezvon.conf", name);
        assert!(lines.len() > 4, "{name}");
        // FreePBX's own AGI server holds 4573.
        let freepbx = context("extensions_custom.conf", name).into_iter();
        let freepbx: Vec<String> = freepbx.map(|line| line.replace("127.0.0.1:4574", "127.0.0.1")).collect();
        assert_eq!(lines, freepbx, "{name}");
    }
}

#[test]
fn the_dialplan_presets_and_reads_each_variable() {
    for (file, name) in
        [("extensions_perezvon.conf", "perezvon"), ("extensions_perezvon.conf", "perezvon-curl")]
    {
        let lines = context(file, name);
        for variable in ["CRM_STATUS", "CRM_NAME", "CRM_EXTEN", "CRM_RESPONSIBLE", "CRM_ENTITY"] {
            let set = lines.iter().filter(|line| line.contains(&format!("Set({variable}="))).count();
            assert_eq!(set, 2, "{name} {variable}");
        }
        for line in lines {
            assert_eq!(line.matches('(').count(), line.matches(')').count(), "{line}");
            assert_eq!(line.matches('{').count(), line.matches('}').count(), "{line}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = decoded(&bytes);
        let behind = [&b"agi_network: yes\n\n"[..], &bytes].concat();
        let _ = decoded(&behind);
    }
}
