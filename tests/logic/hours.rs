//! Working time: shifts, holidays, employees of their own, clocks that are turned.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use perezvon::{
    logic::hours::Calendar,
    settings::{
        Settings,
        load::{Sources, load_from},
    },
};
use proptest::prelude::*;

fn settings(toml: &str) -> Settings {
    let file = Some(("perezvon.toml".into(), toml.to_owned()));
    let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    load_from(Sources { file, variables: Vec::new(), read: &read })
        .unwrap_or_else(|faults| panic!("{faults}\n{toml}"))
        .settings
}

/// What the clock on the wall of a zone says first.
fn wall(zone: &str, text: &str) -> DateTime<Utc> {
    let zone: Tz = zone.parse().unwrap();
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    at.and_local_timezone(zone).earliest().unwrap_or_else(|| panic!("{text} is skipped in {zone}")).to_utc()
}

fn shown(zone: &str, at: Option<DateTime<Utc>>) -> String {
    let zone: Tz = zone.parse().unwrap();
    at.map_or_else(|| "never".to_owned(), |at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string())
}

const OFFICE: &str = r#"
[hours]
timezone = "Europe/Moscow"
week = { mon-thu = "09:00-13:00, 14:00-18:00", fri = "09:00-17:00", sat = "22:00-02:00" }
holidays = ["2026-11-04", "2026-12-31..2027-01-08", 2027-02-23, "05-01", "07.05"]
workdays = ["2026-11-29", "2027-01-05 10:00-12:00"]
"#;

/// 2026-11-20 is a Friday.
#[test]
fn it_is_working_time_or_not() {
    let settings = settings(OFFICE);
    let office = Calendar::of_company(&settings, settings.zone());
    for (at, expected) in [
        ("2026-11-19 08:59", false),
        ("2026-11-19 09:00", true),
        ("2026-11-19 12:59", true),
        ("2026-11-19 13:00", false),
        ("2026-11-19 14:00", true),
        ("2026-11-19 17:59", true),
        ("2026-11-19 18:00", false),
        ("2026-11-20 13:30", true),
        ("2026-11-20 17:00", false),
        ("2026-11-21 12:00", false),
        ("2026-11-21 22:00", true),
        ("2026-11-22 01:59", true),
        ("2026-11-22 02:00", false),
        ("2026-11-22 12:00", false),
        ("2026-11-29 10:00", true),
        ("2026-11-29 13:30", false),
        ("2026-11-04 10:00", false),
        ("2026-12-31 10:00", false),
        ("2027-01-05 10:00", true),
        ("2027-01-05 12:00", false),
        ("2027-01-08 10:00", false),
        ("2027-01-11 10:00", true),
        ("2027-02-23 10:00", false),
        ("2030-05-01 10:00", false),
        ("2030-05-07 10:00", false),
        ("2029-05-07 10:00", false),
        ("2028-05-05 10:00", true),
        ("2027-05-07 10:00", false),
        ("2029-07-05 10:00", true),
        ("2029-05-01 10:00", false),
    ] {
        assert_eq!(office.is_working(wall("Europe/Moscow", at)), expected, "{at}");
    }
}

#[test]
fn the_next_working_moment_is_found() {
    let settings = settings(OFFICE);
    let office = Calendar::of_company(&settings, settings.zone());
    for (at, expected) in [
        ("2026-11-19 10:15", "2026-11-19 10:15"),
        ("2026-11-19 07:00", "2026-11-19 09:00"),
        ("2026-11-19 13:30", "2026-11-19 14:00"),
        ("2026-11-19 18:00", "2026-11-20 09:00"),
        ("2026-11-20 17:00", "2026-11-21 22:00"),
        ("2026-11-22 02:00", "2026-11-23 09:00"),
        ("2026-12-30 19:00", "2027-01-05 10:00"),
        ("2027-01-05 12:00", "2027-01-09 22:00"),
    ] {
        let next = office.next_working(wall("Europe/Moscow", at));
        assert_eq!(shown("Europe/Moscow", next), expected, "{at}");
    }
}

