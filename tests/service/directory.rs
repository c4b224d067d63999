//! The directory follows the CRM: everything at first, then changes, deletions, merges; live while it rings.

use std::{sync::Arc, time::Duration};

use perezvon::{
    edge::{
        amocrm::Amocrm,
        directory::{Directory, LookupFailure},
        store::Store,
    },
    logic::{
        crm::{request::Urgency, webhook},
        directory::{EntityKind, Known},
        phone::{Phone, Phones},
    },
    sandbox::amocrm::{Edit, Fault, Handle, Kind, Options, Rule, Sandbox, Toggles, When},
    settings::{self, Secret, Settings, Span},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{FreshStore, sqlite_store, stores},
    pages::site,
};

/// A sandbox, a store, and the directory between them.
struct Office {
    handle: Handle,
    fresh: FreshStore,
    settings: Settings,
    amocrm: Arc<Amocrm>,
    directory: Arc<Directory>,
}

impl Office {
    async fn open() -> Self {
        Self::on(sqlite_store().await, Options::default()).await
    }

    async fn on(fresh: FreshStore, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handle = Sandbox::start(listener, options).unwrap();
        let amocrm = settings::Amocrm {
            base_url: handle.base_url(),
            token: Secret::new(handle.token()),
            requests_per_second: 50.0,
            sync_interval: Span::secs(1),
            ..settings::Amocrm::default()
        };
        let settings = Settings { amocrm, ..Settings::default() };
        let amocrm = Amocrm::new(&settings.amocrm, fresh.store.clone(), Arc::default()).unwrap();
        let directory = directory(&settings, &fresh.store, &amocrm).await;
        Self { handle, fresh, settings, amocrm, directory }
    }

    /// As after a restart.
    async fn reopened(&self) -> Arc<Directory> {
        directory(&self.settings, &self.fresh.store, &self.amocrm).await
    }

    async fn sync(&self) {
        self.directory.sync_now(&|_| {}).await.unwrap();
    }

    async fn catch_up(&self) {
        self.directory.catch_up(Urgency::Person).await.unwrap();
    }

    fn user(&self) -> u64 {
        self.handle.users()[0].id
    }

    fn contact(&self, name: &str, phone: &str) -> u64 {
        self.handle.add_contact(Kind::Contact, name, &[phone], self.user())
    }

    fn lead(&self, contact: u64) -> u64 {
        let status = self.handle.pipelines().values().next().unwrap().1[1];
        self.handle.add_lead("Окна", status, &[(Kind::Contact, contact)], self.user())
    }

    fn find(&self, phone: &str) -> Option<Known> {
        self.directory.find(&number(phone))
    }
}

async fn directory(settings: &Settings, store: &Store, amocrm: &Arc<Amocrm>) -> Arc<Directory> {
    let phones = Arc::new(Phones::new(&settings.numbers).unwrap());
    Directory::open(settings, store.clone(), Some(Arc::clone(amocrm)), phones, Arc::default()).await.unwrap()
}

fn number(text: &str) -> Phone {
    Phone::from_canonical(text).unwrap()
}

