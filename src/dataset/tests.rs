//! Data sets as their files are written and asked.

use std::net::IpAddr;

use super::*;
use crate::clock::Timestamp;
use crate::ip::{read_reversed, write_reversed};

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

/// The answer of a data set for a name: its records in order of type, `-` for a name that is not there, and `.` for one that
/// only has others below it.
fn answer(set: &dyn DataSet, name: &str) -> String {
    answer_to(set, name, false)
}

/// The same for somebody who has shown a key, or not.
fn answer_to(set: &dyn DataSet, name: &str, has_key: bool) -> String {
    let labels = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    let name: LabelBuf = labels.collect();
    let asked = Asked::new(name.labels(), read_reversed(name.labels().iter())).at(NOW);
    let asked = asked.with_key(has_key);
    let mut records = Records::new();
    let found = set.find(&asked, &mut records);
    let shown: Vec<String> = records.iter().map(show).collect();
    match (found, set.has_below(&asked)) {
        (true, _) => shown.join(" | "),
        (false, true) => ".".to_owned(),
        (false, false) => "-".to_owned(),
    }
}

fn show(record: &Record<'_>) -> String {
    let ttl = record.ttl.map_or_else(String::new, |ttl| format!("{ttl} "));
    ttl + &match &record.data {
        Data::Address(address) => address.to_string(),
        Data::Exchange { preference, name } => {
            format!("{preference} {}", String::from_utf8_lossy(name).escape_debug())
        }
        Data::Text(text, subject) => {
            let mut out = Vec::new();
            subject.write(text, &mut out);
            String::from_utf8(out).unwrap()
        }
    }
}

fn loaded(kind: &str, text: &[u8]) -> Loaded {
    let source = Source { name: "file", bytes: text };
    load(kind, &[source], &Options::default(), NOW).unwrap()
}

/// Loads a data set and asks it for names.
fn check(kind: &str, text: &str, questions: &[(&str, &str)]) {
    let Loaded { set, findings, .. } = loaded(kind, text.as_bytes());
    assert_eq!(findings.warnings, [], "{kind}");
    for (name, expected) in questions {
        let name = name.parse::<IpAddr>().map_or_else(|_| (*name).to_owned(), write_reversed);
        assert_eq!(answer(&*set, &name), *expected, "{name} in {kind}");
    }
}

#[test]
fn the_smallest_pieces_of_an_ip4set_answer() {
    let text = "
:127.0.0.3:Listed $ here
192.0.2.1
192.0.2.2 own $ text
192.0.2.3 :6
192.0.2.4 :6:
192.0.2.5:7:glued $$ $1 $2
192.0.2.0/28 net
198.51.100.0/24 wide
198.51.100.9 one
198.51.100.9 two
203.0.113.0/25 half
203.0.113.4
!203.0.113.5
203.0.113.64-70 range
10.0-10.1 sixteen
!10.1.2.3
11/8 eight
11.1 sixteen
11.1.1.1
$1 ONE
";
    check(
        "ip4set",
        text,
        &[
            ("192.0.2.1", "127.0.0.3 | Listed 192.0.2.1 here | 127.0.0.3 | net"),
            ("192.0.2.2", "127.0.0.3 | own 192.0.2.2 text | 127.0.0.3 | net"),
            ("192.0.2.3", "127.0.0.6 | Listed 192.0.2.3 here | 127.0.0.3 | net"),
            ("192.0.2.4", "127.0.0.6 | 127.0.0.3 | net"),
            ("192.0.2.5", "127.0.0.7 | glued $ ONE $2 | 127.0.0.3 | net"),
            ("192.0.2.8", "127.0.0.3 | net"),
            ("192.0.2.16", "-"),
            ("198.51.100.9", "127.0.0.3 | one | 127.0.0.3 | two"),
            ("198.51.100.8", "127.0.0.3 | wide"),
            ("203.0.113.4", "127.0.0.3 | half | 127.0.0.3 | Listed 203.0.113.4 here"),
            ("203.0.113.5", "-"),
            ("203.0.113.65", "127.0.0.3 | half | 127.0.0.3 | range"),
            ("10.1.2.3", "-"),
            ("10.1.2.4", "127.0.0.3 | sixteen"),
            ("11.1.1.1", "127.0.0.3 | Listed 11.1.1.1 here"),
            ("11.1.1.2", "127.0.0.3 | sixteen"),
            ("11.2.1.1", "127.0.0.3 | eight"),
            ("::ffff:192.0.2.8", "127.0.0.3 | net"),
            ("2002:c000:208::1", "127.0.0.3 | net"),
            ("2001:db8::1", "-"),
            ("2.0.192", "."),
            ("3.0.192", "-"),
            ("2.0.0.2", "."),
            ("4.2.0.192.x", "-"),
        ],
    );
}

