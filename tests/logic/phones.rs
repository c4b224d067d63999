//! Any spelling, one number.

use perezvon::{
    logic::phone::{Phone, Phones},
    settings::{Numbers, Replacement},
};
use proptest::prelude::*;

fn phones(change: impl FnOnce(&mut Numbers)) -> Phones {
    let mut numbers = Numbers::default();
    change(&mut numbers);
    Phones::new(&numbers).unwrap()
}

fn check(phones: &Phones, table: &[(&str, &str)]) {
    let mut faults = Vec::new();
    for (raw, wanted) in table {
        let got = phones.canonical(raw);
        let got = got.as_ref().map_or("-", Phone::as_str);
        if got != *wanted {
            faults.push(format!("{raw:?}: {got}, not {wanted}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn russian_spellings_meet() {
    check(
        &phones(|_| ()),
        &[
            ("8 (495) 123-45-67", "+74951234567"),
            ("+7 495 123-45-67", "+74951234567"),
            ("+7 (495) 123–45–67", "+74951234567"),
            ("4951234567", "+74951234567"),
            ("74951234567", "+74951234567"),
            ("84951234567", "+74951234567"),
            ("8\u{a0}495\u{a0}123\u{a0}45\u{a0}67", "+74951234567"),
            ("+8 (495) 123-45-6", "+8495123456"),
            ("007 495 1234567", "+74951234567"),
            ("810 7 495 1234567", "+74951234567"),
            ("8(916)1234567", "+79161234567"),
            ("9161234567", "+79161234567"),
            ("88002501234", "+78002501234"),
            ("8-800-250-12-34", "+78002501234"),
            ("+7 800 250 12 34", "+78002501234"),
            ("+8 800 250 12 34", "+78002501234"),
            ("87012345678", "+77012345678"),
            ("+7701 234 56 78", "+77012345678"),
        ],
    );
}

#[test]
fn other_countries_are_read_with_and_without_a_plus() {
    check(
        &phones(|_| ()),
        &[
            ("+375 29 123-45-67", "+375291234567"),
            ("375291234567", "+375291234567"),
            ("380441234567", "+380441234567"),
            ("0049 30 901820", "+4930901820"),
            ("8104930901820", "+4930901820"),
            ("8~10 49 30 901820", "+4930901820"),
            ("810 375 29 1234567", "+375291234567"),
            ("+1 (202) 555-0173", "+12025550173"),
            ("12025550173", "+12025550173"),
            ("81312345678", "+81312345678"),
            ("998901234567", "+998901234567"),
            ("+44 20 7183 8750", "+442071838750"),
        ],
    );
}

#[test]
fn letters_and_tails_are_cut_or_dialled() {
    check(
        &phones(|_| ()),
        &[
            ("8-800-FLOWERS", "+78003569377"),
            ("8 800 flowers", "+78003569377"),
            ("8 (495) 123-45-67 доб. 12", "+74951234567"),
            ("8 (495) 123-45-67 доб 1234", "+74951234567"),
            ("+7 495 123-45-67 ext 5", "+74951234567"),
            ("+7 495 123-45-67 ext. 500", "+74951234567"),
            ("84951234567,12", "+74951234567"),
            ("84951234567,,12#", "+74951234567"),
            ("84951234567#12", "+74951234567"),
            ("84951234567x12", "+74951234567"),
            ("84951234567 (вн. 12)", "+74951234567"),
            ("+7 916 123-45-67, +7 903 111-22-33", "+79161234567"),
            ("+7 916 123-45-67 +7 903 111-22-33", "+79161234567"),
            ("8 495 123-45-67 Анна", "+74951234567"),
            ("тел. 8 495 123-45-67", "+74951234567"),
            ("Tel: 8 495 123-45-67", "+74951234567"),
            ("8 доб. 12", "-"),
        ],
    );
}

#[test]
fn addresses_are_unwrapped() {
    check(
        &phones(|_| ()),
        &[
            ("sip:+74951234567@pbx.example.ru:5060;user=phone", "+74951234567"),
            ("SIP:84951234567@10.0.0.1", "+74951234567"),
            ("tel:+7-495-123-45-67;ext=12", "+74951234567"),
            ("\"Анна 2\" <sip:+74951234567@pbx>", "+74951234567"),
            ("<74951234567>", "+74951234567"),
            ("84951234567@trunk", "+74951234567"),
            ("anonymous@anonymous.invalid", "-"),
            ("sip:anna@pbx", "-"),
            ("trunk84951234567", "-"),
        ],
    );
}

#[test]
fn inside_hidden_and_rubbish_are_nobody() {
    let phones = phones(|_| ());
    let none = [
        "101",
        "12345",
        "112",
        "*43",
        "*8101",
        "#21#",
        "880025",
        "anonymous",
        "Anonymous",
        "unknown",
        "restricted",
        "unavailable",
        "<unknown>",
        "",
        " ",
        "s",
        "+",
        "-",
        "00",
        "0000000",
        "00000000000",
        "12345678901234567890",
    ];
    check(&phones, &none.map(|raw| (raw, "-")));
    for inside in ["101", "12345", "sip:101@10.0.0.1", " 10 1 "] {
        assert!(phones.is_internal(inside), "{inside}");
    }
    for outside in ["1", "123456", "84951234567", "unknown", "*43", "", "+101"] {
        assert!(!phones.is_internal(outside), "{outside}");
    }
}

#[test]
fn numbers_of_no_known_plan_are_kept_and_meet() {
    check(
        &phones(|_| ()),
        &[
            ("1234567", "+1234567"),
            ("+1234567", "+1234567"),
            ("84241234567", "+74241234567"),
            ("80001234567", "+70001234567"),
            ("70001234567", "+70001234567"),
            ("+70001234567", "+70001234567"),
        ],
    );
}

#[test]
fn the_area_code_completes_local_numbers() {
    check(
        &phones(|numbers| numbers.area_code = "495".to_owned()),
        &[("123-45-67", "+74951234567"), ("+1234567", "+1234567"), ("880025", "-"), ("101", "-")],
    );
    check(
        &phones(|numbers| {
            numbers.area_code = "8442".to_owned();
            numbers.internal = r"\d{3}".to_owned();
        }),
        &[("23-45-67", "+78442234567"), ("101", "-")],
    );
}

#[test]
fn replacements_come_before_everything_else() {
    let replacement = |pattern: &str, replace: &str| Replacement {
        pattern: pattern.to_owned(),
        replace: replace.to_owned(),
    };
    let phones = phones(|numbers| {
        numbers.replacements = vec![
            replacement(r"^9(8\d{10})$", "$1"),
            replacement(r"^\+?0(\d{10})$", "+7$1"),
            replacement(r"^7000(\d{3})$", "$1"),
        ];
    });
    check(
        &phones,
        &[("9 8 495 123-45-67", "+74951234567"), ("04951234567", "+74951234567"), ("7000101", "-")],
    );
    assert!(phones.is_internal("7000101"));
}

#[test]
fn another_country_reads_its_own_plan() {
    let in_country = |country: &str| phones(|numbers| numbers.country = country.to_owned());
    check(&in_country("KZ"), &[("74951234567", "+74951234567"), ("87012345678", "+77012345678")]);
    check(&in_country("BY"), &[("8 029 123-45-67", "+375291234567"), ("+7 495 123 45 67", "+74951234567")]);
    check(&in_country("ua"), &[("044 123 45 67", "+380441234567")]);
    check(&in_country("DE"), &[("030 901820", "+4930901820"), ("0049 30 901820", "+4930901820")]);
}

#[test]
fn an_employees_mobile_is_recognised_in_any_spelling() {
    let phones = phones(|numbers| {
        numbers.mobiles.insert("8 903 111-22-33".to_owned(), "101".to_owned());
    });
    let phone = phones.canonical("+79031112233").unwrap();
    assert_eq!(phones.employee_of(&phone), Some("101"));
    assert_eq!(phones.employee_of(&phones.canonical("+79031112234").unwrap()), None);
}

#[test]
fn faults_of_settings_name_their_key() {
    let fault = |change: fn(&mut Numbers)| {
        let mut numbers = Numbers::default();
        change(&mut numbers);
        Phones::new(&numbers).unwrap_err()
    };
    assert!(fault(|numbers| numbers.country = "Россия".to_owned()).starts_with("numbers.country: "));
    assert!(fault(|numbers| numbers.internal = "(".to_owned()).starts_with("numbers.internal: "));
    let broken = |numbers: &mut Numbers| {
        numbers.replacements = vec![Replacement { pattern: "[".to_owned(), replace: String::new() }];
    };
    assert!(fault(broken).starts_with("numbers.replacements[0].pattern: "));
    let rubbish = |numbers: &mut Numbers| {
        numbers.mobiles.insert("Анна".to_owned(), "101".to_owned());
    };
    assert!(fault(rubbish).starts_with("numbers.mobiles: "));
}

#[test]
fn a_phone_shows_itself_masked_only() {
    let phone = Phone::from_canonical("+79161234567").unwrap();
    assert_eq!(phone.masked(), "+7916***4567");
    assert_eq!(format!("{phone:?}"), "+7916***4567");
    assert_eq!(phone.number(), 79_161_234_567);
    assert_eq!(Phone::from_canonical("+1234567").unwrap().masked(), "+***4567");
    for wrong in ["79161234567", "+", "+123456", "+1234567890123456", "+7916123456a", "+07916123456"] {
        assert!(Phone::from_canonical(wrong).is_none(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn canonical_numbers_stay_as_they_are(raw in r"(\+|00|810|8|7)?[0-9 ()\-]{5,18}") {
        for country in ["RU", "BY", "DE"] {
            let phones = phones(|numbers| {
                numbers.country = country.to_owned();
                numbers.area_code = "495".to_owned();
            });
            if let Some(phone) = phones.canonical(&raw) {
                prop_assert_eq!(phones.canonical(phone.as_str()), Some(phone));
            }
        }
    }

    #[test]
    fn nothing_panics(raw in r"(?s).{0,40}") {
        let phones = phones(|_| ());
        let phone = phones.canonical(&raw);
        prop_assert!(phone.is_none() || !phones.is_internal(&raw));
    }

    #[test]
    fn almost_numbers_do_not_panic(raw in r"[0-9+*#;,<>@a-zA-Zдобвн. ():]{0,24}") {
        let phones = phones(|numbers| numbers.area_code = "495".to_owned());
        if let Some(phone) = phones.canonical(&raw) {
            prop_assert_eq!(Phone::from_canonical(phone.as_str()), Some(phone.clone()));
            prop_assert_eq!(phones.canonical(phone.as_str()), Some(phone));
        }
    }
}
