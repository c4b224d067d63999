//! Shapes of calls that the corpus lacks, as rows that Asterisk would write: written by hand, not captured.

use perezvon::{
    logic::call::{
        Call, CallRows, CdrRow, Context, Direction, LostAfter, MissedAt, Outcome, RecordingState, fold, group,
    },
    settings::Settings,
};

use super::pbx::{ANNA, CLIENT, IVAN, IVAN_AGAIN, NOON, Pbx, only, wall};

/// (party, via, accepted, seconds) of each conversation.
fn talks(call: &Call) -> Vec<(&str, Option<&str>, bool, u32)> {
    let told = call.conversations.iter();
    told.map(|talk| (talk.party.as_str(), talk.via.as_deref(), talk.accepted_at.is_some(), talk.talk_seconds))
        .collect()
}

/// Client and 101 talk from 3 to 13.
fn answered_by_ivan() -> Pbx {
    let mut pbx = Pbx::default();
    pbx.client().ring(IVAN).at(3).answer(IVAN).answer(CLIENT).enter("b1", &[IVAN, CLIENT]);
    pbx
}

/// 101's phone sends REFER to `extension` at the 13th second.
fn transferred_blindly(extension: &str) -> Pbx {
    let mut pbx = answered_by_ivan();
    pbx.at(13)
        .told("BLINDTRANSFER", IVAN, &[("extension", extension), ("bridge_id", "b1")])
        .exit("b1", &[CLIENT, IVAN])
        .hangup(&[IVAN]);
    pbx
}

#[test]
fn a_blind_transfer_nobody_took_lost_the_client() {
    let mut pbx = transferred_blindly("102");
    pbx.ring(ANNA).at(30).hangup(&[CLIENT, ANNA]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10), ("102", None, false, 0)]);
    assert_eq!((call.outcome, call.lost_after), (Outcome::Talked, Some(LostAfter::Transfer)));
    assert_eq!(call.missed_at, None);
}

#[test]
fn a_blind_transfer_that_came_back_is_two_talks_with_one() {
    let mut pbx = transferred_blindly("102");
    pbx.ring(ANNA).at(23).hangup(&[ANNA]).ring(IVAN_AGAIN).at(25).answer(IVAN_AGAIN);
    pbx.enter("b2", &[IVAN_AGAIN, CLIENT])
        .at(31)
        .exit("b2", &[IVAN_AGAIN, CLIENT])
        .hangup(&[IVAN_AGAIN, CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10), ("102", None, false, 0), ("101", None, true, 6)]);
    assert_eq!((call.talk_seconds, call.lost_after), (16, None));
}

#[test]
fn a_blind_transfer_to_a_mobile_is_no_forward() {
    let mut pbx = transferred_blindly("89031112233");
    pbx.start("PJSIP/trunk-00000009", "", Some(CLIENT), "s@from-trunk").at(20);
    pbx.channels.get_mut("PJSIP/trunk-00000009").unwrap().2 = "79031112233";
    pbx.answer("PJSIP/trunk-00000009").enter("b2", &["PJSIP/trunk-00000009", CLIENT]);
    pbx.at(26).hangup(&["PJSIP/trunk-00000009", CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10), ("+79031112233", None, true, 6)]);
    assert_eq!(call.client.as_deref(), Some("+79161234567"));
}

#[test]
fn a_client_who_gave_up_while_parked_is_lost() {
    let mut pbx = transferred_blindly("70");
    pbx.told("PARK_START", CLIENT, &[("parking_lot", "default")]);
    pbx.bridge("BRIDGE_ENTER", "p1", "holding_bridge", &[CLIENT]).at(60);
    pbx.told("PARK_END", CLIENT, &[("reason", "ParkedCallGiveUp")]);
    pbx.bridge("BRIDGE_EXIT", "p1", "holding_bridge", &[CLIENT]).hangup(&[CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10)]);
    assert_eq!((call.outcome, call.lost_after), (Outcome::Talked, Some(LostAfter::Park)));
}

