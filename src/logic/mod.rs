//! Decisions without IO: nothing here opens a socket or file, reads a clock or awaits.

pub mod agi;
pub mod ami;
pub mod call;
pub mod crm;
pub mod dialplan;
pub mod directory;
pub mod hours;
mod lines;
pub mod phone;
pub mod retry;
pub mod rules;
pub mod sound;
pub mod template;
