//! A ringing call → who it is and whose phone should ring.
//!
//! The responsible is the CRM user who owns the contact or company that has the number, as the CRM shows on its
//! card. An open lead of somebody else does not take the call away from them: who owns the client answers the client.
//! The extension is the lowest of that user's extensions in `[employees]`.

mod letters;

use serde::{Deserialize, Serialize};

use crate::{
    logic::directory::Known,
    settings::{Language, Settings},
    text::say,
};

use letters::plain;
pub(crate) use letters::transliterated;

/// Desk phones show no more.
const NAME_LENGTH: usize = 20;

/// `CRM_STATUS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteStatus {
    /// The CRM has the number.
    Found,
    /// The CRM does not have it.
    Unknown,
    /// No answer within the budget.
    Timeout,
    /// The CRM or we failed.
    Error,
}

impl RouteStatus {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}

/// What the dialplan is told: the same over FastAGI and `GET /route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// `CRM_STATUS`.
    pub status: RouteStatus,
    /// `CRM_NAME`: at most 20 characters, transliterated when settings say so.
    pub name: String,
    /// `CRM_EXTEN`: extension to ring, empty when none.
    pub exten: String,
    /// `CRM_RESPONSIBLE`: CRM user id, empty when none.
    pub responsible: String,
    /// `CRM_ENTITY`: `contact/123`, empty when none.
    pub entity: String,
    /// Why, in a sentence, for `lookup`; not sent to the dialplan.
    pub reason: String,
}

impl Route {
    /// Nobody to name.
    pub fn nobody(status: RouteStatus, reason: impl Into<String>) -> Self {
        Self {
            status,
            name: String::new(),
            exten: String::new(),
            responsible: String::new(),
            entity: String::new(),
            reason: reason.into(),
        }
    }

    /// The budget is used up.
    pub fn timeout() -> Self {
        Self::nobody(RouteStatus::Timeout, "no answer within the budget")
    }

    /// The CRM or we failed.
    pub fn error(reason: impl Into<String>) -> Self {
        Self::nobody(RouteStatus::Error, reason)
    }

    /// The same without anybody to ring.
    pub fn name_only(self) -> Self {
        Self { exten: String::new(), responsible: String::new(), ..self }
    }
}

/// Who calls, as far as the number alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger<'a> {
    /// The trunk gave no number, or rubbish.
    Hidden,
    /// A number of our own.
    Internal,
    /// An employee's mobile, by `[numbers] mobiles`: never a client.
    Employee(&'a str),
    /// The CRM does not have the number.
    Unknown,
}

/// The route for a client the CRM knows, or none.
pub fn route(known: Option<&Known>, settings: &Settings) -> Route {
    known.map_or_else(|| stranger(Stranger::Unknown, settings), |known| to_responsible(known, settings))
}

/// The route for somebody the CRM is not asked about, or does not know.
pub fn stranger(who: Stranger<'_>, settings: &Settings) -> Route {
    let (name, reason) = match who {
        Stranger::Hidden => ("", because(settings, "route.hidden", &[])),
        Stranger::Internal => ("", because(settings, "route.internal", &[])),
        Stranger::Unknown => ("", because(settings, "route.unknown", &[])),
        Stranger::Employee(extension) => (
            settings.employees.get(extension).map_or("", |employee| employee.name.as_str()),
            because(settings, "route.employee", &[("extension", extension)]),
        ),
    };
    Route { name: displayed(name, settings), ..Route::nobody(RouteStatus::Unknown, reason) }
}

fn to_responsible(known: &Known, settings: &Settings) -> Route {
    let entity = format!("{}/{}", known.kind.singular(), known.id);
    // User 0 is amoCRM's robot: it owns what no person took.
    let responsible = if known.responsible == 0 { String::new() } else { known.responsible.to_string() };
    let exten = extension_of(known.responsible, settings).unwrap_or_default();
    let key = match (responsible.as_str(), exten) {
        ("", _) => "route.robot",
        (_, "") => "route.no_extension",
        _ => "route.responsible",
    };
    let reason = because(settings, key, &[("entity", &entity), ("user", &responsible), ("extension", exten)]);
    Route {
        status: RouteStatus::Found,
        name: displayed(&known.name, settings),
        exten: exten.to_owned(),
        responsible,
        entity,
        reason,
    }
}

