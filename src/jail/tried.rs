//! The user names that were tried in a jail, counted from one commit to the next.

use foldhash::HashMap;

use crate::clock::Timestamp;

/// A name is cut to this many bytes: attackers write what they like, and no mail address is longer than 254 (RFC 5321,
/// section 4.5.3.1.3, with the two brackets).
const MAX_NAME: usize = 254;

/// So many names are told apart between two commits; others are not counted meanwhile.
const MAX_NAMES: usize = 10_000;

/// How often each name was tried, by the day in UTC.
#[derive(Debug, Default)]
pub(super) struct Tried {
    days: HashMap<Timestamp, HashMap<Box<str>, u32>>,
    names: usize,
}

impl Tried {
    /// Counts a try of `user` at `time`.
    pub(super) fn count(&mut self, time: Timestamp, user: &str) {
        let user = &user[..user.floor_char_boundary(MAX_NAME)];
        if user.is_empty() {
            return;
        }
        let day = self.days.entry(time.start_of_day()).or_default();
        if let Some(count) = day.get_mut(user) {
            *count = count.saturating_add(1);
        } else if self.names < MAX_NAMES {
            self.names += 1;
            day.insert(user.into(), 1);
        }
    }

    /// Hands on every day, name and count, and goes on without any.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Timestamp, Box<str>, u32)> {
        let days = std::mem::take(self).days.into_iter();
        days.flat_map(|(day, names)| names.into_iter().map(move |(name, count)| (day, name, count)))
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.days.clear();
        self.names = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(tried: &mut Tried) -> Vec<(i64, String, u32)> {
        let mut taken: Vec<_> = tried
            .take()
            .map(|(day, name, count)| (day.as_secs() / 86_400, name.to_string(), count))
            .collect();
        taken.sort();
        taken
    }

    #[test]
    fn each_day_has_its_names() {
        let mut tried = Tried::default();
        for (second, user) in [(1, "root"), (2, "bob"), (3, "root"), (86_400, "root"), (4, "")] {
            tried.count(Timestamp::from_secs(second), user);
        }
        let expected = [(0, "bob".to_owned(), 1), (0, "root".into(), 2), (1, "root".into(), 1)];
        assert_eq!(taken(&mut tried), expected);
        assert_eq!(taken(&mut tried), []);
    }

    #[test]
    fn names_are_bounded_in_length_and_number() {
        let mut tried = Tried::default();
        let long = "é".repeat(MAX_NAME);
        tried.count(Timestamp::from_secs(1), &long);
        (0..2 * MAX_NAMES).for_each(|number| tried.count(Timestamp::from_secs(1), &number.to_string()));
        tried.count(Timestamp::from_secs(1), "0");
        let taken = taken(&mut tried);
        assert_eq!(taken.len(), MAX_NAMES);
        assert_eq!(taken[0], (0, "0".to_owned(), 2));
        assert_eq!(taken.last().unwrap().1, long[..MAX_NAME]);
    }
}
