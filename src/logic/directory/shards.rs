//! Two compact containers: sorted pairs of numbers, and records of bytes under a number.
//!
//! Both are cut into shards by a hash of the key: an insertion moves some kilobytes, and growing one shard never
//! needs a second copy of everything. Vectors grow by little, not to double; records are tidied in place. (64 shards
//! and these fractions were measured: more shards fragment the heap, fewer move more.)

const SHARDS: usize = 64;

fn shard_of(key: u64) -> usize {
    // Fibonacci hashing: the top bits are well mixed.
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
}

fn make_room<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / 32 + 4));
    }
}

/// A sorted set of pairs, asked by their first.
#[derive(Debug)]
pub(super) struct Pairs(Vec<Vec<(u64, u64)>>);

impl Pairs {
    pub(super) fn new() -> Self {
        Self(vec![Vec::new(); SHARDS])
    }

    /// Whether it was not there.
    pub(super) fn insert(&mut self, first: u64, second: u64) -> bool {
        let shard = &mut self.0[shard_of(first)];
        match shard.binary_search(&(first, second)) {
            Ok(_) => false,
            Err(place) => {
                make_room(shard, 1);
                shard.insert(place, (first, second));
                true
            }
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, first: u64, second: u64) -> bool {
        let shard = &mut self.0[shard_of(first)];
        shard.binary_search(&(first, second)).map(|place| shard.remove(place)).is_ok()
    }

    /// The seconds of a first, in order.
    pub(super) fn of(&self, first: u64) -> impl Iterator<Item = u64> + '_ {
        let shard = &self.0[shard_of(first)];
        let begin = shard.partition_point(|pair| pair.0 < first);
        shard[begin..].iter().take_while(move |pair| pair.0 == first).map(|pair| pair.1)
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// Bytes under a number.
#[derive(Debug)]
pub(super) struct Records(Vec<Shard>);

#[derive(Debug, Default, Clone)]
struct Shard {
    keys: Vec<u64>,
    places: Vec<u32>,
    /// Records one after another, each after its length; replaced ones stay until the shard is tidied.
    arena: Vec<u8>,
    dead: usize,
}

impl Records {
    pub(super) fn new() -> Self {
        Self(vec![Shard::default(); SHARDS])
    }

    pub(super) fn get(&self, key: u64) -> Option<&[u8]> {
        let shard = &self.0[shard_of(key)];
        let place = shard.keys.binary_search(&key).ok()?;
        Some(shard.record(place))
    }

    /// Whether anything changed.
    pub(super) fn put(&mut self, key: u64, record: &[u8]) -> bool {
        let shard = &mut self.0[shard_of(key)];
        let found = shard.keys.binary_search(&key);
        if let Ok(place) = found {
            if shard.record(place) == record {
                return false;
            }
            shard.dead += shard.size(place);
        }
        let offset = shard.append(record);
        match found {
            Ok(place) => shard.places[place] = offset,
            Err(place) => {
                make_room(&mut shard.keys, 1);
                make_room(&mut shard.places, 1);
                shard.keys.insert(place, key);
                shard.places.insert(place, offset);
            }
        }
        shard.tidy();
        true
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: u64) -> bool {
        let shard = &mut self.0[shard_of(key)];
        let Ok(place) = shard.keys.binary_search(&key) else { return false };
        shard.dead += shard.size(place);
        shard.keys.remove(place);
        shard.places.remove(place);
        shard.tidy();
        true
    }

    /// Up to `limit` keys of a range, in order.
    pub(super) fn keys(&self, from: u64, to: u64, limit: usize) -> Vec<u64> {
        let mut keys = Vec::new();
        for shard in &self.0 {
            let begin = shard.keys.partition_point(|key| *key < from);
            keys.extend(shard.keys[begin..].iter().take_while(|key| **key <= to).take(limit));
        }
        keys.sort_unstable();
        keys.truncate(limit);
        keys
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.keys.len()).sum()
    }
}

impl Shard {
    fn record(&self, place: usize) -> &[u8] {
        let mut rest = &self.arena[self.places[place] as usize..];
        let length = take(&mut rest) as usize;
        &rest[..length]
    }

    /// Bytes of a record with its length before it.
    fn size(&self, place: usize) -> usize {
        let length = self.record(place).len();
        length + width(length as u64)
    }

    fn append(&mut self, record: &[u8]) -> u32 {
        let offset = u32::try_from(self.arena.len()).expect("a shard holds less than 4 GB");
        make_room(&mut self.arena, record.len() + 10);
        push(&mut self.arena, record.len() as u64);
        self.arena.extend_from_slice(record);
        offset
    }

    /// Moves the living records together when a sixteenth of the arena is dead.
    fn tidy(&mut self) {
        if self.dead < 1024 || self.dead * 16 < self.arena.len() {
            return;
        }
        let mut order: Vec<u32> = (0..self.places.len() as u32).collect();
        order.sort_unstable_by_key(|place| self.places[*place as usize]);
        let mut end = 0;
        for place in order {
            let place = place as usize;
            let begin = self.places[place] as usize;
            let size = self.size(place);
            self.arena.copy_within(begin..begin + size, end);
            // Fits, since records only move down.
            self.places[place] = end as u32;
            end += size;
        }
        self.arena.truncate(end);
        self.dead = 0;
    }
}

/// Writes a number in seven bits a byte: small numbers take little.
pub(super) fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads what [`push`] wrote; 0 when the bytes end early.
pub(super) fn take(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn width(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back_from_bytes(number: u64) {
            let mut bytes = Vec::new();
            push(&mut bytes, number);
            prop_assert_eq!(bytes.len(), width(number));
            prop_assert_eq!(take(&mut bytes.as_slice()), number);
        }

        #[test]
        fn pairs_behave_as_a_set(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..4), 0..300)) {
            let (mut pairs, mut model) = (Pairs::new(), BTreeSet::new());
            for (add, first, second) in steps {
                if add {
                    prop_assert_eq!(pairs.insert(first, second), model.insert((first, second)));
                } else {
                    prop_assert_eq!(pairs.remove(first, second), model.remove(&(first, second)));
                }
            }
            prop_assert_eq!(pairs.len(), model.len());
            for first in 0..40 {
                let of: Vec<u64> = pairs.of(first).collect();
                let expected: Vec<u64> = model.range((first, 0)..=(first, u64::MAX)).map(|pair| pair.1).collect();
                prop_assert_eq!(of, expected);
            }
        }

        #[test]
        fn records_behave_as_a_map(
            steps in prop::collection::vec((0u64..30, prop::option::of(prop::collection::vec(any::<u8>(), 0..400))), 0..400)
        ) {
            let (mut records, mut model) = (Records::new(), BTreeMap::new());
            for (key, record) in steps {
                match record {
                    Some(record) => {
                        let changed = model.insert(key, record.clone()) != Some(record.clone());
                        prop_assert_eq!(records.put(key, &record), changed);
                    }
                    None => prop_assert_eq!(records.remove(key), model.remove(&key).is_some()),
                }
            }
            for key in 0..30 {
                prop_assert_eq!(records.get(key), model.get(&key).map(Vec::as_slice));
            }
            let keys: Vec<u64> = model.range(5..=20).map(|entry| *entry.0).take(7).collect();
            prop_assert_eq!(records.keys(5, 20, 7), keys);
        }
    }

    #[test]
    fn a_shard_that_is_rewritten_again_and_again_stays_small() {
        let mut records = Records::new();
        for round in 0..10_000u64 {
            records.put(1, &[round as u8; 100]);
        }
        assert!(records.0[shard_of(1)].arena.len() < 20_000);
    }
}
