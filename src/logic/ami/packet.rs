//! One block of headers: an event, or the answer to an action.

use std::ops::Range;

use nom::{
    IResult, Parser,
    bytes::complete,
    combinator::{opt, rest},
    sequence::{preceded, separated_pair},
};

use crate::logic::lines::text_of;

/// What each line of an action's raw output is called, in old and new Asterisk alike.
pub(super) const OUTPUT: &str = "Output";

/// Headers in the order in which they came; a name may come several times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packet {
    text: String,
    /// Where each name and value lie in `text`.
    headers: Vec<(Range<usize>, Range<usize>)>,
}

impl Packet {
    /// Adds a header.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        let middle = start + name.len();
        self.text.push_str(name);
        self.text.push_str(value);
        self.headers.push((start..middle, middle..self.text.len()));
    }

    /// The first value of this name, in any case; text is UTF-8, else Latin-1.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| self.named(header, name))
    }

    /// All values of this name in order, for headers that repeat: `Output`, `ChanVariable`.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter_map(|header| self.named(header, name)).collect()
    }

    fn named(&self, (at, value): &(Range<usize>, Range<usize>), name: &str) -> Option<&str> {
        self.text[at.clone()].eq_ignore_ascii_case(name).then(|| &self.text[value.clone()])
    }

    /// Whether no header has come yet.
    pub const fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// How many headers there are.
    pub(super) const fn len(&self) -> usize {
        self.headers.len()
    }

    /// How many bytes they hold.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// `Uniqueid: 1795167102.14` → name and value; a value may be empty or hold colons.
pub(super) fn header(line: &[u8]) -> Option<(String, String)> {
    let name = complete::take_while1(|byte: u8| byte != b':');
    let value = preceded(opt(complete::tag(" ")), rest);
    let parsed: IResult<_, (&[u8], &[u8])> = separated_pair(name, complete::tag(":"), value).parse(line);
    parsed.ok().map(|(_, (name, value))| (text_of(name), text_of(value)))
}
