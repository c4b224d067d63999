//! Sync, webhook, live look-up.
