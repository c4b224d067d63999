//! A call and what the CRM knows → what is asked of the CRM.

use std::collections::BTreeSet;

use chrono::DateTime;
use perezvon::{
    logic::{
        call::{Call, Conversation, Detail, Direction, MissedAt, Outcome},
        crm::payload::CallStatus,
        directory::{EntityKind, Known, OpenLead},
        phone::Phones,
        rules::plan::{Action, CallNote, Company, Facts, Place, Plan, plan},
    },
    settings::{Employee, Language, Settings, Trunk},
};

const PHONE: &str = "+79161234567";

fn settings() -> Settings {
    let mut settings = Settings::default();
    for (extension, user, name) in [("101", 11, "Анна"), ("102", 12, ""), ("103", 13, "Вера")] {
        settings.employees.insert(extension.to_owned(), Employee::new(user, name));
    }
    settings
}

fn talk(party: &str, requested: i64, seconds: u32) -> Conversation {
    let at = |second: i64| DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
    Conversation {
        party: party.to_owned(),
        via: None,
        requested_at: at(requested),
        accepted_at: (seconds > 0).then(|| at(requested + 5)),
        ended_at: at(requested + 5 + i64::from(seconds)),
        talk_seconds: seconds,
    }
}

fn call(direction: Direction, outcome: Outcome, conversations: Vec<Conversation>) -> Call {
    let at = |second: i64| DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
    Call {
        id: "1700000000.1".to_owned(),
        linkedids: vec!["1700000000.1".to_owned()],
        direction,
        client: Some(PHONE.to_owned()),
        did: Some("74951234567".to_owned()),
        trunk: Some("trunk".to_owned()),
        started_at: at(0),
        answered_at: None,
        ended_at: at(100),
        outcome,
        missed_at: (outcome == Outcome::Missed).then_some(MissedAt::Ringing),
        lost_after: None,
        talk_seconds: conversations.iter().map(|one| one.talk_seconds).sum(),
        conversations,
        recordings: Vec::new(),
        menus: Vec::new(),
        cut: false,
        detail: Detail::Full,
    }
}

fn talked() -> Call {
    call(Direction::Inbound, Outcome::Talked, vec![talk("101", 1, 35)])
}

fn missed() -> Call {
    call(Direction::Inbound, Outcome::Missed, vec![talk("101", 1, 0), talk("102", 1, 0)])
}

fn lead(id: u64, responsible: u64) -> OpenLead {
    OpenLead { id, pipeline: 1, status: 2, responsible, created_at: 0, updated_at: 0 }
}

fn known(leads: Vec<OpenLead>) -> Known {
    Known {
        kind: EntityKind::Contact,
        id: 77,
        name: "Иван".to_owned(),
        responsible: 13,
        created_at: 0,
        updated_at: 0,
        phones: vec![PHONE.to_owned()],
        leads,
    }
}

fn planned_for(call: &Call, client: Option<&Known>, settings: &Settings, active: Option<&[u64]>) -> Plan {
    let phones = Phones::new(&settings.numbers).unwrap();
    let active: Option<BTreeSet<u64>> = active.map(|users| users.iter().copied().collect());
    let zone = chrono_tz::Europe::Moscow;
    let company =
        Company { settings, phones: &phones, active_users: active.as_ref(), language: Language::En, zone };
    plan(&Facts { call, key: &call.id, client, link: None }, &company)
}

fn kinds(plan: &Plan) -> Vec<&'static str> {
    plan.actions.iter().map(|planned| planned.action.kind()).collect()
}

