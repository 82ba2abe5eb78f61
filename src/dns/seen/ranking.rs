//! Who comes most often, in a table of fixed size: the algorithm Space-Saving (Metwally, Agrawal and El Abbadi, 2005) in
//! groups of a few entries, so that a count touches one group.

/// How many groups there are.
const GROUPS: usize = 128;

/// How many entries a group has.
const GROUP: usize = 8;

/// The addresses that came most often.
#[derive(Clone, Debug)]
pub(super) struct Ranking(Box<[[Entry; GROUP]; GROUPS]>);

/// One address. IPv4 is IPv4-mapped IPv6; an entry with the count 0 is free.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    address: u128,
    count: u32,
    /// How much of the count was of others, who had the entry before.
    inherited: u32,
}

impl Default for Ranking {
    fn default() -> Self {
        Self(Box::new([[Entry::default(); GROUP]; GROUPS]))
    }
}

impl Ranking {
    /// Counts `address`, whose hash chooses the group. Where the group is full, the one who came least often gives way.
    pub(super) fn count(&mut self, hash: u64, address: u128) {
        let group = &mut self.0[(hash >> 32) as usize % GROUPS];
        if let Some(entry) = group.iter_mut().find(|entry| entry.address == address && entry.count > 0) {
            entry.count = entry.count.saturating_add(1);
            return;
        }
        let least = group.iter_mut().min_by_key(|entry| entry.count).expect("a group has entries");
        let inherited = least.count;
        *least = Entry { address, count: inherited.saturating_add(1), inherited };
    }

    /// Every address, and how often it came at the least.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, u64)> {
        let entries = self.0.iter().flatten().filter(|entry| entry.count > 0);
        entries.map(|entry| (entry.address, u64::from(entry.count - entry.inherited)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_often_stays_among_many_who_come_once() {
        let mut ranking = Ranking::default();
        let hash = |address: u128| (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for stranger in 0..100_000u128 {
            ranking.count(hash(stranger), stranger);
            if stranger % 100 == 0 {
                ranking.count(hash(u128::MAX), u128::MAX);
            }
        }
        let (first, count) = ranking.iter().max_by_key(|(_, count)| *count).unwrap();
        assert_eq!(first, u128::MAX);
        assert!((500..=1000).contains(&count), "{count}");
        assert!(ranking.iter().count() <= GROUPS * GROUP);
    }
}
