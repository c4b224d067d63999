//! Starting and stopping the sandbox, and what a person at the CRM's own screen would do.

use std::{collections::BTreeMap, io, net::SocketAddr};

use tokio::net::TcpListener;

use super::{
    faults::Faults,
    model::{CallNote, Contact, Kind, Lead, Link, Logged, Note, Popup, Task, Unsorted, User},
    options::{Integration, Limits, Options},
};

/// The pretend amoCRM.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Serves the account on this listener until [`Handle::stop`] or until the handle is dropped.
    ///
    /// # Errors
    /// When the listener has no local address.
    pub fn start(listener: TcpListener, options: Options) -> io::Result<Handle> {
        Ok(Handle {
            address: listener.local_addr()?,
            faults: Faults::new(options.seed),
            integration: options.integration,
        })
    }
}

/// What a person changes on a card; none leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// New name.
    pub name: Option<String>,
    /// New list of numbers, as typed.
    pub phones: Option<Vec<String>>,
    /// New owner.
    pub responsible_user_id: Option<u64>,
    /// New status, of a lead.
    pub status_id: Option<u64>,
}

/// A running sandbox. Dropping it stops the service.
pub struct Handle {
    address: SocketAddr,
    faults: Faults,
    integration: Integration,
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`, for `[amocrm] base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A long-lived token of the administrator, valid for years.
    pub fn token(&self) -> String {
        String::new()
    }

    /// The registered integration.
    pub fn integration(&self) -> Integration {
        self.integration.clone()
    }

    /// The switches for faults.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Users as they stand.
    pub fn users(&self) -> Vec<User> {
        Vec::new()
    }

    /// Stops serving; open connections get a second to end.
    pub async fn stop(self) {}

    /// Sets the request limits from now on, and lifts all blocks.
    pub fn set_limits(&self, _limits: Limits) {}

    /// What the consent page does when the administrator agrees: a fresh authorization code.
    pub fn grant_code(&self) -> String {
        String::new()
    }

    /// The administrator disables the integration: every token of every kind is refused from now on.
    pub fn revoke_tokens(&self) {}

    /// All access tokens issued so far run out now; refresh tokens stay good.
    pub fn expire_access_tokens(&self) {}

    /// Dismisses a user, or takes them back.
    pub fn set_user_active(&self, _id: u64, _is_active: bool) {}

    /// A person makes a contact or company; answers its id. Webhooks fire.
    pub fn add_contact(&self, _kind: Kind, _name: &str, _phones: &[&str], _responsible_user_id: u64) -> u64 {
        0
    }

    /// A person changes a card; false when there is none. Webhooks fire.
    pub fn edit(&self, _kind: Kind, _id: u64, _edit: Edit) -> bool {
        false
    }

    /// A person throws a card into the bin; false when there is none. Webhooks fire.
    pub fn delete(&self, _kind: Kind, _id: u64) -> bool {
        false
    }

    /// A person merges two cards of one kind: `gone` disappears, its numbers, links, notes and tasks go to `kept`.
    /// False when either is missing. Webhooks fire.
    pub fn merge(&self, _kind: Kind, _kept: u64, _gone: u64) -> bool {
        false
    }

    /// A person ticks a task off; false when there is none. Webhooks fire.
    pub fn complete_task(&self, _id: u64, _result: &str) -> bool {
        false
    }

    /// All contacts, the deleted and the hidden too.
    pub fn contacts(&self) -> Vec<Contact> {
        Vec::new()
    }

    /// All companies.
    pub fn companies(&self) -> Vec<Contact> {
        Vec::new()
    }

    /// All leads.
    pub fn leads(&self) -> Vec<Lead> {
        Vec::new()
    }

    /// All notes, oldest first.
    pub fn notes(&self) -> Vec<Note> {
        Vec::new()
    }

    /// All call notes, oldest first.
    pub fn calls(&self) -> Vec<CallNote> {
        Vec::new()
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> Vec<Task> {
        Vec::new()
    }

    /// All links, each once.
    pub fn links(&self) -> Vec<Link> {
        Vec::new()
    }

    /// All incoming leads, decided ones too.
    pub fn unsorted(&self) -> Vec<Unsorted> {
        Vec::new()
    }

    /// All pop-ups, oldest first.
    pub fn popups(&self) -> Vec<Popup> {
        Vec::new()
    }

    /// The latest requests (10,000 at most), oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        Vec::new()
    }

    /// How many requests came since the start or the last [`Handle::forget_requests`].
    pub fn request_count(&self) -> u64 {
        0
    }

    /// Empties the log of requests and sets the count to 0.
    pub fn forget_requests(&self) {}

    /// Pipelines with their statuses: pipeline id → (name, status ids in order).
    pub fn pipelines(&self) -> BTreeMap<u64, (String, Vec<u64>)> {
        Default::default()
    }

    /// Webhook subscriptions: destination, and whether the CRM has disabled it.
    pub fn webhooks(&self) -> Vec<(String, bool)> {
        Vec::new()
    }
}
