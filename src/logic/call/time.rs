//! What Asterisk wrote in local time becomes UTC.
//!
//! Neither table names its zone, but `uniqueid` holds the UTC second a channel began, so each channel's first row
//! tells the offset it was written with. The configured zone is believed where it agrees with that.

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::{CallRows, CdrRow};

/// A time as a table holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Wall clock of unknown zone.
    Wall(NaiveDateTime),
    /// Seconds of the epoch, or a text with its zone.
    Utc(DateTime<Utc>),
}

impl Written {
    /// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]`, RFC 3339 and seconds of the epoch.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            let micros = (seconds * 1e6).round();
            return (1e14..4e15)
                .contains(&micros)
                .then(|| DateTime::from_timestamp_micros(micros as i64).map(Self::Utc))
                .flatten();
        }
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .filter(|time| (1990..2200).contains(&time.year()))
            .map(Self::Wall)
            .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| Self::Utc(time.to_utc())))
    }

    /// Only for comparing times of one writer with each other.
    pub(super) fn rough(&self) -> NaiveDateTime {
        match self {
            Self::Wall(time) => *time,
            Self::Utc(time) => time.naive_utc(),
        }
    }
}

/// The UTC second in a uniqueid, `1795168653.12` or `pbx1-1795168653.12`.
pub(super) fn epoch(uniqueid: &str) -> Option<i64> {
    let tail = uniqueid.rsplit('-').next()?;
    let seconds = tail.split('.').next()?.parse().ok()?;
    (100_000_000..=9_999_999_999).contains(&seconds).then_some(seconds)
}

/// Asterisk's own name in a uniqueid: `pbx1` in `pbx1-1795168653.12`, empty where it has none.
pub(super) fn system(uniqueid: &str) -> &str {
    uniqueid.rsplit_once('-').map_or("", |(system, _)| system)
}

/// The UTC second in a uniqueid as a time.
pub(super) fn born(uniqueid: &str) -> Option<DateTime<Utc>> {
    epoch(uniqueid).and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

/// Orders uniqueids as numbers: `…9.2` comes before `…9.10`.
pub(super) fn by_number(uniqueid: &str) -> (i64, u64, &str) {
    let counter = uniqueid.rsplit('.').next().and_then(|counter| counter.parse().ok()).unwrap_or(0);
    (epoch(uniqueid).unwrap_or(i64::MAX), counter, uniqueid)
}

const QUARTER: i64 = 900;
const HOUR: i64 = 3600;
/// Events this much before what is known to have come earlier still pass for in order.
const SLACK: i64 = 600;

/// Turns the times of one call's rows into UTC.
#[derive(Debug)]
pub(super) struct Clock {
    zone: Option<Tz>,
    /// (UTC second, offset of the wall clock then), by time.
    anchors: Vec<(i64, i64)>,
}

impl Clock {
    /// Learns from the first row of every channel; `zone` is the setting.
    pub(super) fn of(rows: &CallRows, zone: Option<Tz>) -> Self {
        let mut anchors: Vec<(i64, i64)> = rows
            .cel
            .iter()
            .filter(|row| row.eventtype == "CHAN_START")
            .filter_map(|row| anchor(&row.uniqueid, &row.eventtime))
            .collect();
        if anchors.is_empty() {
            anchors = first_legs(&rows.cdr)
                .into_iter()
                .filter_map(|row| anchor(&row.uniqueid, &row.calldate))
                .collect();
        }
        anchors.sort_unstable();
        anchors.dedup();
        let believed =
            zone.filter(|zone| anchors.iter().all(|(at, offset)| zone_offset(zone, *at) == *offset));
        let zone = if anchors.is_empty() { zone } else { believed };
        if zone.is_none() {
            let changes: Vec<_> = ends(rows, &anchors).into_iter().chain(gaps(rows, &anchors)).collect();
            anchors.extend(changes);
            anchors.sort_unstable();
            anchors.dedup();
        }
        Self { zone, anchors }
    }

    /// UTC of a written time; `floor` is a UTC second that it can't much precede, which decides the hour that a
    /// change of the clocks repeats.
    pub(super) fn utc(&self, written: Written, floor: Option<i64>) -> DateTime<Utc> {
        let wall = match written {
            Written::Utc(time) => return time,
            Written::Wall(wall) => wall,
        };
        let seconds = wall.and_utc().timestamp();
        let offset = match self.zone {
            Some(zone) => zone_choice(&zone, wall, seconds, floor),
            None => self.anchor_choice(seconds, floor),
        };
        wall.and_utc() - Duration::seconds(offset)
    }

    fn anchor_choice(&self, wall: i64, floor: Option<i64>) -> i64 {
        let mut offsets: Vec<i64> = self.anchors.iter().map(|(_, offset)| *offset).collect();
        offsets.sort_unstable_by(|left, right| right.cmp(left));
        offsets.dedup();
        let in_force: Vec<i64> =
            offsets.iter().copied().filter(|offset| self.in_force(wall - offset) == *offset).collect();
        let choice = pick(if in_force.is_empty() { &offsets } else { &in_force }, wall, floor);
        // The clocks went back, and no channel began since to tell so.
        match floor {
            Some(floor) if (HOUR - SLACK..=HOUR + SLACK).contains(&(floor - (wall - choice))) => {
                choice - HOUR
            }
            _ => choice,
        }
    }

    fn in_force(&self, at: i64) -> i64 {
        let before = self.anchors.iter().rev().find(|(start, _)| *start <= at + 1);
        before.or_else(|| self.anchors.first()).map_or(0, |(_, offset)| *offset)
    }
}

/// The offset, of those sorted from the earliest UTC to the latest, that gives the first time not before `floor`.
fn pick(offsets: &[i64], wall: i64, floor: Option<i64>) -> i64 {
    let fits = |offset: &&i64| floor.is_none_or(|floor| wall - **offset >= floor - SLACK);
    offsets.iter().find(fits).or_else(|| offsets.last()).copied().unwrap_or(0)
}

fn zone_choice(zone: &Tz, wall: NaiveDateTime, seconds: i64, floor: Option<i64>) -> i64 {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(time) => seconds - time.timestamp(),
        LocalResult::Ambiguous(one, other) => {
            let mut offsets = [seconds - one.timestamp(), seconds - other.timestamp()];
            offsets.sort_unstable_by(|left, right| right.cmp(left));
            pick(&offsets, seconds, floor)
        }
        // A wall clock that was not set yet: the offset from before the gap.
        LocalResult::None => zone_offset(zone, seconds - zone_offset(zone, seconds) - HOUR),
    }
}

