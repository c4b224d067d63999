//! Which path does what: the API's table of contents.

use super::{
    account, answer::Answer, ask::Ask, calls, complex, contacts, custom_fields, events, leads, links, notes,
    pipelines, popups, sources, state::State, tags, tasks, unsorted, unsorted_decisions, users, webhooks,
};

type Act = fn(&mut State, &Ask) -> Answer;
type Choices = &'static [(&'static str, Act)];

/// Finds the function of a path and method and lets it answer.
pub(super) fn answer(state: &mut State, mut ask: Ask) -> Answer {
    let path = ask.path.clone();
    let choices = match path.strip_prefix("/api/v4/") {
        Some(rest) => {
            ask.segments = rest.split('/').map(str::to_owned).collect();
            choices(&rest.split('/').collect::<Vec<_>>())
        }
        None if path == "/api/v2/events" => Some(&[("POST", popups::create as Act)] as Choices),
        None => None,
    };
    let Some(choices) = choices else {
        return Answer::no_such_path(&ask.method, &format!("{}{path}", state.base));
    };
    match choices.iter().find(|(method, _)| *method == ask.method) {
        Some((_, act)) => act(state, &ask),
        None => Answer::wrong_method(),
    }
}

fn choices(segments: &[&str]) -> Option<Choices> {
    match segments {
        ["account"] => Some(&[("GET", account::show)]),
        ["users"] => Some(&[("GET", users::list)]),
        ["users", _] => Some(&[("GET", users::show)]),
        ["calls"] => Some(&[("POST", calls::create)]),
        ["events"] => Some(&[("GET", events::list)]),
        ["webhooks"] => {
            Some(&[("GET", webhooks::list), ("POST", webhooks::subscribe), ("DELETE", webhooks::unsubscribe)])
        }
        ["sources"] => Some(&[("GET", sources::list), ("POST", sources::create), ("PATCH", sources::change)]),
        ["sources", _] => {
            Some(&[("GET", sources::show), ("PATCH", sources::change), ("DELETE", sources::delete)])
        }
        ["tasks"] => Some(&[("GET", tasks::list), ("POST", tasks::create), ("PATCH", tasks::change_many)]),
        ["tasks", _] => {
            Some(&[("GET", tasks::show), ("PATCH", tasks::change_one), ("DELETE", tasks::delete)])
        }
        ["leads", rest @ ..] => lead_choices(rest).or_else(|| card_choices(rest, true)),
        ["contacts" | "companies", rest @ ..] => card_choices(rest, false),
        _ => None,
    }
}

/// Paths that only leads have.
fn lead_choices(segments: &[&str]) -> Option<Choices> {
    match segments {
        ["complex"] => Some(&[("POST", complex::create)]),
        ["loss_reasons"] => Some(&[("GET", leads::loss_reasons)]),
        ["pipelines"] => Some(&[("GET", pipelines::list)]),
        ["pipelines", _] => Some(&[("GET", pipelines::show)]),
        ["pipelines", _, "statuses"] => Some(&[("GET", pipelines::statuses)]),
        ["pipelines", _, "statuses", _] => Some(&[("GET", pipelines::status)]),
        // Making one here, without a category, is a 405 (3.13).
        ["unsorted"] => Some(&[("GET", unsorted::list)]),
        ["unsorted", "sip" | "forms"] => Some(&[("POST", unsorted::create)]),
        ["unsorted", "summary"] => Some(&[("GET", unsorted_decisions::summary)]),
        ["unsorted", _] => Some(&[("GET", unsorted::show)]),
        ["unsorted", _, "accept"] => Some(&[("POST", unsorted_decisions::accept)]),
        ["unsorted", _, "decline"] => Some(&[("DELETE", unsorted_decisions::decline)]),
        ["unsorted", _, "link"] => Some(&[("POST", unsorted_decisions::link)]),
        _ => None,
    }
}

/// Paths that contacts, companies and leads share.
fn card_choices(segments: &[&str], of_leads: bool) -> Option<Choices> {
    let is_id = |word: &str| word.parse::<u64>().is_ok();
    match segments {
        [] if of_leads => {
            Some(&[("GET", leads::list), ("POST", leads::create), ("PATCH", leads::change_many)])
        }
        [] => Some(&[("GET", contacts::list), ("POST", contacts::create), ("PATCH", contacts::change_many)]),
        ["custom_fields"] => Some(&[("GET", custom_fields::list), ("POST", custom_fields::create)]),
        ["custom_fields", _] => Some(&[("GET", custom_fields::show)]),
        ["tags"] => Some(&[("GET", tags::list), ("POST", tags::create)]),
        ["links"] => Some(&[("GET", links::list)]),
        ["link"] => Some(&[("POST", links::link)]),
        ["unlink"] => Some(&[("POST", links::unlink)]),
        ["notes"] => note_list(),
        ["notes", _] => one_note(),
        [id] if of_leads && is_id(id) => Some(&[("GET", leads::show), ("PATCH", leads::change_one)]),
        [id] if is_id(id) => Some(&[("GET", contacts::show), ("PATCH", contacts::change_one)]),
        [id, "links"] if is_id(id) => Some(&[("GET", links::list)]),
        [id, "link"] if is_id(id) => Some(&[("POST", links::link)]),
        [id, "unlink"] if is_id(id) => Some(&[("POST", links::unlink)]),
        [id, "notes"] if is_id(id) => note_list(),
        [id, "notes", _] if is_id(id) => one_note(),
        [id, "notes", _, "pin" | "unpin"] if is_id(id) => Some(&[("POST", notes::pin)]),
        _ => None,
    }
}

fn note_list() -> Option<Choices> {
    Some(&[("GET", notes::list), ("POST", notes::create), ("PATCH", notes::change_many)])
}

fn one_note() -> Option<Choices> {
    Some(&[("GET", notes::show), ("PATCH", notes::change_one)])
}
