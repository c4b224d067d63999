//! `[hours]`: when the company works. What is written here is read into minutes and days at once; what follows from it
//! stands in [`crate::logic::hours`].

use std::{collections::BTreeMap, fmt};

use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;

/// `[hours]`: without `week` the company works round the clock, but for its holidays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hours {
    /// Where the clock on the wall hangs; absent means `[pbx] timezone`, else this machine's.
    pub timezone: Option<chrono_tz::Tz>,
    /// Hours of each weekday; a day that is not named is free.
    pub week: Option<Week>,
    /// Days on which nobody works.
    pub holidays: Vec<Days>,
    /// Days that are worked though the week says otherwise: transferred working days.
    pub workdays: Vec<Workday>,
}

impl Hours {
    /// Whether there is any time at which the company does not work.
    pub fn is_set(&self) -> bool {
        self.week.is_some() || !self.holidays.is_empty()
    }
}

/// Hours of one employee, `hours = { mon-fri = "10:00-19:00", holidays = ["2027-07-01..2027-07-28"] }`: what is not
/// named is as in `[hours]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnHours {
    /// Where the employee sits.
    pub timezone: Option<chrono_tz::Tz>,
    /// Own hours of each weekday; none when no weekday is named.
    pub week: Option<Week>,
    /// Own free days, a vacation: beside the company's.
    pub holidays: Vec<Days>,
    /// Own working days; they go before every holiday.
    pub workdays: Vec<Workday>,
    /// Whether the company's holidays and workdays hold for this employee too; `company_days = false` is for shifts.
    pub company_days: bool,
}

impl Default for OwnHours {
    fn default() -> Self {
        Self { timezone: None, week: None, holidays: Vec::new(), workdays: Vec::new(), company_days: true }
    }
}

/// Work from a minute of the day to another; when that is not later, it ends on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift {
    /// Minutes after midnight, less than [`DAY`].
    pub from: u16,
    /// Minutes after midnight, at most [`DAY`].
    pub to: u16,
}

impl Shift {
    /// The whole day.
    pub const ALL_DAY: Self = Self { from: 0, to: DAY };

    /// Whether it ends on the next day.
    pub const fn is_over_midnight(self) -> bool {
        self.to <= self.from
    }

    /// `09:00-18:00`, `9-18`; `00:00-00:00` is the whole day.
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once(['-', '–', '—'])?;
        let (from, to) = (minute(from)?, minute(to)?);
        match (from, to) {
            (0, 0) => Some(Self::ALL_DAY),
            (from, to) if from == to || from == DAY => None,
            // Until midnight is no shift over midnight.
            (from, 0) => Some(Self { from, to: DAY }),
            (from, to) => Some(Self { from, to }),
        }
    }

    fn text(self) -> String {
        let Self { from, to } = self;
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// `9`, `09:30`, `24:00` → minutes after midnight.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':').unwrap_or_else(|| (text.trim(), "0"));
    let number = |text: &str| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

/// `09:00-13:00, 14:00-18:00`; nothing for a free day.
fn shifts(text: &str) -> Option<Vec<Shift>> {
    let parts = text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
    let mut shifts: Vec<Shift> = parts.map(Shift::parse).collect::<Option<_>>()?;
    shifts.sort_unstable();
    Some(shifts)
}

fn shifts_text(shifts: &[Shift]) -> String {
    shifts.iter().map(|shift| shift.text()).collect::<Vec<_>>().join(", ")
}

/// Names of weekdays, Monday first.
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours of each weekday.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Week([Vec<Shift>; 7]);

impl Week {
    /// Round the clock.
    pub fn always() -> Self {
        Self(std::array::from_fn(|_| vec![Shift::ALL_DAY]))
    }

    /// Of a weekday.
    pub fn on(&self, day: Weekday) -> &[Shift] {
        &self.0[day.num_days_from_monday() as usize]
    }

    /// Of the first weekday that is worked: what a transferred working day takes.
    pub fn usual(&self) -> &[Shift] {
        self.0.iter().find(|shifts| !shifts.is_empty()).map_or(&[], Vec::as_slice)
    }

    /// Whether no day is worked.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// From `mon = "…"` and `mon-fri = "…"`; `Err` is what cannot be read.
    fn of(days: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut week = Self::default();
        // A range first, so that a day of its own may differ.
        let (ranges, single): (Vec<_>, Vec<_>) = days.iter().partition(|(name, _)| name.contains('-'));
        for (name, text) in ranges.into_iter().chain(single) {
            let shifts = shifts(text).ok_or_else(|| format!("{name} = {text:?}"))?;
            for day in weekdays(name).ok_or_else(|| name.clone())? {
                week.0[day].clone_from(&shifts);
            }
        }
        Ok(week)
    }

    fn texts(&self) -> BTreeMap<&'static str, String> {
        let days = NAMES.into_iter().zip(&self.0).filter(|(_, shifts)| !shifts.is_empty());
        days.map(|(name, shifts)| (name, shifts_text(shifts))).collect()
    }
}

