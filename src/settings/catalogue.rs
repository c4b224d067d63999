//! Every key that can be set: its kind, and an example where there is no default.
//!
//! The one source of `settings example`, of the names of variables and of "did you mean". What a key means
//! is said in `text/`, under `set.` + the key.

/// What is written as a value; decides how a variable's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that never shows; may come from a file named by `…_FILE`.
    Secret,
    /// `sqlite:…` or `mysql://…`; may hold a password, so `…_FILE` works too.
    Database,
    /// A whole number.
    Number,
    /// A number with a fraction.
    Fraction,
    /// `true` or `false`.
    Switch,
    /// `"300ms"`, `"5s"`, `"2h"`.
    Span,
    /// `127.0.0.1:4573`.
    Address,
    /// A file or folder.
    Path,
    /// `Europe/Moscow`.
    Zone,
    /// `ru` or `en`.
    Language,
    /// `"V7"` or kbit/s.
    Bitrate,
    /// `["127.0.0.1"]`.
    Addresses,
    /// `[{ pattern = "…", replace = "…" }]`.
    Replacements,
    /// A CRM user id, or `{ user = 123, name = "…" }`.
    Employee,
    /// `{ name = "…" }`.
    Trunk,
    /// `{ mon-fri = "09:00-18:00" }`.
    Week,
    /// `["2027-01-01", "2027-01-01..2027-01-08"]`.
    Days,
    /// `["2027-02-20 09:00-14:00"]`.
    Workdays,
}

impl Kind {
    /// Whether a variable `…_FILE` may name a file that holds the value.
    pub const fn may_come_from_file(self) -> bool {
        matches!(self, Self::Secret | Self::Database)
    }

