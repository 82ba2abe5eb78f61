//! A compiled filter: text in, verdict out.
//!
//! Patterns are tried in the order they are written; the first that matches with a proper address is the failure,
//! and it is none after all if an ignoreregex matches too. Matching takes time linear in the text.

use std::borrow::Cow;
use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::tag::{self, Expanded};
use super::{Error, Place, Settings, address, literal};
use crate::ip::Prefix;

/// The memory one compiled pattern may take, in bytes: far above what any sensible pattern needs, and it stops
/// repetitions of repetitions from eating the machine.
const COMPILED_LIMIT: usize = 4 << 20;

/// The memory the states of one pattern may take while it matches, in bytes. Beyond it they are made anew, which is
/// slower and nothing else.
const CACHE_LIMIT: usize = 2 << 20;

/// A filter that is ready to look at lines. It is the same for all threads.
#[derive(Debug)]
pub struct Filter {
    settings: Settings,
    fail: Vec<Pattern>,
    ignore: Vec<Regex>,
    /// One of these is in every text that a failregex matches.
    literals: Option<Vec<Vec<u8>>>,
}

/// What a filter says of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'t> {
    /// No failregex matches.
    Miss,
    /// The line would be a failure, but this ignoreregex matches as well.
    Ignored {
        /// What it would have been.
        failure: Failure<'t>,
        /// Which ignoreregex, from 0.
        ignoreregex: usize,
    },
    /// Somebody failed.
    Failure(Failure<'t>),
}

/// What a pattern found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'t> {
    /// Who failed.
    pub who: Who,
    /// The user, if the pattern has one and it is not empty.
    pub user: Option<Cow<'t, str>>,
    /// Which failregex, from 0.
    pub failregex: usize,
    /// The lines before this one that are part of the same failure, oldest first.
    pub earlier: Vec<String>,
}

/// Who failed, as far as a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// An address, or a network where the filter says so; never an IPv4 address written as IPv6.
    Prefix(Prefix),
    /// A host name, whose addresses failed.
    Name(String),
    /// An identification that is no address, and that nothing can be listed for.
    Id(String),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Name(text) | Self::Id(text) => text.fmt(f),
        }
    }
}

impl Filter {
    /// Compiles what a filter file says. Its dates are compiled by [`super::Dates`].
    ///
    /// # Errors
    ///
    /// The first value that is wrong.
    pub fn compile(settings: &Settings) -> Result<Self, Error> {
        let filter = Self::compile_unnamed(settings);
        filter.map_err(|error| error.of(&settings.name))
    }

    fn compile_unnamed(settings: &Settings) -> Result<Self, Error> {
        let prefix = prefix(settings)?;
        if settings.failregex.is_empty() {
            let remedy = "write at least one failregex, with the tag <HOST> where the address stands";
            return Err(Error::new(Place::Failregex(0), "there is none", remedy));
        }
        let fail = settings.failregex.iter().enumerate();
        let ignore = settings.ignoreregex.iter().enumerate();
        Ok(Self {
            settings: settings.clone(),
            fail: fail
                .map(|(index, pattern)| Pattern::compile(pattern, &prefix, Place::Failregex(index)))
                .collect::<Result<_, _>>()?,
            ignore: ignore
                .map(|(index, pattern)| Ok(compile(pattern, &prefix, Place::Ignoreregex(index))?.1))
                .collect::<Result<_, Error>>()?,
            literals: literals(&settings.failregex, &prefix),
        })
    }

    /// Looks for a failure in `text`, a line without its date and its line feed.
    pub fn check<'t>(&self, text: &'t str) -> Verdict<'t> {
        let mut patterns = self.fail.iter().enumerate();
        let Some(failure) = patterns.find_map(|(index, pattern)| pattern.failure(text, index)) else {
            return Verdict::Miss;
        };
        match self.ignore.iter().position(|regex| regex.is_match(text)) {
            Some(ignoreregex) => Verdict::Ignored { failure, ignoreregex },
            None => Verdict::Failure(failure),
        }
    }

    /// The filter's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What the filter was compiled from, as written.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Literals one of which is in every text with a failure; none if any text may have one.
    pub(super) fn literals(&self) -> Option<&[Vec<u8>]> {
        self.literals.as_deref()
    }
}