/// `mon` → 0; `fri-sun` → 4, 5, 6; `sat-mon` goes over the week's end.
fn weekdays(name: &str) -> Option<Vec<usize>> {
    let index = |name: &str| NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim()));
    let Some((first, last)) = name.split_once('-') else { return Some(vec![index(name)?]) };
    let (first, last) = (index(first)?, index(last)?);
    Some((0..7).map(|n| (first + n) % 7).take((last + 7 - first) % 7 + 1).collect())
}

impl Serialize for Week {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Week {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(&BTreeMap::deserialize(deserializer)?).map_err(Error::custom)
    }
}

/// A day, or all from one to another: `2027-01-01`, `2027-01-01..2027-01-08`; without a year, of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Days {
    /// Of one year.
    Dated(NaiveDate, NaiveDate),
    /// Of every year: month and day; from later to earlier goes over the year's end.
    Yearly((u32, u32), (u32, u32)),
}

impl Days {
    /// Whether a date is among them.
    pub fn contains(self, date: NaiveDate) -> bool {
        match self {
            Self::Dated(first, last) => (first..=last).contains(&date),
            Self::Yearly(first, last) => {
                let day = (date.month(), date.day());
                if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last }
            }
        }
    }

    /// The last of them; none when they come every year.
    pub const fn last(self) -> Option<NaiveDate> {
        match self {
            Self::Dated(_, last) => Some(last),
            Self::Yearly(..) => None,
        }
    }

    /// Whether both have a day.
    pub fn meet(self, other: Self) -> bool {
        match (self, other) {
            (Self::Dated(first, last), Self::Dated(other_first, other_last)) => {
                first <= other_last && other_first <= last
            }
            (Self::Dated(first, last), yearly) | (yearly, Self::Dated(first, last)) => {
                first.iter_days().take(366).take_while(|day| *day <= last).any(|day| yearly.contains(day))
            }
            (Self::Yearly(first, last), yearly) => {
                let leap = NaiveDate::from_ymd_opt(2028, 1, 1).expect("a date");
                let own = |day: &NaiveDate| Self::Yearly(first, last).contains(*day);
                leap.iter_days().take(366).filter(own).any(|day| yearly.contains(day))
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (first.trim(), last.trim()),
            None => (text.trim(), text.trim()),
        };
        match (date(first), date(last)) {
            (Some(first), Some(last)) => (first <= last).then_some(Self::Dated(first, last)),
            (None, None) => Some(Self::Yearly(day_of_year(first)?, day_of_year(last)?)),
            _ => None,
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = match self {
            Self::Dated(first, last) => (first.to_string(), last.to_string()),
            Self::Yearly(first, last) => {
                let text = |(month, day): &(u32, u32)| format!("{month:02}-{day:02}");
                (text(first), text(last))
            }
        };
        if first == last { f.write_str(&first) } else { write!(f, "{first}..{last}") }
    }
}

/// `2027-01-31` or `31.01.2027`, of years that calendars speak of.
fn date(text: &str) -> Option<NaiveDate> {
    let date = ["%Y-%m-%d", "%d.%m.%Y"].iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok())?;
    (1970..2200).contains(&date.year()).then_some(date)
}

/// `01-31` or `31.01`.
fn day_of_year(text: &str) -> Option<(u32, u32)> {
    let (month, day) = match text.split_once('-') {
        Some(pair) => pair,
        None => text.split_once('.').map(|(day, month)| (month, day))?,
    };
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    // A leap year has them all.
    NaiveDate::from_ymd_opt(2028, month, day).map(|_| (month, day))
}

/// A text, or a date as TOML writes it without quotes.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?}")))
    }
}

/// Days that are worked: `2027-02-20`, or with hours of their own `2027-02-20 09:00-14:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workday {
    /// Which.
    pub days: Days,
    /// Their hours; none means those of the first weekday that is worked.
    pub shifts: Option<Vec<Shift>>,
}

impl Workday {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.split_once(' ') {
            Some((days, hours)) => {
                let shifts = shifts(hours).filter(|shifts| !shifts.is_empty())?;
                Some(Self { days: Days::parse(days)?, shifts: Some(shifts) })
            }
            None => Some(Self { days: Days::parse(text)?, shifts: None }),
        }
    }
}

impl Serialize for Workday {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let days = self.days;
        match &self.shifts {
            Some(shifts) => serializer.serialize_str(&format!("{days} {}", shifts_text(shifts))),
            None => serializer.collect_str(&days),
        }
    }
}

impl<'de> Deserialize<'de> for Workday {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?}")))
    }
}

/// An employee's table: weekdays stand beside the other keys.
#[derive(Serialize, Deserialize)]
struct OwnForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<chrono_tz::Tz>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holidays: Vec<Days>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    workdays: Vec<Workday>,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    company_days: bool,
    #[serde(flatten)]
    days: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

impl Serialize for OwnHours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { timezone, week, holidays, workdays, company_days } = self.clone();
        let texts = week.map(|week| week.texts()).unwrap_or_default();
        let days = texts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        OwnForm { timezone, holidays, workdays, company_days, days }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OwnHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OwnForm { timezone, holidays, workdays, company_days, days } =
            OwnForm::deserialize(deserializer)?;
        let week = if days.is_empty() { None } else { Some(Week::of(&days).map_err(D::Error::custom)?) };
        Ok(Self { timezone, week, holidays, workdays, company_days })
    }
}
