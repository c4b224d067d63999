//! What came of a call, judged by CDR alone.

use chrono::Duration;

use super::{
    Direction, LostAfter, MissedAt, Outcome,
    cdr_only::Legs,
    channel::Side,
    conversation::Talk,
    leg::Leg,
    outcome::{MENUS, Verdict, by_disposition},
};

/// Judges the legs; none when they are no call (a feature code, an employee listening to his mailbox).
pub(super) fn verdict(legs: &Legs<'_>, talks: &[Talk]) -> Option<Verdict> {
    if talks.iter().any(|talk| talk.accepted_at.is_some()) {
        let lost_after = lost_after(legs, talks);
        return Some(Verdict { outcome: Outcome::Talked, missed_at: None, lost_after });
    }
    let (outcome, missed_at) = match legs.direction {
        Direction::Inbound => (Outcome::Missed, Some(missed_at(legs, talks))),
        Direction::Outbound => (unanswered(legs), None),
        Direction::Internal => (refused(legs, talks)?, None),
    };
    Some(Verdict { outcome, missed_at, lost_after: None })
}

fn unanswered(legs: &Legs<'_>) -> Outcome {
    let tried = legs.legs.iter().filter(|leg| legs.clients.contains(leg.row.dstchannel.as_str()));
    match tried.max_by_key(|leg| leg.start) {
        Some(leg) => by_disposition(&leg.row.disposition).unwrap_or(Outcome::NoAnswer),
        None if legs.root.row.lastapp == "AppDial2" || legs.root.row.channel.starts_with("Local/") => {
            Outcome::NotDialed
        }
        None => Outcome::Failed,
    }
}

fn refused(legs: &Legs<'_>, talks: &[Talk]) -> Option<Outcome> {
    let tried = legs.context.is_extension(&legs.root.row.dst) && legs.root.row.disposition != "ANSWERED";
    if talks.is_empty() && !tried {
        return None;
    }
    Some(
        by_disposition(&legs.root.row.disposition)
            .filter(|outcome| *outcome == Outcome::Busy)
            .unwrap_or(Outcome::NoAnswer),
    )
}

fn missed_at(legs: &Legs<'_>, talks: &[Talk]) -> MissedAt {
    let own = || legs.legs.iter().filter(|leg| legs.is_of_client(leg));
    let last = |wanted: &dyn Fn(&Leg<'_>) -> bool| own().filter(|leg| wanted(leg)).map(|leg| leg.start).max();
    let is_queue = |leg: &Leg<'_>| leg.row.lastapp == "Queue" || leg.row.dcontext.contains("queue");
    let ring = last(&|leg| {
        let of_client = !matches!(legs.calling(leg), Side::Local);
        of_client && !leg.row.dstchannel.is_empty() && !is_queue(leg)
    });
    let mailbox = last(&|leg| leg.row.lastapp == "VoiceMail");
    if mailbox.is_some_and(|mailbox| ring.is_none_or(|ring| ring <= mailbox)) {
        return MissedAt::Voicemail;
    }
    if last(&is_queue).is_some_and(|queued| ring.is_none_or(|ring| ring <= queued)) {
        return MissedAt::Queue;
    }
    let refused = |leg: &Leg<'_>| ["BUSY", "FAILED", "CONGESTION"].contains(&leg.row.disposition.as_str());
    if own().any(|leg| !leg.row.dstchannel.is_empty() && !refused(leg)) {
        return MissedAt::Ringing;
    }
    let in_menu =
        own().any(|leg| MENUS.contains(&leg.row.lastapp.as_str()) || leg.row.dcontext.starts_with("ivr"));
    if talks.is_empty() && in_menu { MissedAt::Ivr } else { MissedAt::Unreachable }
}

fn lost_after(legs: &Legs<'_>, talks: &[Talk]) -> Option<LostAfter> {
    let (last, accepted) = talks.iter().filter_map(|talk| Some((talk.ended_at, talk.accepted_at?))).max()?;
    let since = last - Duration::seconds(1);
    let own = legs.legs.iter().filter(|leg| legs.clients.contains(leg.row.channel.as_str()));
    // The row of a busy colleague, to whom the client was transferred, has no length.
    let refused = |leg: &Leg<'_>| {
        let row = leg.row;
        !row.dstchannel.is_empty() && row.disposition != "ANSWERED" && leg.start > accepted
    };
    let later: Vec<&Leg<'_>> =
        own.filter(|leg| leg.start >= since && (leg.end > last || refused(leg))).collect();
    // The `h` extension leaves a row without length.
    let newest = later.iter().filter(|leg| leg.end > leg.start).max_by_key(|leg| leg.start);
    if newest.is_some_and(|leg| ["Park", "ParkedCall"].contains(&leg.row.lastapp.as_str())) {
        return Some(LostAfter::Park);
    }
    let waited = |leg: &&&Leg<'_>| {
        !leg.row.dstchannel.is_empty() || ["VoiceMail", "Queue", "Dial"].contains(&leg.row.lastapp.as_str())
    };
    later.iter().any(|leg| waited(&leg)).then_some(LostAfter::Transfer)
}
