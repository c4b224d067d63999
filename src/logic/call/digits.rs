//! Digits that people press during a call, kept out of the rows.
//!
//! Asterisk 18 and later writes every digit into CEL (`DTMF`), also those of PINs, cards and mailboxes; the extension
//! of a row tells what was chosen in a menu. The rows are cleared of both as they are read, so that nothing later,
//! the store least of all, ever has them.
//!
//! With `[pbx] ivr_digits` what is pressed in menus stays: a digit while the channel runs an application that waits for
//! a choice (`BackGround`, `WaitExten`), or `Read` within a context named `ivr` or `menu`. Digits of a talk, of a mailbox
//! and of `Authenticate` never stay.

use super::{Call, CallRows, CdrRow, CelRow, outcome::MENUS};

/// Stands where a digit was.
pub const HIDDEN: &str = "•";

/// Applications that take down what somebody enters, to look at it later: a choice only within a menu.
const ENTRIES: [&str; 2] = ["Read", "ReadExten"];

/// Clears an event of what was pressed; `ivr_digits` is the setting.
pub fn hide_in_cel(row: &mut CelRow, ivr_digits: bool) {
    let in_menu = is_menu_context(&row.context);
    if row.eventtype == "DTMF" {
        let entry = ENTRIES.contains(&row.appname.as_str());
        let choice = if entry { in_menu } else { MENUS.contains(&row.appname.as_str()) };
        if !(ivr_digits && choice) {
            row.extra = format!(r#"{{"digit":"{HIDDEN}"}}"#);
        }
    }
    // The number that was dialled stands there, too, until something is pressed.
    let dialled = row.eventtype == "CHAN_START" || row.exten == row.cid_dnid;
    if in_menu && !dialled && !ivr_digits && is_typed(&row.exten) {
        HIDDEN.clone_into(&mut row.exten);
    }
}

/// The same for a leg that ended in a menu.
pub fn hide_in_cdr(row: &mut CdrRow, ivr_digits: bool) {
    // A table without `did` has the dialled number nowhere else.
    let dialled = row.dst == row.did || (row.did.is_empty() && row.dst.len() > LONGEST_EXTENSION);
    if is_menu_context(&row.dcontext) && !dialled && !ivr_digits && is_typed(&row.dst) {
        HIDDEN.clone_into(&mut row.dst);
    }
}

/// The same for a call that was kept while the setting was another one.
pub fn hide_in_call(call: &mut Call, rows: &mut CallRows, ivr_digits: bool) {
    rows.cel.iter_mut().for_each(|row| hide_in_cel(row, ivr_digits));
    rows.cdr.iter_mut().for_each(|row| hide_in_cdr(row, ivr_digits));
    if !ivr_digits {
        call.menus.iter_mut().for_each(|menu| menu.digits = None);
    }
}

const LONGEST_EXTENSION: usize = 5;

/// A context whose name says that it is a menu; FreePBX calls them `ivr-1`.
pub(super) fn is_menu_context(context: &str) -> bool {
    let context = context.to_ascii_lowercase();
    context.contains("ivr") || context.contains("menu")
}

/// Made of keys of a phone, not `s`, `t` or a word.
pub(super) fn is_typed(exten: &str) -> bool {
    !exten.is_empty() && exten.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*' || byte == b'#')
}
