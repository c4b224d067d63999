//! Signed addresses: base64url of the expiry (8 bytes, seconds, 0 is never) and the HMAC-SHA256 over call and expiry.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::settings::Secret;

/// Sets this use of the key apart from any other.
const PURPOSE: &[u8] = b"perezvon recording\0";

/// Why a link does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Not signed with our key, or changed.
    #[error("the link was changed")]
    Changed,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// Signs and checks addresses.
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(super) fn new(key: &Secret) -> Self {
        Self(Hmac::new_from_slice(key.expose().as_bytes()).expect("HMAC takes a key of any length"))
    }

    pub(super) fn sign(&self, call_id: &str, expires: Option<DateTime<Utc>>) -> String {
        let expires = expires.map_or(0, |time| time.timestamp().max(1)).to_be_bytes();
        let mac = self.mac(call_id, expires).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&expires[..], &mac[..]].concat())
    }

    pub(super) fn verify(&self, call_id: &str, signature: &str, now: DateTime<Utc>) -> Result<(), BadLink> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadLink::Changed)?;
        let (expires, mac) = bytes.split_first_chunk::<8>().ok_or(BadLink::Changed)?;
        // Constant-time; checked before the expiry, so that only our own links are called expired.
        self.mac(call_id, *expires).verify_slice(mac).map_err(|_| BadLink::Changed)?;
        match i64::from_be_bytes(*expires) {
            0 => Ok(()),
            expires if now.timestamp() < expires => Ok(()),
            _ => Err(BadLink::Expired),
        }
    }

    fn mac(&self, call_id: &str, expires: [u8; 8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(PURPOSE);
        mac.update(&expires);
        mac.update(call_id.as_bytes());
        mac
    }
}

/// A call id as one segment of a path or address: letters, digits, `_`, `-` and inner dots stay, all else
/// becomes `%XX`. Two ids never share a name.
pub(super) fn safe_name(call_id: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::with_capacity(call_id.len());
    for (at, byte) in call_id.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte.into()),
            b'.' if at > 0 => name.push('.'),
            _ => write!(name, "%{byte:02X}").expect("a String takes all"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_signed_call_opens_until_its_expiry() {
        let signer = Signer::new(&Secret::new("key"));
        let forever = signer.sign("1795173672.31", None);
        assert_eq!(signer.verify("1795173672.31", &forever, at(9_999_999_999)), Ok(()));
        let hour = signer.sign("1795173672.31", Some(at(3600)));
        assert_eq!(signer.verify("1795173672.31", &hour, at(3599)), Ok(()));
        assert_eq!(signer.verify("1795173672.31", &hour, at(3600)), Err(BadLink::Expired));
    }

    #[test]
    fn no_changed_character_opens() {
        let signer = Signer::new(&Secret::new("key"));
        let signature = signer.sign("1795173672.31", Some(at(3600)));
        for position in 0..signature.len() {
            for other in ["A", "B", "-", "_", "", "="] {
                let mut changed = signature.clone();
                changed.replace_range(position..=position, other);
                if changed != signature {
                    assert_eq!(signer.verify("1795173672.31", &changed, at(0)), Err(BadLink::Changed));
                }
            }
        }
        assert_eq!(signer.verify("1795173672.32", &signature, at(0)), Err(BadLink::Changed));
        assert_eq!(signer.verify("1795173672.31", "", at(0)), Err(BadLink::Changed));
        assert!(Signer::new(&Secret::new("other")).verify("1795173672.31", &signature, at(0)).is_err());
    }

    #[test]
    fn a_call_id_is_one_harmless_name() {
        assert_eq!(safe_name("pbx-1795173672.31"), "pbx-1795173672.31");
        assert_eq!(safe_name("../../etc/passwd"), "%2E./../etc/passwd".replace('/', "%2F"));
        assert_eq!(safe_name(".."), "%2E.");
        assert_eq!(safe_name("a%2Fb"), "a%252Fb");
        assert_eq!(safe_name("а\0"), "%D0%B0%00");
    }
}
