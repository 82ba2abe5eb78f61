//! Lines with their dates, what is cut out of them and what time they mean.

use proptest::prelude::*;

use super::*;

/// Sunday, 2026-11-22 08:04:12 UTC.
const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

const ZURICH: &str = "Europe/Zurich";

fn detector(patterns: &[&str], timezone: Option<&str>, home: &str) -> Result<Detector, Error> {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Ok(Detector::new(&patterns, timezone, NOW)?.at_home_in(Zone::new(Some(home))?))
}

/// What is cut out and what it means, as text.
fn say(line: &str, found: Found) -> (String, String) {
    match found {
        Found::Nothing => (String::new(), "nothing".to_owned()),
        Found::Date { span, reading: Reading::At(time) } => (line[span].to_owned(), time.to_string()),
        Found::Date { span, reading } => (line[span].to_owned(), format!("{reading:?}").to_lowercase()),
    }
}

fn check(detector: &mut Detector, line: &str, now: Timestamp, expected: (&str, &str)) {
    let (cut, meaning) = say(line, detector.find(line, now));
    assert_eq!((cut.as_str(), meaning.as_str()), expected, "{line}");
}

fn check_all(patterns: &[&str], home: &str, cases: &[(&str, &str, &str)]) {
    for (line, cut, meaning) in cases {
        let mut detector = detector(patterns, None, home).unwrap();
        for _ in 0..3 {
            check(&mut detector, line, NOW, (cut, meaning));
        }
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_secs(text.parse::<jiff::Timestamp>().unwrap().as_second())
}

const MORNING: &str = "2026-11-22T08:04:12Z";

#[test]
fn default_templates() {
    let cases = [
        ("2026-11-22T08:04:12.892Z mail x", "2026-11-22T08:04:12.892Z", MORNING),
        ("2026-11-22 08:04:12,892 x", "2026-11-22 08:04:12,892", MORNING),
        ("2026/11/22 09:04:12 +0100 x", "2026/11/22 09:04:12 +0100", MORNING),
        ("2026.11.22  8:04:12: x", "2026.11.22  8:04:12", MORNING),
        ("2026-11/22 08:04:12 x", "08:04:12", "nothing"),
        ("Nov 22 08:04:12 mail x", "Nov 22 08:04:12", MORNING),
        ("NOV 22 08:04:12 mail x", "NOV 22 08:04:12", MORNING),
        ("[Sun Nov 22 08:04:12.892 2026] x", "Sun Nov 22 08:04:12.892 2026", MORNING),
        ("Nov 22 08:04:12 2026-mail x", "Nov 22 08:04:12 2026", MORNING),
        ("Nov 22 08:04:12 2026_mail x", "Nov 22 08:04:12", MORNING),
        ("Nov 22 08:04:12 2036 x", "Nov 22 08:04:12", MORNING),
        ("Sun Nov 22 2026 08:04:12.892 x", "Sun Nov 22 2026 08:04:12.892", MORNING),
        ("22/11/2026 08:04:12 x", "22/11/2026 08:04:12", MORNING),
        ("22-11-26  8:04:12 x", "22-11-26  8:04:12", MORNING),
        ("22-Nov-2026 08:04:12.892 x", "22-Nov-2026 08:04:12.892", MORNING),
        ("203.0.113.7 - - [22/Nov/2026:09:04:12 +0100] x", "22/Nov/2026:09:04:12 +0100", MORNING),
        ("11/22/2026:08:04:12 x", "11/22/2026:08:04:12", MORNING),
        ("11-22-2026 08:04:12.892 x", "11-22-2026 08:04:12.892", MORNING),
        ("1795334652 x", "1795334652", MORNING),
        ("[1795334652] x", "1795334652", MORNING),
        ("type=USER msg=audit(1795334652.123:4): x", "1795334652.123", MORNING),
        ("08:04:12 x", "08:04:12", MORNING),
        ("<11/22/26@08:04:12> x", "<11/22/26@08:04:12>", MORNING),
        ("261122  8:04:12 x", "261122  8:04:12", MORNING),
        ("Nov 22, 2026 08:04:12 AM x", "Nov 22, 2026 08:04:12 AM", MORNING),
        ("Nov-22-26 08:04:12 x", "Nov-22-26 08:04:12", MORNING),
        ("20261122T080412Z x", "20261122T080412Z", MORNING),
        ("20261122-08:04:12.892 x", "20261122-08:04:12.892", MORNING),
        ("PST Nov 22 00:04:12 x", "PST Nov 22 00:04:12", MORNING),
        ("+01:00 Nov 22 09:04:12 x", "+01:00 Nov 22 09:04:12", MORNING),
        ("@400000006b02a23c1d4c2bdc x", "@400000006b02a23c1d4c2bdc", "2026-11-22T08:05:16Z"),
        ("no date at all", "", "nothing"),
        ("", "", "nothing"),
    ];
    for (line, cut, meaning) in cases {
        let cut = if meaning == "nothing" { "" } else { cut };
        check_all(&[], "UTC", &[(line, cut, meaning)]);
    }
}

#[test]
fn what_is_no_date_is_cut_out_all_the_same() {
    let cases = [
        ("Feb 30 08:04:12 mail x", "Feb 30 08:04:12", "unreadable"),
        ("Nov 22 08:04:60 leap", "Nov 22 08:04:60", "unreadable"),
        ("Nov 22 25:04:12 mail x", "Nov 22 25:04:12", "unreadable"),
        ("foo Nov 22 08:04:12 x", "foo Nov 22 08:04:12", "unreadable"),
        ("FOO Nov 22 08:04:12 x", "FOO Nov 22 08:04:12", "fatal"),
    ];
    check_all(&["{^LN-BEG}"], "UTC", &cases);
}

#[test]
fn what_a_date_leaves_out() {
    let cases: &[(&[&str], &str, &str, &str)] = &[
        // The year is this one, or the last if that is more than a day ahead.
        (&[], "Nov 23 08:04:12 x", "2026-11-22T08:04:12Z", "2026-11-23T08:04:12Z"),
        (&[], "Nov 23 08:04:13 x", "2026-11-22T08:04:12Z", "2025-11-23T08:04:13Z"),
        (&[], "Dec 31 23:59:59 x", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z"),
        (&[], "Feb 29 00:00:00 x", "2028-01-01T00:00:05Z", "unreadable"),
        (&[], "Feb 29 00:00:00 x", "2028-02-29T00:00:05Z", "2028-02-29T00:00:00Z"),
        // The day is today, or yesterday if that is ahead.
        (&["^%H:%M:%S"], "08:04:12 x", "2026-11-22T08:04:12Z", "2026-11-22T08:04:12Z"),
        (&["^%H:%M:%S"], "08:04:13 x", "2026-11-22T08:04:12Z", "2026-11-21T08:04:13Z"),
        (&["^%I:%M %p"], "12:30 am x", "2026-11-22T08:04:12Z", "2026-11-22T00:30:00Z"),
        (&["^%I:%M %p"], "12:30 PM x", "2026-11-22T18:04:12Z", "2026-11-22T12:30:00Z"),
        (&["^%I:%M"], "12:30 x", "2026-11-22T08:04:12Z", "2026-11-22T00:30:00Z"),
        (&["^%I:%M ?(?:%p)?"], "12:30 x", "2026-11-22T08:04:12Z", "fatal"),
        // The day of the year, or of a week of it.
        (&["^%Y %j"], "2026 326 x", "2026-11-22T08:04:12Z", "2026-11-22T00:00:00Z"),
        (&["^%j %H:%M"], "366 01:00 x", "2026-11-22T08:04:12Z", "2026-01-01T01:00:00Z"),
        (&["^%Y %U %w"], "2026 47 0 x", "2026-11-22T08:04:12Z", "2026-11-22T00:00:00Z"),
        (&["^%Y %W %a"], "2026 46 sun x", "2026-11-22T08:04:12Z", "2026-11-22T00:00:00Z"),
        (&["^%Y %W %A"], "2026 00 Thursday x", "2026-11-22T08:04:12Z", "2026-01-01T00:00:00Z"),
        // Of month and day one is too little.
        (&["^%Y-%m"], "2026-11 x", "2026-11-22T08:04:12Z", "fatal"),
        (&["^%y-%m-%d"], "00-11-22 x", "2026-11-22T08:04:12Z", "2000-11-22T00:00:00Z"),
    ];
    for (patterns, line, now, meaning) in cases {
        let mut detector = detector(patterns, None, "UTC").unwrap();
        assert_eq!(&say(line, detector.find(line, time(now))).1, meaning, "{line}");
    }
}

#[test]
fn zones() {
    let cases = [
        (None, "Nov 22 09:04:12 x", MORNING),
        (Some("UTC"), "Nov 22 08:04:12 x", MORNING),
        (Some("CEST"), "Nov 22 10:04:12 x", MORNING),
        (Some("UTC+0230"), "Nov 22 10:34:12 x", MORNING),
        (Some("-05"), "Nov 22 03:04:12 x", MORNING),
        // A line that names its zone is in that.
        (Some("CEST"), "2026-11-22T08:04:12Z x", MORNING),
        (Some("CEST"), "2026-11-22 03:34:12 -0430 x", MORNING),
        // The year is told by what the clocks here show.
        (Some("-1000"), "Jun  1 00:00:00 x", "2026-06-01T10:00:00Z"),
        // The clocks go back: the first of two, and forward: as if they had not yet.
        (None, "2026-10-25 02:30:00 x", "2026-10-25T00:30:00Z"),
        (None, "2026-03-29 02:30:00 x", "2026-03-29T01:30:00Z"),
    ];
    for (timezone, line, meaning) in cases {
        let mut detector = detector(&[], timezone, ZURICH).unwrap();
        assert_eq!(say(line, detector.find(line, NOW)).1, meaning, "{timezone:?} {line}");
    }
    let wrong = ["Europe/Zurich", "cet", "FOO", "UTC+2", "+25", "UTC+02:0"];
    for zone in wrong {
        assert_eq!(Detector::new(&[], Some(zone), NOW).unwrap_err().place, Place::Timezone, "{zone}");
    }
}

#[test]
fn patterns_of_filters() {
    let cases: &[(&[&str], &str, &str, &str)] = &[
        (&["^%Y:%m:%d-%H:%M:%S"], "2026:11:22-08:04:12: x", "2026:11:22-08:04:12", MORNING),
        (&["^%Y:%m:%d-%H:%M:%S"], "x 2026:11:22-08:04:12", "", "nothing"),
        (&["{^LN-BEG}%H:%M:%S"], "[[08:04:12 x", "08:04:12", MORNING),
        (&["{^LN-BEG}%H:%M:%S"], "[[[08:04:12 x", "", "nothing"),
        (&["^at {DATE}"], "at 2026-11-22 08:04:12 x", "at 2026-11-22 08:04:12", MORNING),
        (&["^at ({DATE})"], "at 2026-11-22 08:04:12 x", "2026-11-22 08:04:12", MORNING),
        (
            &["^[^\\[]*\\[({DATE})"],
            "a - [22/Nov/2026:09:04:12 +0100] x",
            "22/Nov/2026:09:04:12 +0100",
            MORNING,
        ),
        (&["{DATE}"], "x Nov 22 08:04:12 y", "Nov 22 08:04:12", MORNING),
        (&["EPOCH"], "1795334652 x", "1795334652", MORNING),
        (&["{^LN-BEG}epoch"], "<1795334652> x", "1795334652", MORNING),
        (&["EPOCH"], "x 1795334652", "", "nothing"),
        (&["LEPOCH"], "1795334652123 x", "1795334652123", MORNING),
        (&["LEPOCH"], "1795334652123456 x", "1795334652123456", MORNING),
        (&["at=\"{EPOCH}\""], "x at=\"1795334652.12\" y", "", "nothing"),
        (&["at=\"{EPOCH}\""], "x at=\"1795334652.123\" y", "at=\"1795334652.123\"", MORNING),
        (&["at {LEPOCH}"], "x at 1795334652123 y", "at 1795334652123", MORNING),
        (&["^TAI64N"], "[@400000006b02a23c1d4c2bdc] x", "@400000006b02a23c1d4c2bdc", "2026-11-22T08:05:16Z"),
        (&["%H:%M:%S"], "x08:04:12", "", "nothing"),
        (&["**%H:%M:%S"], "x08:04:12", "08:04:12", MORNING),
        (&["%H:%M:%S**"], "08:04:12x", "08:04:12", MORNING),
        (&["{UNB}%H:%M:%S"], "x08:04:12x", "08:04:12", MORNING),
        (&["{NONE}"], "08:04:12 x", "", "absent"),
        (&["^WARNING:()**", "{^LN-BEG}"], "WARNING: 08:04:12", "", "absent"),
        (&["^100%% %H:%M:%S"], "100% 08:04:12 x", "100% 08:04:12", MORNING),
        (
            &["%d/%b[^/]*/%Y:%H:%M:%S %z"],
            "22/November/2026:08:04:12 UTC x",
            "22/November/2026:08:04:12 UTC",
            MORNING,
        ),
        (&["^(?:no date )?()$"], "no date ", "", "absent"),
        (&["{DEFAULT}"], "Nov 22 08:04:12 x", "Nov 22 08:04:12", MORNING),
        (&["^%Exd/%Exm", "{DEFAULT}"], "Nov 22 08:04:12 x", "", "nothing"),
    ];
    for (patterns, line, cut, meaning) in cases {
        check_all(patterns, "UTC", &[(line, cut, meaning)]);
    }
}

#[test]
fn patterns_that_are_none() {
    let cases: &[(&[&str], usize, &str)] = &[
        (&["%Y-%Q"], 0, "there is no %Q"),
        (&["{^LN-BEG}", "%Y-%m-%d %"], 1, "there is no %"),
        (&["%Y (%m"], 0, "parenthesis"),
        (&["%Y %Exy %Y"], 0, "comes twice"),
        (&["%H:%M", "%H:%M"], 1, "already"),
        (&[r"\{DATE}"], 0, "names no date"),
    ];
    for (patterns, index, reason) in cases {
        let error = detector(patterns, None, "UTC").unwrap_err();
        assert_eq!(error.place, Place::Datepattern(*index), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn names_in_reports() {
    let hits = |patterns: &[&str], lines: &[&str]| {
        let mut detector = detector(patterns, None, "UTC").unwrap();
        for line in lines {
            detector.find(line, NOW);
        }
        let hits: Vec<(String, u64)> =
            detector.templates().map(|(name, hits)| (name.to_owned(), hits)).collect();
        hits
    };
    let default =
        hits(&[], &["Nov 22 08:04:12 x", "Nov 22 08:04:12 x", "a [1795334652] x", "[1795334652] x"]);
    assert_eq!(default.len(), 31);
    assert_eq!(default[0].0, r"{^LN-BEG}(?:DAY )?MON Day %k:Minute:Second(?:\.Microseconds)?(?: ExYear)?");
    assert_eq!(default.iter().filter(|(_, hits)| *hits > 0).map(|(_, hits)| *hits).sum::<u64>(), 3);
    assert_eq!(hits(&["{^LN-BEG}"], &[]).len(), 17);
    assert_eq!(hits(&["{^LN-BEG}Epoch"], &["1795334652 x"]), [("{^LN-BEG}Epoch".to_owned(), 1)]);
    let own = hits(&["^%Y-%Exm-%d %%", "LEPOCH"], &[]);
    assert_eq!(own, [("^Year-ExMonth-Day %".to_owned(), 0), ("LongEpoch".to_owned(), 0)]);
}

/// A log with dates in one place keeps to it, whatever else its messages say.
#[test]
fn a_date_stays_where_it_was() {
    let mut detector = detector(&["%H:%M:%S", "%Y-%m-%d"], None, "UTC").unwrap();
    let lines = [
        ("x 2026-11-22 a", "2026-11-22"),
        ("x 2026-11-22 07:00:00", "2026-11-22"),
        // At its usual place there is nothing, so the nearest to the start is as good as any.
        ("x y 07:00:00 2026-11-22", "07:00:00"),
        ("x 2026-11-22 07:00:00", "2026-11-22"),
    ];
    for (line, cut) in lines {
        assert_eq!(say(line, detector.find(line, NOW)).0, cut, "{line}");
    }
}

/// The forms that have a reader of their own, with the pattern and a line of each.
const QUICK: &[(&str, &str)] = &[
    ("{^LN-BEG}", "2026-11-22 08:04:12 x"),
    ("{^LN-BEG}", "Nov 22 08:04:12 x"),
    ("{^LN-BEG}", "22-Nov-2026 08:04:12 x"),
    ("^{DATE}", "2026-11-22 08:04:12 x"),
    ("^[^\\[]*\\[({DATE})", "x - [22/Nov/2026:08:04:12 +0100] y"),
];

fn settled(pattern: &str, line: &str) -> Detector {
    let mut detector = detector(&[pattern], None, ZURICH).unwrap();
    detector.find(line, NOW);
    assert!(detector.find_at_start(line, NOW).is_some(), "{line}");
    detector
}

/// The readers read as the regular expressions do.
fn check_readers(line: &str, detectors: &mut [(Detector, Detector)]) {
    for (quick, slow) in detectors {
        let Some(found) = quick.find_at_start(line, NOW) else {
            continue;
        };
        let (template, fit) =
            slow.selection.choose(line, NOW).expect("what a reader reads, its template fits");
        assert_eq!(found, slow.read(line, &template, &fit, NOW), "{line:?}");
    }
}

/// Pieces of dates, in an order in which they may well be one.
fn nearly_a_date() -> impl Strategy<Value = String> {
    let piece = |choices: &'static [&'static str]| proptest::sample::select(choices);
    let two = "[0-6][0-9]|[0-9]|[0-9]{3}";
    let time = (two, "[:.]?|:", two, ":", two).prop_map(|(a, b, c, d, e)| format!("{a}{b}{c}{d}{e}"));
    let fraction = "|[.,][0-9]{1,8}|[.,]|[.,]é";
    let zone = "| ?Z| z| utc| Gmt| ?UTC| ?GMT| ? [+-][0-2][0-9]:?[0-9]{2}|[+-][01][0-9]| [+-]x|Zed| Zed| UTCé|\t\\+0100";
    let year = "20[0-4][0-9]|19[0-9]{2}|20[0-2]";
    let month = piece(&["Jan", "feb", "NOV", "Sep", "Foo", "novx", "Mär"]);
    let iso = (year, "[-/.]", two, "[-/.]", two, "[T ]|  ")
        .prop_map(|(a, b, c, d, e, f)| format!("{a}{b}{c}{d}{e}{f}"));
    let asctime = (piece(&["", "Sun ", "mon ", "Sun"]), month.clone(), " ? ", two, "  ?")
        .prop_map(|(a, b, c, d, e)| format!("{a}{b}{c}{d}{e}"));
    let apache = (two, "[-/]", month, "[-/]", year, "[: ]?")
        .prop_map(|(a, b, c, d, e, f)| format!("{a}{b}{c}{d}{e}{f}"));
    let behind = piece(&[
        "", " x", "]", " 2026 x", " 2026", " 2026é", " 2026_", "x", "é", "_", " 2036", "  2026", ": ",
    ]);
    let before = piece(&["", "[", "<[", " ", "[[[", "_", "é", "x - - [", "é ["]);
    let date = prop_oneof![iso, asctime, apache];
    (before, date, time, fraction, zone, behind).prop_map(|(a, b, c, d, e, f)| format!("{a}{b}{c}{d}{e}{f}"))
}

proptest! {
    #[test]
    fn readers_read_as_the_regular_expressions_do(lines in proptest::collection::vec(nearly_a_date(), 1..20)) {
        thread_local! {
            static DETECTORS: std::cell::RefCell<Vec<(Detector, Detector)>> = std::cell::RefCell::new(
                QUICK.iter().map(|(pattern, line)| (settled(pattern, line), settled(pattern, line))).collect(),
            );
        }
        DETECTORS.with_borrow_mut(|detectors| {
            for line in &lines {
                check_readers(line, detectors);
                // Long enough to be compared with the one before.
                let long = format!("{line} mail postfix/smtpd[1]: warning: something long");
                (0..2).for_each(|_| check_readers(&long, detectors));
            }
        });
    }

    #[test]
    fn no_line_is_too_strange(line in "\\PC{0,60}", pattern in "[%{}^$()*?YmdHMS bBpzZ\\[\\]-]{0,12}") {
        let detector = Detector::new(&[pattern], None, NOW);
        for mut detector in detector.into_iter().chain(Detector::new(&[], None, NOW)) {
            if let Found::Date { span, .. } = detector.find(&line, NOW) {
                prop_assert!(line.get(span).is_some());
            }
        }
    }
}
