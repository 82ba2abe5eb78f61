//! A date template: a pattern as a filter writes it becomes a regular expression, a name and a kind of time.
//!
//! In comes one pattern, and out goes a [`Template`] as fail2ban builds it: its name is what reports show, its
//! regular expression is compiled when a line first asks for it.

use std::sync::OnceLock;

use super::bounds::{Begin, Bounded, bind};
use super::directive::{self, Years};
use super::pattern::Pattern;
use super::quick::Quick;
use super::reading::Field;

/// One way to write a date.
#[derive(Debug)]
pub(super) struct Template {
    /// What reports call it.
    pub(super) name: String,
    /// The pattern, where it is one with directives.
    pub(super) pattern: Option<String>,
    /// How much its hits count against those of others.
    pub(super) weight: f64,
    /// It fits at the start of a line only.
    pub(super) begins_line: bool,
    /// It fits at the end of a line only.
    pub(super) ends_line: bool,
    pub(super) kind: Kind,
    /// Reads the same as the regular expression, if it reads a line at all.
    pub(super) quick: Option<Quick>,
    /// Which of the default patterns must fit somewhere in a line that this fits.
    pub(super) core: Option<usize>,
    regex: String,
    compiled: OnceLock<Result<Compiled, String>>,
}

/// What the text that a template fits says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Fields in groups with the names of directives.
    Fields,
    /// Seconds since the epoch in this group, or finer parts if there are enough digits and they may be `long`.
    Epoch { group: usize, long: bool },
    /// A TAI64N label.
    Tai64n,
}

/// A regular expression, and which field is in which of its groups, in their order.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) pattern: Pattern,
    pub(super) fields: Vec<(Field, usize)>,
}

