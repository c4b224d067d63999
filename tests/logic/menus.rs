//! Menus that a client stood in, and the digits that he pressed there or elsewhere.

use perezvon::logic::call::{
    Call, CallRows, CelRow, Direction, MissedAt, Outcome,
    digits::{HIDDEN, hide_in_call, hide_in_cdr, hide_in_cel},
};

use super::{
    calls::{calls_in, fixtures},
    pbx::{CLIENT, IVAN, Pbx, only},
};

/// The client in the first menu, at the second 1.
fn in_the_menu() -> Pbx {
    let mut pbx = Pbx::default();
    pbx.client().at(1).plain("ANSWER", CLIENT, "s@ivr-1");
    pbx
}

impl Pbx {
    /// He presses a key while this application runs.
    fn press(&mut self, digit: &str, app: &str, place: &str) -> &mut Self {
        self.told("DTMF", CLIENT, &[("digit", digit)]);
        let row = self.rows.last_mut().unwrap();
        let (exten, context) = place.split_once('@').unwrap();
        (row.appname, row.exten, row.context) = (app.to_owned(), exten.to_owned(), context.to_owned());
        self
    }

    fn stands_at(&mut self, event: &str, app: &str, place: &str) -> &mut Self {
        self.plain(event, CLIENT, place).rows.last_mut().unwrap().appname = app.to_owned();
        self
    }
}

/// (name, digits, where it led) of each menu.
fn menus(call: &Call) -> Vec<(&str, Option<&str>, Option<&str>)> {
    call.menus
        .iter()
        .map(|menu| (menu.name.as_str(), menu.digits.as_deref(), menu.led_to.as_deref()))
        .collect()
}

/// As the database reader hands the rows out.
fn read(mut rows: CallRows, ivr_digits: bool) -> CallRows {
    rows.cel.iter_mut().for_each(|row| hide_in_cel(row, ivr_digits));
    rows.cdr.iter_mut().for_each(|row| hide_in_cdr(row, ivr_digits));
    rows
}

/// Left in a menu of a menu: pressed 3 in the first, nothing in the second.
fn left_in_the_second() -> Pbx {
    let mut pbx = in_the_menu();
    pbx.at(4).press("3", "BackGround", "s@ivr-1").stands_at("STREAM_END", "BackGround", "s@ivr-1");
    pbx.stands_at("STREAM_BEGIN", "BackGround", "s@ivr-2").at(9).hangup(&[CLIENT]);
    for row in pbx.rows.iter_mut().rev().take(2) {
        (row.exten, row.context) = ("s".to_owned(), "ivr-2".to_owned());
    }
    pbx
}

#[test]
fn who_left_in_a_menu_is_missed_there_at_its_depth() {
    let call = only(read(left_in_the_second().rows(), true)).unwrap();
    assert_eq!((call.outcome, call.missed_at), (Outcome::Missed, Some(MissedAt::Ivr)));
    assert_eq!(menus(&call), [("ivr-1", Some("3"), Some("ivr-2")), ("ivr-2", None, None)]);
    assert_eq!(call.menu_path(), "ivr-1 (3) → ivr-2");
    let call = only(read(left_in_the_second().rows(), false)).unwrap();
    assert_eq!(menus(&call), [("ivr-1", None, Some("ivr-2")), ("ivr-2", None, None)]);
    assert_eq!(call.menu_path(), "ivr-1 → ivr-2");
}

/// Asterisk 16 tells no digits; the dialplan stood at the extension of the choice when it answered or began to record.
#[test]
fn without_digit_events_the_extension_within_the_menu_is_the_choice() {
    let mut pbx = in_the_menu();
    pbx.at(5).stands_at("APP_START", "MixMonitor", "2@ivr-1");
    pbx.stands_at("APP_START", "Queue", "500@ext-queues").ring(IVAN).at(20).hangup(&[IVAN, CLIENT]);
    let told = |ivr_digits| only(read(pbx.rows(), ivr_digits)).unwrap();
    assert_eq!(menus(&told(true)), [("ivr-1", Some("2"), Some("500"))]);
    assert_eq!(menus(&told(false)), [("ivr-1", None, Some("500"))]);
    assert_eq!(told(false).missed_at, Some(MissedAt::Queue));
}

#[test]
fn a_menu_may_lead_to_a_place_without_number_and_back() {
    let mut pbx = in_the_menu();
    pbx.at(3).stands_at("STREAM_BEGIN", "Playback", "s@app-announcement-4");
    pbx.at(6).stands_at("STREAM_BEGIN", "BackGround", "s@ivr-1").at(8).press("9", "WaitExten", "s@ivr-1");
    pbx.stands_at("APP_START", "Queue", "500@ext-queues").at(20).hangup(&[CLIENT]);
    let call = only(pbx.rows()).unwrap();
    assert_eq!(
        menus(&call),
        [("ivr-1", None, Some("app-announcement-4")), ("ivr-1", Some("9"), Some("500"))]
    );
}

