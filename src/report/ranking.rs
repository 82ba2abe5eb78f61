//! Sums by key, and the largest of them.

use std::hash::Hash;

use foldhash::HashMap;

use super::{Compared, Ranked, Top};

/// Which of the two periods a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Now,
    Before,
}

impl Compared {
    pub(super) fn add(&mut self, when: When, number: u64) {
        match when {
            When::Now => self.now = self.now.saturating_add(number),
            When::Before => self.before = self.before.saturating_add(number),
        }
    }

    pub(super) fn add_both(&mut self, other: Self) {
        self.add(When::Now, other.now);
        self.add(When::Before, other.before);
    }
}

/// Sums by key.
pub(super) struct Ranking<K>(HashMap<K, Compared>);

impl<K> Default for Ranking<K> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Hash + Ord + Clone> Ranking<K> {
    pub(super) fn add(&mut self, key: K, when: When, number: u64) {
        self.0.entry(key).or_default().add(when, number);
    }

    pub(super) fn add_both(&mut self, key: K, both: Compared) {
        self.0.entry(key).or_default().add_both(both);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, Compared)> {
        self.0.iter().map(|(key, count)| (key, *count))
    }

    /// All of the period together.
    pub(super) fn sum(&self) -> u64 {
        self.0.values().map(|count| count.now).sum()
    }

    /// The `most` largest of the period, in order.
    pub(super) fn first(&self, most: usize) -> Vec<(K, Compared)> {
        let mut all: Vec<(&K, Compared)> = self.iter().filter(|(_, count)| count.now > 0).collect();
        let largest = |(key, count): &(&K, Compared)| (std::cmp::Reverse(count.now), (*key).clone());
        if all.len() > most && most > 0 {
            all.select_nth_unstable_by_key(most - 1, largest);
        }
        all.truncate(most);
        all.sort_by_key(largest);
        all.into_iter().map(|(key, count)| (key.clone(), count)).collect()
    }

    /// The same with `name` and `note` of each; the others are what they lack of `total`.
    pub(super) fn top(
        &self,
        most: usize,
        total: u64,
        name: impl Fn(&K) -> String,
        note: impl Fn(&K) -> String,
    ) -> Top {
        let first = self.first(most);
        let shown: u64 = first.iter().map(|(_, count)| count.now).sum();
        let rows = first.into_iter().map(|(key, count)| Ranked { name: name(&key), note: note(&key), count });
        Top { rows: rows.collect(), others: total.saturating_sub(shown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_the_period_come_first() {
        let mut ranking = Ranking::default();
        for (key, now, before) in [(1, 5, 0), (2, 7, 1), (3, 5, 9), (4, 0, 100), (5, 1, 0)] {
            ranking.add(key, When::Now, now);
            ranking.add(key, When::Before, before);
        }
        let top = ranking.top(3, 20, ToString::to_string, |_| String::new());
        let rows: Vec<_> =
            top.rows.iter().map(|row| (row.name.as_str(), row.count.now, row.count.before)).collect();
        assert_eq!(rows, [("2", 7, 1), ("1", 5, 0), ("3", 5, 9)]);
        assert_eq!(top.others, 3);
        assert_eq!(ranking.first(0), []);
        assert_eq!(ranking.first(100).len(), 4);
    }
}
