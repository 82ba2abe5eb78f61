//! fail2ban's database, read for those who move. It is opened read-only and a page at a time, so that a fail2ban that still
//! runs never waits for us.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::Error;
use super::reader::BUSY_TIMEOUT;

/// The version of the tables that keep who was banned how often.
const VERSION: i64 = 4;

/// So many lines of a ban are read, the last ones.
const MAX_LINES: usize = 20;

/// A line is cut to this many bytes.
const MAX_LINE: usize = 1000;

/// What fail2ban knows of one identification in one jail: its last ban, in force or over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fail2banRow {
    /// An address, a network, or whatever else its filters found.
    pub id: String,
    /// The jail.
    pub jail: String,
    /// The last failure, in seconds since the Unix epoch.
    pub since: i64,
    /// Seconds; -1 is permanent, anything else below 0 is unknown.
    pub bantime: i64,
    /// How often it was banned.
    pub count: u32,
    /// How many failures led to it.
    pub failures: u32,
    /// The last lines that led to it, oldest first.
    pub lines: Vec<String>,
}

/// An open database of fail2ban.
#[derive(Debug)]
pub struct Fail2ban {
    connection: Connection,
    path: PathBuf,
}

impl Fail2ban {
    /// Opens it, if it is one and of a version with what is wanted.
    pub fn open(path: &Path) -> Result<Self, Error> {
        File::open(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<(Connection, Option<i64>)> {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            let version = version(&connection)?;
            Ok((connection, version))
        };
        let (connection, version) = open().map_err(|error| Error::new(path, error))?;
        let path = path.to_owned();
        match version {
            None => Err(Error::NotFail2ban { path }),
            Some(found) if found < VERSION => Err(Error::OldFail2ban { path, found }),
            Some(_) => Ok(Self { connection, path }),
        }
    }

    /// At most `limit` rows behind `last`, in order; none: there are no more.
    pub fn page(&self, last: Option<&Fail2banRow>, limit: usize) -> Result<Vec<Fail2banRow>, Error> {
        let read = || -> rusqlite::Result<Vec<Fail2banRow>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT ip, jail, timeofban, bantime, bancount, data FROM bips
                 WHERE (ip, jail) > (?1, ?2) ORDER BY ip, jail LIMIT ?3",
            )?;
            let (ip, jail) = last.map_or(("", ""), |last| (&last.id, &last.jail));
            let rows = statement.query_map(params![ip, jail, limit], row)?;
            rows.collect()
        };
        read().map_err(|error| Error::new(&self.path, error))
    }
}

fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'fail2banDb'";
    let is_fail2bans: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    if is_fail2bans == 0 {
        return Ok(None);
    }
    connection.query_row("SELECT max(version) FROM fail2banDb", [], |row| row.get(0))
}

fn row(row: &Row<'_>) -> rusqlite::Result<Fail2banRow> {
    let (failures, lines) = data(row.get_ref(5)?);
    Ok(Fail2banRow {
        id: row.get(0)?,
        jail: row.get(1)?,
        since: whole(row.get_ref(2)?),
        bantime: whole(row.get_ref(3)?),
        count: u32::try_from(whole(row.get_ref(4)?)).unwrap_or(1),
        failures,
        lines,
    })
}

/// Columns of SQLite hold what was put there.
fn whole(value: ValueRef<'_>) -> i64 {
    match value {
        ValueRef::Integer(number) => number,
        ValueRef::Real(number) => number as i64,
        _ => 0,
    }
}

/// The failures and the lines; JSON that is none has neither.
fn data(value: ValueRef<'_>) -> (u32, Vec<String>) {
    let bytes = match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        _ => b"",
    };
    let data: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let failures =
        data["failures"].as_u64().map_or(0, |failures| u32::try_from(failures).unwrap_or(u32::MAX));
    let matches = data["matches"].as_array().map_or(&[][..], Vec::as_slice);
    let last = &matches[matches.len().saturating_sub(MAX_LINES)..];
    (failures, last.iter().filter_map(line).collect())
}

/// A line is text, or the text before its date, the date, and the text behind it.
fn line(written: &serde_json::Value) -> Option<String> {
    let mut line = match written {
        serde_json::Value::String(line) => line.clone(),
        serde_json::Value::Array(parts) => parts.iter().filter_map(serde_json::Value::as_str).collect(),
        _ => return None,
    };
    line.truncate(line.floor_char_boundary(MAX_LINE));
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(sql: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fail2ban.sqlite3");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        (folder, path)
    }

    const TABLES: &str = "CREATE TABLE fail2banDb (version INTEGER); INSERT INTO fail2banDb VALUES (4);
        CREATE TABLE bips (ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER, bancount INTEGER, data JSON,
            PRIMARY KEY (ip, jail));";

    #[test]
    fn rows_come_in_pages() {
        let (_folder, path) = database(&format!(
            "{TABLES} INSERT INTO bips VALUES
             ('192.0.2.1', 'sshd', 100, 600, 2, CAST('{{\"matches\": [\"a\", [\"b \", \"12:00\", \" c\"], 3], \"failures\": 7}}' AS BLOB)),
             ('192.0.2.1', 'app', 100.7, -1, 1, '{{}}'),
             ('somebody', 'app', 100, 600, -3, 'no JSON');"
        ));
        let database = Fail2ban::open(&path).unwrap();
        let first = database.page(None, 2).unwrap();
        let second = database.page(first.last(), 2).unwrap();
        assert_eq!(database.page(second.last(), 2).unwrap(), []);
        let expected = |id: &str, jail: &str, bantime, count| Fail2banRow {
            id: id.to_owned(),
            jail: jail.to_owned(),
            since: 100,
            bantime,
            count,
            ..Fail2banRow::default()
        };
        let lines = vec!["a".to_owned(), "b 12:00 c".to_owned()];
        let full = Fail2banRow { failures: 7, lines, ..expected("192.0.2.1", "sshd", 600, 2) };
        assert_eq!(first, [expected("192.0.2.1", "app", -1, 1), full]);
        assert_eq!(second, [expected("somebody", "app", 600, 1)]);
    }

    #[test]
    fn what_is_no_database_of_fail2bans_is_refused() {
        let (_folder, path) = database("CREATE TABLE t (a);");
        assert!(Fail2ban::open(&path).unwrap_err().to_string().contains("no database of fail2ban's"));
        let (_folder, path) =
            database("CREATE TABLE fail2banDb (version); INSERT INTO fail2banDb VALUES (3);");
        assert!(Fail2ban::open(&path).unwrap_err().to_string().contains("version 3"));
        let missing = Fail2ban::open(&path.with_extension("old")).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"));
    }
}
