//! What can go wrong at the database, in terms a use case can act on.

use diesel::result::{DatabaseErrorKind, Error};

/// An error of the database or of the door to it.
///
/// Conflicts carry no name of a constraint, because SQLite does not tell it: map them where the statement is, with the
/// name at hand.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, was closed, or lost the transaction. The text never contains a password.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The disk or the database's page limit is exhausted; nothing of the transaction was saved.
    #[error("the storage of the database is full")]
    StorageFull,
    /// Too much is waiting, or a lock was not to be had in time. Trying again later may work.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// A unique or primary key already exists.
    #[error("the record exists already: {0}")]
    Conflict(String),
    /// A referenced row does not exist, or a row is still referenced.
    #[error("a referenced record is missing or still in use: {0}")]
    ForeignKey(String),
    /// The row asked for does not exist.
    #[error("the record was not found")]
    NotFound,
    /// The closure panicked; its writes were rolled back.
    #[error("a database operation panicked: {0}")]
    Panicked(String),
    /// The closure returned `Ok` although a statement had failed; its writes were rolled back. PostgreSQL aborts such
    /// a transaction anyway, so SQLite is held to the same rule. Use [`savepoint`](crate::savepoint) for a rare try.
    #[error("a failed statement was ignored inside a transaction: {0}")]
    ErrorIgnored(String),
    /// The configuration names no usable database.
    #[error("the database configuration is wrong: {0}")]
    Configuration(String),
    /// A migration failed.
    #[error("the database migration failed: {0}")]
    Migration(String),
    /// The operation does not exist on this database.
    #[error("not supported on this database: {0}")]
    Unsupported(&'static str),
    /// Any other error of a statement.
    #[error("a database statement failed: {0}")]
    Query(#[source] Error),
}

impl DbError {
    /// True when the same request may succeed a little later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_))
    }

    /// True for [`DbError::Conflict`].
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Diesel hands on neither SQLite's result code nor PostgreSQL's SQLSTATE for these, so the text has to serve.
    pub(crate) fn from_text(message: &str) -> Option<Self> {
        const FULL: [&str; 2] = ["database or disk is full", "No space left on device"];
        const BUSY: [&str; 6] = [
            "database is locked",
            "database table is locked",
            "due to lock timeout",
            "due to statement timeout",
            "deadlock detected",
            "too many clients already",
        ];
        const GONE: [&str; 6] = [
            "disk I/O error",
            "unable to open database file",
            "attempt to write a readonly database",
            "terminating connection",
            "server closed the connection",
            "the database system is",
        ];
        let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        if says(&FULL) {
            Some(Self::StorageFull)
        } else if says(&BUSY) {
            Some(Self::Busy(message.to_owned()))
        } else if says(&GONE) {
            Some(Self::Unavailable(message.to_owned()))
        } else {
            None
        }
    }

    /// The same failure once more, for each of several callers whose writes shared one commit.
    #[must_use]
    pub fn for_another_caller(&self) -> Self {
        match self {
            Self::StorageFull => Self::StorageFull,
            Self::Busy(text) => Self::Busy(text.clone()),
            Self::ForeignKey(text) => Self::ForeignKey(text.clone()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::NotFound,
            Error::BrokenTransactionManager => Self::Unavailable("the transaction is broken".into()),
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            Error::DatabaseError(kind, information) => {
                let message = information.message().to_owned();
                match kind {
                    DatabaseErrorKind::UniqueViolation => Self::Conflict(message),
                    DatabaseErrorKind::ForeignKeyViolation => Self::ForeignKey(message),
                    DatabaseErrorKind::SerializationFailure => Self::Busy(message),
                    DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                        Self::Unavailable(message)
                    }
                    _ => Self::from_text(&message)
                        .unwrap_or_else(|| Self::Query(Error::DatabaseError(kind, information))),
                }
            }
            other => Self::Query(other),
        }
    }
}
