//! Codes, tokens and their rotation (reference 1).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{answer::Answer, ask::Ask, faults::next_random, state::State};

/// Everything that lets somebody in.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// The private integration's long-lived token (1.6).
    pub(super) long_lived: String,
    codes: BTreeMap<String, Code>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
}

#[derive(Debug)]
struct Code {
    expires_at: i64,
    used: bool,
}

#[derive(Debug)]
struct Access {
    client_id: String,
    user: u64,
    expires_at: i64,
}

#[derive(Debug)]
struct Refresh {
    expires_at: i64,
    /// The token it came from: dies when this one is used (1.4).
    parent: Option<String>,
    dead: bool,
}

impl Grants {
    /// The user a token speaks for; none when it is unknown or has run out.
    pub(super) fn user_of(&self, token: &str, now: i64) -> Option<u64> {
        self.access.get(token).filter(|access| now < access.expires_at).map(|access| access.user)
    }

    /// The integration a token belongs to, for the limits.
    pub(super) fn client_of(&self, token: &str) -> Option<String> {
        self.access.get(token).map(|access| access.client_id.clone())
    }

    pub(super) fn revoke_all(&mut self) {
        self.access.clear();
        self.codes.clear();
        for refresh in self.refresh.values_mut() {
            refresh.dead = true;
        }
    }

    pub(super) fn expire_access(&mut self) {
        let Self { access, long_lived, .. } = self;
        for (_, access) in access.iter_mut().filter(|(token, _)| *token != long_lived) {
            access.expires_at = 0;
        }
    }

    /// A used token's forebears and siblings die.
    fn kill_around(&mut self, token: &str) {
        let mut at = self.refresh.get(token).and_then(|own| own.parent.clone());
        for (name, other) in &mut self.refresh {
            if name != token && other.parent == at && at.is_some() {
                other.dead = true;
            }
        }
        while let Some(name) = at {
            let Some(older) = self.refresh.get_mut(&name).filter(|older| !older.dead) else { break };
            older.dead = true;
            at = older.parent.clone();
        }
    }
}

impl State {
    /// Makes the long-lived token, for five years.
    pub(super) fn grant_long_lived(&mut self, now: i64) {
        let expires_at = now + 5 * 365 * 86_400;
        let token = self.access_token(now, expires_at, None);
        self.oauth.long_lived = token;
    }

    /// The administrator agrees: a code (1.2).
    pub(super) fn oauth_code(&mut self, now: i64) -> String {
        let code = format!("def502{}", self.random_hex(80));
        let expires_at = now + seconds(self.options.code_life);
        self.oauth.codes.insert(code.clone(), Code { expires_at, used: false });
        code
    }

    /// Hex digits off the account's own row of chances.
    pub(super) fn random_hex(&mut self, length: usize) -> String {
        let mut text = String::new();
        while text.len() < length {
            text.push_str(&format!("{:016x}", next_random(&mut self.chance)));
        }
        text.truncate(length);
        text
    }

    /// A token in the outer form of a JWT, with the claims of 1.3; nobody can check its signature.
    fn access_token(&mut self, now: i64, expires_at: i64, grant_type: Option<&str>) -> String {
        let user = self.users.first().map_or(0, |user| user.id);
        let client_id = self.options.integration.client_id.clone();
        let claims = json!({
            "aud": client_id, "jti": self.random_hex(64), "iat": now, "nbf": now, "exp": expires_at,
            "sub": user.to_string(), "grant_type": grant_type.unwrap_or(""), "account_id": self.account_id,
            "base_domain": "amocrm.ru", "version": 2, "scopes": ["crm", "notifications"],
            "api_domain": "api-b.amocrm.ru",
        });
        let signature = self.random_hex(86);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.{signature}", part(&json!({"typ": "JWT", "alg": "RS256"})), part(&claims));
        self.oauth.access.insert(token.clone(), Access { client_id, user, expires_at });
        token
    }

    fn pair(&mut self, now: i64, grant_type: &str, parent: Option<String>) -> Answer {
        let life = seconds(self.options.access_life);
        let access = self.access_token(now, now + life, Some(grant_type));
        let refresh = format!("def502{}", self.random_hex(120));
        let expires_at = now + seconds(self.options.refresh_life);
        self.oauth.refresh.insert(refresh.clone(), Refresh { expires_at, parent, dead: false });
        Answer::ok(json!({
            "token_type": "Bearer", "expires_in": life, "server_time": now,
            "access_token": access, "refresh_token": refresh,
        }))
    }
}

/// `POST /oauth2/access_token` (1.3).
pub(super) fn token(state: &mut State, ask: &Ask) -> Answer {
    if ask.method != "POST" {
        return Answer::wrong_method();
    }
    // A form body is said to give 401 nowadays (1.3).
    let Ok(body) = ask.json() else { return refused(401, "") };
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let own = &state.options.integration;
    if text("client_id") != own.client_id {
        return refused(400, "Check the `client_id` parameter");
    }
    if text("client_secret") != own.client_secret {
        return refused(400, "Check the `client_secret` parameter");
    }
    if text("redirect_uri") != own.redirect_uri {
        return refused(400, "Redirect URI is not associated with client");
    }
    match text("grant_type") {
        "authorization_code" => by_code(state, text("code"), ask.now),
        "refresh_token" => by_refresh(state, text("refresh_token"), ask.now),
        _ => refused(400, "Check the `grant_type` parameter"),
    }
}

fn by_code(state: &mut State, code: &str, now: i64) -> Answer {
    match state.oauth.codes.get_mut(code) {
        None => refused(400, "Cannot decrypt the authorization code"),
        Some(code) if code.used => refused(400, "Authorization code has been revoked"),
        Some(code) if now >= code.expires_at => refused(400, "Authorization code has expired"),
        Some(code) => {
            code.used = true;
            state.pair(now, "authorization_code", None)
        }
    }
}

fn by_refresh(state: &mut State, token: &str, now: i64) -> Answer {
    let strict = state.toggles().strict_rotation;
    match state.oauth.refresh.get_mut(token) {
        None => return refused(400, "Invalid refresh token"),
        Some(own) if own.dead || now >= own.expires_at => return refused(401, "Token has been revoked"),
        // Lives on until its successor is used, so that a lost answer can be asked for again (1.4).
        Some(own) => own.dead = strict,
    }
    state.oauth.kill_around(token);
    state.pair(now, "refresh_token", Some(token.to_owned()))
}

fn seconds(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

/// The one form all refusals of the token endpoint have (1.5).
fn refused(status: u16, hint: &str) -> Answer {
    Answer::problem_of(
        status,
        json!({
            "hint": hint,
            "title": "Некорректный запрос",
            "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
            "status": status,
            "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
        }),
    )
}
