//! Lists a page at a time. A page begins behind the key of the last row before it (keyset pagination), so that the thousandth
//! costs what the first does, and rows that come and go meanwhile neither repeat nor hide others.
//!
//! Filters that no index serves are applied while the rows go by; so many are looked at for a page and no more.

use std::str::FromStr;

use rusqlite::{Row, Rows};

/// For one page at most so many rows are looked at: a tenth of a second. A page that ends there has less than was asked for.
pub(super) const MOST_LOOKED_AT: usize = 50_000;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// As many rows as were asked for, or fewer.
    pub rows: Vec<T>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<K>,
}

/// It is none that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this place in the list is not one that it has given out")]
pub struct ParseKeyError;

/// The two parts of a key, between which there is an underscore.
pub(super) fn parts<A: FromStr, B: FromStr>(written: &str) -> Result<(A, B), ParseKeyError> {
    let (one, other) = written.split_once('_').ok_or(ParseKeyError)?;
    Ok((one.parse().map_err(|_| ParseKeyError)?, other.parse().map_err(|_| ParseKeyError)?))
}

/// What a row turned out to be.
pub(super) enum Found<T> {
    /// One that was asked for.
    Wanted(T),
    /// Another one.
    Other,
    /// One behind all that were asked for.
    Beyond,
}

/// The first `limit` rows that were asked for.
pub(super) fn page<T, K>(
    mut rows: Rows<'_>,
    limit: usize,
    key: impl Fn(&Row<'_>) -> rusqlite::Result<K>,
    mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<Found<T>>,
) -> rusqlite::Result<Page<T, K>> {
    let (mut found, mut looked_at, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        if found.len() == limit || looked_at == MOST_LOOKED_AT {
            return Ok(Page { rows: found, next: last });
        }
        match look(row)? {
            Found::Wanted(wanted) => found.push(wanted),
            Found::Other => {}
            Found::Beyond => break,
        }
        (last, looked_at) = (Some(key(row)?), looked_at + 1);
    }
    Ok(Page { rows: found, next: None })
}
