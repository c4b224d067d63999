//! Who is found under a number.
