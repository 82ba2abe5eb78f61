//! What a jail is told by the configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;

use super::{Formula, ReportSettings};
use crate::clock::Timestamp;
use crate::ip::PrefixSet;
use crate::source;

/// How long a ban lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanTime {
    /// That long after the last failure.
    For(Duration),
    /// Until somebody ends it.
    Permanent,
}

impl BanTime {
    /// When a ban that counts from `since` ends; `None` is never.
    pub fn until(self, since: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(time) => Some(since + time.min(MAX_BANTIME)),
            Self::Permanent => None,
        }
    }
}

/// Longer bans for those that come back (fail2ban's `bantime.increment`).
#[derive(Clone, Debug, PartialEq)]
pub struct Increment {
    /// Multiplies every grown ban time; a formula may use it otherwise.
    pub factor: f64,
    /// How a ban time grows; absent: it doubles every time.
    pub formula: Option<Formula>,
    /// `multipliers[n]` for a prefix with n earlier bans; the last one serves for all further ones. They take the place
    /// of the formula.
    pub multipliers: Vec<u32>,
    /// No ban grows beyond this.
    pub max_time: Option<Duration>,
    /// Up to this much is added at random, so that the end can't be guessed.
    pub random_time: Duration,
    /// Whether bans by other jails count too.
    pub overall_jails: bool,
}

/// Beyond this many earlier bans a ban time is doubled no further, so that the shift stays in range.
const MAX_DOUBLINGS: u32 = 20;

impl Increment {
    /// The ban time of a prefix that was banned `earlier` times before. `random` in 0..1 picks from the random time.
    pub fn bantime(&self, base: Duration, earlier: u32, random: f64) -> Duration {
        if earlier == 0 {
            return base;
        }
        let Some(grown) = self.grown(base.as_secs_f64(), earlier) else {
            return base;
        };
        let cap = self.max_time.map_or(f64::MAX, |max| max.as_secs_f64());
        let seconds = grown.min(cap) + random * self.random_time.as_secs_f64();
        // Whole seconds, and within what a duration can hold.
        Duration::from_secs(seconds.clamp(0.0, MAX_BANTIME.as_secs_f64()) as u64)
    }

    /// The grown time in seconds. `None` where the formula has no value: then the plain time holds, as in fail2ban.
    fn grown(&self, base: f64, earlier: u32) -> Option<f64> {
        if let Some(last) = self.multipliers.last() {
            let multiplier = self.multipliers.get(earlier as usize).unwrap_or(last);
            return Some(base * f64::from(*multiplier) * self.factor);
        }
        let grown = match &self.formula {
            Some(formula) => formula.seconds(base, earlier, self.factor)?,
            None => base * f64::from(1u32 << earlier.min(MAX_DOUBLINGS)) * self.factor,
        };
        Some(grown.max(base))
    }

    /// How much each failure of a prefix with `earlier` bans weighs: 2, 3, 5, 9, ... up to `maxretry`.
    pub fn weight(earlier: u32, maxretry: u32) -> u32 {
        if earlier == 0 { 1 } else { ((1u32 << earlier.min(MAX_DOUBLINGS)) / 2 + 1).min(maxretry).max(1) }
    }
}

/// Longer than any administrator plans for; keeps the arithmetic, and the years that people read, in range.
const MAX_BANTIME: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// Lists the whole network once enough of its hosts are banned at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalate {
    /// How many hosts (or counted IPv6 networks) must be banned at the same time.
    pub hosts: u32,
    /// Length of the network listed for IPv4.
    pub ipv4: u8,
    /// Length of the network listed for IPv6.
    pub ipv6: u8,
}

/// The policy of one jail.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name by which people, zones and the store know it.
    pub name: Arc<str>,
    /// What it reads.
    pub sources: Vec<source::Settings>,
    /// The filter that finds failures.
    pub filter: crate::filter::Settings,
    /// Failures further apart than this do not add up.
    pub findtime: Duration,
    /// This many failures make a ban; at least 1.
    pub maxretry: u32,
    /// How long a first ban lasts.
    pub bantime: BanTime,
    /// Longer bans for those that come back.
    pub increment: Option<Increment>,
    /// Addresses that never fail here.
    pub ignore: PrefixSet,
    /// Host names whose addresses never fail here.
    pub ignore_names: Vec<String>,
    /// Files of addresses that never fail here.
    pub ignore_files: Vec<PathBuf>,
    /// A command that excuses a failure by ending with 0.
    pub ignore_command: Option<IgnoreCommand>,
    /// Whether the host's own addresses never fail here.
    pub ignore_self: bool,
    /// IPv6 addresses that share this many bits are counted and banned as one; 128 counts each by itself.
    pub ipv6_prefix: u8,
    /// Lists whole networks.
    pub escalate: Option<Escalate>,
    /// How many lines are kept as evidence for a ban.
    pub max_matches: usize,
    /// Reserved ranges that may be banned here all the same.
    pub allow_reserved: PrefixSet,
    /// The encoding of the logs; absent: UTF-8.
    pub encoding: Option<&'static Encoding>,
    /// Whether each ban by another jail is a failure here (fail2ban's `recidive`).
    pub counts_bans: bool,
    /// Lists what other servers report; absent: it does not.
    pub reports: Option<ReportSettings>,
}