#[test]
fn the_parker_who_takes_the_call_back_talks_twice() {
    let mut pbx = transferred_blindly("70");
    pbx.told("PARK_START", CLIENT, &[("parking_lot", "default")]);
    pbx.bridge("BRIDGE_ENTER", "p1", "holding_bridge", &[CLIENT]).at(58).ring(IVAN_AGAIN).at(60);
    pbx.told("PARK_END", CLIENT, &[("reason", "ParkedCallTimeOut")]);
    pbx.bridge("BRIDGE_EXIT", "p1", "holding_bridge", &[CLIENT]).answer(IVAN_AGAIN);
    pbx.enter("b2", &[IVAN_AGAIN, CLIENT]).at(65).hangup(&[IVAN_AGAIN, CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10), ("101", None, true, 5)]);
    assert_eq!(call.lost_after, None);
}

/// 101 calls 102 from a second line while the client hears music.
fn consulting() -> Pbx {
    let mut pbx = answered_by_ivan();
    pbx.at(13).start(IVAN_AGAIN, "101", None, "102@from-internal");
    pbx.start(ANNA, "102", Some(IVAN_AGAIN), "s@from-internal");
    pbx
}

#[test]
fn a_cancelled_consultation_is_one_talk_with_a_pause() {
    let mut pbx = consulting();
    // Nothing ties the two calls but the retriever's name: told here by the transfer that failed.
    pbx.at(15).answer(ANNA).enter("b2", &[ANNA, IVAN_AGAIN]).at(19).hangup(&[ANNA, IVAN_AGAIN]);
    pbx.at(25).hangup(&[IVAN, CLIENT]);
    let groups = group(pbx.rows());
    assert_eq!(groups.len(), 2, "an own call among employees");
    let context = Context::from_settings(&Settings::default()).unwrap();
    let calls: Vec<Call> = groups.iter().filter_map(|rows| fold(rows, &context)).collect();
    assert_eq!(calls[0].conversations.len(), 1);
    assert_eq!(calls[1].direction, Direction::Internal);
}

#[test]
fn a_cancelled_consultation_by_feature_code_leaves_the_colleague_out() {
    let (one, two) = ("Local/102@from-internal-xfer-00000001;1", "Local/102@from-internal-xfer-00000001;2");
    let mut pbx = answered_by_ivan();
    pbx.at(13).ring(one).ring(two).enter("c1", &[one]).exit("b1", &[IVAN]).enter("c1", &[IVAN]).ring(ANNA);
    pbx.at(15).answer(ANNA).enter("c2", &[ANNA, two]).at(19);
    pbx.exit("c1", &[IVAN]).enter("b1", &[IVAN]).hangup(&[one, two, ANNA]);
    pbx.at(25).exit("b1", &[IVAN, CLIENT]).hangup(&[IVAN, CLIENT]);
    let call = pbx.call();
    // 3 to 13 less the dialling of the transfer, 19 to 25.
    assert_eq!(talks(&call), [("101", None, true, 13)]);
    assert_eq!(call.outcome, Outcome::Talked);
}

#[test]
fn a_client_who_leaves_during_the_consultation_talked_with_the_first_only() {
    let mut pbx = consulting();
    let second = pbx.uniqueid(IVAN_AGAIN);
    pbx.at(15).answer(ANNA).enter("b2", &[ANNA, IVAN_AGAIN]).at(17).exit("b1", &[CLIENT, IVAN]);
    pbx.told("ATTENDEDTRANSFER", IVAN, &[("bridge1_id", "b1"), ("channel2_uniqueid", &second)]);
    pbx.hangup(&[CLIENT, IVAN]).at(40).hangup(&[ANNA, IVAN_AGAIN]);
    let call = pbx.call();
    assert_eq!(talks(&call)[0], ("101", None, true, 10));
    assert_eq!(call.talk_seconds, 10);
    assert_eq!(call.conversations.iter().filter(|talk| talk.accepted_at.is_some()).count(), 1);
}

