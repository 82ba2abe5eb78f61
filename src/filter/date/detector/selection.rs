//! Which of several templates is the one of a line.
//!
//! The choice has a memory: the template of the last line comes first, if the date still stands in the same place,
//! and templates with many hits near the start of their lines move to the front. Positions are counted in
//! characters.

use std::cell::LazyCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::defaults::Defaults;
use super::pattern::Spans;
use super::template::Template;
use crate::clock::Timestamp;

/// Templates in the order in which they are tried, and what the last lines were like.
#[derive(Debug)]
pub(super) struct Selection {
    candidates: Vec<Candidate>,
    /// The default patterns, whose cores the templates refer to.
    defaults: Arc<Defaults>,
    /// The template of the last line.
    last: Option<usize>,
    start: Edge,
    end: Edge,
    /// The first template that has no hits yet.
    unused: usize,
    /// What tells at once which of the templates can fit, where that pays.
    sieve: Option<Sieve>,
}

#[derive(Debug)]
struct Candidate {
    template: Arc<Template>,
    /// Lines whose template it was.
    hits: u64,
    /// Times it fitted, whether it was the template of the line or not.
    fitted: u64,
    /// When it was last the template of a line.
    used: Timestamp,
    /// How many characters stood before the date then.
    distance: usize,
}

/// Where a date began or ended, and the characters on both sides.
#[derive(Clone, Copy, Debug)]
struct Edge {
    at: usize,
    before: Option<char>,
    behind: Option<char>,
}

/// Where a template fitted.
#[derive(Debug)]
pub(super) struct Fit {
    /// In characters.
    chars: Range<usize>,
    pub(super) groups: Spans,
}

/// The position of what never fitted.
const FAR: usize = 0x7fff_ffff;

/// A template that was not used for so long gives way.
const UNUSED: Duration = Duration::from_secs(5 * 60);

/// Where to look for what the templates must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sieve {
    /// At the start of a line, as no template fits anywhere else.
    Start,
    Line,
}

/// So many default templates or more take longer than a look at all of them at once.
const MANY: usize = 4;

impl Selection {
    pub(super) fn new(templates: Vec<Arc<Template>>, defaults: Arc<Defaults>) -> Self {
        let candidate =
            |template| Candidate { template, hits: 0, fitted: 0, used: Timestamp::default(), distance: FAR };
        let many = templates.iter().filter(|template| template.core.is_some()).count() >= MANY;
        let start = templates.iter().all(|template| template.begins_line);
        let sieve = many.then_some(if start { Sieve::Start } else { Sieve::Line });
        Self {
            candidates: templates.into_iter().map(candidate).collect(),
            defaults,
            last: None,
            start: Edge { at: 1, before: None, behind: None },
            end: Edge { at: FAR, before: None, behind: None },
            unused: 0,
            sieve,
        }
    }

    /// Takes over the order and the memory of `before`, if it chooses between templates of the same names.
    pub(super) fn take_over(&mut self, before: Self) {
        let mut candidates = Vec::with_capacity(self.candidates.len());
        for old in before.candidates {
            let same = self.candidates.iter().find(|here| here.template.name == old.template.name);
            candidates.extend(same.map(|here| Candidate { template: here.template.clone(), ..old }));
        }
        if candidates.len() == self.candidates.len() {
            let Self { last, start, end, unused, .. } = before;
            *self = Self { candidates, last, start, end, unused, defaults: self.defaults.clone(), ..*self };
        }
    }

    /// The templates in their present order, with their hits.
    pub(super) fn hits(&self) -> impl Iterator<Item = (&str, u64)> {
        self.candidates.iter().map(|candidate| (candidate.template.name.as_str(), candidate.hits))
    }

    /// All templates in their present order.
    pub(super) fn templates(&self) -> impl ExactSizeIterator<Item = &Template> {
        self.candidates.iter().map(|candidate| &*candidate.template)
    }

