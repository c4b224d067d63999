//! What we say to Asterisk: commands whose values can neither end the line nor become dialplan.

use crate::logic::rules::route::Route;

/// Longest value sent, in bytes; Asterisk reads a command into 2048.
const LONGEST: usize = 512;

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(String);

impl Command {
    /// `SET VARIABLE NAME "value"`.
    ///
    /// The value loses what could end the line, its quotes, or be read as dialplan when it is pasted somewhere:
    /// control characters, quotes, backslash, pipe, `$`, braces, brackets, comma, semicolon, ampersand.
    pub fn set_variable(name: &'static str, value: &str) -> Self {
        let mut line = String::with_capacity(32 + value.len());
        line.push_str("SET VARIABLE ");
        line.push_str(name);
        line.push_str(" \"");
        let end = line.len() + LONGEST;
        for letter in value.chars() {
            if line.len() + letter.len_utf8() > end {
                break;
            }
            line.push(if is_harmless(letter) { letter } else { ' ' });
        }
        line.push_str("\"\n");
        Self(line)
    }

    /// The line with its newline, as it goes out.
    pub fn line(&self) -> &str {
        &self.0
    }
}

/// All variables of the contract, always all of them.
///
/// `CRM_STATUS` goes last: a dialplan that sees it has the others, too.
pub fn answer(route: &Route) -> Vec<Command> {
    let mut commands = vec![
        Command::set_variable("CRM_NAME", &route.name),
        Command::set_variable("CRM_EXTEN", &route.exten),
        Command::set_variable("CRM_RESPONSIBLE", &route.responsible),
        Command::set_variable("CRM_ENTITY", &route.entity),
    ];
    if !route.name.is_empty() {
        commands.push(Command::set_variable("CALLERID(name)", &route.name));
    }
    commands.push(Command::set_variable("CRM_STATUS", route.status.as_str()));
    commands
}

const fn is_harmless(letter: char) -> bool {
    !matches!(
        letter,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}'
            | '"' | '\'' | '`' | '\\' | '|' | '$' | '{' | '}' | '[' | ']' | ',' | ';' | '&'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Command;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let command = Command::set_variable("CRM_NAME", "Иван \"Грозный\"\nEXEC System rm|${SHELL(id)}\\");
        assert_eq!(command.line(), "SET VARIABLE CRM_NAME \"Иван  Грозный  EXEC System rm   SHELL(id)  \"\n");
    }

    #[test]
    fn a_long_value_is_cut_between_letters() {
        let line = Command::set_variable("X", &"я".repeat(2000)).line().to_owned();
        assert_eq!(line.matches('я').count(), 256);
    }

    proptest! {
        #[test]
        fn any_value_stays_one_argument_of_one_line(value in "(?s).{0,600}") {
            let command = Command::set_variable("X", &value);
            let inside = command.line().strip_prefix("SET VARIABLE X \"").and_then(|rest| rest.strip_suffix("\"\n"));
            let inside = inside.expect("quoted");
            prop_assert!(!inside.contains(['"', '\\', '\n', '\r', '\0', '$', '|', ',']));
        }
    }
}