#[test]
fn a_transfer_to_a_colleague_still_ringing_asks_him_for_the_client() {
    let mut pbx = consulting();
    let second = pbx.uniqueid(IVAN_AGAIN);
    pbx.at(16).exit("b1", &[CLIENT, IVAN]);
    let extra = [("bridge1_id", "b1"), ("channel2_uniqueid", second.as_str()), ("app", "Dial")];
    pbx.told("ATTENDEDTRANSFER", IVAN, &extra).hangup(&[IVAN, IVAN_AGAIN]).at(40).hangup(&[ANNA, CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10), ("102", None, false, 0)]);
    assert_eq!(call.lost_after, Some(LostAfter::Transfer));
}

#[test]
fn a_conference_counts_its_time_once() {
    let mut pbx = answered_by_ivan();
    pbx.at(13).exit("b1", &[IVAN, CLIENT]).bridge("BRIDGE_ENTER", "conf", "softmix", &[IVAN, CLIENT]);
    pbx.at(14).start(ANNA, "102", None, "8000@from-internal").at(15).answer(ANNA);
    pbx.bridge("BRIDGE_ENTER", "conf", "softmix", &[ANNA]).at(25).hangup(&[IVAN, ANNA, CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 22), ("102", None, true, 10)]);
    assert_eq!(call.talk_seconds, 22);
}

#[test]
fn a_call_that_asterisks_death_cut_ends_with_the_last_that_is_known() {
    let mut pbx = answered_by_ivan();
    pbx.at(63).told("STREAM_BEGIN", IVAN, &[("sound", "beep")]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 60)]);
    assert_eq!(call.outcome, Outcome::Talked);
}

#[test]
fn a_phone_that_redirects_to_a_mobile_is_the_way_to_it() {
    let (one, two) =
        ("Local/79031112233@from-internal-00000001;1", "Local/79031112233@from-internal-00000001;2");
    let mobile = "PJSIP/trunk-00000009";
    let mut pbx = Pbx::default();
    pbx.client().ring(IVAN).at(1).ring(one).ring(two).told("FORWARD", CLIENT, &[("forward", "79031112233")]);
    pbx.ended(IVAN, 0, "").start(mobile, "", Some(CLIENT), "s@from-trunk").at(5);
    pbx.channels.get_mut(mobile).unwrap().2 = "79031112233";
    pbx.answer(mobile)
        .enter("b1", &[mobile, two])
        .enter("b2", &[one, CLIENT])
        .at(15)
        .hangup(&[mobile, one, two, CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, false, 0), ("+79031112233", Some("101"), true, 10)]);
}

#[test]
fn the_watchdogs_rows_are_no_part_of_the_call() {
    let (one, two) = ("Local/crm@agi-guard-00000001;1", "Local/crm@agi-guard-00000001;2");
    let mut pbx = Pbx::default();
    pbx.client().ring(one).ring(two).hangup(&[one, two]).ring(IVAN).at(9).hangup(&[IVAN, CLIENT]);
    let mut rows = pbx.rows();
    let leg = CdrRow {
        calldate: wall(0),
        channel: CLIENT.to_owned(),
        dstchannel: one.to_owned(),
        uniqueid: pbx.uniqueid(CLIENT),
        linkedid: pbx.uniqueid(CLIENT),
        disposition: "NO ANSWER".to_owned(),
        ..CdrRow::default()
    };
    rows.cdr.push(leg.clone());
    let call = only(rows).unwrap();
    assert_eq!(talks(&call), [("101", None, false, 0)]);
    assert_eq!(call.missed_at, Some(MissedAt::Ringing));
    let alone = only(CallRows { cdr: vec![leg], cel: Vec::new() }).unwrap();
    assert_eq!((alone.outcome, alone.conversations.len()), (Outcome::Missed, 0));
}

