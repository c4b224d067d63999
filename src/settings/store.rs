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
        if url.starts_with("mysql://") || url.starts_with("mariadb://") {
            return Ok(Self::Mysql(url.replacen("mariadb://", "mysql://", 1)));
        }
        Err("write sqlite:PATH or mysql://user:password@host:port/database".to_owned())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Mysql(url) => match url.split_once('@') {
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
