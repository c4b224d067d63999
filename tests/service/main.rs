//! Tests of the running parts: real sockets, real databases, the sandbox in amoCRM's place.
//!
//! Cases that concern the store run on SQLite and, when `PEREZVON_TEST_MYSQL` names a server, on MariaDB too;
//! `tests/run` always sets it.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod admin;
mod ami;
mod amocrm;
mod asterisk_ami;
mod backfill;
mod capture;
mod commands;
mod delivery_lab;
mod demo;
mod desk;
mod dialplan;
mod digits;
mod directory;
mod exactly_once;
mod explain;
mod fastagi;
mod harness;
mod late_rows;
mod latency;
mod pages;
mod poller;
mod recordings;
mod registrar;
mod sandbox_amocrm;
mod store;
#[path = "../logic/switchboard.rs"]
#[expect(dead_code, reason = "the fast tests need more of it")]
mod switchboard;
mod whole;