    /// Whether a variable's text is the value as it stands, not TOML.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Secret
                | Self::Database
                | Self::Span
                | Self::Address
                | Self::Path
                | Self::Zone
                | Self::Language
        )
    }

    /// Key of the text that says what to write.
    pub const fn text_key(self) -> &'static str {
        match self {
            Self::Text => "kind.text",
            Self::Secret => "kind.secret",
            Self::Database => "kind.database",
            Self::Number => "kind.number",
            Self::Fraction => "kind.fraction",
            Self::Switch => "kind.switch",
            Self::Span => "kind.span",
            Self::Address => "kind.address",
            Self::Path => "kind.path",
            Self::Zone => "kind.zone",
            Self::Language => "kind.language",
            Self::Bitrate => "kind.bitrate",
            Self::Addresses => "kind.addresses",
            Self::Replacements => "kind.replacements",
            Self::Employee => "kind.employee",
            Self::Trunk => "kind.trunk",
            Self::Week => "kind.week",
            Self::Days => "kind.days",
            Self::Workdays => "kind.workdays",
        }
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.key`; a last part `*` stands for any name.
    pub path: &'static str,
    /// What is written there.
    pub kind: Kind,
    /// Right side of an example line, for keys without a default; `name = value` for `*`.
    pub example: &'static str,
}

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind, example: "" }
}

const fn shown(path: &'static str, kind: Kind, example: &'static str) -> Key {
    Key { path, kind, example }
}

/// All keys, in the order of the example.
pub const KEYS: &[Key] = &[
    shown("ui.language", Kind::Language, "\"ru\""),
    shown("store.url", Kind::Database, "\"mysql://perezvon:password@127.0.0.1:3306/perezvon\""),
    key("http.listen", Kind::Address),
    shown("http.public_url", Kind::Text, "\"https://pbx.example.ru\""),
    shown("http.trusted_proxies", Kind::Addresses, "[\"127.0.0.1\"]"),
    key("admin.username", Kind::Text),
    key("admin.password", Kind::Secret),
    key("agi.enabled", Kind::Switch),
    key("agi.listen", Kind::Address),
    key("agi.deadline", Kind::Span),
    key("agi.max_sessions", Kind::Number),
    key("agi.transliterate", Kind::Switch),
    key("agi.unknown_ttl", Kind::Span),
    shown("agi.allow", Kind::Addresses, "[\"192.168.1.10\"]"),
    shown("ami.address", Kind::Text, "\"127.0.0.1:5038\""),
    key("ami.username", Kind::Text),
    key("ami.secret", Kind::Secret),
    shown("pbx.database_url", Kind::Database, "\"mysql://perezvon:password@127.0.0.1:3306/asteriskcdrdb\""),
    key("pbx.cdr_table", Kind::Text),
    key("pbx.cel_table", Kind::Text),
    shown("pbx.timezone", Kind::Zone, "\"Europe/Moscow\""),
    key("pbx.poll_interval", Kind::Span),
    key("pbx.max_call", Kind::Span),
    key("pbx.quiet", Kind::Span),
    key("pbx.ivr_digits", Kind::Switch),
    shown("pbx.column_names.*", Kind::Text, "\"cdr.linkedid\" = \"linked_id\""),
    key("numbers.country", Kind::Text),
    shown("numbers.area_code", Kind::Text, "\"495\""),
    key("numbers.internal", Kind::Text),
    shown("numbers.replacements", Kind::Replacements, "[{ pattern = '^9(\\d{11})$', replace = '$1' }]"),
    shown("numbers.mobiles.*", Kind::Text, "\"+79031112233\" = \"101\""),
    key("recordings.source", Kind::Path),
    key("recordings.mp3_folder", Kind::Path),
    key("recordings.bitrate", Kind::Bitrate),
    key("recordings.wait", Kind::Span),
    key("recordings.keep", Kind::Span),
    key("recordings.link_lifetime", Kind::Span),
    key("recordings.link_secret", Kind::Secret),
    shown("amocrm.base_url", Kind::Text, "\"https://company.amocrm.ru\""),
    key("amocrm.token", Kind::Secret),
    key("amocrm.client_id", Kind::Text),
    key("amocrm.client_secret", Kind::Secret),
    shown("amocrm.redirect_uri", Kind::Text, "\"https://pbx.example.ru/amocrm/oauth\""),
    key("amocrm.requests_per_second", Kind::Fraction),
    key("amocrm.timeout", Kind::Span),
    key("amocrm.sync_interval", Kind::Span),
    key("amocrm.webhook_secret", Kind::Secret),
    shown("employees.*", Kind::Employee, "101 = { user = 1234567, name = \"Анна Петрова\" }"),
    shown("trunks.*", Kind::Trunk, "msk-74951234567 = { name = \"Реклама\" }"),
    shown("hours.timezone", Kind::Zone, "\"Europe/Moscow\""),
    shown("hours.week", Kind::Week, "{ mon-thu = \"09:00-18:00\", fri = \"09:00-13:00, 14:00-17:00\" }"),
    shown("hours.holidays", Kind::Days, "[\"2027-01-01..2027-01-08\", \"05-09\"]"),
    shown("hours.workdays", Kind::Workdays, "[\"2027-02-20\", \"2027-03-06 09:00-14:00\"]"),
    shown("base.pipeline", Kind::Number, "1234567"),
    shown("base.status", Kind::Number, "12345678"),
    shown("base.default_user", Kind::Number, "1234567"),
    key("base.contact_name", Kind::Text),
    key("base.lead_name", Kind::Text),
    key("base.source", Kind::Text),
    key("base.create_contact.inbound", Kind::Switch),
    key("base.create_contact.outbound", Kind::Switch),
    key("base.create_lead.inbound", Kind::Switch),
    key("base.create_lead.outbound", Kind::Switch),
    key("tasks.missed", Kind::Switch),
    key("tasks.text", Kind::Text),
    key("tasks.task_type", Kind::Number),
    key("tasks.due", Kind::Span),
];

/// The key that a path means, when there is one; names under a `*` fit it.
pub fn find(path: &[String]) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        let mut parts = key.path.split('.');
        let fits = path.iter().all(|part| parts.next().is_some_and(|known| known == "*" || known == part));
        fits && parts.next().is_none()
    })
}

/// Whether keys stand under this path.
pub fn is_section(path: &[String]) -> bool {
    let stem = format!("{}.", path.join("."));
    KEYS.iter().any(|key| key.path.starts_with(&stem))
}

/// The `*` key right under this path.
pub fn map_under(path: &[String]) -> Option<&'static Key> {
    let wanted = format!("{}.*", path.join("."));
    KEYS.iter().find(|key| key.path == wanted)
}

/// Columns that `pbx.column_names` may rename.
pub const COLUMNS: &[&str] = &[
    "cdr.calldate",
    "cdr.clid",
    "cdr.src",
    "cdr.dst",
    "cdr.dcontext",
    "cdr.channel",
    "cdr.dstchannel",
    "cdr.lastapp",
    "cdr.lastdata",
    "cdr.duration",
    "cdr.billsec",
    "cdr.disposition",
    "cdr.accountcode",
    "cdr.uniqueid",
    "cdr.userfield",
    "cdr.did",
    "cdr.recordingfile",
    "cdr.cnum",
    "cdr.cnam",
    "cdr.outbound_cnum",
    "cdr.linkedid",
    "cdr.peeraccount",
    "cdr.sequence",
    "cdr.id",
    "cel.id",
    "cel.eventtype",
    "cel.eventtime",
    "cel.cid_name",
    "cel.cid_num",
    "cel.cid_ani",
    "cel.cid_rdnis",
    "cel.cid_dnid",
    "cel.exten",
    "cel.context",
    "cel.channame",
    "cel.appname",
    "cel.appdata",
    "cel.accountcode",
    "cel.uniqueid",
    "cel.linkedid",
    "cel.peer",
    "cel.userdeftype",
    "cel.extra",
];

/// The candidate most like a word, when any is like it at all.
pub fn most_like<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The existing key or section most like a wrong one, when any is like it at all.
pub fn nearest(path: &str) -> Option<String> {
    let sections = KEYS.iter().filter_map(|key| key.path.split('.').next());
    let paths = KEYS.iter().map(|key| key.path.trim_end_matches(".*"));
    // A right name in the wrong section is the commonest slip.
    let last = path.rsplit('.').next().unwrap_or(path);
    let moved = KEYS.iter().map(|key| key.path).find(|known| known.rsplit('.').next() == Some(last));
    most_like(path, sections.chain(paths)).or(moved).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key() {
        assert_eq!(nearest("pbx.databse_url").as_deref(), Some("pbx.database_url"));
        assert_eq!(nearest("amocrm.webhook-secret").as_deref(), Some("amocrm.webhook_secret"));
        assert_eq!(nearest("store.public_url").as_deref(), Some("http.public_url"));
        assert_eq!(nearest("employes").as_deref(), Some("employees"));
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn a_name_under_a_star_is_found() {
        let path = |text: &str| text.split('.').map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(find(&path("employees.101")).map(|key| key.path), Some("employees.*"));
        assert!(find(&path("employees")).is_none());
        assert!(is_section(&path("employees")));
        assert!(find(&path("agi.deadlin")).is_none());
    }
}
