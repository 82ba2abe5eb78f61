//! Byte by byte readers for the three templates that nearly all logs are written in.
//!
//! In comes a line; out goes what its date says and where it stands, or nothing if it takes the regular expression
//! to tell. What they do read they read as it does. The lines of one second say the same, so that most need only be compared.

use std::ops::Range;

use super::bounds::{LINE_BEGINS, WORD_ENDS};
use super::directive::{self, Years};
use super::reading::Written;

/// A reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quick {
    form: Form,
    lead: Lead,
    /// The digit of the last decade.
    decade: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `2026-11-22T08:04:12.892+01:00`.
    Iso8601,
    /// `Sun Nov 22 08:04:12.892 2026`.
    Asctime,
    /// `22/Nov/2026:08:04:12 +0100`.
    Apache,
}

/// What stands before the date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Nothing,
    /// Up to two characters that are no part of a word.
    Signs,
    /// Everything up to the first bracket.
    Bracket,
}

/// The regular expressions for what stands before the date.
const LEADS: &[(&str, Lead)] =
    &[(LINE_BEGINS, Lead::Signs), (r"^[^\[]*\[", Lead::Bracket), ("^", Lead::Nothing)];

/// The patterns of the forms.
const FORMS: &[(Form, &str)] = &[
    (Form::Iso8601, r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?"),
    (Form::Iso8601, r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d[T ]%H:%M:%S(?:[.,]%f)?(?:\s*%z)?"),
    (Form::Asctime, r"(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?"),
    (Form::Apache, r"%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?"),
];

impl Quick {
    /// The reader that reads as `regex` does, if there is one.
    pub(super) fn of(regex: &str, years: Years) -> Option<Self> {
        let regex = regex.strip_prefix("(?iu)").unwrap_or(regex);
        let (lead, rest) =
            LEADS.iter().find_map(|(prefix, lead)| Some((*lead, regex.strip_prefix(prefix)?)))?;
        let core = rest.strip_suffix(WORD_ENDS)?.strip_prefix('(')?.strip_suffix(')')?;
        let reads = |(_, pattern): &&(Form, &str)| {
            directive::expand(pattern, years).is_ok_and(|expanded| expanded.regex == core)
        };
        let (form, _) = FORMS.iter().find(reads)?;
        Some(Self { form: *form, lead, decade: u8::try_from(years.last % 10).ok()? })
    }

    /// The date of `line`, unless it takes the regular expression to tell: what it says, where it stands, and how to know it
    /// again.
    pub(super) fn read(self, line: &str) -> Option<(Written, Range<usize>, Option<Likeness>)> {
        let line = line.as_bytes();
        let start = match self.lead {
            Lead::Nothing => 0,
            Lead::Signs => line.iter().take(3).position(|&byte| is_word(byte))?,
            Lead::Bracket => line.iter().position(|&byte| byte == b'[')? + 1,
        };
        let mut cursor = Cursor { line, at: start };
        let mut written = match self.form {
            Form::Iso8601 => cursor.iso8601(self.decade)?,
            Form::Asctime => cursor.asctime()?,
            Form::Apache => cursor.apache(self.decade)?,
        };
        let seconds_end = cursor.at;
        cursor.fraction(if self.form == Form::Iso8601 { b".," } else { b"." })?;
        let fraction = (seconds_end + 1).min(cursor.at)..cursor.at;
        match self.form {
            Form::Iso8601 => written.offset = cursor.zone()?,
            Form::Asctime => written.year = cursor.year_behind(self.decade)?,
            Form::Apache => {
                let one_space = cursor.peek(0) == Some(b' ') && cursor.peek(1) != Some(b' ');
                written.offset = if one_space { cursor.zone()? } else { None };
            }
        }
        let span = start..cursor.at;
        cursor.ends_word().then(|| (written, span.clone(), Likeness::of(line, span, fraction)))
    }
}

/// A date at the start of a line, to see at a glance whether the next line has the same: only digits of a fraction of the
/// second may differ.
#[derive(Debug)]
pub(super) struct Likeness {
    text: [u8; GLANCE],
    /// The bits that have to be the same.
    same: [u8; GLANCE],
    /// All bits where there is to be a digit.
    digits: [u8; GLANCE],
    end: usize,
}

/// As many bytes of a line are compared. What is longer than any date is fastest in few large steps.
const GLANCE: usize = 48;

impl Likeness {
    /// None for a date that is not at the start of its line, or too near to its end.
    fn of(line: &[u8], span: Range<usize>, fraction: Range<usize>) -> Option<Self> {
        let text = *line.first_chunk::<GLANCE>().filter(|_| span.start == 0 && span.end + 2 <= GLANCE)?;
        let (mut same, mut digits) = ([0; GLANCE], [0; GLANCE]);
        same[span.clone()].fill(0xff);
        same[fraction.clone()].fill(0);
        digits[fraction].fill(0xff);
        Some(Self { text, same, digits, end: span.end })
    }

    /// The end of the date of `line`, if it is the same and surely ends there. There may be a zone or a year behind it only
    /// where this one had them.
    #[inline]
    pub(super) fn end_in(&self, line: &[u8]) -> Option<usize> {
        let begin = line.first_chunk::<GLANCE>()?;
        let expected = self.text.iter().zip(&self.same).zip(&self.digits);
        let wrong = begin.iter().zip(expected).fold(0, |wrong, (byte, ((text, same), digits))| {
            let differs = (byte ^ text) & same;
            let is_no_digit = u8::from(byte.wrapping_sub(b'0') > 9).wrapping_neg() & digits;
            wrong | differs | is_no_digit
        });
        let behind = begin[self.end + 1];
        let is_end = begin[self.end] == b' ' && behind.is_ascii_lowercase() && !b"zug".contains(&behind);
        (wrong == 0 && is_end).then_some(self.end)
    }
}

/// What is no ASCII may be one: then the regular expression has to tell.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at + ahead).copied()
    }

    fn digit_at(&self, ahead: usize) -> Option<i32> {
        let byte = self.peek(ahead)?;
        byte.is_ascii_digit().then(|| i32::from(byte - b'0'))
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.peek(0)? == wanted).then(|| self.at += 1)
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek(0).filter(|byte| wanted.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    fn two(&mut self) -> Option<i32> {
        let number = self.digit_at(0)? * 10 + self.digit_at(1)?;
        self.at += 2;
        Some(number)
    }

    fn ends_word(&self) -> bool {
        !self.peek(0).is_some_and(is_word)
    }

    fn iso8601(&mut self, decade: u8) -> Option<Written> {
        let year = self.year(decade)?;
        let separator = self.one_of(b"-/.")?;
        let month = self.two().filter(|month| (1..=12).contains(month))?;
        self.byte(separator)?;
        let day = self.two().filter(|day| (1..=31).contains(day))?;
        self.one_of(b"T ")?;
        let hour = self.two().filter(|&hour| hour < 24)?;
        let (minute, second) = self.minute_and_second()?;
        let date = Written { year: Some(year), month: Some(month), day: Some(day), ..Written::default() };
        Some(Written { hour, minute, second, ..date })
    }

    fn asctime(&mut self) -> Option<Written> {
        if is_weekday(self.name()?) {
            self.at += 3;
            self.byte(b' ')?;
        }
        let month = month(self.name()?)?;
        self.at += 3;
        self.byte(b' ')?;
        let day = self.day()?;
        self.byte(b' ')?;
        let _ = self.byte(b' ');
        let hour = self.hour()?;
        let (minute, second) = self.minute_and_second()?;
        Some(Written { month: Some(month), day: Some(day), hour, minute, second, ..Written::default() })
    }

    fn apache(&mut self, decade: u8) -> Option<Written> {
        let day = self.day()?;
        let separator = self.one_of(b"-/")?;
        let month = month(self.name()?)?;
        self.at += 3;
        self.byte(separator)?;
        let year = self.year(decade)?;
        self.one_of(b" :")?;
        let hour = self.two().filter(|&hour| hour < 24)?;
        let (minute, second) = self.minute_and_second()?;
        let date = Written { year: Some(year), month: Some(month), day: Some(day), ..Written::default() };
        Some(Written { hour, minute, second, ..date })
    }

    /// Three letters in lower case, as one number.
    fn name(&self) -> Option<u32> {
        let letters = self.line.get(self.at..self.at + 3)?;
        Some(name([0, 1, 2].map(|at| letters[at].to_ascii_lowercase())))
    }

    /// ` 2`, `02`, `2` or `22`.
    fn day(&mut self) -> Option<i32> {
        let (first, second) = (self.peek(0)?, self.digit_at(1));
        let (day, length) = match (first, second) {
            (b' ' | b'0', Some(day)) if day > 0 => (day, 2),
            (b'1' | b'2', Some(day)) => (i32::from(first - b'0') * 10 + day, 2),
            (b'3', Some(day)) if day < 2 => (30 + day, 2),
            (b'1'..=b'9', None) => (i32::from(first - b'0'), 1),
            _ => return None,
        };
        self.at += length;
        Some(day)
    }

    /// One digit or two, up to 29: the pattern knows no better.
    fn hour(&mut self) -> Option<i32> {
        let (first, second) = (self.digit_at(0)?, self.digit_at(1));
        let (hour, length) = match second {
            Some(second) if first < 3 => (first * 10 + second, 2),
            Some(_) => return None,
            None => (first, 1),
        };
        self.at += length;
        Some(hour)
    }

    /// `:04:12`.
    fn minute_and_second(&mut self) -> Option<(i32, i32)> {
        self.byte(b':')?;
        let minute = self.two().filter(|&minute| minute < 60)?;
        self.byte(b':')?;
        let second = self.two().filter(|&second| second < 60)?;
        Some((minute, second))
    }

    /// Up to six digits behind a dot, or nothing. More than six end the date inside of a word.
    fn fraction(&mut self, dots: &[u8]) -> Option<()> {
        let dot = self.peek(0).is_some_and(|byte| dots.contains(&byte));
        if dot && !self.peek(1)?.is_ascii() {
            return None;
        }
        if dot && self.digit_at(1).is_some() {
            let digits =
                self.line[self.at + 1..].iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
            self.at += 1 + digits;
            return (digits < 7).then_some(());
        }
        Some(())
    }

    fn year(&mut self, decade: u8) -> Option<i32> {
        let century = self.peek(0) == Some(b'2') && self.peek(1) == Some(b'0');
        let (tens, ones) = (self.digit_at(2)?, self.digit_at(3)?);
        self.at += 4;
        (century && tens <= i32::from(decade)).then_some(2000 + tens * 10 + ones)
    }

    /// A year behind a space that is a word of its own, or none.
    fn year_behind(&mut self, decade: u8) -> Option<Option<i32>> {
        if self.peek(0) != Some(b' ') || self.peek(1) != Some(b'2') {
            return Some(None);
        }
        let year = self.line.get(self.at + 1..self.line.len().min(self.at + 6))?;
        if !year.is_ascii() {
            return None;
        }
        let start = self.at;
        self.at += 1;
        let year = self.year(decade).filter(|_| self.ends_word());
        if year.is_none() {
            self.at = start;
        }
        Some(year)
    }

    /// The zone in minutes, or none, where what follows is clearly one or clearly not.
    fn zone(&mut self) -> Option<Option<i32>> {
        let spaces = self.line[self.at..].iter().take_while(|&&byte| byte == b' ').count();
        let next = self.peek(spaces);
        let name: &[u8] = match next {
            // Other white space, and what may be.
            Some(byte) if byte < b' ' || !byte.is_ascii() => return None,
            Some(b'Z' | b'z') => b"Z",
            Some(b'U' | b'u') => b"UTC",
            Some(b'G' | b'g') => b"GMT",
            Some(b'+' | b'-') => return self.offset(spaces),
            _ => return Some(None),
        };
        let end = self.at + spaces + name.len();
        let there = self.line.get(self.at + spaces..end).unwrap_or_default();
        let whole = there.eq_ignore_ascii_case(name);
        if whole && self.line.get(end).is_some_and(|byte| !byte.is_ascii()) {
            return None;
        }
        if !whole || self.line.get(end).copied().is_some_and(is_word) {
            return Some(None);
        }
        // In small letters it fits, and whether it means anything is for others to say.
        if there != name {
            return None;
        }
        self.at = end;
        Some(Some(0))
    }

    fn offset(&mut self, spaces: usize) -> Option<Option<i32>> {
        let start = self.at;
        self.at += spaces;
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        if spaces > 0 && !matches!(self.peek(0), Some(b'0' | b'1')) {
            self.at = start;
            return Some(None);
        }
        let hours = self.two().filter(|&hours| hours < 20)?;
        let _ = self.byte(b':');
        let minutes = self.two()?;
        Some(Some(sign * (hours * 60 + minutes)))
    }
}

const fn name(letters: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, letters[0], letters[1], letters[2]])
}

fn is_weekday(letters: u32) -> bool {
    const DAYS: [u32; 7] = [
        name(*b"mon"),
        name(*b"tue"),
        name(*b"wed"),
        name(*b"thu"),
        name(*b"fri"),
        name(*b"sat"),
        name(*b"sun"),
    ];
    DAYS.contains(&letters)
}

fn month(letters: u32) -> Option<i32> {
    const MONTHS: [u32; 12] = [
        name(*b"jan"),
        name(*b"feb"),
        name(*b"mar"),
        name(*b"apr"),
        name(*b"may"),
        name(*b"jun"),
        name(*b"jul"),
        name(*b"aug"),
        name(*b"sep"),
        name(*b"oct"),
        name(*b"nov"),
        name(*b"dec"),
    ];
    let at = MONTHS.iter().position(|&month| month == letters)?;
    i32::try_from(at + 1).ok()
}
