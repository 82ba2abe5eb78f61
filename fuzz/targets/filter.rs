//! Any filter on any text. Each line of the input is a part of a filter, said by its first byte: `d` the daemon, `f` a
//! failregex, `i` an ignoreregex, `n` begins another filter; what begins otherwise is a text to look at.
//!
//! Filters compile or say what is wrong with which part, a failure is what the text says, and no failure is lost by
//! asking the matcher first.

#![no_main]

use banzone::filter::{Error, Filter, Matcher, Place, Settings, Verdict, Who};
use libfuzzer_sys::fuzz_target;

/// Each filter takes time to compile; more of them find nothing else.
const MOST_FILTERS: usize = 4;
const MOST_PATTERNS: usize = 4;

fuzz_target!(|input: &str| {
    let mut filters = vec![settings()];
    let mut texts = Vec::new();
    for line in input.split('\n') {
        let Some(last) = filters.last_mut() else { return };
        match line.split_at_checked(1) {
            Some(("d", daemon)) => last.daemon = Some(daemon.to_owned()),
            Some(("f", pattern)) if last.failregex.len() < MOST_PATTERNS => {
                last.failregex.push(pattern.to_owned())
            }
            Some(("i", pattern)) if last.ignoreregex.len() < MOST_PATTERNS => {
                last.ignoreregex.push(pattern.to_owned())
            }
            Some(("n", _)) if filters.len() < MOST_FILTERS => filters.push(settings()),
            _ => texts.push(line),
        }
    }
    let compiled: Vec<Filter> = filters.iter().filter_map(compile).collect();
    let matcher = Matcher::new(&compiled.iter().collect::<Vec<_>>());
    for text in texts {
        let candidates = matcher.candidates(text);
        for (index, filter) in compiled.iter().enumerate() {
            let verdict = filter.check(text);
            let lost = verdict != Verdict::Miss && !candidates.contains(index);
            assert!(!lost, "the matcher loses {text:?} for {:?}", filter.settings());
            check(filter, verdict, text);
        }
    }
});

fn settings() -> Settings {
    Settings { name: "fuzz".to_owned(), ..Settings::default() }
}

fn compile(settings: &Settings) -> Option<Filter> {
    Filter::compile(settings).map_err(|error| check_error(settings, &error)).ok()
}

fn check_error(settings: &Settings, error: &Error) {
    let none = String::new();
    let value = match error.place {
        Place::Daemon => settings.daemon.as_ref(),
        Place::Failregex(0) if settings.failregex.is_empty() => Some(&none),
        Place::Failregex(index) => settings.failregex.get(index),
        Place::Ignoreregex(index) => settings.ignoreregex.get(index),
        Place::Prefregex | Place::Datepattern(_) | Place::Timezone => None,
    };
    let value = value.expect("an error in a part that there is");
    assert!(!error.reason.is_empty() && !error.remedy.is_empty());
    if let Some(span) = &error.span {
        assert!(value.get(span.clone()).is_some(), "{span:?} is not in {value:?}: {error}");
    }
}

fn check(filter: &Filter, verdict: Verdict<'_>, text: &str) {
    let failure = match verdict {
        Verdict::Miss => return,
        Verdict::Ignored { failure, ignoreregex } => {
            assert!(ignoreregex < filter.settings().ignoreregex.len());
            failure.expect("a failregex is asked first")
        }
        Verdict::Failure(failure) => failure,
        Verdict::Noted { .. } | Verdict::Pending { .. } => unreachable!("there are no connections"),
    };
    assert!(failure.failregex < filter.settings().failregex.len());
    let Who::Prefix(prefix) = failure.who else { unreachable!("an address is whole or none") };
    assert_eq!(prefix, prefix.to_string().parse().expect("a prefix as written"));
    if let Some(user) = failure.user {
        assert!(!user.is_empty() && text.contains(&*user));
    }
}
