//! What came of a call, where it was missed, how a talk lost its client.

use chrono::{DateTime, Duration, Utc};

use super::{
    Direction, LostAfter, MissedAt, Outcome,
    channel::{Born, Channel},
    client::Client,
    conversation::Talk,
    event::Event,
    story::Story,
};

/// Judgement over a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub outcome: Outcome,
    pub missed_at: Option<MissedAt>,
    pub lost_after: Option<LostAfter>,
}

/// Judges a call whose conversations are known.
pub(super) fn verdict(story: &Story<'_>, client: &Client, talks: &[Talk]) -> Verdict {
    let talked = talks.iter().any(|talk| talk.accepted_at.is_some());
    if talked {
        let lost_after = lost_after(story, client, talks);
        return Verdict { outcome: Outcome::Talked, missed_at: None, lost_after };
    }
    let (outcome, missed_at) = match client.direction {
        Direction::Inbound => (Outcome::Missed, Some(missed_at(story, client, talks))),
        Direction::Outbound => (unanswered(story, client), None),
        Direction::Internal => (refused(story, talks), None),
    };
    Verdict { outcome, missed_at, lost_after: None }
}

/// Outbound, and nobody talked.
fn unanswered(story: &Story<'_>, client: &Client) -> Outcome {
    let lines = client.channels.iter().map(|channel| &story.channels.all[*channel]);
    let Some(line) = lines.max_by_key(|line| (line.start, line.end)) else {
        let root = &story.channels.all[client.root];
        let lifted = story
            .channels
            .iter()
            .any(|(_, channel)| channel.employee().is_some() && channel.answered.is_some());
        return if root.born == Born::Originated && !lifted { Outcome::NotDialed } else { Outcome::Failed };
    };
    let root = &story.channels.all[client.root];
    by_cause(line.cause)
        .or_else(|| by_dialstatus(&root.dialstatus))
        .or_else(|| by_leg(story, line))
        .unwrap_or(Outcome::NoAnswer)
}

/// Q.850 causes as Asterisk maps SIP answers to them: 486 is 17, 603 is 21, 404 is 1, 503 is 34.
fn by_cause(cause: Option<u32>) -> Option<Outcome> {
    match cause? {
        17 => Some(Outcome::Busy),
        // Not there, or would not: the line worked and the number is right.
        16 | 18 | 19 | 20 | 21 | 26 | 31 => Some(Outcome::NoAnswer),
        // Nobody said why.
        0 | 127 => None,
        _ => Some(Outcome::Failed),
    }
}

fn by_dialstatus(status: &str) -> Option<Outcome> {
    match status {
        "BUSY" => Some(Outcome::Busy),
        "CONGESTION" | "CHANUNAVAIL" | "INVALIDARGS" => Some(Outcome::Failed),
        "NOANSWER" | "CANCEL" | "DONTCALL" | "TORTURE" => Some(Outcome::NoAnswer),
        _ => None,
    }
}

fn by_leg(story: &Story<'_>, line: &Channel) -> Option<Outcome> {
    let leg = story.legs.iter().find(|leg| leg.row.dstchannel == line.name)?;
    by_disposition(&leg.row.disposition)
}

/// What a CDR says of a leg that nobody took.
pub(super) fn by_disposition(disposition: &str) -> Option<Outcome> {
    match disposition {
        "BUSY" => Some(Outcome::Busy),
        "FAILED" | "CONGESTION" => Some(Outcome::Failed),
        "NO ANSWER" | "CANCEL" => Some(Outcome::NoAnswer),
        _ => None,
    }
}

/// Internal, and nobody talked.
fn refused(story: &Story<'_>, talks: &[Talk]) -> Outcome {
    let causes = talks.iter().map(|talk| by_cause(story.channels.all[talk.channel].cause));
    if causes.into_iter().any(|outcome| outcome == Some(Outcome::Busy)) {
        Outcome::Busy
    } else {
        Outcome::NoAnswer
    }
}

fn missed_at(story: &Story<'_>, client: &Client, talks: &[Talk]) -> MissedAt {
    let caller = &story.channels.all[client.root];
    let asked: Vec<&Channel> = talks
        .iter()
        .filter(|talk| talk.channel != client.root)
        .map(|talk| &story.channels.all[talk.channel])
        .collect();
    let last_try = asked.iter().map(|channel| channel.start).max();
    let mailbox = last_of(story, "VoiceMail");
    if mailbox.is_some_and(|at| last_try.is_none_or(|tried| tried <= at)) {
        return MissedAt::Voicemail;
    }
    if queued_to_the_end(story, caller, last_try) {
        return MissedAt::Queue;
    }
    if asked.iter().any(|channel| rang(channel)) {
        return MissedAt::Ringing;
    }
    if !talks.is_empty() || !was_in_menu(story, caller) { MissedAt::Unreachable } else { MissedAt::Ivr }
}

