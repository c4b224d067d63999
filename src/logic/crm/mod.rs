//! Our words ↔ amoCRM's JSON: requests, answers, token, pace.

pub mod answer;
pub mod host;
pub mod pace;
pub mod payload;
pub mod read;
pub mod request;
pub mod token;
pub mod webhook;
