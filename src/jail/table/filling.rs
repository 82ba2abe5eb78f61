//! Fills a table with many bans, such as a start finds them in the database.

use std::sync::Arc;

use super::blocks::Chunk;
use super::{BanTable, Held, JailId, pack};
use crate::ip::Prefix;

/// A table in the making. Bans may come in any order; in that of their addresses they take the least time and memory.
pub struct Filling {
    table: BanTable,
    /// The chunk that is being filled, with room for more, and where it belongs.
    chunk: Chunk,
    high: u16,
}

impl Filling {
    /// Goes on from `table`.
    pub fn new(table: BanTable) -> Self {
        let chunk = table.packed.chunk(0).cloned().unwrap_or_default();
        Self { table, chunk, high: 0 }
    }

    /// The number of a jail, as [`BanTable::jail`].
    pub fn jail(&mut self, name: &Arc<str>) -> JailId {
        self.table.jail(name)
    }

    /// Adds a ban of a prefix that its jail has not banned yet.
    pub fn push(&mut self, prefix: Prefix, held: Held) {
        let Some((place, ban)) = pack(prefix, &held) else {
            return self.table.set(prefix, held);
        };
        if place.high != self.high {
            self.put_back();
            self.high = place.high;
            self.chunk.clear();
            if let Some(begun) = self.table.packed.chunk(place.high) {
                self.chunk.clone_from(begun);
            }
        }
        if self.chunk.set(place.low, ban).is_none() {
            *self.table.counter(prefix, held.jail) += 1;
        }
    }

    /// The table with all that was added.
    pub fn finish(mut self) -> BanTable {
        self.put_back();
        self.table
    }

    fn put_back(&mut self) {
        if !self.chunk.is_empty() {
            self.table.packed.put(self.high, &self.chunk);
        }
    }
}
