//! The audit log: who changed what, from where, and what became of it. Each entry holds the hash of the one before, so that
//! nobody can change or take out an old one without the rest telling. What is old goes from the beginning only, and the
//! chain holds from there on.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::token;
use crate::clock::Timestamp;
use crate::store::{self, AuditRow, Reader, Transaction};

/// What is longer is cut: this is to find out what was done, not to do it again.
const LONGEST: usize = 1000;

/// So many entries are read at a time.
const PAGE: u32 = 1000;

/// Something that was done or tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Who.
    pub who: String,
    /// From where: an address, or the control socket.
    pub source: String,
    /// What, such as `POST /api/v1/bans`.
    pub action: String,
    /// And in particular.
    pub detail: String,
    /// The HTTP status that came of it.
    pub outcome: u16,
}

/// Writes `event` down as the next entry.
pub fn record(
    transaction: &Transaction<'_>,
    event: &Event,
    now: Timestamp,
) -> Result<AuditRow, store::Error> {
    let (number, previous) = transaction.last_audit()?;
    let mut row = AuditRow {
        number: number + 1,
        at: now,
        who: shortened(&event.who),
        source: shortened(&event.source),
        action: shortened(&event.action),
        detail: shortened(&event.detail),
        outcome: event.outcome,
        hash: [0; 32],
    };
    row.hash = hash(&previous, &row);
    transaction.insert_audit(&row)?;
    Ok(row)
}

/// As it is kept: cut, and without the secrets of tokens that were typed into the wrong place.
fn shortened(text: &str) -> String {
    let text = &*token::without_secrets(text);
    let mut shown = text[..text.floor_char_boundary(LONGEST)].to_owned();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Of the entry and the hash before it; texts stand behind their lengths, so that no two entries read alike.
fn hash(previous: &[u8; 32], row: &AuditRow) -> [u8; 32] {
    let AuditRow { number, at, who, source, action, detail, outcome, hash: _ } = row;
    let mut digest = Sha256::new();
    digest.update(previous);
    digest.update(number.to_be_bytes());
    digest.update(at.as_millis().to_be_bytes());
    digest.update(outcome.to_be_bytes());
    for text in [who, source, action, detail] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().into()
}

/// A hash as people compare it.
pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// What a look at the whole chain has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// The number of the last one that is right, and its hash: whoever knows them of old can tell whether entries have been
    /// taken from the end since.
    pub last: (u64, [u8; 32]),
    /// The number of the first entry that is changed, or that follows on one that is missing.
    pub broken: Option<u64>,
    /// Whether entries have gone from the beginning that were not old enough to go.
    pub gone_early: bool,
}

/// The entry that this process wrote last: what a database whose end was cut off does not know any more.
#[derive(Debug, Default)]
pub struct Witness(Mutex<(u64, [u8; 32])>);

impl Witness {
    /// Notes an entry that was written; whether it stands behind all that were noted before, as it does unless several are
    /// noted at a time, or some are gone.
    pub fn note(&self, row: &AuditRow) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = row.number > last.0;
        if is_next {
            *last = (row.number, row.hash);
        }
        is_next
    }

    /// The number of what was noted last and is not in the log any more, nor has gone for its age.
    pub fn missed(&self, reader: &Reader) -> Result<Option<u64>, store::Error> {
        let (number, hash) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = number <= reader.audit_anchor()?.0 || reader.audit_hash(number)? == Some(hash);
        Ok((!is_there).then_some(number))
    }
}

/// Reads all of the chain, which must hold what the `witness` saw. Entries from before `old` may have gone.
pub fn verify(reader: &Reader, witness: &Witness, old: Timestamp) -> Result<Verified, store::Error> {
    let found = Verified { gone_early: gone_early(reader, old)?, ..verify_chain(reader)? };
    let missed = witness.missed(reader)?;
    Ok(Verified { broken: found.broken.or(missed), ..found })
}

fn verify_chain(reader: &Reader) -> Result<Verified, store::Error> {
    let (mut last, mut entries) = (reader.audit_anchor()?, 0);
    let found = |entries, last, broken| Ok(Verified { entries, last, broken, gone_early: false });
    if let Some(broken) = reader.audit_not_behind(last.0)? {
        return found(entries, last, Some(broken));
    }
    loop {
        let page = reader.audit_after(last.0, PAGE)?;
        if page.is_empty() {
            return found(entries, last, None);
        }
        for row in page {
            if row.number != last.0 + 1 || row.hash != hash(&last.1, &row) {
                return found(entries, last, Some(row.number));
            }
            (last, entries) = ((row.number, row.hash), entries + 1);
        }
    }
}

