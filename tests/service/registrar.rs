//! From a finished call to what stands in the CRM.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use perezvon::{
    edge::store::{ActionState, CallFilter, CallState, Put},
    logic::{
        call::{Call, Direction, Outcome},
        retry::Waits,
    },
    sandbox::amocrm::{Edit, Fault, Kind, Rule, Toggles, When},
};

use crate::{
    delivery_lab::{Lab, call, just_now, number, rows, sandbox, settings_for},
    harness::{sqlite_store, stores},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_caller_gets_contact_lead_and_call() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        let talked = call(1, &number(1), Outcome::Talked, just_now());
        lab.put(&talked).await;
        lab.all(CallState::Registered, 1).await;
        let (contacts, leads, calls) = (lab.sandbox.contacts(), lab.sandbox.leads(), lab.sandbox.calls());
        assert_eq!((contacts.len(), leads.len(), calls.len()), (1, 1, 1), "{}", fresh.engine);
        assert_eq!(contacts[0].phones, [number(1)]);
        assert_eq!(leads[0].contacts, [contacts[0].id]);
        let user = lab.sandbox.users()[1].id;
        assert_eq!((contacts[0].responsible_user_id, leads[0].responsible_user_id), (user, user));
        let note = &calls[0];
        assert_eq!((note.kind, note.entity_id), (Kind::Lead, leads[0].id));
        assert_eq!((note.inbound, note.duration, note.call_status), (true, 50, Some(4)));
        assert_eq!(note.call_responsible, user.to_string());
        assert!(note.uniq.contains(&talked.id));
        assert_eq!(note.created_at, talked.started_at.timestamp());
        assert!(lab.sandbox.tasks().is_empty());
        let stored = lab.stored(&talked.id).await;
        assert!(stored.plan.is_some_and(|plan| plan.actions.len() == 3));
        let actions = lab.store.actions_of(&talked.id).await.unwrap();
        assert!(actions.iter().all(|action| action.state == ActionState::Done));
        let requests = lab.store.requests_of(&talked.id).await.unwrap();
        let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
        assert_eq!(paths, ["/api/v4/leads/complex", "/api/v4/leads/notes"]);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_call_makes_a_task_for_the_owner() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        let missed = call(1, &number(1), Outcome::Missed, just_now());
        lab.put(&missed).await;
        lab.all(CallState::Registered, 1).await;
        let (leads, tasks) = (lab.sandbox.leads(), lab.sandbox.tasks());
        assert_eq!((leads.len(), tasks.len()), (1, 1), "{}", fresh.engine);
        assert_eq!(tasks[0].entity, Some((Kind::Lead, leads[0].id)));
        assert!(tasks[0].text.contains(&number(1)));
        assert_eq!(tasks[0].complete_till, (missed.ended_at + TimeDelta::hours(1)).timestamp());
        assert_eq!(tasks[0].responsible_user_id, lab.sandbox.users()[1].id);
        assert_eq!(lab.sandbox.calls()[0].call_status, Some(6));
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_of_one_number_at_once_make_one_contact_and_one_lead() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        // Long enough for both lanes to find nobody in the CRM.
        let slow = Fault::Delay(Duration::from_millis(300));
        lab.sandbox.faults().set(Rule::new("/api/v4/*", slow, When::Always));
        let ended = just_now();
        let old = call(9, &number(7), Outcome::Talked, ended - TimeDelta::days(1));
        lab.store.put_call(&old, &rows(&old)).await.unwrap();
        for serial in 0..4 {
            let one = call(serial, &number(7), Outcome::Missed, ended);
            lab.put(&one).await;
        }
        lab.all(CallState::Registered, 5).await;
        assert_eq!(lab.sandbox.contacts().len(), 1, "{}", fresh.engine);
        assert_eq!(lab.sandbox.leads().len(), 1, "{}", fresh.engine);
        assert_eq!(lab.sandbox.calls().len(), 5, "{}", fresh.engine);
        assert_eq!(lab.sandbox.tasks().len(), 4, "{}", fresh.engine);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_made_by_hand_a_moment_ago_is_not_doubled() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        let owner = lab.sandbox.users()[2].id;
        let id = lab.sandbox.add_contact(Kind::Contact, "Иван", &["8 (916) 123-40-01"], owner);
        lab.put(&call(1, &number(1), Outcome::Missed, just_now())).await;
        lab.all(CallState::Registered, 1).await;
        assert_eq!(lab.sandbox.contacts().len(), 1, "{}", fresh.engine);
        let leads = lab.sandbox.leads();
        assert_eq!((leads.len(), &leads[0].contacts), (1, &vec![id]));
        assert_eq!(lab.sandbox.tasks()[0].responsible_user_id, owner);
        lab.put(&call(2, &number(1), Outcome::Talked, just_now())).await;
        lab.all(CallState::Registered, 2).await;
        assert_eq!(lab.sandbox.leads().len(), 1, "the open lead is used again");
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_never_sent_are_skipped_with_the_reason() {
    let fresh = sqlite_store().await;
    let lab = Lab::start(&fresh.store).await;
    let hidden = Call { client: None, ..call(1, &number(1), Outcome::Missed, just_now()) };
    let internal =
        Call { direction: Direction::Internal, ..call(2, &number(2), Outcome::Talked, just_now()) };
    for one in [&hidden, &internal] {
        lab.put(one).await;
    }
    lab.all(CallState::Skipped, 2).await;
    assert!(lab.stored(&hidden.id).await.reason.contains("hidden"));
    assert!(lab.sandbox.contacts().is_empty());
    assert!(lab.sandbox.calls().is_empty());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_again_is_not_sent_again() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        let talked = call(1, &number(1), Outcome::Talked, just_now());
        assert_eq!(lab.put(&talked).await, Put::New);
        lab.all(CallState::Registered, 1).await;
        assert_eq!(lab.put(&talked).await, Put::Same, "{}", fresh.engine);
        assert!(lab.store.retry_call(&talked.id).await.unwrap());
        lab.all(CallState::Registered, 1).await;
        assert_eq!((lab.sandbox.calls().len(), lab.sandbox.leads().len()), (1, 1), "{}", fresh.engine);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_rows_change_the_note_where_the_crm_allows_it_and_never_double_it() {
    for (editable, expected) in [(true, 55), (false, 50)] {
        let fresh = sqlite_store().await;
        let lab = Lab::start(&fresh.store).await;
        lab.sandbox.faults().set_toggles(Toggles { editable_call_notes: editable, ..Toggles::default() });
        let talked = call(1, &number(1), Outcome::Talked, just_now());
        lab.put(&talked).await;
        lab.all(CallState::Registered, 1).await;
        let longer = Call { talk_seconds: 55, ..talked.clone() };
        assert_eq!(lab.put(&longer).await, Put::Changed);
        lab.until("it is registered again", || async {
            let stored = lab.stored(&talked.id).await;
            stored.state == CallState::Registered && stored.call.talk_seconds == 55
        })
        .await;
        let calls = lab.sandbox.calls();
        assert_eq!((calls.len(), calls[0].duration), (1, expected));
        let reason = lab.stored(&talked.id).await.reason;
        assert_eq!(reason.contains("did not take"), !editable, "{reason}");
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_crm_answers_in_the_middle_each_call_stands_once() {
    let faults = [
        Fault::TooManyRequests,
        Fault::TooManyRequestsHtml,
        Fault::Unpaid,
        Fault::ServerError,
        Fault::BadGateway,
        Fault::GatewayTimeout,
        Fault::GatewayTimeoutAfterCommit,
        Fault::Html,
        Fault::Unauthorized,
        Fault::Dropped,
        Fault::LostReply,
    ];
    let run = |fault: Fault| async move {
        let fresh = sqlite_store().await;
        let lab = Lab::start(&fresh.store).await;
        lab.sandbox.faults().set(Rule::new("/api/v4/*", fault, When::Next(3)).only("POST"));
        lab.sandbox.faults().set(Rule::new("/api/v4/*", fault, When::Next(1)).only("GET"));
        for serial in 0..6 {
            let outcome = if serial % 2 == 0 { Outcome::Missed } else { Outcome::Talked };
            lab.put(&call(serial, &number(serial / 2), outcome, just_now())).await;
        }
        let patience = Duration::from_secs(90);
        let what = format!("after {fault:?} all are registered");
        lab.within(patience, &what, || async { lab.count(CallState::Registered).await == 6 }).await;
        let counts = [
            lab.sandbox.contacts().len(),
            lab.sandbox.leads().len(),
            lab.sandbox.calls().len(),
            lab.sandbox.tasks().len(),
        ];
        assert_eq!(counts, [3, 3, 6, 3], "{fault:?}");
        lab.stop().await;
    };
    let tasks: Vec<_> = faults.into_iter().map(|fault| tokio::spawn(run(fault))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_like_another_calls_task_is_not_taken_for_it() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        let ended = just_now();
        lab.put(&call(1, &number(1), Outcome::Missed, ended)).await;
        lab.all(CallState::Registered, 1).await;
        lab.sandbox.faults().set(Rule::new("/api/v4/tasks", Fault::Dropped, When::Next(1)).only("POST"));
        lab.put(&call(2, &number(1), Outcome::Missed, ended)).await;
        lab.all(CallState::Registered, 2).await;
        let tasks = lab.sandbox.tasks();
        assert_eq!(tasks.len(), 2, "{}", fresh.engine);
        assert_eq!((&tasks[0].text, tasks[0].complete_till), (&tasks[1].text, tasks[1].complete_till));
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_whose_answer_was_lost_is_found_though_somebody_closed_it() {
    for fresh in stores().await {
        let lab = Lab::start(&fresh.store).await;
        let lost = Rule::new("/api/v4/leads/complex", Fault::LostReply, When::Next(1)).only("POST");
        lab.sandbox.faults().set(lost);
        let missed = call(1, &number(1), Outcome::Missed, just_now());
        lab.put(&missed).await;
        lab.until("the lead is made", || async { lab.sandbox.leads().len() == 1 }).await;
        let lead = lab.sandbox.leads()[0].id;
        let closed = Edit { status_id: Some(143), ..Edit::default() };
        assert!(lab.sandbox.edit(Kind::Lead, lead, closed));
        lab.all(CallState::Registered, 1).await;
        assert_eq!((lab.sandbox.contacts().len(), lab.sandbox.leads().len()), (1, 1), "{}", fresh.engine);
        assert_eq!(lab.sandbox.calls()[0].entity_id, lead);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_request_may_still_run_other_calls_of_the_number_make_nothing() {
    for fresh in stores().await {
        let sandbox = sandbox().await;
        let settings = settings_for(&sandbox);
        let waits = Waits { settle: Duration::from_secs(6), first: Duration::from_secs(1) };
        let slow = Fault::Delay(Duration::from_secs(3));
        sandbox.faults().set(Rule::new("/api/v4/leads/complex", slow, When::Next(1)).only("POST"));
        let lab = Lab::with_waits(&fresh.store, sandbox, settings.clone(), waits).await;
        let (first, second) = (
            call(1, &number(1), Outcome::Missed, just_now()),
            call(2, &number(1), Outcome::Missed, just_now()),
        );
        lab.put(&first).await;
        lab.until("the request runs", || async { lab.sandbox.faults().rules()[0].struck == 1 }).await;
        let lab = Lab::with_waits(&fresh.store, lab.kill(), settings, waits).await;
        let lost = || async { lab.stored(&first.id).await.reason.contains("was lost") };
        lab.until("the first call waits for what became of it", lost).await;
        lab.put(&second).await;
        lab.all(CallState::Registered, 2).await;
        let cards = (lab.sandbox.contacts().len(), lab.sandbox.leads().len());
        assert_eq!(cards, (1, 1), "{}", fresh.engine);
        assert_eq!((lab.sandbox.calls().len(), lab.sandbox.tasks().len()), (2, 2), "{}", fresh.engine);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_crm_blocks_us_all_calls_wait_with_the_reason_and_one_probes() {
    let fresh = sqlite_store().await;
    let lab = Lab::start(&fresh.store).await;
    lab.sandbox.faults().set(Rule::new("*", Fault::Blocked, When::Always));
    lab.sandbox.forget_requests();
    for serial in 0..20 {
        lab.put(&call(serial, &number(serial), Outcome::Talked, just_now())).await;
    }
    lab.until("all wait with the reason", || async {
        let calls = lab.store.calls(&CallFilter::default()).await.unwrap();
        calls.iter().all(|call| call.state == CallState::Waiting && call.reason.contains("blocks"))
    })
    .await;
    assert!(lab.sandbox.request_count() < 5, "{} requests", lab.sandbox.request_count());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_call_fails_alone_and_can_be_retried() {
    let fresh = sqlite_store().await;
    let sandbox = sandbox().await;
    let mut settings = settings_for(&sandbox);
    settings.base.status = Some(999_999);
    settings.base.pipeline = Some(999_999);
    let owner = sandbox.users()[0].id;
    let client = sandbox.add_contact(Kind::Contact, "Иван", &[&number(1)], owner);
    let status = sandbox.pipelines().values().next().unwrap().1[1];
    sandbox.add_lead("Заказ", status, &[(Kind::Contact, client)], owner);
    let lab = Lab::with(&fresh.store, sandbox, settings).await;
    let known = call(1, &number(1), Outcome::Talked, just_now());
    let unknown = call(2, &number(2), Outcome::Talked, just_now());
    lab.put(&unknown).await;
    lab.put(&known).await;
    lab.all(CallState::Failed, 1).await;
    lab.all(CallState::Registered, 1).await;
    let failed = lab.stored(&unknown.id).await;
    assert_eq!(failed.state, CallState::Failed);
    assert!(
        failed.reason.contains("pipeline_id") || failed.reason.contains("status_id"),
        "{}",
        failed.reason
    );
    assert!(lab.sandbox.contacts().len() == 1, "nothing was made for the refused one");
    assert!(lab.store.retry_call(&unknown.id).await.unwrap());
    lab.all(CallState::Failed, 1).await;
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_user_is_left_out() {
    let fresh = sqlite_store().await;
    let lab = Lab::start(&fresh.store).await;
    // Dismissed after the users were read.
    lab.sandbox.set_user_active(lab.sandbox.users()[1].id, false);
    for serial in 0..3 {
        lab.put(&call(serial, &number(serial), Outcome::Missed, just_now())).await;
    }
    lab.all(CallState::Registered, 3).await;
    assert_eq!((lab.sandbox.contacts().len(), lab.sandbox.tasks().len()), (3, 3));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_old_calls_cost_a_hundred_requests_and_a_live_one_overtakes_them() {
    let fresh = sqlite_store().await;
    let sandbox = sandbox().await;
    let mut settings = settings_for(&sandbox);
    settings.amocrm.requests_per_second = 6.0;
    let owner = sandbox.users()[0].id;
    for serial in 0..100 {
        sandbox.add_contact(Kind::Contact, "Иван", &[&number(serial)], owner);
    }
    let lab = Lab::with(&fresh.store, sandbox, settings).await;
    lab.sandbox.forget_requests();
    let long_ago = just_now() - TimeDelta::days(1);
    let mut ids = Vec::new();
    for serial in 0..1000 {
        let outcome = if serial % 3 == 0 { Outcome::Missed } else { Outcome::Talked };
        let one =
            call(serial, &number(serial % 700), outcome, long_ago + TimeDelta::seconds(i64::from(serial)));
        lab.store.put_call(&one, &rows(&one)).await.unwrap();
        ids.push(one.id);
    }
    let live = call(5000, &number(5000), Outcome::Talked, just_now());
    lab.put(&live).await;
    let began = Instant::now();
    lab.until("the live call stands", || async { lab.stored(&live.id).await.state == CallState::Registered })
        .await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let patience = Duration::from_secs(120);
    lab.within(patience, "all stand", || async { lab.count(CallState::Registered).await == 1001 }).await;
    let requests = lab.sandbox.request_count();
    assert!(requests <= 100, "{requests} requests");
    println!("1001 calls in {:?} and {requests} requests", began.elapsed());
    assert_eq!((lab.sandbox.contacts().len(), lab.sandbox.leads().len()), (701, 701));
    assert_eq!((lab.sandbox.calls().len(), lab.sandbox.tasks().len()), (1001, 334));
    lab.stop().await;
}
