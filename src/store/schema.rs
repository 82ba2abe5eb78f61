//! The tables, as an append-only list of migrations: a step that was ever released is never edited.

use rusqlite::{Connection, TransactionBehavior};

/// `BANZ`, so that `file` and we can tell this database from another program's.
const APPLICATION_ID: i64 = 0x4241_4e5a;

/// The steps from an empty file to the present tables; `PRAGMA user_version` counts the ones taken. Addresses are 16
/// bytes with IPv4 as IPv4-mapped IPv6, and lengths count in 128 bits; times are milliseconds since the Unix epoch.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE about (
    -- Added to the number of a change to make the serials of the zones; the time the database was made.
    serial_base INTEGER NOT NULL
) STRICT;
CREATE TABLE jails (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    total_failed INTEGER NOT NULL DEFAULT 0,
    total_banned INTEGER NOT NULL DEFAULT 0
) STRICT;
-- How far each file was read, written with the effects of its lines.
CREATE TABLE positions (
    source TEXT NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    path BLOB NOT NULL,
    byte_offset INTEGER NOT NULL,
    fingerprint_length INTEGER NOT NULL,
    fingerprint_hash INTEGER NOT NULL,
    PRIMARY KEY (source, device, inode)
) STRICT, WITHOUT ROWID;
-- Failures that have not made a ban yet.
CREATE TABLE counters (
    jail INTEGER NOT NULL REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    retry INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (jail, address, length)
) STRICT, WITHOUT ROWID;
-- Every ban there was; in force while `ended` is null.
CREATE TABLE bans (
    id INTEGER PRIMARY KEY,
    jail INTEGER NOT NULL REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    origin TEXT NOT NULL,
    failures INTEGER NOT NULL,
    count INTEGER NOT NULL,
    ended INTEGER,
    end_cause TEXT
) STRICT;
CREATE UNIQUE INDEX bans_in_force ON bans (jail, address, length) WHERE ended IS NULL;
CREATE INDEX bans_in_force_by_time ON bans (since) WHERE ended IS NULL;
CREATE INDEX bans_in_force_by_jail ON bans (jail, since) WHERE ended IS NULL;
CREATE INDEX bans_by_address ON bans (address, length, since);
CREATE INDEX bans_by_jail ON bans (jail, since);
CREATE INDEX bans_by_time ON bans (since);
CREATE INDEX bans_by_end ON bans (ended) WHERE ended IS NOT NULL;
-- The lines that led to a ban.
CREATE TABLE evidence (
    ban INTEGER NOT NULL REFERENCES bans ON DELETE CASCADE,
    position INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (ban, position)
) STRICT, WITHOUT ROWID;
-- Who was banned before, for growing ban times.
CREATE TABLE offenders (
    jail INTEGER NOT NULL REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    count INTEGER NOT NULL,
    since INTEGER NOT NULL,
    forget INTEGER,
    PRIMARY KEY (jail, address, length)
) STRICT, WITHOUT ROWID;
CREATE INDEX offenders_by_forget ON offenders (forget) WHERE forget IS NOT NULL;
CREATE TABLE allowlist (
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    note TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (address, length)
) STRICT, WITHOUT ROWID;
-- The history of every ban, unban and change of the allowlist, numbered without gaps.
CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('banned', 'extended', 'unbanned', 'allowed', 'disallowed')),
    jail INTEGER REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    until INTEGER,
    cause TEXT
) STRICT;
CREATE INDEX changes_by_time ON changes (at);
CREATE TABLE failures_by_hour (
    hour INTEGER NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    failures INTEGER NOT NULL DEFAULT 0,
    bans INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, jail)
) STRICT, WITHOUT ROWID;
CREATE TABLE failures_by_day (
    day INTEGER NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (day, jail, address, length)
) STRICT, WITHOUT ROWID;
",
    "
-- What a filter remembers of the lines of a log before: its connections, its last lines.
CREATE TABLE filter_states (
    source TEXT NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (source, jail, key)
) STRICT, WITHOUT ROWID;
",
    "
