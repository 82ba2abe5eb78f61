//! The compiled patterns of a filter, and the order in which they are asked.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem::Finder;

use super::State;
use super::connections::Connection;
use super::groups::{CONTENT, Groups, IDENTIFIERS, Names};
use super::tag;
use super::window::{self, Kept, MOST_LINES, Window};
use crate::clock::Timestamp;
use crate::filter::python::{self, Captures, Flags, Pattern, PythonError, Texts};
use crate::filter::{Error, Failure, Line, Place, Settings, UseDns, Verdict, Who, literal};

/// The compiled patterns of a filter.
#[derive(Debug)]
pub(in crate::filter) struct Rules {
    prefix: Option<Rule>,
    fail: Vec<Rule>,
    ignore: Vec<Rule>,
    /// How many lines the patterns see at once.
    lines: usize,
    use_dns: UseDns,
    literals: Option<Vec<Vec<u8>>>,
}

/// One pattern.
#[derive(Debug)]
struct Rule {
    place: Place,
    pattern: Pattern,
    names: Names,
    /// The group of a prefregex for what the failregexes see goes on to the end of the line.
    content_to_end: bool,
    /// One of these is in every text that matches, where it pays to look for them first.
    finders: Option<Vec<Finder<'static>>>,
    /// How often it was stopped for taking too many steps.
    exhausted: AtomicU64,
}

/// A failregex that matches, and where.
struct Match<'r, 't> {
    rule: &'r Rule,
    captures: Captures<'t>,
}

impl Rules {
    /// Compiles the patterns of a filter.
    pub(in crate::filter) fn compile(settings: &Settings) -> Result<Self, Error> {
        let lines = settings.maxlines.clamp(1, MOST_LINES);
        let compiler = Compiler { use_dns: settings.use_dns, lines };
        let prefix = settings.prefregex.as_ref();
        let prefix = prefix.map(|pattern| compiler.rule(Place::Prefregex, pattern, false)).transpose()?;
        let fail = compiler.rules(&settings.failregex, Place::Failregex, true)?;
        check_identified(prefix.as_ref(), &fail, settings)?;
        let literals = if lines > 1 { None } else { literals(prefix.as_ref(), &fail) };
        let ignore = compiler.rules(&settings.ignoreregex, Place::Ignoreregex, false)?;
        Ok(Self { prefix, fail, ignore, lines, use_dns: settings.use_dns, literals })
    }

