//! Dates as logs have them, with the time they mean and what is left of the line.

use proptest::prelude::*;

use super::*;

/// Sunday, 2026-11-22 08:04:12 UTC.
const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

fn dates(patterns: &[&str], zone: &str) -> Result<Dates, Error> {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Dates::new(&patterns, Some(zone))
}

/// Time and rest of a line, as text.
fn find(dates: &mut Dates, line: &str, now: Timestamp) -> Option<(String, String)> {
    let date = dates.find(line, now)?;
    let rest = cut(line, &date.span, &mut String::new()).to_owned();
    Some((date.time.to_string(), rest))
}

fn check(dates: &mut Dates, line: &str, now: Timestamp, expected: Option<(&str, &str)>) {
    let found = find(dates, line, now);
    let found = found.as_ref().map(|(time, rest)| (time.as_str(), rest.as_str()));
    assert_eq!(found, expected, "{line}");
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_secs(text.parse::<jiff::Timestamp>().unwrap().as_second())
}

#[test]
fn known_formats() {
    let mut dates = dates(&[], "UTC").unwrap();
    let morning = "2026-11-22T08:04:12Z";
    let cases = [
        ("Nov 22 08:04:12 mail x", morning, " mail x"),
        ("Nov  2 08:04:12 mail x", "2026-11-02T08:04:12Z", " mail x"),
        ("Nov 2 08:04:12 mail x", "2026-11-02T08:04:12Z", " mail x"),
        ("Nov 02 08:04:12 mail x", "2026-11-02T08:04:12Z", " mail x"),
        ("Nov 22 08:04:12.123456 mail x", morning, " mail x"),
        ("Nov 22 2025 08:04:12: x", "2025-11-22T08:04:12Z", ": x"),
        ("Nov 22 08:04:12 2025 x", "2025-11-22T08:04:12Z", " x"),
        ("Nov 22 08:04:12 2025.example.com x", morning, " 2025.example.com x"),
        ("Nov 22 08:04:12 2025é x", morning, " 2025é x"),
        ("Nov 22 08:04:12", morning, ""),
        ("Nov 22 08:04:60 leap", "2026-11-22T08:04:59Z", " leap"),
        ("<22>Nov 22 08:04:12 mail x", morning, "<22> mail x"),
        ("<22>1 2026-11-22T08:04:12Z mail x", morning, "<22>1  mail x"),
        ("[Nov 22 08:04:12] x", morning, "[] x"),
        ("[2026-11-22 08:04:12] x", morning, "[] x"),
        ("2026-11-22 08:04:12 x", morning, " x"),
        ("2026-11-22 08:04:12,892 x", morning, " x"),
        ("2026-11-22T08:04:12.1Z x", morning, " x"),
        ("2026-11-22T09:04:12.123456789+01:00 x", morning, " x"),
        ("2026-11-22T03:34:12-0430 x", morning, " x"),
        ("2026-11-22 09:04:12 +0100 x", morning, " x"),
        ("2026-11-22 09:04:12+01 x", morning, " x"),
        ("2026-11-22 08:04:12.123 UTC [1] x", morning, " [1] x"),
        ("2026-11-22 08:04:12 UTCx", morning, " UTCx"),
        ("2026-11-22 08:04:12 -12 x", morning, " -12 x"),
        ("2026/11/22 08:04:12 [error] x", morning, " [error] x"),
        ("2026.11.22 08:04:12 x", morning, " x"),
        ("20261122T080412Z x", morning, " x"),
        ("20261122080412 x", morning, " x"),
        ("Sun Nov 22 08:04:12 2026 x", morning, " x"),
        ("Sun Nov  2 08:04:12 x", "2026-11-02T08:04:12Z", " x"),
        ("[Sun Nov 22 08:04:12.123456 2026] [core:error] x", morning, "[] [core:error] x"),
        ("192.0.2.1 - - [22/Nov/2026:09:04:12 +0100] \"GET /\"", morning, "192.0.2.1 - - [] \"GET /\""),
        ("[22/Nov/2026:08:04:12] x", morning, "[] x"),
        ("22/Nov/2026:08:04:12 +0000 x", morning, " x"),
        (
            "192.0.2.1 - [01/Jan/2000:00:00:00 +0000] [22/Nov/2026:08:04:12 +0000] \"GET /\"",
            morning,
            "192.0.2.1 - [01/Jan/2000:00:00:00 +0000] [] \"GET /\"",
        ),
        ("22-Nov-2026 08:04:12.123 client x", morning, " client x"),
        ("1795334652 x", morning, " x"),
        ("1795334652.123 x", morning, " x"),
        ("[1795334652.5] x", morning, "[] x"),
        ("[1795334652]: x", morning, "[]: x"),
        (
            "type=USER_LOGIN msg=audit(1795334652.123:456): x [22/Nov/2025:08:04:12]",
            morning,
            "type=USER_LOGIN msg=audit(:456): x [22/Nov/2025:08:04:12]",
        ),
        ("@400000006b02a2061d4c2bdc x", morning, " x"),
    ];
    for (line, expected, rest) in cases {
        check(&mut dates, line, NOW, Some((expected, rest)));
    }
}

