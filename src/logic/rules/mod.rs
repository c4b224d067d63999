//! Call + what the CRM knows + settings → route (while it rings) and plan (when it ended).

pub mod plan;
pub mod route;
