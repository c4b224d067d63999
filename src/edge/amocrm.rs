//! One HTTP client for amoCRM: token, pace and answers in one place.
