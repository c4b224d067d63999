//! PHP-bracket form bodies → changed entities.
//!
//! amoCRM posts `contacts[update][0][id]=17&contacts[update][0][type]=contact&…`: contacts and companies both under
//! `contacts`, told apart by `type`; all values are strings. What came is only a hint which ids to read again: it
//! may be late, doubled, out of order, or sent by a stranger.

use std::collections::{BTreeSet, HashMap};

use crate::logic::directory::EntityKind;

/// The most keys read from one body; a longer one is cut.
const MOST_PAIRS: usize = 50_000;

/// Ids that something happened to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Contacts to be read again.
    pub contacts: BTreeSet<u64>,
    /// Companies to be read again.
    pub companies: BTreeSet<u64>,
    /// Leads to be read again.
    pub leads: BTreeSet<u64>,
}

impl Changed {
    /// Whether nothing of the directory changed.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty() && self.companies.is_empty() && self.leads.is_empty()
    }

    /// How many ids.
    pub fn len(&self) -> usize {
        self.contacts.len() + self.companies.len() + self.leads.len()
    }

    /// Both together.
    pub fn join(&mut self, other: Self) {
        self.contacts.extend(other.contacts);
        self.companies.extend(other.companies);
        self.leads.extend(other.leads);
    }

    /// The ids of one kind.
    pub fn of(&self, kind: EntityKind) -> &BTreeSet<u64> {
        match kind {
            EntityKind::Contact => &self.contacts,
            EntityKind::Company => &self.companies,
        }
    }
}

/// Reads a webhook's body. Whatever is not about contacts, companies and leads (notes, tasks, messages) is none of
/// the directory's business.
pub fn changed(body: &str) -> Changed {
    let pairs = pairs(body);
    let kinds = kinds(&pairs);
    let mut changed = Changed::default();
    for (name, value) in &pairs {
        let path = path(name);
        let [group, event, _, rest @ ..] = path.as_slice() else { continue };
        if *event == "note" {
            continue;
        }
        match (*group, rest) {
            ("contacts" | "companies", ["id"]) => {
                let Ok(id) = value.parse() else { continue };
                match kinds.get(name.trim_end_matches("[id]")) {
                    Some(EntityKind::Contact) => changed.contacts.insert(id),
                    Some(EntityKind::Company) => changed.companies.insert(id),
                    // A deletion may come without a type: both are looked at.
                    None => changed.contacts.insert(id) | changed.companies.insert(id),
                };
            }
            ("contacts" | "companies", ["linked_leads_id", lead, ..]) => {
                changed.leads.extend(lead.parse::<u64>())
            }
            ("leads", ["id"]) => changed.leads.extend(value.parse::<u64>()),
            ("unsorted", ["lead_id"]) => changed.leads.extend(value.parse::<u64>()),
            ("unsorted", ["accept_result" | "decline_result", "leads", ..]) => {
                changed.leads.extend(value.parse::<u64>());
            }
            _ => {}
        }
    }
    changed
}

/// `contacts[update][0]` → what its `type` says.
fn kinds(pairs: &[(String, String)]) -> HashMap<&str, EntityKind> {
    let kind = |word: &str| match word {
        "contact" => Some(EntityKind::Contact),
        "company" => Some(EntityKind::Company),
        _ => None,
    };
    pairs.iter().filter_map(|(name, value)| Some((name.strip_suffix("[type]")?, kind(value)?))).collect()
}

/// `a[b][0][c]` → `a`, `b`, `0`, `c`.
fn path(name: &str) -> Vec<&str> {
    let (head, rest) = name.split_once('[').unwrap_or((name, ""));
    let mut path = vec![head];
    path.extend(rest.trim_end_matches(']').split("][").filter(|_| !rest.is_empty()));
    path
}

/// `a=1&b=%D0%90+c` → decoded pairs.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .take(MOST_PAIRS)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// `%41+b` → `A b`; a broken escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_and_companies_come_under_one_name() {
        let body = "account%5Bid%5D=1&contacts[add][0][id]=17&contacts[add][0][type]=contact\
            &contacts[add][0][name]=%D0%90%D0%BD%D0%BD%D0%B0+%D0%98.&contacts[add][0][linked_leads_id][5][ID]=5\
            &contacts[update][0][id]=18&contacts[update][0][type]=company\
            &contacts[delete][1][id]=19";
        let changed = changed(body);
        assert_eq!(changed.contacts, BTreeSet::from([17, 19]));
        assert_eq!(changed.companies, BTreeSet::from([18, 19]));
        assert_eq!(changed.leads, BTreeSet::from([5]));
        assert_eq!(changed.len(), 5);
    }

    #[test]
    fn every_event_of_a_lead_counts_and_notes_do_not() {
        let body = "leads%5Bstatus%5D%5B0%5D%5Bid%5D=1&leads[delete][0][id]=2&leads[note][0][note][id]=9\
            &contacts[note][0][note][id]=9&contacts[note][0][type]=contact&leads[add][0][custom_fields][0][id]=8\
            &unsorted[delete][0][accept_result][leads][0]=3&task[add][0][id]=4";
        assert_eq!(changed(body).leads, BTreeSet::from([1, 2, 3]));
        assert!(changed(body).contacts.is_empty());
    }

    #[test]
    fn rubbish_changes_nothing() {
        for body in
            ["", "&&&", "contacts", "contacts[", "contacts[add][0][id]=x", "leads[][][id]=-1", "%zz=%"]
        {
            assert!(changed(body).is_empty(), "{body}");
        }
    }
}