#[test]
fn what_is_no_date() {
    let mut dates = dates(&[], "UTC").unwrap();
    let lines = [
        "",
        "x",
        "é",
        "<",
        "<22>",
        "<2222>Nov 22 08:04:12",
        "x Nov 22 08:04:12 x",
        "mail x: 2026-11-22 08:04:12",
        "x 1795334652",
        "x msg=audit(1795334652.123:456): x",
        "Feb 30 08:04:12 x",
        "Nov 31 08:04:12 x",
        "Nov 22 24:04:12 x",
        "Nov 22 08:60:12 x",
        "Nov 22 08:04:61 x",
        "Nov 22 08:04:123 x",
        "Nov 22 08:04",
        "Nov 00 08:04:12 x",
        "nov 22 08:04:12 x",
        "2026-13-22 08:04:12 x",
        "2026-02-29 08:04:12 x",
        "2026-11/22 08:04:12 x",
        "2026-11-22 08:04:12x",
        "179533465 x",
        "17953346521 x",
        "1795334652x",
        "@400000006b02b286 x",
        "@ffffffffffffffffffffffff x",
        "@7fffffffffffffffffffffff x",
        "Xyz Nov 22 08:04:12 2026",
    ];
    for line in lines {
        check(&mut dates, line, NOW, None);
    }
}

#[test]
fn a_date_at_the_start_wins_whatever_was_found_before() {
    let mut dates = dates(&[], "UTC").unwrap();
    check(&mut dates, "x [22/Nov/2025:08:04:12 +0000] y", NOW, Some(("2025-11-22T08:04:12Z", "x [] y")));
    let line = "Nov 22 08:04:12 mail x[1]: user=[22/Nov/2025:08:04:12 +0000] \"";
    assert_eq!(find(&mut dates, line, NOW).unwrap().0, "2026-11-22T08:04:12Z");
}

