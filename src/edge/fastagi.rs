//! TCP listener → one task a call → `logic::agi`.