/// When an application was last seen to begin.
fn last_of(story: &Story<'_>, app: &str) -> Option<DateTime<Utc>> {
    story
        .events
        .iter()
        .rev()
        .find(|event| event.row.appname == app && !event.is("APP_END"))
        .map(|event| event.at)
}

/// The caller was in a queue when the last phone was tried, or after that.
fn queued_to_the_end(story: &Story<'_>, caller: &Channel, last_try: Option<DateTime<Utc>>) -> bool {
    let by_queue = |event: &&Event<'_>| {
        let own = event.row.uniqueid == caller.uniqueid && event.row.appname == "Queue";
        own || event.row.appname == "AppQueue"
    };
    let Some(first) = story.events.iter().find(by_queue) else {
        return false;
    };
    let own = |event: &&Event<'_>| event.row.uniqueid == caller.uniqueid && event.row.appname == "Queue";
    let left = story.of_type("APP_END").filter(own).map(|event| event.at).last();
    let back = story.of_type("APP_START").filter(own).map(|event| event.at).last();
    let outside = |tried: DateTime<Utc>| {
        tried < first.at || left.is_some_and(|left| left <= tried && back < Some(left))
    };
    !last_try.is_some_and(|tried| outside(tried) && tried > first.at)
}

/// A phone that refused within two seconds for a reason of the network or of its state did not ring.
fn rang(channel: &Channel) -> bool {
    let at_once = channel.end - channel.start <= Duration::seconds(2);
    let refused = channel.cause.is_some_and(|cause| !matches!(cause, 0 | 16 | 18 | 19 | 21 | 26 | 31 | 127));
    !(at_once && refused)
}

/// Applications that wait for the caller's choice.
pub(super) const MENUS: [&str; 7] =
    ["BackGround", "Background", "WaitExten", "Read", "ReadExten", "Directory", "SpeechBackground"];

/// Applications that only tell.
pub(super) const ANNOUNCEMENTS: [&str; 4] = ["Playback", "ControlPlayback", "Festival", "SayAlpha"];

/// The caller left a menu or an announcement. When the PBX ended the call after an announcement, the company was
/// closed.
fn was_in_menu(story: &Story<'_>, caller: &Channel) -> bool {
    let own = || story.events.iter().filter(|event| event.row.uniqueid == caller.uniqueid);
    let heard = |apps: &[&str]| own().any(|event| apps.contains(&event.row.appname.as_str()));
    let in_context = |words: &[&str]| {
        own().any(|event| {
            let dialplan = event.row.context.to_ascii_lowercase();
            words.iter().any(|word| dialplan.contains(word))
        })
    };
    if in_context(&["afterhours", "after-hours", "closed", "night"]) {
        return false;
    }
    let told = heard(&ANNOUNCEMENTS) && !caller.hangup_source.starts_with("dialplan");
    heard(&MENUS) || in_context(&["ivr"]) || told
}

/// The client had talked, and was on the line when nobody was with him any more.
fn lost_after(story: &Story<'_>, client: &Client, talks: &[Talk]) -> Option<LostAfter> {
    let last = talks.iter().filter(|talk| talk.accepted_at.is_some()).map(|talk| talk.ended_at).max()?;
    let left = client.channels.iter().map(|channel| story.channels.all[*channel].end).max()?;
    let moment = Duration::seconds(1);
    if left <= last {
        return None;
    }
    let since = |event: &&Event<'_>| event.at + moment >= last;
    let of_client = |event: &&Event<'_>| {
        story.channels.find(&event.row.uniqueid).is_some_and(|channel| client.channels.contains(&channel))
    };
    if story.of_type("PARK_START").filter(since).any(|event| of_client(&event)) {
        return Some(LostAfter::Park);
    }
    let transferred = story
        .events
        .iter()
        .filter(since)
        .any(|event| (event.is("BLINDTRANSFER") || event.is("ATTENDEDTRANSFER")) && event.at <= left);
    (transferred && left > last).then_some(LostAfter::Transfer)
}