fn zone_offset(zone: &Tz, at: i64) -> i64 {
    DateTime::from_timestamp(at, 0).map_or(0, |time| {
        let local = time.with_timezone(zone).naive_local();
        local.and_utc().timestamp() - at
    })
}

fn anchor(uniqueid: &str, written: &str) -> Option<(i64, i64)> {
    let at = epoch(uniqueid)?;
    let Written::Wall(wall) = Written::parse(written)? else {
        return None;
    };
    let difference = wall.and_utc().timestamp() - at;
    let offset = (difference + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
    let plausible = offset.abs() <= 15 * HOUR && (-5..=120).contains(&(difference - offset));
    plausible.then_some((at, offset))
}

/// Where a channel's last leg ended by its duration, against the wall clock of its end event: the clocks were
/// changed between.
fn ends(rows: &CallRows, anchors: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let ended = rows.cel.iter().filter(|row| row.eventtype == "CHAN_END");
    let changed = ended.filter_map(|row| {
        let legs = rows.cdr.iter().filter(|leg| leg.uniqueid == row.uniqueid);
        let leg = legs.max_by_key(|leg| (leg.sequence, &leg.calldate))?;
        let (Written::Wall(wall), Written::Wall(start)) =
            (Written::parse(&row.eventtime)?, Written::parse(&leg.calldate)?)
        else {
            return None;
        };
        let (_, before) = anchors.first()?;
        let end = start.and_utc().timestamp() - before + leg.duration.clamp(0, 86_400);
        let change = wall.and_utc().timestamp() - end - before;
        let hour = change.signum() * HOUR;
        ((change - hour).abs() <= 5 && hour != 0).then_some((end - 1, before + hour))
    });
    changed.collect()
}

/// Where a channel's next leg begins an hour off the end of the one before: the clocks were changed between.
fn gaps(rows: &CallRows, anchors: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let Some((_, before)) = anchors.first() else {
        return Vec::new();
    };
    let mut legs: Vec<&CdrRow> = rows.cdr.iter().filter(|leg| leg.sequence.is_some()).collect();
    legs.sort_by_key(|leg| (&leg.uniqueid, leg.sequence));
    let pairs = legs.windows(2).filter(|pair| pair[0].uniqueid == pair[1].uniqueid);
    let changed = pairs.filter_map(|pair| {
        let (Written::Wall(one), Written::Wall(next)) =
            (Written::parse(&pair[0].calldate)?, Written::parse(&pair[1].calldate)?)
        else {
            return None;
        };
        let end = one.and_utc().timestamp() + pair[0].duration.clamp(0, 86_400);
        let change = next.and_utc().timestamp() - end;
        let hour = change.signum() * HOUR;
        (hour != 0 && (change - hour).abs() <= 2).then_some((end - before - 1, before + hour))
    });
    changed.collect()
}

fn first_legs(cdr: &[CdrRow]) -> Vec<&CdrRow> {
    let mut first: Vec<&CdrRow> = cdr.iter().filter(|row| !row.uniqueid.is_empty()).collect();
    // By the wall clock a later leg may seem the earlier one, where the clocks went back between.
    let order = |row: &CdrRow| (row.uniqueid.clone(), row.sequence, row.calldate.clone());
    first.sort_by_cached_key(|row| order(row));
    first.dedup_by(|later, earlier| later.uniqueid == earlier.uniqueid);
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::call::CelRow;

    fn started(uniqueid: &str, eventtime: &str) -> CallRows {
        let row = CelRow {
            eventtype: "CHAN_START".to_owned(),
            uniqueid: uniqueid.to_owned(),
            eventtime: eventtime.to_owned(),
            ..CelRow::default()
        };
        CallRows { cdr: Vec::new(), cel: vec![row] }
    }

    fn utc(clock: &Clock, wall: &str, floor: Option<i64>) -> String {
        clock.utc(Written::parse(wall).unwrap(), floor).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn the_offset_is_learnt_from_the_uniqueid_whatever_the_setting_says() {
        let rows = started("1795168653.0", "2026-11-20 12:57:33");
        for zone in [None, Some(chrono_tz::Europe::Moscow), Some(chrono_tz::Asia::Yekaterinburg)] {
            let clock = Clock::of(&rows, zone);
            assert_eq!(utc(&clock, "2026-11-20 12:57:35.25", None), "2026-11-20T09:57:35Z");
        }
    }

    #[test]
    fn a_writer_in_utc_is_noticed() {
        let rows = started("pbx1-1795168653.0", "2026-11-20 09:57:33");
        let clock = Clock::of(&rows, Some(chrono_tz::Europe::Moscow));
        assert_eq!(utc(&clock, "2026-11-20 09:57:35", None), "2026-11-20T09:57:35Z");
    }

    #[test]
    fn the_repeated_hour_is_told_apart_by_what_came_before() {
        // Berlin, 25 October 2026: 03:00 CEST becomes 02:00 CET at 01:00 UTC.
        let rows = started("1792889700.0", "2026-10-25 02:55:00");
        let floor = Some(1_792_889_700);
        for zone in [None, Some(chrono_tz::Europe::Berlin)] {
            let clock = Clock::of(&rows, zone);
            assert_eq!(utc(&clock, "2026-10-25 02:55:00", floor), "2026-10-25T00:55:00Z");
            assert_eq!(utc(&clock, "2026-10-25 02:05:00", Some(1_792_889_900)), "2026-10-25T01:05:00Z");
        }
    }

    #[test]
    fn the_skipped_hour_is_known_from_the_zone() {
        // Berlin, 29 March 2026: 02:00 CET becomes 03:00 CEST at 01:00 UTC.
        let rows = started("1774745700.0", "2026-03-29 01:55:00");
        let clock = Clock::of(&rows, Some(chrono_tz::Europe::Berlin));
        assert_eq!(utc(&clock, "2026-03-29 03:05:00", Some(1_774_745_700)), "2026-03-29T01:05:00Z");
    }

    #[test]
    fn epochs_and_unreadable_times_are_told_apart() {
        assert!(matches!(Written::parse("1795168653.123456"), Some(Written::Utc(_))));
        assert_eq!(Written::parse("0000-00-00 00:00:00"), None);
        assert_eq!(Written::parse(""), None);
    }
}
