//! From a finished call to what stands in the CRM.

use chrono::TimeDelta;
use perezvon::{
    edge::store::{ActionState, CallState},
    logic::call::Outcome,
    sandbox::amocrm::Kind,
};

use crate::{
    delivery_lab::{Lab, call, just_now, number},
    harness::stores,
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
        let ended = just_now();
        for serial in 0..4 {
            let one = call(serial, &number(7), Outcome::Missed, ended);
            lab.put(&one).await;
        }
        let old = call(9, &number(7), Outcome::Talked, ended - TimeDelta::days(1));
        lab.put(&old).await;
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
