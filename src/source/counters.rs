//! What a source has done and what hinders it, for status and metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Batch;

/// Shared by a source, which writes, and whoever shows it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Lines handed on.
    pub lines: AtomicU64,
    /// Bytes read, line ends included.
    pub bytes: AtomicU64,
    /// Lines cut to [`super::LINE_BYTES`].
    pub cut_lines: AtomicU64,
    /// Files seen moved away, truncated or replaced.
    pub rotations: AtomicU64,
    /// Bytes written but not yet read, as of the last look at the files.
    pub lag: AtomicU64,
    /// Messages received but not kept, as there was no room for them.
    pub dropped: AtomicU64,
    followed: Mutex<Vec<PathBuf>>,
    problems: Mutex<BTreeMap<PathBuf, String>>,
    /// What hinders whoever feeds the files, by its name.
    hindrances: Mutex<BTreeMap<PathBuf, String>>,
}

impl Counters {
    /// The files open now.
    pub fn followed(&self) -> Vec<PathBuf> {
        lock(&self.followed).clone()
    }

    /// What hinders reading, and its remedy, by path: a missing file, one without permission, one that is no log.
    pub fn problems(&self) -> BTreeMap<PathBuf, String> {
        let mut all = lock(&self.problems).clone();
        all.extend(lock(&self.hindrances).clone());
        all
    }

    pub(super) fn count(&self, batch: &Batch, bytes: u64) {
        self.lines.fetch_add(batch.len() as u64, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.cut_lines.fetch_add(batch.cut_lines(), Relaxed);
    }

    pub(super) fn set_followed(&self, paths: Vec<PathBuf>) {
        *lock(&self.followed) = paths;
    }

    pub(super) fn set_problems(&self, problems: BTreeMap<PathBuf, String>) {
        *lock(&self.problems) = problems;
    }

    /// Sets what hinders one that feeds the files, or, by `None`, that nothing does any more.
    pub(super) fn set_hindrance(&self, path: &Path, problem: Option<String>) {
        let mut hindrances = lock(&self.hindrances);
        match problem {
            Some(problem) => hindrances.insert(path.to_owned(), problem),
            None => hindrances.remove(path),
        };
    }

    pub(super) fn add_problem(&self, path: &Path, problem: String) {
        lock(&self.problems).insert(path.to_owned(), problem);
    }
}

/// What is under these locks is replaced whole, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
