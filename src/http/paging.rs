//! Pages of lists: where they begin, and those of lists that stand in memory.

use std::str::FromStr;

use axum::http::StatusCode;

use super::api::{Limit, ListQuery};
use super::problem::Refused;
use crate::store::ParseKeyError;

/// The place behind which a page begins, as it was handed out.
pub(super) fn place<K: FromStr>(after: Option<&str>) -> Result<Option<K>, Refused> {
    let parsed = after.map(str::parse).transpose();
    parsed.map_err(|_| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, format!("`after`: {ParseKeyError}")))
}

/// A page of `rows`, which are in the order of their keys, and where the next one begins.
pub(super) fn page_of<T, K: Ord + FromStr + ToString>(
    rows: impl IntoIterator<Item = T>,
    query: &ListQuery,
    key: impl Fn(&T) -> K,
) -> Result<(Vec<T>, Option<String>), Refused> {
    let after = place::<K>(query.after.as_deref())?;
    let is_behind = |row: &T| after.as_ref().is_none_or(|after| key(row) > *after);
    Ok(first_of(rows.into_iter().filter(is_behind), query.limit, &key))
}

/// The same where all of `rows` are behind the page before.
pub(super) fn first_of<T, K: ToString>(
    mut rows: impl Iterator<Item = T>,
    limit: Option<Limit>,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Option<String>) {
    let page: Vec<T> = rows.by_ref().take(self::rows(limit)).collect();
    let next = if rows.next().is_some() { page.last().map(|row| key(row).to_string()) } else { None };
    (page, next)
}

/// At most so many rows.
pub(super) fn rows(limit: Option<Limit>) -> usize {
    limit.unwrap_or_default().rows()
}
