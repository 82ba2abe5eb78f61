//! A compiled filter: text in, verdict out.

use std::borrow::Cow;
use std::fmt;

use super::{Dialect, Error, Place, Settings, State, fail2ban, native};
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// A filter that is ready to look at lines. It is the same for all threads.
#[derive(Debug)]
pub struct Filter {
    settings: Settings,
    rules: Rules,
}

#[derive(Debug)]
enum Rules {
    Banzone(native::Rules),
    Fail2ban(Box<fail2ban::Rules>),
}

/// What a filter says of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'t> {
    /// No failregex matches.
    Miss,
    /// This ignoreregex matches.
    Ignored {
        /// What the line would have been, if a failregex was asked.
        failure: Option<Failure<'t>>,
        /// Which ignoreregex, from 0.
        ignoreregex: usize,
    },
    /// The line is no failure by itself; what it says counts for later lines of the same connection.
    Noted {
        /// Which failregex matches, from 0.
        failregex: usize,
    },
    /// Somebody failed, and a later line of the same connection will tell who.
    Pending {
        /// Which failregex matches, from 0.
        failregex: usize,
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
    /// Every user that was tried on the same connection, if the pattern follows connections; in order.
    pub users: Vec<String>,
    /// Which failregex, from 0.
    pub failregex: usize,
    /// The lines before this one that are part of the same failure, oldest first.
    pub earlier: Vec<String>,
    /// The pattern says that such a line is no failure by itself (`<F-NOFAIL>`). It counts as one all the same where the
    /// filter follows no connections, as in fail2ban.
    pub excused: bool,
}

impl Verdict<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> Verdict<'static> {
        match self {
            Self::Miss => Verdict::Miss,
            Self::Ignored { failure, ignoreregex } => {
                Verdict::Ignored { failure: failure.map(Failure::into_owned), ignoreregex }
            }
            Self::Noted { failregex } => Verdict::Noted { failregex },
            Self::Pending { failregex } => Verdict::Pending { failregex },
            Self::Failure(failure) => Verdict::Failure(failure.into_owned()),
        }
    }
}

impl Failure<'_> {
    fn into_owned(self) -> Failure<'static> {
        let user = self.user.map(|user| Cow::Owned(user.into_owned()));
        Failure {
            user,
            who: self.who,
            users: self.users,
            failregex: self.failregex,
            earlier: self.earlier,
            excused: self.excused,
        }
    }
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

/// As logged, but addresses in their shortest form.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Name(text) | Self::Id(text) => text.fmt(f),
        }
    }
}

/// A line without its line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// It without its date: what the patterns see.
    pub text: &'t str,
    /// It as it stands in the log.
    pub whole: &'t str,
}

impl Filter {
    /// Compiles what a filter file says. Its dates are compiled by [`super::Dates`].
    ///
    /// # Errors
    ///
    /// The first value that is wrong.
    pub fn compile(settings: &Settings) -> Result<Self, Error> {
        let rules = Rules::compile(settings).map_err(|error| error.of(&settings.name))?;
        Ok(Self { settings: settings.clone(), rules })
    }

    /// Looks for a failure in `text`, a line without its date and its line feed, as if it were all of a log.
    pub fn check<'t>(&self, text: &'t str) -> Verdict<'t> {
        let line = Line { text, whole: text };
        self.follow(line, &mut State::default(), Timestamp::default())
    }

    /// Looks for a failure in the next line of a log, at `now`. `state` is what the lines before left behind.
    pub fn follow<'t>(&self, line: Line<'t>, state: &mut State, now: Timestamp) -> Verdict<'t> {
        match &self.rules {
            Rules::Banzone(rules) => rules.check(line.text),
            Rules::Fail2ban(rules) => rules.follow(line, state, now),
        }
    }

    /// Takes in a line of which nobody knows when it was written: it cannot fail, but where several lines are looked at
    /// together it is one of them.
    pub fn pass(&self, line: Line<'_>, state: &mut State) {
        if let Rules::Fail2ban(rules) = &self.rules {
            rules.pass(line, state);
        }
    }

    /// Which failregexes match `text` by themselves, from 0: besides the first, which tells who failed. None for filters
    /// that look at several lines at once.
    pub fn matching(&self, text: &str) -> Vec<usize> {
        match &self.rules {
            Rules::Banzone(_) => Vec::new(),
            Rules::Fail2ban(rules) => rules.matching(text),
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

    /// Tells it from filters with other settings, also after a restart. FNV-1a, as it is stored.
    pub fn fingerprint(&self) -> String {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = format!("{:?}", self.settings).bytes().fold(0xcbf2_9ce4_8422_2325, step);
        format!("{hash:016x}")
    }

    /// The failregexes that find an address and beside it an id that may be none.
    pub fn with_two_identities(&self) -> Vec<Place> {
        match &self.rules {
            Rules::Banzone(_) => Vec::new(),
            Rules::Fail2ban(rules) => rules.with_two_identities(),
        }
    }

    /// The patterns that were stopped because they took too many steps in a text, and how often.
    pub fn exhausted(&self) -> Vec<(Place, u64)> {
        match &self.rules {
            Rules::Banzone(_) => Vec::new(),
            Rules::Fail2ban(rules) => rules.exhausted(),
        }
    }

    /// Literals one of which is in every text that is more than a [`Verdict::Miss`] or ignored before a failregex was
    /// asked; none if any text may be one, or if every text has to be seen.
    pub(super) fn literals(&self) -> Option<&[Vec<u8>]> {
        match &self.rules {
            Rules::Banzone(rules) => rules.literals(),
            Rules::Fail2ban(rules) => rules.literals(),
        }
    }
}

impl Rules {
    fn compile(settings: &Settings) -> Result<Self, Error> {
        if settings.failregex.is_empty() {
            let remedy = "write at least one failregex, with the tag <HOST> where the address stands";
            return Err(Error::new(Place::Failregex(0), "there is none", remedy));
        }
        Ok(match settings.dialect {
            Dialect::Banzone => Self::Banzone(native::Rules::compile(settings)?),
            Dialect::Fail2ban => Self::Fail2ban(Box::new(fail2ban::Rules::compile(settings)?)),
        })
    }
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
            users: Vec::new(),
            failregex,
            earlier: Vec::new(),
            excused: false,
        };
        let cases = [
            ("bad joe 192.0.2.7", Verdict::Failure(failure("192.0.2.7", Some("joe"), 0))),
            ("bad  192.0.2.7", Verdict::Failure(failure("192.0.2.7", None, 0))),
            ("bad joe - from 192.0.2.8", Verdict::Failure(failure("192.0.2.8", Some("joe"), 1))),
            (
                "bad joe 192.0.2.1",
                Verdict::Ignored { failure: Some(failure("192.0.2.1", Some("joe"), 0)), ignoreregex: 1 },
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