#[test]
fn working_time_is_added() {
    let settings = settings(OFFICE);
    let office = Calendar::of_company(&settings, settings.zone());
    for (at, minutes, expected) in [
        ("2026-11-19 10:00", 60, "2026-11-19 11:00"),
        ("2026-11-19 12:30", 60, "2026-11-19 14:30"),
        ("2026-11-19 17:00", 60, "2026-11-19 18:00"),
        ("2026-11-19 17:30", 60, "2026-11-20 09:30"),
        ("2026-11-20 20:00", 60, "2026-11-21 23:00"),
        ("2026-11-21 23:00", 240, "2026-11-23 10:00"),
        ("2026-12-30 17:00", 180, "2027-01-05 12:00"),
        ("2026-12-30 17:00", 181, "2027-01-09 22:01"),
        ("2026-11-22 03:00", 0, "2026-11-22 03:00"),
        ("2026-11-22 03:00", -5, "2026-11-22 03:00"),
    ] {
        let due = office.add_working(wall("Europe/Moscow", at), TimeDelta::minutes(minutes));
        assert_eq!(shown("Europe/Moscow", due), expected, "{at} + {minutes}");
    }
}

#[test]
fn without_hours_it_is_always_working_time() {
    let settings = settings("");
    let always = Calendar::of_company(&settings, settings.zone());
    let at = wall("UTC", "2027-01-01 03:17");
    assert!(always.is_working(at));
    assert_eq!(always.next_working(at), Some(at));
    let month = TimeDelta::days(30);
    assert_eq!(always.add_working(at, month), Some(at + month));
}

#[test]
fn holidays_alone_leave_the_rest_of_the_clock() {
    let settings = settings("[hours]\ntimezone = \"Europe/Moscow\"\nholidays = [\"01-01..01-08\"]\n");
    let office = Calendar::of_company(&settings, settings.zone());
    let due = office.add_working(wall("Europe/Moscow", "2026-12-31 23:30"), TimeDelta::hours(1));
    assert_eq!(shown("Europe/Moscow", due), "2027-01-09 00:30");
}

#[test]
fn days_of_every_year_may_go_over_its_end() {
    let settings = settings("[hours]\ntimezone = \"UTC\"\nholidays = [\"12-30..01-02\"]\n");
    let office = Calendar::of_company(&settings, settings.zone());
    for (day, works) in
        [("2026-12-29", true), ("2026-12-30", false), ("2030-01-02", false), ("2030-01-03", true)]
    {
        assert_eq!(office.is_working(wall("UTC", &format!("{day} 12:00"))), works, "{day}");
    }
}

const STAFF: &str = r#"
[hours]
timezone = "Europe/Moscow"
week = { mon-fri = "09:00-18:00" }
holidays = ["2026-11-23"]
workdays = ["2026-11-22"]

[employees]
101 = 11
102 = { user = 12, hours = { mon-fri = "12:00-21:00" } }
103 = { user = 13, hours = { timezone = "Asia/Omsk" } }
104 = { user = 14, hours = { sun-mon = "20:00-08:00", company_days = false } }
105 = { user = 15, hours = { holidays = ["2026-11-20..2026-12-20"] } }
106 = { user = 12, name = "второй телефон" }
107 = { user = 17, hours = { workdays = ["2026-11-23 10:00-11:00"] } }
"#;

#[test]
fn an_employees_own_hours_go_before_the_companys() {
    let settings = settings(STAFF);
    let next = |user: u64, at: &str| {
        let calendar = Calendar::of_user(&settings, settings.zone(), Some(user));
        shown("Europe/Moscow", calendar.next_working(wall("Europe/Moscow", at)))
    };
    for (user, at, expected, why) in [
        (11, "2026-11-20 08:00", "2026-11-20 09:00", "no hours of their own"),
        (12, "2026-11-20 08:00", "2026-11-20 12:00", "own hours"),
        (12, "2026-11-20 22:00", "2026-11-22 12:00", "the company's workday in own hours"),
        (12, "2026-11-22 22:00", "2026-11-24 12:00", "the company's holiday"),
        (13, "2026-11-20 03:00", "2026-11-20 06:00", "the company's hours by the clock of Omsk"),
        (14, "2026-11-20 08:00", "2026-11-22 20:00", "shifts, by night"),
        (14, "2026-11-23 09:00", "2026-11-23 20:00", "shifts know no holidays"),
        (15, "2026-11-20 08:00", "2026-12-21 09:00", "a vacation"),
        (17, "2026-11-22 19:00", "2026-11-23 10:00", "own workday on the company's holiday"),
        (99, "2026-11-20 08:00", "2026-11-20 09:00", "nobody we know"),
    ] {
        assert_eq!(next(user, at), expected, "{user}: {why}");
    }
    let of = |extension: &str| Calendar::of_extension(&settings, settings.zone(), extension);
    let noon = wall("Europe/Moscow", "2026-11-20 11:00");
    assert!(of("101").is_working(noon) && !of("102").is_working(noon) && of("106").is_working(noon));
    assert!(Calendar::of_user(&settings, settings.zone(), None).is_working(noon));
}

