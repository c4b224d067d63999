//! Status + body → what the caller must do next.
