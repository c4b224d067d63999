//! Rows in a real database become calls.
