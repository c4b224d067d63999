//! Contacts and leads as a few dozen bytes.

use super::{
    EntityKind, Listed, OpenLead, Owner,
    shards::{push, take},
};

/// Key of a contact or company: its id, and one bit for the kind.
pub(super) const fn key(owner: Owner) -> u64 {
    owner.1 << 1 | matches!(owner.0, EntityKind::Company) as u64
}

/// What [`key`] was made of.
pub(super) const fn owner(key: u64) -> Owner {
    (if key & 1 == 0 { EntityKind::Contact } else { EntityKind::Company }, key >> 1)
}

/// Seconds before 1970 do not happen in a CRM.
fn push_time(bytes: &mut Vec<u8>, seconds: i64) {
    push(bytes, u64::try_from(seconds).unwrap_or(0));
}

fn take_time(bytes: &mut &[u8]) -> i64 {
    i64::try_from(take(bytes)).unwrap_or(0)
}

/// A contact or company, less its kind and id.
pub(super) fn pack(listed: &Listed) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + listed.name.len() + listed.phones.len() * 6);
    // First, since it decides among several without reading on.
    push_time(&mut bytes, listed.created_at);
    push_time(&mut bytes, listed.updated_at);
    push(&mut bytes, listed.responsible);
    push(&mut bytes, listed.name.len() as u64);
    bytes.extend_from_slice(listed.name.as_bytes());
    for phone in &listed.phones {
        push(&mut bytes, *phone);
    }
    bytes
}

/// When a packed contact or company was created.
pub(super) fn created_at(mut record: &[u8]) -> i64 {
    take_time(&mut record)
}

pub(super) fn unpack(owner: Owner, mut record: &[u8]) -> Listed {
    let created_at = take_time(&mut record);
    let updated_at = take_time(&mut record);
    let responsible = take(&mut record);
    let length = usize::try_from(take(&mut record)).unwrap_or(usize::MAX).min(record.len());
    let (name, mut rest) = record.split_at(length);
    let mut phones = Vec::new();
    while !rest.is_empty() {
        phones.push(take(&mut rest));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    Listed { kind: owner.0, id: owner.1, name, responsible, created_at, updated_at, phones }
}

/// An open lead, less its id, and whom it belongs to.
pub(super) fn pack_lead(lead: &OpenLead, owners: &[Owner]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + owners.len() * 5);
    push(&mut bytes, lead.pipeline);
    push(&mut bytes, lead.status);
    push(&mut bytes, lead.responsible);
    push_time(&mut bytes, lead.created_at);
    push_time(&mut bytes, lead.updated_at);
    for owner in owners {
        push(&mut bytes, key(*owner));
    }
    bytes
}

pub(super) fn unpack_lead(id: u64, mut record: &[u8]) -> (OpenLead, Vec<Owner>) {
    let lead = OpenLead {
        id,
        pipeline: take(&mut record),
        status: take(&mut record),
        responsible: take(&mut record),
        created_at: take_time(&mut record),
        updated_at: take_time(&mut record),
    };
    let mut owners = Vec::new();
    while !record.is_empty() {
        owners.push(owner(take(&mut record)));
    }
    (lead, owners)
}