/// The lowest extension of a CRM user.
fn extension_of(user: u64, settings: &Settings) -> Option<&str> {
    let theirs = settings
        .employees
        .iter()
        .filter(|(extension, employee)| employee.user == user && user != 0 && can_be_dialled(extension));
    theirs.map(|(extension, _)| extension.as_str()).min_by_key(|extension| (extension.len(), *extension))
}

fn because(settings: &Settings, key: &str, values: &[(&str, &str)]) -> String {
    // The locale is the edge's to ask; a service that leaves [ui] language open explains itself in English.
    say(settings.ui.language.unwrap_or(Language::En), key, values)
}

/// Nothing that Dial() would read as more than a number.
fn can_be_dialled(extension: &str) -> bool {
    !extension.is_empty()
        && extension
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'#' | b'_' | b'-' | b'+'))
}

/// A name as a desk phone shows it and no dialplan trips over it.
fn displayed(name: &str, settings: &Settings) -> String {
    let name = if settings.agi.transliterate { transliterated(name) } else { name.to_owned() };
    let mut name = plain(&name);
    if let Some((end, _)) = name.char_indices().nth(NAME_LENGTH) {
        name.truncate(end);
        name.truncate(name.trim_end().len());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{logic::directory::EntityKind, settings::Employee};

    fn company(transliterate: bool) -> Settings {
        let mut settings = Settings::default();
        settings.agi.transliterate = transliterate;
        for (extension, user) in [("1010", 7), ("205", 7), ("101", 7), ("102", 8), ("9&1", 9)] {
            settings.employees.insert(extension.to_owned(), Employee::new(user, format!("Анна {extension}")));
        }
        settings
    }

    fn client(name: &str, responsible: u64) -> Known {
        Known {
            kind: EntityKind::Contact,
            id: 123,
            name: name.to_owned(),
            responsible,
            created_at: 0,
            updated_at: 0,
            phones: vec!["+79161234567".to_owned()],
            leads: Vec::new(),
        }
    }

    #[test]
    fn the_responsibles_lowest_extension_rings() {
        let route = route(Some(&client("Иван Петров", 7)), &company(false));
        assert_eq!((route.name.as_str(), route.exten.as_str()), ("Иван Петров", "101"));
        assert_eq!((route.responsible.as_str(), route.entity.as_str()), ("7", "contact/123"));
        assert_eq!(route.reason, "contact/123: the responsible is user 7, extension 101");
    }

    #[test]
    fn nobody_rings_when_the_responsible_has_no_phone() {
        for responsible in [0, 9, 11] {
            let route = route(Some(&client("Иван", responsible)), &company(false));
            assert_eq!((route.status, route.exten.as_str()), (RouteStatus::Found, ""), "{}", route.reason);
        }
        assert_eq!(route(Some(&client("Иван", 0)), &company(false)).responsible, "");
    }

    #[test]
    fn a_company_is_an_entity_too() {
        let known = Known { kind: EntityKind::Company, ..client("ООО «Ромашка»", 8) };
        let route = route(Some(&known), &company(false));
        assert_eq!((route.entity.as_str(), route.name.as_str()), ("company/123", "ООО Ромашка"));
    }

    #[test]
    fn names_fit_the_phone_and_the_dialplan() {
        let name = |name: &str, transliterate| route(Some(&client(name, 7)), &company(transliterate)).name;
        assert_eq!(name("Константин Константинопольский", false), "Константин Константи");
        assert_eq!(name("Щёголев Юрий Яковлевич", true), "Shchegolev Yuriy Yak");
        assert_eq!(name("  Иван\t\r\n\"Грозный\", ${EXTEN}|x ", false), "Иван Грозный EXTEN x");
        assert_eq!(name("O'Connor & Sons", false), "O Connor Sons");
        assert_eq!(name("Абвгдежзиклмнопрст уф", false), "Абвгдежзиклмнопрст у");
        assert_eq!(name("Абвгдежзиклмнопрсту ф", false), "Абвгдежзиклмнопрсту");
        assert_eq!(name("🙂 ❤", false), "");
    }

    #[test]
    fn strangers_are_unknown_with_a_reason() {
        let settings = company(false);
        for who in [Stranger::Hidden, Stranger::Internal, Stranger::Unknown] {
            let route = stranger(who, &settings);
            assert_eq!((route.status, route.name.as_str()), (RouteStatus::Unknown, ""));
            assert!(!route.reason.is_empty());
        }
        assert_eq!(stranger(Stranger::Employee("102"), &settings).name, "Анна 102");
    }
}
