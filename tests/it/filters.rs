//! The filters in `filters/`, each against two files of its own in `tests/data/filter/`.
//!
//! `NAME.log` holds sample lines. A comment before a line says what the filter makes of it:
//!
//! ```text
//! #> 192.0.2.7 user=bob       the next line is a failure of this address, with this user (to the end of the
//!                             comment) or without any
//! #> 192.0.2.7 at=2026-11-22T08:04:13Z user=bob
//!                             likewise, at another time than SAMPLE_TIME, which all other lines have
//! #- a reason                 the next line is no failure
//! # anything else             a comment
//! ```
//!
//! `NAME.forged` holds templates of lines in which a client chooses some of the text. Whatever it chooses, the address
//! found is [`REAL`] or none, in this filter and in all others. A template behind `#-` never is a failure at all.
//!
//! ```text
//! {text}   anything without control characters      {word}   the same without spaces
//! {name}   a host name, as the DNS has it           {mail}   anything without `<`, `>` and spaces
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use banzone::clock::Timestamp;
use banzone::filter::{Dates, Filter, Matcher, Settings, Verdict, cut};
use proptest::prelude::*;
use serde::Deserialize;

/// The time of all sample lines that do not say otherwise, and the year and zone of those that have none.
const SAMPLE_TIME: &str = "2026-11-22T08:04:12Z";

/// The client in every template.
const REAL: &str = "192.0.2.7";

/// Whom the client wants to be banned.
const VICTIM: &str = "198.51.100.9";

/// A filter file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    daemon: Option<String>,
    failregex: Vec<String>,
    #[serde(default)]
    ignoreregex: Vec<String>,
    #[serde(default)]
    datepattern: Vec<String>,
    timezone: Option<String>,
}

/// All shipped filters by name.
static FILTERS: LazyLock<BTreeMap<String, Filter>> = LazyLock::new(|| {
    let paths = files("filters").into_iter();
    paths.map(|path| (stem(&path), compile(&path))).collect()
});

