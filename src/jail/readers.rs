//! From a line to the failures in it, for all jails that read one log: decoded once, dated once, and shown only to the
//! filters that may have something to say.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;

use super::{Found, Settings};
use crate::clock::Timestamp;
use crate::filter::{
    self, Candidates, Dialect, Error, Filter, Hits, Line, Matcher, Pace, State, Timed, Timing, Verdict,
};

/// The readers of all logs.
#[derive(Debug, Default)]
pub struct Readers {
    /// By source.
    logs: HashMap<Arc<str>, Reader>,
    /// What the store is to drop, as no filter remembers it any longer.
    forgotten: Vec<Remembered>,
}

/// The key under which the store keeps which filter it was that remembers, so that no other one takes it over.
const FILTER: &str = "filter";

impl Readers {
    /// Compiles the filters of all jails. The same filter in several jails is compiled for each source they share.
    /// `now` says which years are near.
    pub fn new(jails: &[Settings], now: Timestamp) -> Result<Self, Error> {
        let mut readers = Self::default();
        for jail in jails {
            for source in &jail.sources {
                readers.logs.entry(Arc::clone(&source.path)).or_default().add(jail, now)?;
            }
        }
        readers.logs.values_mut().for_each(Reader::prepare);
        Ok(readers)
    }

    /// The reader of one source.
    pub fn get_mut(&mut self, source: &str) -> Option<&mut Reader> {
        self.logs.get_mut(source)
    }

    /// What the filters remember of their logs, as far as it differs since the last call; to be committed with the lines.
    pub fn finish(&mut self) -> Vec<Remembered> {
        let mut remembered = std::mem::take(&mut self.forgotten);
        for (source, reader) in &mut self.logs {
            for follower in reader.groups.iter_mut().flat_map(|group| &mut group.followers) {
                remembered.append(&mut follower.take_changes(source));
            }
        }
        remembered
    }

    /// Takes over all that the store kept of [`Readers::finish`]. What was remembered by a filter that is no longer there,
    /// or is another one now, is forgotten.
    pub fn restore(&mut self, kept: &[Remembered]) {
        for Remembered { source, jail, value, .. } in kept.iter().filter(|kept| kept.key == FILTER) {
            if let Some(follower) = self.follower(source, jail) {
                follower.is_known = value.as_ref() == Some(&follower.filter.fingerprint());
            }
        }
        for kept in kept {
            let follower = self.follower(&kept.source, &kept.jail).filter(|follower| follower.is_known);
            match (follower, &kept.value) {
                (Some(follower), Some(value)) => follower.restore(&kept.key, value),
                _ => self.forgotten.push(Remembered { value: None, ..kept.clone() }),
            }
        }
    }

    fn follower(&mut self, source: &str, jail: &str) -> Option<&mut Follower> {
        self.logs.get_mut(source)?.follower(jail)
    }

    /// Takes over what the filters of `before` remember, where they are still the same, and what dates looked like. The
    /// rest is forgotten.
    pub fn take_over(&mut self, before: Self) {
        self.forgotten.extend(before.forgotten);
        for (source, reader) in before.logs {
            let mut gone = Reader::default();
            let here = self.logs.get_mut(&source).unwrap_or(&mut gone);
            let lost = reader.groups.into_iter().flat_map(|group| here.take_over(group));
            self.forgotten.extend(lost.flat_map(|follower| follower.forget(&source)));
        }
    }

    /// How often the patterns of this jail's filter matched in all of its logs; none if it reads none.
    pub fn hits(&self, jail: &Settings) -> Option<Hits> {
        let readers = jail.sources.iter().filter_map(|source| self.logs.get(&source.path));
        let hits =
            readers.filter_map(|reader| Some(&reader.followers().find(|one| one.jail == jail.name)?.hits));
        hits.fold(None, |all: Option<Hits>, hits| Some(all.map_or_else(|| hits.clone(), |all| all.and(hits))))
    }

