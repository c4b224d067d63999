//! The best call that CDR alone can give.

use super::{Call, CallRows, story::Story};

/// Whether a leg looks like a talk.
pub(super) fn talked(story: &Story<'_>) -> bool {
    story.legs.iter().any(|leg| leg.may_be_talk())
}

/// Tells the call from its legs; none when they are no call.
pub(super) fn fold(rows: &CallRows, story: &Story<'_>) -> Option<Call> {
    let _ = (rows, story);
    None
}
