//! File and environment become [`Settings`](super::Settings), or every fault at once.
