//! The date formats known by name, each read byte by byte.

use std::ops::Range;

use super::time::{Civil, Moment};
use crate::clock::Timestamp;

/// A known format.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) name: &'static str,
    /// Reads a date that begins at this byte.
    pub(super) at: fn(&[u8], usize) -> Found,
    /// Finds a date elsewhere in a line, for logs that have it there.
    pub(super) anywhere: Option<fn(&str) -> Found>,
}

/// What a date says and where it stands.
pub(super) type Found = Option<(Moment, Range<usize>)>;

/// Every known format. No two fit the same text, so their order does not matter.
pub(super) const FORMATS: &[Format] = &[
    // `Nov 22 08:04:12`, with a fraction, and with a year after the day or after the time.
    Format { name: "syslog", at: syslog, anywhere: None },
    // `2026-11-22T08:04:12.123+01:00`, with `/` or `.` in the date, with a space, without fraction or zone.
    Format { name: "iso8601", at: iso8601, anywhere: None },
    // `Sun Nov 22 08:04:12.123 2026`.
    Format { name: "asctime", at: asctime, anywhere: None },
    // `22/Nov/2026:08:04:12 +0100`, at the start or in brackets anywhere.
    Format { name: "apache", at: apache, anywhere: Some(apache_anywhere) },
    // `22-Nov-2026 08:04:12.123`.
    Format { name: "bind", at: bind, anywhere: None },
    // `20261122T080412Z`, with or without T and zone.
    Format { name: "compact", at: compact, anywhere: None },
    // `1795334652.123`, and that in the records of the audit daemon.
    Format { name: "epoch", at: epoch, anywhere: Some(epoch_of_audit) },
    // `@400000006b02a2061d4c2bdc`.
    Format { name: "tai64n", at: tai64n, anywhere: None },
];

/// The names of the known date formats.
pub const NAMES: &[&str] = &{
    let mut names = [""; FORMATS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = FORMATS[index].name;
        index += 1;
    }
    names
};

fn syslog(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    let civil = cursor.month_first()?;
    cursor.end(civil, start)
}

fn asctime(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    cursor.weekday()?;
    let civil = cursor.month_first()?;
    cursor.end(civil, start)
}

fn iso8601(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    let year = cursor.four()?;
    let separator = cursor.one_of(b"-/.")?;
    let month = cursor.two()?;
    cursor.byte(separator)?;
    let day = cursor.two()?;
    cursor.one_of(b"T t")?;
    let time = cursor.time()?;
    cursor.fraction();
    let offset = cursor.zone();
    cursor.end(Civil { year: Some(year), month, day, offset, ..time }, start)
}

fn compact(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    let year = cursor.four()?;
    let (month, day) = (cursor.two()?, cursor.two()?);
    let _ = cursor.one_of(b"T ");
    let (hour, minute, second) = (cursor.two()?, cursor.two()?, cursor.two()?);
    cursor.fraction();
    let offset = cursor.zone();
    cursor.end(Civil { year: Some(year), month, day, hour, minute, second, offset }, start)
}

fn apache(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    let day = cursor.two()?;
    cursor.byte(b'/')?;
    let month = cursor.month()?;
    cursor.byte(b'/')?;
    let year = cursor.four()?;
    cursor.byte(b':')?;
    let time = cursor.time()?;
    cursor.fraction();
    let offset = cursor.zone();
    cursor.end(Civil { year: Some(year), month, day, offset, ..time }, start)
}

fn bind(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    let day = cursor.two()?;
    cursor.byte(b'-')?;
    let month = cursor.month()?;
    cursor.byte(b'-')?;
    let year = cursor.four()?;
    cursor.byte(b' ')?;
    let time = cursor.time()?;
    cursor.fraction();
    cursor.end(Civil { year: Some(year), month, day, ..time }, start)
}

/// The date in the brackets of an access log. The user's name before it is the client's choice, and a quote in it
/// is escaped: so the date directly before the quoted request is the server's.
fn apache_anywhere(line: &str) -> Found {
    let dates = line.match_indices('[').filter_map(|(at, _)| apache(line.as_bytes(), at + 1));
    let mut first = None;
    for (moment, span) in dates {
        if line[span.end..].starts_with("] \"") {
            return Some((moment, span));
        }
        first.get_or_insert((moment, span));
    }
    first
}

fn epoch(line: &[u8], start: usize) -> Found {
    let mut cursor = Cursor { line, at: start };
    let mut seconds: i64 = 0;
    for _ in 0..10 {
        seconds = seconds * 10 + i64::from(cursor.digit()?);
    }
    let mut millis = 0;
    if cursor.peek(0) == Some(b'.') && cursor.peek(1).is_some_and(|byte| byte.is_ascii_digit()) {
        cursor.at += 1;
        for weight in [100, 10, 1] {
            millis += weight * cursor.digit().map_or(0, i64::from);
        }
        cursor.digits();
    }
    let time = Timestamp::from_millis(seconds * 1000 + millis);
    let word = cursor.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric());
    (!word).then_some((Moment::Epoch(time), start..cursor.at))
}

/// The time in `type=USER_LOGIN msg=audit(1795334652.123:456): ...`, with or without `node=` before it.
fn epoch_of_audit(line: &str) -> Found {
    if !line.starts_with("type=") && !line.starts_with("node=") {
        return None;
    }
    let opening = "msg=audit(";
    epoch(line.as_bytes(), line.find(opening)? + opening.len())
}

/// The second 0 of the label is 2^62, ten seconds before the epoch, as daemontools and its kin write it.
const TAI_EPOCH: i64 = (1 << 62) + 10;

