//! What can go wrong with the database, in words that say what to do.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the database open for writing.
    #[error(
        "{path}: another banzone is using this database; stop it first, or give this one a `path` of its own in [store]"
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// Somebody holds a lock for longer than we wait.
    #[error("{path}: the database is locked by another program (an open sqlite3 shell, a backup); end it")]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// A later version of banzone wrote it.
    #[error(
        "{path}: the database has version {found}, this banzone knows up to {known}; install the banzone that wrote it, or move the file away to start anew"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last version known here.
        known: i64,
    },
    /// It is a database, but not ours.
    #[error("{path}: this is an SQLite database of another program; choose another `path` in [store]")]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The file is broken.
    #[error(
        "{path}: the database is damaged ({detail}); restore a backup, or save what is left with `sqlite3 {path} .recover`, or move it away to start anew"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// No room for another row.
    #[error("{path}: the disk is full; free some space, banzone goes on by itself")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The file or its folder can't be opened.
    #[error("{path}: {source}; the folder must exist and be writable by the user banzone runs as")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is only read cannot be.
    #[error("{path}: cannot be read ({source}); name the right file, or become a user who may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another database than was meant.
    #[error(
        "{path}: this is no database of fail2ban's; its `dbfile` is usually /var/lib/fail2ban/fail2ban.sqlite3"
    )]
    NotFail2ban {
        /// The database.
        path: PathBuf,
    },
    /// It does not hold what is wanted.
    #[error(
        "{path}: the database has version {found} of fail2ban's tables; start fail2ban 0.11 or newer once, which brings it to version 4"
    )]
    OldFail2ban {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The system gives no thread.
    #[error("{path}: no thread for reading the bans: {source}; the limit on threads may be too low")]
    NoThread {
        /// The database.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else.
    #[error("{path}: {source}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl Error {
    /// Sorts what SQLite says by what a person can do about it.
    pub(super) fn new(path: &std::path::Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, detail: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::Open { path, source: io::Error::other(source) }
            }
            _ => Self::Sqlite { path, source },
        }
    }
}
