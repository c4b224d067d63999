//! Actions → JSON that amoCRM accepts.