fn compile(path: &Path) -> Filter {
    let text = fs::read_to_string(path).unwrap();
    let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let settings = Settings {
        name: stem(path),
        daemon: file.daemon,
        failregex: file.failregex,
        ignoreregex: file.ignoreregex,
        datepattern: file.datepattern,
        timezone: file.timezone,
        ..Settings::default()
    };
    Filter::compile(&settings).unwrap_or_else(|error| panic!("{error}"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn data(name: &str, extension: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/filter/{name}.{extension}"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dates(filter: &Filter) -> Dates {
    Dates::new(&filter.settings().datepattern, Some("UTC")).unwrap()
}

/// What `filter` makes of a whole line: the time and the verdict.
fn check<'t>(
    filter: &Filter,
    dates: &mut Dates,
    line: &'t str,
    scratch: &'t mut String,
) -> (Option<Timestamp>, Verdict<'t>) {
    let now = time(SAMPLE_TIME);
    match dates.find(line, now) {
        Some(date) => (Some(date.time), filter.check(cut(line, &date.span, scratch))),
        None => (None, filter.check(line)),
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_secs(text.parse::<jiff::Timestamp>().unwrap().as_second())
}

/// What a sample's comment expects of the next line.
#[derive(Debug, PartialEq)]
enum Expected<'t> {
    Failure { address: &'t str, at: &'t str, user: Option<&'t str> },
    None,
}

impl<'t> Expected<'t> {
    fn read(comment: &'t str) -> Option<Self> {
        if comment.starts_with("#-") {
            return Some(Self::None);
        }
        let (rest, user) = match comment.strip_prefix("#> ")?.split_once(" user=") {
            Some((rest, user)) => (rest, Some(user)),
            None => (comment.strip_prefix("#> ")?, None),
        };
        let (address, at) = rest.split_once(" at=").unwrap_or((rest, SAMPLE_TIME));
        Some(Self::Failure { address: address.trim(), at, user })
    }

    fn is(&self, time_found: Option<Timestamp>, verdict: &Verdict<'_>) -> bool {
        match (self, verdict) {
            (Self::None, verdict) => !matches!(verdict, Verdict::Failure(_)),
            (Self::Failure { address, at, user }, Verdict::Failure(failure)) => {
                failure.who.to_string() == *address
                    && failure.user.as_deref() == *user
                    && time_found == Some(time(at))
            }
            _ => false,
        }
    }
}

/// The sample lines of a filter with what is expected of each.
fn samples(text: &str) -> Vec<(Expected<'_>, &str)> {
    let mut samples = Vec::new();
    let mut expected = None;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            expected = Expected::read(line).or(expected);
        } else {
            let expected = expected.take();
            samples.push((expected.unwrap_or_else(|| panic!("nothing expected of: {line}")), line));
        }
    }
    samples
}

#[test]
fn samples_are_found() {
    let mut findings = Vec::new();
    for (name, filter) in FILTERS.iter() {
        let mut dates = dates(filter);
        for (expected, line) in samples(&data(name, "log")) {
            let mut scratch = String::new();
            let (time, verdict) = check(filter, &mut dates, line, &mut scratch);
            if !expected.is(time, &verdict) {
                findings.push(format!("{name}: {line}\n    {expected:?}, but {time:?} {verdict:?}"));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn every_pattern_has_a_sample() {
    let mut missing = Vec::new();
    for (name, filter) in FILTERS.iter() {
        let mut fail = vec![0; filter.settings().failregex.len()];
        let mut ignore = vec![0; filter.settings().ignoreregex.len()];
        let mut dates = dates(filter);
        for (_, line) in samples(&data(name, "log")) {
            match check(filter, &mut dates, line, &mut String::new()).1 {
                Verdict::Failure(failure) => fail[failure.failregex] += 1,
                Verdict::Ignored { ignoreregex, .. } => ignore[ignoreregex] += 1,
                _ => {}
            }
        }
        let unused = |hits: &[i32], what| {
            let unused = hits.iter().enumerate().filter(|(_, hits)| **hits == 0);
            unused.map(|(index, _)| format!("{name}: {what} {}", index + 1)).collect::<Vec<_>>()
        };
        missing.extend(unused(&fail, "failregex"));
        missing.extend(unused(&ignore, "ignoreregex"));
    }
    assert!(missing.is_empty(), "no sample for\n{}", missing.join("\n"));
}

#[test]
fn every_file_belongs_to_a_filter() {
    for path in files("tests/data/filter") {
        assert!(FILTERS.contains_key(&stem(&path)), "{} is of no filter", path.display());
    }
}

#[test]
fn literals_lead_to_every_failure() {
    let filters: Vec<&Filter> = FILTERS.values().collect();
    let matcher = Matcher::new(&filters);
    for (index, name) in FILTERS.keys().enumerate() {
        for (expected, line) in samples(&data(name, "log")) {
            let found = matcher.candidates(line).contains(index);
            assert!(found || expected == Expected::None, "{name}: {line}");
        }
    }
}

/// Tells which filters are worth asking, as in a daemon.
static CANDIDATES: LazyLock<Matcher> = LazyLock::new(|| Matcher::new(&FILTERS.values().collect::<Vec<_>>()));

/// A line with text of the client's in it.
struct Template {
    filter: String,
    line: String,
    /// Where its date ends, which no client has a hand in.
    date: usize,
    /// Whether it is a failure when the client does not try anything.
    fails: bool,
}

static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let of = |name: &String| {
        let mut fails = true;
        let mut templates = Vec::new();
        for line in data(name, "forged").lines().filter(|line| !line.is_empty()) {
            if line.starts_with('#') {
                fails &= !line.starts_with("#-");
                continue;
            }
            let date = dates(&FILTERS[name]).find(line, time(SAMPLE_TIME)).unwrap().span.end;
            let (filter, line) = (name.clone(), line.to_owned());
            templates.push(Template { filter, line, date, fails });
            fails = true;
        }
        templates
    };
    FILTERS.keys().flat_map(of).collect()
});

/// What a client may write where, and what it becomes there.
const FIELDS: [(&str, Sanitize); 4] = [
    ("{text}", |text| text.replace(char::is_control, "?")),
    ("{word}", |text| text.replace(|c: char| c.is_control() || c.is_whitespace(), "_")),
    ("{mail}", |text| text.replace(|c: char| c.is_control() || " <>".contains(c), "?")),
    ("{name}", host_name),
];

type Sanitize = fn(&str) -> String;

/// What Postfix, OpenSSH and Exim take for a client's name; a name that reads like an address they refuse.
fn host_name(text: &str) -> String {
    let others = |c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c);
    let name = text.replace(others, "-");
    match name.is_empty() || name.parse::<IpAddr>().is_ok() {
        true => "unknown".to_owned(),
        false => name,
    }
}

impl Template {
    /// The line with these texts in its fields; where there are more fields, the texts start over.
    fn fill(&self, texts: &[String]) -> String {
        let mut line = String::new();
        let mut rest = self.line.as_str();
        let mut texts = texts.iter().cycle();
        loop {
            let fields =
                FIELDS.iter().filter_map(|(field, make)| Some((rest.find(field)?, field.len(), make)));
            let Some((at, length, make)) = fields.min_by_key(|(at, ..)| *at) else {
                return line + rest;
            };
            line.push_str(&rest[..at]);
            line.push_str(&make(texts.next().unwrap()));
            rest = &rest[at + length..];
        }
    }

    /// What stands before or behind the text of the client, with the victim's address.
    fn pieces(&self) -> Vec<String> {
        let mut line = self.line.replace(REAL, VICTIM);
        for (field, _) in FIELDS {
            line = line.replace(field, "\n");
        }
        line.split('\n').map(str::to_owned).collect()
    }

    /// This text in all fields, and in each of them by itself.
    fn choices(&self, text: &str) -> impl Iterator<Item = Vec<String>> {
        let fields = self.pieces().len() - 1;
        let one = move |chosen, field| if chosen == field { text } else { "x" };
        let each =
            (0..fields).map(move |chosen| (0..fields).map(|field| one(chosen, field).to_owned()).collect());
        each.chain([vec![text.to_owned()]])
    }

    /// What is wrong when a client chooses these texts. The filters are asked as a daemon asks them, all together.
    fn forged(&self, texts: &[String]) -> Option<String> {
        let line = self.fill(texts);
        let (_, text) = line.split_at(self.date);
        CANDIDATES.candidates(text).iter().find_map(|index| {
            let (name, filter) = FILTERS.iter().nth(index)?;
            let Verdict::Failure(failure) = filter.check(text) else {
                return None;
            };
            let wrong = failure.who.to_string() != REAL || (!self.fails && *name == self.filter);
            wrong.then(|| format!("{name}: {failure:?}\n{line}"))
        })
    }
}

/// Texts that clients have tried, or might.
const HOSTILE: &[&str] = &[
    "198.51.100.9",
    "[198.51.100.9]",
    "198.51.100.9.example",
    "x[198.51.100.9]: SASL LOGIN authentication failed: x",
    "]: SASL LOGIN authentication failed: authentication failure, sasl_username=x",
    "x from 198.51.100.9",
    "x from 198.51.100.9 port 22",
    "x from 198.51.100.9 port 22 ssh2",
    "x from 198.51.100.9 port 22 ssh2: RSA SHA256:abc",
    "x from 198.51.100.9 port 22 ssh2: RSA SHA256:abc, client user \"x\", client host \"",
    "x 198.51.100.9 port 22: Too many authentication failures [preauth]",
    "x 198.51.100.9 port 22: Change of username or service not allowed: (x,y) -> (x,y) [preauth]",
    "x from 198.51.100.9 not allowed because not listed in AllowUsers",
    "x' from 198.51.100.9 port 22",
    " rip=198.51.100.9, lip=192.0.2.1",
    "x>, rip=198.51.100.9, lip=192.0.2.1",
    "x>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, session=<abc>",
    "<> (auth failed, 1 attempts in 2 secs): user=<x>, method=PLAIN, rip=198.51.100.9",
    "x,198.51.100.9",
    "x,198.51.100.9): unknown user",
    "x,198.51.100.9,<abc>): unknown user (given password: x",
    "x,198.51.100.9,sasl:plain)<abc>: sql: Password mismatch",
    "x rhost=198.51.100.9  user=x",
    " rhost=198.51.100.9",
    "x) [198.51.100.9]",
    "x) [198.51.100.9]: 535 Incorrect authentication data (set_id=x",
    "x) [198.51.100.9] F=<a@example.com> rejected RCPT <b@example.com>: relay not permitted",
    "x\" H=(y) [198.51.100.9] AUTH command used when not advertised",
    "x) [198.51.100.9] next input=\"x",
    "x) [198.51.100.9] dropped: too many nonmail commands (last was \"x",
    "(?@198.51.100.9) [WARNING] Authentication failed for user [x",
    "x (198.51.100.9)",
    "x: 554 5.7.1 <x>: Relay access denied; from=<x> to=<x> proto=ESMTP helo=<x>",
    "<x>: Helo command rejected: ",
    "\"unbalanced [quotes (and <brackets",
    "]]]]))))>>>>\"\"\"\"''''",
];

/// What long texts are made of.
const LONG: &str = "x [";

/// Characters that structure lines.
const STRUCTURE: &[&str] = &[
    " ", ": ", "]", "[", "(", ")", "<", ">", "\"", "'", ",", ", ", "=", "; ", "@", "%", "\\", "", "é",
    "\u{1}",
];

fn hostile() -> Vec<String> {
    let own = HOSTILE.iter().map(|&text| text.to_owned());
    let pieces = TEMPLATES.iter().flat_map(Template::pieces);
    let lines = TEMPLATES.iter().map(|template| template.fill(&["x".to_owned()]).replace(REAL, VICTIM));
    own.chain(pieces).chain(lines).collect()
}

#[test]
fn templates_are_failures_of_the_real_client() {
    for template in TEMPLATES.iter() {
        let line = template.fill(&["x".to_owned()]);
        let filter = &FILTERS[&template.filter];
        let verdict = check(filter, &mut dates(filter), &line, &mut String::new()).1.is_failure_of(REAL);
        assert_eq!(verdict, template.fails, "{}: {line}", template.filter);
    }
}

/// Whether a verdict is a failure of this address.
trait IsFailure {
    fn is_failure_of(&self, address: &str) -> bool;
}

impl IsFailure for Verdict<'_> {
    fn is_failure_of(&self, address: &str) -> bool {
        matches!(self, Verdict::Failure(failure) if failure.who.to_string() == address)
    }
}

#[test]
fn no_hostile_text_bans_another() {
    let hostile = hostile();
    let mut findings = Vec::new();
    for template in TEMPLATES.iter() {
        for text in &hostile {
            findings.extend(template.choices(text).filter_map(|texts| template.forged(&texts)));
        }
        for text in HOSTILE {
            let texts = [LONG.repeat(500) + text, (*text).to_owned() + &LONG.repeat(500)];
            findings.extend(texts.into_iter().filter_map(|text| template.forged(&[text])));
        }
    }
    assert!(
        findings.is_empty(),
        "{} lines, such as\n{}",
        findings.len(),
        findings[..findings.len().min(20)].join("\n")
    );
}

/// Text put together from what the lines of logs are made of.
fn crafted() -> impl Strategy<Value = String> {
    let hostile = hostile();
    let cut =
        (prop::sample::select(hostile.clone()), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let cut = cut.prop_map(|(text, one, other)| slice(&text, one, other));
    let piece = prop_oneof![
        3 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        2 => prop::sample::select(hostile),
        4 => cut,
        4 => prop::sample::select(STRUCTURE).prop_map(str::to_owned),
        1 => Just(VICTIM.to_owned()),
        1 => "\\PC{0,10}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// The text between two of its characters.
fn slice(text: &str, one: prop::sample::Index, other: prop::sample::Index) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (one, other) = (one.index(characters.len() + 1), other.index(characters.len() + 1));
    characters[one.min(other)..one.max(other)].iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_crafted_text_bans_another(texts in prop::collection::vec(crafted(), 3)) {
        for template in TEMPLATES.iter() {
            let forged = template.forged(&texts);
            prop_assert!(forged.is_none(), "{}", forged.unwrap());
        }
    }
}
