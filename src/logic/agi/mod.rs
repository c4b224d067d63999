//! Bytes ↔ the words of AGI, and one session as a state machine.