/// A failregex.
#[derive(Debug)]
struct Pattern {
    regex: Regex,
    /// The groups of its address tags and of its user tags.
    addresses: Vec<usize>,
    users: Vec<usize>,
}

impl Pattern {
    fn compile(pattern: &str, prefix: &str, place: Place) -> Result<Self, Error> {
        let (expanded, regex) = compile(pattern, prefix, place)?;
        if expanded.addresses == 0 {
            let remedy = "put <HOST> where the address stands";
            return Err(Error::new(place, "it has no address", remedy).at(0..pattern.len()));
        }
        Ok(Self { addresses: groups(&regex, tag::ADDRESS), users: groups(&regex, tag::USER), regex })
    }

    /// The failure in `text`. Asking for a match alone first spares most lines the memory for the groups.
    fn failure<'t>(&self, text: &'t str, failregex: usize) -> Option<Failure<'t>> {
        if !self.regex.is_match(text) {
            return None;
        }
        let captures = self.regex.captures(text)?;
        let address = self.addresses.iter().find_map(|&group| captures.get(group))?;
        let users = self.users.iter().filter_map(|&group| captures.get(group));
        Some(Failure {
            who: Who::Prefix(Prefix::host(address::read(text, address.range())?)),
            user: users.map(|user| user.as_str()).find(|user| !user.is_empty()).map(Cow::Borrowed),
            failregex,
            earlier: Vec::new(),
        })
    }
}

fn groups(regex: &Regex, name: &str) -> Vec<usize> {
    let names = regex.capture_names().enumerate();
    let named = names.filter(|(_, group)| group.is_some_and(|group| tag::is_numbered(group, name)));
    named.map(|(index, _)| index).collect()
}

/// What the texts that match must contain. What all lines of a program contain tells little: so the literals of the
/// prefix count only where the rest of a pattern has none.
fn literals(failregex: &[String], prefix: &str) -> Option<Vec<Vec<u8>>> {
    let required =
        |pattern: &String, prefix: &str| literal::required(&tag::expand(pattern, prefix).ok()?.regex);
    let each =
        failregex.iter().map(|pattern| required(pattern, ANYTHING).or_else(|| required(pattern, prefix)));
    Some(each.collect::<Option<Vec<_>>>()?.concat())
}

/// Stands in for the prefix, where only the rest of a pattern is of interest.
const ANYTHING: &str = "(?s:.*)";

/// What the tag `<PREFIX>` stands for in a filter.
fn prefix(settings: &Settings) -> Result<String, Error> {
    if let Some(daemon) = &settings.daemon {
        // By itself first: an unbalanced parenthesis would otherwise reach into what surrounds it.
        build(&Expanded::verbatim(daemon), Place::Daemon)?;
    }
    Ok(tag::prefix(settings.daemon.as_deref()))
}

fn compile(pattern: &str, prefix: &str, place: Place) -> Result<(Expanded, Regex), Error> {
    let expanded = tag::expand(pattern, prefix)
        .map_err(|error| Error::new(place, error.reason, error.remedy).at(error.span))?;
    let regex = build(&expanded, place)?;
    Ok((expanded, regex))
}