#[test]
fn the_longest_network_of_a_trie_answers() {
    let text = "
:2:Listed $
192.0.2.0/24 wide
192.0.2.128/25
192.0.2.128/25 :9:again
!192.0.2.129
!198.51.100.0/24
198.51.100.0/24 excluded before
0/0 :4:
";
    check(
        "ip4trie",
        text,
        &[
            ("192.0.2.1", "127.0.0.2 | wide"),
            ("192.0.2.128", "127.0.0.2 | Listed 192.0.2.128"),
            ("192.0.2.129", "-"),
            ("198.51.100.1", "-"),
            ("203.0.113.1", "127.0.0.4"),
            ("100.51.198", "-"),
        ],
    );
    let text = "
:2:six $
2001:db8::/32 wide $
2001:db8:1::/48
!2001:db8:1::5
2001:db8:2 short
2001:db8:1::7 :5:host
::ffff:0:0/96 mapped
";
    check(
        "ip6trie",
        text,
        &[
            ("2001:db8::1", "127.0.0.2 | wide 2001:db8::1"),
            ("2001:db8:1::1", "127.0.0.2 | six 2001:db8:1::1"),
            ("2001:db8:1::5", "-"),
            ("2001:db8:2::9", "127.0.0.2 | short"),
            ("2001:db8:1::7", "127.0.0.5 | host"),
            ("8.b.d.0.1.0.0.2", "."),
            ("9.b.d.0.1.0.0.2", "-"),
            ("192.0.2.1", "-"),
            ("::ffff:192.0.2.1", "127.0.0.2 | mapped"),
        ],
    );
}

/// `NOW` is 1900000000.
#[test]
fn entries_may_be_listed_under_a_condition() {
    let names = "
:2:entry $
ready.example @ ts=1899999000;delay=5m
cooling.example text @ ts=1899999900;delay=5m
keyed.example :5:for keys @ key=require
early.example @ ts=1899999900;delay=5m;key=nodelay
slow.example @ delay=10s
.both.example @ key=require
two.example one
two.example :6:two @ key=require
mail.example me @ home
";
    let networks =
        "192.0.2.0/24 wide\n192.0.2.1 @ key=require\n2001:db8::/32 six @ ts=1;delay=1s\n!2001:db8::1\n";
    for (kind, text, questions) in [
        (
            "dnhash",
            names,
            &[
                ("ready.example", "127.0.0.2 | entry ready.example", ""),
                ("cooling.example", "-", "-"),
                ("keyed.example", "-", "127.0.0.5 | for keys"),
                ("early.example", "-", "127.0.0.2 | entry early.example"),
                ("slow.example", "127.0.0.2 | entry slow.example", ""),
                ("a.both.example", "-", "127.0.0.2 | entry both.example"),
                ("two.example", "127.0.0.2 | one", "127.0.0.2 | one | 127.0.0.6 | two"),
                ("mail.example", "127.0.0.2 | me @ home", ""),
            ][..],
        ),
        (
            "ip4trie",
            networks,
            &[
                ("192.0.2.1", "-", "127.0.0.2"),
                ("192.0.2.2", "127.0.0.2 | wide", ""),
                ("2001:db8::2", "127.0.0.2 | six", ""),
                ("2001:db8::1", "-", "-"),
                ("8.b.d.0.1.0.0.2", ".", ""),
            ][..],
        ),
    ] {
        let Loaded { set, findings, .. } = loaded(kind, text.as_bytes());
        assert_eq!(findings.warnings, [], "{kind}");
        for (name, without, with) in questions {
            let name = name.parse::<IpAddr>().map_or_else(|_| (*name).to_owned(), write_reversed);
            let with = if with.is_empty() { without } else { with };
            for (has_key, expected) in [(false, without), (true, with)] {
                let given = answer_to(&*set, &name, has_key);
                // A name that is there for others only exists without records.
                let is_right = given == *expected || (*expected == "-" && given == ".");
                assert!(is_right, "{name} in {kind}, with a key: {has_key}: {given}");
            }
        }
    }
}

#[test]
fn a_tset_has_one_value() {
    check(
        "ip4tset",
        ":2:tset $\n192.0.2.1 x\n:3:later\n192.0.2.3\n",
        &[
            ("192.0.2.1", "127.0.0.2 | tset 192.0.2.1"),
            ("192.0.2.3", "127.0.0.2 | tset 192.0.2.3"),
            ("192.0.2.2", "-"),
        ],
    );
    check(
        "ip6tset",
        "2001:db8:1:2\n!2001:db8:1:2::9\n",
        &[("2001:db8:1:2::1", "127.0.0.2"), ("2001:db8:1:2::9", "-"), ("2001:db8:1:3::1", "-")],
    );
}