#[test]
fn what_is_too_long_for_a_choice_is_told_by_its_length() {
    let mut pbx = in_the_menu();
    for digit in ["4", "2", "7", "6", "0", "1"] {
        pbx.press(digit, "BackGround", "s@ivr-1");
    }
    let call = only(pbx.at(9).hangup(&[CLIENT]).rows()).unwrap();
    assert_eq!(menus(&call), [("ivr-1", Some(HIDDEN.repeat(6).as_str()), None)]);
}

fn pressed(app: &str, context: &str) -> CelRow {
    CelRow {
        eventtype: "DTMF".to_owned(),
        appname: app.to_owned(),
        context: context.to_owned(),
        exten: "s".to_owned(),
        extra: r#"{"digit":"7","duration_ms":120}"#.to_owned(),
        ..CelRow::default()
    }
}

#[test]
fn only_the_choice_from_a_menu_may_stay() {
    let places = [
        ("BackGround", "ivr-1", true),
        ("WaitExten", "company-hours", true),
        ("Read", "ivr-7", true),
        ("Read", "card-payment", false),
        ("Dial", "from-internal", false),
        ("AppDial", "from-internal", false),
        ("Queue", "ext-queues", false),
        ("Authenticate", "ivr-1", false),
        ("VoiceMail", "macro-vm", false),
        ("VoiceMailMain", "app-vmmain", false),
        ("ConfBridge", "conferences", false),
        ("", "ivr-1", false),
    ];
    for (app, context, stays) in places {
        for ivr_digits in [true, false] {
            let mut row = pressed(app, context);
            hide_in_cel(&mut row, ivr_digits);
            let expected = if stays && ivr_digits { "7" } else { HIDDEN };
            assert_eq!(row.digit(), Some(expected), "{app} in {context}, {ivr_digits}");
            assert_eq!(row.extra.contains('7'), stays && ivr_digits, "{}", row.extra);
        }
    }
}

#[test]
fn json_that_was_cut_keeps_no_digit_either() {
    for extra in [r#"{"digit":"7"#, r#"{"digit":"#, r#"{"duration_ms":7,"digit":"7","x":"cu"#] {
        let mut row = CelRow { extra: extra.to_owned(), ..pressed("Dial", "from-internal") };
        hide_in_cel(&mut row, true);
        assert!(!row.extra.contains('7'), "{}", row.extra);
    }
}

#[test]
fn a_number_that_was_dialled_into_a_menu_is_no_digit() {
    let mut row = CelRow {
        eventtype: "ANSWER".to_owned(),
        context: "main-menu".to_owned(),
        exten: "74951234567".to_owned(),
        cid_dnid: "74951234567".to_owned(),
        ..CelRow::default()
    };
    hide_in_cel(&mut row, false);
    assert_eq!(row.exten, "74951234567");
    row.exten = "4276550012345678".to_owned();
    hide_in_cel(&mut row, false);
    assert_eq!(row.exten, HIDDEN);
}

/// The rows without digits tell every call as the rows with them, but for the digits.
#[test]
fn hiding_digits_changes_no_story() {
    let mut pressed = 0;
    for (path, fixture) in fixtures() {
        let told = calls_in(fixture.rows.clone(), &fixture.context());
        let hidden = read(fixture.rows.clone(), false);
        for mut call in told.clone() {
            let mut rows = fixture.rows.clone();
            hide_in_call(&mut call, &mut rows, false);
            assert_eq!(rows, hidden, "{}", path.display());
        }
        let mut expected = told;
        expected.iter_mut().flat_map(|call| &mut call.menus).for_each(|menu| menu.digits = None);
        assert_eq!(calls_in(hidden.clone(), &fixture.context()), expected, "{}", path.display());
        assert!(hidden.cel.iter().all(|row| row.digit().is_none_or(|digit| digit == HIDDEN)));
        pressed += fixture.rows.cel.iter().filter(|row| row.eventtype == "DTMF").count();
    }
    assert!(pressed > 20, "only {pressed} digits in the fixtures");
}

#[test]
fn an_employee_who_dials_the_menu_has_no_path_through_it() {
    let mut pbx = Pbx::default();
    pbx.start(IVAN, "101", None, "700@from-internal").at(1).answer(IVAN);
    pbx.rows.last_mut().unwrap().context = "ivr-1".to_owned();
    pbx.start("PJSIP/102-00000003", "102", Some(IVAN), "s@from-internal").at(3).answer("PJSIP/102-00000003");
    pbx.enter("b1", &["PJSIP/102-00000003", IVAN]).at(9).hangup(&["PJSIP/102-00000003", IVAN]);
    let call = pbx.call();
    assert_eq!((call.direction, call.menus.len()), (Direction::Internal, 0));
}
