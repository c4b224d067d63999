//! Requests so far + now → go, or wait until.