#[test]
fn feature_codes_and_mailboxes_are_no_calls() {
    for place in ["*78@from-internal", "**101@from-internal", "*97@from-internal", "71@from-internal"] {
        let mut pbx = Pbx::default();
        pbx.start(IVAN, "101", None, place).at(1).answer(IVAN).at(4).hangup(&[IVAN]);
        assert_eq!(only(pbx.rows()), None, "{place}");
    }
}

#[test]
fn a_phone_that_is_not_registered_is_asked_in_vain() {
    let mut pbx = Pbx::default();
    pbx.client().at(1);
    pbx.ended(CLIENT, 20, "CHANUNAVAIL");
    pbx.rows.last_mut().unwrap().exten = "101".to_owned();
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, false, 0)]);
    assert_eq!((call.outcome, call.missed_at), (Outcome::Missed, Some(MissedAt::Unreachable)));
}

#[test]
fn a_caller_who_leaves_before_any_ring_is_missed() {
    let mut pbx = Pbx::default();
    pbx.client().hangup(&[CLIENT]);
    let call = pbx.call();
    assert_eq!(
        (call.outcome, call.missed_at, call.conversations.len()),
        (Outcome::Missed, Some(MissedAt::Unreachable), 0)
    );
}

#[test]
fn a_queue_that_tries_again_and_again_lists_each_member_once() {
    let tries = ["PJSIP/101-0000000a", "PJSIP/102-0000000b", "PJSIP/101-0000000c", "PJSIP/102-0000000d"];
    let mut pbx = Pbx::default();
    pbx.client().answer(CLIENT).app(CLIENT, "Queue", "500,t", "500@ext-queues");
    for (round, pair) in tries.chunks(2).enumerate() {
        let start = round as i64 * 20;
        pbx.at(start).ring(pair[0]).ring(pair[1]).at(start + 15).hangup(pair);
    }
    pbx.at(45).hangup(&[CLIENT]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, false, 0), ("102", None, false, 0)]);
    assert_eq!((call.outcome, call.missed_at), (Outcome::Missed, Some(MissedAt::Queue)));
}

#[test]
fn a_mailbox_after_a_queue_is_where_the_call_was_missed() {
    let mut pbx = Pbx::default();
    pbx.client()
        .answer(CLIENT)
        .app(CLIENT, "Queue", "500,t", "500@ext-queues")
        .ring(IVAN)
        .at(20)
        .hangup(&[IVAN]);
    pbx.app(CLIENT, "VoiceMail", "101@default,u", "101@ext-local").at(40).hangup(&[CLIENT]);
    assert_eq!(pbx.call().missed_at, Some(MissedAt::Voicemail));
}

#[test]
fn an_internal_call_becomes_a_clients_when_one_is_brought_in() {
    let line = "PJSIP/trunk-00000008";
    let mut pbx = Pbx::default();
    pbx.start(IVAN, "101", None, "102@from-internal").start(ANNA, "102", Some(IVAN), "s@from-internal");
    pbx.at(2).answer(ANNA).enter("b1", &[ANNA, IVAN]).at(10).start(
        IVAN_AGAIN,
        "101",
        None,
        "79161234567@from-internal",
    );
    pbx.start(line, "", Some(IVAN_AGAIN), "s@from-trunk").at(15);
    pbx.channels.get_mut(line).unwrap().2 = "79161234567";
    pbx.answer(line)
        .enter("b2", &[line, IVAN_AGAIN])
        .at(20)
        .exit("b1", &[ANNA])
        .exit("b2", &[IVAN_AGAIN])
        .enter("b2", &[ANNA]);
    let second = pbx.uniqueid(IVAN_AGAIN);
    pbx.told(
        "ATTENDEDTRANSFER",
        IVAN,
        &[("bridge1_id", "b1"), ("channel2_uniqueid", &second), ("bridge2_id", "b2")],
    );
    pbx.hangup(&[IVAN, IVAN_AGAIN]).at(30).hangup(&[ANNA, line]);
    let call = pbx.call();
    assert_eq!((call.direction, call.client.as_deref()), (Direction::Outbound, Some("+79161234567")));
    assert_eq!(call.talk_seconds, 15);
    let mut told = talks(&call);
    told.sort_unstable();
    assert_eq!(told, [("101", None, true, 5), ("102", None, true, 10)]);
}

