//! Token + now → use it, or refresh it first; what the token endpoint answered.
//!
//! A refresh gives a new pair and outdates the old one, but only once the new one is used: so a refresh whose
//! answer was lost may be asked again with the old refresh token, and a pair must be saved before it is used.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{answer, host::Host, read};
use crate::settings::Secret;

/// An access token is refreshed this long before it ends, seconds.
const MARGIN: i64 = 300;

/// What the token endpoint gave, and what is kept in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// Sent with every request.
    pub access: Secret,
    /// Exchanged for the next pair.
    pub refresh: Secret,
    /// Unix seconds.
    pub expires_at: i64,
    /// The account it opens, `https://company.amocrm.ru`.
    pub account: String,
}

impl TokenPair {
    /// Reads the token endpoint's JSON; `now` in Unix seconds.
    pub fn from_answer(body: &Value, host: &Host, now: i64) -> Option<Self> {
        let token = |key: &str| body[key].as_str().filter(|token| !token.is_empty()).map(Secret::new);
        let lifetime = read::number(&body["expires_in"]).and_then(|seconds| i64::try_from(seconds).ok());
        Some(Self {
            access: token("access_token")?,
            refresh: token("refresh_token")?,
            expires_at: now.saturating_add(lifetime.unwrap_or(86_400)),
            account: host.base().to_owned(),
        })
    }

    /// As the store keeps it; the only place where both tokens are written out.
    pub fn to_stored(&self) -> Secret {
        let stored = json!({
            "access": self.access.expose(),
            "refresh": self.refresh.expose(),
            "expires_at": self.expires_at,
            "account": self.account,
        });
        Secret::new(stored.to_string())
    }

    /// Reads what [`Self::to_stored`] wrote.
    pub fn from_stored(stored: &Secret) -> Option<Self> {
        let stored: Value = serde_json::from_str(stored.expose()).ok()?;
        Some(Self {
            access: Secret::new(stored["access"].as_str()?),
            refresh: Secret::new(stored["refresh"].as_str()?),
            expires_at: stored["expires_at"].as_i64()?,
            account: stored["account"].as_str()?.to_owned(),
        })
    }

    /// How the pair stands; `now` in Unix seconds.
    pub fn freshness(&self, now: i64) -> Freshness {
        match self.expires_at - now {
            left if left > MARGIN => Freshness::Good,
            left if left > 0 => Freshness::Ending,
            _ => Freshness::Over,
        }
    }
}

/// How an access token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Use it.
    Good,
    /// Refresh it; it may still be used when that fails.
    Ending,
    /// Refresh it first.
    Over,
}