    /// The patterns that took too many steps in some line, in the order of the jails.
    pub fn exhausted(&self) -> Vec<Exhausted> {
        let mut all: Vec<Exhausted> = Vec::new();
        for follower in self.logs.values().flat_map(Reader::followers) {
            for (pattern, lines) in follower.filter.exhausted() {
                let is_same =
                    |known: &&mut Exhausted| known.jail == follower.jail && known.pattern == pattern;
                match all.iter_mut().find(is_same) {
                    Some(known) => known.lines += lines,
                    None => all.push(Exhausted { jail: Arc::clone(&follower.jail), pattern, lines }),
                }
            }
        }
        all.sort_by(|one, other| one.jail.cmp(&other.jail));
        all
    }
}

/// A pattern that was stopped, as it took too many steps in some lines: what it would have found there is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The jail whose filter it is in.
    pub jail: Arc<str>,
    /// Which one.
    pub pattern: filter::Place,
    /// How many lines, as far as the filter was compiled since.
    pub lines: u64,
}

/// Reads the lines of one source for every jail on it.
#[derive(Debug, Default)]
pub struct Reader {
    groups: Vec<Group>,
    /// For the filters of all groups.
    matcher: Matcher,
}

/// Something that a filter remembers of the lines of a log before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The log.
    pub source: Arc<str>,
    /// The jail whose filter it is.
    pub jail: Arc<str>,
    /// What it is.
    pub key: String,
    /// What is known of it; `None` once it is forgotten.
    pub value: Option<String>,
}

/// Lines of one source, which stand one behind the other in one text.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'t> {
    /// What they stand in.
    pub text: &'t [u8],
    /// Where each of them does, without its newline.
    pub spans: &'t [Range<u32>],
    /// When each was written, where the source knows it; otherwise nothing.
    pub times: &'t [Timestamp],
}

impl<'t> Lines<'t> {
    /// Where each line stands, and when it was written as far as the source knows.
    fn iter(self) -> impl Iterator<Item = (Range<usize>, Option<Timestamp>)> {
        let place = |span: &Range<u32>| span.start as usize..span.end as usize;
        let times = self.times.iter().copied().map(Some).chain(std::iter::repeat(None));
        self.spans.iter().map(place).zip(times)
    }
}