/// Of those that go, the youngest is left, so that the first one must be older than `old`.
fn gone_early(reader: &Reader, old: Timestamp) -> Result<bool, store::Error> {
    let anchor = reader.audit_anchor()?.0;
    let first = reader.audit_after(anchor, 1)?;
    Ok(anchor > 0 && first.first().is_none_or(|row| row.at >= old))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;

    use super::*;
    use crate::store::{Settings, Store};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hour: u32) -> Timestamp {
        Timestamp::from_secs(1_795_305_600) + HOUR * hour
    }

    /// A database with an entry for each of the first `hours`.
    fn written(hours: u32) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("banzone.db");
        let settings = Settings { path, evidence_retention: HOUR, history_retention: HOUR };
        let mut store = Store::open(&settings, at(0)).unwrap();
        for hour in 0..hours {
            let event = Event {
                who: "root".to_owned(),
                source: "socket".to_owned(),
                action: "POST /api/v1/bans".to_owned(),
                detail: "é".repeat(hour as usize * 300),
                outcome: 200,
            };
            store.write(|transaction| record(transaction, &event, at(hour))).unwrap();
        }
        (folder, store)
    }

    fn verified(store: &Store) -> Verified {
        verify(&Reader::open(store.path()).unwrap(), &Witness::default(), at(0)).unwrap()
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        let (_folder, store) = written(5);
        let Verified { entries, last, broken, gone_early } = verified(&store);
        assert_eq!((entries, last.0, broken, gone_early), (5, 5, None, false));
        let rows = Reader::open(store.path()).unwrap().audit_before(None, None, 2).unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(rows[0].detail.chars().count(), LONGEST / 2 + 1, "cut between two characters");
        assert_eq!(hex(&rows[0].hash), hex(&last.1));
        assert_eq!(verified(&written(0).1).entries, 0);
    }

    #[test]
    fn what_was_changed_or_taken_out_is_found() {
        for (change, broken) in [
            ("UPDATE audit SET who = 'somebody' WHERE number = 3", 3),
            ("UPDATE audit SET outcome = 403 WHERE number = 1", 1),
            ("UPDATE audit SET hash = zeroblob(32) WHERE number = 4", 4),
            ("UPDATE audit SET action = who, who = action WHERE number = 2", 2),
            ("DELETE FROM audit WHERE number = 2", 3),
            ("DELETE FROM audit WHERE number = 1", 2),
            ("DELETE FROM audit WHERE number <= 3; UPDATE audit_anchor SET number = 3", 4),
            ("UPDATE audit_anchor SET number = 2, hash = (SELECT hash FROM audit WHERE number = 2)", 1),
            (
                "INSERT OR IGNORE INTO audit SELECT -7, at, 'forged', source, action, detail, outcome, hash FROM audit LIMIT 1",
                0,
            ),
        ] {
            let (_folder, store) = written(5);
            let other = Connection::open(store.path()).unwrap();
            // The table itself refuses.
            assert_eq!(other.execute_batch(change).is_err(), change.starts_with("UPDATE audit SET"));
            other.execute_batch("DROP TRIGGER audit_is_append_only").unwrap();
            other.execute_batch(change).unwrap();
            assert_eq!(verified(&store).broken, Some(broken), "{change}");
        }
    }

    #[test]
    fn an_end_that_was_cut_off_is_missed_by_who_wrote_it() {
        let (_folder, mut store) = written(5);
        let (witness, event) = (Witness::default(), Event { who: "root".into(), ..Event::default() });
        let row = store.write(|transaction| record(transaction, &event, at(5))).unwrap();
        assert!(witness.note(&row));
        let broken =
            |store: &Store| verify(&Reader::open(store.path()).unwrap(), &witness, at(0)).unwrap().broken;
        assert_eq!(broken(&store), None);
        let other = Connection::open(store.path()).unwrap();
        other.execute_batch("DELETE FROM audit WHERE number > 4").unwrap();
        assert_eq!(broken(&store), Some(6));
        for _ in 0..2 {
            let row = store.write(|transaction| record(transaction, &event, at(6))).unwrap();
            assert!(!witness.note(&row), "the number was given before");
        }
        assert_eq!(broken(&store), Some(6), "the one that has its number now is another");
    }

    #[test]
    fn the_chain_holds_when_old_entries_go() {
        let (_folder, mut store) = written(5);
        let last = verified(&store).last;
        let look = |store: &Store, old| {
            verify(&Reader::open(store.path()).unwrap(), &Witness::default(), old).unwrap()
        };
        store.retain(at(4)).unwrap();
        let entries = |entries| Verified { entries, last, broken: None, gone_early: false };
        assert_eq!(look(&store, at(3)), entries(3), "the youngest of those that are old is left");
        store.retain(at(10)).unwrap();
        assert_eq!(look(&store, at(9)), entries(1));
        let event = Event::default();
        let row = store.write(|transaction| record(transaction, &event, at(10))).unwrap();
        assert_eq!(row.number, 6);
        let Verified { broken, gone_early, .. } = look(&store, at(9));
        assert_eq!((broken, gone_early), (None, false));
    }

    #[test]
    fn what_has_gone_before_its_time_is_found() {
        let (_folder, store) = written(5);
        let other = Connection::open(store.path()).unwrap();
        for last in [3, 5] {
            let cut = format!(
                "UPDATE audit_anchor SET number = {last}, hash = (SELECT hash FROM audit WHERE number = {last});
                DELETE FROM audit WHERE number <= {last}"
            );
            other.execute_batch(&cut).unwrap();
            let Verified { broken, gone_early, .. } = verified(&store);
            assert_eq!((broken, gone_early), (None, true), "up to {last}");
        }
    }
}
