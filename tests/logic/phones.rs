//! Any spelling, one number.
