//! Attempts + now → next try, or give up.
