//! One question of a ringing call, however it was asked: over FastAGI, over `GET /route`, by `perezvon lookup`.

use std::{sync::Arc, time::Duration};

use super::directory::{Directory, LookupFailure};
use crate::{
    logic::{
        phone::{Phone, Phones},
        rules::route::{Route, RouteStatus, Stranger, route, stranger},
    },
    settings::{Language, Settings},
    text::say,
};

/// Kept back from the budget of a live look-up, to send the answer.
const MARGIN: Duration = Duration::from_millis(5);

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// No number, or rubbish.
    Hidden,
    /// An extension of our own.
    Internal,
    /// An employee's mobile, and whose.
    Employee(String),
    /// Anybody else.
    Outside(Phone),
}

/// Answers questions from the directory and, when it does not know, from the CRM.
#[derive(Clone)]
pub struct Routing {
    settings: Arc<Settings>,
    phones: Arc<Phones>,
    directory: Arc<Directory>,
}

impl Routing {
    /// Over what the service shares.
    pub fn new(settings: Arc<Settings>, phones: Arc<Phones>, directory: Arc<Directory>) -> Self {
        let mut settings = settings;
        if settings.ui.language.is_none() {
            // Asked of the locale once, not while a phone rings.
            let language = settings.language();
            Arc::make_mut(&mut settings).ui.language = Some(language);
        }
        Self { settings, phones, directory }
    }

    /// The settings it answers by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads the number.
    pub fn caller(&self, phone: Option<&str>) -> Caller {
        let Some(raw) = phone else { return Caller::Hidden };
        let Some(phone) = self.phones.canonical(raw) else {
            return if self.phones.is_internal(raw) { Caller::Internal } else { Caller::Hidden };
        };
        match self.phones.employee_of(&phone) {
            Some(extension) => Caller::Employee(extension.to_owned()),
            None => Caller::Outside(phone),
        }
    }

    /// The answer that needs no waiting; none when the CRM must be asked.
    pub fn from_memory(&self, caller: &Caller) -> Option<Route> {
        let who = match caller {
            Caller::Hidden => Stranger::Hidden,
            Caller::Internal => Stranger::Internal,
            Caller::Employee(extension) => Stranger::Employee(extension),
            Caller::Outside(phone) => {
                return self.directory.find(phone).map(|known| route(Some(&known), &self.settings));
            }
        };
        Some(stranger(who, &self.settings))
    }

    /// Asks the CRM; comes back within `budget`.
    pub async fn live(&self, phone: &Phone, budget: Duration) -> Route {
        let Some(budget) = budget.checked_sub(MARGIN).filter(|left| !left.is_zero()) else {
            return self.failure(&LookupFailure::Timeout);
        };
        match self.directory.lookup_live(phone, budget).await {
            Ok(known) => route(known.as_ref(), &self.settings),
            Err(failure) => self.failure(&failure),
        }
    }

    /// From memory, else from the CRM; comes back within `budget`.
    pub async fn answer(&self, caller: &Caller, budget: Duration) -> Route {
        match (self.from_memory(caller), caller) {
            (Some(route), _) => route,
            (None, Caller::Outside(phone)) => {
                let live = self.live(phone, budget);
                tokio::time::timeout(budget, live)
                    .await
                    .unwrap_or_else(|_| self.failure(&LookupFailure::Timeout))
            }
            (None, _) => Route::error("no answer"),
        }
    }

    fn failure(&self, failure: &LookupFailure) -> Route {
        let language = self.settings.ui.language.unwrap_or(Language::En);
        match failure {
            LookupFailure::Timeout => {
                Route::nobody(RouteStatus::Timeout, say(language, "route.timeout", &[]))
            }
            LookupFailure::Failed(failure) => {
                let error = failure.to_string();
                Route::nobody(RouteStatus::Error, say(language, "route.failed", &[("error", &error)]))
            }
        }
    }
}
