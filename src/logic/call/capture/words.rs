//! Words and names: what Asterisk and FreePBX say themselves stays, everything else is made up.

use std::collections::BTreeMap;

/// Words of dialplans, paths and applications, in order; whatever is not here may be somebody's name.
const VOCABULARY: &[&str] = &[
    "abi",
    "after",
    "afterhours",
    "agent",
    "agi",
    "alaw",
    "all",
    "announcement",
    "anonymous",
    "answer",
    "answered",
    "app",
    "appdial",
    "appqueue",
    "asterisk",
    "asyncgoto",
    "attended",
    "auto",
    "background",
    "beep",
    "begin",
    "blind",
    "blkvm",
    "bridge",
    "builtin",
    "busy",
    "call",
    "callback",
    "called",
    "caller",
    "callerid",
    "calling",
    "calls",
    "cancel",
    "cdr",
    "cel",
    "chan",
    "chanspy",
    "chanunavail",
    "check",
    "cid",
    "class",
    "click",
    "client",
    "closed",
    "conf",
    "confbridge",
    "conference",
    "conferences",
    "confirm",
    "congestion",
    "context",
    "crm",
    "custom",
    "dahdi",
    "day",
    "default",
    "demand",
    "desk",
    "dest",
    "dial",
    "dialed",
    "dialone",
    "dialout",
    "dialplan",
    "did",
    "digits",
    "direct",
    "directory",
    "disa",
    "dontcall",
    "employee",
    "end",
    "ext",
    "exten",
    "extension",
    "external",
    "fail",
    "failed",
    "fax",
    "feature",
    "features",
    "file",
    "fmgl",
    "fmlc",
    "fmpr",
    "followme",
    "force",
    "forward",
    "from",
    "func",
    "goodbye",
    "gosub",
    "goto",
    "group",
    "gsm",
    "guard",
    "hangup",
    "hangupcall",
    "hangupsource",
    "hello",
    "hold",
    "holding",
    "hours",
    "iax",
    "inbound",
    "incoming",
    "internal",
    "invalid",
    "invalidargs",
    "ivr",
    "language",
    "line",
    "list",
    "local",
    "macro",
    "mailbox",
    "main",
    "meetme",
    "menu",
    "message",
    "misc",
    "mixmonitor",
    "mobile",
    "moh",
    "monitor",
    "mrcp",
    "music",
    "native",
    "night",
    "noanswer",
    "nodest",
    "none",
    "number",
    "off",
    "offhook",
    "only",
    "open",
    "operator",
    "options",
    "originate",
    "out",
    "outbound",
    "outgoing",
    "outisbusy",
    "outrt",
    "page",
    "paging",
    "park",
    "parked",
    "parkedcall",
    "parkedcallgiveup",
    "parkedcalltimeout",
    "parking",
    "pbx",
    "perezvon",
    "phone",
    "pickup",
    "pjsip",
    "playback",
    "pstn",
    "queue",
    "queues",
    "received",
    "record",
    "recordcheck",
    "recorder",
    "recording",
    "recordings",
    "redirect",
    "refused",
    "rejected",
    "reminder",
    "remote",
    "restricted",
    "return",
    "ring",
    "ringgroups",
    "ringing",
    "route",
    "rtp",
    "script",
    "silence",
    "simple",
    "sip",
    "slin",
    "softmix",
    "sound",
    "sounds",
    "spool",
    "stop",
    "stopmixmonitor",
    "stream",
    "sub",
    "technology",
    "tel",
    "test",
    "theperson",
    "time",
    "timeconditions",
    "timeout",
    "tone",
    "torture",
    "transfer",
    "transferred",
    "trunk",
    "ulaw",
    "unavail",
    "unavailable",
    "unknown",
    "unparked",
    "user",
    "var",
    "vmail",
    "vmb",
    "vmmain",
    "vmu",
    "voicemail",
    "voicemailmain",
    "wav",
    "with",
    "without",
    "xfer",
    "yes",
    "zombie",
    "клиент",
    "сотрудник",
];