-- All that a start reads of bans, in the order in which it takes them; without `ended` SQLite would look that up in the table.
CREATE INDEX bans_in_force_by_address ON bans (address, length, jail, since, until, count, ended) WHERE ended IS NULL;
",
    "
-- The first failure that counted towards the ban, if it is known.
ALTER TABLE bans ADD COLUMN first INTEGER;
-- Bans of what the jail had banned before; and addresses that failed for the first time of the day.
ALTER TABLE failures_by_hour ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
ALTER TABLE failures_by_hour ADD COLUMN addresses INTEGER NOT NULL DEFAULT 0;
-- Failures of addresses that have no row of the day any more, by network.
CREATE TABLE networks_by_day (
    day INTEGER NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    addresses INTEGER NOT NULL,
    PRIMARY KEY (day, jail, address, length)
) STRICT, WITHOUT ROWID;
-- User names that were tried.
CREATE TABLE users_by_day (
    day INTEGER NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    user TEXT NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (day, jail, user)
) STRICT, WITHOUT ROWID;
-- Bans by how long they took since the first failure: up to the limit of that number among WAITS.
CREATE TABLE waits_by_day (
    day INTEGER NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    wait INTEGER NOT NULL,
    bans INTEGER NOT NULL,
    PRIMARY KEY (day, jail, wait)
) STRICT, WITHOUT ROWID;
-- How often DNS answered with a listing, and with which.
CREATE TABLE answers_by_day (
    day INTEGER PRIMARY KEY,
    answers INTEGER NOT NULL
) STRICT;
CREATE TABLE asked_by_day (
    day INTEGER NOT NULL,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    PRIMARY KEY (day, address, length)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_by_address ON asked_by_day (address, length, day);
",
    "
-- What programs show to be let in, of which only the hash is kept; `granted` is JSON.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    granted TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- The end, in the past for a token that was revoked.
    until INTEGER,
    used INTEGER
) STRICT;
CREATE INDEX tokens_by_name ON tokens (name, created);
CREATE INDEX tokens_by_end ON tokens (until) WHERE until IS NOT NULL;
",
    "
