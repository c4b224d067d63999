//! Everything that waits: each edge is a short loop that waits for one thing, asks [`crate::logic`] and does what it says.

pub mod ami;
pub mod amocrm;
pub mod clock;
pub mod dialplan;
pub mod directory;
pub mod doctor;
pub mod fastagi;
pub mod hangups;
pub mod metrics;
pub mod pbx_database;
pub mod poller;
pub mod recordings;
pub mod registrar;
pub mod routing;
pub mod status;
pub mod store;
pub mod web;
