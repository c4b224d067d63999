//! Times of the tables: local, without a zone, so windows over them need to know the zone or to find it out.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The zone that `calldate` and `eventtime` are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// As set in `[pbx] timezone`.
    Named(Tz),
    /// As the newest rows say; seconds east of UTC.
    East(i64),
}

impl Zone {
    /// What the PBX's clock on the wall says at that instant.
    pub(super) fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        match self {
            Self::Named(zone) => at.with_timezone(&zone).naive_local(),
            Self::East(seconds) => at.naive_utc() + TimeDelta::seconds(seconds),
        }
    }

    /// A time as Asterisk's modules write it, on the wall: local, or seconds since 1970 (CEL without `dateformat`).
    pub(super) fn read(self, text: &str) -> Option<NaiveDateTime> {
        match text.trim().parse::<f64>() {
            Ok(seconds) => Some(self.local(DateTime::from_timestamp_millis((seconds * 1000.0) as i64)?)),
            Err(_) => read(text),
        }
    }

    /// Found out from rows: (`calldate`, `uniqueid`) of the newest. A leg may begin after its channel, never before,
    /// so the smallest difference is the nearest to the truth; zones are whole quarters of an hour.
    pub(super) fn of_rows<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let behind = rows
            .into_iter()
            .filter_map(|(time, uniqueid)| Some((read(time)?.and_utc() - began(uniqueid)?).num_seconds()))
            .min()?;
        let quarters = (behind as f64 / 900.0).round() as i64;
        (-56..=60).contains(&quarters).then_some(Self::East(quarters * 900))
    }
}

/// A local time.
pub(super) fn read(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok())
}

/// A time as a value of a statement.
pub(super) fn write(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The second a channel began: `1795167102.18`, with a system name `pbx1-1795167102.18`.
pub(super) fn began(uniqueid: &str) -> Option<DateTime<Utc>> {
    let (_, number) = uniqueid.rsplit_once('-').unwrap_or(("", uniqueid));
    DateTime::from_timestamp(number.split('.').next()?.parse().ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_found_out_from_rows() {
        // The second leg of a channel began 70 seconds after it.
        let rows =
            [("2026-11-20 12:32:52", "1795167102.18"), ("2026-11-20 12:31:42.120000", "pbx-1795167102.18")];
        assert_eq!(Zone::of_rows(rows), Some(Zone::East(3 * 3600)));
        assert_eq!(Zone::of_rows([("2026-11-20 12:31:42", "not-a-time")]), None);
    }
}
