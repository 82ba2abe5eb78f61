//! Who asks most, and for which listed addresses: estimates from one query of some, each thread for itself.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use foldhash::fast::RandomState;

use super::dice::OneIn;
use super::ranking::Ranking;
use super::shards::Shards;

/// One of so many queries is looked at; looking at each would cost too much.
const SAMPLE: u64 = 32;

/// The addresses that come most often.
#[derive(Debug, Default)]
pub(super) struct Top {
    is_on: AtomicBool,
    /// Of each process its own, so that nobody can choose addresses that crowd one group.
    hasher: RandomState,
    /// Locked by the thread itself without waiting, and by whoever reads.
    rankings: Shards<Mutex<Rankings>>,
}

#[derive(Debug, Default)]
struct Rankings {
    clients: Ranking,
    listed: Ranking,
}

/// An address, and how many queries it stands for, about: never more than there were, as far as chance allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// The address.
    pub address: IpAddr,
    /// About how many queries.
    pub queries: u64,
}

/// The first of each ranking, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopAddresses {
    /// Who asks.
    pub clients: Vec<Ranked>,
    /// Listed addresses that were asked for.
    pub listed: Vec<Ranked>,
}

impl Top {
    /// Whether a query is to be taken into account, which is a matter of chance.
    pub(super) fn is_now(&self) -> bool {
        self.is_on.load(Ordering::Relaxed) && OneIn::new(SAMPLE).is_now()
    }

    /// Takes a query of `client` into account, and the `listed` address that it asked for, if [`Self::is_now`] says so. Apart,
    /// as it seldom does.
    #[inline(never)]
    pub(super) fn count(&self, client: IpAddr, listed: Option<IpAddr>) {
        // Somebody reads, or another thread counts here: one query more or less is no matter.
        let mut rankings = match self.rankings.own().try_lock() {
            Ok(rankings) => rankings,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let count = |ranking: &mut Ranking, address: IpAddr| {
            let address = number(address);
            ranking.count(self.hasher.hash_one(address), address);
        };
        count(&mut rankings.clients, client);
        if let Some(address) = listed {
            count(&mut rankings.listed, address);
        }
    }

    /// Counts from now on, or not; whoever was counted is forgotten if not.
    pub(super) fn switch(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
        if !is_on {
            self.rankings.iter().for_each(|rankings| *lock(rankings) = Rankings::default());
        }
    }

    /// The first `limit` of each ranking.
    pub(super) fn first(&self, limit: usize) -> TopAddresses {
        TopAddresses {
            clients: self.ranked(|rankings| &rankings.clients, limit),
            listed: self.ranked(|rankings| &rankings.listed, limit),
        }
    }

    fn ranked(&self, read: fn(&Rankings) -> &Ranking, limit: usize) -> Vec<Ranked> {
        let mut counts: HashMap<u128, u64> = HashMap::new();
        for rankings in self.rankings.iter() {
            // Copied, so that the thread is not kept from counting.
            let ranking = read(&lock(rankings)).clone();
            ranking.iter().for_each(|(address, count)| *counts.entry(address).or_default() += count);
        }
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_by_key(|(address, count)| (std::cmp::Reverse(*count), *address));
        let shown = |(number, count)| Ranked { address: address(number), queries: count * SAMPLE };
        ranked.into_iter().take(limit).map(shown).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// IPv4 as IPv4-mapped IPv6.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERIES: u64 = 320_000;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Two clients in turn, of whom one asks for a listed address.
    fn ask(top: &Top) {
        for number in 0..QUERIES {
            let is_first = number % 2 == 0;
            if top.is_now() {
                top.count(address(u8::from(is_first)), is_first.then(|| address(9)));
            }
        }
    }

    #[test]
    fn estimates_are_near_the_truth() {
        let top = Top::default();
        top.switch(true);
        ask(&top);
        let first = top.first(10);
        let near = |ranked: &Ranked| (QUERIES / 2).abs_diff(ranked.queries) < QUERIES / 20;
        assert!(first.clients.len() == 2 && first.clients.iter().all(near), "{first:?}");
        assert!(first.listed.len() == 1 && near(&first.listed[0]), "{first:?}");
        assert_eq!(first.listed[0].address, address(9));
        assert_eq!(top.first(1).clients, first.clients[..1]);
    }

    #[test]
    fn switched_off_it_knows_nobody() {
        let top = Top::default();
        top.switch(true);
        ask(&top);
        top.switch(false);
        ask(&top);
        assert_eq!(top.first(10), TopAddresses::default());
        top.switch(true);
        ask(&top);
        assert_eq!(top.first(10).clients.len(), 2);
    }
}
