//! Packed bans in chunks: one for each network of 16 bits in which anybody is banned.
//!
//! Chunks stand below 256 blocks of 256. All of them are shared between versions: a change copies the chunk it is in and the
//! way to it, some kilobytes, whatever the size of the whole.

use std::sync::Arc;

use super::packed::{Head, Packed, SHORTEST};
use crate::clock::Timestamp;

/// All packed bans.
#[derive(Clone)]
pub(super) struct Blocks(Arc<[Option<Arc<Block>>; 256]>);

type Block = [Option<Arc<Chunk>>; 256];

/// The bans of one network of 16 bits, in the order of their networks, then of their heads.
#[derive(Clone, Default)]
pub(super) struct Chunk {
    /// The lower 16 bits of each network.
    lows: Vec<u16>,
    /// As many.
    bans: Vec<Packed>,
    /// Which lengths occur, or have occurred: bit 0 stands for 16 bits.
    lengths: u32,
}

impl Default for Blocks {
    fn default() -> Self {
        Self(Arc::new([const { None }; 256]))
    }
}

impl Blocks {
    /// The chunk of the network whose first 16 bits are `high`.
    pub(super) fn chunk(&self, high: u16) -> Option<&Chunk> {
        let [block, chunk] = high.to_be_bytes();
        self.0[usize::from(block)].as_ref()?[usize::from(chunk)].as_deref()
    }

    /// All chunks from `first` to `last` that there are, with the first 16 bits of their network.
    pub(super) fn chunks(&self, first: u16, last: u16) -> impl Iterator<Item = (u16, &Chunk)> {
        let blocks = (first >> 8..=last >> 8).filter(|block| self.0[usize::from(*block)].is_some());
        let highs = blocks.flat_map(move |block| first.max(block << 8)..=last.min(block << 8 | 0xff));
        highs.filter_map(|high| Some((high, self.chunk(high)?)))
    }

    /// Changes the chunk at `high`, which is there if only for that long.
    pub(super) fn edit<T>(&mut self, high: u16, edit: impl FnOnce(&mut Chunk) -> T) -> T {
        let [block, chunk] = high.to_be_bytes().map(usize::from);
        let block = &mut Arc::make_mut(&mut self.0)[block];
        let block = Arc::make_mut(block.get_or_insert_with(|| Arc::new([const { None }; 256])));
        let slot = &mut block[chunk];
        let chunk = Arc::make_mut(slot.get_or_insert_default());
        let edited = edit(chunk);
        if chunk.is_empty() {
            *slot = None;
        }
        edited
    }

    /// Puts a copy of `chunk` that takes no more room than it needs in the place of the one at `high`.
    pub(super) fn put(&mut self, high: u16, chunk: &Chunk) {
        self.edit(high, |held| *held = chunk.clone());
    }
}

impl Chunk {
    /// Whether nobody is banned.
    pub(super) fn is_empty(&self) -> bool {
        self.bans.is_empty()
    }

    /// Takes all bans away; their room stays.
    pub(super) fn clear(&mut self) {
        self.lows.clear();
        self.bans.clear();
        self.lengths = 0;
    }

    /// The ban of exactly this network and jail.
    pub(super) fn get(&self, low: u16, head: Head) -> Option<Packed> {
        self.search(low, head).ok().map(|place| self.bans[place])
    }

    /// Adds a ban, in the place of the one with the same head, which is handed back.
    pub(super) fn set(&mut self, low: u16, ban: Packed) -> Option<Packed> {
        match self.search(low, ban.head()) {
            Ok(place) => Some(std::mem::replace(&mut self.bans[place], ban)),
            Err(place) => {
                self.make_room();
                self.lows.insert(place, low);
                self.bans.insert(place, ban);
                self.lengths |= bit(ban.head().length());
                None
            }
        }
    }

    /// Takes the ban of exactly this network and jail away.
    pub(super) fn remove(&mut self, low: u16, head: Head) -> Option<Packed> {
        let place = self.search(low, head).ok()?;
        self.lows.remove(place);
        Some(self.bans.remove(place))
    }

    /// Takes away what `keep` says false to.
    pub(super) fn retain(&mut self, keep: impl Fn(Packed) -> bool) {
        let mut bans = self.bans.iter();
        self.lows.retain(|_| bans.next().is_some_and(|ban| keep(*ban)));
        self.bans.retain(|ban| keep(*ban));
    }

    /// Has `take` see the bans of networks of up to `length` bits that `low` lies in, longest first.
    #[inline]
    pub(super) fn each_covering(&self, low: u16, length: u8, mut take: impl FnMut(u16, Packed)) {
        for length in lengths(self.lengths & ((bit(length) << 1) - 1)) {
            let network = low & mask(length);
            let mut place = self.first(network);
            while self.lows.get(place).is_some_and(|held| *held == network) {
                let ban = self.bans[place];
                if ban.head().length() == length {
                    take(network, ban);
                }
                place += 1;
            }
        }
    }

    /// The bans of networks that begin from `first` to `last`, in order.
    pub(super) fn range(&self, first: u16, last: u16) -> impl Iterator<Item = (u16, Packed)> {
        let start = self.first(first);
        let bans = self.lows[start..].iter().zip(&self.bans[start..]);
        bans.take_while(move |(low, _)| **low <= last).map(|(low, ban)| (*low, *ban))
    }

    /// Every ban in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, Packed)> {
        self.lows.iter().copied().zip(self.bans.iter().copied())
    }

    /// When the first of its bans ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.bans.iter().filter_map(|ban| ban.held().until).min()
    }

    /// Where the bans of `low` begin, or would.
    fn first(&self, low: u16) -> usize {
        self.lows.partition_point(|held| *held < low)
    }

    fn search(&self, low: u16, head: Head) -> Result<usize, usize> {
        // Bans are restored in order, so that most come behind all others.
        if self.lows.last().is_none_or(|last| *last < low) {
            return Err(self.lows.len());
        }
        let start = self.first(low);
        let here = self.lows[start..].iter().take_while(|held| **held == low).count();
        let found = self.bans[start..start + here].binary_search_by_key(&head, |ban| ban.head());
        found.map(|place| start + place).map_err(|place| start + place)
    }

    /// Doubling would leave half of the memory of a large list empty.
    fn make_room(&mut self) {
        let length = self.bans.len();
        if length == self.bans.capacity() {
            self.lows.reserve_exact(length / 8 + 1);
            self.bans.reserve_exact(length / 8 + 1);
        }
    }
}

/// The bit of a length in [`Chunk::lengths`].
fn bit(length: u8) -> u32 {
    1 << (length - SHORTEST)
}

/// The lengths whose bits are in `bits`, longest first.
fn lengths(mut bits: u32) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let highest = bits.checked_ilog2()?;
        bits ^= 1 << highest;
        Some(highest as u8 + SHORTEST)
    })
}

/// The bits of a network of `length` bits that stand in its lower half.
fn mask(length: u8) -> u16 {
    u16::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0)
}
