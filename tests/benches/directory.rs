//! Memory with a million phones, and look-ups against a plain hash map of strings.

use std::{collections::HashMap, hint::black_box, time::Instant};

use perezvon::logic::directory::{EntityKind, Index, Listed, OpenLead};

const PHONES: u64 = 1_000_000;
/// One client in ten has an open lead.
const LEADS: u64 = PHONES / 10;
const LOOKUPS: u64 = 1_000_000;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Measures and prints.
pub(crate) fn run() {
    let before = resident();
    let began = Instant::now();
    let mut index = Index::default();
    for number in 0..PHONES {
        index.put(&client(number));
    }
    for number in 0..LEADS {
        let id = 40_000_000 + number * 3;
        let lead = OpenLead {
            id,
            pipeline: 8_123_456,
            status: 67_123_456 + number % 12,
            responsible: 10_123_456 + number % 40,
            created_at: 1_750_000_000 + number as i64,
            updated_at: 1_760_000_000 + number as i64,
        };
        index.put_lead(&lead, Some(&[(EntityKind::Contact, client(number * 10).id)]));
    }
    let took = began.elapsed();
    let used = resident().saturating_sub(before);
    let counts = index.counts();
    println!(
        "{} phones, {} contacts, {} open leads: {:.1} MiB resident, {:.1} bytes a phone, built in {:.1} s",
        counts.phones,
        counts.contacts,
        counts.leads,
        used as f64 / MEBIBYTE,
        used as f64 / PHONES as f64,
        took.as_secs_f64()
    );
    println!("limit 100 MB: {}", if used <= 100_000_000 { "kept" } else { "BROKEN" });
    let before = resident();
    rewrite(&mut index);
    println!("after 200,000 changes: {:+.1} MiB", (resident() as f64 - before as f64) / MEBIBYTE);
    lookups(&index);
}

/// Every fifth contact changes its name and number.
fn rewrite(index: &mut Index) {
    for number in (0..PHONES).step_by(5) {
        let mut changed = client(number);
        changed.name.push_str(" II");
        changed.phones[0] += 50_000_000;
        index.put(&changed);
        index.put(&client(number));
    }
}

fn lookups(index: &Index) {
    let before = resident();
    let plain: HashMap<String, String> =
        (0..PHONES).map(|number| (format!("+{}", phone(number)), client(number).name)).collect();
    let plain_memory = resident().saturating_sub(before);
    let ours = per_second(|number| index.find(phone(number)).map_or(0, |known| known.name.len()));
    let theirs = per_second(|number| plain.get(&format!("+{}", phone(number))).map_or(0, String::len));
    println!("look-ups: {ours:.0}/s, HashMap<String, String>: {theirs:.0}/s, ratio {:.2}", ours / theirs);
    println!(
        "HashMap<String, String> of number and name alone: {:.1} MiB resident",
        plain_memory as f64 / MEBIBYTE
    );
}

fn per_second(mut look_up: impl FnMut(u64) -> usize) -> f64 {
    let began = Instant::now();
    for round in 0..LOOKUPS {
        // A large odd step visits every number in no useful order.
        black_box(look_up(round.wrapping_mul(7_368_787) % PHONES));
    }
    LOOKUPS as f64 / began.elapsed().as_secs_f64()
}

fn phone(number: u64) -> u64 {
    79_000_000_000 + number.wrapping_mul(387_420_489) % 999_999_937
}

fn client(number: u64) -> Listed {
    Listed {
        kind: EntityKind::Contact,
        id: 20_000_000 + number * 7,
        name: format!("Client Number {number:011}"),
        responsible: 10_123_456 + number % 40,
        created_at: 1_700_000_000 + number as i64,
        updated_at: 1_750_000_000 + number as i64,
        phones: vec![phone(number)],
    }
}

/// Resident memory of this process, bytes; 0 where there is no /proc.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
