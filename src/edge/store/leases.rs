//! Leases: which node does what only one may do.
//!
//! Clocks of the nodes must agree within a few seconds (NTP). A holder that died on this very machine is replaced at
//! once, so that a restart never waits for its own lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, schema::leases, with_connection};
use crate::edge::clock;

/// Who holds a lease: `host/process/start` of the process, and the task within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// This process.
    pub fn this_process() -> Self {
        let process = std::process::id();
        Self(format!("{}/{process}/{}", host(), began(process).unwrap_or_default()))
    }

    /// Somebody else, by the name that stands in the table.
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// As it stands in the table and on pages.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names a process of this machine that runs no more.
    fn is_dead_neighbour(&self) -> bool {
        let mut parts = self.0.rsplitn(3, '/');
        let (Some(start), Some(process), Some(on)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let Ok(process) = process.parse() else { return false };
        on == host() && !start.is_empty() && began(process).as_deref() != Some(start)
    }
}

/// The machine's name and boot, so that two containers with one name are not taken for one machine.
fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let boot = read("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let short: String = boot.chars().take(8).collect();
    format!("{}-{short}-{}", read("/proc/sys/kernel/hostname"), namespace.to_string_lossy())
}

/// Start time of a process in clock ticks since boot; none when it does not run, or this is not Linux.
fn began(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_owned) }
}

impl Store {
    /// Takes or renews a lease; `false` while somebody else holds it.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &Holder,
        length: Duration,
    ) -> Result<bool, StoreError> {
        let now = clock::now().timestamp();
        let until = now + i64::try_from(length.as_secs()).unwrap_or(i64::MAX / 2).max(1);
        let holding: Option<String> = with_connection!(self, |connection| {
            let mine = (leases::holder.eq(holder.as_str()), leases::until.eq(until));
            diesel::insert_or_ignore_into(leases::table)
                .values((leases::name.eq(name), mine))
                .execute(connection)
                .await?;
            // Gone again when its holder gave it back since: the next try takes it.
            let before: Option<(String, i64)> = leases::table
                .find(name)
                .select((leases::holder, leases::until))
                .first(connection)
                .await
                .optional()?;
            if let Some((before, ends)) = before
                && (before == holder.as_str() || ends < now || Holder(before.clone()).is_dead_neighbour())
            {
                let unchanged = leases::holder.eq(&before).and(leases::until.eq(ends));
                diesel::update(leases::table.find(name).filter(unchanged))
                    .set(mine)
                    .execute(connection)
                    .await?;
            }
            leases::table.find(name).select(leases::holder).first(connection).await.optional()?
        });
        Ok(holding.as_deref() == Some(holder.as_str()))
    }

    /// Gives a lease back, so that another node need not wait.
    pub async fn drop_lease(&self, name: &str, holder: &Holder) -> Result<(), StoreError> {
        with_connection!(self, |connection| {
            diesel::delete(leases::table.find(name).filter(leases::holder.eq(holder.as_str())))
                .execute(connection)
                .await?
        });
        Ok(())
    }

    /// Who holds a lease, and until when.
    pub async fn lease(&self, name: &str) -> Result<Option<(String, DateTime<Utc>)>, StoreError> {
        let found: Option<(String, i64)> = with_connection!(self, |connection| {
            leases::table
                .find(name)
                .select((leases::holder, leases::until))
                .first(connection)
                .await
                .optional()?
        });
        Ok(found.map(|(holder, until)| (holder, DateTime::from_timestamp(until, 0).unwrap_or_default())))
    }
}
