//! Keys in names: `4.3.2.1.KEY.bl.example.` is answered for whoever knows a key, as often as the key allows.
//!
//! In come the keys of a zone and, with each question, a label and the time; out goes the key or a refusal. What was used
//! of each key is counted in atomics.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::{HashMap, HashMapExt};

use super::admission::{Refusal, Refused};
use super::name::LONGEST_LABEL;
use super::{Problem, Rate};
use crate::clock::Timestamp;

/// 16 characters out of 36 are 82 bits, which nobody guesses. So long a label is no octet and no nibble either.
const LENGTH: RangeInclusive<usize> = 16..=LONGEST_LABEL;

/// The highest quota of a day. What is beyond is no limit.
pub const HIGHEST_QUOTA: u64 = 1_000_000_000_000;

/// The bits of a number that counts up to [`HIGHEST_QUOTA`]; the day stands in those above.
const COUNT_BITS: u32 = 40;

const DAY: i64 = 86_400;

/// A label that its owner alone knows: 16 to 63 letters and digits.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyLabel(Box<str>);

impl KeyLabel {
    /// How many octets it takes in a name.
    pub(super) fn wire_len(&self) -> usize {
        1 + self.0.len()
    }
}

/// What was written is no key. It does not say what was: logs are no place for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 16 to 63 small letters and digits: make one with `openssl rand -hex 16`")]
pub struct ParseKeyError;

impl FromStr for KeyLabel {
    type Err = ParseKeyError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let fits = written.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit());
        if fits && LENGTH.contains(&written.len()) { Ok(Self(written.into())) } else { Err(ParseKeyError) }
    }
}

/// Nobody finds it in a log.
impl fmt::Debug for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLabel")
    }
}

/// A key and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// Who has it; what people see instead of the key.
    pub name: Arc<str>,
    /// What stands in names.
    pub label: KeyLabel,
    /// So many questions a second.
    pub per_second: Option<Rate>,
    /// So many questions on a day in UTC, up to [`HIGHEST_QUOTA`].
    pub per_day: Option<u64>,
    /// From then on it is none.
    pub expires: Option<Timestamp>,
}

/// Who may ask a zone that answers to keys only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// All keys; without any, nobody may.
    pub keys: Vec<KeySettings>,
    /// Whether the others get silence; otherwise they get REFUSED.
    pub silently: bool,
}

/// What was counted of a key since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCount {
    /// The name of the key.
    pub name: Arc<str>,
    /// Questions that were answered.
    pub answered: u64,
    /// Questions beyond its quota.
    pub over_quota: u64,
    /// Questions after its end.
    pub expired: u64,
}

/// The keys of a zone as they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    by_label: HashMap<Box<[u8]>, Key>,
    silently: bool,
}

impl Keys {
    /// Fails if two keys are alike.
    pub(super) fn new(rules: &KeyRules) -> Result<Self, Problem> {
        let mut by_label: HashMap<Box<[u8]>, Key> = HashMap::with_capacity(rules.keys.len());
        let mut names = std::collections::HashSet::new();
        for settings in &rules.keys {
            if !names.insert(&settings.name) {
                return Err(Problem::KeyNameTwice(Arc::clone(&settings.name)));
            }
            let key = Key { settings: settings.clone(), usage: Arc::default() };
            if let Some(other) = by_label.insert(settings.label.0.as_bytes().into(), key) {
                let name = Arc::clone(&settings.name);
                return Err(Problem::KeyTwice { name, other: other.settings.name });
            }
        }
        Ok(Self { by_label, silently: rules.silently })
    }

    /// The key that `label`, in small letters, is at `now`.
    pub(super) fn find(&self, label: &[u8], now: Timestamp) -> Result<&Key, Refused> {
        let key = self.by_label.get(label).ok_or_else(|| self.refused(Refusal::Key))?;
        if key.settings.expires.is_some_and(|end| now >= end) {
            key.usage.expired.fetch_add(1, Relaxed);
            return Err(self.refused(Refusal::Key));
        }
        Ok(key)
    }

    /// Counts a question with `key` that a listing can answer, unless there were too many.
    pub(super) fn spend(&self, key: &Key, now: Timestamp) -> Result<(), Refused> {
        if key.spend(now) {
            key.usage.answered.fetch_add(1, Relaxed);
            return Ok(());
        }
        key.usage.over_quota.fetch_add(1, Relaxed);
        Err(self.refused(Refusal::Quota))
    }

    /// Whether `label` is a key at any time.
    pub(super) fn has(&self, label: &[u8]) -> bool {
        self.by_label.contains_key(label)
    }

    /// Goes on counting where the keys of the same name in `before` were.
    pub(super) fn go_on_from(&mut self, before: &Self) {
        let known: HashMap<&str, &Arc<Usage>> =
            before.by_label.values().map(|key| (&*key.settings.name, &key.usage)).collect();
        for key in self.by_label.values_mut() {
            if let Some(usage) = known.get(&*key.settings.name) {
                key.usage = Arc::clone(usage);
            }
        }
    }

    /// What was counted of each, in the order of their names.
    pub(super) fn counts(&self) -> Vec<KeyCount> {
        let mut counts: Vec<KeyCount> = self.by_label.values().map(Key::count).collect();
        counts.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        counts
    }

    fn refused(&self, why: Refusal) -> Refused {
        Refused { why, silently: self.silently }
    }
}

/// A key with what was used of it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    settings: KeySettings,
    usage: Arc<Usage>,
}

