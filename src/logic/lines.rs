//! Lines of Asterisk's text protocols: where they end, and what their bytes mean.

use nom::{IResult, Parser, bytes::streaming, combinator::map, sequence::terminated};

/// One line without its end (`\n` or `\r\n`); incomplete until the end is there.
pub(super) fn line(input: &[u8]) -> IResult<&[u8], &[u8]> {
    map(terminated(streaming::take_while(|byte| byte != b'\n'), streaming::tag("\n")), |line: &[u8]| {
        line.strip_suffix(b"\r").unwrap_or(line)
    })
    .parse(input)
}

/// UTF-8 when it is that, else Latin-1: Asterisk passes on whatever the trunk delivered.
pub(super) fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}
