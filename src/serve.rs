//! Settings → running service; owns the order of starting and stopping.