#[test]
fn an_outgoing_call_handed_on_stays_outgoing() {
    let line = "PJSIP/trunk-00000008";
    let mut pbx = Pbx::default();
    pbx.start(IVAN, "101", None, "79161234567@from-internal")
        .start(line, "", Some(IVAN), "s@from-trunk")
        .at(4);
    pbx.channels.get_mut(line).unwrap().2 = "79161234567";
    pbx.answer(line).enter("b1", &[line, IVAN]).at(14);
    pbx.told("BLINDTRANSFER", IVAN, &[("extension", "102"), ("bridge_id", "b1")])
        .exit("b1", &[line, IVAN])
        .hangup(&[IVAN]);
    pbx.start(ANNA, "102", Some(IVAN), "s@from-internal").at(17).answer(ANNA).enter("b2", &[ANNA, line]);
    pbx.at(27).hangup(&[ANNA, line]);
    let call = pbx.call();
    assert_eq!((call.direction, call.client.as_deref()), (Direction::Outbound, Some("+79161234567")));
    assert_eq!(talks(&call), [("101", None, true, 10), ("102", None, true, 10)]);
}

#[test]
fn refusals_of_the_line_are_told_apart() {
    let line = "PJSIP/trunk-00000008";
    let outcomes = [
        (17, Outcome::Busy),
        (21, Outcome::NoAnswer),
        (1, Outcome::Failed),
        (34, Outcome::Failed),
        (19, Outcome::NoAnswer),
    ];
    for (cause, outcome) in outcomes {
        let mut pbx = Pbx::default();
        pbx.start(IVAN, "101", None, "89161234567@from-internal")
            .start(line, "", Some(IVAN), "s@from-trunk")
            .at(4);
        pbx.ended(line, cause, "").hangup(&[IVAN]);
        assert_eq!(pbx.call().outcome, outcome, "cause {cause}");
    }
}

#[test]
fn a_number_tried_over_a_second_line_is_one_client() {
    let (first, second) = ("PJSIP/beeline-00000008", "PJSIP/mts-00000009");
    let mut pbx = Pbx::default();
    pbx.start(IVAN, "101", None, "89161234567@from-internal");
    for (line, start) in [(first, 0), (second, 1)] {
        pbx.at(start).start(line, "", Some(IVAN), "s@from-trunk").channels.get_mut(line).unwrap().2 =
            "79161234567";
        if line == first {
            pbx.ended(first, 34, "");
        }
    }
    pbx.at(5).answer(second).enter("b1", &[second, IVAN]).at(15).hangup(&[second, IVAN]);
    let call = pbx.call();
    assert_eq!(talks(&call), [("101", None, true, 10)]);
    assert_eq!((call.trunk.as_deref(), call.outcome), (Some("mts"), Outcome::Talked));
}

#[test]
fn an_employees_mobile_is_no_client() {
    let mut settings = Settings::default();
    settings.numbers.mobiles.insert("+79161234567".to_owned(), "105".to_owned());
    let context = Context::from_settings(&settings).unwrap();
    let mut pbx = answered_by_ivan();
    pbx.at(13).hangup(&[IVAN, CLIENT]);
    let call = fold(&pbx.rows(), &context).unwrap();
    assert_eq!((call.direction, call.client), (Direction::Internal, None));
}

