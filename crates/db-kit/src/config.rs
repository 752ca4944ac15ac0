//! Where the database is and how hard it may be used.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::{Backend, DbError};

/// The `[database]` section of a service.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://user:password@host/database`.
    pub url: String,
    /// SQLite: how many connections read in parallel.
    pub readers_max: usize,
    /// PostgreSQL: how many connections this process opens.
    pub connections_max: usize,
    /// How many reads (PostgreSQL: reads and writes) may wait before callers are told that the database is busy.
    pub read_queue_max: usize,
    /// SQLite: how many writes may wait before callers are told that the database is busy.
    pub write_queue_max: usize,
    /// SQLite: how many waiting writes share one commit at most.
    pub group_writes_max: usize,
    /// SQLite: no further write joins a commit once its group has worked this long.
    pub group_ms_max: u64,
    /// SQLite: what is written can be made anew from elsewhere. Then a commit does not wait for the disk: after a power cut the file
    /// is whole, but the last commits may be missing. Sorting for large indices goes through files, not memory.
    pub can_be_made_anew: bool,
    /// SQLite: how long to wait for another process that holds the write lock.
    pub busy_timeout_ms: u64,
    /// SQLite: page cache of each connection.
    pub cache_kib: u32,
    /// SQLite: how much of the file each connection maps into memory. Counts as resident memory of the service.
    pub mmap_bytes: u64,
    /// PostgreSQL: how long one statement may run.
    pub statement_timeout_ms: u64,
    /// PostgreSQL: how long a statement waits for a lock.
    pub lock_timeout_ms: u64,
    /// PostgreSQL: how long to wait for a connection.
    pub connect_timeout_s: u32,
    /// PostgreSQL: the name shown in `pg_stat_activity`.
    pub application_name: String,
    /// A statement that takes longer is written to the log, without its values.
    pub slow_statement_ms: u64,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            readers_max: 4,
            connections_max: 8,
            read_queue_max: 1024,
            write_queue_max: 1024,
            group_writes_max: 256,
            group_ms_max: 5,
            can_be_made_anew: false,
            busy_timeout_ms: 5_000,
            cache_kib: 6 * 1024,
            mmap_bytes: 0,
            statement_timeout_ms: 30_000,
            lock_timeout_ms: 5_000,
            connect_timeout_s: 5,
            application_name: "guichet".into(),
            slow_statement_ms: 200,
        }
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("url", &without_password(&self.url, &self.url))
            .field("readers_max", &self.readers_max)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

impl DatabaseConfig {
    /// Everything at its default, for this URL.
    #[must_use]
    pub fn for_url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Which database the URL names, or a sentence that says what is wrong with it.
    pub fn backend(&self) -> Result<Backend, DbError> {
        self.target().map(|target| match target {
            Target::Sqlite(_) => Backend::Sqlite,
            Target::Postgres(_) => Backend::Postgres,
        })
    }

    pub(crate) fn target(&self) -> Result<Target, DbError> {
        let wrong = |text: &str| Err(DbError::Configuration(text.to_owned()));
        if self.readers_max == 0 || self.connections_max == 0 || self.group_writes_max == 0 {
            return wrong("readers_max, connections_max and group_writes_max must be at least 1");
        }
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => wrong("the URL `sqlite:PATH` has no path"),
                _ if path.starts_with(":memory:") => {
                    wrong("`sqlite::memory:` cannot be shared by connections and would lose every ticket")
                }
                _ => Ok(Target::Sqlite(PathBuf::from(path))),
            };
        }
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            return Ok(Target::Postgres(self.url.clone()));
        }
        // The URL itself may hold a password and is therefore not repeated.
        wrong("the URL must start with `sqlite:` or `postgres://`")
    }
}

/// A parsed URL.
#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(String),
}

/// `text` with every occurrence of the password of `url` blotted out.
pub(crate) fn without_password(text: &str, url: &str) -> String {
    let mut clean = text.to_owned();
    for password in passwords(url) {
        clean = clean.replace(password, "***");
    }
    clean
}

fn passwords(url: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    if let Some((user_info, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = user_info.split_once(':')
    {
        found.push(password);
    }
    if let Some((_, query)) = rest.split_once('?') {
        found.extend(query.split('&').filter_map(|pair| pair.strip_prefix("password=")));
    }
    found.retain(|password| !password.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        DatabaseConfig::for_url(url).backend().unwrap_err().to_string()
    }

    #[test]
    fn the_scheme_chooses_the_database() {
        assert_eq!(DatabaseConfig::for_url("sqlite:data/tickets.db").backend().unwrap(), Backend::Sqlite);
        assert_eq!(DatabaseConfig::for_url("postgres://u@h/d").backend().unwrap(), Backend::Postgres);
        assert_eq!(DatabaseConfig::for_url("postgresql://u@h/d").backend().unwrap(), Backend::Postgres);
    }

    #[test]
    fn a_url_that_would_lose_data_is_refused() {
        assert!(refused("sqlite::memory:").contains("lose every ticket"));
        assert!(refused("sqlite:").contains("no path"));
        assert!(refused("postgers://u:secret@h/d").contains("must start with"));
        assert!(refused("").contains("must start with"));
    }

    #[test]
    fn the_password_is_never_shown() {
        let config = DatabaseConfig::for_url("postgres://u:s3cr@t@h/d?password=other");
        let shown = format!("{config:?}");
        assert!(!shown.contains("s3cr@t") && !shown.contains("other"), "{shown}");
        assert!(!refused("mysql://u:s3cr@t@h/d").contains("s3cr"));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = toml::from_str::<DatabaseConfig>("url = 'sqlite:x'\nreader_max = 3").unwrap_err();
        assert!(error.to_string().contains("reader_max"), "{error}");
    }
}
