//! Working time that contradicts itself, or never comes.

use super::{
    Settings,
    cross_check::Look,
    hours::{Days, Week, Workday},
};

/// Looks at `[hours]` and at employees' hours.
pub(super) fn check(settings: &Settings, look: &mut Look<'_>) {
    let hours = &settings.hours;
    lists("hours.holidays", &hours.holidays, &hours.workdays, look);
    if let Some(week) = &hours.week {
        comes("hours.week", week, &hours.workdays, look);
    }
    for (extension, employee) in &settings.employees {
        let Some(own) = &employee.hours else { continue };
        let key = format!("employees.{extension}");
        lists(&key, &own.holidays, &own.workdays, look);
        if let Some(week) = &own.week {
            comes(&key, week, &own.workdays, look);
        }
        if !hours.is_set() && own.week.is_none() && own.timezone.is_some() {
            look.warn(&key, "warn.zone_without_hours", &[]);
        }
    }
}

/// A day that is both free and worked: the working day goes first.
fn lists(key: &str, holidays: &[Days], workdays: &[Workday], look: &mut Look<'_>) {
    for workday in workdays {
        if holidays.iter().any(|holiday| holiday.meet(workday.days)) {
            look.warn(key, "warn.holiday_worked", &[("day", &workday.days.to_string())]);
        }
    }
}

/// Whether there is any working time at all.
fn comes(key: &str, week: &Week, workdays: &[Workday], look: &mut Look<'_>) {
    if !week.is_empty() {
        return;
    }
    if workdays.iter().any(|workday| workday.shifts.is_some()) {
        look.warn(key, "warn.few_hours", &[]);
    } else {
        look.fault(key, "fault.no_hours", &[]);
    }
}