    /// The template of the last line, if it fits at the start of a line only.
    pub(super) fn settled(&self) -> Option<&Template> {
        let template = &self.candidates.get(self.last?)?.template;
        template.begins_line.then_some(template)
    }

    /// The template of the last line is also that of the next, whose date is at the start.
    pub(super) fn settle(&mut self, now: Timestamp) {
        if let Some(at) = self.last {
            self.candidates[at].fitted += 1;
            self.count(at, 0, now);
            self.start.at = 0;
        }
    }

    /// The template of `line`, and where it fitted.
    pub(super) fn choose(&mut self, line: &str, now: Timestamp) -> Option<(Arc<Template>, Fit)> {
        let text = Text::new(line);
        let (mut reserve, mut skip) = (None, None);
        let chosen = match self.try_last(&text, &mut skip) {
            Some((fit, at)) if self.same_place(at, &fit) => Some((fit, at)),
            other => {
                reserve = other;
                None
            }
        };
        let (fit, at) = chosen.or_else(|| self.search(&text, skip, reserve))?;
        let template = self.candidates[at].template.clone();
        self.won(at, &fit.chars, &text, now);
        Some((template, fit))
    }

    /// Tries the template of the last line; `skip` is the one that needs no other try.
    fn try_last(&mut self, text: &Text<'_>, skip: &mut Option<usize>) -> Option<(Fit, usize)> {
        let at = self.last?;
        if !self.candidates[at].template.anchored() && self.same_edges(text) {
            let (start, end) = (text.byte(self.start.at), text.byte(self.end.at));
            return Some((self.candidates[at].fit(text, start, end)?, at));
        }
        *skip = Some(at);
        Some((self.candidates[at].fit(text, 0, text.line.len())?, at))
    }

    /// Whether the characters around and inside of the last place are the same.
    fn same_edges(&self, text: &Text<'_>) -> bool {
        let same_sign =
            |now: Option<char>, then: Option<char>| now == then && !then.is_some_and(is_alphanumeric);
        let (start, end) = (self.start.at, self.end.at);
        let begins =
            text.before(start) == self.start.before || same_sign(text.char(start), self.start.behind);
        let ends = text.char(end) == self.end.behind || same_sign(text.before(end), self.end.before);
        begins && ends
    }

    fn same_place(&self, at: usize, fit: &Fit) -> bool {
        let same = fit.chars == (self.start.at..self.end.at);
        same || self.candidates.len() == 1 || self.candidates[at].template.anchored()
    }

    /// Looks through all templates for one that fits at the place where it uses to, or else the one nearest to the
    /// start.
    fn search(
        &mut self,
        text: &Text<'_>,
        skip: Option<usize>,
        mut reserve: Option<(Fit, usize)>,
    ) -> Option<(Fit, usize)> {
        let (sieve, defaults) = (self.sieve, self.defaults.clone());
        // Most logs do with the first template, and need no look at all of them.
        let possible = LazyCell::new(|| {
            sieve.map(|sieve| match sieve {
                Sieve::Start => defaults.starts().matches(text.line),
                Sieve::Line => defaults.cores().matches(text.line),
            })
        });
        let is_possible = |core: usize| possible.as_ref().is_none_or(|possible| possible.matched(core));
        for at in (0..self.candidates.len()).filter(|&at| Some(at) != skip) {
            let core = self.candidates[at].template.core.filter(|_| at > 0);
            if core.is_some_and(|core| !is_possible(core)) {
                continue;
            }
            let Some(fit) = self.candidates[at].fit(text, 0, text.line.len()) else {
                continue;
            };
            if self.wins(at, &fit) {
                return Some((fit, at));
            }
            if reserve.as_ref().is_none_or(|(other, _)| fit.chars.start < other.chars.start) {
                reserve = Some((fit, at));
            }
        }
        reserve
    }

