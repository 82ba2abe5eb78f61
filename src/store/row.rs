//! How the vocabulary stands in columns.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::source::{Fingerprint, Position};

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_millis().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self::from_millis)
    }
}

/// A value kept as JSON text.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        serde_json::from_str(text).map(Json).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// Selects what [`position`] reads.
pub(super) const SELECT_POSITIONS: &str =
    "SELECT source, device, inode, path, byte_offset, fingerprint_length, fingerprint_hash FROM positions";

/// Reads a row of [`SELECT_POSITIONS`].
pub(super) fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position {
        source: row.get(0)?,
        device: row.get::<_, i64>(1)?.cast_unsigned(),
        inode: row.get::<_, i64>(2)?.cast_unsigned(),
        path: OsStr::from_bytes(row.get_ref(3)?.as_blob()?).into(),
        offset: row.get::<_, i64>(4)?.cast_unsigned(),
        fingerprint: Fingerprint { length: row.get(5)?, hash: row.get::<_, i64>(6)?.cast_unsigned() },
        finished: false,
    })
}

/// Reads the prefix from two columns, the address first.
pub(super) fn prefix(row: &Row<'_>, column: usize) -> rusqlite::Result<Prefix> {
    let (address, length): ([u8; 16], u8) = (row.get(column)?, row.get(column + 1)?);
    Prefix::from_bytes(address, length)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column + 1, length.into()))
}
