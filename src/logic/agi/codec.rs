//! The stream of one FastAGI connection as frames: the environment once, then replies and hangup notices.

use bytes::{Buf, BufMut, BytesMut};
use nom::Err::Incomplete;
use tokio_util::codec::{Decoder, Encoder};

use super::{
    Command, Environment, Reply,
    parse::{self, Head},
};
use crate::logic::lines::{line, text_of};

/// Longest line taken; Asterisk's own buffer holds 2048 bytes.
pub const MAX_LINE: usize = 8 * 1024;
/// Most lines of an environment; Asterisk sends about 25 and at most 128 arguments.
pub const MAX_HEADERS: usize = 512;
/// Most bytes of an environment, and of one reply.
pub const MAX_BYTES: usize = 64 * 1024;

/// What Asterisk says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The environment, complete.
    Request(Environment),
    /// The answer to one command.
    Reply(Reply),
    /// The caller hung up; comes unasked, anywhere between lines.
    Hangup,
}

/// Why the other side is not believed to be Asterisk.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// No newline in sight.
    #[error("a line of more than {MAX_LINE} bytes; only Asterisk's AGI() should connect to this port")]
    LineTooLong,
    /// Headers without end.
    #[error(
        "an environment of more than {MAX_HEADERS} lines or {MAX_BYTES} bytes; only Asterisk's AGI() should connect to this port"
    )]
    TooMuch,
    /// A browser, a scanner, a SIP phone.
    #[error("the first line is no AGI variable; only Asterisk's AGI() should connect to this port")]
    NotAgi,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Turns bytes into [`Frame`]s and [`Command`]s into bytes.
#[derive(Debug, Default)]
pub struct AgiCodec {
    environment: Environment,
    asked: bool,
    /// A reply of several lines that has not ended yet.
    open: Option<Reply>,
}

impl AgiCodec {
    fn take(&mut self, line: &[u8]) -> Result<Option<Frame>, Malformed> {
        if line == b"HANGUP" {
            return Ok(Some(Frame::Hangup));
        }
        if self.asked { self.take_reply(line) } else { self.take_header(line) }
    }

    fn take_header(&mut self, line: &[u8]) -> Result<Option<Frame>, Malformed> {
        if line.is_empty() && !self.environment.is_empty() {
            self.asked = true;
            return Ok(Some(Frame::Request(std::mem::take(&mut self.environment))));
        }
        match parse::header(line) {
            Some((name, value)) => self.environment.push(name, value),
            None if self.environment.is_empty() => return Err(Malformed::NotAgi),
            // The rest of a value with a newline in it, or something newer than we are.
            None => {}
        }
        if self.environment.lines() > MAX_HEADERS || self.environment.bytes() > MAX_BYTES {
            return Err(Malformed::TooMuch);
        }
        Ok(None)
    }

    fn take_reply(&mut self, line: &[u8]) -> Result<Option<Frame>, Malformed> {
        let Some(mut reply) = self.open.take() else {
            return Ok(match parse::head(line) {
                Some(Head::Whole(reply)) => Some(Frame::Reply(reply)),
                Some(Head::Open(reply)) => {
                    self.open = Some(reply);
                    None
                }
                None => None,
            });
        };
        let last = parse::last_line(line, reply.code);
        reply.text.push('\n');
        reply.text.push_str(last.as_deref().unwrap_or(&text_of(line)));
        if reply.text.len() > MAX_BYTES {
            return Err(Malformed::TooMuch);
        }
        if last.is_some() {
            return Ok(Some(Frame::Reply(reply)));
        }
        self.open = Some(reply);
        Ok(None)
    }
}

impl Decoder for AgiCodec {
    type Item = Frame;
    type Error = Malformed;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        loop {
            let (frame, used) = match line(buffer) {
                Ok((rest, line)) if line.len() <= MAX_LINE => (self.take(line)?, buffer.len() - rest.len()),
                Err(Incomplete(_)) if buffer.len() <= MAX_LINE => return Ok(None),
                _ => return Err(Malformed::LineTooLong),
            };
            buffer.advance(used);
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }

    /// A last line without its newline still counts; half an environment does not.
    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        if let Some(frame) = self.decode(buffer)? {
            return Ok(Some(frame));
        }
        if buffer.is_empty() || !self.asked {
            buffer.clear();
            return Ok(None);
        }
        let line = buffer.split();
        self.take(&line)
    }
}

impl Encoder<&Command> for AgiCodec {
    type Error = Malformed;

    fn encode(&mut self, command: &Command, buffer: &mut BytesMut) -> Result<(), Malformed> {
        buffer.put_slice(command.line().as_bytes());
        Ok(())
    }
}
