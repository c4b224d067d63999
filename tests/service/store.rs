//! The same on SQLite and MariaDB.

use std::{sync::atomic::Ordering, time::Duration};

use perezvon::{
    edge::store::{CallFilter, Holder, Put, Store},
    logic::call::{Call, Outcome},
    settings::{Secret, StoreUrl},
};

use crate::{
    delivery_lab::{call, just_now, number, rows},
    harness::stores,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_kept_in_place_of_the_one_before() {
    for fresh in stores().await {
        let store = &fresh.store;
        assert_eq!(store.secret("amocrm").await.unwrap(), None, "{}", fresh.engine);
        store.keep_secret("amocrm", &Secret::new("first")).await.unwrap();
        store.keep_secret("amocrm", &Secret::new("второй")).await.unwrap();
        assert_eq!(store.secret("amocrm").await.unwrap(), Some(Secret::new("второй")), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_changes_nothing() {
    for fresh in stores().await {
        fresh.store.migrate().await.unwrap();
        fresh.store.keep_cursor("cel", "17").await.unwrap();
        fresh.store.migrate().await.unwrap();
        assert_eq!(fresh.store.cursor("cel").await.unwrap().as_deref(), Some("17"), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_turn_out_to_be_one_are_merged_under_the_first_id() {
    for fresh in stores().await {
        let store = &fresh.store;
        let first = call(7, &number(1), Outcome::Talked, just_now());
        let second = call(3, &number(1), Outcome::Missed, just_now());
        assert_eq!(store.put_call(&first, &rows(&first)).await.unwrap(), Put::New, "{}", fresh.engine);
        assert_eq!(store.put_call(&second, &rows(&second)).await.unwrap(), Put::New);
        let mut merged = Call { id: second.id.clone(), ..first.clone() };
        merged.linkedids = vec![second.id.clone(), first.id.clone()];
        assert_eq!(store.put_call(&merged, &rows(&merged)).await.unwrap(), Put::Changed, "{}", fresh.engine);
        assert_eq!(store.put_call(&merged, &rows(&merged)).await.unwrap(), Put::Same);
        let all = store.calls(&CallFilter::default()).await.unwrap();
        assert_eq!(all.len(), 1, "{}: the one that was never sent is gone", fresh.engine);
        for id in [&first.id, &second.id] {
            assert_eq!(store.call(id).await.unwrap().unwrap().id, all[0].id, "{}", fresh.engine);
        }
        let known = store.with_known_rows(rows(&first)).await.unwrap();
        assert_eq!(known.cdr.len(), 2, "a late row finds the others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_calls_follow_each_other() {
    for fresh in stores().await {
        for serial in 0..5 {
            let one = call(serial, &number(serial), Outcome::Talked, just_now());
            fresh.store.put_call(&one, &rows(&one)).await.unwrap();
        }
        let mut filter = CallFilter { limit: Some(2), ..CallFilter::default() };
        let mut seen = Vec::new();
        loop {
            let page = fresh.store.calls(&filter).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.before = Some(last.id.clone());
            seen.extend(page.into_iter().map(|call| call.id));
        }
        seen.dedup();
        assert_eq!(seen.len(), 5, "{}", fresh.engine);
        let digits = CallFilter { phone: Some("1234003".to_owned()), ..CallFilter::default() };
        assert_eq!(fresh.store.calls(&digits).await.unwrap().len(), 1, "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder() {
    for fresh in stores().await {
        let (store, long) = (&fresh.store, std::time::Duration::from_secs(30));
        let us = Holder::this_process();
        assert!(store.take_lease("delivery", &us, long).await.unwrap(), "{}", fresh.engine);
        assert!(store.take_lease("delivery", &us, long).await.unwrap(), "renewed");
        let other = Holder::named("elsewhere/1/1");
        assert!(!store.take_lease("delivery", &other, long).await.unwrap(), "{}", fresh.engine);
        store.drop_lease("delivery", &us).await.unwrap();
        assert!(store.take_lease("delivery", &other, long).await.unwrap(), "{}", fresh.engine);
        assert!(!store.take_lease("delivery", &us, long).await.unwrap(), "{}", fresh.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_fought_over_is_taken_by_one_and_never_an_error() {
    for fresh in stores().await {
        let holding = std::sync::atomic::AtomicUsize::new(0);
        let fight = (0..6).map(|number| {
            let (store, holding) = (fresh.store.clone(), &holding);
            async move {
                let me = Holder::named(format!("node {number}"));
                let mut taken = 0;
                while taken < 10 {
                    if !store.take_lease("delivery", &me, Duration::from_secs(90)).await.unwrap() {
                        continue;
                    }
                    taken += 1;
                    assert_eq!(holding.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    tokio::task::yield_now().await;
                    holding.fetch_sub(1, Ordering::SeqCst);
                    store.drop_lease("delivery", &me).await.unwrap();
                }
            }
        });
        futures::future::join_all(fight).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_looks_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("perezvon.db"));
    let store = Store::open_to_look(&url).await.unwrap();
    assert!(store.call("1.1").await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
