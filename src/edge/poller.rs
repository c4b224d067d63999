//! New rows → finished calls → the store.
