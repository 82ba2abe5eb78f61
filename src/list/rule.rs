//! Which jails a zone publishes, and the test points every zone carries.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::Listing;
use crate::clock::Timestamp;
use crate::ip::{Prefix, TEST_POINT_V4};
use crate::store::{JailId, JailOfTable};

/// Stands in [`Rule::jails`] for every jail that no rule of the zone names.
pub const EVERY_OTHER_JAIL: &str = "*";

/// The jail a test point names; it has a space, so that no jail of the configuration is called so.
const TEST_JAIL: &str = "test point";

/// One publish rule of a zone; its index is [`Listing::rule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names of jails, or [`EVERY_OTHER_JAIL`].
    pub jails: Vec<Arc<str>>,
    /// The A record of what they list.
    pub code: Ipv4Addr,
    /// The number of the sublist that publishes it alone.
    pub sublist: Option<u16>,
}

/// The index of the rule that publishes `jail`.
pub fn rule_of(rules: &[Rule], jail: &str) -> Option<u16> {
    let naming = |name: &str| rules.iter().position(|rule| rule.jails.iter().any(|held| &**held == name));
    let rule = naming(jail).or_else(|| naming(EVERY_OTHER_JAIL))?;
    u16::try_from(rule).ok()
}

/// The rule under which a zone publishes each jail of a table.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    rules: Vec<Option<u16>>,
    is_any: bool,
}

impl Publishing {
    /// As `rules` say of `jails`; only those count that are taken.
    pub(super) fn new(rules: &[Rule], jails: &[JailOfTable], takes: &dyn Fn(&Rule) -> bool) -> Self {
        let rule_of =
            |jail: &JailOfTable| rule_of(rules, &jail.name).filter(|rule| takes(&rules[usize::from(*rule)]));
        let rules: Vec<Option<u16>> = jails.iter().map(rule_of).collect();
        Self { is_any: rules.iter().any(Option::is_some), rules }
    }

    /// Of how many jails it knows.
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether any of them is published.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    /// The rule that publishes `jail`.
    pub(super) fn rule(&self, jail: JailId) -> Option<u16> {
        self.rule_at(jail.index())
    }

    /// The rule that publishes the jail of this number.
    pub(super) fn rule_at(&self, jail: usize) -> Option<u16> {
        *self.rules.get(jail)?
    }
}

/// The test points of a zone and their rules (RFC 5782, section 5): 127.0.0.2, and for each code 127.0.0.N the address
/// 127.0.0.N. Where no rule has the code 127.0.0.2, that address stands for the first rule.
#[derive(Debug, Default)]
pub(super) struct TestPoints(Vec<(Ipv4Addr, u16)>);

impl TestPoints {
    /// Those of a zone with these rules, of which only those count that are taken.
    pub(super) fn new(rules: &[Rule], takes: &dyn Fn(&Rule) -> bool) -> Self {
        let last_octet = |code: &Ipv4Addr| matches!(code.octets(), [127, 0, 0, last] if last >= 2);
        let taken = (0..).zip(rules).filter(|(_, rule)| takes(rule));
        let codes: Vec<(Ipv4Addr, u16)> = taken.map(|(index, rule)| (rule.code, index)).collect();
        let first = codes.first().map(|(_, rule)| (TEST_POINT_V4, *rule));
        let mut points: Vec<(Ipv4Addr, u16)> =
            codes.into_iter().filter(|(code, _)| last_octet(code)).collect();
        points.extend(first);
        // The first rule of each code counts.
        points.sort_by_key(|(code, _)| *code);
        points.dedup_by_key(|(code, _)| *code);
        Self(points)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The listing of `host` as a test point.
    pub(super) fn get(&self, host: Prefix) -> Option<Listing<'static>> {
        let IpAddr::V4(address) = host.address() else {
            return None;
        };
        if !address.is_loopback() {
            return None;
        }
        let (_, rule) = self.0.iter().find(|(point, _)| *point == address)?;
        let (since, until) = (Timestamp::default(), None);
        Some(Listing { prefix: host, jail: TEST_JAIL, rule: *rule, since, until })
    }

    /// Whether any of them, as IPv4 or as IPv4-mapped IPv6, lies inside `prefix`.
    pub(super) fn any_within(&self, prefix: Prefix) -> bool {
        let (first, last) = prefix.bounds();
        let mapped = |point: Ipv4Addr| point.to_ipv6_mapped().to_bits();
        self.0.iter().any(|(point, _)| (first..=last).contains(&mapped(*point)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(jails: &[&str], code: [u8; 4]) -> Rule {
        Rule { jails: jails.iter().map(|jail| Arc::from(*jail)).collect(), code: code.into(), sublist: None }
    }

    fn check_points(rules: &[Rule], expected: &[(&str, u16)]) {
        let points = TestPoints::new(rules, &|_| true);
        let points = points.0.iter().map(|(point, rule)| (point.to_string(), *rule));
        let expected = expected.iter().map(|(point, rule)| ((*point).to_owned(), *rule));
        assert_eq!(points.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{rules:?}");
    }

    #[test]
    fn every_code_of_the_last_octet_has_its_test_point() {
        let (two, four, far) = ([127, 0, 0, 2], [127, 0, 0, 4], [127, 0, 1, 4]);
        check_points(&[rule(&["a"], two)], &[("127.0.0.2", 0)]);
        check_points(&[rule(&["a"], four)], &[("127.0.0.2", 0), ("127.0.0.4", 0)]);
        check_points(
            &[rule(&["a"], four), rule(&["b"], two), rule(&["c"], four)],
            &[("127.0.0.2", 1), ("127.0.0.4", 0)],
        );
        check_points(&[rule(&["a"], far)], &[("127.0.0.2", 0)]);
        check_points(&[], &[]);
    }

    #[test]
    fn the_star_takes_what_nobody_names() {
        let rules = [rule(&["*"], [127, 0, 0, 2]), rule(&["ssh", "imap"], [127, 0, 0, 3])];
        assert_eq!(rule_of(&rules, "imap"), Some(1));
        assert_eq!(rule_of(&rules, "smtp"), Some(0));
        assert_eq!(rule_of(&rules[1..], "smtp"), None);
    }
}
