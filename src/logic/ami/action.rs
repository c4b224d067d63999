//! What we say to Asterisk: actions whose values cannot end their line.

use md5::{Digest, Md5};

use crate::settings::Secret;

/// How an account shows that it is who it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The secret itself.
    Secret(Secret),
    /// Made of the secret and Asterisk's challenge.
    Key(Secret),
}

impl Proof {
    /// MD5 of challenge and secret, in hexadecimal, as `manager.c` compares it.
    pub fn of_challenge(challenge: &str, secret: &Secret) -> Self {
        let mut sum = Md5::new();
        sum.update(challenge.as_bytes());
        sum.update(secret.expose().as_bytes());
        Self::Key(Secret::new(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }
}

/// What Asterisk is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Give a challenge for [`Proof::of_challenge`].
    Challenge,
    /// Let an account in and send it the events of these classes, `call` for those about channels.
    Login {
        /// Section of manager.conf.
        username: String,
        /// That it is its own.
        proof: Proof,
        /// Classes, divided by commas; what the account may not read does not come.
        events: &'static str,
    },
    /// Show that you live; needs no rights.
    Ping,
}

impl Action {
    const fn name(&self) -> &'static str {
        match self {
            Self::Challenge => "Challenge",
            Self::Login { .. } => "Login",
            Self::Ping => "Ping",
        }
    }

    fn headers(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Challenge => vec![("AuthType", "MD5")],
            Self::Login { username, proof, events } => {
                let mut headers = vec![("Username", username.as_str())];
                match proof {
                    Proof::Secret(secret) => headers.push(("Secret", secret.expose())),
                    Proof::Key(key) => headers.extend([("AuthType", "MD5"), ("Key", key.expose())]),
                }
                headers.push(("Events", events));
                headers
            }
            Self::Ping => Vec::new(),
        }
    }
}

/// An action with the id that its answer will carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Ours, unique in a session.
    pub id: u64,
    /// What is to be done.
    pub action: Action,
}

impl Request {
    /// The lines as they go out. Control characters become blanks: a value stays one value.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Action: {}\r\nActionID: {}\r\n", self.action.name(), action_id(self.id));
        for (name, value) in self.action.headers() {
            text.push_str(name);
            text.push_str(": ");
            text.extend(value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text
    }
}

/// What the answer to the request of this id carries as `ActionID`.
pub(super) fn action_id(id: u64) -> String {
    format!("perezvon-{id}")
}
