//! Tests of decisions: no socket, file server or clock. Plain `cargo test` runs them all.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod ami;
mod calls;
mod captures;
mod dialogues;
mod directory;
mod elsewhere;
mod happenings;
mod hours;
mod menus;
mod pbx;
mod phones;
mod plans;
mod properties;
mod purity;
mod restarts;
mod settings;
mod shapes;
mod sounds;
mod switchboard;
mod templates;
mod truth;
