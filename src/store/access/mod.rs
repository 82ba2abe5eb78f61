//! The tables of `access`: rows as they stand, without a meaning.

pub(in crate::store) mod audit;
mod tokens;

pub use audit::AuditRow;
pub use tokens::TokenRow;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;

    use crate::clock::Timestamp;
    use crate::store::{Settings, Store};

    use super::{audit, tokens};

    /// Every statement that looks for rows.
    const LOOKING: &[&str] = &[
        tokens::BY_ID,
        tokens::IN_FORCE,
        tokens::END,
        tokens::USE,
        audit::AFTER,
        audit::BEFORE,
        audit::ANCHOR,
        audit::DROP,
    ];

    #[test]
    fn nothing_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("banzone.db");
        let (day, now) = (Duration::from_secs(86_400), Timestamp::from_secs(0));
        let settings = Settings { path: path.clone(), evidence_retention: day, history_retention: day };
        drop(Store::open(&settings, now).unwrap());
        let connection = Connection::open(&path).unwrap();
        for sql in LOOKING {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let none = vec![rusqlite::types::Null; explain.parameter_count()];
            let rows = explain.query_map(rusqlite::params_from_iter(none), |row| row.get::<_, String>(3));
            let plan: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
            assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {plan:?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{sql}: {plan:?}");
        }
    }
}
