//! Where state is kept: the one URL that decides between SQLite and MySQL.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A database address; the password inside never shows.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`, a file that is made when it is missing.
    Sqlite(PathBuf),
    /// `mysql://…`, MariaDB and other engines that speak the protocol; whole URL.
    Mysql(String),
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite("/var/lib/perezvon/perezvon.db".into())
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err("a path is missing: write sqlite:/var/lib/perezvon/perezvon.db".to_owned())
            } else {
                Ok(Self::Sqlite(path.into()))
            };
        }
        match url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://")) {
            Some(rest) if is_unambiguous(rest) => Ok(Self::Mysql(format!("mysql://{rest}"))),
            Some(_) => Err("in a password write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F".to_owned()),
            None => Err("write sqlite:PATH or mysql://user:password@host:port/database".to_owned()),
        }
    }
}

/// Whether the part after `mysql://` can be read in one way only: a sign of the password's own that stands
/// there bare would make a part of the password the host, and show it in messages.
fn is_unambiguous(rest: &str) -> bool {
    let Some((account, place)) = rest.rsplit_once('@') else { return true };
    let host = place.split(['/', '?']).next().unwrap_or_default();
    let port = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map(|(_, port)| port);
    !account.contains(['@', '/', '?', '#'])
        && account.matches(':').count() <= 1
        && !place.contains('#')
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Mysql(url) => match url.rsplit_once('@') {
                Some((account, place)) => {
                    let user = account.trim_start_matches("mysql://").split(':').next().unwrap_or("");
                    write!(f, "mysql://{user}:***@{place}")
                }
                None => f.write_str(url),
            },
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_password_is_ever_shown() {
        let shown = StoreUrl::Mysql("mysql://perezvon:p@ss:w/rd@127.0.0.1/cdr".to_owned()).to_string();
        assert_eq!(shown, "mysql://perezvon:***@127.0.0.1/cdr");
    }

    #[test]
    fn a_password_with_bare_signs_is_a_fault_and_not_another_host() {
        for bare in ["mysql://u:p@ss@h/db", "mysql://u:p/w@h/db", "mysql://u:p:w@h/db", "mysql://u:p#w@h/db"]
        {
            assert!(bare.parse::<StoreUrl>().is_err_and(|error| error.contains("%40")), "{bare}");
        }
        for good in
            ["mysql://u:p%40ss@h:3306/db", "mysql://u@h/db", "mysql://h/db", "mariadb://u:p@[::1]:3306/db"]
        {
            assert!(good.parse::<StoreUrl>().is_ok(), "{good}");
        }
    }
}
