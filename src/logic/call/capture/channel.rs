//! Channel names and what Dial was told: `PJSIP/msk-74951234567-0000001a`, `Local/79031112233@from-internal/n`.

use super::{Disguise, words};
use crate::logic::call::channel::{Side, side};

impl Disguise<'_> {
    /// A channel's name; its counter stays.
    pub(super) fn channel(&mut self, name: &str) -> String {
        let counter = counter(name);
        let (name, tail) = name.split_at(name.len() - counter);
        format!("{}{tail}", self.dialled(name))
    }

    /// Several, with commas between.
    pub(super) fn channels(&mut self, names: &str) -> String {
        let names: Vec<String> = names.split(',').map(|name| self.channel(name)).collect();
        names.join(",")
    }

    /// What Dial was told to call, without options.
    pub(super) fn dialled(&mut self, target: &str) -> String {
        let Some((tech, rest)) = target.split_once('/') else { return self.text(target) };
        let local = tech == "Local";
        let rest: Vec<String> = rest.split('/').map(|part| self.part(part, local)).collect();
        format!("{}/{}", self.text(tech), rest.join("/"))
    }

    /// `101`, `79031112233@from-internal`, `79161234567@trunk`, `sip:101@192.168.1.20:5060`.
    fn part(&mut self, part: &str, local: bool) -> String {
        match part.rsplit_once('@') {
            Some((who, context)) if local => format!("{}@{}", self.text(who), self.text(context)),
            Some((who, at)) => format!("{}@{}", self.endpoint(who), self.endpoint(at)),
            None if local => self.text(part),
            None => self.endpoint(part),
        }
    }

    /// A phone's or line's name, number or address.
    pub(super) fn endpoint(&mut self, name: &str) -> String {
        let digits = name.trim_matches(|sign: char| !sign.is_ascii_digit());
        let own = !digits.is_empty() && self.context.is_extension(digits);
        // `tech:` and addresses, extensions with a word beside them, and numbers are read like any text.
        if own || name.contains([':', '.']) || words::is_only_common(name) {
            return self.text(name);
        }
        let count = self.endpoints.len();
        let phone = self.phones.contains(name);
        let made = || format!("{}{}", if phone { "phone" } else { "trunk" }, words::letters(count));
        self.endpoints.entry(name.to_owned()).or_insert_with(made).clone()
    }

    /// Learns which names are phones': their channels have an extension as their number.
    pub(super) fn learn_phones(&mut self) {
        let rows = self.rows;
        let context = self.context;
        let of_cel = rows.cel.iter().map(|row| (&row.channame, &row.cid_num, &row.context));
        let of_cdr = rows.cdr.iter().map(|row| (&row.channel, &row.cnum, &row.dcontext));
        for (channel, number, dialplan) in of_cel.chain(of_cdr) {
            if matches!(side(context, channel, number, dialplan), Side::Employee(_)) {
                let name = super::super::name::Name::parse(channel);
                self.phones.insert(name.endpoint.to_owned());
            }
        }
    }
}

/// Length of `-0000001a;2<ZOMBIE>` at the end of a name.
fn counter(name: &str) -> usize {
    let body = name.split(['<', ';']).next().unwrap_or(name);
    let is_counter = |tail: &str| {
        let hexadecimal = !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_hexdigit());
        // `DAHDI/1-1` counts its calls by digits.
        hexadecimal && (tail.len() == 8 || tail.len() <= 2)
    };
    match body.rsplit_once('-') {
        Some((_, tail)) if body.contains('/') && is_counter(tail) => name.len() - body.len() + tail.len() + 1,
        _ => name.len() - body.len(),
    }
}
