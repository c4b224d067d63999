//! The CRM account: the token, its rights, and whether the ids in the settings exist there.

use std::{collections::BTreeMap, sync::Arc};

use super::Notes;
use crate::{
    edge::{
        amocrm::{Amocrm, Failure},
        status::Board,
        store::Store,
    },
    logic::crm::read::{Pipeline, User},
    settings::Settings,
};

/// Asks who we are, then compares.
pub(super) async fn account(settings: &Settings, store: Option<Store>, notes: &mut Notes<'_>) {
    if settings.amocrm.base_url.is_empty() {
        return notes.off("amocrm", "check.amocrm_off", &[]);
    }
    let Some(store) = store_for(settings, store) else {
        return notes.fault("amocrm", "check.amocrm_store", &[]);
    };
    let amocrm = match Amocrm::new(&settings.amocrm, store, Arc::new(Board::default())) {
        Ok(amocrm) => amocrm,
        Err(failure) => return notes.fault("amocrm", "check.amocrm_bad", &[("error", &failure.to_string())]),
    };
    match amocrm.account().await {
        Ok(account) => {
            let values = [("name", account.name.as_str()), ("id", &account.id.to_string())];
            notes.ok("amocrm", "check.amocrm", &values);
        }
        Err(failure) => return notes.fault("amocrm", "check.amocrm_bad", &[("error", &failure.to_string())]),
    }
    match amocrm.users().await {
        Ok(users) => compare_users(settings, &users, notes),
        Err(Failure::Forbidden(why)) => notes.fault("amocrm", "check.amocrm_rights", &[("why", &why)]),
        Err(failure) => notes.fault("amocrm", "check.amocrm_bad", &[("error", &failure.to_string())]),
    }
    match amocrm.pipelines().await {
        Ok(pipelines) => compare_pipeline(settings, &pipelines, notes),
        Err(failure) => notes.fault("amocrm", "check.amocrm_bad", &[("error", &failure.to_string())]),
    }
}

/// The store, or, where a long-lived token needs none, one in memory: OAuth tokens live in the store.
fn store_for(settings: &Settings, store: Option<Store>) -> Option<Store> {
    let in_memory = || Store::connect(&crate::settings::StoreUrl::Sqlite(":memory:".into())).ok();
    store.or_else(|| (!settings.amocrm.token.is_empty()).then(in_memory).flatten())
}

fn compare_users(settings: &Settings, users: &[User], notes: &mut Notes<'_>) {
    let known: BTreeMap<u64, &User> = users.iter().map(|user| (user.id, user)).collect();
    let named = settings
        .employees
        .iter()
        .map(|(extension, employee)| (format!("employees.{extension}"), employee.user));
    let default = settings.base.default_user.map(|user| ("base.default_user".to_owned(), user));
    let mut wrong = 0;
    for (key, id) in named.chain(default) {
        let id_text = id.to_string();
        match known.get(&id) {
            None => notes.fault("employees", "check.no_user", &[("key", &key), ("id", &id_text)]),
            Some(user) if !user.active => {
                notes.warn("employees", "check.inactive_user", &[("key", &key), ("name", &user.name)]);
            }
            Some(_) => continue,
        }
        wrong += 1;
    }
    if wrong == 0 {
        let counts = [("n", settings.employees.len().to_string()), ("users", users.len().to_string())];
        let values = counts.each_ref().map(|(name, value)| (*name, value.as_str()));
        notes.ok("employees", "check.employees", &values);
    }
}

fn compare_pipeline(settings: &Settings, pipelines: &[Pipeline], notes: &mut Notes<'_>) {
    let Some(id) = settings.base.pipeline else { return };
    let id_text = id.to_string();
    let Some(pipeline) = pipelines.iter().find(|pipeline| pipeline.id == id) else {
        return notes.fault("amocrm", "check.no_pipeline", &[("id", &id_text)]);
    };
    if let Some(status) = settings.base.status
        && !pipeline.statuses.iter().any(|known| known.id == status)
    {
        let values = [("pipeline", pipeline.name.as_str()), ("id", &status.to_string())];
        notes.fault("amocrm", "check.no_status", &values);
    }
}
