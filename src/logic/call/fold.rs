//! Rows of one call in, the call out.

use chrono::{DateTime, Utc};

use super::{
    Call, CallRows, Context, Detail, Direction, bridge, cdr_only,
    client::{self, Client},
    conversation::{self, Talk},
    cut, menu, outcome, party, recording,
    story::{self, Story},
};

/// Tells the call that the rows of one group hold; `None` when they are no call (the AGI watchdog's rows, feature codes).
pub fn fold(rows: &CallRows, context: &Context) -> Option<Call> {
    let rows = story::clean(rows);
    let story = Story::of(&rows, context);
    if story.channels.all.is_empty()
        || (story.of_type("BRIDGE_ENTER").next().is_none() && cdr_only::talked(&story))
    {
        return cdr_only::fold(&rows, &story);
    }
    full(&rows, &story)
}

fn full(rows: &CallRows, story: &Story<'_>) -> Option<Call> {
    let client = client::client(story)?;
    let bridged = bridge::replay(&story.events, &story.channels, &client.channels);
    let mut talks = conversation::talks(story, &client, &bridged);
    let verdict = outcome::verdict(story, &client, &talks);
    let recordings = recording::recordings(story, &client, &bridged, &talks);
    let talk_seconds = bridge::total(&bridge::union(talks.iter().flat_map(|talk| &talk.spans)));
    let answered_at = talks.iter().filter_map(|talk| talk.accepted_at).min();
    if client.direction == Direction::Internal {
        talks.insert(0, caller(story, &client, answered_at)?);
    }
    let (started_at, ended_at) = span(story)?;
    let linkedids = rows.linkedids();
    Some(Call {
        id: linkedids.first()?.clone(),
        linkedids,
        direction: client.direction,
        client: client.number.clone(),
        did: did(story, &client),
        trunk: trunk(story, &client),
        started_at,
        answered_at,
        ended_at,
        outcome: verdict.outcome,
        missed_at: verdict.missed_at,
        lost_after: verdict.lost_after,
        talk_seconds,
        conversations: talks.iter().map(Talk::told).collect(),
        recordings,
        menus: menu::menus(story, &client),
        cut: cut::is_cut(story),
        detail: Detail::Full,
    })
}

/// The one who called among employees: named, but his time counts with the other's.
fn caller(story: &Story<'_>, client: &Client, answered_at: Option<DateTime<Utc>>) -> Option<Talk> {
    let index = *client.channels.first()?;
    let channel = &story.channels.all[index];
    Some(Talk {
        party: party::party(story, index),
        via: None,
        requested_at: channel.start,
        accepted_at: answered_at,
        ended_at: channel.end,
        spans: Vec::new(),
        channel: index,
    })
}

fn span(story: &Story<'_>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let start = story.channels.all.iter().map(|channel| channel.start).min()?;
    let end = story.channels.all.iter().map(|channel| channel.end).max()?;
    Some((start, end.max(start)))
}

fn did(story: &Story<'_>, client: &Client) -> Option<String> {
    if client.direction != Direction::Inbound {
        return None;
    }
    let channel = &story.channels.all[client.root];
    let of_channel = story.legs.iter().filter(|leg| leg.row.uniqueid == channel.uniqueid);
    let set = of_channel.map(|leg| leg.row.did.as_str());
    let own = story.events.iter().filter(|event| event.row.uniqueid == channel.uniqueid);
    let named = own.map(|event| event.row.cid_dnid.as_str());
    set.chain([channel.began_at.0.as_str()])
        .chain(named)
        .map(str::trim)
        .find(|did| is_number(did))
        .map(str::to_owned)
}

/// Digits, maybe after a plus: not `s`, `h` or a word.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn trunk(story: &Story<'_>, client: &Client) -> Option<String> {
    let lines = client.channels.iter().map(|channel| &story.channels.all[*channel]);
    let line = lines.max_by_key(|line| (line.answered.is_some(), line.start))?;
    line.trunk().filter(|_| client.direction != Direction::Internal).map(str::to_owned)
}