impl Reader {
    /// Reads lines, and hands each failure in them to `found`, with the jail it counts in and the time it is for that jail.
    pub fn read(
        &mut self,
        lines: Lines<'_>,
        pace: Pace,
        mut found: impl FnMut(&Arc<str>, &Found<'_>, Timestamp),
    ) {
        let all_utf8 = self.groups.iter().all(|group| group.alike.encoding.is_none());
        for follower in self.groups.iter_mut().flat_map(|group| &mut group.followers) {
            follower.hits.lines += lines.spans.len() as u64;
        }
        match simdutf8::basic::from_utf8(lines.text) {
            Ok(text) if all_utf8 => self.read_together(text, lines, pace, &mut found),
            _ => self.read_apart(lines, pace, &mut found),
        }
    }

    /// Reads lines of a text that needs no decoding. It is searched as a whole for what may make a line worth a look.
    fn read_together(
        &mut self,
        text: &str,
        lines: Lines<'_>,
        pace: Pace,
        found: &mut impl FnMut(&Arc<str>, &Found<'_>, Timestamp),
    ) {
        let mut ahead = self.matcher.ahead(text);
        let mut next = self.matcher.next(text, 0, &mut ahead);
        let hit = if self.is_single() { Promise::Surely } else { Promise::Perhaps };
        for (span, known) in lines.iter() {
            if next < span.start {
                next = self.matcher.next(text, span.start, &mut ahead);
            }
            let bytes = &lines.text[span.clone()];
            let promise = if next < span.end { hit } else { Promise::Nothing };
            for group in &mut self.groups {
                if group.passes_over(bytes, known, pace, promise) {
                    continue;
                }
                // One that was cut for its length may end in the middle of a character.
                let line = text.get(span.clone()).map_or_else(|| decode(bytes, None), Cow::Borrowed);
                group.read(&line, known, pace, promise, found);
            }
        }
    }

    fn is_single(&self) -> bool {
        matches!(&self.groups[..], [Group { followers, .. }] if followers.len() == 1)
    }

    /// Reads lines each of which is decoded by itself.
    fn read_apart(
        &mut self,
        lines: Lines<'_>,
        pace: Pace,
        found: &mut impl FnMut(&Arc<str>, &Found<'_>, Timestamp),
    ) {
        for (span, known) in lines.iter() {
            // Groups of one encoding stand together.
            for groups in self.groups.chunk_by_mut(|one, other| one.alike.encoding == other.alike.encoding) {
                let line = decode(&lines.text[span.clone()], groups[0].alike.encoding);
                for group in groups {
                    group.read(&line, known, pace, Promise::Perhaps, found);
                }
            }
        }
    }

    fn followers(&self) -> impl Iterator<Item = &Follower> {
        self.groups.iter().flat_map(|group| &group.followers)
    }

    fn follower(&mut self, jail: &str) -> Option<&mut Follower> {
        let mut followers = self.groups.iter_mut().flat_map(|group| &mut group.followers);
        followers.find(|follower| *follower.jail == *jail)
    }

    /// Takes over what is the same in `old`; gives back the others that were in it.
    fn take_over(&mut self, old: Group) -> Vec<Follower> {
        if let Some(group) = self.groups.iter_mut().find(|group| group.alike == old.alike) {
            group.timing.take_over(old.timing);
        }
        let mut others = Vec::new();
        for old in old.followers {
            match self.follower(&old.jail) {
                Some(here) if here.filter.settings() == old.filter.settings() => {
                    (here.state, here.is_known, here.hits) = (old.state, old.is_known, old.hits);
                }
                _ => others.push(old),
            }
        }
        others
    }

    /// Puts the groups of one encoding together, so that a line is decoded once for all of them.
    fn prepare(&mut self) {
        self.groups.sort_by_key(|group| group.alike.encoding.map(Encoding::name));
        self.groups.iter_mut().for_each(Group::prepare);
        self.matcher = match &self.groups[..] {
            [group] => group.matcher.clone(),
            groups => Matcher::new(&groups.iter().flat_map(Group::filters).collect::<Vec<_>>()),
        };
    }

    fn add(&mut self, jail: &Settings, now: Timestamp) -> Result<(), Error> {
        let alike = Alike::of(jail);
        let follower = Follower {
            jail: Arc::clone(&jail.name),
            filter: Filter::compile(&jail.filter)?,
            state: State::default(),
            is_known: false,
            findtime: jail.findtime,
            hits: Hits::new(&jail.filter, now),
        };
        let known = self.groups.iter().position(|group| group.alike == alike);
        let group = match known {
            Some(known) => &mut self.groups[known],
            None => {
                let timing = Timing::new(&jail.filter, now)?;
                self.groups.push(Group { alike, timing, followers: Vec::new(), matcher: Matcher::default() });
                self.groups.last_mut().expect("a group was just pushed")
            }
        };
        group.followers.push(follower);
        Ok(())
    }
}

/// The text of a line. What is not in the encoding becomes U+FFFD, so that one odd byte can't hide a line from `.`.
fn decode<'a>(line: &'a [u8], encoding: Option<&'static Encoding>) -> Cow<'a, str> {
    match encoding {
        // Most lines are UTF-8, and finding that out alone is faster.
        None => {
            simdutf8::basic::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
        }
        Some(encoding) => encoding.decode_without_bom_handling(line).0,
    }
}

/// What is known of a line from the search of the text that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// No literal of any filter is in it.
    Nothing,
    /// There is one of some filter, or nobody has searched.
    Perhaps,
    /// There is one of the only filter.
    Surely,
}

/// What filters have in common that see the same texts and times.
#[derive(Debug, PartialEq, Eq)]
struct Alike {
    /// Absent: UTF-8.
    encoding: Option<&'static Encoding>,
    dialect: Dialect,
    datepattern: Vec<String>,
    timezone: Option<String>,
}

impl Alike {
    fn of(jail: &Settings) -> Self {
        let filter::Settings { dialect, datepattern, timezone, .. } = &jail.filter;
        let (datepattern, timezone) = (datepattern.clone(), timezone.clone());
        Self { encoding: jail.encoding, dialect: *dialect, datepattern, timezone }
    }
}

/// The filters on one source that read its text and its dates alike.
#[derive(Debug)]
struct Group {
    alike: Alike,
    timing: Timing,
    followers: Vec<Follower>,
    matcher: Matcher,
}

/// The filter of one jail on its way through a log.
#[derive(Debug)]
struct Follower {
    jail: Arc<str>,
    filter: Filter,
    state: State,
    /// Whether the store knows that it is this filter that remembers.
    is_known: bool,
    findtime: Duration,
    hits: Hits,
}

impl Follower {
    /// What differs in what it remembers of `source` since this was last asked.
    fn take_changes(&mut self, source: &Arc<str>) -> Vec<Remembered> {
        let changes = self.state.take_changes();
        let mut changes: Vec<_> =
            changes.map(|(key, value)| remembered(source, &self.jail, key, value)).collect();
        if !changes.is_empty() && !std::mem::replace(&mut self.is_known, true) {
            let fingerprint = self.filter.fingerprint();
            changes.push(remembered(source, &self.jail, FILTER.to_owned(), Some(fingerprint)));
        }
        changes
    }

    fn restore(&mut self, key: &str, value: &str) {
        if key != FILTER {
            self.state.restore(key, value);
        }
    }

    /// What the store may have of it, to be dropped.
    fn forget(self, source: &Arc<str>) -> Vec<Remembered> {
        if !self.is_known {
            return Vec::new();
        }
        let keys = self.state.into_keys().chain([FILTER.to_owned()]);
        keys.map(|key| remembered(source, &self.jail, key, None)).collect()
    }
}

fn remembered(source: &Arc<str>, jail: &Arc<str>, key: String, value: Option<String>) -> Remembered {
    Remembered { source: Arc::clone(source), jail: Arc::clone(jail), key, value }
}

impl Group {
    fn prepare(&mut self) {
        self.matcher = Matcher::new(&self.filters().collect::<Vec<_>>());
    }

    fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.followers.iter().map(|follower| &follower.filter)
    }

    /// Whether a line has nothing to say here: it promises nothing, and its date is that of the line before.
    #[inline]
    fn passes_over(&mut self, line: &[u8], known: Option<Timestamp>, pace: Pace, promise: Promise) -> bool {
        promise == Promise::Nothing
            && !self.matcher.always_matters()
            && self.timing.take_repeated(line, known, pace)
    }

    /// Reads one line. Where it promises nothing, only its date matters, unless that stands in the middle: what was apart
    /// comes together then.
    fn read(
        &mut self,
        line: &str,
        known: Option<Timestamp>,
        pace: Pace,
        promise: Promise,
        found: &mut impl FnMut(&Arc<str>, &Found<'_>, Timestamp),
    ) {
        let Some(timed) = self.timing.read(line, known, pace) else { return };
        let Timed { text, time, now, is_joined, .. } = timed;
        if promise == Promise::Nothing && !is_joined && !self.matcher.always_matters() {
            return;
        }
        let candidates = match promise {
            Promise::Surely => Candidates::only(0),
            _ => self.matcher.candidates(text),
        };
        for candidate in candidates.iter() {
            let Follower { jail, filter, state, findtime, hits, .. } = &mut self.followers[candidate];
            let Some(time) = time else {
                filter.pass(Line { text, whole: line }, state);
                continue;
            };
            // What is too old to count leaves no traces either.
            if time < now - *findtime {
                continue;
            }
            let verdict = filter.follow(Line { text, whole: line }, state, now);
            hits.count(&verdict, time);
            if let Verdict::Failure(failure) = verdict {
                // As evidence, a line that bears no time of its own is worth less.
                let dated = known.map(|known| format!("{known} {line}"));
                found(jail, &Found { failure, time, line: dated.as_deref().unwrap_or(line) }, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::source;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    /// A jail on one log, whose filter puts the lines of a connection together.
    fn jail(name: &str, path: &str, failregex: &[&str]) -> Settings {
        Settings {
            sources: vec![source::Settings { path: path.into(), start: source::Start::Head, horizon: None }],
            filter: filter::Settings {
                name: "sample".to_owned(),
                dialect: Dialect::Fail2ban,
                failregex: failregex.iter().map(|&pattern| pattern.to_owned()).collect(),
                datepattern: vec!["EPOCH".to_owned()],
                ..filter::Settings::default()
            },
            ..Settings::plain(name)
        }
    }

    const CONNECTIONS: &[&str] =
        &["^ <F-MLFID>\\[\\d+\\]</F-MLFID> (?:<F-NOFAIL>connect</F-NOFAIL> from <HOST>|wrong password)$"];

    const NOW: i64 = 1_900_000_000;

    fn readers(jails: &[Settings]) -> Readers {
        Readers::new(jails, at(NOW)).unwrap()
    }

    /// The failures in a line of the log `/log`, by jail, and the second each counts for.
    fn read(readers: &mut Readers, live: bool, line: &str) -> Vec<String> {
        read_all(readers, live, &[line.as_bytes()])
    }

    /// The same for lines that were read at once.
    fn read_all(readers: &mut Readers, live: bool, lines: &[&[u8]]) -> Vec<String> {
        let (mut text, mut spans, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            let start = u32::try_from(text.len()).unwrap();
            text.extend_from_slice(line);
            spans.push(start..u32::try_from(text.len()).unwrap());
            text.push(b'\n');
        }
        let pace = Pace::Following { now: at(NOW), live };
        let lines = Lines { text: &text, spans: &spans, times: &[] };
        readers.get_mut("/log").unwrap().read(lines, pace, |jail, found, _| {
            all.push(format!("{jail} {} {}", found.failure.who, NOW - found.time.as_secs()));
        });
        all
    }

    #[test]
    fn many_lines_at_once_fail_like_one_after_the_other() {
        let jails = [
            jail("one", "/log", &[r"^\[\] bad from <HOST>$"]),
            jail("two", "/log", &[r"worse ?x? from <HOST>$", "^ [a-z]{3} from <HOST>"]),
            jail("three", "/log", &["wicked from <HOST>"]),
        ];
        let lines: &[&[u8]] = &[
            b"1899999970 bad from 192.0.2.1",
            b"[1899999971] bad from 192.0.2.2",
            b"1899999972 worse from 192.0.2.3",
            b"1899999973 nothing",
            b"1899999974 wicked",
            b" from 192.0.2.4",
            b"",
            b"wicked from 192.0.2.5",
            b"1899999976 worse wicked from 2001:db8::1",
            "1899999977 é wicked from 192.0.2.6".as_bytes(),
        ];
        for more in [&b"1899999978 wicked from 192.0.2.7"[..], b"1899999978 \xff wicked from 192.0.2.7"] {
            let lines = [lines, &[more]].concat();
            let mut apart = readers(&jails);
            let expected: Vec<_> =
                lines.iter().flat_map(|line| read_all(&mut apart, true, &[line])).collect();
            assert_eq!(read_all(&mut readers(&jails), true, &lines), expected);
            assert_eq!(expected.len(), 7, "{expected:?}");
        }
    }

    #[test]
    fn a_reload_keeps_what_dates_looked_like() {
        let mut before = readers(&[jail("one", "/log", &["from <HOST>$"])]);
        assert_eq!(read(&mut before, true, "1899999970 from 192.0.2.1"), ["one 192.0.2.1 30"]);
        // The filter is another one, its dates are not.
        let mut after = readers(&[jail("one", "/log", &["by <HOST>$", "from <HOST>$"])]);
        after.take_over(before);
        assert_eq!(read(&mut after, true, "from 192.0.2.1"), ["one 192.0.2.1 30"]);
    }

    #[test]
    fn what_each_pattern_matched_is_counted_as_long_as_the_filter_stays() {
        const PATTERNS: &[&str] = &["bad from <HOST>$", "worse from <HOST>$"];
        let ignoring = |failregex, paths: &[&str]| {
            let mut one = jail("one", paths[0], failregex);
            one.sources = paths.iter().flat_map(|path| jail("one", path, failregex).sources).collect();
            one.filter.ignoreregex = vec!["from 192.0.2.9".to_owned()];
            one
        };
        let counts = |readers: &Readers, jail: &Settings| {
            let Hits { since, lines, failregex, ignoreregex } = readers.hits(jail).unwrap();
            let all = failregex.into_iter().chain(ignoreregex);
            let all = all.map(|hit| (hit.count, hit.last.map_or(0, |last| NOW - last.as_secs())));
            (NOW - since.as_secs(), lines, all.collect::<Vec<_>>())
        };
        let settings = ignoring(PATTERNS, &["/log"]);
        let mut before = readers(std::slice::from_ref(&settings));
        let lines: &[&[u8]] = &[
            b"1899999970 worse from 192.0.2.1",
            b"1899999971 nothing",
            b"1899999972 bad from 192.0.2.9",
            b"1899999960 worse from 192.0.2.1",
            // Too old to count.
            b"1800000000 bad from 192.0.2.1",
        ];
        read_all(&mut before, false, lines);
        assert_eq!(counts(&before, &settings), (0, 5, vec![(0, 0), (2, 30), (1, 28)]));
        // The same filter on one more log, and later another one.
        let both = ignoring(PATTERNS, &["/log", "/more"]);
        let mut after = Readers::new(std::slice::from_ref(&both), at(NOW + 60)).unwrap();
        after.take_over(before);
        read_all(&mut after, false, &[b"1899999990 bad from 192.0.2.1"]);
        assert_eq!(counts(&after, &both), (0, 6, vec![(1, 10), (2, 30), (1, 28)]));
        let other = ignoring(&["bad from <HOST>$"], &["/log"]);
        let mut changed = Readers::new(std::slice::from_ref(&other), at(NOW + 90)).unwrap();
        changed.take_over(after);
        assert_eq!(counts(&changed, &other), (-90, 0, vec![(0, 0), (0, 0)]));
        assert!(changed.hits(&Settings::plain("manual")).is_none());
    }

    /// Keeps what is remembered, as the store does.
    fn keep(kept: &mut BTreeMap<(Arc<str>, Arc<str>, String), Remembered>, readers: &mut Readers) {
        for remembered in readers.finish() {
            let Remembered { source, jail, key, value } = remembered.clone();
            match value {
                Some(_) => kept.insert((source, jail, key), remembered),
                None => kept.remove(&(source, jail, key)),
            };
        }
    }

    #[test]
    fn what_another_filter_remembers_is_forgotten() {
        const OTHER: &[&str] = &[CONNECTIONS[0], "by <HOST>$"];
        let same = || vec![jail("one", "/log", CONNECTIONS)];
        let cases = [
            (same(), true),
            (vec![jail("one", "/log", OTHER)], false),
            (vec![jail("two", "/log", CONNECTIONS)], false),
            (vec![jail("one", "/other", CONNECTIONS), jail("two", "/log", OTHER)], false),
        ];
        for (jails, is_kept) in cases {
            for is_reloaded in [true, false] {
                let mut kept = BTreeMap::new();
                let mut before = readers(&same());
                assert!(read(&mut before, true, "1899999970 [1] connect from 192.0.2.1").is_empty());
                keep(&mut kept, &mut before);
                assert_eq!(kept.len(), 2, "the connection and its filter");
                let mut after = readers(&jails);
                if is_reloaded {
                    after.take_over(before);
                } else {
                    after.restore(&kept.values().cloned().collect::<Vec<_>>());
                }
                keep(&mut kept, &mut after);
                assert_eq!(kept.len(), if is_kept { 2 } else { 0 }, "{kept:?}, reloaded: {is_reloaded}");
                let failures = read(&mut after, true, "1899999970 [1] wrong password");
                assert_eq!(!failures.is_empty(), is_kept, "{failures:?}");
                // The store is told which filter it is that remembers now.
                keep(&mut kept, &mut after);
                assert_eq!(kept.len(), 2, "{kept:?}");
                let mut again = readers(&jails);
                again.restore(&kept.values().cloned().collect::<Vec<_>>());
                assert!(again.finish().is_empty());
            }
        }
    }
}