/// What was used of a key.
#[derive(Debug, Default)]
struct Usage {
    /// For [`Rate`].
    due: AtomicU64,
    /// The day, and how many questions there were on it.
    day: AtomicU64,
    answered: AtomicU64,
    over_quota: AtomicU64,
    expired: AtomicU64,
}

impl Key {
    /// Takes one question out of what is left; `false`: nothing is.
    fn spend(&self, now: Timestamp) -> bool {
        let KeySettings { per_second, per_day, .. } = &self.settings;
        per_second.is_none_or(|rate| update(&self.usage.due, |due| rate.take(due, now)))
            && per_day.is_none_or(|most| update(&self.usage.day, |day| count(day, most, now)))
    }

    fn count(&self) -> KeyCount {
        KeyCount {
            name: Arc::clone(&self.settings.name),
            answered: self.usage.answered.load(Relaxed),
            over_quota: self.usage.over_quota.load(Relaxed),
            expired: self.usage.expired.load(Relaxed),
        }
    }
}

fn update(number: &AtomicU64, change: impl FnMut(u64) -> Option<u64>) -> bool {
    number.fetch_update(Relaxed, Relaxed, change).is_ok()
}

/// One more question on the day of `now`, if fewer than `most` were counted.
fn count(counted: u64, most: u64, now: Timestamp) -> Option<u64> {
    let today = now.as_secs().div_euclid(DAY).cast_unsigned() << COUNT_BITS;
    let after = if counted >> COUNT_BITS << COUNT_BITS == today { counted + 1 } else { today + 1 };
    (after - today <= most).then_some(after)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Midnight in UTC.
    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
    const LABEL: &str = "0123456789abcdef";

    fn key(name: &str, label: &str) -> KeySettings {
        let label = label.parse().unwrap();
        KeySettings { name: name.into(), label, per_second: None, per_day: None, expires: None }
    }

    fn keys(keys: &[KeySettings]) -> Keys {
        Keys::new(&KeyRules { keys: keys.to_vec(), silently: false }).unwrap()
    }

    /// How many of `tried` questions are answered.
    fn answered(keys: &Keys, now: Timestamp, tried: usize) -> usize {
        (0..tried).filter(|_| keys.spend(keys.find(LABEL.as_bytes(), now).unwrap(), now).is_ok()).count()
    }

    #[test]
    fn a_key_is_long_and_of_letters_and_digits() {
        for right in [LABEL, &"z".repeat(63)] {
            assert!(right.parse::<KeyLabel>().is_ok(), "{right}");
        }
        for wrong in ["0123456789abcde", &"z".repeat(64), "0123456789ABCDEF", "0123456789-abcdef", ""] {
            assert_eq!(wrong.parse::<KeyLabel>(), Err(ParseKeyError), "{wrong}");
        }
        let shown = format!("{:?}", key("a", LABEL));
        assert!(!shown.contains(LABEL), "{shown}");
    }

    #[test]
    fn keys_and_their_names_are_there_once() {
        let rules = |keys: &[KeySettings]| KeyRules { keys: keys.to_vec(), silently: false };
        let other = "fedcba9876543210";
        let twice = Problem::KeyNameTwice("a".into());
        assert_eq!(Keys::new(&rules(&[key("a", LABEL), key("a", other)])).unwrap_err(), twice);
        let alike = Problem::KeyTwice { name: "b".into(), other: "a".into() };
        assert_eq!(Keys::new(&rules(&[key("a", LABEL), key("b", LABEL)])).unwrap_err(), alike);
    }

    #[test]
    fn a_day_has_its_quota() {
        let keys = keys(&[KeySettings { per_day: Some(3), ..key("a", LABEL) }]);
        assert_eq!(answered(&keys, NOW, 5), 3);
        assert_eq!(answered(&keys, NOW + Duration::from_secs(86_399), 1), 0);
        assert_eq!(answered(&keys, NOW + Duration::from_secs(86_400), 5), 3);
        let counted = KeyCount { name: "a".into(), answered: 6, over_quota: 5, expired: 0 };
        assert_eq!(keys.counts(), [counted]);
    }

    #[test]
    fn a_second_has_its_quota() {
        let keys = keys(&[KeySettings { per_second: Some(Rate::new(10)), ..key("a", LABEL) }]);
        assert_eq!(answered(&keys, NOW, 50), 10);
        assert_eq!(answered(&keys, NOW + Duration::from_millis(500), 50), 5);
    }

    #[test]
    fn a_key_has_an_end() {
        let end = NOW + Duration::from_secs(10);
        let keys = keys(&[KeySettings { expires: Some(end), ..key("a", LABEL) }]);
        assert!(keys.find(LABEL.as_bytes(), end - Duration::from_millis(1)).is_ok());
        assert_eq!(keys.find(LABEL.as_bytes(), end).unwrap_err().why, Refusal::Key);
        assert_eq!(keys.counts()[0].expired, 1);
    }

    #[test]
    fn counting_goes_on_under_the_same_name() {
        let limited = |name, label| KeySettings { per_day: Some(3), ..key(name, label) };
        let before = keys(&[limited("a", "fedcba9876543210"), limited("b", LABEL)]);
        answered(&before, NOW, 2);
        let mut after = keys(&[limited("b", LABEL), limited("c", "fedcba9876543210")]);
        after.go_on_from(&before);
        assert_eq!(answered(&after, NOW, 5), 1);
        assert_eq!(after.counts().iter().map(|count| count.answered).collect::<Vec<_>>(), [3, 0]);
    }
}
