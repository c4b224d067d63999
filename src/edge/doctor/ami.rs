//! Asterisk's manager interface: reachable, and lets the account in.
//!
//! Whether the account may hear of hang-ups no action tells (seen on 16.28 and 22.10): the running service finds it out at
//! the first calls and says so on its board.

use super::Notes;
use crate::{
    edge::ami::{AmiFailure, Line, News},
    logic::ami::Ending,
    settings::Settings,
};

/// Logs in and goes again.
pub(super) async fn manager(settings: &Settings, notes: &mut Notes<'_>) {
    let ami = &settings.ami;
    if ami.address.is_empty() {
        return notes.off("ami", "check.ami_off", &[]);
    }
    let values = [("address", ami.address.as_str()), ("username", ami.username.as_str())];
    let version = async {
        let mut line = Line::open(ami).await?;
        loop {
            if let News::In(version) = line.news().await? {
                return Ok(version);
            }
        }
    };
    match version.await {
        Ok(version) => notes.ok("ami", "check.ami", &[values[0], values[1], ("version", &version)]),
        Err(AmiFailure::Ended { ending: Ending::InUse, .. }) => {
            notes.warn("ami", "check.ami_in_use", &values)
        }
        Err(failure) => notes.fault("ami", "check.ami_bad", &[("error", &failure.to_string())]),
    }
}
