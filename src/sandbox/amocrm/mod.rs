//! A strict pretend amoCRM: refuses whatever the real one would refuse.
//!
//! `perezvon demo` shows it to people, and the service tests stand on its other side. Section numbers in the comments are
//! those of the API reference it was built on; where that is unsure, the sandbox takes the stricter reading.
//!
//! A request passes the door (limits, faults, sign-in), is found in the table of routes, and is carried out by one
//! function over the account's state, under one lock: what it answers is what it did, also when the answer is then lost on purpose.

mod account;
mod answer;
mod ask;
mod calls;
mod card;
mod complex;
mod contacts;
mod custom_fields;
mod door;
mod events;
mod faults;
mod fields;
mod handle;
mod hook_forms;
mod hook_sender;
mod inspect;
mod kind;
mod leads;
mod limits;
mod links;
mod listing;
mod model;
mod note_params;
mod notes;
mod oauth;
mod options;
mod pages;
mod pipelines;
mod popups;
mod routes;
mod seed;
mod socket;
mod sources;
mod state;
mod tags;
mod tasks;
mod unsorted;
mod unsorted_decisions;
mod unsorted_metadata;
mod users;
mod validation;
mod webhooks;

pub use faults::{ActiveRule, Fault, Faults, Rule, Toggles, When};
pub use handle::{Edit, Handle, Sandbox};
pub use model::{CallNote, Contact, Kind, Lead, Link, Logged, Note, Popup, Task, Unsorted, User};
pub use options::{Integration, Limits, Options};
