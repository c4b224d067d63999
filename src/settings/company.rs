//! `[numbers]`, `[employees]`, `[trunks]`: who is inside, and how numbers are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hours::OwnHours;

/// One ordered replacement of a number's spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// Regular expression over the digits as they came.
    pub pattern: String,
    /// What stands there instead; `$1` is the first group.
    pub replace: String,
}

/// `[numbers]`: spelling of phone numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Numbers {
    /// Two letters; decides what `8…` and ten digits mean.
    pub country: String,
    /// Put before seven-digit numbers, `495`; empty means such numbers stay unknown.
    pub area_code: String,
    /// Which numbers are extensions, a regular expression over the whole number.
    pub internal: String,
    /// Applied in order before a number is read.
    pub replacements: Vec<Replacement>,
    /// Employees' mobiles, `"+79031112233" = "101"`: never taken for clients.
    pub mobiles: BTreeMap<String, String>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            country: "RU".to_owned(),
            area_code: String::new(),
            internal: r"\d{2,5}".to_owned(),
            replacements: Vec::new(),
            mobiles: BTreeMap::new(),
        }
    }
}

/// An employee: `"101" = 12345` or `"101" = { user = 12345, name = "Анна", hours = { mon-fri = "10:00-19:00" } }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "EmployeeForm")]
pub struct Employee {
    /// amoCRM user id.
    pub user: u64,
    /// Shown on pages when the CRM's name is not known.
    pub name: String,
    /// Own working time; none means the company's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<OwnHours>,
}

impl Employee {
    /// With the company's working time.
    pub fn new(user: u64, name: impl Into<String>) -> Self {
        Self { user, name: name.into(), hours: None }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EmployeeForm {
    Id(u64),
    Table {
        user: u64,
        #[serde(default)]
        name: String,
        #[serde(default)]
        hours: Option<Box<OwnHours>>,
    },
}

impl From<EmployeeForm> for Employee {
    fn from(form: EmployeeForm) -> Self {
        match form {
            EmployeeForm::Id(user) => Self::new(user, ""),
            EmployeeForm::Table { user, name, hours } => {
                Self { user, name, hours: hours.map(|hours| *hours) }
            }
        }
    }
}

/// A trunk, found by endpoint name (`PJSIP/trunk-…` is `trunk`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trunk {
    /// Shown to people.
    pub name: String,
}
