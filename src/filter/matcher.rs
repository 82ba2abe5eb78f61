//! Which of many filters are worth asking about a line, told in one pass over it.
//!
//! In comes the text of a line; out go the filters one of whose required literals it contains, and those that
//! have none. Most lines contain no literal at all, and a vector search tells so many times faster than any
//! automaton would; only the others are searched again for every literal there is.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, Input};

use super::Filter;

/// The filters on one log, to be asked together.
#[derive(Debug)]
pub struct Matcher {
    /// The filters without required literals.
    always: Candidates,
    search: Option<Search>,
}

/// A search for the literals of all filters.
#[derive(Debug)]
struct Search {
    /// Between them they tell whether there is any literal; none where the machine has no vector search.
    any: Vec<packed::Searcher>,
    /// Finds every literal, also where they overlap.
    every: AhoCorasick,
    /// The length of the longest literal.
    longest: usize,
    /// Which filter each literal belongs to.
    owners: Vec<usize>,
    /// The one that all of them belong to, if there are no others.
    owner: Option<usize>,
}

impl Matcher {
    /// Prepares the search for these filters, which are spoken of by their index from here on.
    pub fn new(filters: &[&Filter]) -> Self {
        let mut always = Candidates::default();
        let mut literals = Vec::new();
        let mut owners = Vec::new();
        for (index, filter) in filters.iter().enumerate() {
            let Some(required) = filter.literals() else {
                always.insert(index);
                continue;
            };
            owners.extend(required.iter().map(|_| index));
            literals.extend(required);
        }
        let search = Search::new(&literals, owners);
        if search.is_none() {
            (0..filters.len()).for_each(|index| always.insert(index));
        }
        Self { always, search }
    }

    /// The filters that may have something other than [`super::Verdict::Miss`] to say of `text`.
    pub fn candidates(&self, text: &str) -> Candidates {
        let mut candidates = self.always.clone();
        if let Some(search) = &self.search {
            search.add(text, &mut candidates);
        }
        candidates
    }
}

impl Search {
    /// None if there is nothing to search for, or more than an automaton can hold.
    fn new(literals: &[&Vec<u8>], owners: Vec<usize>) -> Option<Self> {
        if literals.is_empty() {
            return None;
        }
        Some(Self {
            any: vector_searches(literals),
            every: AhoCorasick::new(literals).ok()?,
            longest: literals.iter().map(|literal| literal.len()).max()?,
            owner: owners.first().copied().filter(|first| owners.iter().all(|owner| owner == first)),
            owners,
        })
    }

    fn add(&self, text: &str, candidates: &mut Candidates) {
        let Some(start) = self.start(text) else {
            return;
        };
        if let Some(owner) = self.owner.filter(|_| !self.any.is_empty()) {
            return candidates.insert(owner);
        }
        for found in self.every.find_overlapping_iter(Input::new(text).range(start..)) {
            candidates.insert(self.owners[found.pattern().as_usize()]);
        }
    }

    /// A byte before which no literal begins, or none if there is no literal in `text` at all. What was found first
    /// may be the inside of a longer literal.
    fn start(&self, text: &str) -> Option<usize> {
        if self.any.is_empty() {
            return Some(0);
        }
        let found = self.any.iter().filter_map(|any| any.find(text));
        Some(found.map(|found| found.start()).min()?.saturating_sub(self.longest))
    }
}

/// How many literals one vector search takes.
const SEARCHED_AT_ONCE: usize = 64;

/// With more searches than this the automaton alone is faster.
const MOST_SEARCHES: usize = 4;

/// Searches that find something in every text that contains one of these literals. A literal with another one in
/// it is found by that one.
fn vector_searches(literals: &[&Vec<u8>]) -> Vec<packed::Searcher> {
    let mut shortest = literals.to_vec();
    shortest.sort_by_key(|literal| (literal.len(), *literal));
    let mut distinct: Vec<&[u8]> = Vec::new();
    for literal in shortest {
        if !distinct.iter().any(|inner| literal.windows(inner.len()).any(|part| part == *inner)) {
            distinct.push(literal);
        }
    }
    if distinct.len() > SEARCHED_AT_ONCE * MOST_SEARCHES {
        return Vec::new();
    }
    let searches = distinct.chunks(SEARCHED_AT_ONCE).map(packed::Searcher::new);
    searches.collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// A set of filters, by their index. Up to 64 filters it takes no memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// One bit each for the filters 0 to 63.
    first: u64,
    /// One bit each for those behind.
    more: Vec<u64>,
}

