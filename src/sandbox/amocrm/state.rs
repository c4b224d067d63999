//! Everything the pretend account holds.

use std::collections::{BTreeMap, VecDeque};

use super::{
    card::Card,
    custom_fields::CustomField,
    events::Event,
    faults::{Faults, Toggles},
    hook_forms::HookPost,
    limits::Limiter,
    model::{Kind, Logged, Note, Popup, Task, Unsorted, User},
    oauth::Grants,
    options::Options,
    pipelines::Pipeline,
    sources::Source,
    tags::Tag,
    webhooks::Hook,
};

/// A card's kind and id.
pub(super) type Key = (Kind, u64);

/// At most so many requests are kept in the log.
const LOG_LENGTH: usize = 10_000;

/// The account.
pub(super) struct State {
    pub(super) options: Options,
    /// `http://host:port`, for `_links`.
    pub(super) base: String,
    pub(super) account_id: u64,
    pub(super) created_at: i64,
    pub(super) faults: Faults,
    pub(super) users: Vec<User>,
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) fields: Vec<CustomField>,
    pub(super) tags: Vec<Tag>,
    pub(super) cards: BTreeMap<Key, Card>,
    /// Both directions of each link, with the mark of the main contact.
    pub(super) links: BTreeMap<(Key, Key), bool>,
    pub(super) notes: BTreeMap<u64, Note>,
    pub(super) tasks: BTreeMap<u64, Task>,
    pub(super) unsorted: Vec<Unsorted>,
    pub(super) popups: Vec<Popup>,
    pub(super) events: Vec<Event>,
    pub(super) sources: Vec<Source>,
    pub(super) hooks: Vec<Hook>,
    /// Webhooks caused but not yet handed to the sender.
    pub(super) outbox: Vec<HookPost>,
    pub(super) oauth: Grants,
    pub(super) limiter: Limiter,
    pub(super) log: RequestLog,
    /// Seed of made-up values.
    pub(super) chance: u64,
    last_id: u64,
}

/// Requests that came.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    pub(super) latest: VecDeque<Logged>,
    pub(super) count: u64,
}

impl RequestLog {
    pub(super) fn keep(&mut self, request: Logged) {
        self.count += 1;
        if self.latest.len() == LOG_LENGTH {
            self.latest.pop_front();
        }
        self.latest.push_back(request);
    }
}

impl State {
    pub(super) fn new(options: Options, base: String, faults: Faults) -> Self {
        Self {
            base,
            account_id: 31_000_001,
            created_at: 0,
            faults,
            users: Vec::new(),
            pipelines: Vec::new(),
            fields: Vec::new(),
            tags: Vec::new(),
            cards: BTreeMap::new(),
            links: BTreeMap::new(),
            notes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            unsorted: Vec::new(),
            popups: Vec::new(),
            events: Vec::new(),
            sources: Vec::new(),
            hooks: Vec::new(),
            outbox: Vec::new(),
            oauth: Grants::default(),
            limiter: Limiter::default(),
            log: RequestLog::default(),
            chance: options.seed,
            last_id: 1_000_000,
            options,
        }
    }

    /// The next id; one row of numbers for all nouns, so that a mixed-up id never fits by chance.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The uncertain behaviours as set now.
    pub(super) fn toggles(&self) -> Toggles {
        self.faults.toggles()
    }

    /// All cards of a kind by id.
    pub(super) fn cards_of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Card> {
        self.cards.range((kind, 0)..=(kind, u64::MAX)).map(|(_, card)| card)
    }

    /// A card that is not in the bin.
    pub(super) fn alive(&self, key: Key) -> Option<&Card> {
        self.cards.get(&key).filter(|card| !card.is_deleted)
    }

    /// Whether this user may be made responsible.
    pub(super) fn is_active_user(&self, id: u64) -> bool {
        self.users.iter().any(|user| user.id == id && user.is_active)
    }
}
