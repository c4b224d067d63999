//! The time zone of this machine, for companies that name none.

use std::sync::LazyLock;

use chrono_tz::Tz;

/// As `TZ` says, else as the system is set; UTC when neither is a zone with a name.
pub(super) fn of_this_machine() -> Tz {
    static ZONE: LazyLock<Tz> = LazyLock::new(|| {
        let variable = std::env::var("TZ").ok();
        let named = variable.and_then(|name| name.trim_start_matches(':').parse().ok());
        let system = || iana_time_zone::get_timezone().ok()?.parse().ok();
        named.or_else(system).unwrap_or(Tz::UTC)
    });
    *ZONE
}
