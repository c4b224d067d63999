//! Real calls' rows against what a person saw.