/// Stems that mean something to the fold wherever they stand in a word: `ivrmain`, `nightmode`, `trunkbeeline`.
const STEMS: [&str; 10] =
    ["afterhours", "closed", "group", "ivr", "menu", "night", "queue", "trunk", "pstn", "did"];

/// Beginnings of what is made up where no stem is.
const MADE: [&str; 2] = ["word", "phone"];

/// Shorter words name nobody.
const HARMLESS: usize = 2;

/// Words and names that were made up, each the same for the same original.
#[derive(Debug, Default)]
pub(super) struct Words {
    words: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    clients: usize,
    employees: usize,
}

impl Words {
    /// One word, letters only.
    pub(super) fn word(&mut self, word: &str) -> String {
        if is_common(word) {
            return word.to_owned();
        }
        let lower = word.to_lowercase();
        let count = self.words.len();
        let stem = STEMS.iter().find(|stem| lower.contains(**stem)).unwrap_or(&"word");
        self.words.entry(lower).or_insert_with(|| format!("{stem}{}", letters(count))).clone()
    }

    /// A person's or company's name.
    pub(super) fn name(&mut self, name: &str, employee: bool) -> String {
        if let Some(made) = self.names.get(name) {
            return made.clone();
        }
        let count = if employee { &mut self.employees } else { &mut self.clients };
        *count += 1;
        let russian = name.chars().any(|letter| ('\u{400}'..'\u{530}').contains(&letter));
        let word = match (russian, employee) {
            (true, true) => "Сотрудник",
            (true, false) => "Клиент",
            (false, true) => "Employee",
            (false, false) => "Client",
        };
        let made = format!("{word} {count}");
        self.names.insert(name.to_owned(), made.clone());
        made
    }

    /// Originals of all that was made up, and their whole names.
    pub(super) fn originals(&self) -> impl Iterator<Item = &str> {
        self.words.keys().chain(self.names.keys()).map(String::as_str)
    }
}

/// A word that Asterisk or FreePBX says itself, one too short to name anybody, or one made up before.
pub(super) fn is_common(word: &str) -> bool {
    let lower = word.to_lowercase();
    let tail = MADE.iter().chain(&STEMS).find_map(|stem| lower.strip_prefix(stem));
    word.chars().count() <= HARMLESS
        || VOCABULARY.binary_search(&lower.as_str()).is_ok()
        || tail.is_some_and(|tail| tail.chars().count() <= HARMLESS)
}

/// Whether a name is none of anybody's: `Anonymous`, `CID:`. Two letters may well be somebody's name.
pub(super) fn is_nobody(name: &str) -> bool {
    let words = name.split(|sign: char| !sign.is_alphabetic()).filter(|word| !word.is_empty());
    words.into_iter().all(|word| VOCABULARY.binary_search(&word.to_lowercase().as_str()).is_ok())
}

/// Whether every word of the text is common.
pub(super) fn is_only_common(text: &str) -> bool {
    text.split(|sign: char| !sign.is_alphabetic()).all(is_common)
}

/// 0 is `a`, 25 is `z`, 26 is `ba`.
pub(super) fn letters(number: usize) -> String {
    let last = char::from(b'a' + u8::try_from(number % 26).unwrap_or_default());
    if number < 26 { last.to_string() } else { format!("{}{last}", letters(number / 26)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_in_order() {
        assert!(VOCABULARY.is_sorted());
        assert!(VOCABULARY.iter().all(|word| *word == word.to_lowercase()));
    }

    #[test]
    fn made_up_words_keep_what_the_fold_looks_for() {
        let mut words = Words::default();
        assert_eq!(words.word("ivr"), "ivr");
        assert_eq!(words.word("romashkaivr"), "ivra");
        assert_eq!(words.word("Romashka"), "wordb");
        assert_eq!(words.word("romashka"), "wordb");
        assert_eq!((letters(25), letters(26), letters(702)), ("z".into(), "ba".into(), "bba".into()));
    }
}
