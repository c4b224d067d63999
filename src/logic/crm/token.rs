//! Token + now → use it, or refresh it first.