impl Candidates {
    /// Whether no filter is worth asking.
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.more.iter().all(|&bits| bits == 0)
    }

    /// Whether this filter is worth asking.
    pub fn contains(&self, filter: usize) -> bool {
        let bits = match filter / 64 {
            0 => self.first,
            word => self.more.get(word - 1).copied().unwrap_or(0),
        };
        bits & (1 << (filter % 64)) != 0
    }

    /// The filters that are worth asking, in their order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let words = std::iter::once(self.first).chain(self.more.iter().copied());
        words.enumerate().flat_map(|(word, bits)| ones(bits).map(move |bit| word * 64 + bit))
    }

    fn insert(&mut self, filter: usize) {
        let bit = 1 << (filter % 64);
        match filter / 64 {
            0 => self.first |= bit,
            word => {
                self.more.resize(self.more.len().max(word), 0);
                self.more[word - 1] |= bit;
            }
        }
    }
}

/// The positions of the bits that are set.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        lowest
    })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::filter::{Settings, Verdict};

    const PATTERNS: &[&str] = &[
        "<PREFIX>warning: [^ ]+\\[<HOST>\\]: SASL (?:LOGIN|PLAIN) authentication failed",
        "<PREFIX>NOQUEUE: reject: RCPT from \\S+\\[<HOST>\\]: 55[0-9] ",
        "authentication failed.* rip=<HOST>",
        "SASL .*<HOST>|user unknown <HOST>",
        "(?i)FAILED for <F-USER/> from <HOST>",
        "<PREFIX><HOST>",
        "ed rip=<IP6>",
    ];

    fn filters(patterns: &[&str]) -> Vec<Filter> {
        let filter = |pattern: &&str| {
            Filter::compile(&Settings {
                daemon: Some("smtpd".to_owned()),
                failregex: vec![(*pattern).to_owned()],
                ignoreregex: vec!["ignore".to_owned()],
                ..Settings::default()
            })
            .unwrap()
        };
        patterns.iter().map(filter).collect()
    }

    fn candidates(patterns: &[&str], text: &str) -> Vec<usize> {
        let filters = filters(patterns);
        let filters: Vec<&Filter> = filters.iter().collect();
        Matcher::new(&filters).candidates(text).iter().collect()
    }

    #[test]
    fn literals_choose_the_filters() {
        let check =
            |text: &str, expected: &[usize]| assert_eq!(candidates(PATTERNS, text), expected, "{text}");
        check("", &[4]);
        check(" mail smtpd[1]: connect from x[192.0.2.1]", &[4, 5]);
        check(" mail smtpd[1]: x[192.0.2.1]: SASL LOGIN authentication failed", &[0, 2, 3, 4, 5]);
        check(" authentication failed rip=", &[0, 2, 4, 6]);
        check("authentication failed rip=", &[2, 4, 6]);
        assert_eq!(candidates(&[], "x"), [0; 0]);
        assert_eq!(candidates(&["abc <HOST>"], "x"), [0; 0]);
        assert_eq!(candidates(&["\\d <HOST>"], "x"), [0]);
    }

    #[test]
    fn there_may_be_any_number_of_filters() {
        let patterns: Vec<String> = (0..200).map(|number| format!("word{number}x <HOST>")).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        assert_eq!(candidates(&patterns, "word3x word63x word64x word199x "), [3, 63, 64, 199]);
        let mut set = Candidates::default();
        assert!(set.is_empty());
        set.insert(128);
        assert!(!set.is_empty() && set.contains(128) && !set.contains(64) && !set.contains(1000));
    }

    /// Lines made of what the patterns are made of.
    fn line() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just(" mail smtpd[1]: "),
            Just("warning: x[192.0.2.1]: SASL LOGIN authentication failed"),
            Just("NOQUEUE: reject: RCPT from x[2001:db8::1]: 554 "),
            Just("authentication fail"),
            Just("ed rip=2001:db8::1"),
            Just(" rip=192.0.2.1 "),
            Just("SASL "),
            Just("user unknown "),
            Just("192.0.2.1"),
            Just("Failed for x from 192.0.2.1"),
            Just("ignore"),
            Just("é"),
        ];
        let any = "\\PC{0,5}".prop_map(|text| text);
        proptest::collection::vec(prop_oneof![6 => piece.prop_map(str::to_owned), 1 => any], 0..6)
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_match_is_lost(lines in proptest::collection::vec(line(), 10)) {
            static FILTERS: LazyLock<Vec<Filter>> = LazyLock::new(|| filters(PATTERNS));
            let matcher = Matcher::new(&FILTERS.iter().collect::<Vec<_>>());
            for line in &lines {
                let candidates = matcher.candidates(line);
                for (index, filter) in FILTERS.iter().enumerate() {
                    let worth_asking = filter.check(line) != Verdict::Miss;
                    prop_assert!(!worth_asking || candidates.contains(index), "{} on {line}", PATTERNS[index]);
                }
            }
        }
    }
}
