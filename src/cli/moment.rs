//! Points of time as people write them.

use std::time::Duration;

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// `now`, `today`, `yesterday`, `2h` or `-2h` (ago), `2026-11-20`, `2026-11-20 09:30[:15]`, or RFC 3339.
/// What has no zone is in `zone`, the PBX's when it is set; UTC without one.
pub fn moment(text: &str, now: DateTime<Utc>, zone: Option<Tz>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let today = || now.with_timezone(&zone.unwrap_or(Tz::UTC)).date_naive();
    match text {
        "now" => return Ok(now),
        "today" => return local(today().into(), zone),
        "yesterday" => return local((today() - Days::new(1)).into(), zone),
        _ => {}
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Some(ago) = ago(text) {
        return now.checked_sub_signed(ago).ok_or_else(|| unclear(text));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return local(day.and_time(NaiveTime::MIN), zone);
    }
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .ok_or_else(|| unclear(text))
        .and_then(|time| local(time, zone))
}

fn unclear(text: &str) -> String {
    format!(
        "{text:?} is no point of time; write 2026-11-20, \"2026-11-20 09:30\", 2026-11-20T09:30:00+03:00, now, or 2h for two hours ago"
    )
}

fn ago(text: &str) -> Option<TimeDelta> {
    let length: Duration = humantime::parse_duration(text.strip_prefix('-').unwrap_or(text)).ok()?;
    TimeDelta::from_std(length).ok()
}

/// Of an hour lived twice the first; of an hour that was skipped the same wall clock an hour on.
fn local(time: NaiveDateTime, zone: Option<Tz>) -> Result<DateTime<Utc>, String> {
    let zone = zone.unwrap_or(Tz::UTC);
    match zone.from_local_datetime(&time) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Ok(time.to_utc()),
        LocalResult::None => zone
            .from_local_datetime(&(time + TimeDelta::hours(1)))
            .earliest()
            .map(|time| time.to_utc())
            .ok_or_else(|| unclear(&time.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let now = "2026-11-20T09:00:00Z".parse().unwrap();
        moment(text, now, Some(chrono_tz::Europe::Moscow))
            .map_or_else(|error| error, |time| time.to_rfc3339())
    }

    #[test]
    fn every_form_is_read_in_the_zone_of_the_pbx() {
        for (text, time) in [
            ("now", "2026-11-20T09:00:00+00:00"),
            ("today", "2026-11-19T21:00:00+00:00"),
            ("yesterday", "2026-11-18T21:00:00+00:00"),
            ("-2h", "2026-11-20T07:00:00+00:00"),
            ("90m", "2026-11-20T07:30:00+00:00"),
            ("2026-11-20", "2026-11-19T21:00:00+00:00"),
            ("2026-11-20 12:30", "2026-11-20T09:30:00+00:00"),
            ("2026-11-20 12:30:15", "2026-11-20T09:30:15+00:00"),
            ("2026-11-20T12:30:15", "2026-11-20T09:30:15+00:00"),
            ("2026-11-20T12:30:15Z", "2026-11-20T12:30:15+00:00"),
            ("2026-11-20T12:30:15+05:00", "2026-11-20T07:30:15+00:00"),
        ] {
            assert_eq!(read(text), time, "{text}");
        }
        assert!(read("20.11.2026").contains("write 2026-11-20"));
    }
}
