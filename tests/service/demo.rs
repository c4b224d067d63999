//! The demo from start to Ctrl-C.
