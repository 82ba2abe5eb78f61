//! Read-only views of the database that are kept open between look-ups, with their statements.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::{Error, Reader};

/// So many are kept: as many people look at a time. Others are opened and closed again.
const MOST: usize = 8;

/// The views of one database.
#[derive(Debug)]
pub struct ReaderPool {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl ReaderPool {
    /// Those of the database at `path`, none of which is open yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// What `read` finds. Blocks.
    pub fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<T, Error> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let reader = kept.map_or_else(|| Reader::open(&self.path), Ok)?;
        // One that fails is closed: whatever is wrong may be wrong with it.
        let found = read(&reader)?;
        let mut idle = idle();
        if idle.len() < MOST {
            idle.push(reader);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::ip::Prefix;
    use crate::store::{Removed, Settings, Store};

    #[test]
    fn a_view_that_is_kept_sees_what_was_written_since() {
        const DAY: Duration = Duration::from_secs(86_400);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("banzone.db");
        let settings = Settings { path: path.clone(), evidence_retention: DAY, history_retention: DAY };
        let mut store = Store::open(&settings, Timestamp::from_secs(0)).unwrap();
        let pool = ReaderPool::new(path);
        let prefix: Prefix = "192.0.2.1".parse().unwrap();
        let at = |reader: &Reader| Ok(reader.removed("sasl", prefix)?.map(|removed| removed.at.as_secs()));
        assert_eq!(pool.read(at).unwrap(), None);
        for second in 1..4 {
            let removed = Removed { at: Timestamp::from_secs(second), wait: DAY };
            store.write(|transaction| transaction.note_removed("sasl", prefix, removed)).unwrap();
            assert_eq!(pool.read(at).unwrap(), Some(second));
            assert_eq!(pool.idle.lock().unwrap().len(), 1);
        }
    }
}