#[test]
fn a_year_that_is_not_written_is_the_latest_possible() {
    let cases = [
        ("Nov 22 08:04:12", "2026-11-22T08:04:12Z", "2026-11-22T08:04:12Z"),
        ("Nov 23 08:04:12", "2026-11-22T08:04:12Z", "2026-11-23T08:04:12Z"),
        ("Nov 23 08:04:13", "2026-11-22T08:04:12Z", "2025-11-23T08:04:13Z"),
        ("Dec 31 23:59:59", "2026-01-01T00:00:05Z", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2025-12-31T23:59:58Z", "2026-01-01T00:00:01Z"),
        ("Feb 29 12:00:00", "2028-03-01T00:00:00Z", "2028-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2027-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2103-03-01T00:00:00Z", "2096-02-29T12:00:00Z"),
    ];
    for (line, now, expected) in cases {
        check(&mut dates(&[], "UTC").unwrap(), line, time(now), Some((expected, "")));
    }
    let mut one = dates(&[], "UTC").unwrap();
    for (line, now, expected) in cases {
        check(&mut one, line, time(now), Some((expected, "")));
    }
}

#[test]
fn dates_without_a_zone_are_local() {
    let cases = [
        ("+02:00", "2026-11-22 10:04:12", "2026-11-22T08:04:12Z"),
        ("-0330", "2026-11-22 04:34:12", "2026-11-22T08:04:12Z"),
        ("Europe/Zurich", "2026-11-22 09:04:12", "2026-11-22T08:04:12Z"),
        ("Europe/Zurich", "2026-07-22 10:04:12", "2026-07-22T08:04:12Z"),
        ("Europe/Zurich", "2026-11-22 09:04:12Z", "2026-11-22T09:04:12Z"),
        ("Europe/Zurich", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z"),
        // Left out in spring.
        ("Europe/Zurich", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ("Europe/Zurich", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z"),
        // Twice in autumn.
        ("Europe/Zurich", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
        ("Europe/Zurich", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"),
        ("Asia/Kathmandu", "2026-11-22 13:49:12", "2026-11-22T08:04:12Z"),
        // Here the clocks move by half an hour.
        ("Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z"),
        ("Australia/Lord_Howe", "2026-04-05 02:15:00", "2026-04-04T15:45:00Z"),
    ];
    for (zone, line, expected) in cases {
        check(&mut dates(&[], zone).unwrap(), line, NOW, Some((expected, "")));
    }
}

#[test]
fn custom_patterns() {
    let cases = [
        ("%Y-%m-%d %H:%M:%S", "2026-11-22 08:04:12 x", " x"),
        ("%d.%m.%Y %H:%M:%S", "x 22.11.2026  08:04:12 y", "x  y"),
        ("%m/%d/%y %I:%M:%S %p", "11/22/26  8:04:12 AM y", " y"),
        ("%D %T", "[11/22/26 08:04:12] y", "[] y"),
        ("%B %e, %Y %k:%M:%S", "November 22, 2026  8:04:12 y", " y"),
        ("%F %T.%f %z", "2026-11-22 09:04:12.123 +01:00 y", " y"),
        ("^t=%FT%T%z", "t=2026-11-22T10:04:12+0200 y", " y"),
        ("^[%F %T]", "[2026-11-22 08:04:12] y", " y"),
        ("%d/%b/%Y:%H:%M:%S", "x [22/Nov/2026:08:04:12 +0100]", "x [ +0100]"),
        ("ts=%s", "a ts=1795334652 y", "a  y"),
        ("100%% %A %F %T", "100% Sunday 2026-11-22 08:04:12", ""),
        ("%b %d %H:%M:%S", "Nov 22 08:04:12 y", " y"),
    ];
    for (pattern, line, rest) in cases {
        let mut dates = dates(&[pattern], "UTC").unwrap();
        check(&mut dates, line, NOW, Some(("2026-11-22T08:04:12Z", rest)));
        assert_eq!(dates.templates().collect::<Vec<_>>(), [(pattern, 1)]);
    }
    let misses = [
        ("^%F %T", "x 2026-11-22 08:04:12"),
        ("%F %T", "12026-11-22 08:04:12"),
        ("%F %T", "2026-11-22 08:04:123"),
        ("%F %T", "2026-02-30 08:04:12"),
        ("%F %T%z", "2026-11-22 08:04:12+99:00"),
    ];
    for (pattern, line) in misses {
        check(&mut dates(&[pattern], "UTC").unwrap(), line, NOW, None);
    }
}

#[test]
fn only_the_formats_asked_for_are_found() {
    let mut dates = dates(&["iso8601", "%d.%m.%Y %T"], "UTC").unwrap();
    assert_eq!(find(&mut dates, "Nov 22 08:04:12 x", NOW), None);
    assert!(find(&mut dates, "22.11.2026 08:04:12 x", NOW).is_some());
    assert!(find(&mut dates, "2026-11-22 08:04:12 x", NOW).is_some());
    let expected = [("iso8601", 1), ("%d.%m.%Y %T", 1)];
    assert_eq!(dates.templates().collect::<Vec<_>>(), expected);
}

#[test]
fn wrong_patterns_and_zones_are_refused() {
    let message = |pattern: &str| dates(&["syslog", pattern], "UTC").unwrap_err().to_string();
    assert!(message("isodate").contains("datepattern 2, bytes 0 to 7: \"isodate\": it is no known format"));
    assert!(message("%Y-%m-%d").contains("does not say"));
    assert!(message("%F %I:%M").contains("does not say"));
    assert!(message("%F %T %Q").contains("there is no %Q"));
    assert!(message("%F %T %Y").contains("%Y comes twice"));
    assert!(message("%F %T %").contains("ends in %"));
    let zone = dates(&[], "Mars/Olympus").unwrap_err();
    assert_eq!(zone.place, Place::Timezone);
    assert!(zone.to_string().contains("Europe/Zurich"));
}

#[test]
fn the_epoch_format_alone_has_fractions() {
    let mut dates = dates(&[], "UTC").unwrap();
    let mut millis = |line| dates.find(line, NOW).unwrap().time.as_millis() % 1000;
    assert_eq!(millis("1795334652.5 x"), 500);
    assert_eq!(millis("1795334652.1239 x"), 123);
    assert_eq!(millis("2026-11-22 08:04:12.5"), 0);
}

#[test]
fn the_time_a_line_counts_for() {
    let ago = |seconds| Timestamp::from_secs(NOW.as_secs() - seconds);
    let cases = [
        // found, last, live, expected
        (Some(ago(0)), None, true, ago(0)),
        (Some(ago(60)), None, true, ago(60)),
        (Some(ago(61)), None, true, ago(0)),
        (Some(ago(61)), None, false, ago(61)),
        (Some(ago(-1)), None, true, ago(0)),
        (Some(ago(-1)), None, false, ago(0)),
        (None, None, true, ago(0)),
        (None, Some(ago(59)), true, ago(59)),
        (None, Some(ago(59)), false, ago(59)),
        (None, Some(ago(60)), false, ago(0)),
        (None, Some(ago(-5)), true, ago(0)),
    ];
    for (found, last, live, expected) in cases {
        assert_eq!(line_time(found, last, NOW, live), expected, "{found:?} {last:?} {live}");
    }
}

/// Lines made of what dates are made of, so that they come near to being one.
fn near_dates() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Z][a-z]{2} [ 0-3]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}",
        "[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}",
        "\\[[0-9]{2}/(Nov|Feb)/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\\]",
        "[@0-9a-f.]{10,26}",
        "<[0-9]{1,3}>1? ?",
        "(Nov|Feb|Mon|type=|msg=audit\\()",
        "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_at_no_time_causes_a_panic(
        lines in proptest::collection::vec(near_dates(), 1..3),
        any in "\\PC*",
        now in any::<i64>(),
    ) {
        let mut known = dates(&[], "Europe/Zurich").unwrap();
        let mut custom = dates(&["%F %T", "^[%d/%b/%Y:%T %z]", "%s"], "Europe/Zurich").unwrap();
        for line in lines.iter().chain([&any]) {
            for dates in [&mut known, &mut custom] {
                if let Some((_, rest)) = find(dates, line, Timestamp::from_millis(now)) {
                    prop_assert!(rest.len() < line.len());
                }
            }
        }
    }

    #[test]
    fn what_was_found_before_does_not_change_what_is_found(lines in proptest::collection::vec(near_dates(), 1..8)) {
        let mut kept = dates(&[], "UTC").unwrap();
        for line in &lines {
            let fresh = dates(&[], "UTC").unwrap().find(line, NOW);
            prop_assert_eq!(kept.find(line, NOW), fresh);
        }
    }

    #[test]
    fn no_pattern_causes_a_panic(pattern in "(%?\\PC){0,12}", zone in "\\PC{0,8}") {
        if let Ok(mut dates) = Dates::new(std::slice::from_ref(&pattern), None) {
            dates.find(&pattern, NOW);
        }
        let _ = Dates::new(&[], Some(&zone));
    }
}
