//! Each answer of amoCRM has its right behaviour.
