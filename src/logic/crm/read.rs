//! JSON of amoCRM → contacts, companies, leads, users, pipelines; lenient about types.
//!
//! amoCRM is written in PHP: an id may come as a string, an empty object as `[]`, a missing list as `null`.
//! Readers here take whatever has the meaning and leave out what has none.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::logic::directory::{EntityKind, OpenLead};

/// Won; the same id in every pipeline.
pub const WON: u64 = 142;
/// Lost; the same id in every pipeline.
pub const LOST: u64 = 143;

/// `GET /api/v4/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Account id.
    pub id: u64,
    /// Name that its users see.
    pub name: String,
    /// First label of the host.
    pub subdomain: String,
    /// The user whose token this is.
    pub current_user: u64,
}

/// A CRM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Login.
    pub email: String,
    /// Whether the user may be responsible for anything.
    pub active: bool,
    /// Whether the user is an administrator.
    pub admin: bool,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Status id; 142 is won and 143 is lost in every pipeline.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Whether this is the stage of unsorted requests, where nothing can be created directly.
    pub unsorted: bool,
}

/// A pipeline with its statuses, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Pipeline id.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Where leads go that name no pipeline.
    pub main: bool,
    /// No longer used.
    pub archived: bool,
    /// In order.
    pub statuses: Vec<Status>,
}

/// A contact or company as the CRM tells it: phones are not canonical yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Contact or company.
    pub kind: EntityKind,
    /// Its id.
    pub id: u64,
    /// Its name; for a contact without one, first and last name.
    pub name: String,
    /// CRM user.
    pub responsible: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Values of PHONE as people typed them.
    pub phones: Vec<String>,
    /// Ids of its leads, open or closed; none when the answer was asked without them.
    pub leads: Option<Vec<u64>>,
    /// In the trash.
    pub deleted: bool,
}

/// A lead and whom it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// What the directory keeps of it.
    pub lead: OpenLead,
    /// Neither won, lost nor deleted.
    pub open: bool,
    /// Contacts; none when the answer was asked without them.
    pub contacts: Option<Vec<u64>>,
    /// Companies.
    pub companies: Vec<u64>,
}

/// A number that may be written as a string.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Text that may be written as a number; empty when there is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A flag that may be written as 0, 1, `"0"`, `"1"`.
pub fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| number(value).is_some_and(|number| number != 0))
}

/// Unix seconds; 0 when absent.
fn seconds(value: &Value) -> i64 {
    number(value).and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0)
}

/// The items of a list: `_embedded.{name}`, empty when the body is `Null` (a 204) or holds none.
pub fn embedded<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body["_embedded"][name].as_array().map_or(&[], Vec::as_slice)
}

/// Whether the list says that there is a next page. It may be wrong both ways: a page as long as its limit is
/// worth one more question, and a promised page may be empty.
pub fn has_next(body: &Value) -> bool {
    body["_links"]["next"]["href"].as_str().is_some_and(|href| !href.is_empty())
}

fn ids(body: &Value, name: &str) -> Option<Vec<u64>> {
    let items = body["_embedded"].get(name)?;
    Some(items.as_array().into_iter().flatten().filter_map(|item| number(&item["id"])).collect())
}

/// `GET /api/v4/account`.
pub fn account(body: &Value) -> Option<Account> {
    Some(Account {
        id: number(&body["id"])?,
        name: text(&body["name"]),
        subdomain: text(&body["subdomain"]),
        current_user: number(&body["current_user_id"]).unwrap_or(0),
    })
}

/// An item of `GET /api/v4/users`.
pub fn user(item: &Value) -> Option<User> {
    let rights = &item["rights"];
    Some(User {
        id: number(&item["id"])?,
        name: text(&item["name"]),
        email: text(&item["email"]),
        // Absent rights mean that we may not see them, not that the user left.
        active: rights.get("is_active").is_none_or(flag),
        admin: flag(&rights["is_admin"]),
    })
}

/// An item of `GET /api/v4/leads/pipelines`.
pub fn pipeline(item: &Value) -> Option<Pipeline> {
    let mut statuses: Vec<(u64, Status)> = embedded(item, "statuses")
        .iter()
        .filter_map(|status| {
            let id = number(&status["id"])?;
            let kind = number(&status["type"]).unwrap_or(0);
            let place = number(&status["sort"]).unwrap_or(0);
            Some((place, Status { id, name: text(&status["name"]), unsorted: kind == 1 }))
        })
        .collect();
    statuses.sort_by_key(|(place, status)| (*place, status.id));
    Some(Pipeline {
        id: number(&item["id"])?,
        name: text(&item["name"]),
        main: flag(&item["is_main"]),
        archived: flag(&item["is_archive"]),
        statuses: statuses.into_iter().map(|(_, status)| status).collect(),
    })
}

