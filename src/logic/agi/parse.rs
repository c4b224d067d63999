//! Lines of AGI, parsed as they come: nothing here needs more than the bytes that have arrived.

use nom::{
    IResult, Parser,
    bytes::complete,
    character::complete::u16 as number,
    combinator::{opt, rest, verify},
    sequence::{preceded, separated_pair},
};

use crate::logic::lines::text_of;

/// What Asterisk said to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200, 510 (unknown command), 511 (not on a dead channel), 520 (wrong use).
    pub code: u16,
    /// Behind `result=`; empty when there is none, as in `200 result= (timeout)`.
    pub result: String,
    /// In brackets behind the result: a variable's value, `timeout`, `speech`.
    pub value: Option<String>,
    /// Everything else, all lines of it: `endpos=…`, the manual's text of a 520.
    pub text: String,
}

impl Reply {
    /// Whether the command was carried out.
    pub const fn is_success(&self) -> bool {
        self.code == 200
    }
}

/// How a reply begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// All of it in this line.
    Whole(Reply),
    /// Goes on until a line with the same code and a blank.
    Open(Reply),
}

/// `agi_callerid: 79161234567` → name and value; a value may be empty or any bytes.
pub(super) fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let name = complete::take_while1(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_');
    let value = preceded(opt(complete::tag(" ")), rest);
    let parsed: IResult<_, _> = separated_pair(name, complete::tag(":"), value).parse(line);
    parsed.ok().map(|(_, pair)| pair)
}

/// `200 result=1 (value) endpos=0`, `510 Invalid or unknown command`, `520-Invalid command syntax…`.
pub(super) fn head(line: &[u8]) -> Option<Head> {
    let (behind, code) = code(line).ok()?;
    match behind.first() {
        Some(b'-') => {
            Some(Head::Open(Reply { code, result: String::new(), value: None, text: text_of(&behind[1..]) }))
        }
        Some(b' ') | None => Some(Head::Whole(reply(code, behind.get(1..).unwrap_or_default()))),
        Some(_) => None,
    }
}

/// Whether this line ends a reply of several lines; gives its text.
pub(super) fn last_line(line: &[u8], code_of_head: u16) -> Option<String> {
    let (behind, code) = code(line).ok()?;
    (code == code_of_head && matches!(behind.first(), Some(b' ') | None))
        .then(|| text_of(behind.get(1..).unwrap_or_default()))
}

fn code(line: &[u8]) -> IResult<&[u8], u16> {
    verify(number, |code| (100..=999).contains(code)).parse(line)
}

fn reply(code: u16, behind: &[u8]) -> Reply {
    let word = complete::take_while(|byte| byte != b' ');
    let parsed: IResult<_, &[u8]> = preceded(complete::tag("result="), word).parse(behind);
    let (behind, result) = parsed.map_or((behind, String::new()), |(behind, word)| (behind, text_of(word)));
    // A value may hold brackets itself: it ends at the last one.
    let brackets = behind
        .strip_prefix(b" (")
        .and_then(|inside| inside.iter().rposition(|byte| *byte == b')').map(|end| inside.split_at(end)));
    let (value, behind) = brackets.map_or((None, behind), |(value, rest)| (Some(text_of(value)), &rest[1..]));
    Reply { code, result, value, text: text_of(behind.trim_ascii_start()) }
}
