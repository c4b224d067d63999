//! Any spelling of a phone number becomes one canonical number.
