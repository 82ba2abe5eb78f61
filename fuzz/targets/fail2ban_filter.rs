//! Any filter in fail2ban's words on any log. Each line of the input is a part of the filter, said by its first byte: `p`
//! the prefregex, `f` a failregex, `i` an ignoreregex, `m` as many lines at once as the letters behind it, `u` what host
//! names are worth; what begins otherwise is the next line of the log.
//!
//! Filters compile or say what is wrong with which part, a failure is sound, and asking the matcher first changes no
//! verdict.

#![no_main]

use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::filter::{
    Dialect, Error, Failure, Filter, Line, Matcher, Place, Settings, State, UseDns, Verdict, Who,
};
use libfuzzer_sys::fuzz_target;

/// Each pattern takes time to compile; more of them find nothing else.
const MOST_PATTERNS: usize = 4;

/// So long between two lines: some connections are forgotten, some are not.
const PAUSE: Duration = Duration::from_secs(90);

fuzz_target!(|input: &str| {
    let mut settings =
        Settings { name: "fuzz".to_owned(), dialect: Dialect::Fail2ban, ..Settings::default() };
    let mut log = Vec::new();
    for line in input.split('\n') {
        match line.split_at_checked(1) {
            Some(("p", pattern)) => settings.prefregex = Some(pattern.to_owned()),
            Some(("f", pattern)) if settings.failregex.len() < MOST_PATTERNS => {
                settings.failregex.push(pattern.to_owned());
            }
            Some(("i", pattern)) if settings.ignoreregex.len() < MOST_PATTERNS => {
                settings.ignoreregex.push(pattern.to_owned());
            }
            Some(("m", letters)) => settings.maxlines = letters.len(),
            Some(("u", name)) => settings.use_dns = use_dns(name),
            _ => log.push(line),
        }
    }
    match Filter::compile(&settings) {
        Ok(filter) => follow(&filter, &log),
        Err(error) => check_error(&settings, &error),
    }
});

fn use_dns(name: &str) -> UseDns {
    match name {
        "no" => UseDns::No,
        "raw" => UseDns::Raw,
        "yes" => UseDns::Yes,
        _ => UseDns::Warn,
    }
}

fn check_error(settings: &Settings, error: &Error) {
    let none = String::new();
    let value = match error.place {
        Place::Prefregex => settings.prefregex.as_ref(),
        Place::Failregex(0) if settings.failregex.is_empty() => Some(&none),
        Place::Failregex(index) => settings.failregex.get(index),
        Place::Ignoreregex(index) => settings.ignoreregex.get(index),
        _ => None,
    };
    let value = value.expect("an error in a part that there is");
    assert!(!error.reason.is_empty() && !error.remedy.is_empty());
    if let Some(span) = &error.span {
        assert!(value.get(span.clone()).is_some(), "{span:?} is not in {value:?}: {error}");
    }
}

fn follow(filter: &Filter, log: &[&str]) {
    let matcher = Matcher::new(&[filter]);
    let (mut all, mut some) = (State::default(), State::default());
    let mut now = Timestamp::from_secs(1_709_208_000);
    for text in log {
        let line = Line { text, whole: text };
        let verdict = filter.follow(line, &mut all, now);
        check(filter, &verdict);
        let asked = match matcher.candidates(text).contains(0) {
            true => filter.follow(line, &mut some, now),
            // What is ignored before a failregex was asked changes nothing.
            false if matches!(verdict, Verdict::Ignored { failure: None, .. }) => verdict.clone(),
            false => Verdict::Miss,
        };
        assert_eq!(verdict, asked, "the matcher changes what {text:?} is for {:?}", filter.settings());
        let failregexes = filter.settings().failregex.len();
        assert!(filter.matching(text).iter().all(|&failregex| failregex < failregexes));
        now = now + PAUSE;
    }
}

fn check(filter: &Filter, verdict: &Verdict<'_>) {
    let settings = filter.settings();
    let failregex = match verdict {
        Verdict::Miss => return,
        Verdict::Noted { failregex } | Verdict::Pending { failregex } => *failregex,
        Verdict::Ignored { failure, ignoreregex } => {
            assert!(*ignoreregex < settings.ignoreregex.len());
            return failure.iter().for_each(|failure| check_failure(failure, settings.use_dns));
        }
        Verdict::Failure(failure) => {
            check_failure(failure, settings.use_dns);
            failure.failregex
        }
    };
    assert!(failregex < settings.failregex.len());
}

fn check_failure(failure: &Failure<'_>, use_dns: UseDns) {
    match &failure.who {
        Who::Prefix(prefix) => assert_eq!(*prefix, prefix.to_string().parse().expect("a prefix as written")),
        Who::Name(name) => assert!(!name.is_empty() && matches!(use_dns, UseDns::Yes | UseDns::Warn)),
        Who::Id(_) => {}
    }
    assert!(failure.user.as_ref().is_none_or(|user| !user.is_empty()));
}
