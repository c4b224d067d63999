//! What the clock on the wall says → instants, also where it is turned.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The first instant at which the clock shows this; when it never does, the first at which it shows more.
pub(super) fn first(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        MappedLocalTime::None => behind_the_gap(zone, wall),
    }
}

/// The last instant at which the clock shows this; when it never does, the first at which it shows more.
pub(super) fn last(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&wall) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(_, at) => at.to_utc(),
        MappedLocalTime::None => behind_the_gap(zone, wall),
    }
}

/// When the clock was put forward over `wall`. Zones have skipped a whole day; two gaps never lay so near.
fn behind_the_gap(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    let widest = TimeDelta::hours(40);
    let (mut before, mut after) =
        ((wall.and_utc() - widest).timestamp(), (wall.and_utc() + widest).timestamp());
    let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if at(middle).with_timezone(&zone).naive_local() < wall {
            before = middle;
        } else {
            after = middle;
        }
    }
    at(after)
}
