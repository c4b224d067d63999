//! Planned actions → amoCRM, each exactly once.
