//! The bans in force as a start reads them: there may be millions, so that several threads read a part of the addresses each, and
//! then the next that nobody reads yet.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, SyncSender, sync_channel};
use std::sync::{Arc, LazyLock};
use std::thread;

use foldhash::HashMap;
use rusqlite::params;

use super::row::prefix;
use super::writer::set_cache;
use super::{Error, Reader, Store};
use crate::ip::Prefix;
use crate::jail::Active;

/// The memory for pages that are read once and in order, in KiB.
const CACHE: i64 = 256;

/// More than this wait for the one that takes what they read.
const MOST_THREADS: usize = 4;

/// Bans that are handed on together, and how many such batches wait at most, some hundred kilobytes each.
const BATCH: usize = 4096;
const BATCHES: usize = 4;

/// A ban in force: the number of its jail, its prefix, its beginning and end, and the how manieth of its prefix it is.
type InForce = (i64, Prefix, Active, u32);

/// The first and the last address of each part: those of IPv4 with one first octet, those of IPv6 likewise.
static PARTS: LazyLock<Vec<(u128, u128)>> = LazyLock::new(|| {
    let (first, last) = Prefix::all_ipv4().bounds();
    let ipv4 = (0..256).map(|octet| first + (octet << 24));
    let ipv6 = (1..256).map(|octet| octet << 120);
    let starts: Vec<u128> = [0].into_iter().chain(ipv4).chain([last + 1]).chain(ipv6).collect();
    let lasts = starts[1..].iter().map(|next| next - 1).chain([u128::MAX]);
    starts.iter().copied().zip(lasts).collect()
});

impl Store {
    /// Hands on every ban in force: jail, prefix, beginning and end, and the how manieth of its prefix it is. They come by the
    /// thousand in the order of addresses, and the thousands in any order.
    pub fn bans_in_force(&self, mut each: impl FnMut(&Arc<str>, Prefix, Active, u32)) -> Result<(), Error> {
        let jails = self.jails().map_err(|error| Error::new(self.path(), error))?;
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let (send, batches) = sync_channel(BATCHES);
        let (path, next_part) = (self.path(), AtomicUsize::new(0));
        thread::scope(|scope| {
            // If this panics, the channel goes with it, and nobody waits to send.
            let batches = batches;
            let mut readers = Vec::new();
            for _ in 0..threads {
                let send = send.clone();
                let read = || read_parts(path, &next_part, send);
                match thread::Builder::new().name("bans".into()).spawn_scoped(scope, read) {
                    Ok(reader) => readers.push(reader),
                    // One is enough.
                    Err(_) if !readers.is_empty() => break,
                    Err(source) => return Err(Error::NoThread { path: path.to_owned(), source }),
                }
            }
            // Only they send.
            drop(send);
            for (jail, prefix, active, count) in batches.iter().flatten() {
                if let Some(jail) = jails.get(&jail) {
                    each(jail, prefix, active, count);
                }
            }
            readers
                .into_iter()
                .try_for_each(|reader| reader.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }

    /// Their names by their numbers.
    fn jails(&self) -> rusqlite::Result<HashMap<i64, Arc<str>>> {
        let jails = self.all("SELECT id, name FROM jails", |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(jails.into_iter().collect())
    }
}

/// Reads parts until all are read; after an error nobody begins another.
fn read_parts(path: &Path, next: &AtomicUsize, send: SyncSender<Vec<InForce>>) -> Result<(), Error> {
    let read = try_parts(path, next, send);
    if read.is_err() {
        next.store(PARTS.len(), Ordering::Relaxed);
    }
    read
}

fn try_parts(path: &Path, next: &AtomicUsize, send: SyncSender<Vec<InForce>>) -> Result<(), Error> {
    let reader = Reader::open(path)?;
    let mut batches = Batches { send, batch: Vec::new() };
    reader.run(|connection| {
        set_cache(connection, CACHE)?;
        let mut statement = connection.prepare(
            "SELECT jail, address, length, since, until, count FROM bans
             WHERE ended IS NULL AND address BETWEEN ?1 AND ?2 ORDER BY address, length",
        )?;
        while let Some((first, last)) = PARTS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut rows = statement.query(params![first.to_be_bytes(), last.to_be_bytes()])?;
            while let Some(row) = rows.next()? {
                let active = Active { since: row.get(3)?, until: row.get(4)? };
                if batches.add((row.get(0)?, prefix(row, 1)?, active, row.get(5)?)).is_err() {
                    return Ok(());
                }
            }
        }
        // As above: who would take them has panicked.
        let _ = batches.hand_on();
        Ok(())
    })
}

/// What is read and not handed on yet.
struct Batches {
    send: SyncSender<Vec<InForce>>,
    batch: Vec<InForce>,
}

impl Batches {
    fn add(&mut self, ban: InForce) -> Result<(), SendError<Vec<InForce>>> {
        self.batch.push(ban);
        if self.batch.len() == BATCH { self.hand_on() } else { Ok(()) }
    }

    /// Fails where nobody takes them any more.
    fn hand_on(&mut self) -> Result<(), SendError<Vec<InForce>>> {
        self.send.send(std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH)))
    }
}
