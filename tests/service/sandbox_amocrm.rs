//! The sandbox refuses what amoCRM refuses.
