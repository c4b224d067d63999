//! Byte-exact AGI conversations.