/// fail2ban's `ignorecommand` and `ignorecache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreCommand {
    /// For the shell, with tags such as `<ip>`.
    pub command: String,
    /// How its answers are remembered.
    pub cache: Option<IgnoreCache>,
}

/// More answers of a command than this are no cache; it bounds the memory of a jail.
pub const MOST_ANSWERS: usize = 100_000;

/// Answers of a command that are remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreCache {
    /// What an answer is remembered by, with tags such as `<ip>`.
    pub key: String,
    /// So many answers at the most.
    pub max_count: usize,
    /// For so long.
    pub max_time: Duration,
}

#[cfg(test)]
impl Settings {
    /// A jail that reads nothing: three failures in 600 s ban for good.
    pub(crate) fn plain(name: &str) -> Self {
        Self {
            name: name.into(),
            sources: Vec::new(),
            filter: crate::filter::Settings::default(),
            findtime: Duration::from_secs(600),
            maxretry: 3,
            bantime: BanTime::Permanent,
            increment: None,
            ignore: PrefixSet::default(),
            ignore_names: Vec::new(),
            ignore_files: Vec::new(),
            ignore_command: None,
            ignore_self: true,
            ipv6_prefix: 128,
            escalate: None,
            max_matches: 3,
            allow_reserved: PrefixSet::default(),
            encoding: None,
            counts_bans: false,
            reports: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(increment: &Increment, expected: &[u64]) {
        for (earlier, expected) in expected.iter().enumerate() {
            let time = increment.bantime(Duration::from_secs(600), earlier as u32, 0.5);
            assert_eq!(time.as_secs(), *expected, "{earlier} earlier bans, {increment:?}");
        }
    }

    #[test]
    fn bans_grow_for_those_that_come_back() {
        let doubling = Increment {
            factor: 1.0,
            formula: None,
            multipliers: Vec::new(),
            max_time: None,
            random_time: Duration::ZERO,
            overall_jails: false,
        };
        check(&doubling, &[600, 1200, 2400, 4800]);
        check(&Increment { factor: 0.25, ..doubling.clone() }, &[600, 600, 600, 1200]);
        check(
            &Increment { max_time: Some(Duration::from_secs(1500)), ..doubling.clone() },
            &[600, 1200, 1500, 1500],
        );
        check(&Increment { random_time: Duration::from_secs(100), ..doubling.clone() }, &[600, 1250, 2450]);
        check(&Increment { multipliers: vec![1, 5, 30], ..doubling.clone() }, &[600, 3000, 18000, 18000]);
        assert_eq!(doubling.bantime(Duration::from_secs(1 << 40), 40, 0.0), MAX_BANTIME);
        let formula = |text: &str| Increment { formula: Some(text.parse().unwrap()), ..doubling.clone() };
        check(&formula("ban.Time * (1 + ban.Count) * banFactor"), &[600, 1200, 1800, 2400]);
        check(&formula("ban.Time * ban.Count - 100"), &[600, 600, 1100, 1700]);
        check(&formula("ban.Time / (ban.Count - 2) + 600"), &[600, 600, 600, 1200]);
        check(&formula("ban.Time * math.exp(ban.Count * 1000)"), &[600, MAX_BANTIME.as_secs()]);
        check(&Increment { multipliers: vec![2], ..formula("ban.Time * 9") }, &[600, 1200]);
    }

    #[test]
    fn known_offenders_weigh_more() {
        let weights: Vec<u32> = (0..6).map(|earlier| Increment::weight(earlier, 10)).collect();
        assert_eq!(weights, [1, 2, 3, 5, 9, 10]);
        assert_eq!(Increment::weight(3, 1), 1);
    }
}
