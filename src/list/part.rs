//! Which bans a zone publishes: all that its rules say, and of these the ones of each sublist. Nothing is kept twice: it is a rule
//! for each jail, by which a look-up chooses.

use super::Rule;
use super::rule::{Publishing, TestPoints};
use crate::store::JailOfTable;

/// What is published under one name: the zone's or a sublist's.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) publishing: Publishing,
    pub(super) points: TestPoints,
}

/// The parts of a list.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) whole: Part,
    sublists: Vec<Part>,
    /// Of a sublist without rules.
    nothing: Part,
}

impl Parts {
    /// As `rules` say of `jails`.
    pub(super) fn new(rules: &[Rule], jails: &[JailOfTable]) -> Self {
        let part = |takes: &dyn Fn(&Rule) -> bool| Part {
            publishing: Publishing::new(rules, jails, takes),
            points: TestPoints::new(rules, takes),
        };
        let sublists = rules.iter().filter_map(|rule| rule.sublist).max().map_or(0, |last| last + 1);
        Self {
            whole: part(&|_| true),
            sublists: (0..sublists).map(|sublist| part(&|rule| rule.sublist == Some(sublist))).collect(),
            nothing: Part::default(),
        }
    }

    /// What a sublist publishes, or the zone.
    pub(super) fn get(&self, sublist: Option<u16>) -> &Part {
        match sublist {
            None => &self.whole,
            Some(sublist) => self.sublists.get(usize::from(sublist)).unwrap_or(&self.nothing),
        }
    }
}
