//! The account as it stands at the start: users, pipelines, fields, and made-up people.

use super::{
    card::Origin,
    faults::next_random,
    model::{Kind, User},
    pipelines::{LOST, Pipeline, Status, WON},
    state::State,
};

const MEN: [&str; 12] = [
    "Александр",
    "Дмитрий",
    "Максим",
    "Сергей",
    "Андрей",
    "Алексей",
    "Артём",
    "Илья",
    "Кирилл",
    "Михаил",
    "Никита",
    "Матвей",
];
const WOMEN: [&str; 12] = [
    "Мария",
    "Ольга",
    "Елена",
    "Наталья",
    "Татьяна",
    "Ирина",
    "Светлана",
    "Юлия",
    "Екатерина",
    "Дарья",
    "Полина",
    "Ксения",
];
const SURNAMES: [&str; 16] = [
    "Иванов",
    "Соколов",
    "Попов",
    "Лебедев",
    "Козлов",
    "Новиков",
    "Морозов",
    "Петров",
    "Волков",
    "Соловьёв",
    "Васильев",
    "Зайцев",
    "Голубев",
    "Виноградов",
    "Богданов",
    "Воробьёв",
];
const FORMS: [&str; 4] = ["ООО", "АО", "ИП", "ГК"];
const COMPANIES: [&str; 12] = [
    "Северный ветер",
    "Домстрой",
    "Вектор",
    "Альтаир",
    "Медтехника",
    "Гранит",
    "Лесторг",
    "Фабрика окон",
    "Чайная миля",
    "Логистика-М",
    "Ремонт и К",
    "Книжный двор",
];
const STAGES: [(&str, &str); 3] =
    [("Первичный контакт", "#99ccff"), ("Переговоры", "#ffff99"), ("Согласование договора", "#ffcc66")];
const REPEAT_STAGES: [(&str, &str); 2] = [("Новое обращение", "#98cbff"), ("В работе", "#fff000")];

/// Fills an empty account.
pub(super) fn fill(state: &mut State, now: i64) {
    state.created_at = now - 400 * 86_400;
    add_users(state);
    add_pipeline(state, "Продажи", true, &STAGES);
    add_pipeline(state, "Повторные обращения", false, &REPEAT_STAGES);
    add_fields(state);
    state.grant_long_lived(now);
    for _ in 0..state.options.seed_contacts {
        add_somebody(state, now);
    }
}

fn add_users(state: &mut State) {
    for (at, name) in state.options.users.clone().into_iter().enumerate() {
        let id = state.next_id();
        state.users.push(User {
            id,
            name,
            email: format!("user{}@example.com", at + 1),
            phone: Some(format!("10{}", at + 1)),
            is_active: true,
            is_admin: at == 0,
        });
    }
}

fn add_pipeline(state: &mut State, name: &str, is_main: bool, stages: &[(&str, &str)]) {
    let id = state.next_id();
    let status = |id: u64, name: &str, color: &str, is_unsorted: bool| Status {
        id,
        name: name.to_owned(),
        color: color.to_owned(),
        is_unsorted,
    };
    let mut statuses = vec![status(state.next_id(), "Неразобранное", "#c1c1c1", true)];
    for (name, color) in stages {
        statuses.push(status(state.next_id(), name, color, false));
    }
    statuses.push(status(WON, "Успешно реализовано", "#CCFF66", false));
    statuses.push(status(LOST, "Закрыто и не реализовано", "#D5D8DB", false));
    state.pipelines.push(Pipeline { id, name: name.to_owned(), is_main, statuses });
}

fn add_fields(state: &mut State) {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let phones = words(&["WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"]);
    let mails = words(&["WORK", "PRIV", "OTHER"]);
    for kind in [Kind::Contact, Kind::Company] {
        state.add_field(kind, "Телефон", Some("PHONE".into()), "multitext", &phones, true);
        state.add_field(kind, "Email", Some("EMAIL".into()), "multitext", &mails, true);
    }
    state.add_field(Kind::Contact, "Должность", Some("POSITION".into()), "text", &[], true);
    state.add_field(Kind::Company, "Web", Some("WEB".into()), "url", &[], true);
    state.add_field(Kind::Company, "Адрес", Some("ADDRESS".into()), "textarea", &[], true);
    state.add_field(Kind::Lead, "Источник", None, "select", &words(&["Звонок", "Сайт", "Реклама"]), false);
    state.add_field(Kind::Lead, "Номер линии", Some("LINE".into()), "text", &[], false);
    state.add_field(Kind::Lead, "Повторный", None, "checkbox", &[], false);
    state.add_field(Kind::Lead, "Секунд разговора", None, "numeric", &[], false);
}

/// One in four is a company; two in three have a lead, and one in five of those is closed.
fn add_somebody(state: &mut State, now: i64) {
    let mut pick = |most: usize| usize::try_from(next_random(&mut state.chance) % most as u64).unwrap_or(0);
    let (is_company, woman) = (pick(4) == 0, pick(2) == 0);
    let (first, last, name, form) = (pick(12), pick(16), pick(12), pick(4));
    let (owner, phones, age) = (pick(state.options.users.len().max(1)), 1 + pick(5) / 4, pick(200 * 86_400));
    let (has_lead, stage, closed) = (pick(3) > 0, pick(STAGES.len()), pick(5) == 0);
    let numbers: Vec<String> = (0..phones)
        .map(|_| spelled(pick(if is_company { 2 } else { 7 }), pick(10_000_000), pick(7)))
        .collect();
    let name = if is_company {
        format!("{} «{}»", FORMS[form], COMPANIES[name])
    } else if woman {
        format!("{} {}а", WOMEN[first], SURNAMES[last])
    } else {
        format!("{} {}", MEN[first], SURNAMES[last])
    };
    let at = now - i64::try_from(age).unwrap_or(0) - 1;
    let origin = Origin { now: at, ..Origin::person(state, now) };
    let owner = state.users.get(owner).map_or(0, |user| user.id);
    let kind = if is_company { Kind::Company } else { Kind::Contact };
    let id = state.add_person(kind, &name, &numbers, owner, origin);
    if has_lead {
        let line = &state.pipelines[0].statuses;
        let status = if closed { LOST } else { line.get(1 + stage).map_or(LOST, |status| status.id) };
        state.add_deal(&format!("Заявка: {name}"), status, &[(kind, id)], owner, origin);
    }
}

/// A number in one of the spellings people use.
fn spelled(code: usize, tail: usize, spelling: usize) -> String {
    let code = ["495", "812", "916", "903", "921", "999", "926"][code];
    let (a, b, c) = (tail / 10_000, tail / 100 % 100, tail % 100);
    match spelling {
        0 => format!("+7 {code} {a:03}-{b:02}-{c:02}"),
        1 => format!("8 ({code}) {a:03}-{b:02}-{c:02}"),
        2 => format!("7{code}{a:03}{b:02}{c:02}"),
        3 => format!("8{code}{a:03}{b:02}{c:02}"),
        4 => format!("+7{code}{a:03}{b:02}{c:02}"),
        5 => format!("({code}) {a:03} {b:02} {c:02}"),
        _ => format!("8-{code}-{a:03}-{b:02}-{c:02}"),
    }
}
