//! Channel names: `PJSIP/101-00000001`, `Local/101@from-queue-00000002;1`.

/// A channel's name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// `PJSIP`, `SIP`, `Local`, …
    pub tech: &'a str,
    /// Endpoint; of a Local channel the extension it dials.
    pub endpoint: &'a str,
    /// Dialplan context of a Local channel.
    pub context: &'a str,
}

/// Techs that carry no party: Asterisk's own recorders, announcers and stand-ins.
const TECHNICAL: [&str; 14] = [
    "Message",
    "Recorder",
    "Announcer",
    "CBAnn",
    "CBRec",
    "ConfBridgeRecorder",
    "Bridge",
    "Surrogate",
    "MulticastRTP",
    "UnicastRTP",
    "Snoop",
    "AudioSocket",
    "WebSocket",
    "Parking",
];

/// FreePBX puts these before the number that a Local channel dials.
const DIAL_PREFIXES: [&str; 4] = ["FMPR-", "FMGL-", "LC-", "FMLC-"];

impl<'a> Name<'a> {
    /// Never fails: a name without a slash is an endpoint without a tech.
    pub(super) fn parse(name: &'a str) -> Self {
        let name = name.strip_prefix("AsyncGoto/").unwrap_or(name);
        let name = name.split(['<', ';']).next().unwrap_or(name);
        let (tech, rest) = name.split_once('/').unwrap_or(("", name));
        let body = without_counter(rest);
        if tech == "Local" {
            let (endpoint, context) = body.rsplit_once('@').unwrap_or((body, ""));
            return Self { tech, endpoint, context };
        }
        Self { tech, endpoint: body.split('/').next().unwrap_or(body), context: "" }
    }

    /// A pair of halves that passes a call on inside Asterisk.
    pub(super) fn is_local(&self) -> bool {
        self.tech == "Local"
    }

    /// Asterisk's own, without a party behind it.
    pub(super) fn is_technical(&self) -> bool {
        TECHNICAL.contains(&self.tech)
    }

    /// The AGI watchdog's of our dialplan: never part of a call.
    pub(super) fn is_watchdog(&self) -> bool {
        self.is_local() && self.context.starts_with("agi-guard")
    }

    /// The number a Local channel dials, without FreePBX's decoration.
    pub(super) fn dialled(&self) -> &'a str {
        let number = DIAL_PREFIXES
            .iter()
            .find_map(|prefix| self.endpoint.strip_prefix(prefix))
            .unwrap_or(self.endpoint);
        number.trim_end_matches('#')
    }

    /// FreePBX's follow-me list.
    pub(super) fn is_follow_me_list(&self) -> bool {
        self.endpoint.starts_with("FMGL-")
    }

    /// The desk phone that FreePBX's follow-me rings beside the list.
    pub(super) fn is_follow_me_desk(&self) -> bool {
        self.endpoint.starts_with("FMPR-")
    }
}

/// The same for both halves of a Local pair, the name itself for other channels.
pub(super) fn pair(name: &str) -> &str {
    match name.rsplit_once(';') {
        Some((pair, _)) if name.starts_with("Local/") => pair,
        _ => name,
    }
}

/// Whether Asterisk gives this name only once between two starts: `DAHDI/1-1` comes back with the next call.
pub(super) fn is_unique(name: &str) -> bool {
    pair(name).rsplit_once('-').is_some_and(|(_, counter)| {
        counter.len() >= 8 && counter.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The other half of a Local pair.
pub(super) fn twin(name: &str) -> Option<String> {
    let (pair, half) = name.strip_prefix("Local/").and_then(|_| name.rsplit_once(';'))?;
    match half {
        "1" => Some(format!("{pair};2")),
        "2" => Some(format!("{pair};1")),
        _ => None,
    }
}

fn without_counter(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((body, counter))
            if !counter.is_empty() && counter.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            body
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_local_extensions_are_found_in_names() {
        let of = |name| {
            let name = Name::parse(name);
            (name.tech, name.endpoint, name.context)
        };
        assert_eq!(of("PJSIP/101-0000001a"), ("PJSIP", "101", ""));
        assert_eq!(of("SIP/beeline-msk-0000abcd"), ("SIP", "beeline-msk", ""));
        assert_eq!(of("DAHDI/i1/79161234567-5"), ("DAHDI", "i1", ""));
        assert_eq!(of("Local/101@from-queue-00000002;1"), ("Local", "101", "from-queue"));
        assert_eq!(of("AsyncGoto/PJSIP/101-00000003<ZOMBIE>"), ("PJSIP", "101", ""));
        assert_eq!(Name::parse("Local/FMGL-79031112233#@from-internal-00000006;1").dialled(), "79031112233");
    }

    #[test]
    fn halves_of_a_local_pair_find_each_other() {
        assert_eq!(
            twin("Local/101@from-queue-00000002;1").as_deref(),
            Some("Local/101@from-queue-00000002;2")
        );
        assert_eq!(twin("PJSIP/101-00000001"), None);
        assert_eq!(pair("Local/101@from-queue-00000002;2"), "Local/101@from-queue-00000002");
    }
}
