//! Starting and stopping the sandbox, and what a person at the CRM's own screen would do.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    card::Origin,
    door,
    faults::Faults,
    hook_sender::Sender,
    model::{Kind, User},
    options::{Integration, Limits, Options},
    pages, seed,
    socket::{CuttableListener, Peer},
    state::State,
};
use crate::edge::clock;

/// The pretend amoCRM.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Serves the account on this listener until [`Handle::stop`] or until the handle is dropped.
    ///
    /// # Errors
    /// When the listener has no local address.
    pub fn start(listener: TcpListener, options: Options) -> io::Result<Handle> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let faults = Faults::new(options.seed);
        let mut state = State::new(options, format!("http://{address}"), faults.clone());
        seed::fill(&mut state, clock::now().timestamp());
        let desk = Desk { state: Arc::new(Mutex::new(state)), faults, sender: Sender::new(stop.clone()) };
        let app = pages::router()
            .fallback(door::enter)
            .with_state(desk.clone())
            .into_make_service_with_connect_info::<Peer>();
        let closing = stop.clone();
        let task = tokio::spawn(async move {
            let served = axum::serve(CuttableListener(listener), app)
                .with_graceful_shutdown(async move { closing.cancelled().await });
            if let Err(error) = served.await {
                tracing::error!("sandbox amoCRM stopped: {error}");
            }
        });
        Ok(Handle { address, desk, stop, task: Some(task) })
    }
}

/// What every request gets: the account, the switches, the sender of webhooks.
#[derive(Clone)]
pub(super) struct Desk {
    state: Arc<Mutex<State>>,
    pub(super) faults: Faults,
    pub(super) sender: Sender,
}

impl Desk {
    /// The account, locked.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is done to the account now, then the webhooks it caused go out.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> T {
        let mut state = self.state();
        let done = act(&mut state, clock::now().timestamp());
        let posts = std::mem::take(&mut state.outbox);
        drop(state);
        self.sender.send(self, posts);
        done
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
    pub(super) desk: Desk,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
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
        self.desk.state().oauth.long_lived.clone()
    }

    /// The registered integration.
    pub fn integration(&self) -> Integration {
        self.desk.state().options.integration.clone()
    }

    /// The switches for faults.
    pub fn faults(&self) -> Faults {
        self.desk.faults.clone()
    }

    /// Sets the request limits from now on, and lifts all blocks.
    pub fn set_limits(&self, limits: Limits) {
        let mut state = self.desk.state();
        state.options.limits = limits;
        state.limiter.forget();
    }

    /// What the consent page does when the administrator agrees: a fresh authorization code.
    pub fn grant_code(&self) -> String {
        self.desk.change(|state, now| state.oauth_code(now))
    }

    /// The administrator disables the integration: every token of every kind is refused from now on.
    pub fn revoke_tokens(&self) {
        self.desk.state().oauth.revoke_all();
    }

    /// All access tokens issued so far run out now; refresh tokens stay good.
    pub fn expire_access_tokens(&self) {
        self.desk.state().oauth.expire_access();
    }

    /// Users as they stand.
    pub fn users(&self) -> Vec<User> {
        self.desk.state().users.clone()
    }

    /// Dismisses a user, or takes them back.
    pub fn set_user_active(&self, id: u64, is_active: bool) {
        if let Some(user) = self.desk.state().users.iter_mut().find(|user| user.id == id) {
            user.is_active = is_active;
        }
    }

    /// A person makes a contact or company; answers its id. Webhooks fire.
    pub fn add_contact(&self, kind: Kind, name: &str, phones: &[&str], responsible_user_id: u64) -> u64 {
        self.desk.change(|state, now| {
            let phones = phones.iter().map(|phone| (*phone).to_owned()).collect::<Vec<_>>();
            state.add_person(kind, name, &phones, responsible_user_id, Origin::person(state, now))
        })
    }

    /// A person makes a lead in a status, linked to contacts or companies; answers its id. Webhooks fire.
    pub fn add_lead(&self, name: &str, status_id: u64, of: &[(Kind, u64)], responsible_user_id: u64) -> u64 {
        self.desk.change(|state, now| {
            state.add_deal(name, status_id, of, responsible_user_id, Origin::person(state, now))
        })
    }

    /// A person changes a card; false when there is none. Webhooks fire.
    pub fn edit(&self, kind: Kind, id: u64, edit: Edit) -> bool {
        self.desk.change(|state, now| state.edit_card(kind, id, &edit, now))
    }

    /// A person throws a card into the bin; false when there is none. Webhooks fire.
    pub fn delete(&self, kind: Kind, id: u64) -> bool {
        self.desk.change(|state, now| state.delete_card(kind, id, now))
    }

    /// A person merges two cards of one kind: `gone` disappears, its numbers, links, notes and tasks go to `kept`.
    /// False when either is missing. Webhooks fire.
    pub fn merge(&self, kind: Kind, kept: u64, gone: u64) -> bool {
        self.desk.change(|state, now| state.merge_cards(kind, kept, gone, now))
    }

    /// A person ticks a task off; false when there is none. Webhooks fire.
    pub fn complete_task(&self, id: u64, result: &str) -> bool {
        self.desk.change(|state, now| state.complete_task(id, Some(result), now))
    }

    /// Stops serving; open connections get a second to end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(Duration::from_secs(1), &mut task).await.is_err()
        {
            task.abort();
        }
    }
}