-- The organisations that report, and what became of their rows.
CREATE TABLE reporters (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    trust REAL,
    cut_off INTEGER,
    first_seen INTEGER,
    last_seen INTEGER,
    accepted INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The last row of each spool that was taken, written with what followed from it.
CREATE TABLE report_spools (
    reporter INTEGER NOT NULL REFERENCES reporters,
    spool INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (reporter, spool)
) STRICT, WITHOUT ROWID;

-- Requests that their senders have named, and how they were answered.
CREATE TABLE report_keys (
    reporter INTEGER NOT NULL REFERENCES reporters,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (reporter, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_categories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- The last sighting that each organisation has reported of each prefix. A batch is of one organisation, so that its rows stand
-- near one another.
CREATE TABLE votes (
    reporter INTEGER NOT NULL REFERENCES reporters,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    category INTEGER NOT NULL REFERENCES report_categories,
    PRIMARY KEY (reporter, address, length)
) STRICT, WITHOUT ROWID;

-- Listings that wait for a person.
CREATE TABLE held_listings (
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    since INTEGER NOT NULL,
    reason TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (address, length)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports_by_hour (
    hour INTEGER NOT NULL,
    reporter INTEGER NOT NULL REFERENCES reporters,
    category INTEGER NOT NULL REFERENCES report_categories,
    reports INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (hour, reporter, category)
) STRICT, WITHOUT ROWID;
",
    "
-- Who changed what. Each hash is that of the row and of the hash before it.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never changed');
END;
-- The last entry that has gone for its age.
CREATE TABLE audit_anchor (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO audit_anchor VALUES (1, 0, zeroblob(32));
",
    "
-- Who took themselves off a list, and how long they can't do so again.
CREATE TABLE removals (
    jail TEXT NOT NULL,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    wait INTEGER NOT NULL,
    PRIMARY KEY (jail, address, length)
) STRICT, WITHOUT ROWID;
CREATE INDEX removals_by_time ON removals (removed);
",
    "
-- What is still to be reported to a hub, numbered without gaps.
CREATE TABLE spool (
    number INTEGER PRIMARY KEY,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    jail INTEGER NOT NULL REFERENCES jails,
    at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    is_ban INTEGER NOT NULL
) STRICT;

-- One row: the name by which a hub knows the numbers, the last of them, and how many rows were deleted for want of room.
CREATE TABLE spool_state (
    name INTEGER NOT NULL,
    last INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT;
INSERT INTO spool_state VALUES (random(), 0, 0);
",
    "
-- What people ask on the public pages; open while `decided` is null.
CREATE TABLE removal_requests (
    number INTEGER PRIMARY KEY,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    contact TEXT NOT NULL,
    statement TEXT NOT NULL,
    source BLOB NOT NULL,
    source_length INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    decided INTEGER,
    granted INTEGER,
    note TEXT,
    decided_by TEXT
) STRICT;
CREATE UNIQUE INDEX removal_requests_open ON removal_requests (address, length) WHERE decided IS NULL;
CREATE INDEX removal_requests_by_source ON removal_requests (source, source_length) WHERE decided IS NULL;
CREATE INDEX removal_requests_by_age ON removal_requests (asked) WHERE decided IS NULL;
CREATE INDEX removal_requests_by_decision ON removal_requests (decided) WHERE decided IS NOT NULL;
",
    "
-- People who sign in; `granted` and `recovery` are JSON.
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    granted TEXT NOT NULL,
    password TEXT NOT NULL,
    totp BLOB,
    totp_pending BLOB,
    totp_step INTEGER NOT NULL,
    recovery TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL,
    seen INTEGER
) STRICT;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    source TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user, created);
CREATE INDEX sessions_by_time ON sessions (created);
",
    // Passkeys of users: the handle is what the authenticator knows the user by, the key is JSON.
    "
CREATE TABLE passkeys (
    id TEXT PRIMARY KEY NOT NULL,
    credential BLOB NOT NULL UNIQUE,
    user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    handle BLOB NOT NULL,
    label TEXT NOT NULL,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER
) STRICT;
CREATE INDEX passkeys_by_user ON passkeys (user, created);
",
    // By when bans in force end, those that don't at the end.
    "
CREATE INDEX bans_in_force_by_end ON bans (ifnull(until, 9223372036854775807)) WHERE ended IS NULL;
",
    // Who answers for an entry of the allowlist.
    "
ALTER TABLE allowlist ADD COLUMN owner TEXT NOT NULL DEFAULT '';
",
    // A report on a month reads a row for each day, not one for each hour.
    "
CREATE TABLE reports_by_day (
    day INTEGER NOT NULL,
    reporter INTEGER NOT NULL REFERENCES reporters,
    category INTEGER NOT NULL REFERENCES report_categories,
    reports INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (day, reporter, category)
) STRICT, WITHOUT ROWID;
INSERT INTO reports_by_day SELECT hour / 86400000 * 86400000 AS day, reporter, category, sum(reports), sum(failures)
    FROM reports_by_hour GROUP BY day, reporter, category;
DROP TABLE reports_by_hour;
",
    // A ban in force and one that is over stand in other indexes each, so that a new one is written into few.
    "
CREATE INDEX bans_over_by_address ON bans (address, length, jail, since) WHERE ended IS NOT NULL;
CREATE INDEX bans_over_by_jail ON bans (jail, since) WHERE ended IS NOT NULL;
CREATE INDEX bans_over_by_time ON bans (since) WHERE ended IS NOT NULL;
DROP INDEX bans_in_force;
DROP INDEX bans_by_address;
DROP INDEX bans_by_jail;
DROP INDEX bans_by_time;
-- The kinds one by one: SQLite would make a table of a list of them for every row that is written.
CREATE TABLE numbered_changes (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind = 'banned' OR kind = 'extended' OR kind = 'unbanned' OR kind = 'allowed' OR kind = 'disallowed'),
    jail INTEGER REFERENCES jails,
    address BLOB NOT NULL,
    length INTEGER NOT NULL,
    until INTEGER,
    cause TEXT
) STRICT;
INSERT INTO numbered_changes SELECT * FROM changes ORDER BY number;
DROP TABLE changes;
ALTER TABLE numbered_changes RENAME TO changes;
",
    // Changes go by their age without an index by time, which every new one would be written into.
    "
CREATE TABLE changes_by_day (
    day INTEGER PRIMARY KEY,
    -- Of the last change that was there when the day was first looked at.
    number INTEGER NOT NULL
) STRICT;
",
];

/// The version of the tables that this program writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// How a database stands before we touch it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Ours, or empty; holds its version.
    Version(i64),
    /// Ours, but from a later program; holds its version.
    Newer(i64),
    /// Tables that are not ours.
    Foreign,
}

/// Looks at what is there.
pub(super) fn inspect(connection: &Connection) -> rusqlite::Result<Found> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (id, version) {
        (APPLICATION_ID, version) if version > VERSION => Found::Newer(version),
        (APPLICATION_ID, version) => Found::Version(version),
        (0, 0) if tables == 0 => Found::Version(0),
        _ => Found::Foreign,
    })
}