    /// Looks for a failure in the next line of a log.
    pub(in crate::filter) fn follow<'t>(
        &self,
        line: Line<'t>,
        state: &mut State,
        now: Timestamp,
    ) -> Verdict<'t> {
        let mut text = std::mem::take(&mut state.scratch);
        text.clear();
        if self.lines == 1 {
            text.push_str(line.text);
            text.push('\n');
        } else {
            state.window.push(line, self.lines);
            text.push_str(&window::joined(&state.window.lines));
        }
        let verdict = self.look(line, &text, state, now);
        state.scratch = text;
        verdict
    }

    /// Takes in a line that is only seen by those behind it.
    pub(in crate::filter) fn pass(&self, line: Line<'_>, state: &mut State) {
        if self.lines == 1 {
            return;
        }
        state.window.push(line, self.lines);
        let Some(prefix) = &self.prefix else { return };
        let text = window::joined(&state.window.lines);
        let content = prefix.find(&text).and_then(|found| prefix.content(&found, &text));
        if let Some(content) = content {
            state.window = Window::of(&content);
        }
    }

    fn look<'t>(&self, line: Line<'_>, text: &str, state: &mut State, now: Timestamp) -> Verdict<'t> {
        // With many failregexes it pays to ask the ignoreregexes first, and it changes what they see.
        if self.ignore.len() + 2 < self.fail.len()
            && let Some(ignoreregex) = self.ignored(text)
        {
            return Verdict::Ignored { failure: None, ignoreregex };
        }
        let Some(prefix) = &self.prefix else {
            return self.search(line, text, Groups::default(), None, state, now);
        };
        let Some(captures) = prefix.find(text) else {
            return Verdict::Miss;
        };
        let groups = prefix.names.read(&captures, text);
        match prefix.content(&captures, text) {
            None => self.search(line, text, groups, None, state, now),
            Some(content) => {
                let seen = match self.lines {
                    1 => Vec::new(),
                    _ => std::mem::replace(&mut state.window, Window::of(&content)).lines,
                };
                self.search(line, &content, groups, Some(seen), state, now)
            }
        }
    }

    /// Asks the failregexes about `text`, which stands for the lines `seen`, or for those of the window. `prefix` are the
    /// groups that the prefregex matched.
    fn search<'t>(
        &self,
        line: Line<'_>,
        text: &str,
        prefix: Groups<'_>,
        seen: Option<Vec<Kept>>,
        state: &mut State,
        now: Timestamp,
    ) -> Verdict<'t> {
        let found = self.fail.iter().find_map(|rule| Some(Match { rule, captures: rule.find(text)? }));
        let Some(found) = found else {
            return Verdict::Miss;
        };
        let mut groups = prefix;
        groups.update(found.rule.names.read(&found.captures, text));
        // What the match leaves of the window is put back below.
        let seen = seen.unwrap_or_else(|| std::mem::take(&mut state.window.lines));
        let (matched, others) = self.split(&found, text, seen);
        let ignored = match self.lines {
            1 => self.ignored(text),
            _ => self.ignored(&window::joined(&matched)),
        };
        if self.lines > 1 {
            state.window.lines = others;
        }
        let failregex = found.rule.index();
        if let Some(ignoreregex) = ignored {
            let failure = groups
                .who(self.use_dns)
                .map(|who| Failure { excused: false, ..failure(&groups, who, Vec::new(), failregex) });
            return Verdict::Ignored { failure, ignoreregex };
        }
        let lines: Vec<String> = match self.lines {
            // Nobody looks back on the line of no connection.
            1 if groups.get("mlfid").is_none() => Vec::new(),
            1 => vec![line.whole.to_owned()],
            _ => matched.into_iter().map(Kept::into_whole).collect(),
        };
        self.judge(groups, lines, failregex, state, now)
    }

    /// What a match says, together with what is known of its connection.
    fn judge<'t>(
        &self,
        groups: Groups<'_>,
        lines: Vec<String>,
        failregex: usize,
        state: &mut State,
        now: Timestamp,
    ) -> Verdict<'t> {
        let Some(id) = groups.get("mlfid").map(str::to_owned) else {
            return match groups.who(self.use_dns) {
                Some(who) => Verdict::Failure(failure(&groups, who, lines, failregex)),
                None => Verdict::Pending { failregex },
            };
        };
        let connection = state.connections.merge(&id, groups.into_owned(), &lines, now);
        if connection.is_no_failure() {
            return Verdict::Noted { failregex };
        }
        let Some(who) = connection.groups.who(self.use_dns) else {
            state.connections.set_pending(&id);
            return Verdict::Pending { failregex };
        };
        let Connection { groups, users, lines, .. } = connection;
        let failure = failure(&groups, who, lines, failregex);
        Verdict::Failure(Failure { users: users.into_iter().collect(), ..failure })
    }

    /// Every failregex that matches a line by itself, from 0.
    pub(in crate::filter) fn matching(&self, text: &str) -> Vec<usize> {
        if self.lines > 1 {
            return Vec::new();
        }
        let mut text = Cow::Owned(format!("{text}\n"));
        if let Some(prefix) = &self.prefix {
            let Some(captures) = prefix.find(&text) else {
                return Vec::new();
            };
            if let Some(content) = prefix.content(&captures, &text) {
                text = Cow::Owned(content.into_owned());
            }
        }
        self.fail.iter().filter(|rule| rule.is_match(&text)).map(Rule::index).collect()
    }

    fn split(&self, found: &Match<'_, '_>, text: &str, seen: Vec<Kept>) -> (Vec<Kept>, Vec<Kept>) {
        if self.lines == 1 {
            return (Vec::new(), Vec::new());
        }
        let span = found.captures.span(0).unwrap_or(0..0);
        let skipped: String = (0..)
            .map_while(|number| found.rule.pattern.group(&format!("skiplines{number}")))
            .filter_map(|group| found.captures.span(group))
            .map(|span| &text[span])
            .collect();
        window::split(seen, text, span, &skipped)
    }

    fn ignored(&self, text: &str) -> Option<usize> {
        self.ignore.iter().position(|rule| rule.is_match(text))
    }

    /// The patterns that were stopped, and how often.
    pub(in crate::filter) fn exhausted(&self) -> Vec<(Place, u64)> {
        let all = self.prefix.iter().chain(&self.fail).chain(&self.ignore);
        let counts = all.map(|rule| (rule.place, rule.exhausted.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The failregexes that find an address and beside it an id that may be none.
    pub(in crate::filter) fn with_two_identities(&self) -> Vec<Place> {
        let has = |rule: &Rule, group| {
            [Some(rule), self.prefix.as_ref()].into_iter().flatten().any(|rule| rule.names.has(group))
        };
        let has_two =
            |rule: &&Rule| has(rule, "fid") && ["ip4", "ip6", "dns"].iter().any(|group| has(rule, group));
        self.fail.iter().filter(has_two).map(|rule| rule.place).collect()
    }

    /// Literals one of which is in every text that a failregex matches.
    pub(in crate::filter) fn literals(&self) -> Option<&[Vec<u8>]> {
        self.literals.as_deref()
    }
}

/// What a match says by itself. The last of its lines is the one that is read.
fn failure<'t>(groups: &Groups<'_>, who: Who, mut lines: Vec<String>, failregex: usize) -> Failure<'t> {
    lines.pop();
    Failure {
        who,
        user: groups.filled("user").map(|user| user.to_owned().into()),
        users: Vec::new(),
        failregex,
        earlier: lines,
        excused: groups.filled("nofail").is_some(),
    }
}

