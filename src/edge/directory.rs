//! The directory kept fresh from amoCRM, and live look-ups while a caller waits.