fn tai64n(line: &[u8], start: usize) -> Found {
    let label = line.get(start..start + 25)?.strip_prefix(b"@")?;
    if !label.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let label = std::str::from_utf8(label).ok()?;
    let seconds = i64::from_str_radix(&label[..16], 16).ok()?.checked_sub(TAI_EPOCH)?;
    // The bounds of the calendar, so that what is computed with this cannot overflow.
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some((Moment::Epoch(Timestamp::from_secs(time.as_second())), start..start + 25))
}

/// The number of the month that these three letters stand for.
pub(super) fn month(name: &[u8]) -> Option<i8> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// The seconds east of UTC that a text such as `+02:00` stands for, if it is one from end to end.
pub(super) fn offset(text: &[u8]) -> Option<i32> {
    let mut cursor = Cursor { line: text, at: 0 };
    let offset = cursor.zone()?;
    (cursor.at == text.len()).then_some(offset)
}

/// Reads on in a line.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at + ahead).copied()
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.peek(0)? == wanted).then(|| self.at += 1)
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek(0)?;
        wanted.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    fn digit(&mut self) -> Option<u8> {
        let digit = self.peek(0)?.wrapping_sub(b'0');
        (digit < 10).then(|| {
            self.at += 1;
            digit
        })
    }

    fn digits(&mut self) {
        while self.digit().is_some() {}
    }

    fn two(&mut self) -> Option<i8> {
        let (tens, ones) = (self.digit()?, self.digit()?);
        i8::try_from(tens * 10 + ones).ok()
    }

    fn four(&mut self) -> Option<i16> {
        let (centuries, years) = (self.two()?, self.two()?);
        Some(i16::from(centuries) * 100 + i16::from(years))
    }

    fn three(&mut self) -> Option<&[u8]> {
        let name = self.line.get(self.at..self.at + 3)?;
        self.at += 3;
        Some(name)
    }

    fn month(&mut self) -> Option<i8> {
        month(self.three()?)
    }

    /// `Sun ` or `Sun, `.
    fn weekday(&mut self) -> Option<()> {
        let days: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
        days.contains(&self.three()?).then_some(())?;
        let _ = self.byte(b',');
        self.byte(b' ')
    }

    /// `Nov  2`: the day has one digit or two and up to two spaces before it.
    fn day(&mut self) -> Option<i8> {
        self.byte(b' ')?;
        let _ = self.byte(b' ');
        let first = self.digit()?;
        let day = self.digit().map_or(first, |second| first * 10 + second);
        i8::try_from(day).ok()
    }

    /// `08:04:12`, in a date that says nothing else yet.
    fn time(&mut self) -> Option<Civil> {
        let hour = self.two()?;
        self.byte(b':')?;
        let minute = self.two()?;
        self.byte(b':')?;
        let second = self.two()?;
        Some(Civil { hour, minute, second, ..Civil::default() })
    }

    /// `Nov 22 08:04:12`, with the year after the day, after the time or nowhere.
    fn month_first(&mut self) -> Option<Civil> {
        let month = self.month()?;
        let day = self.day()?;
        self.byte(b' ')?;
        let early = self.year_before_time();
        let time = self.time()?;
        self.fraction();
        let year = early.or_else(|| self.year_after_time());
        Some(Civil { year, month, day, ..time })
    }

    fn year_before_time(&mut self) -> Option<i16> {
        if self.peek(2)? == b':' {
            return None;
        }
        let year = self.four()?;
        let _ = self.byte(b' ');
        Some(year)
    }

    /// A year of our time that is not the beginning of a name.
    fn year_after_time(&mut self) -> Option<i16> {
        let start = self.at;
        let year = self.byte(b' ').and_then(|()| self.four());
        let ends = self.peek(0).is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
        let ends = ends && !self.peek(0).is_some_and(|byte| b"._-".contains(&byte));
        let year = year.filter(|year| ends && (1970..2100).contains(year));
        if year.is_none() {
            self.at = start;
        }
        year
    }

    fn fraction(&mut self) {
        let digit = self.peek(1).is_some_and(|byte| byte.is_ascii_digit());
        if digit && matches!(self.peek(0), Some(b'.' | b',')) {
            self.at += 1;
            self.digits();
        }
    }

    /// `Z`, `+01:00`, `+0100`, `+01`, or behind a space `UTC`, `GMT` or one of the offsets with minutes.
    fn zone(&mut self) -> Option<i32> {
        let start = self.at;
        let spaced = self.byte(b' ').is_some();
        let zone = match self.peek(0) {
            Some(b'Z' | b'z') if !spaced => {
                self.at += 1;
                Some(0)
            }
            Some(b'U' | b'G') if spaced => self.universal(),
            Some(b'+' | b'-') => self.offset(spaced),
            _ => None,
        };
        let word = self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric());
        let zone = zone.filter(|_| !word);
        if zone.is_none() {
            self.at = start;
        }
        zone
    }

    fn universal(&mut self) -> Option<i32> {
        let names: [&[u8]; 2] = [b"UTC", b"GMT"];
        names.contains(&self.three()?).then_some(0)
    }

    fn offset(&mut self, with_minutes: bool) -> Option<i32> {
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = i32::from(self.two()?);
        let before = self.at;
        let _ = self.byte(b':');
        let minutes = match self.two() {
            Some(minutes) => i32::from(minutes),
            None if with_minutes => return None,
            None => {
                self.at = before;
                0
            }
        };
        (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// The date from `start` up to here, unless a word goes on.
    fn end(&self, civil: Civil, start: usize) -> Found {
        let word = self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric());
        (!word).then_some((Moment::Civil(civil), start..self.at))
    }
}