#[test]
fn a_recording_that_began_after_the_talk_is_empty() {
    let mut pbx = transferred_blindly("102");
    pbx.app(CLIENT, "MixMonitor", "external-102.wav,abi", "s@sub-record-check")
        .ring(ANNA)
        .at(30)
        .hangup(&[CLIENT, ANNA]);
    pbx.rows.insert(1, {
        let mut first = pbx.rows[0].clone();
        (first.eventtype, first.appname) = ("APP_START".to_owned(), "MixMonitor".to_owned());
        first.appdata = "external-101.wav,abi".to_owned();
        first
    });
    let states: Vec<_> = pbx.call().recordings.iter().map(|recording| recording.state).collect();
    assert_eq!(states, [RecordingState::Missing, RecordingState::Empty]);
}

#[test]
fn a_menu_that_gave_up_waiting_is_still_where_the_call_was_missed() {
    let mut pbx = Pbx::default();
    pbx.client().answer(CLIENT).app(CLIENT, "BackGround", "menu", "s@ivr-1").at(30);
    pbx.told("HANGUP", CLIENT, &[("hangupsource", "dialplan/builtin")]).plain("CHAN_END", CLIENT, "");
    assert_eq!(pbx.call().missed_at, Some(MissedAt::Ivr));
}

#[test]
fn a_phone_rung_after_the_queue_is_where_the_call_was_missed() {
    let mut pbx = Pbx::default();
    pbx.client()
        .answer(CLIENT)
        .app(CLIENT, "Queue", "500,t", "500@ext-queues")
        .ring(ANNA)
        .at(20)
        .hangup(&[ANNA]);
    pbx.plain("APP_END", CLIENT, "500@ext-queues").rows.last_mut().unwrap().appname = "Queue".to_owned();
    pbx.ring(IVAN).at(30).hangup(&[IVAN, CLIENT]);
    assert_eq!(pbx.call().missed_at, Some(MissedAt::Ringing));
}

/// Ten minutes of talk from 01:55 of Berlin's winter time, when the clocks jump from 02:00 to 03:00, or from 02:55 of
/// its summer time, when they go back from 03:00 to 02:00.
#[test]
fn a_call_while_the_clocks_change_has_its_true_length() {
    let nights = [
        (1_774_745_700, ["2026-03-29 01:55:00", "2026-03-29 01:55:05", "2026-03-29 03:05:05"]),
        (1_792_889_700, ["2026-10-25 02:55:00", "2026-10-25 02:55:05", "2026-10-25 02:05:05"]),
    ];
    for (epoch, [start, answer, end]) in nights {
        let mut pbx = answered_by_ivan();
        pbx.at(13).exit("b1", &[IVAN, CLIENT]).hangup(&[IVAN, CLIENT]);
        let mut rows = pbx.rows();
        for row in &mut rows.cel {
            row.eventtime = match row.eventtype.as_str() {
                "CHAN_START" => start,
                "ANSWER" | "BRIDGE_ENTER" => answer,
                _ => end,
            }
            .to_owned();
            row.uniqueid = row.uniqueid.replace(&NOON.to_string(), &epoch.to_string());
            row.linkedid = row.linkedid.replace(&NOON.to_string(), &epoch.to_string());
        }
        rows.cdr.push(CdrRow {
            calldate: start.to_owned(),
            channel: CLIENT.to_owned(),
            dstchannel: IVAN.to_owned(),
            uniqueid: rows.cel[0].uniqueid.clone(),
            linkedid: rows.cel[0].linkedid.clone(),
            duration: 605,
            billsec: 600,
            disposition: "ANSWERED".to_owned(),
            ..CdrRow::default()
        });
        for zone in [None, Some(chrono_tz::Europe::Berlin), Some(chrono_tz::Europe::Moscow)] {
            let mut settings = Settings::default();
            settings.pbx.timezone = zone;
            let call = fold(&rows, &Context::from_settings(&settings).unwrap()).unwrap();
            assert_eq!(
                (call.talk_seconds, call.ended_at.timestamp()),
                (600, epoch + 605),
                "{start} {zone:?}"
            );
        }
        let alone = only(CallRows { cel: Vec::new(), ..rows }).unwrap();
        assert_eq!((alone.talk_seconds, alone.ended_at.timestamp()), (600, epoch + 605));
    }
}
