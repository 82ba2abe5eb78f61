//! The date of any line. Each line of the input that begins with `p` is a date pattern, with `f` one in fail2ban's
//! words, with `z` a time zone; the others are looked at with these patterns, and with every known format in several
//! zones.
//!
//! A date stands inside its line, between characters; a date without a year is not in the future; and the line can be
//! cut.

#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::filter::{Date, DateFound, DateReading, Dates, Detector, cut, line_time};
use libfuzzer_sys::fuzz_target;

/// 2024-02-29T12:00:00Z, where years are hardest.
const NOW: Timestamp = Timestamp::from_secs(1_709_208_000);

/// How far a date without a year may lie ahead.
const DAY: Duration = Duration::from_secs(86_400);

/// Formats without a year.
const YEARLESS: &[&str] = &["traditional"];

/// The years that can be written: -9999 to 9999.
const YEARS: std::ops::RangeInclusive<i64> = -377_705_203_200..=253_402_300_799;

const MOST_PATTERNS: usize = 4;

thread_local! {
    static KNOWN: RefCell<Vec<Dates>> = RefCell::new(
        [Some("UTC"), Some("+02:00"), Some("Europe/Zurich"), Some("Pacific/Apia"), None]
            .map(|zone| Dates::new(&[], zone).expect("a known zone"))
            .into(),
    );
    static FAIL2BAN: RefCell<Vec<Detector>> = RefCell::new(
        [Some("UTC"), Some("UTC+0200"), Some("CET"), None]
            .map(|zone| Detector::new(&[], zone, NOW).expect("a known zone"))
            .into(),
    );
}

fuzz_target!(|input: &str| {
    let mut patterns = Vec::new();
    let mut of_fail2ban = Vec::new();
    let mut zone = None;
    let mut lines = Vec::new();
    for line in input.split('\n') {
        match line.split_at_checked(1) {
            Some(("p", pattern)) if patterns.len() < MOST_PATTERNS => patterns.push(pattern.to_owned()),
            Some(("f", pattern)) if of_fail2ban.len() < MOST_PATTERNS => of_fail2ban.push(pattern.to_owned()),
            Some(("z", name)) => zone = Some(name),
            _ => lines.push(line),
        }
    }
    KNOWN.with_borrow_mut(|known| known.iter_mut().for_each(|dates| look(dates, &lines, YEARLESS)));
    FAIL2BAN.with_borrow_mut(|known| known.iter_mut().for_each(|detector| detect(detector, &lines)));
    if !of_fail2ban.is_empty() {
        match Detector::new(&of_fail2ban, zone, NOW) {
            Ok(mut detector) => detect(&mut detector, &lines),
            Err(error) => assert!(!error.reason.is_empty() && !error.remedy.is_empty()),
        }
    }
    if patterns.is_empty() && zone.is_none() {
        return;
    }
    match Dates::new(&patterns, zone) {
        Ok(mut dates) => look(&mut dates, &lines, &[]),
        Err(error) => assert!(!error.reason.is_empty() && !error.remedy.is_empty()),
    }
});

fn look(dates: &mut Dates, lines: &[&str], yearless: &[&str]) {
    for line in lines {
        let Some(date) = dates.find(line, NOW) else {
            continue;
        };
        let (name, hits) = dates.templates().nth(date.template).expect("the template that fitted");
        assert!(hits > 0);
        check(line, &date, yearless.contains(&name));
    }
}

fn check(line: &str, date: &Date, is_yearless: bool) {
    let Date { time, span, .. } = date;
    let text = line.get(span.clone()).expect("a date inside the line, between characters");
    assert!(!text.is_empty());
    assert!(YEARS.contains(&time.as_secs()), "{text:?} is {}", time.as_secs());
    assert!(!is_yearless || *time <= NOW + DAY, "{text:?} is {time}");
    let mut scratch = String::from("of the line before");
    let rest = cut(line, span, &mut scratch);
    assert_eq!(rest.len() + text.len(), line.len());
    assert!(line.ends_with(&rest[span.start.min(rest.len())..]));
    for (last, live) in [(None, true), (Some(*time), true), (Some(*time), false)] {
        assert!(line_time(Some(*time), last, NOW, live) <= NOW);
        assert!(line_time(None, last, NOW, live) <= NOW);
    }
}

fn detect(detector: &mut Detector, lines: &[&str]) {
    for line in lines {
        let DateFound::Date { span, reading } = detector.find(line, NOW) else {
            continue;
        };
        let text = line.get(span.clone()).expect("a date inside the line, between characters");
        if let DateReading::At(time) = reading {
            assert!(YEARS.contains(&time.as_secs()), "{text:?} is {}", time.as_secs());
        }
        let mut scratch = String::from("of the line before");
        assert_eq!(cut(line, &span, &mut scratch).len() + text.len(), line.len());
    }
}
