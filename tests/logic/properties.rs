//! What holds for any rows.