#[test]
fn a_dnset_lists_names_and_what_is_below() {
    let text = "
:2:entry $
exact.example
*.wild.example wild $
.both.example both $
!ok.both.example
!.gone.both.example
two.example one
two.example :3:two
a.b.c.example
*.example.org
.sub.example.org
!x.example.org
UPPER.Example.
";
    check(
        "dnset",
        text,
        &[
            ("exact.example", "127.0.0.2 | entry exact.example"),
            ("a.exact.example", "-"),
            ("wild.example", "."),
            ("a.wild.example", "127.0.0.2 | wild wild.example"),
            ("both.example", "127.0.0.2 | both both.example"),
            ("a.b.both.example", "127.0.0.2 | both both.example"),
            ("ok.both.example", "-"),
            ("a.ok.both.example", "127.0.0.2 | both both.example"),
            ("gone.both.example", "-"),
            ("a.gone.both.example", "-"),
            ("two.example", "127.0.0.2 | one | 127.0.0.3 | two"),
            ("b.c.example", "."),
            ("example", "."),
            ("a.example.org", "127.0.0.2 | entry example.org"),
            ("sub.example.org", "127.0.0.2 | entry sub.example.org"),
            ("x.example.org", "-"),
            ("upper.EXAMPLE", "127.0.0.2 | entry upper.example"),
            ("xexact.example", "-"),
        ],
    );
}

#[test]
fn a_generic_data_set_has_records_by_name() {
    let text = "
$TTL 1h
@ A 192.0.2.80
@ MX 10 mail.example.
www 300 IN A 192.0.2.81
www txt \"hello world\"
t TXT plain $ $1
deep.er A 192.0.2.83
";
    check(
        "generic",
        text,
        &[
            ("", "3600 192.0.2.80 | 3600 10 \\u{4}mail\\u{7}example\\0"),
            ("www", "300 192.0.2.81 | 3600 hello world"),
            ("t", "3600 plain $ $1"),
            ("er", "."),
            ("deep.er", "3600 192.0.2.83"),
            ("x", "-"),
        ],
    );
}

#[test]
fn combined_data_sets_answer_below_zones_of_their_own() {
    let text = "
$DATASET ip4set:one spam @
:3:spam $
192.0.2.1
$DATASET dnset dom
$TTL 5
:4:dom $
bad.example
$DATASET generic @
foo TXT bar
";
    check(
        "combined",
        text,
        &[
            ("1.2.0.192.spam", "127.0.0.3 | spam 192.0.2.1"),
            ("192.0.2.1", "127.0.0.3 | spam 192.0.2.1"),
            ("2.0.192.spam", "."),
            ("spam", ""),
            ("bad.example.dom", "5 127.0.0.4 | 5 dom bad.example"),
            ("foo", "bar"),
            ("dom", ""),
            ("x.dom", "-"),
        ],
    );
}

#[test]
fn special_lines_mean_the_same_in_combined_data_sets() {
    let lines = "$MAXRANGE4 /24\n$MAXRANGE4 /8\n$TTL 5\n192.0/16\n192.0.2.1\n";
    let options = Options { ttl: (60, 100), ..Options::default() };
    for (kind, begin) in [("ip4set", ""), ("combined", "$DATASET ip4set @\n")] {
        let text = format!("{begin}{lines}");
        let source = Source { name: "file", bytes: text.as_bytes() };
        let Loaded { set, findings, .. } = load(kind, &[source], &options, NOW).unwrap();
        assert_eq!((set.len(), findings.wrong()), (1, 1), "{kind}");
        assert_eq!(answer(&*set, "1.2.0.192"), "60 127.0.0.2", "{kind}");
    }
}

#[test]
fn wrong_lines_are_left_out_and_told() {
    let text = b"192.0.2.1 good\r\n192.0.2.300 x\n$MAXRANGE4 /24\n192.0/16 large\n$WHAT x\n192.0.2.2 :300:\n192.0.2.9/24\n!\n\xff\n192.0.2.3 caf\xe9";
    let Loaded { set, findings, .. } = loaded("ip4set", text);
    assert_eq!((set.len(), findings.wrong()), (2, 7));
    let lines: Vec<usize> = findings.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [2, 4, 5, 6, 7]);
    assert_eq!(
        findings.warnings[1].to_string(),
        "file:4: it has 65536 addresses, and $MAXRANGE4 allows 256; the line is left out"
    );
}

#[test]
fn a_file_may_be_packed() {
    use std::io::Write;
    let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packing.write_all(b"192.0.2.1\n").unwrap();
    let packed = packing.finish().unwrap();
    assert_eq!(loaded("ip4set", &packed).set.len(), 1);
    let damaged = Source { name: "file", bytes: &packed[..packed.len() / 2] };
    let error = load("ip4set", &[damaged], &Options::default(), NOW).unwrap_err();
    assert!(error.to_string().starts_with("file: it cannot be unpacked"), "{error}");
}

#[test]
fn what_is_of_the_future_is_refused() {
    let error =
        load("ip4set", &[Source { name: "file", bytes: b"$TIMESTAMP 2200:01:01" }], &Options::default(), NOW);
    assert!(error.is_err());
    let error = load("ip5set", &[], &Options::default(), NOW).unwrap_err();
    assert!(error.to_string().contains("ip4set, ip4trie"), "{error}");
}