/// What is exchanged for a pair.
#[derive(Debug, Clone, Copy)]
pub enum Grant<'a> {
    /// The code of a consent.
    Code(&'a Secret),
    /// The refresh token of the pair before.
    Refresh(&'a Secret),
}

/// The JSON body for `POST /oauth2/access_token`.
pub fn grant_body(client_id: &str, client_secret: &Secret, redirect_uri: &str, grant: Grant<'_>) -> Value {
    let mut body = json!({
        "client_id": client_id,
        "client_secret": client_secret.expose(),
        "redirect_uri": redirect_uri,
    });
    match grant {
        Grant::Code(code) => {
            body["grant_type"] = json!("authorization_code");
            body["code"] = json!(code.expose());
        }
        Grant::Refresh(token) => {
            body["grant_type"] = json!("refresh_token");
            body["refresh_token"] = json!(token.expose());
        }
    }
    body
}

/// What the token endpoint answered.
#[derive(Debug, Clone, PartialEq)]
pub enum GrantVerdict {
    /// A new pair: save it, then use it.
    Granted(TokenPair),
    /// 429, 5xx, a page: ask again with the same grant.
    Again(u16),
    /// A page with 403: the address is blocked.
    Blocked,
    /// Refused for good: a person must sign in anew.
    Dead(String),
}

/// Judges an answer of the token endpoint; `now` in Unix seconds.
pub fn judge_grant(status: u16, body: &[u8], host: &Host, now: i64) -> GrantVerdict {
    let json = serde_json::from_slice::<Value>(body).ok();
    match (status, &json) {
        (200..=299, Some(json)) => {
            TokenPair::from_answer(json, host, now).map_or(GrantVerdict::Again(status), GrantVerdict::Granted)
        }
        (403, None) => GrantVerdict::Blocked,
        (429, _) | (200..=299 | 500.., None) | (500.., Some(_)) => GrantVerdict::Again(status),
        _ => GrantVerdict::Dead(answer::detail(json.as_ref(), status)),
    }
}

/// Where a person grants access: the platform's page. Redirect address and rights stand in the integration.
pub fn consent_url(host: &Host, client_id: &str, state: &str) -> String {
    let client_id: String =
        client_id.chars().filter(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_')).collect();
    format!("{}/oauth?client_id={client_id}&state={state}&mode=popup", host.consent_base())
}

/// The end of a consent, as a person pastes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Good for one exchange within 20 minutes.
    pub code: Secret,
    /// Which account was granted, when the whole address was pasted.
    pub referer: Option<String>,
    /// What we sent along, when the whole address was pasted.
    pub state: Option<String>,
}

/// Reads a bare code or the whole address that the browser was redirected to; the error says what is wrong.
pub fn consent(pasted: &str) -> Result<Consent, String> {
    let pasted = pasted.trim();
    let Some((_, query)) = pasted.split_once('?') else {
        return if pasted.is_empty() || pasted.contains(['/', ' ']) {
            Err("paste the code, or the whole address that the browser was sent to".to_owned())
        } else {
            Ok(Consent { code: Secret::new(pasted), referer: None, state: None })
        };
    };
    let pairs = super::webhook::pairs(query.split('#').next().unwrap_or(""));
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    if let Some(error) = value("error") {
        return Err(format!("access was not granted ({error})"));
    }
    let code = value("code").filter(|code| !code.is_empty());
    let code = code.ok_or("the address holds no code=… ; copy it whole")?;
    Ok(Consent { code: Secret::new(code), referer: value("referer"), state: value("state") })
}

/// When a long-lived token ends, Unix seconds: the JWT's `exp`. None when it cannot be read.
pub fn long_lived_end(token: &Secret) -> Option<i64> {
    let claims = token.expose().split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?["exp"].as_f64().map(|end| end as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host::parse("https://company.amocrm.ru").unwrap()
    }

    fn pair() -> TokenPair {
        let body =
            json!({"token_type": "Bearer", "expires_in": 86400, "access_token": "a", "refresh_token": "r"});
        TokenPair::from_answer(&body, &host(), 1000).unwrap()
    }

    #[test]
    fn a_pair_survives_the_store_and_never_shows() {
        assert_eq!(TokenPair::from_stored(&pair().to_stored()), Some(pair()));
        assert!(!format!("{:?}", pair()).contains("\"r\""));
        assert_eq!(TokenPair::from_stored(&Secret::new("rubbish")), None);
    }

    #[test]
    fn a_token_is_refreshed_before_it_ends() {
        assert_eq!(pair().freshness(1000), Freshness::Good);
        assert_eq!(pair().freshness(1000 + 86_400 - 300), Freshness::Ending);
        assert_eq!(pair().freshness(1000 + 86_400), Freshness::Over);
    }

    #[test]
    fn the_token_endpoint_refuses_for_good_or_asks_for_patience() {
        let dead = r#"{"hint":"Token has been revoked","status":401,"detail":"…"}"#;
        assert_eq!(
            judge_grant(401, dead.as_bytes(), &host(), 0),
            GrantVerdict::Dead("Token has been revoked".to_owned())
        );
        assert_eq!(judge_grant(429, b"<html>", &host(), 0), GrantVerdict::Again(429));
        assert_eq!(judge_grant(502, b"<html>", &host(), 0), GrantVerdict::Again(502));
        assert_eq!(judge_grant(200, b"<html>", &host(), 0), GrantVerdict::Again(200));
        assert_eq!(judge_grant(403, b"<html>nginx", &host(), 0), GrantVerdict::Blocked);
    }

    #[test]
    fn a_person_may_paste_the_code_or_the_whole_address() {
        assert_eq!(consent(" def502 \n").unwrap().code.expose(), "def502");
        let pasted = "https://pbx.example.ru/oauth?code=d%2Bf&state=s1&referer=company.amocrm.ru&client_id=x";
        let read = consent(pasted).unwrap();
        assert_eq!(read.code.expose(), "d+f");
        assert_eq!((read.referer.as_deref(), read.state.as_deref()), (Some("company.amocrm.ru"), Some("s1")));
        assert!(consent("https://x/?error=access_denied").unwrap_err().contains("access_denied"));
        assert!(consent("https://x/?state=1").is_err());
        assert!(consent("").is_err());
    }

    #[test]
    fn a_long_lived_token_tells_its_end() {
        let token = Secret::new(format!("h.{}.s", BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1700000000}"#)));
        assert_eq!(long_lived_end(&token), Some(1_700_000_000));
        assert_eq!(long_lived_end(&Secret::new("opaque")), None);
    }

    #[test]
    fn consent_is_asked_on_the_platform() {
        assert_eq!(
            consent_url(&host(), "11-22", "s"),
            "https://www.amocrm.ru/oauth?client_id=11-22&state=s&mode=popup"
        );
    }
}
