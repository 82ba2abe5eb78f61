//! Which of many filters are worth asking about a line, told in one pass over the text of many lines.
//!
//! In comes text; out go the filters one of whose required literals it contains, and those that have none. Most
//! lines contain no literal at all, and a vector search over all of them tells so many times faster than any automaton.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::memmem::Finder;

use super::Filter;

/// The filters on one log, to be asked together.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    /// The filters without required literals.
    always: Candidates,
    /// All filters.
    all: Candidates,
    searches: Vec<Search>,
    /// There are literals and no search for them.
    is_blind: bool,
}

/// How far ahead a text has been searched.
#[derive(Clone, Debug, Default)]
pub struct Ahead {
    /// For each search where it found something next, if anywhere.
    places: Vec<usize>,
}

/// A search for some of the needles: literals that have no other one inside of them.
#[derive(Clone, Debug)]
struct Search {
    engine: Engine,
    /// For each needle the literals that it is part of.
    around: Vec<Vec<Around>>,
}

#[derive(Clone, Debug)]
enum Engine {
    /// One needle.
    Single(Box<Finder<'static>>),
    Vectors(packed::Searcher),
    /// Where the machine has no vectors, and for more needles than they can take.
    Automaton(AhoCorasick),
}

/// A literal around a needle, which may be all of it.
#[derive(Clone, Debug)]
struct Around {
    literal: Vec<u8>,
    /// Where the needle begins in it.
    offset: usize,
    /// The filter it belongs to.
    owner: usize,
}

impl Matcher {
    /// Prepares the search for these filters, which are spoken of by their index from here on.
    pub fn new(filters: &[&Filter]) -> Self {
        let (mut always, mut all) = (Candidates::default(), Candidates::default());
        let mut literals = Vec::new();
        for (index, filter) in filters.iter().enumerate() {
            all.insert(index);
            match filter.literals() {
                Some(required) => literals.extend(required.iter().map(|literal| (literal.as_slice(), index))),
                None => always.insert(index),
            }
        }
        match searches(&literals) {
            Some(searches) => Self { always, all, searches, is_blind: false },
            None => Self { always: all.clone(), all, searches: Vec::new(), is_blind: true },
        }
    }

    /// The filters that may have something other than [`super::Verdict::Miss`] to say of `text`.
    pub fn candidates(&self, text: &str) -> Candidates {
        let mut candidates = self.always.clone();
        for search in &self.searches {
            search.add(text.as_bytes(), &self.all, &mut candidates);
        }
        candidates
    }

    /// Begins to search a text of many lines.
    pub fn ahead(&self, text: &str) -> Ahead {
        Ahead { places: self.searches.iter().map(|search| search.next(text.as_bytes(), 0)).collect() }
    }

    /// Whether some filter is worth asking about every text.
    pub fn always_matters(&self) -> bool {
        !self.always.is_empty()
    }

    /// Where in `text` from byte `from` on the next required literal may be; far behind the text if there is none. `ahead`
    /// is what was found in the same text before, up to an earlier byte.
    pub fn next(&self, text: &str, from: usize, ahead: &mut Ahead) -> usize {
        if self.is_blind {
            return from;
        }
        for (search, place) in self.searches.iter().zip(&mut ahead.places) {
            if *place < from {
                *place = search.next(text.as_bytes(), from);
            }
        }
        ahead.places.iter().copied().min().unwrap_or(usize::MAX)
    }
}

impl Search {
    /// None if it takes more memory than an automaton may have.
    fn new(needles: &[&[u8]], literals: &[(&[u8], usize)]) -> Option<Self> {
        let inside = AhoCorasick::new(needles).ok()?;
        let mut around: Vec<Vec<Around>> = needles.iter().map(|_| Vec::new()).collect();
        for &(literal, owner) in literals {
            for found in inside.find_overlapping_iter(literal) {
                let known = &mut around[found.pattern().as_usize()];
                // One place of the needle is enough.
                if known.last().is_none_or(|last| (&*last.literal, last.owner) != (literal, owner)) {
                    known.push(Around { literal: literal.to_vec(), offset: found.start(), owner });
                }
            }
        }
        Some(Self { engine: Engine::new(needles)?, around })
    }

    /// The place of the next needle from byte `from` on; far behind the text if there is none.
    fn next(&self, text: &[u8], from: usize) -> usize {
        self.engine.find(text, from).map_or(usize::MAX, |(place, _)| place)
    }

    fn add(&self, text: &[u8], all: &Candidates, candidates: &mut Candidates) {
        let mut from = 0;
        while !candidates.include(all)
            && let Some((place, needle)) = self.engine.find(text, from)
        {
            let present = self.around[needle].iter().filter(|around| around.is_at(text, place));
            present.for_each(|around| candidates.insert(around.owner));
            from = place + 1;
        }
    }
}

impl Engine {
    fn new(needles: &[&[u8]]) -> Option<Self> {
        if let [needle] = needles {
            return Some(Self::Single(Box::new(Finder::new(needle).into_owned())));
        }
        if let Some(searcher) = packed::Searcher::new(needles).filter(|_| needles.len() <= SEARCHED_AT_ONCE) {
            return Some(Self::Vectors(searcher));
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles);
        automaton.ok().map(Self::Automaton)
    }

    /// The next needle from byte `from` on: where it stands and which it is.
    fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        if from >= text.len() {
            return None;
        }
        let found = match self {
            Self::Single(finder) => return Some((from + finder.find(&text[from..])?, 0)),
            Self::Vectors(searcher) => searcher.find_in(text, (from..text.len()).into()),
            Self::Automaton(automaton) => automaton.find(Input::new(text).range(from..)),
        };
        found.map(|found| (found.start(), found.pattern().as_usize()))
    }
}

impl Around {
    /// Whether the literal is there, with its needle at `place`.
    fn is_at(&self, text: &[u8], place: usize) -> bool {
        let start = place.checked_sub(self.offset);
        start.is_some_and(|start| text[start..].starts_with(&self.literal))
    }
}

/// So few needles are found faster one by one.
const FEW: usize = 3;

/// How many needles one vector search takes.
const SEARCHED_AT_ONCE: usize = 64;

/// With more searches than this one automaton is faster.
const MOST_SEARCHES: usize = 4;

/// Searches for these literals, each with the filter it belongs to; none if they take too much memory.
fn searches(literals: &[(&[u8], usize)]) -> Option<Vec<Search>> {
    let needles = needles(literals)?;
    let at_once = match needles.len() {
        0..=FEW => 1,
        number if number > SEARCHED_AT_ONCE * MOST_SEARCHES => number,
        _ => SEARCHED_AT_ONCE,
    };
    needles.chunks(at_once).map(|needles| Search::new(needles, literals)).collect()
}

/// The literals that have no other one inside of them, each once; none if they take too much memory.
fn needles<'l>(literals: &[(&'l [u8], usize)]) -> Option<Vec<&'l [u8]>> {
    let mut distinct: Vec<&[u8]> = literals.iter().map(|(literal, _)| *literal).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let all = AhoCorasick::new(&distinct).ok()?;
    distinct.retain(|literal| all.find_overlapping_iter(literal).all(|found| found.len() == literal.len()));
    Some(distinct)
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
    /// This filter alone.
    pub fn only(filter: usize) -> Self {
        let mut candidates = Self::default();
        candidates.insert(filter);
        candidates
    }

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

    fn include(&self, others: &Self) -> bool {
        let mut more = others.more.iter().zip(self.more.iter().copied().chain(std::iter::repeat(0)));
        others.first & !self.first == 0 && more.all(|(others, these)| others & !these == 0)
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