impl Rule {
    fn find<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        if self.is_out_of_question(text) {
            return None;
        }
        self.pattern.captures(text).unwrap_or_else(|python::Exhausted| self.exhaust(None))
    }

    fn is_match(&self, text: &str) -> bool {
        !self.is_out_of_question(text)
            && self.pattern.is_match(text).unwrap_or_else(|python::Exhausted| self.exhaust(false))
    }

    /// What a prefregex lets the failregexes see of `text`, with a line feed behind it.
    fn content<'t>(&self, captures: &Captures<'_>, text: &'t str) -> Option<Cow<'t, str>> {
        let mut span = captures.span(self.pattern.group(CONTENT)?).filter(|span| !span.is_empty())?;
        if self.content_to_end {
            span.end = text.len() - 1;
        }
        Some(match &text[span.end..] {
            "\n" => Cow::Borrowed(&text[span.start..]),
            _ => Cow::Owned(format!("{}\n", &text[span])),
        })
    }

    fn is_out_of_question(&self, text: &str) -> bool {
        let finders = self.finders.as_ref();
        finders.is_some_and(|finders| finders.iter().all(|finder| finder.find(text.as_bytes()).is_none()))
    }

    fn exhaust<T>(&self, none: T) -> T {
        self.exhausted.fetch_add(1, Ordering::Relaxed);
        none
    }

    /// Its number among its kind.
    fn index(&self) -> usize {
        match self.place {
            Place::Failregex(index) | Place::Ignoreregex(index) => index,
            _ => 0,
        }
    }
}

struct Compiler {
    use_dns: UseDns,
    lines: usize,
}

