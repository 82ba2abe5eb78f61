//! Date patterns in `strftime` form, compiled to regular expressions.

use std::ops::Range;

use regex::{Captures, Regex};

use super::super::{Error, Place};
use super::format::{self, Found};
use super::time::{Civil, Moment};
use crate::clock::Timestamp;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Custom {
    written: String,
    /// Fits at the start of a text only.
    at_start: Regex,
    /// Fits anywhere, unless the pattern began with `^`.
    anywhere: Option<Regex>,
}

/// Directives that are short for several.
const SHORT: &[(char, &str)] = &[('F', "%Y-%m-%d"), ('T', "%H:%M:%S"), ('R', "%H:%M"), ('D', "%m/%d/%y")];

/// What each directive matches; each goes into a group named by its letter.
const DIRECTIVES: &[(char, &str)] = &[
    ('Y', "[0-9]{4}"),
    ('y', "[0-9]{2}"),
    ('m', "1[0-2]|0?[1-9]"),
    ('d', "3[01]|[12][0-9]|[ 0]?[1-9]"),
    ('b', "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"),
    ('B', "January|February|March|April|May|June|July|August|September|October|November|December"),
    ('a', "Mon|Tue|Wed|Thu|Fri|Sat|Sun"),
    ('A', "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"),
    ('H', "2[0-3]|[01][0-9]|[ 0]?[0-9]"),
    ('I', "1[0-2]|[ 0]?[1-9]"),
    ('M', "[0-5][0-9]"),
    ('S', "[0-5][0-9]|60"),
    ('f', "[0-9]+"),
    ('p', "[AaPp][Mm]"),
    ('z', "[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?"),
    ('s', "[0-9]{1,11}"),
];

/// Directives that say the same as others.
const ALIASES: &[(char, char)] = &[('e', 'd'), ('k', 'H'), ('l', 'I'), ('h', 'b')];

impl Custom {
    pub(super) fn new(written: &str, place: Place) -> Result<Self, Error> {
        let pattern = written.strip_prefix('^');
        let source = source(pattern.unwrap_or(written)).map_err(|(reason, remedy)| {
            Error::new(place, format!("{written:?}: {reason}"), remedy).at(0..written.len())
        })?;
        let compile = |source: &str| {
            Regex::new(source)
                .map_err(|error| Error::new(place, error.to_string(), "write a shorter pattern"))
        };
        let at_start = compile(&format!(r"\A(?:{source})"))?;
        let anywhere = match pattern {
            Some(_) => None,
            None => Some(compile(&source)?),
        };
        Ok(Self { written: written.to_owned(), at_start, anywhere })
    }

    /// The pattern as written.
    pub(super) fn name(&self) -> &str {
        &self.written
    }

    /// The date at byte 0, where the pattern may begin with the brackets itself, or at `start`.
    pub(super) fn at_start(&self, line: &str, start: usize) -> Found {
        let found = |from: usize| {
            let (moment, span) = read(&self.at_start.captures(&line[from..])?)?;
            Some((moment, span.start + from..span.end + from))
        };
        found(0).or_else(|| if start > 0 { found(start) } else { None })
    }

    /// The first date in the line, for a pattern that may stand anywhere.
    pub(super) fn anywhere(&self, line: &str) -> Found {
        read(&self.anywhere.as_ref()?.captures(line)?)
    }
}

type Reason = (String, &'static str);

/// The source of the regular expression for a pattern.
fn source(pattern: &str) -> Result<String, Reason> {
    let mut seen = String::new();
    let source = sequence(pattern, &mut seen)?;
    says_when(&seen)?;
    Ok(bounded(pattern, &source))
}

fn sequence(pattern: &str, seen: &mut String) -> Result<String, Reason> {
    let mut source = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => source.push_str(&directive(characters.next(), seen)?),
            ' ' => source.push_str(" +"),
            _ => source.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
        }
    }
    Ok(source)
}

/// Keeps a date from beginning or ending inside a longer number.
fn bounded(pattern: &str, source: &str) -> String {
    let start = if pattern.starts_with('%') { r"(?-u:\b{start-half})" } else { "" };
    let ends = pattern.chars().rev().nth(1) == Some('%');
    let end = if ends { r"(?-u:\b{end-half})" } else { "" };
    format!("{start}{source}{end}")
}

fn directive(letter: Option<char>, seen: &mut String) -> Result<String, Reason> {
    let remedy = "the directives are %Y %y %m %d %e %b %B %a %A %H %k %I %l %M %S %f %p %z %s %F %T %R %D %%";
    let Some(letter) = letter else {
        return Err(("it ends in %".to_owned(), remedy));
    };
    if letter == '%' {
        return Ok("%".to_owned());
    }
    if let Some((_, long)) = SHORT.iter().find(|(short, _)| *short == letter) {
        return sequence(long, seen);
    }
    let same = ALIASES.iter().find(|(alias, _)| *alias == letter).map_or(letter, |(_, it)| *it);
    let Some((_, regex)) = DIRECTIVES.iter().find(|(known, _)| *known == same) else {
        return Err((format!("there is no %{letter}"), remedy));
    };
    if seen.contains(same) {
        return Err((format!("%{letter} comes twice"), "say everything once"));
    }
    seen.push(same);
    Ok(format!("(?P<{same}>{regex})"))
}

/// A date has to say month, day, hour and minute, or be a count of seconds.
fn says_when(seen: &str) -> Result<(), Reason> {
    let has = |letter: char| seen.contains(letter);
    let day = (has('m') || has('b') || has('B')) && has('d');
    let hour = has('H') || (has('I') && has('p'));
    if has('s') || (day && hour && has('M')) {
        return Ok(());
    }
    let reason = "it is no known format, and does not say month, day, hour and minute".to_owned();
    Err((reason, "write a name such as syslog or iso8601, or a pattern such as %Y-%m-%d %H:%M:%S"))
}

fn read(captures: &Captures<'_>) -> Found {
    let span: Range<usize> = captures.get(0)?.range();
    let number = |group: &str| -> Option<i64> { captures.name(group)?.as_str().trim().parse().ok() };
    if let Some(seconds) = number("s") {
        return Some((Moment::Epoch(Timestamp::from_secs(seconds)), span));
    }
    let small = |group: &str| number(group).and_then(|number| i8::try_from(number).ok());
    let name = captures.name("b").or_else(|| captures.name("B"));
    let year = number("Y").or_else(|| Some(2000 + number("y")?));
    let civil = Civil {
        year: year.and_then(|year| i16::try_from(year).ok()),
        month: small("m").or_else(|| format::month(&name?.as_str().as_bytes()[..3]))?,
        day: small("d")?,
        hour: small("H").or_else(|| half_day(small("I")?, captures.name("p")?.as_str()))?,
        minute: small("M")?,
        second: small("S").unwrap_or(0),
        offset: match captures.name("z") {
            Some(zone) => Some(format::offset(zone.as_str().as_bytes())?),
            None => None,
        },
    };
    Some((Moment::Civil(civil), span))
}

fn half_day(hour: i8, half: &str) -> Option<i8> {
    let afternoon = half.eq_ignore_ascii_case("pm");
    Some(hour % 12 + if afternoon { 12 } else { 0 })
}
