//! The only reader of the time: everything else is told it.

use chrono::{DateTime, Utc};

/// The time now, UTC.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