/// Takes the missing steps, all or none of them.
pub(super) fn migrate(connection: &mut Connection, from: i64, serial_base: i64) -> rusqlite::Result<()> {
    if from == VERSION {
        return Ok(());
    }
    if from == 0 {
        // Freed pages can be given back a few at a time; this can only be chosen before the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    if from == 0 {
        transaction.execute("INSERT INTO about (serial_base) VALUES (?1)", [serial_base])?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables before changes were written without a list of kinds.
    const BEFORE: usize = 15;

    fn rows(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn what_older_tables_hold_stays() {
        let mut connection = Connection::open_in_memory().unwrap();
        for step in &MIGRATIONS[..BEFORE] {
            connection.execute_batch(step).unwrap();
        }
        let old = "INSERT INTO jails (id, name) VALUES (1, 'sasl');
            INSERT INTO bans (id, jail, address, length, since, until, origin, failures, count, ended) VALUES
                (1, 1, zeroblob(16), 128, 10, 20, '\"log\"', 5, 1, 20), (2, 1, zeroblob(16), 128, 30, 40, '\"log\"', 5, 2, NULL);
            INSERT INTO evidence VALUES (1, 0, 'one'), (2, 0, 'two');
            INSERT INTO changes VALUES (7, 10, 'banned', 1, zeroblob(16), 128, 20, NULL),
                (8, 20, 'unbanned', 1, zeroblob(16), 128, NULL, '\"expired\"'), (9, 30, 'allowed', NULL, zeroblob(16), 96, 40, NULL);";
        connection.execute_batch(old).unwrap();
        let held = |connection: &Connection| {
            let changes = "SELECT number || at || kind || ifnull(jail, '') || hex(address) || length || ifnull(until, '')
                || ifnull(cause, '') FROM changes ORDER BY number";
            let bans =
                "SELECT since || line || ifnull(ended, '') FROM bans JOIN evidence ON ban = id ORDER BY id";
            [changes, bans].map(|sql| rows(connection, sql))
        };
        let before = held(&connection);
        assert_eq!(before.each_ref().map(Vec::len), [3, 2]);
        migrate(&mut connection, BEFORE as i64, 0).unwrap();
        assert_eq!(held(&connection), before);
        assert_eq!(inspect(&connection).unwrap(), Found::Version(VERSION));
        assert_eq!(rows(&connection, "PRAGMA integrity_check"), ["ok"]);
        let of_no_kind = "INSERT INTO changes VALUES (10, 1, 'other', NULL, zeroblob(16), 96, NULL, NULL)";
        assert!(connection.execute(of_no_kind, []).is_err());
    }
}
