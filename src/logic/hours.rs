//! Working time: is it now, when is it next, when will an hour of it have passed.
//!
//! Hours are what the clock on the wall says ([`crate::settings::Hours`]); everything here speaks of instants. Where
//! the wall's clock is turned:
//!
//! * an hour that comes twice is worked twice: whoever looks at the clock sees working time;
//! * hours that are skipped are not worked, and a shift that would begin among them begins when they are over.
//!
//! A shift over midnight belongs to the day on which it begins: of a night before a holiday the morning is worked, of
//! the night after it the evening is not.

mod wall;

use chrono::{DateTime, Datelike, Days as Count, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::settings::{
    Settings,
    hours::{Days, Hours, OwnHours, Shift, Week, Workday},
};

/// Days that are looked through for working time; who has none in twenty years has none.
const HORIZON: usize = 7_305;

/// When somebody works.
#[derive(Debug, Clone)]
pub struct Calendar<'a> {
    zone: Tz,
    /// None: round the clock.
    week: Option<&'a Week>,
    /// Later ones go first: the employee's own, then the company's.
    special: Vec<Special<'a>>,
}

/// Days that differ from the week.
#[derive(Debug, Clone, Copy)]
struct Special<'a> {
    holidays: &'a [Days],
    workdays: &'a [Workday],
}

impl<'a> Calendar<'a> {
    /// The company's; `zone` as [`Settings::zone`] says.
    pub fn of_company(settings: &'a Settings, zone: Tz) -> Self {
        let Hours { week, holidays, workdays, .. } = &settings.hours;
        Self { zone, week: week.as_ref(), special: vec![Special { holidays, workdays }] }
    }

    /// The employee's with this extension; the company's when there are no own hours.
    pub fn of_extension(settings: &'a Settings, zone: Tz, extension: &str) -> Self {
        let own = settings.employees.get(extension).and_then(|employee| employee.hours.as_ref());
        Self::of_company(settings, zone).with(own)
    }

    /// The CRM user's: of the first of the extensions that has hours of its own; the company's when none has, or
    /// there is no user.
    pub fn of_user(settings: &'a Settings, zone: Tz, user: Option<u64>) -> Self {
        let mut theirs = settings.employees.values().filter(|employee| Some(employee.user) == user);
        let own = theirs.find_map(|employee| employee.hours.as_ref());
        Self::of_company(settings, zone).with(own)
    }

    fn with(mut self, own: Option<&'a OwnHours>) -> Self {
        let Some(own) = own else { return self };
        self.zone = own.timezone.unwrap_or(self.zone);
        self.week = own.week.as_ref().or(self.week);
        if !own.company_days {
            self.special.clear();
        }
        self.special.insert(0, Special { holidays: &own.holidays, workdays: &own.workdays });
        self
    }

    /// Whether this is working time.
    pub fn is_working(&self, at: DateTime<Utc>) -> bool {
        self.spans(at).take_while(|(from, _)| *from <= at).any(|(_, to)| at < to)
    }

    /// The first instant of working time, not before `at`; none when there is none.
    pub fn next_working(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.spans(at).find(|(_, to)| *to > at).map(|(from, _)| from.max(at))
    }

    /// When so much working time will have passed after `at`; none when it never will. No time passes at once.
    pub fn add_working(&self, at: DateTime<Utc>, time: TimeDelta) -> Option<DateTime<Utc>> {
        if time <= TimeDelta::zero() {
            return Some(at);
        }
        let (mut at, mut left) = (at, time);
        for (from, to) in self.spans(at) {
            let begin = from.max(at);
            let length = to - begin;
            if length >= left {
                return begin.checked_add_signed(left);
            }
            if length > TimeDelta::zero() {
                left -= length;
                at = to;
            }
        }
        None
    }

    /// Working time around and after an instant: from, to; in order of beginning, perhaps overlapping.
    fn spans(&self, at: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        // A shift over midnight of the day before may still last, and a zone may have skipped a day.
        let today = at.with_timezone(&self.zone).date_naive();
        let first = today.checked_sub_days(Count::new(2)).unwrap_or(today);
        first.iter_days().take(HORIZON).flat_map(move |date| {
            self.shifts_on(date).iter().filter_map(move |shift| self.span(date, *shift)).collect::<Vec<_>>()
        })
    }

    fn span(&self, date: NaiveDate, shift: Shift) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let minute = |date: NaiveDate, minute: u16| -> Option<NaiveDateTime> {
            date.and_hms_opt(0, 0, 0)?.checked_add_signed(TimeDelta::minutes(minute.into()))
        };
        let last = if shift.is_over_midnight() { date.succ_opt()? } else { date };
        let from = wall::first(self.zone, minute(date, shift.from)?);
        let to = wall::last(self.zone, minute(last, shift.to)?);
        (from < to).then_some((from, to))
    }

    fn shifts_on(&self, date: NaiveDate) -> &'a [Shift] {
        let usual = || self.week.map_or(&[Shift::ALL_DAY][..], Week::usual);
        for special in &self.special {
            let workday = special.workdays.iter().find(|workday| workday.days.contains(date));
            if let Some(workday) = workday {
                return workday.shifts.as_deref().unwrap_or_else(usual);
            }
            if special.holidays.iter().any(|holiday| holiday.contains(date)) {
                return &[];
            }
        }
        self.week.map_or(&[Shift::ALL_DAY][..], |week| week.on(date.weekday()))
    }
}