impl Compiler {
    fn rules(
        &self,
        patterns: &[String],
        place: fn(usize) -> Place,
        multi_line: bool,
    ) -> Result<Vec<Rule>, Error> {
        let patterns = patterns.iter().enumerate();
        patterns.map(|(index, pattern)| self.rule(place(index), pattern, multi_line)).collect()
    }

    /// Compiles one pattern. `multi_line`: `^` and `$` match at every line where there are several.
    fn rule(&self, place: Place, written: &str, multi_line: bool) -> Result<Rule, Error> {
        let source = tag::expand(written, self.use_dns);
        if source.regex.trim_start().is_empty() {
            return Err(Error::new(place, "it is empty", "remove it, or write a pattern"));
        }
        let flags = Flags { multi_line: multi_line && self.lines > 1, ..Flags::default() };
        let texts = if self.lines > 1 { Texts::ManyLines } else { Texts::OneLine };
        let short = self.beginning(place, &source.regex);
        let regex = short.as_ref().unwrap_or(&source.regex);
        let pattern = python::compile(regex, flags, texts).map_err(|error| {
            let PythonError { span, reason } = error;
            Error::new(place, reason, REMEDY).at(source.written(span))
        })?;
        let literals = pattern.literals().filter(|_| !pattern.begins_with_literal());
        let finders = literals
            .map(|literals| literals.iter().map(|literal| Finder::new(literal).into_owned()).collect());
        Ok(Rule {
            place,
            names: Names::of(&pattern),
            pattern,
            content_to_end: short.is_some(),
            finders,
            exhausted: AtomicU64::new(0),
        })
    }

    /// A prefregex nearly always hands on the rest of the line. Then it is enough to find where that begins, which spares
    /// walking through it.
    fn beginning(&self, place: Place, regex: &str) -> Option<String> {
        let before = regex.strip_suffix("(?P<content>.+)$")?;
        let has_flags = before
            .match_indices("(?")
            .any(|(at, _)| before[at + 2..].starts_with(|c: char| c.is_ascii_lowercase()));
        (place == Place::Prefregex && self.lines == 1 && !has_flags)
            .then(|| format!("{before}(?P<content>.)"))
    }
}

/// Where the syntax is described.
const REMEDY: &str = "fail2ban's patterns are in the syntax of Python's `re`, with fail2ban's tags";

/// Every failregex needs a group that tells who failed, or a connection's id by which another line tells.
fn check_identified(prefix: Option<&Rule>, fail: &[Rule], settings: &Settings) -> Result<(), Error> {
    let identifies = |rule: &Rule| IDENTIFIERS.iter().chain(&["mlfid"]).any(|group| rule.names.has(group));
    if prefix.is_some_and(identifies) {
        return Ok(());
    }
    match fail.iter().position(|rule| !identifies(rule)) {
        None => Ok(()),
        Some(index) => {
            let remedy = "put <HOST> where the address stands";
            let whole = 0..settings.failregex[index].len();
            Err(Error::new(Place::Failregex(index), "it has no address", remedy).at(whole))
        }
    }
}

/// What the lines that match must contain. What all lines of a program contain tells little: so the literals of the
/// prefregex count only where a failregex has none.
fn literals(prefix: Option<&Rule>, fail: &[Rule]) -> Option<Vec<Vec<u8>>> {
    let of_prefix = || prefix.and_then(|prefix| within_line(&prefix.pattern));
    let each = fail.iter().map(|rule| within_line(&rule.pattern).or_else(of_prefix));
    let mut all = each.collect::<Option<Vec<_>>>()?.concat();
    all.sort();
    all.dedup();
    Some(all)
}

/// The literals of a pattern as far as they can stand in a line that has no line feed behind it yet; none if too little
/// is left of one.
fn within_line(pattern: &Pattern) -> Option<Vec<Vec<u8>>> {
    let cut = |literal: &Vec<u8>| {
        let line = literal.split(|&byte| byte == b'\n').next()?;
        (line.len() >= literal::SHORTEST).then(|| line.to_vec())
    };
    pattern.literals()?.iter().map(cut).collect()
}