#[test]
fn hours_that_never_come_are_none() {
    let text = "[hours]\ntimezone = \"UTC\"\nholidays = [\"2026-01-01..2199-12-31\"]\n";
    let settings = settings(text);
    let never = Calendar::of_company(&settings, settings.zone());
    let at = wall("UTC", "2026-11-20 12:00");
    assert!(!never.is_working(at));
    assert_eq!(never.next_working(at), None);
    assert_eq!(never.add_working(at, TimeDelta::seconds(1)), None);
}

/// Zone, hours of every day, from when to when, minutes of work in between, and why so many.
type TurnedClock = (&'static str, &'static str, &'static str, &'static str, i64, &'static str);

const TURNED_CLOCKS: &[TurnedClock] = &[
    ("Europe/Berlin", "00:00-06:00", "2026-03-29 00:00", "2026-03-29 12:00", 300, "an hour is skipped"),
    ("Europe/Berlin", "00:00-06:00", "2026-10-25 00:00", "2026-10-25 12:00", 420, "an hour comes twice"),
    ("Europe/Berlin", "22:00-06:00", "2026-03-28 12:00", "2026-03-29 12:00", 420, "a night's shift, shorter"),
    ("Europe/Berlin", "22:00-06:00", "2026-10-24 12:00", "2026-10-25 12:00", 540, "a night's shift, longer"),
    ("Europe/Berlin", "02:15-02:45", "2026-03-29 00:00", "2026-03-29 12:00", 0, "all of it skipped"),
    ("Europe/Berlin", "02:30-04:00", "2026-03-29 00:00", "2026-03-29 12:00", 60, "its beginning skipped"),
    ("Europe/Berlin", "01:00-02:30", "2026-03-29 00:00", "2026-03-29 12:00", 60, "its end skipped"),
    ("America/Santiago", "00:00-02:00", "2026-09-05 12:00", "2026-09-06 12:00", 60, "midnight is skipped"),
    (
        "America/Santiago",
        "22:00-00:00",
        "2026-04-04 12:00",
        "2026-04-05 12:00",
        180,
        "the hour before midnight comes twice",
    ),
    ("Asia/Beirut", "00:00-24:00", "2026-03-28 12:00", "2026-03-29 12:00", 23 * 60, "midnight is skipped"),
    ("Pacific/Apia", "09:00-18:00", "2011-12-29 00:00", "2012-01-01 00:00", 2 * 540, "a day is skipped"),
    (
        "Australia/Lord_Howe",
        "00:00-06:00",
        "2026-10-04 00:00",
        "2026-10-04 12:00",
        330,
        "half an hour is skipped",
    ),
    ("Europe/Moscow", "09:00-18:00", "2026-10-25 00:00", "2026-10-26 00:00", 540, "no summer time"),
];

#[test]
fn a_turned_clock_is_followed() {
    let text = |zone: &str, hours: &str| {
        format!("[hours]\ntimezone = \"{zone}\"\nweek = {{ mon-sun = \"{hours}\" }}\n")
    };
    let length = |zone: &str, hours: &str, from: &str, to: &str| {
        let settings = settings(&text(zone, hours));
        let calendar = Calendar::of_company(&settings, settings.zone());
        let (mut at, to, mut worked) = (wall(zone, from), wall(zone, to), 0);
        while at < to {
            worked += i64::from(calendar.is_working(at));
            at += TimeDelta::minutes(1);
        }
        worked
    };
    for (zone, hours, from, to, minutes, why) in TURNED_CLOCKS {
        assert_eq!(length(zone, hours, from, to), *minutes, "{zone} {hours}: {why}");
    }
}

#[test]
fn spellings_of_hours_mean_the_same() {
    let week = |text: &str| settings(&format!("[hours]\nweek = {{ mon = \"{text}\" }}\n")).hours.week;
    for same in ["9-18", "09:00–18:00", " 9:00 - 18:00 ", "09:00-18:00,"] {
        assert_eq!(week(same), week("09:00-18:00"), "{same}");
    }
    assert_eq!(week("00:00-00:00"), week("00:00-24:00"));
    assert_eq!(week("22:00-00:00"), week("22:00-24:00"));
    assert_eq!(week("14-18, 9-13"), week("9-13; 14-18"));
    let ranges =
        settings("[hours.week]\nmon-fri = \"9-18\"\nfri = \"9-17\"\nsat-mon = \"10-12\"\nmon = \"\"\n");
    let names = serde_json::to_value(&ranges.hours.week).unwrap();
    assert_eq!(names["fri"], "09:00-17:00");
    assert_eq!(names["sun"], "10:00-12:00");
    assert_eq!(names.get("mon"), None, "an empty text is a free day");
}

#[test]
fn what_is_no_time_is_a_fault_with_its_place() {
    let said = |text: &str| {
        let file = Some(("perezvon.toml".into(), text.to_owned()));
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let faults = load_from(Sources { file, variables: Vec::new(), read: &read }).expect_err(text);
        faults.all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    for (text, place) in [
        ("[hours]\nweek = { mon = \"9-25\" }\n", "perezvon.toml:2: hours.week: "),
        ("[hours.week]\nmon = \"09:00\"\n", "mon = \"09:00\""),
        ("[hours]\nweek = { mondey = \"9-18\" }\n", "mondey"),
        ("[hours]\nweek = { mon = \"9:00-9:00\" }\n", "mon = \"9:00-9:00\""),
        ("[hours]\nweek = { mon = \"9:60-18\" }\n", "mon-fri = \"09:00-18:00\""),
        ("[hours]\nweek = {}\n", "hours.week: no day is worked"),
        ("[hours]\nholidays = [\"2027-02-30\"]\n", "(\"2027-02-30\")"),
        ("[hours]\nholidays = [\"2027-01-08..2027-01-01\"]\n", "2027-01-08..2027-01-01"),
        ("[hours]\nholidays = [\"2027-01-01..01-08\"]\n", "hours.holidays"),
        ("[hours]\nworkdays = [\"2027-02-20 9\"]\n", "hours.workdays"),
        ("[hours]\ntimezone = \"Moscow\"\n", "hours.timezone"),
        ("[employees]\n101 = { user = 1, hours = { mon = \"9to6\" } }\n", "(hours: mon = \"9to6\")"),
        ("[employees]\n101 = { user = 1, hours = { vacation = [\"2027-01-01\"] } }\n", "employees.101"),
        ("[employees]\n101 = { user = 1, hour = {} }\n", "did you mean user, name, hours"),
        ("[employees]\n101 = { user = 1, hours = { mon = \"\" } }\n", "employees.101: no day is worked"),
    ] {
        let said = said(text);
        assert!(said.contains(place), "{text}{said}");
    }
}

#[test]
fn doubtful_hours_are_warnings() {
    let warned = |text: &str| {
        let file = Some(("perezvon.toml".into(), text.to_owned()));
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let loaded = load_from(Sources { file, variables: Vec::new(), read: &read }).expect(text);
        loaded
            .warnings
            .iter()
            .any(|warning| warning.key.starts_with("hours") || warning.key.starts_with("employees.1"))
    };
    assert!(warned("[hours]\nholidays = [\"01-01..01-08\"]\nworkdays = [\"2027-01-05 9-12\"]\n"));
    assert!(!warned("[hours]\nholidays = [\"01-01..01-08\"]\nworkdays = [\"2027-01-09 9-12\"]\n"));
    assert!(warned("[hours]\nweek = {}\nworkdays = [\"2027-01-05 9-12\"]\n"));
    assert!(warned("[employees]\n101 = { user = 1, hours = { timezone = \"Asia/Omsk\" } }\n"));
}

#[test]
fn hours_come_from_variables_and_are_shown_as_written() {
    let variables = [
        ("PEREZVON__HOURS__WEEK", "{ mon-wed = \"9-18\" }"),
        ("PEREZVON__HOURS__HOLIDAYS", "[\"2027-01-01..2027-01-08\", \"03-08\"]"),
        ("PEREZVON__EMPLOYEES__101__USER", "5"),
        ("PEREZVON__EMPLOYEES__101__HOURS", "{ mon = \"10-12\", company_days = false }"),
    ];
    let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let settings = load_from(Sources { file: None, variables, read: &read }).unwrap().settings;
    let shown = serde_json::to_value(&settings).unwrap();
    assert_eq!(shown["hours"]["week"]["wed"], "09:00-18:00");
    assert_eq!(shown["hours"]["holidays"], serde_json::json!(["2027-01-01..2027-01-08", "03-08"]));
    let own = serde_json::json!({"mon": "10:00-12:00", "company_days": false});
    assert_eq!(shown["employees"]["101"]["hours"], own);
    let again: Settings = serde_json::from_value(shown).unwrap();
    assert_eq!(again, settings);
}

const ZONES: [&str; 8] = [
    "Europe/Moscow",
    "Europe/Berlin",
    "America/Santiago",
    "Asia/Beirut",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "UTC",
];

fn any_hours() -> impl Strategy<Value = (String, String)> {
    let shift = (0..24_u32, 0..4_u32, 0..24_u32, 0..4_u32).prop_filter_map("the same", |(from, a, to, b)| {
        let text = format!("{from:02}:{:02}-{to:02}:{:02}", a * 15, b * 15);
        ((from, a) != (to, b)).then_some(text)
    });
    let day = prop::collection::vec(shift, 0..3).prop_map(|shifts| shifts.join(", "));
    let date = |range: std::ops::Range<u32>| {
        (1..13_u32, 1..29_u32, range).prop_map(|(month, day, length)| {
            let last = (day + length).min(28);
            format!("\"2026-{month:02}-{day:02}..2026-{month:02}-{last:02}\"")
        })
    };
    let holidays = prop::collection::vec(date(0..9), 0..8).prop_map(|days| days.join(", "));
    let zone = prop::sample::select(ZONES.to_vec());
    (zone, prop::collection::vec(day, 7), holidays).prop_map(|(zone, days, holidays)| {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days: Vec<String> =
            names.iter().zip(&days).map(|(name, hours)| format!("{name} = \"{hours}\"")).collect();
        let text = format!(
            "[hours]\ntimezone = \"{zone}\"\nweek = {{ {} }}\nholidays = [{holidays}]\nworkdays = [\"2026-06-14 10-11\"]\n",
            days.join(", ")
        );
        (zone.to_owned(), text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn time_added_in_two_parts_is_time_added_at_once(
        (zone, text) in any_hours(), minute in 0..525_600_i64, one in 0..6_000_i64, other in 0..6_000_i64,
    ) {
        let settings = settings(&text);
        let calendar = Calendar::of_company(&settings, settings.zone());
        let at = wall("UTC", "2026-01-01 00:00") + TimeDelta::minutes(minute);
        let whole = calendar.add_working(at, TimeDelta::minutes(one + other));
        let parts = calendar
            .add_working(at, TimeDelta::minutes(one))
            .and_then(|middle| calendar.add_working(middle, TimeDelta::minutes(other)));
        prop_assert_eq!(whole, parts, "{} {}", zone, text);
        if let Some(end) = whole {
            prop_assert!(end >= at + TimeDelta::minutes(one + other));
        }
    }

    #[test]
    fn what_is_added_is_what_was_worked((_, text) in any_hours(), minute in 0..525_600_i64, added in 1..900_i64) {
        let settings = settings(&text);
        let calendar = Calendar::of_company(&settings, settings.zone());
        let at = wall("UTC", "2026-01-01 00:00") + TimeDelta::minutes(minute);
        if let Some(end) = calendar.add_working(at, TimeDelta::minutes(added))
            && end - at < TimeDelta::days(12)
        {
            let minutes = (end - at).num_minutes();
            let worked = (0..minutes).filter(|n| calendar.is_working(at + TimeDelta::minutes(*n))).count();
            prop_assert_eq!(worked as i64, added, "{}", text);
            prop_assert!(calendar.is_working(end - TimeDelta::minutes(1)));
        }
    }

    #[test]
    fn the_next_working_moment_is_working_and_not_before((_, text) in any_hours(), minute in 0..525_600_i64) {
        let settings = settings(&text);
        let calendar = Calendar::of_company(&settings, settings.zone());
        let at = wall("UTC", "2026-01-01 00:00") + TimeDelta::minutes(minute);
        match calendar.next_working(at) {
            Some(next) => {
                prop_assert!(next >= at && calendar.is_working(next));
                prop_assert_eq!(next == at, calendar.is_working(at));
                prop_assert!(next == at || !calendar.is_working(next - TimeDelta::seconds(1)));
                prop_assert_eq!(calendar.next_working(next), Some(next));
            }
            None => prop_assert!(!calendar.is_working(at)),
        }
    }
}
