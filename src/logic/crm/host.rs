//! Which addresses a token may be sent to.
//!
//! The account's name reaches us from outside (settings, a redirect's `referer`), and whoever chooses the host
//! gets the token. So: one label below amoCRM's own domains over https, or this machine itself (the sandbox).

/// Domains that hold accounts.
const DOMAINS: [&str; 3] = ["amocrm.ru", "amocrm.com", "kommo.com"];

/// An account's address that may be trusted with a token: `https://company.amocrm.ru`, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    base: String,
    platform: &'static str,
}

impl Host {
    /// Reads `[amocrm] base_url`; the error says what to write.
    pub fn parse(base_url: &str) -> Result<Self, String> {
        let text = base_url.trim().trim_end_matches('/').to_ascii_lowercase();
        if let Some(host) = text.strip_prefix("https://")
            && let Some(platform) = platform_of(host)
        {
            return Ok(Self { base: format!("https://{host}"), platform });
        }
        let local = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        if local.is_some_and(is_loopback) {
            return Ok(Self { base: text, platform: "" });
        }
        Err(format!(
            "{base_url:?} is no account; write https://company.amocrm.ru or https://company.kommo.com"
        ))
    }

    /// Reads `referer` of the OAuth redirect: seen as a bare label, a host, and a whole address.
    pub fn from_referer(referer: &str, like: &Self) -> Result<Self, String> {
        let host = referer.trim().trim_start_matches("https://").trim_end_matches('/');
        if host.contains('.') || like.platform.is_empty() {
            return Self::parse(&format!("https://{host}"));
        }
        Self::parse(&format!("https://{host}.{}", like.platform))
    }

    /// Scheme and host, `https://company.amocrm.ru`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where a person grants access: the platform's common host, or the sandbox itself.
    pub fn consent_base(&self) -> String {
        match self.platform {
            "" => self.base.clone(),
            "amocrm.com" => "https://www.amocrm.ru".to_owned(),
            platform => format!("https://www.{platform}"),
        }
    }
}

fn platform_of(host: &str) -> Option<&'static str> {
    let (label, rest) = host.split_once('.')?;
    let label_fits = !label.is_empty()
        && label.len() <= 63
        && label != "www"
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-');
    DOMAINS.into_iter().find(|domain| label_fits && *domain == rest)
}

fn is_loopback(place: &str) -> bool {
    if place.contains(['/', '?', '#', '@', '\\']) {
        return false;
    }
    let host = match place.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => place,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: core::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_this_machine_are_trusted() {
        for (text, base) in [
            ("https://company.amocrm.ru", "https://company.amocrm.ru"),
            (" https://Company.kommo.com/ ", "https://company.kommo.com"),
            ("https://old-one.amocrm.com", "https://old-one.amocrm.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:1", "http://localhost:1"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(Host::parse(text).unwrap().base(), base);
        }
    }

    #[test]
    fn nobody_else_is() {
        for text in [
            "",
            "company",
            "http://company.amocrm.ru",
            "https://www.amocrm.ru",
            "https://amocrm.ru",
            "https://a.b.amocrm.ru",
            "https://company.amocrm.ru.evil.com",
            "https://evil.com/company.amocrm.ru",
            "https://company.amocrm.ru@evil.com",
            "https://company.amocrm.ru:444",
            "https://company.amocrm.ru/api",
            "http://127.0.0.1@evil.com",
            "http://169.254.169.254",
            "http://localhost.evil.com",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_referer_may_be_a_label_a_host_or_an_address() {
        let like = Host::parse("https://one.kommo.com").unwrap();
        for referer in ["two", "two.kommo.com", "https://two.kommo.com/"] {
            assert_eq!(Host::from_referer(referer, &like).unwrap().base(), "https://two.kommo.com");
        }
        assert!(Host::from_referer("two.evil.com", &like).is_err());
        assert_eq!(like.consent_base(), "https://www.kommo.com");
    }
}