fn budget() -> Duration {
    Duration::from_secs(5)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_contacts_come_page_by_page_and_outlive_a_restart() {
    for fresh in stores().await {
        let engine = fresh.engine;
        let office = Office::on(fresh, Options { seed_contacts: 1100, ..Options::default() }).await;
        let anna = office.contact("Анна Круглова", "8 (916) 123-45-67");
        let lead = office.lead(anna);
        assert_eq!(office.directory.complete_until(), None);
        office.handle.forget_requests();
        office.sync().await;
        let lists: Vec<String> = office.handle.requests().into_iter().map(|request| request.path).collect();
        let of_contacts = lists.iter().filter(|path| path.starts_with("/api/v4/contacts?page=")).count();
        let people = office.handle.contacts().len();
        assert_eq!(of_contacts, people.div_ceil(250), "{engine}: 250 a page");
        let counts = office.directory.counts();
        let with_phone = office.handle.contacts().iter().filter(|contact| !contact.phones.is_empty()).count();
        assert_eq!(counts.contacts as usize, with_phone, "{engine}");
        assert!(office.directory.complete_until().is_some());
        let reopened = office.reopened().await;
        assert_eq!(reopened.counts(), counts, "{engine}: the store holds the same");
        let known = reopened.find(&number("+79161234567")).unwrap();
        assert_eq!((known.id, known.name.as_str()), (anna, "Анна Круглова"), "{engine}");
        assert_eq!(known.leads[0].id, lead, "{engine}");
        assert_eq!(reopened.users().len(), 3, "{engine}");
        assert!(reopened.has_walked(), "{engine}: no second full walk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_read_without_walking_everything_again() {
    let office = Office::on(sqlite_store().await, Options { seed_contacts: 300, ..Options::default() }).await;
    let anna = office.contact("Анна", "+79161234567");
    let lead = office.lead(anna);
    office.sync().await;
    office.handle.forget_requests();
    let boris = office.contact("Борис", "4951234567");
    office.handle.edit(
        Kind::Contact,
        anna,
        Edit {
            name: Some("Анна П.".to_owned()),
            phones: Some(vec!["+79035554433".to_owned()]),
            ..Edit::default()
        },
    );
    office.handle.edit(Kind::Lead, lead, Edit { status_id: Some(143), ..Edit::default() });
    office.catch_up().await;
    assert_eq!(office.find("+74951234567").unwrap().id, boris);
    assert_eq!(office.find("+79161234567"), None);
    let known = office.find("+79035554433").unwrap();
    assert_eq!((known.name.as_str(), known.leads.len()), ("Анна П.", 0), "a lost lead is not open");
    assert!(office.handle.request_count() <= 12, "{}", office.handle.request_count());
    let counts = office.directory.counts();
    assert_eq!(office.reopened().await.counts(), counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_catch_up_costs_three_requests_and_is_shared() {
    let office = Office::open().await;
    office.sync().await;
    office.handle.forget_requests();
    office.catch_up().await;
    assert_eq!(office.handle.request_count(), 3);
    office.handle.forget_requests();
    office.handle.faults().set(Rule::new("/api/*", Fault::Delay(Duration::from_millis(100)), When::Always));
    let many = (0..10).map(|_| office.directory.catch_up(Urgency::Live));
    for done in futures::future::join_all(many).await {
        assert!(done.unwrap().is_some());
    }
    assert!(office.handle.request_count() <= 6, "{}", office.handle.request_count());
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_card_is_made_two_requests_tell_what_bears_on_it() {
    let office = Office::open().await;
    let anna = office.contact("Анна", "+79161234567");
    office.sync().await;
    let [known, stranger] = [number("+79161234567"), number("+79161234568")];
    let on = |phones: Vec<Phone>| {
        let directory = office.directory.clone();
        office.handle.forget_requests();
        async move {
            let phones: Vec<&Phone> = phones.iter().collect();
            assert!(directory.catch_up_on(&phones, Urgency::Live).await.unwrap());
        }
    };
    on(vec![known.clone()]).await;
    assert_eq!(office.handle.request_count(), 2, "leads, contacts");
    on(vec![stranger.clone()]).await;
    assert_eq!(office.handle.request_count(), 2, "contacts, companies");
    on(vec![known.clone(), stranger.clone()]).await;
    assert_eq!(office.handle.request_count(), 3);
    on(Vec::new()).await;
    assert_eq!(office.handle.request_count(), 0);

    // By hand, a moment ago: a lead for the one, a company with a lead for the other.
    let lead = office.lead(anna);
    on(vec![known.clone()]).await;
    assert_eq!(office.directory.find(&known).unwrap().leads[0].id, lead);
    let company = office.handle.add_contact(Kind::Company, "ООО Ромашка", &["+79161234568"], office.user());
    on(vec![stranger.clone()]).await;
    assert_eq!(office.directory.find(&stranger).unwrap().id, company);
    assert_eq!(office.handle.request_count(), 3, "and its leads");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_or_merged_is_noticed_by_the_slow_round() {
    let office = Office::on(sqlite_store().await, Options { seed_contacts: 300, ..Options::default() }).await;
    let gone = office.contact("Ушедший", "+79161234567");
    let kept = office.contact("Оставшийся", "+79161234568");
    let merged = office.contact("Слитый", "+79161234569");
    let lead = office.lead(kept);
    office.sync().await;
    office.handle.delete(Kind::Contact, gone);
    office.handle.delete(Kind::Lead, lead);
    office.handle.merge(Kind::Contact, kept, merged);
    for _ in 0..12 {
        office.directory.step_round().await.unwrap();
    }
    assert_eq!(office.find("+79161234567"), None);
    let known = office.find("+79161234569").unwrap();
    assert_eq!((known.id, known.leads.len()), (kept, 0));
    assert_eq!(office.directory.all(&number("+79161234569")).len(), 1);
    let alive = office.handle.contacts().iter().filter(|c| !c.is_deleted && !c.phones.is_empty()).count();
    assert_eq!(office.directory.counts().contacts as usize, alive, "nobody else was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_noticed_at_once_when_the_number_moves() {
    let office = Office::open().await;
    let kept = office.contact("Оставшийся", "+79161234568");
    let merged = office.contact("Слитый", "+79161234569");
    office.sync().await;
    office.handle.merge(Kind::Contact, kept, merged);
    office.catch_up().await;
    let all: Vec<u64> = office.directory.all(&number("+79161234569")).iter().map(|known| known.id).collect();
    assert_eq!(all, [kept]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_read_within_moments() {
    let office = Office::open().await;
    let gone = office.contact("Ушедший", "+79161234567");
    office.sync().await;
    let stop = CancellationToken::new();
    let sync = tokio::spawn(Arc::clone(&office.directory).run_sync(stop.clone()));
    let come = office.handle.add_contact(Kind::Company, "ООО Ромашка", &["+79161234568"], office.user());
    office.handle.delete(Kind::Contact, gone);
    let body = format!(
        "contacts[add][0][id]={come}&contacts[add][0][type]=company&contacts[delete][0][id]={gone}\
         &contacts[delete][0][type]=contact"
    );
    office.directory.hear(webhook::changed(&body));
    for _ in 0..50 {
        if office.find("+79161234567").is_none() && office.find("+79161234568").is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(office.find("+79161234567"), None);
    assert_eq!(office.find("+79161234568").unwrap().kind, EntityKind::Company);
    stop.cancel();
    sync.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_here_is_asked_for_once_and_kept() {
    let office = Office::open().await;
    let anna = office.contact("Анна", "+79161234567");
    let lead = office.lead(anna);
    // Another card mentions the number in its name only.
    office.contact("Не 79161234567", "+79990000000");
    office.handle.forget_requests();
    let phone = number("+79161234567");
    let many = (0..20).map(|_| office.directory.lookup_live(&phone, budget()));
    for found in futures::future::join_all(many).await {
        let known = found.unwrap().unwrap();
        assert_eq!((known.id, known.leads[0].id), (anna, lead));
    }
    assert_eq!(office.handle.request_count(), 3, "contacts, companies, leads");
    assert_eq!(office.find("+79161234567").unwrap().id, anna);
    assert_eq!(office.reopened().await.find(&phone).unwrap().id, anna, "and over a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_remembered_for_a_while_unless_asked_again() {
    let office = Office::open().await;
    let phone = number("+79161234567");
    assert_eq!(office.directory.lookup_live(&phone, budget()).await, Ok(None));
    let anna = office.contact("Анна", "+79161234567");
    office.handle.forget_requests();
    assert_eq!(office.directory.lookup_live(&phone, budget()).await, Ok(None));
    assert_eq!(office.handle.request_count(), 0);
    assert_eq!(office.directory.lookup_again(&phone, budget()).await.unwrap().unwrap().id, anna);
    assert_eq!(office.directory.lookup_live(&phone, budget()).await.unwrap().unwrap().id, anna);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_ends_with_its_budget_and_goes_on_for_the_next_call() {
    let office = Office::open().await;
    let anna = office.contact("Анна", "+79161234567");
    office.handle.faults().set(Rule::new("/api/*", Fault::Delay(Duration::from_millis(400)), When::Always));
    let phone = number("+79161234567");
    let began = std::time::Instant::now();
    let late = office.directory.lookup_live(&phone, Duration::from_millis(100)).await;
    assert_eq!(late, Err(LookupFailure::Timeout));
    assert!(began.elapsed() < Duration::from_millis(300));
    assert_eq!(office.directory.lookup_live(&phone, budget()).await.unwrap().unwrap().id, anna);
    office.handle.faults().clear();
    office.handle.faults().set(Rule::new("/api/*", Fault::Unpaid, When::Always));
    let failed = office.directory.lookup_live(&number("+79990001122"), budget()).await;
    assert!(matches!(failed, Err(LookupFailure::Failed(_))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_created_is_known_before_amocrm_finds_it() {
    let office = Office::open().await;
    office.sync().await;
    office.handle.faults().set_toggles(Toggles { search_lag: Duration::from_secs(60), ..Toggles::default() });
    let anna = office.contact("Анна", "+79161234567");
    let known = Known {
        kind: EntityKind::Contact,
        id: anna,
        name: "Анна".to_owned(),
        responsible: office.user(),
        created_at: 1_700_000_000,
        updated_at: 1_700_000_000,
        phones: vec!["+79161234567".to_owned()],
        leads: Vec::new(),
    };
    assert_eq!(office.directory.lookup_live(&number("+79161234567"), budget()).await, Ok(None));
    office.directory.learn(known.clone()).await;
    assert_eq!(office.find("+79161234567"), Some(known.clone()));
    assert_eq!(office.reopened().await.find_by_id(EntityKind::Contact, anna), Some(known));
    office.directory.forget(EntityKind::Contact, anna).await;
    assert_eq!(office.reopened().await.find_by_id(EntityKind::Contact, anna), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_survives_overload_and_goes_on_where_it_stopped() {
    let office = Office::on(sqlite_store().await, Options { seed_contacts: 600, ..Options::default() }).await;
    office.handle.faults().set(Rule::new("/api/v4/contacts", Fault::GatewayTimeout, When::Next(1)));
    office.sync().await;
    let with_phone = office.handle.contacts().iter().filter(|contact| !contact.phones.is_empty()).count();
    assert_eq!(office.directory.counts().contacts as usize, with_phone);
    let short = office.handle.requests().iter().filter(|request| request.path.contains("limit=50&")).count();
    assert!(short > 5, "after a 504 pages are shorter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_user_is_not_active() {
    let office = Office::open().await;
    assert!(office.directory.user_is_active(12345), "nothing is known yet");
    let dismissed = office.handle.users()[1].id;
    office.handle.set_user_active(dismissed, false);
    office.directory.read_people().await.unwrap();
    assert!(!office.directory.user_is_active(dismissed));
    assert!(office.directory.user_is_active(office.user()));
    assert!(!office.directory.user_is_active(12345), "deleted");
    assert!(office.directory.pipelines().iter().any(|pipeline| pipeline.main));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_begins_with_an_empty_directory() {
    let mut office = Office::open().await;
    office.contact("Анна", "+79161234567");
    office.sync().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = Sandbox::start(listener, Options::default()).unwrap();
    office.settings.amocrm.base_url = other.base_url();
    let amocrm = Amocrm::new(&office.settings.amocrm, office.fresh.store.clone(), Arc::default()).unwrap();
    let directory = directory(&office.settings, &office.fresh.store, &amocrm).await;
    assert_eq!(directory.counts(), Default::default());
    assert!(!directory.has_walked());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_secret_address_takes_webhooks() {
    let site =
        site(sqlite_store().await, |settings| settings.amocrm.webhook_secret = Secret::new("s3cret")).await;
    let post = async |path: &str, body: String| {
        let answer = site.client.post(format!("{}{path}", site.base)).body(body).send().await.unwrap();
        answer.status().as_u16()
    };
    let body = "contacts[add][0][id]=1&contacts[add][0][type]=contact".to_owned();
    assert_eq!(post("/amocrm/webhook/s3cret", body.clone()).await, 200);
    assert_eq!(
        post("/amocrm/webhook/s3cret", "\0\u{fffd}%zz".to_owned()).await,
        200,
        "rubbish is answered too"
    );
    assert_eq!(post("/amocrm/webhook/wrong", body).await, 404);
    assert_eq!(post("/amocrm/webhook/s3cret", "x".repeat(5 << 20)).await, 413);
    assert_eq!(site.get("/amocrm/webhook/s3cret").await.0, 404);
}
