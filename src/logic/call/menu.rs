//! Menus that the caller stood in, and where each led.
//!
//! A menu is a dialplan context: one that is named so (`ivr-1`, `main-menu`), or any in which his channel ran an
//! application that waits for a choice. CEL tells of it by the places (context, extension) its rows were written at;
//! what was pressed only by `DTMF` events (Asterisk 18 and later, `events=all`) or by the extension within the menu.
//! Whether digits are in the rows at all is decided before, see [`digits`](super::digits).

use super::{
    Direction, Menu,
    cdr_only::Legs,
    client::Client,
    digits::{HIDDEN, is_menu_context, is_typed},
    event::Event,
    fold::is_number,
    outcome::MENUS,
    story::Story,
};

/// More is no choice from a menu but something entered there, and only its length is told.
const LONGEST_CHOICE: usize = 5;

/// Menus of the one who called, in order of time.
pub(super) fn menus(story: &Story<'_>, client: &Client) -> Vec<Menu> {
    if client.direction != Direction::Inbound {
        return Vec::new();
    }
    let caller = story.channels.all[client.root].uniqueid.as_str();
    let mut menus: Vec<Menu> = Vec::new();
    let mut inside = false;
    for event in story.events.iter().filter(|event| event.row.uniqueid == caller) {
        let row = event.row;
        if is_menu_context(&row.context) || MENUS.contains(&row.appname.as_str()) {
            if !inside || menus.last().is_some_and(|menu| menu.name != row.context) {
                lead_to(&mut menus, &row.context);
                menus.push(Menu {
                    name: row.context.clone(),
                    entered_at: event.at,
                    digits: None,
                    led_to: None,
                });
                inside = true;
            }
            if let Some(menu) = menus.last_mut() {
                press(menu, event);
            }
        } else if let Some(place) = place(&row.context, &row.exten) {
            lead_to(&mut menus, place);
            inside = false;
        }
    }
    menus.iter_mut().for_each(shorten);
    menus
}

/// The same by CDR alone, which tells the last menu of a leg and nothing that was pressed.
pub(super) fn menus_by_cdr(legs: &Legs<'_>) -> Vec<Menu> {
    if legs.direction != Direction::Inbound {
        return Vec::new();
    }
    let mut menus: Vec<Menu> = Vec::new();
    for leg in legs.legs.iter().filter(|leg| leg.row.channel == legs.root.row.channel) {
        let row = leg.row;
        if row.dstchannel.is_empty()
            && (is_menu_context(&row.dcontext) || MENUS.contains(&row.lastapp.as_str()))
        {
            lead_to(&mut menus, &row.dcontext);
            let name = row.dcontext.clone();
            menus.push(Menu { name, entered_at: leg.start, digits: None, led_to: None });
        } else if let Some(place) = place(&row.dcontext, &row.dst) {
            lead_to(&mut menus, place);
        }
    }
    menus
}

/// The last menu led there, unless it led elsewhere before; a number tells more than a context.
fn lead_to(menus: &mut [Menu], place: &str) {
    let open = |menu: &&mut Menu| match &menu.led_to {
        None => true,
        Some(before) => !is_number(before) && is_number(place),
    };
    if let Some(menu) = menus.last_mut().filter(open) {
        menu.led_to = Some(place.to_owned());
    }
}

/// What a person would call this place of the dialplan: the number it stands for, else its context. Subroutines are
/// no places.
fn place<'a>(context: &'a str, exten: &'a str) -> Option<&'a str> {
    let passing = ["macro-", "sub-", "func-"].iter().any(|start| context.starts_with(start));
    if passing || context.is_empty() {
        return None;
    }
    Some(if is_number(exten) { exten } else { context })
}

/// Each digit as it was pressed; without such events, the extension that it led to.
fn press(menu: &mut Menu, event: &Event<'_>) {
    if event.is("DTMF") {
        let digit = event.row.digit().filter(|digit| *digit != HIDDEN);
        menu.digits.get_or_insert_default().push_str(digit.unwrap_or_default());
        return;
    }
    let row = event.row;
    let dialled = event.is("CHAN_START") || row.exten == row.cid_dnid;
    if is_typed(&row.exten) && !dialled && menu.digits.is_none() {
        menu.digits = Some(row.exten.clone());
    }
}

fn shorten(menu: &mut Menu) {
    let count = menu.digits.as_deref().unwrap_or_default().chars().count();
    if count == 0 {
        menu.digits = None;
    } else if count > LONGEST_CHOICE {
        menu.digits = Some(HIDDEN.repeat(count));
    }
}