/// A pattern that is not one, and what to do about it.
pub(super) type Reason = (String, &'static str);

const DIRECTIVES: &str = "write %% for a percent sign; the directives are %Y %y %m %d %b %B %a %A %H %k %I %l %M %S %f \
                          %p %z %Z %j %U %W %w, and with exact digits %ExY %Exy %Exm %Exd %ExH %Exk %Exl %ExM %ExS \
                          %Exz %ExZ";

/// Digits of seconds since the epoch.
const EPOCH: &str = r"\d{10,11}\b(?:\.\d{3,6})?";
/// The same with milliseconds or microseconds, with or without a dot.
const LONG_EPOCH: &str = r"\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?";

const LINE_BEGIN: &str = "{^LN-BEG}";
const UNBOUND: &str = "{UNB}";

impl Template {
    /// The template for `written`, which names no set of others.
    pub(super) fn new(written: &str, years: Years) -> Result<Self, Reason> {
        let key = if written.contains('%') { written.to_owned() } else { written.to_uppercase() };
        if key.contains("EPOCH") && find_word(written, &["{EPOCH}", "{LEPOCH}"]).is_some() {
            return Ok(Self::epoch_within(written, key.contains("LEPOCH")));
        }
        let (begin, word) = match key.strip_prefix(LINE_BEGIN).or_else(|| key.strip_prefix('^')) {
            Some(word) => (Begin::Line, word),
            None => (Begin::Free, key.as_str()),
        };
        match word {
            "EPOCH" => Ok(Self::epoch(begin, false)),
            "LEPOCH" => Ok(Self::epoch(begin, true)),
            "TAI64N" => Ok(Self::of("TAI64N", bind("@[0-9a-f]{24}", begin, true), Kind::Tai64n)),
            _ => Self::of_pattern(written, years),
        }
    }

    fn of(name: &str, bounded: Bounded, kind: Kind) -> Self {
        let named = bounded.at_line && !name.starts_with(LINE_BEGIN);
        Self {
            name: if named { format!("{LINE_BEGIN}{name}") } else { name.to_owned() },
            pattern: None,
            weight: 1.0,
            begins_line: bounded.begins_line,
            ends_line: bounded.ends_line,
            kind,
            quick: None,
            core: None,
            regex: bounded.regex,
            compiled: OnceLock::new(),
        }
    }

    fn of_pattern(written: &str, years: Years) -> Result<Self, Reason> {
        let (pattern, begin, word_end) = match written.strip_prefix(UNBOUND) {
            Some(pattern) => (pattern, Begin::Free, false),
            None => match written.strip_prefix(LINE_BEGIN) {
                Some(pattern) => (pattern, Begin::Line, true),
                None => (written, Begin::Word, true),
            },
        };
        let expanded = directive::expand(pattern, years).map_err(|at| {
            let rest: String = pattern[at..].chars().take(2).collect();
            (format!("{written:?}: there is no {rest}"), DIRECTIVES)
        })?;
        let flags = if directive::has_words(pattern) { "(?iu)" } else { "" };
        let bounded = bind(&format!("{flags}{}", expanded.regex), begin, word_end);
        let quick = Quick::of(&bounded.regex, years);
        let pattern = Some(written.to_owned());
        Ok(Self { pattern, quick, ..Self::of(&expanded.name, bounded, Kind::Fields) })
    }

    /// Seconds since the epoch at the start of the line, in brackets there, or in a record of the audit daemon.
    fn epoch(begin: Begin, long: bool) -> Self {
        let name = if long { "LongEpoch" } else { "Epoch" };
        let digits = if long { LONG_EPOCH } else { EPOCH };
        let places = if begin == Begin::Line { "" } else { r"(?:^|(?<=^\[)|(?<=\baudit\())" };
        let bounded = bind(&format!("({places}{digits})"), begin, true);
        Self::of(name, bounded, Kind::Epoch { group: 1, long })
    }

    /// Seconds since the epoch inside of other text, all of which is cut out.
    fn epoch_within(written: &str, long: bool) -> Self {
        let digits = format!("({})", if long { LONG_EPOCH } else { EPOCH });
        let regex = format!("({})", replace_word(written, &["{EPOCH}", "{LEPOCH}"], &digits));
        Self::of(written, bind(&regex, Begin::Word, true), Kind::Epoch { group: 2, long })
    }

    /// The same, which fits only where the default pattern of this number does.
    pub(super) fn with_core(self, core: usize) -> Self {
        Self { core: Some(core), ..self }
    }

    /// The same at the start of a line, if it is not bound to that already.
    pub(super) fn at_line(&self, years: Years) -> Option<Self> {
        if self.name.starts_with(LINE_BEGIN) || self.name.starts_with('^') {
            return None;
        }
        let written = format!("{LINE_BEGIN}{}", self.pattern.as_ref().unwrap_or(&self.name));
        let template = Self::new(&written, years).ok()?;
        // Where a line has two dates, the one at its start is the log's own.
        Some(Self { weight: 100.0, core: self.core, ..template })
    }

    /// The same in the place of `{DATE}` in `frame`.
    pub(super) fn within(&self, frame: &str, years: Years) -> Result<Self, Reason> {
        let own = self.pattern.as_ref().unwrap_or(&self.name);
        let own = own.strip_prefix(LINE_BEGIN).unwrap_or(own);
        Self::new(&replace_word(frame, &["{DATE}"], own), years)
    }

    /// Its regular expression, compiled now if it was not before.
    pub(super) fn compiled(&self) -> Result<&Compiled, &String> {
        self.compiled.get_or_init(|| Compiled::new(&self.regex)).as_ref()
    }

    /// It fits at one end of a line only.
    pub(super) fn anchored(&self) -> bool {
        self.begins_line || self.ends_line
    }
}

impl Compiled {
    fn new(regex: &str) -> Result<Self, String> {
        let pattern = Pattern::new(regex)?;
        let fields = pattern.names().filter_map(|(group, name)| Some((Field::named(name)?, group))).collect();
        Ok(Self { pattern, fields })
    }
}

/// Where one of `words` first stands in `text`, in either case and with no backslash before it.
pub(super) fn find_word(text: &str, words: &[&str]) -> Option<(usize, usize)> {
    text.match_indices('{').filter(|(at, _)| !text[..*at].ends_with('\\')).find_map(|(at, _)| {
        let fits = |word: &&&str| {
            text.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word))
        };
        words.iter().find(fits).map(|word| (at, at + word.len()))
    })
}

fn replace_word(text: &str, words: &[&str], by: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((start, end)) = find_word(rest, words) {
        replaced.push_str(&rest[..start]);
        replaced.push_str(by);
        rest = &rest[end..];
    }
    replaced.push_str(rest);
    replaced
}