    /// Whether this one needs no comparison: a date further from the start than before may be one that a message
    /// speaks of.
    fn wins(&self, at: usize, fit: &Fit) -> bool {
        let candidate = &self.candidates[at];
        let Some(next) = self.candidates.get(at + 1) else {
            return true;
        };
        let distance = fit.chars.start;
        candidate.template.anchored()
            || (distance == 0 && candidate.hits > 0 && next.fitted == 0)
            || (distance <= candidate.distance && distance <= self.start.at)
    }

    fn won(&mut self, at: usize, chars: &Range<usize>, text: &Text<'_>, now: Timestamp) {
        self.count(at, chars.start, now);
        let Some(behind) = text.char(chars.start) else {
            return;
        };
        let edge = |at: usize| Edge { at, before: text.before(at), behind: text.char(at) };
        self.start = Edge { behind: Some(behind), ..edge(chars.start) };
        self.end = edge(chars.end);
        if chars.end == 0 {
            self.end.before = text.line.chars().next_back();
        }
        let moves = at > 0 && Some(at) != self.last;
        self.last = Some(if moves { self.reorder(at) } else { at });
    }

    fn count(&mut self, at: usize, distance: usize, now: Timestamp) {
        let candidate = &mut self.candidates[at];
        candidate.hits += 1;
        candidate.used = now;
        candidate.distance = distance;
        if self.unused == at {
            self.unused += 1;
        }
    }

    /// Moves a template towards the front if it counts for more than the one there, and says where it went.
    fn reorder(&mut self, at: usize) -> usize {
        let far = if self.unused < at { self.unused } else { at / 2 };
        let Some(to) = [far, at - 1].into_iter().find(|&to| self.gives_way(to, at)) else {
            return at;
        };
        let candidate = self.candidates.remove(at);
        self.candidates.insert(to, candidate);
        while self.candidates.get(self.unused).is_some_and(|candidate| candidate.hits > 0) {
            self.unused += 1;
        }
        to
    }

    fn gives_way(&self, to: usize, at: usize) -> bool {
        let (other, candidate) = (&self.candidates[to], &self.candidates[at]);
        candidate.weight() > other.weight() || candidate.used - UNUSED > other.used
    }
}

impl Candidate {
    /// Where it fits in these bytes of the line.
    fn fit(&mut self, text: &Text<'_>, start: usize, end: usize) -> Option<Fit> {
        if start > end {
            return None;
        }
        let groups = self.template.compiled().ok()?.pattern.find(&text.line[..end], start)?;
        let whole = groups.first()?.clone()?;
        self.fitted += 1;
        Some(Fit { chars: text.chars(whole.start)..text.chars(whole.end), groups })
    }

    fn weight(&self) -> f64 {
        self.hits as f64 * self.template.weight / self.distance.max(1) as f64
    }
}

/// A line whose characters can be counted.
struct Text<'a> {
    line: &'a str,
    ascii: bool,
}

impl<'a> Text<'a> {
    fn new(line: &'a str) -> Self {
        Self { line, ascii: line.is_ascii() }
    }

    /// How many characters the first bytes are.
    fn chars(&self, bytes: usize) -> usize {
        if self.ascii { bytes } else { self.line[..bytes].chars().count() }
    }

    /// How many bytes the first characters are.
    fn byte(&self, chars: usize) -> usize {
        if self.ascii {
            return chars.min(self.line.len());
        }
        self.line.char_indices().nth(chars).map_or(self.line.len(), |(byte, _)| byte)
    }

    fn char(&self, at: usize) -> Option<char> {
        if self.ascii {
            return self.line.as_bytes().get(at).copied().map(char::from);
        }
        self.line.chars().nth(at)
    }

    fn before(&self, at: usize) -> Option<char> {
        self.char(at.checked_sub(1)?)
    }
}

fn is_alphanumeric(character: char) -> bool {
    character.is_alphanumeric()
}
