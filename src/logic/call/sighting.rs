//! Channels known by name only: a CDR's `dstchannel`, a CEL's `peer`.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDateTime};

use super::{CdrRow, CelRow, extra, group::rough, name, time::system};

/// A row that names a channel during a span of time.
struct Sighting {
    row: usize,
    from: NaiveDateTime,
    to: NaiveDateTime,
}

/// Rows of one channel may lie this far apart and still mean the channel, not its namesake after a restart.
const APART: Duration = Duration::seconds(5);

/// Pairs of rows (`cel`'s indices first, then `cdr`'s) that name the same channel of the same Asterisk at the same time.
pub(super) fn same_channel(cel: &[&CelRow], cdr: &[&CdrRow]) -> Vec<(usize, usize)> {
    let mut by_name: BTreeMap<(&str, &str), Vec<Sighting>> = BTreeMap::new();
    for (uniqueid, name, sighting) in of_cel(cel).chain(of_cdr(cdr, cel.len())) {
        if name::is_unique(name) {
            by_name.entry((system(uniqueid), name::pair(name))).or_default().push(sighting);
        }
    }
    by_name.into_values().flat_map(joined).collect()
}

fn joined(mut sightings: Vec<Sighting>) -> Vec<(usize, usize)> {
    sightings.sort_by_key(|sighting| (sighting.from, sighting.to, sighting.row));
    let mut pairs = Vec::new();
    let mut at = 0;
    for next in 1..sightings.len() {
        let (one, other) = (&sightings[at], &sightings[next]);
        if one.to + APART >= other.from {
            pairs.push((one.row, other.row));
        }
        // The one that lasts longest is who the next sighting may still be.
        if other.to >= one.to {
            at = next;
        }
    }
    pairs
}

/// CEL names others by name only where there is no `extra` to name them better.
fn of_cel<'a>(cel: &[&'a CelRow]) -> impl Iterator<Item = (&'a str, &'a str, Sighting)> {
    cel.iter().enumerate().flat_map(|(index, row)| {
        let from = rough(&row.eventtime);
        let retriever = extra::field(&row.extra, "retriever");
        let peers = if row.extra.is_empty() { row.peer.as_str() } else { "" };
        let names = peers.split(',').chain(retriever).chain([row.channame.as_str()]);
        names.filter_map(move |name| {
            let from = from?;
            Some((row.uniqueid.as_str(), name, Sighting { row: index, from, to: from }))
        })
    })
}

fn of_cdr<'a>(cdr: &[&'a CdrRow], cel: usize) -> impl Iterator<Item = (&'a str, &'a str, Sighting)> {
    cdr.iter().enumerate().flat_map(move |(index, row)| {
        let from = rough(&row.calldate);
        [row.channel.as_str(), row.dstchannel.as_str()].into_iter().filter_map(move |name| {
            let from = from?;
            let to = from + Duration::seconds(row.duration.clamp(0, 7 * 86_400));
            Some((row.uniqueid.as_str(), name, Sighting { row: cel + index, from, to }))
        })
    })
}
