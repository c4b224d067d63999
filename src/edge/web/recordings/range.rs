//! The `Range` header (RFC 9110, 14.2), one range; several at once are answered with the whole file.

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All, as there is no range, or none that can be understood.
    Whole,
    /// From the first to the last, both included.
    Part {
        /// Counted from 0.
        first: u64,
        /// At most the length less one.
        last: u64,
    },
    /// None that exist.
    Beyond,
}

/// Reads the header's value for a file of `length` bytes.
pub(super) fn wanted(header: &str, length: u64) -> Wanted {
    let Some((unit, range)) = header.split_once('=') else { return Wanted::Whole };
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    match (number(first), number(last)) {
        (Number::Absent, Number::Is(0)) => Wanted::Beyond,
        (Number::Absent, Number::Is(tail)) if length > 0 => {
            Wanted::Part { first: length.saturating_sub(tail), last: length - 1 }
        }
        (Number::Is(first), Number::Is(last)) if last < first => Wanted::Whole,
        (Number::Is(first), Number::Absent | Number::Is(_)) if first >= length => Wanted::Beyond,
        (Number::Is(first), Number::Absent) => Wanted::Part { first, last: length - 1 },
        (Number::Is(first), Number::Is(last)) => Wanted::Part { first, last: last.min(length - 1) },
        _ => Wanted::Whole,
    }
}

enum Number {
    Absent,
    Is(u64),
    Wrong,
}

/// Digits alone; too many of them mean the end of any file.
fn number(text: &str) -> Number {
    let text = text.trim();
    match text.parse() {
        _ if text.is_empty() => Number::Absent,
        _ if !text.bytes().all(|byte| byte.is_ascii_digit()) => Number::Wrong,
        Ok(number) => Number::Is(number),
        Err(_) => Number::Is(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |first, last| Wanted::Part { first, last };
        for (header, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-", part(0, 99)),
            ("bytes=10-19", part(10, 19)),
            ("Bytes = 10-19", part(10, 19)),
            ("bytes=90-1000", part(90, 99)),
            ("bytes=90-99999999999999999999999", part(90, 99)),
            ("bytes=-10", part(90, 99)),
            ("bytes=-1000", part(0, 99)),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=99999999999999999999999-", Wanted::Beyond),
            ("bytes=20-10", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("seconds=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(header, 100), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Beyond);
        assert_eq!(wanted("bytes=-5", 0), Wanted::Whole);
    }
}
