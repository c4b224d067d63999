//! The include files for Asterisk: filled in with where Perezvon answers, and each line with what it is for.
//!
//! The files themselves are those of `dialplan/`; nothing is said in two places.

mod meaning;

const PLAIN: &str = include_str!("../../dialplan/extensions_perezvon.conf");
const FREEPBX: &str = include_str!("../../dialplan/extensions_custom.conf");

/// What Asterisk connects to when the URL of AGI() names no port; on a FreePBX machine taken by FreePBX.
pub const AGI_PORT: u16 = 4573;
/// Where the files as shipped say that Perezvon answers.
const SHIPPED_AGI: [&str; 2] = ["agi://127.0.0.1/", "agi://127.0.0.1:4574/"];
const SHIPPED_HTTP: &str = "http://127.0.0.1:8573/";

/// Whose dialplan it goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// An extensions.conf written by hand.
    Plain,
    /// FreePBX 15 and newer.
    FreePbx,
    /// Issabel 4 and 5: the same file as for FreePBX.
    Issabel,
}

impl Flavour {
    /// In the order of the page.
    pub const ALL: [Self; 3] = [Self::Plain, Self::FreePbx, Self::Issabel];

    /// As in a command or an address: `plain`, `freepbx`, `issabel`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::FreePbx => "freepbx",
            Self::Issabel => "issabel",
        }
    }

    /// The flavour of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flavour| flavour.as_str() == name)
    }

    const fn shipped(self) -> &'static str {
        match self {
            Self::Plain => PLAIN,
            Self::FreePbx | Self::Issabel => FREEPBX,
        }
    }
}

/// An address as Asterisk must write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name, IPv4, or IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Address {
    /// As in a URL; the port that the scheme takes by itself is left out.
    fn in_url(&self, own_port: Option<u16>) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if own_port == Some(self.port) { host } else { format!("{host}:{}", self.port) }
    }
}

/// Where Perezvon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// FastAGI.
    pub agi: Address,
    /// `GET /route`.
    pub http: Address,
}

impl Place {
    /// Whether FreePBX's own AGI server, which listens on 4573 of its machine since version 14 (core's
    /// `node/fastagi-server.js`), holds the port.
    pub fn is_held_by_freepbx(&self, flavour: Flavour) -> bool {
        let near = ["127.0.0.1", "::1", "localhost"].contains(&self.agi.host.as_str());
        flavour == Flavour::FreePbx && self.agi.port == AGI_PORT && near
    }
}

/// One line of dialplan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As in the file.
    pub text: String,
    /// Key of the text that says what it is for.
    pub meaning: &'static str,
}

/// One context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Key of the text that says what it is for.
    pub meaning: &'static str,
    /// Its lines, without comments.
    pub lines: Vec<Line>,
}

/// The file, ready to use.
pub fn file(flavour: Flavour, place: &Place) -> String {
    let agi = format!("agi://{}/", place.agi.in_url(Some(AGI_PORT)));
    let http = format!("http://{}/", place.http.in_url(None));
    let shipped = flavour.shipped();
    let url = SHIPPED_AGI.into_iter().find(|url| shipped.contains(url)).unwrap_or_default();
    shipped.replace(url, &agi).replace(SHIPPED_HTTP, &http)
}

/// The file as a page shows it: contexts and lines, each with its meaning.
pub fn sections(file: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in file.lines().map(str::trim_end) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let meaning = meaning::of_context(name);
            sections.push(Section { name: name.to_owned(), meaning, lines: Vec::new() });
        } else if !line.is_empty() && !line.trim_start().starts_with(';') {
            let Some(section) = sections.last_mut() else { continue };
            let meaning = meaning::of_line(&section.name, line);
            section.lines.push(Line { text: line.trim_start().to_owned(), meaning });
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::knows;

    fn place(agi: (&str, u16), http: (&str, u16)) -> Place {
        let address = |(host, port): (&str, u16)| Address { host: host.to_owned(), port };
        Place { agi: address(agi), http: address(http) }
    }

    #[test]
    fn the_files_name_where_perezvon_answers_and_no_other_place() {
        for flavour in Flavour::ALL {
            let text = file(flavour, &place(("10.0.0.5", 4573), ("10.0.0.6", 80)));
            assert!(text.contains("AGI(agi://10.0.0.5/${CRM_QUESTION})"), "{text}");
            assert!(text.contains("CURL(http://10.0.0.6:80/route?"), "{text}");
            assert!(!text.contains("127.0.0.1"), "{text}");
            let text = file(flavour, &place(("::1", 4580), ("fe80::1", 8573)));
            assert!(text.contains("agi://[::1]:4580/${CRM_QUESTION}"), "{text}");
            assert!(text.contains("http://[fe80::1]:8573/route?"), "{text}");
        }
    }

    #[test]
    fn filled_in_with_what_they_were_shipped_with_the_files_stay_as_they_are() {
        assert_eq!(file(Flavour::Plain, &place(("127.0.0.1", 4573), ("127.0.0.1", 8573))), PLAIN);
        assert_eq!(file(Flavour::FreePbx, &place(("127.0.0.1", 4574), ("127.0.0.1", 8573))), FREEPBX);
    }

    #[test]
    fn every_context_and_line_has_a_meaning() {
        for flavour in Flavour::ALL {
            let text = file(flavour, &place(("127.0.0.1", 4574), ("127.0.0.1", 8573)));
            let sections = sections(&text);
            let names: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
            for name in ["from-trunk-perezvon", "perezvon", "agi-guard", "perezvon-curl"] {
                assert!(names.contains(&name), "{name} is not in {names:?}");
            }
            for section in &sections {
                assert!(knows(section.meaning), "[{}]: {}", section.name, section.meaning);
                assert!(section.lines.len() > 1, "{}", section.name);
                for line in &section.lines {
                    assert!(knows(line.meaning), "[{}] {}: “{}”", section.name, line.text, line.meaning);
                }
            }
        }
    }

    #[test]
    fn freepbx_holds_its_own_port() {
        let (own, other) =
            (place(("127.0.0.1", 4573), ("127.0.0.1", 1)), place(("10.0.0.5", 4573), ("127.0.0.1", 1)));
        assert!(own.is_held_by_freepbx(Flavour::FreePbx));
        assert!(!own.is_held_by_freepbx(Flavour::Issabel) && !other.is_held_by_freepbx(Flavour::FreePbx));
    }
}
