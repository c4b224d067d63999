//! Whether Asterisk ever told a call's end.

use chrono::Duration;

use super::{channel::Channel, story::Story};

/// A leg ends within this of its channel's last event: both tables round to seconds.
const MOMENT: Duration = Duration::seconds(2);

/// A party's channel has neither an end event nor a leg that lasted to its last one: Asterisk was killed, or it goes on.
/// A table that is told of no ends at all proves nothing as long as CDR knows the channel.
pub(super) fn is_cut(story: &Story<'_>) -> bool {
    story.channels.iter().any(|(_, channel)| channel.is_real() && !has_end(story, channel))
}

fn has_end(story: &Story<'_>, channel: &Channel) -> bool {
    let mut own = story.events.iter().filter(|event| event.row.uniqueid == channel.uniqueid);
    if own.any(|event| event.is("CHAN_END") || event.is("HANGUP")) {
        return true;
    }
    story.legs.iter().any(|leg| {
        let named = leg.row.channel == channel.name || leg.row.dstchannel == channel.name;
        named && leg.end + MOMENT >= channel.end
    })
}
