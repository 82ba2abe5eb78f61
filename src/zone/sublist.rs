//! Sublists: names inside a zone under which a part of what it lists is answered alone (RFC 6471, section 3.1).

use std::fmt;
use std::str::FromStr;

use super::name::LONGEST_LABEL;
use super::{Publish, StaticList};
use crate::dataset::Labels;
use crate::ip::read_reversed;

/// The name of a sublist: one label in small letters that no address has in its reversed name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sublist(Box<str>);

/// What was written is no name of a sublist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` cannot be the name of a sublist: {problem}")]
pub struct ParseSublistError {
    written: String,
    problem: &'static str,
}

impl FromStr for Sublist {
    type Err = ParseSublistError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let name = written.to_ascii_lowercase();
        let problem = |problem| Err(ParseSublistError { written: written.to_owned(), problem });
        if !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_') {
            return problem("use letters, digits, hyphens and underscores");
        }
        if !(2..=LONGEST_LABEL).contains(&name.len()) {
            return problem("use 2 to 63 characters");
        }
        // RFC 5782, section 2.2.
        if name.bytes().all(|c| c.is_ascii_digit())
            || read_reversed(std::iter::once(name.as_bytes())).is_some()
        {
            return problem("it could be a part of an address: use letters");
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for Sublist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Sublist {
    /// The label as it stands in questions.
    pub(super) fn label(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The sublists of a zone, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Sublists(Vec<Named>);

#[derive(Clone, Debug)]
struct Named {
    name: Sublist,
    has_rules: bool,
}

impl Sublists {
    /// Those that rules and data sets name.
    pub(super) fn new(rules: &[Publish], sets: &[StaticList]) -> Self {
        let of_rules = rules.iter().filter_map(|rule| Some((rule.sublist.as_ref()?, true)));
        let of_sets = sets.iter().filter_map(|set| Some((set.sublist.as_ref()?, false)));
        let mut all = Self::default();
        for (name, has_rules) in of_rules.chain(of_sets) {
            if all.number(name.label()).is_none() {
                all.0.push(Named { name: name.clone(), has_rules });
            }
        }
        all
    }

    /// The number of the one with this name.
    pub(super) fn number(&self, label: &[u8]) -> Option<u16> {
        let place = self.0.iter().position(|named| named.name.label() == label)?;
        u16::try_from(place).ok()
    }

    /// The number of the one whose name stands last in a question.
    pub(super) fn find(&self, labels: Labels<'_>) -> Option<u16> {
        if self.0.is_empty() { None } else { self.number(labels.last()?) }
    }

    /// Whether bans are published in it.
    pub(super) fn has_rules(&self, number: u16) -> bool {
        self.0[usize::from(number)].has_rules
    }

    /// Their names.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &Sublist> {
        self.0.iter().map(|named| &named.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_part_of_an_address() {
        for (written, expected) in
            [("sasl", Some("sasl")), ("SMTP-Auth", Some("smtp-auth")), ("ab", Some("ab")), ("2a", Some("2a"))]
        {
            let name = written.parse::<Sublist>().ok().map(|name| name.to_string());
            assert_eq!(name.as_deref(), expected, "{written}");
        }
        let long = "a".repeat(64);
        for wrong in ["", "a", "f", "7", "12", "255", "256", "1000", "a.b", "ä", &long] {
            assert!(wrong.parse::<Sublist>().is_err(), "{wrong}");
        }
    }
}
