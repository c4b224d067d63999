//! Two calls that never were: examples for the catalogue, and what a template is tried on when settings are read.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};

use super::Values;
use crate::{
    logic::{
        call::{Call, Conversation, Detail, Direction, LostAfter, Menu, MissedAt, Outcome},
        directory::{EntityKind, Known, OpenLead},
        phone::Phones,
        rules::plan::{Company, Facts},
    },
    settings::{Employee, Language, Settings, Trunk},
};

const PHONE: &str = "+79161234567";
const BEGAN: i64 = 1_795_158_307;

static SAMPLES: LazyLock<Vec<Values>> = LazyLock::new(build);

/// A client's call with a transfer, a company's missed call, and a stranger's that says as little as a call can.
pub fn samples() -> &'static [Values] {
    &SAMPLES
}

fn build() -> Vec<Values> {
    let settings = settings();
    let phones = Phones::new(&settings.numbers).expect("the default numbers are good");
    let zone = chrono_tz::Europe::Moscow;
    let company =
        Company { settings: &settings, phones: &phones, active_users: None, language: Language::En, zone };
    let link = "https://pbx.example.ru/recordings/1795158307.42/c2lnbmVk.mp3";
    let (talked, missed) = (talked(), missed());
    let bare =
        Call { did: None, trunk: None, conversations: Vec::new(), menus: Vec::new(), ..missed.clone() };
    let (contact, firm) = (known(EntityKind::Contact), known(EntityKind::Company));
    let values =
        |call, client, link| Values::of(&Facts { call, key: "1795158307.42", client, link }, &company);
    vec![
        values(&talked, Some(&contact), Some(link)),
        values(&missed, Some(&firm), None),
        values(&bare, None, None),
    ]
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    for (extension, user, name) in [("101", 1_234_567, "Анна Смирнова"), ("102", 1_234_568, "Борис Кузнецов")]
    {
        settings.employees.insert(extension.to_owned(), Employee::new(user, name));
    }
    settings.trunks.insert("74951234567".to_owned(), Trunk { name: "Сайт".to_owned() });
    settings
}

fn known(kind: EntityKind) -> Known {
    let lead = OpenLead {
        id: 34_567_891,
        pipeline: 1_357_911,
        status: 13_579_114,
        responsible: 1_234_568,
        created_at: BEGAN - 86_400,
        updated_at: BEGAN - 3_600,
    };
    Known {
        kind,
        id: if kind == EntityKind::Contact { 45_678_912 } else { 45_678_913 },
        name: if kind == EntityKind::Contact { "Иван Петров" } else { "ООО «Ромашка»" }.to_owned(),
        responsible: 1_234_568,
        created_at: BEGAN - 86_400,
        updated_at: BEGAN - 3_600,
        phones: vec![PHONE.to_owned()],
        leads: vec![lead],
    }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(BEGAN + second)
}

fn conversation(party: &str, requested: i64, accepted: Option<i64>, ended: i64) -> Conversation {
    Conversation {
        party: party.to_owned(),
        via: None,
        requested_at: at(requested),
        accepted_at: accepted.map(at),
        ended_at: at(ended),
        talk_seconds: accepted.map_or(0, |accepted| (ended - accepted) as u32),
    }
}

fn talked() -> Call {
    Call {
        id: "1795158307.42".to_owned(),
        linkedids: vec!["1795158307.42".to_owned()],
        direction: Direction::Inbound,
        client: Some(PHONE.to_owned()),
        did: Some("74951234567".to_owned()),
        trunk: Some("msk".to_owned()),
        started_at: at(0),
        answered_at: Some(at(12)),
        ended_at: at(140),
        outcome: Outcome::Talked,
        missed_at: None,
        lost_after: Some(LostAfter::Transfer),
        talk_seconds: 120,
        conversations: vec![conversation("101", 4, Some(12), 40), conversation("102", 44, Some(48), 140)],
        recordings: Vec::new(),
        menus: vec![Menu {
            name: "ivr-1".to_owned(),
            entered_at: at(1),
            digits: None,
            led_to: Some("101".to_owned()),
        }],
        cut: false,
        detail: Detail::Full,
    }
}

fn missed() -> Call {
    Call {
        answered_at: None,
        ended_at: at(34),
        outcome: Outcome::Missed,
        missed_at: Some(MissedAt::Ringing),
        lost_after: None,
        talk_seconds: 0,
        conversations: vec![conversation("101", 4, None, 34), conversation("102", 4, None, 34)],
        ..talked()
    }
}
