//! Perezvon ties a company's own Asterisk to its CRM.
//!
//! ```text
//! dialplan AGI() ─▶ edge::fastagi ─▶ logic::agi ─▶ logic::rules::route ◀─ edge::directory ◀─ amoCRM
//! cdr/cel tables ─▶ edge::poller ─▶ logic::call ─▶ logic::rules::plan ─▶ edge::store ─▶ edge::registrar ─▶ amoCRM
//!                                                          recordings ─▶ logic::sound ─┘
//! browser ─▶ edge::web
//! ```
//!
//! * [`settings`] turns `perezvon.toml` and the environment into one typed tree, or every fault at once.
//! * [`logic`] asks nothing and waits for nothing: values in, values out, `now` is an argument.
//! * [`edge`] waits (sockets, files, databases, HTTP, the clock), asks logic, does what it says.
//! * [`serve`] starts the edges that the settings enable and owns the order of stopping.
//! * [`cli`] holds one file a subcommand.
//! * [`sandbox`] is a pretend amoCRM and a pretend PBX, for `perezvon demo` and for the tests.
//! * [`text`] holds what users read, in Russian and English.

pub mod cli;
pub mod edge;
pub mod logic;
pub mod sandbox;
pub mod serve;
pub mod settings;
pub mod text;
