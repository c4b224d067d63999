//! What of the company's settings decides how a call is told.

use std::collections::{BTreeMap, BTreeSet};

use super::Disguise;
use crate::{
    logic::call::CallRows,
    settings::{Employee, Settings, Trunk},
};

/// Stands for employees who have nothing to do with the call: that the company names its employees matters.
const ANOTHER: &str = "9999999";

impl Disguise<'_> {
    /// Settings of a company like this one, of whose people, lines and mobiles only those of the call are known.
    pub(super) fn company(&mut self, settings: &Settings) -> Settings {
        let mut company = Settings::default();
        company.pbx.timezone = settings.pbx.timezone;
        company.pbx.ivr_digits = true;
        company.numbers.country.clone_from(&settings.numbers.country);
        company.numbers.area_code.clone_from(&settings.numbers.area_code);
        company.numbers.internal.clone_from(&settings.numbers.internal);
        company.numbers.replacements.clone_from(&settings.numbers.replacements);
        let seen = seen_in(self.rows);
        let nobody = |user| Employee { user, name: String::new(), hours: None };
        for extension in settings.employees.keys().filter(|extension| seen.contains(extension.as_str())) {
            company.employees.insert(self.endpoint(extension), nobody(1));
        }
        if company.employees.is_empty() && !settings.employees.is_empty() {
            company.employees.insert(ANOTHER.to_owned(), nobody(1));
        }
        let context = self.context;
        let canonical = |text: &str| context.phones.canonical(text);
        let numbers: BTreeSet<_> = seen.iter().filter_map(|text| canonical(text)).collect();
        for trunk in settings.trunks.keys() {
            let called = canonical(trunk).is_some_and(|number| numbers.contains(&number));
            if called || seen.contains(trunk.as_str()) {
                company.trunks.insert(self.endpoint(trunk), Trunk::default());
            }
        }
        let mut mobiles = BTreeMap::new();
        for (mobile, extension) in &settings.numbers.mobiles {
            if canonical(mobile).is_some_and(|number| numbers.contains(&number)) {
                mobiles.insert(self.number(mobile), self.endpoint(extension));
            }
        }
        company.numbers.mobiles = mobiles;
        company
    }
}

/// Every number and name that the rows mention.
fn seen_in(rows: &CallRows) -> BTreeSet<&str> {
    let mut seen = BTreeSet::new();
    let apart = |sign: char| "/@-;<>,&()\" ".contains(sign);
    for row in &rows.cdr {
        for text in [&row.src, &row.dst, &row.cnum, &row.did, &row.outbound_cnum, &row.clid, &row.lastdata] {
            seen.extend(text.split(apart));
            seen.insert(text.as_str());
        }
        seen.extend([&row.channel, &row.dstchannel].into_iter().flat_map(|name| parts(name)));
    }
    for row in &rows.cel {
        for text in [&row.cid_num, &row.cid_ani, &row.cid_dnid, &row.cid_rdnis, &row.exten, &row.appdata] {
            seen.extend(text.split(apart));
            seen.insert(text.as_str());
        }
        seen.extend(row.peer.split(',').chain([row.channame.as_str()]).flat_map(parts));
    }
    seen
}

/// A channel's endpoint, whole and in pieces.
fn parts(channel: &str) -> impl Iterator<Item = &str> {
    let endpoint = super::super::name::Name::parse(channel).endpoint;
    let digits = endpoint.trim_matches(|sign: char| !sign.is_ascii_digit());
    endpoint.split(['/', '@', '-', '#']).chain([endpoint, digits])
}
