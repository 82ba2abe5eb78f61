//! Which jails a zone publishes, and the test points every zone carries.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{List, Listing};
use crate::clock::Timestamp;
use crate::ip::{Prefix, TEST_POINT_V4};

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
}

/// The index of the rule that publishes `jail`.
pub(super) fn rule_of(rules: &[Rule], jail: &str) -> Option<u16> {
    let naming = |name: &str| rules.iter().position(|rule| rule.jails.iter().any(|held| &**held == name));
    let rule = naming(jail).or_else(|| naming(EVERY_OTHER_JAIL))?;
    u16::try_from(rule).ok()
}

/// A list that holds nothing but test points (RFC 5782, section 5): 127.0.0.2, and for each code 127.0.0.N the
/// address 127.0.0.N. Where no rule has the code 127.0.0.2, that address stands for the first rule.
pub(super) fn test_points(rules: &[Rule]) -> List {
    let mut list = List::new();
    for (rule, code) in rules.iter().enumerate().rev().map(|(index, rule)| (index as u16, rule.code)) {
        if rule == 0 && !rules.iter().any(|rule| rule.code == TEST_POINT_V4) {
            list.insert(TEST_POINT_V4.into(), test_point(rule));
        }
        if matches!(code.octets(), [127, 0, 0, last] if last >= 2) {
            list.insert(Prefix::from(code), test_point(rule));
        }
    }
    list
}

fn test_point(rule: u16) -> Listing {
    Listing { jail: TEST_JAIL.into(), rule, since: Timestamp::default(), until: None, test: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(jails: &[&str], code: [u8; 4]) -> Rule {
        Rule { jails: jails.iter().map(|jail| Arc::from(*jail)).collect(), code: code.into() }
    }

    fn check_points(rules: &[Rule], expected: &[(&str, u16)]) {
        let list = test_points(rules);
        let points: Vec<(String, u16)> =
            list.iter().map(|(prefix, listing)| (prefix.to_string(), listing.rule)).collect();
        let expected: Vec<(String, u16)> =
            expected.iter().map(|(prefix, rule)| ((*prefix).to_owned(), *rule)).collect();
        assert_eq!(points, expected, "{rules:?}");
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
    }

    #[test]
    fn the_star_takes_what_nobody_names() {
        let rules = [rule(&["*"], [127, 0, 0, 2]), rule(&["ssh", "imap"], [127, 0, 0, 3])];
        assert_eq!(rule_of(&rules, "imap"), Some(1));
        assert_eq!(rule_of(&rules, "smtp"), Some(0));
        assert_eq!(rule_of(&rules[1..], "smtp"), None);
    }
}
