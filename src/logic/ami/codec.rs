//! The stream of one AMI connection as frames: the banner once, then blocks of headers.

use bytes::{Buf, BytesMut};
use nom::Err::Incomplete;
use tokio_util::codec::{Decoder, Encoder};

use super::{
    Packet, Request,
    packet::{OUTPUT, header},
};
use crate::logic::lines::{line, text_of};

/// Longest line taken; a channel variable of the dialplan may fill some kilobytes.
pub const MAX_LINE: usize = 64 * 1024;
/// Most headers of one block; `ListCommands` of Asterisk 22 has about 150.
pub const MAX_HEADERS: usize = 4096;
/// Most bytes of one block.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Longest first line of somebody who is no Asterisk that is waited for.
const MAX_BANNER: usize = 256;

const BANNER: &str = "Asterisk Call Manager";
/// Ends the output of a command up to Asterisk 13, perhaps behind the last words of it.
const END: &str = "--END COMMAND--";

/// What Asterisk says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The greeting: the protocol's version, `9.0.0`; empty when it tells none.
    Banner(String),
    /// An event or an answer, complete.
    Packet(Packet),
}

/// Why the other side is not believed to be Asterisk's AMI.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// HTTP, SSH, SIP: another port was meant.
    #[error("it does not greet as AMI does; [ami] address must name the port of manager.conf, usually 5038")]
    NotAmi,
    /// No newline in sight.
    #[error("a line of more than {MAX_LINE} bytes")]
    LineTooLong,
    /// Headers without end.
    #[error("a message of more than {MAX_HEADERS} lines or {MAX_BYTES} bytes")]
    TooMuch,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Turns bytes into [`Frame`]s and [`Request`]s into bytes.
#[derive(Debug, Default)]
pub struct AmiCodec {
    greeted: bool,
    /// A block that has not ended yet.
    open: Packet,
    /// Its lines are raw output up to [`END`].
    raw: bool,
}

impl AmiCodec {
    fn take(&mut self, line: &[u8]) -> Result<Option<Frame>, Malformed> {
        if !self.greeted {
            return self.take_banner(line).map(Some);
        }
        if self.raw {
            self.take_raw(&text_of(line));
        } else if line.is_empty() {
            // Asterisk closes some blocks twice.
            return Ok((!self.open.is_empty()).then(|| Frame::Packet(std::mem::take(&mut self.open))));
        } else if let Some((name, value)) = header(line) {
            let first = self.open.is_empty();
            self.raw = first && name.eq_ignore_ascii_case("Response") && value == "Follows";
            self.open.push(&name, &value);
        }
        // Else the rest of a value with a newline in it: nothing that we know to read.
        if self.open.len() > MAX_HEADERS || self.open.bytes() > MAX_BYTES {
            return Err(Malformed::TooMuch);
        }
        Ok(None)
    }

    fn take_banner(&mut self, line: &[u8]) -> Result<Frame, Malformed> {
        let text = text_of(line);
        let version = text.strip_prefix(BANNER).ok_or(Malformed::NotAmi)?;
        self.greeted = true;
        Ok(Frame::Banner(version.trim_start_matches('/').trim().to_owned()))
    }

    /// Headers of its own come before the output, and look like it.
    fn take_raw(&mut self, line: &str) {
        let own = self.open.get(OUTPUT).is_none().then(|| header(line.as_bytes())).flatten();
        if let Some((name, value)) = own.filter(|(name, _)| name == "Privilege" || name == "ActionID") {
            return self.open.push(&name, &value);
        }
        let (output, ended) = line.strip_suffix(END).map_or((line, false), |output| (output, true));
        if !output.is_empty() || !ended {
            self.open.push(OUTPUT, output);
        }
        self.raw = !ended;
    }

    const fn longest(&self) -> usize {
        if self.greeted { MAX_LINE } else { MAX_BANNER }
    }

    const fn too_long(&self) -> Malformed {
        if self.greeted { Malformed::LineTooLong } else { Malformed::NotAmi }
    }
}

impl Decoder for AmiCodec {
    type Item = Frame;
    type Error = Malformed;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        loop {
            let (frame, used) = match line(buffer) {
                Ok((rest, line)) if line.len() <= self.longest() => {
                    (self.take(line)?, buffer.len() - rest.len())
                }
                Err(Incomplete(_)) if buffer.len() <= self.longest() => return Ok(None),
                _ => return Err(self.too_long()),
            };
            buffer.advance(used);
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }

    /// Half a block is none.
    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        let frame = self.decode(buffer)?;
        if frame.is_none() {
            buffer.clear();
        }
        Ok(frame)
    }
}

impl Encoder<&Request> for AmiCodec {
    type Error = Malformed;

    fn encode(&mut self, request: &Request, buffer: &mut BytesMut) -> Result<(), Malformed> {
        buffer.extend_from_slice(request.text().as_bytes());
        Ok(())
    }
}
