//! CDR rows with their times in UTC.

use chrono::{DateTime, Duration, Utc};

use super::{
    CdrRow,
    bridge::Span,
    time::{Clock, Written, born, by_number, epoch},
};

/// A CDR row: one leg that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg<'a> {
    pub row: &'a CdrRow,
    /// UTC.
    pub start: DateTime<Utc>,
    /// UTC.
    pub end: DateTime<Utc>,
}

impl Leg<'_> {
    /// From answer to end, as Asterisk counts: not yet a talk.
    pub(super) fn billed(&self) -> Span {
        let seconds = self.row.billsec.clamp(0, seconds(self.row));
        Span { from: self.end - Duration::seconds(seconds), to: self.end }
    }

    /// A person may have talked on it: answered, for a while, with somebody on the other side.
    pub(super) fn may_be_talk(&self) -> bool {
        self.row.disposition == "ANSWERED" && self.row.billsec > 0 && !self.row.dstchannel.is_empty()
    }
}

/// Legs in the order they began.
pub(super) fn legs<'a>(cdr: &'a [CdrRow], clock: &Clock) -> Vec<Leg<'a>> {
    let mut legs: Vec<Leg<'_>> = cdr.iter().filter_map(|row| leg(row, clock)).collect();
    legs.sort_by(|left, right| key(left).cmp(&key(right)));
    legs
}

fn leg<'a>(row: &'a CdrRow, clock: &Clock) -> Option<Leg<'a>> {
    let written = Written::parse(&row.calldate).map(|time| clock.utc(time, epoch(&row.uniqueid)));
    let start = written.or_else(|| born(&row.uniqueid))?;
    let end = start + Duration::seconds(seconds(row));
    Some(Leg { row, start, end })
}

/// Length of the leg; a negative one is 0, and nobody talks for a month.
fn seconds(row: &CdrRow) -> i64 {
    row.duration.clamp(0, 30 * 86_400)
}

fn key<'a>(leg: &Leg<'a>) -> impl Ord + 'a {
    let row = leg.row;
    (
        leg.start,
        row.sequence,
        by_number(&row.uniqueid),
        row.duration,
        row.channel.as_str(),
        row.dstchannel.as_str(),
        row.disposition.as_str(),
    )
}

/// The number in a Dial's arguments: `PJSIP/79161234567@trunk,60,T`, `SIP/trunk/79161234567,60`.
pub(super) fn dialled_number(arguments: &str) -> impl Iterator<Item = &str> {
    let target = arguments.split([',', '&', '|']).next().unwrap_or_default();
    let number = |piece: &&str| piece.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+');
    target.split(['/', '@']).skip(1).filter(number)
}