/// A contact or company, from a list or by id.
pub fn entity(kind: EntityKind, item: &Value) -> Option<Entity> {
    let mut name = text(&item["name"]).trim().to_owned();
    if name.is_empty() {
        name = format!("{} {}", text(&item["first_name"]), text(&item["last_name"])).trim().to_owned();
    }
    Some(Entity {
        kind,
        id: number(&item["id"])?,
        name,
        responsible: number(&item["responsible_user_id"]).unwrap_or(0),
        created_at: seconds(&item["created_at"]),
        updated_at: seconds(&item["updated_at"]),
        phones: phones(&item["custom_fields_values"]),
        leads: ids(item, "leads"),
        deleted: flag(&item["is_deleted"]),
    })
}

/// The values of every PHONE field; `null` and `[]` hold none.
fn phones(fields: &Value) -> Vec<String> {
    let of_phone = |field: &&Value| field["field_code"].as_str() == Some("PHONE");
    fields
        .as_array()
        .into_iter()
        .flatten()
        .filter(of_phone)
        .flat_map(|field| field["values"].as_array().into_iter().flatten())
        .map(|value| text(&value["value"]))
        .filter(|phone| !phone.trim().is_empty())
        .collect()
}

/// A lead, from a list or by id.
pub fn lead(item: &Value) -> Option<Lead> {
    let status = number(&item["status_id"]).unwrap_or(0);
    let deleted = flag(&item["is_deleted"]);
    Some(Lead {
        lead: OpenLead {
            id: number(&item["id"])?,
            pipeline: number(&item["pipeline_id"]).unwrap_or(0),
            status,
            responsible: number(&item["responsible_user_id"]).unwrap_or(0),
            created_at: seconds(&item["created_at"]),
            updated_at: seconds(&item["updated_at"]),
        },
        open: !deleted && status != WON && status != LOST,
        contacts: ids(item, "contacts"),
        companies: ids(item, "companies").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_may_be_strings_and_objects_may_be_lists() {
        let item = json!({
            "id": "17", "name": "Анна", "responsible_user_id": 3.0, "created_at": "1700000000", "updated_at": 5,
            "custom_fields_values": [
                {"field_code": "EMAIL", "values": [{"value": "a@b.ru"}]},
                {"field_code": "PHONE", "values": [{"value": "8 (916) 123-45-67"}, {"value": 79031112233u64}, {"value": ""}]},
                {"field_code": "PHONE", "values": []}
            ],
            "_embedded": []
        });
        let read = entity(EntityKind::Contact, &item).unwrap();
        assert_eq!((read.id, read.responsible, read.created_at), (17, 3, 1_700_000_000));
        assert_eq!(read.phones, ["8 (916) 123-45-67", "79031112233"]);
        assert_eq!(read.leads, None);
        let bare = json!({"id": 1, "custom_fields_values": null, "first_name": "Анна", "_embedded": {"leads": [{"id": 5}]}});
        let read = entity(EntityKind::Contact, &bare).unwrap();
        assert_eq!((read.name.as_str(), read.leads), ("Анна", Some(vec![5])));
        assert!(entity(EntityKind::Contact, &json!([])).is_none());
    }

    #[test]
    fn won_lost_and_deleted_leads_are_not_open() {
        let with = |status: u64, deleted: bool| {
            lead(&json!({"id": 1, "status_id": status, "is_deleted": deleted})).unwrap().open
        };
        assert!(with(77, false));
        assert!(!with(WON, false) && !with(LOST, false) && !with(77, true));
    }

    #[test]
    fn an_empty_answer_is_an_empty_list() {
        assert!(embedded(&Value::Null, "contacts").is_empty());
        assert!(!has_next(&Value::Null));
    }

    #[test]
    fn statuses_stand_in_order_and_a_user_without_rights_shown_is_active() {
        let item = json!({"id": 1, "name": "Воронка", "is_main": true, "_embedded": {"statuses": [
            {"id": 143, "name": "Закрыто", "sort": 11000, "type": 0},
            {"id": 9, "name": "Неразобранное", "sort": 10, "type": 1},
            {"id": 10, "name": "Первый", "sort": 20, "type": 0}]}});
        let ids: Vec<u64> = pipeline(&item).unwrap().statuses.iter().map(|status| status.id).collect();
        assert_eq!(ids, [9, 10, 143]);
        assert!(user(&json!({"id": 1, "name": "Анна"})).unwrap().active);
        assert!(!user(&json!({"id": 1, "rights": {"is_active": false}})).unwrap().active);
    }
}
