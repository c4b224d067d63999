//! The same on SQLite and MariaDB.

use perezvon::settings::Secret;

use crate::harness::stores;

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
