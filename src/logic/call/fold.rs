//! Rows of one call in, the call out.

use super::{Call, CallRows, Context};

/// Tells the call that the rows of one group hold; `None` when they are no call (the AGI watchdog's rows, feature codes).
pub fn fold(rows: &CallRows, context: &Context) -> Option<Call> {
    let _ = (rows, context);
    None
}