/// It is parsed by itself first, since only the parser says where an error is.
fn build(expanded: &Expanded, place: Place) -> Result<Regex, Error> {
    regex_syntax::parse(&expanded.regex).map_err(|error| syntax(place, expanded, &error))?;
    RegexBuilder::new(&expanded.regex)
        .size_limit(COMPILED_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .build()
        .map_err(|error| too_big(place, &error))
}

fn syntax(place: Place, expanded: &Expanded, error: &regex_syntax::Error) -> Error {
    let (reason, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        _ => return Error::new(place, error.to_string(), SYNTAX_REMEDY),
    };
    let span: Range<usize> = span.start.offset..span.end.offset;
    Error::new(place, reason, SYNTAX_REMEDY).at(expanded.written(span))
}

/// Where the syntax is described, and what most often goes wrong.
const SYNTAX_REMEDY: &str = "patterns are in the syntax of Rust's regex crate, which has no look-around and no \
                             back-references, and wants `[` inside a class written `\\[`";

fn too_big(place: Place, error: &regex::Error) -> Error {
    Error::new(place, error.to_string(), "use smaller counts in its repetitions")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn filter(failregex: &[&str], ignoreregex: &[&str]) -> Result<Filter, Error> {
        Filter::compile(&Settings {
            name: "sample".to_owned(),
            daemon: Some("(?:postfix/)?smtpd".to_owned()),
            failregex: failregex.iter().map(|&pattern| pattern.to_owned()).collect(),
            ignoreregex: ignoreregex.iter().map(|&pattern| pattern.to_owned()).collect(),
            ..Settings::default()
        })
    }

    /// The address that `pattern` finds in `text`, as text; empty for a miss.
    fn address(pattern: &str, text: &str) -> String {
        match filter(&[pattern], &[]).unwrap().check(text) {
            Verdict::Failure(failure) => failure.who.to_string(),
            _ => String::new(),
        }
    }

    #[test]
    fn an_address_is_whole_or_none() {
        let cases = [
            ("from <HOST>", "from 192.0.2.1", "192.0.2.1"),
            ("from <HOST>", "from 192.0.2.1.", "192.0.2.1"),
            ("from <HOST>", "from 192.0.2.1:25", "192.0.2.1"),
            ("from <HOST>", "from [192.0.2.1]:25", "192.0.2.1"),
            ("from <HOST>", "from ::ffff:192.0.2.1", "192.0.2.1"),
            ("from <HOST>", "from ::FFFF:c000:0201", "192.0.2.1"),
            ("from <HOST>", "from 0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
            ("from <HOST>", "from 2001:db8::1", "2001:db8::1"),
            ("from <HOST>", "from [2001:DB8::1]:587", "2001:db8::1"),
            ("from <HOST>", "from 2001:db8:0:0:0:0:0:1: bad", "2001:db8::1"),
            ("from <HOST>", "from 2001:db8::: bad", "2001:db8::"),
            ("from <HOST>", "from ::1", "::1"),
            ("from <HOST>$", "from fe80::1%eth0", "fe80::1"),
            (r"\[<HOST>\]", "[fe80::1%eth0.7]", "fe80::1"),
            (r"\[client <HOST>(?::\d{1,5})?\]", "[client 2001:db8::1:54321]", "2001:db8::1"),
            ("ip:<HOST>", "ip:2001:db8::1: bad", "2001:db8::1"),
            ("x<HOST>", "x192.0.2.1", ""),
            ("<HOST>", "1192.0.2.10", ""),
            ("<HOST>", "192.0.2.1000", ""),
            ("<HOST>", "192.0.2.1.5", ""),
            ("<HOST>", "5.192.0.2.1", ""),
            ("from <HOST>", "from 192.0.2", ""),
            ("from <HOST>", "from 192.030.0.6", ""),
            ("from <HOST>", "from 999.1.1.1", ""),
            ("from <HOST>", "from ١٩٢.0.2.1", ""),
            ("from <HOST>", "from host.example.com", ""),
            ("from <HOST>", "from 08:04:12", ""),
            (".*<HOST>", "from 192.0.2.1 at 08:04:12", "192.0.2.1"),
            (".*<HOST>", "from 2001:db8:1::5", "2001:db8:1::5"),
            ("from .*<HOST>", "from 2001:db8:1::5", "2001:db8:1::5"),
            ("from.+<HOST>", "from 2001:db8:1::5", "2001:db8:1::5"),
            ("from.+<HOST>", "from:192.0.2.1", "192.0.2.1"),
            (".*<HOST>", "from ip:192.0.2.1", "192.0.2.1"),
            (".*<HOST>", "192.0.2.1", "192.0.2.1"),
            (r"x\.*<HOST>", "x..192.0.2.1", "192.0.2.1"),
            (r"\S*<HOST>", "2001:db8:1::5", ""),
            ("<HOST>:", "from 2001:db8::2:3 bad: ", ""),
            ("from <IP4>", "from ::ffff:192.0.2.1", "192.0.2.1"),
            ("from <IP4>", "from 2001:db8::1", ""),
            ("from <IP6>", "from 2001:db8::1", "2001:db8::1"),
            ("from <IP6>", "from 192.0.2.1", ""),
            ("a <HOST>|b <HOST>", "b 192.0.2.1", "192.0.2.1"),
            ("a <HOST> b <HOST>", "a 192.0.2.1 b 192.0.2.2", "192.0.2.1"),
            ("a <HOST>|c", "c", ""),
            ("(?i)FROM <ADDR>$", "from 192.0.2.1", "192.0.2.1"),
            ("(?x) from \\ <HOST>  # who\n $", "from 192.0.2.1", "192.0.2.1"),
            ("^from <HOST>$", "from 192.0.2.1", "192.0.2.1"),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(address(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_prefix_is_what_stands_before_the_message() {
        let cases = [
            (" mail postfix/smtpd[123]: bad 192.0.2.1", true),
            (" mail.example.com smtpd: bad 192.0.2.1", true),
            (" 2001:db8::25 smtpd[1]: bad 192.0.2.1", true),
            ("mail smtpd[1]: bad 192.0.2.1", true),
            ("smtpd[1]: bad 192.0.2.1", true),
            ("[] mail smtpd[1]: bad 192.0.2.1", true),
            ("<22> mail smtpd[1]: bad 192.0.2.1", true),
            (" <mail.info> mail smtpd[1]: bad 192.0.2.1", true),
            (" mail mail.info smtpd[1]: bad 192.0.2.1", true),
            ("<22>1  mail smtpd 123 - - bad 192.0.2.1", true),
            (r#"<22>1  mail smtpd 123 ID [a b="\]"][c] bad 192.0.2.1"#, true),
            ("<22>1 - mail smtpd - - - bad 192.0.2.1", true),
            (" mail other[1]: smtpd[1]: bad 192.0.2.1", false),
            (" mail other: smtpd: bad 192.0.2.1", false),
            (" other: smtpd[1]: bad 192.0.2.1", false),
            (" other[1]: smtpd[1]: bad 192.0.2.1", false),
            (" mail xsmtpd[1]: bad 192.0.2.1", false),
            (" mail smtpdx[1]: bad 192.0.2.1", false),
            (" mail smtpd 1 - - bad 192.0.2.1", false),
            ("<22>1  mail other 1 - - smtpd[1]: bad 192.0.2.1", false),
            (" mail smtpd[1]: very bad 192.0.2.1", false),
        ];
        for (text, expected) in cases {
            assert_eq!(!address("<PREFIX>bad <HOST>$", text).is_empty(), expected, "{text}");
        }
    }

    #[test]
    fn without_a_daemon_the_prefix_takes_any_program() {
        let settings = Settings { failregex: vec!["<PREFIX>bad <HOST>".to_owned()], ..Settings::default() };
        let filter = Filter::compile(&settings).unwrap();
        assert_ne!(filter.check(" mail anything[1]: bad 192.0.2.1"), Verdict::Miss);
        assert_eq!(filter.check(" mail anything[1]: not: bad 192.0.2.1"), Verdict::Miss);
    }

    #[test]
    fn the_first_failregex_wins_and_an_ignoreregex_takes_it_back() {
        let filter = filter(
            &["bad <F-USER>[^ ]*</F-USER> (?:<HOST>|-)", "bad <F-USER/> .*from <HOST>"],
            &["user=x", "192.0.2.1$"],
        )
        .unwrap();
        let failure = |address: &str, user: Option<&'static str>, failregex| Failure {
            who: Who::Prefix(address.parse().unwrap()),
            user: user.map(Cow::Borrowed),
            failregex,
            earlier: Vec::new(),
        };
        let cases = [
            ("bad joe 192.0.2.7", Verdict::Failure(failure("192.0.2.7", Some("joe"), 0))),
            ("bad  192.0.2.7", Verdict::Failure(failure("192.0.2.7", None, 0))),
            ("bad joe - from 192.0.2.8", Verdict::Failure(failure("192.0.2.8", Some("joe"), 1))),
            (
                "bad joe 192.0.2.1",
                Verdict::Ignored { failure: failure("192.0.2.1", Some("joe"), 0), ignoreregex: 1 },
            ),
            ("good joe 192.0.2.7", Verdict::Miss),
            ("", Verdict::Miss),
        ];
        for (text, expected) in cases {
            assert_eq!(filter.check(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_name_filter_pattern_bytes_and_remedy() {
        let message = |failregex: &[&str]| filter(failregex, &[]).unwrap_err().to_string();
        let unclosed = message(&["<HOST>", "<PREFIX>a <HOST> (b"]);
        assert!(
            unclosed.starts_with("filter sample: failregex 2, bytes 17 to 18: unclosed group; "),
            "{unclosed}"
        );
        assert!(message(&["(?!x)<HOST>"]).contains("bytes 0 to 3: look-around"));
        assert!(message(&["from host"]).contains("it has no address; put <HOST>"));
        assert!(message(&["<HOSTS>"]).contains("no tag <HOSTS>"));
        assert!(message(&[]).contains("failregex 1: there is none"));
        assert!(message(&[r"<HOST>(?:\w{500}){500}"]).contains("smaller counts"));
        let error = Filter::compile(&Settings {
            daemon: Some("a)|(b".to_owned()),
            failregex: vec!["<PREFIX><HOST>".to_owned()],
            ..Settings::default()
        });
        assert_eq!(error.unwrap_err().place, Place::Daemon);
    }

    proptest! {
        // Every case compiles patterns, which takes its time.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_pattern_and_no_text_cause_a_panic(
            pieces in proptest::collection::vec(PIECE, 0..8),
            daemon in proptest::option::of(PIECE),
            texts in proptest::collection::vec("\\PC{0,40}|[0-9a-f:.%\\[\\] é]{0,40}", 1..4),
        ) {
            let settings = Settings {
                daemon,
                failregex: vec![pieces.concat() + "<HOST>"],
                ignoreregex: vec![pieces.concat()],
                ..Settings::default()
            };
            match Filter::compile(&settings) {
                Ok(filter) => texts.iter().for_each(|text| {
                    filter.check(text);
                }),
                Err(error) => {
                    let written = match error.place {
                        Place::Daemon => settings.daemon.as_deref().unwrap(),
                        _ => settings.failregex[0].as_str(),
                    };
                    prop_assert!(error.span.is_none_or(|span| written.get(span).is_some()));
                }
            }
        }

    }

    proptest! {
        #[test]
        fn an_address_between_words_is_always_found(
            address in any::<IpAddr>(),
            before in prop::sample::select(vec!["from ", "ip=", "[", "(", "é", "\"", "/"]),
            after in prop::sample::select(vec!["", " ", ".", "]", ")", ": x", ", 1", "\"", "%eth0 x"]),
        ) {
            static FILTER: LazyLock<Filter> = LazyLock::new(|| filter(&["<HOST>"], &[]).unwrap());
            let text = format!("{before}{address}{after}");
            let Verdict::Failure(failure) = FILTER.check(&text) else {
                return Err(TestCaseError::fail(text));
            };
            prop_assert_eq!(failure.who, Who::Prefix(Prefix::host(address)));
        }
    }

    /// What patterns are made of, and anything else.
    const PIECE: &str =
        "<HOST>|<PREFIX>|<F-USER>|</F-USER>|<F-USER/>|<IP6>|\\(|\\)|\\[|\\||[a-z.*+?\\\\]{0,4}|\\PC{0,3}";
}