fn note(plan: &Plan) -> (Place, CallNote) {
    match &plan.action("call").expect("the call is written").action {
        Action::WriteCall { place, note } => (*place, note.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_caller_becomes_contact_lead_and_call() {
    let plan = planned_for(&talked(), None, &settings(), None);
    assert_eq!(kinds(&plan), ["contact", "lead", "call"]);
    let Action::CreateContact { name, phone, responsible, created_at } = &plan.actions[0].action else {
        panic!("{plan:?}")
    };
    assert_eq!((name.as_str(), phone.as_str(), *responsible), (PHONE, PHONE, Some(11)));
    assert_eq!(*created_at, 1_700_000_000);
    let Action::CreateLead { client, .. } = &plan.actions[1].action else { panic!("{plan:?}") };
    assert_eq!(*client, Place::NewContact);
    assert_eq!(note(&plan).0, Place::NewLead);
    assert!(plan.actions.iter().all(|planned| !planned.reason.is_empty()));
}

#[test]
fn names_and_texts_are_templates() {
    let mut settings = settings();
    settings.trunks.insert("+7 495 123-45-67".to_owned(), Trunk { name: "Сайт".to_owned() });
    settings.base.contact_name = "{{ client.name or client.phone_national }}".to_owned();
    settings.base.lead_name = "{{ trunk.name }}: {{ employee.name }}".to_owned();
    settings.tasks.text = "Перезвонить {phone}".to_owned();
    let plan = planned_for(&talked(), None, &settings, None);
    let Action::CreateContact { name, phone, .. } = &plan.actions[0].action else { panic!("{plan:?}") };
    assert_eq!((name.as_str(), phone.as_str()), ("8 (916) 123-45-67", PHONE));
    let Action::CreateLead { name, .. } = &plan.actions[1].action else { panic!("{plan:?}") };
    assert_eq!(name, "Сайт: Анна");
    let plan = planned_for(&missed(), None, &settings, None);
    let Action::MakeTask { text, .. } = &plan.action("task").unwrap().action else { panic!("{plan:?}") };
    assert_eq!(text, &format!("Перезвонить {PHONE}"), "the old spelling");
}

#[test]
fn a_template_that_fails_leaves_out_its_field_and_says_so() {
    let mut settings = settings();
    settings.base.lead_name = "Звонок\n{{ phone + 1 }}".to_owned();
    settings.base.contact_name = "{{ client.name }}".to_owned();
    let plan = planned_for(&talked(), None, &settings, None);
    assert_eq!(kinds(&plan), ["contact", "lead", "call"], "the call goes on");
    let Action::CreateLead { name, .. } = &plan.actions[1].action else { panic!("{plan:?}") };
    assert_eq!(name, PHONE);
    let Action::CreateContact { name, .. } = &plan.actions[0].action else { panic!("{plan:?}") };
    assert_eq!(name, PHONE, "a name that says nothing of this client");
    assert_eq!(plan.remarks.len(), 1, "{:?}", plan.remarks);
    assert!(plan.remarks[0].starts_with("base.lead_name: line 2, letter 4: "), "{:?}", plan.remarks);
}

#[test]
fn a_known_client_with_one_open_lead_gets_the_call_there() {
    let plan = planned_for(&talked(), Some(&known(vec![lead(5, 12)])), &settings(), None);
    assert_eq!(kinds(&plan), ["call"]);
    assert_eq!(note(&plan).0, Place::Lead(5));
}

#[test]
fn a_known_client_without_an_open_lead_gets_one() {
    let plan = planned_for(&talked(), Some(&known(vec![])), &settings(), None);
    assert_eq!(kinds(&plan), ["lead", "call"]);
    let Action::CreateLead { client, responsible, .. } = &plan.actions[0].action else { panic!("{plan:?}") };
    assert_eq!((*client, *responsible), (Place::Contact(77), Some(13)), "the contact's owner gets the lead");
}

#[test]
fn several_open_leads_leave_the_call_on_the_contact() {
    let plan = planned_for(&missed(), Some(&known(vec![lead(6, 1), lead(5, 1)])), &settings(), None);
    assert_eq!(kinds(&plan), ["call", "task"]);
    assert_eq!(note(&plan).0, Place::Contact(77));
    assert_eq!(plan.remarks.len(), 2);
}

#[test]
fn a_companys_number_is_the_companys_call() {
    let mut settings = settings();
    settings.base.create_lead.inbound = false;
    let company = Known { kind: EntityKind::Company, ..known(vec![]) };
    let plan = planned_for(&talked(), Some(&company), &settings, None);
    assert_eq!(kinds(&plan), ["call"]);
    assert_eq!(note(&plan).0, Place::Company(77));
}

#[test]
fn each_direction_has_its_own_switches() {
    let mut settings = settings();
    settings.base.create_contact.outbound = false;
    let outbound = call(Direction::Outbound, Outcome::NoAnswer, vec![talk("101", 1, 0)]);
    let skipped = planned_for(&outbound, None, &settings, None);
    assert!(skipped.skip.unwrap().contains("create_contact"));
    assert_eq!(kinds(&planned_for(&talked(), None, &settings, None)), ["contact", "lead", "call"]);
    settings.base.create_lead.inbound = false;
    let plan = planned_for(&talked(), None, &settings, None);
    assert_eq!((kinds(&plan), note(&plan).0), (vec!["contact", "call"], Place::NewContact));
}

#[test]
fn internal_hidden_and_never_dialled_calls_are_not_sent() {
    let settings = settings();
    let internal = call(Direction::Internal, Outcome::Talked, vec![talk("102", 1, 5)]);
    let hidden = Call { client: None, ..talked() };
    let clicked = call(Direction::Outbound, Outcome::NotDialed, vec![]);
    for (call, word) in [(internal, "internal"), (hidden, "hidden"), (clicked, "never dialled")] {
        let plan = planned_for(&call, None, &settings, None);
        assert!(plan.skip.as_ref().is_some_and(|why| why.contains(word)), "{word}: {plan:?}");
        assert_eq!(plan.actions, []);
    }
}

#[test]
fn an_employees_mobile_is_no_client() {
    let mut settings = settings();
    settings.numbers.mobiles.insert(PHONE.to_owned(), "103".to_owned());
    assert!(planned_for(&talked(), None, &settings, None).skip.unwrap().contains("103"));
}

#[test]
fn a_missed_call_makes_a_task_for_the_clients_owner() {
    let plan = planned_for(&missed(), Some(&known(vec![lead(5, 12)])), &settings(), None);
    assert_eq!(kinds(&plan), ["call", "task"]);
    let Action::MakeTask { place, text, task_type, responsible, complete_till } =
        &plan.action("task").unwrap().action
    else {
        panic!("{plan:?}")
    };
    assert_eq!((*place, *task_type, *responsible), (Place::Lead(5), 1, Some(12)));
    assert!(text.contains(PHONE));
    assert_eq!(*complete_till, 1_700_000_100 + 3600);
    let mut off = settings();
    off.tasks.missed = false;
    assert_eq!(kinds(&planned_for(&missed(), Some(&known(vec![lead(5, 12)])), &off, None)), ["call"]);
}

#[test]
fn who_talked_last_owns_the_call() {
    let transfer = call(Direction::Inbound, Outcome::Talked, vec![talk("101", 1, 35), talk("103", 40, 70)]);
    let (_, note) = note(&planned_for(&transfer, None, &settings(), None));
    assert_eq!((note.user, note.responsible), (Some(13), Some(13)));
    assert_eq!(note.result.as_deref(), Some("101 Анна 0:35 → 103 Вера 1:10"));
    assert_eq!((note.duration, note.status), (105, CallStatus::Talked));
}

#[test]
fn who_picked_up_last_owns_the_call_though_his_phone_rang_first() {
    let mut there_before = talk("102", 0, 6);
    there_before.accepted_at = there_before.accepted_at.map(|at| at + chrono::TimeDelta::seconds(20));
    there_before.ended_at += chrono::TimeDelta::seconds(20);
    let brought = call(Direction::Outbound, Outcome::Talked, vec![there_before, talk("101", 5, 4)]);
    let (_, note) = note(&planned_for(&brought, None, &settings(), None));
    assert_eq!((note.user, note.responsible), (Some(12), Some(12)));
}

#[test]
fn of_a_missed_call_the_last_asked_is_named() {
    let (_, note) = note(&planned_for(&missed(), None, &settings(), None));
    assert_eq!((note.user, note.duration, note.status), (Some(12), 0, CallStatus::NoAnswer));
    assert_eq!(note.result.as_deref(), Some("did not answer: 101 Анна, 102"));
}

#[test]
fn dismissed_users_own_nothing() {
    let mut settings = settings();
    settings.base.default_user = Some(1);
    let plan = planned_for(&missed(), Some(&known(vec![lead(5, 12)])), &settings, Some(&[1]));
    let Action::MakeTask { responsible, .. } = &plan.action("task").unwrap().action else { panic!() };
    assert_eq!(*responsible, Some(1));
    let (_, note) = note(&plan);
    assert_eq!((note.user, note.responsible), (None, Some(1)));
    assert_eq!(note.party.as_deref(), Some("102"));
    settings.base.default_user = Some(2);
    let plan = planned_for(&missed(), None, &settings, Some(&[1]));
    let Action::CreateContact { responsible, .. } = &plan.actions[0].action else { panic!() };
    assert_eq!(*responsible, None, "left to the CRM");
}

#[test]
fn an_employee_without_a_crm_user_is_shown_by_his_extension() {
    let mut settings = settings();
    settings.base.default_user = Some(1);
    let unmapped = call(Direction::Inbound, Outcome::Talked, vec![talk("101", 1, 5), talk("150", 9, 5)]);
    let plan = planned_for(&unmapped, None, &settings, None);
    let (_, note) = note(&plan);
    assert_eq!((note.user, note.party.as_deref()), (None, Some("150")));
    assert_eq!(note.responsible, Some(11), "the last who talked and has a user");
}

#[test]
fn a_forwarded_mobile_counts_as_its_employee() {
    let mut forwarded = talk("+79031112233", 1, 60);
    forwarded.via = Some("101".to_owned());
    let via = call(Direction::Inbound, Outcome::Talked, vec![forwarded.clone()]);
    assert_eq!(note(&planned_for(&via, None, &settings(), None)).1.user, Some(11));
    let mut settings = settings();
    settings.numbers.mobiles.insert("+79031112233".to_owned(), "103".to_owned());
    forwarded.via = None;
    let own = call(Direction::Inbound, Outcome::Talked, vec![forwarded]);
    assert_eq!(note(&planned_for(&own, None, &settings, None)).1.user, Some(13));
}

#[test]
fn outcomes_have_amocrms_words() {
    let status = |outcome, missed_at| {
        let told = Call { missed_at, ..call(Direction::Outbound, outcome, vec![talk("101", 1, 0)]) };
        note(&planned_for(&told, None, &settings(), None)).1.status
    };
    assert_eq!(status(Outcome::Busy, None), CallStatus::Busy);
    assert_eq!(status(Outcome::NoAnswer, None), CallStatus::NoAnswer);
    assert_eq!(status(Outcome::Missed, Some(MissedAt::Voicemail)), CallStatus::LeftMessage);
}

#[test]
fn a_plan_made_again_keeps_what_was_begun_and_takes_the_fresh_story() {
    let settings = settings();
    let first = planned_for(&talked(), None, &settings, None);
    let longer = call(Direction::Inbound, Outcome::Talked, vec![talk("101", 1, 35), talk("103", 40, 70)]);
    let now_known = known(vec![lead(5, 11)]);
    let fresh = planned_for(&longer, Some(&now_known), &settings, None);
    let begun = |kind: &str| kind != "task";
    let again = fresh.clone().over(Some(&first), begun);
    assert_eq!(kinds(&again), ["contact", "lead", "call"]);
    assert_eq!(note(&again).0, Place::NewLead, "the card stays");
    assert_eq!(note(&again).1.duration, 105, "the story is new");
    assert_eq!(fresh.clone().over(Some(&first), |_| false), fresh, "nothing was begun");
    let twice = fresh.over(Some(&again), begun);
    assert_eq!(twice, again, "made twice equals made once");
}

#[test]
fn a_contact_that_was_made_gets_its_lead_after_a_pause() {
    let settings = settings();
    let first = planned_for(&talked(), None, &settings, None);
    let fresh = planned_for(&talked(), Some(&known(vec![])), &settings, None);
    let again = fresh.over(Some(&first), |kind| kind == "contact");
    assert_eq!(kinds(&again), ["contact", "lead", "call"]);
    let Action::CreateLead { client, .. } = &again.actions[1].action else { panic!("{again:?}") };
    assert_eq!(*client, Place::Contact(77));
}

#[test]
fn a_task_is_due_in_the_working_time_of_its_responsible() {
    let due = |hours: &str, active: Option<&[u64]>| {
        let mut settings: Settings = toml::from_str(hours).unwrap();
        settings
            .employees
            .extend(self::settings().employees.into_iter().filter(|(extension, _)| extension != "103"));
        let plan = planned_for(&missed(), Some(&known(vec![])), &settings, active);
        let Action::MakeTask { complete_till, .. } = &plan.action("task").unwrap().action else {
            panic!("{plan:?}")
        };
        let at =
            DateTime::from_timestamp(*complete_till, 0).unwrap().with_timezone(&chrono_tz::Europe::Moscow);
        (at.format("%a %H:%M:%S").to_string(), plan.remarks.len())
    };
    // The call ends on Wednesday at 01:15:00 in Moscow.
    let office = "[hours]\nweek = { mon-fri = \"09:00-18:00\" }\n";
    let night =
        "[employees]\n103 = { user = 13, hours = { tue = \"20:00-02:00\", sun = \"12:00-14:00\" } }\n";
    assert_eq!(due("", None).0, "Wed 02:15:00", "always working");
    assert_eq!(due(office, None).0, "Wed 10:00:00");
    assert_eq!(due(&format!("{office}{night}"), None).0, "Sun 12:15:00", "half of it in the night");
    let (at, remarks) = due("[hours]\nholidays = [\"2000-01-01..2199-12-31\"]\n", None);
    assert_eq!((at.as_str(), remarks), ("Wed 02:15:00", due(office, None).1 + 1), "never, and said");
}
