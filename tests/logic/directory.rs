//! Which card a number belongs to, and how the directory follows the CRM's changes.

use perezvon::logic::directory::{EntityKind, Index, Listed, OpenLead, Owner};

const PHONE: u64 = 79_161_234_567;

fn card(kind: EntityKind, id: u64, created_at: i64) -> Listed {
    Listed {
        kind,
        id,
        name: format!("Карточка {id}"),
        responsible: 5,
        created_at,
        updated_at: created_at + 10,
        phones: vec![PHONE],
    }
}

fn lead(id: u64) -> OpenLead {
    OpenLead { id, pipeline: 1, status: 2, responsible: 7, created_at: 1000 + id as i64, updated_at: 2000 }
}

fn chosen(index: &Index) -> Owner {
    let known = index.find(PHONE).unwrap();
    assert_eq!(index.all(PHONE)[0], known, "find and all agree");
    (known.kind, known.id)
}

#[test]
fn a_card_with_an_open_lead_comes_before_an_older_one() {
    let mut index = Index::default();
    index.put(&card(EntityKind::Contact, 1, 100));
    index.put(&card(EntityKind::Contact, 2, 200));
    assert_eq!(chosen(&index), (EntityKind::Contact, 1));
    index.put_lead(&lead(9), Some(&[(EntityKind::Contact, 2)]));
    assert_eq!(chosen(&index), (EntityKind::Contact, 2));
    index.remove_lead(9);
    assert_eq!(chosen(&index), (EntityKind::Contact, 1));
}

#[test]
fn a_contact_comes_before_its_company_unless_only_the_company_has_a_lead() {
    let mut index = Index::default();
    index.put(&card(EntityKind::Company, 1, 100));
    index.put(&card(EntityKind::Contact, 2, 200));
    assert_eq!(chosen(&index), (EntityKind::Contact, 2));
    index.put_lead(&lead(9), Some(&[(EntityKind::Company, 1)]));
    assert_eq!(chosen(&index), (EntityKind::Company, 1));
    index.put_lead(&lead(9), Some(&[(EntityKind::Company, 1), (EntityKind::Contact, 2)]));
    assert_eq!(chosen(&index), (EntityKind::Contact, 2));
}

#[test]
fn among_equals_the_oldest_then_the_smallest_id_is_chosen() {
    let mut index = Index::default();
    for (id, created_at) in [(30, 300), (20, 200), (10, 200), (5, 900)] {
        index.put(&card(EntityKind::Contact, id, created_at));
    }
    let order: Vec<u64> = index.all(PHONE).iter().map(|known| known.id).collect();
    assert_eq!(order, [10, 20, 30, 5]);
}

#[test]
fn a_deleted_card_is_never_chosen() {
    let mut index = Index::default();
    index.put(&card(EntityKind::Contact, 1, 100));
    index.put(&card(EntityKind::Contact, 2, 200));
    assert!(index.remove((EntityKind::Contact, 1)));
    assert_eq!(chosen(&index), (EntityKind::Contact, 2));
    assert!(!index.remove((EntityKind::Contact, 1)));
    index.remove((EntityKind::Contact, 2));
    assert_eq!(index.find(PHONE), None);
    assert_eq!(index.counts(), Default::default());
}

#[test]
fn a_number_that_left_a_card_no_longer_finds_it() {
    let mut index = Index::default();
    let mut changed = card(EntityKind::Contact, 1, 100);
    assert!(index.put(&changed));
    assert!(!index.put(&changed), "the same again changes nothing");
    changed.phones = vec![PHONE + 1, PHONE + 2];
    assert!(index.put(&changed));
    assert_eq!(index.find(PHONE), None);
    assert_eq!(index.find(PHONE + 2).unwrap().phones, ["+79161234568", "+79161234569"]);
    assert_eq!(index.counts().phones, 2);
}

#[test]
fn a_contact_and_a_company_may_share_an_id() {
    let mut index = Index::default();
    index.put(&card(EntityKind::Contact, 1, 100));
    index.put(&card(EntityKind::Company, 1, 100));
    index.remove((EntityKind::Contact, 1));
    assert_eq!(chosen(&index), (EntityKind::Company, 1));
}

#[test]
fn leads_and_contacts_may_come_in_any_order() {
    let mut index = Index::default();
    index.put_lead(&lead(8), Some(&[(EntityKind::Contact, 1)]));
    index.put_lead(&lead(9), Some(&[(EntityKind::Contact, 1)]));
    index.put(&card(EntityKind::Contact, 1, 100));
    let leads: Vec<u64> = index.find(PHONE).unwrap().leads.iter().map(|lead| lead.id).collect();
    assert_eq!(leads, [9, 8], "newest first");
}

#[test]
fn a_card_that_tells_its_leads_links_and_unlinks() {
    let mut index = Index::default();
    let owner = (EntityKind::Contact, 1);
    index.put(&card(EntityKind::Contact, 1, 100));
    index.put_lead(&lead(8), Some(&[owner]));
    index.put_lead(&lead(9), Some(&[(EntityKind::Company, 4)]));
    assert_eq!(index.set_leads(owner, &[9, 77]), [8, 9], "77 is not open here");
    assert_eq!(index.get(owner).unwrap().leads.iter().map(|lead| lead.id).collect::<Vec<_>>(), [9]);
    assert_eq!(index.lead(9).unwrap().1, [(EntityKind::Company, 4), owner]);
    assert_eq!(index.lead(8).unwrap().1, []);
    assert!(index.set_leads(owner, &[9, 77]).is_empty());
}

#[test]
fn a_lead_that_changes_without_owners_told_keeps_them() {
    let mut index = Index::default();
    let owner = (EntityKind::Contact, 1);
    index.put(&card(EntityKind::Contact, 1, 100));
    index.put_lead(&lead(8), Some(&[owner]));
    assert!(index.put_lead(&OpenLead { status: 3, ..lead(8) }, None));
    assert_eq!(index.get(owner).unwrap().leads[0].status, 3);
}

#[test]
fn ids_come_in_order_for_the_sweep() {
    let mut index = Index::default();
    for id in [5, 3, 900, 1, 40] {
        index.put(&card(EntityKind::Contact, id, 1));
        index.put(&card(EntityKind::Company, id + 1, 1));
        index.put_lead(&lead(id), None);
    }
    assert_eq!(index.ids(EntityKind::Contact, 3, 40), [3, 5, 40]);
    assert_eq!(index.ids(EntityKind::Company, 0, u64::MAX), [2, 4, 6, 41, 901]);
    assert_eq!(index.lead_ids(3, 2), [5, 40]);
}
