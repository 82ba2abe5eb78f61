//! Whole filters, and what they say of the lines of a log.

use crate::clock::Timestamp;
use crate::filter::{Dialect, Filter, Line, Settings, State, UseDns, Verdict};

fn owned(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|&pattern| pattern.to_owned()).collect()
}

fn settings(failregex: &[&str]) -> Settings {
    Settings {
        name: "sample".to_owned(),
        dialect: Dialect::Fail2ban,
        failregex: owned(failregex),
        ..Settings::default()
    }
}

/// What is said of a line: who failed, which user, with how many lines before; or in a word why nobody did.
fn said(verdict: &Verdict<'_>) -> String {
    match verdict {
        Verdict::Miss => "miss".to_owned(),
        Verdict::Ignored { ignoreregex, .. } => format!("ignored by {ignoreregex}"),
        Verdict::Noted { .. } => "noted".to_owned(),
        Verdict::Pending { .. } => "pending".to_owned(),
        Verdict::Failure(failure) => {
            let user = failure.user.as_deref().unwrap_or("-");
            format!("{} {user} {}", failure.who, failure.earlier.len())
        }
    }
}

/// Checks the verdicts on the lines of one log; each line is of the second in front of it.
fn check(settings: &Settings, log: &[(i64, &str, &str)]) {
    let filter = Filter::compile(settings).unwrap_or_else(|error| panic!("{error}"));
    let mut state = State::default();
    for (second, text, expected) in log {
        let line = Line { text, whole: text };
        let verdict = filter.follow(line, &mut state, Timestamp::from_secs(*second));
        assert_eq!(said(&verdict), *expected, "second {second}: {text}");
    }
}

#[test]
fn tags_find_who_failed() {
    let cases = [
        ("from <HOST>$", "from 192.0.2.1", "192.0.2.1 - 0"),
        ("from <HOST>$", "from [192.0.2.1]", "192.0.2.1 - 0"),
        ("from <HOST>$", "from ::ffff:192.0.2.1", "192.0.2.1 - 0"),
        ("from <HOST>$", "from [2001:DB8::1]", "2001:db8::1 - 0"),
        ("from <HOST>$", "from 2001:db8::", "2001:db8:: - 0"),
        ("from <HOST>$", "from mail.example.com", "mail.example.com - 0"),
        ("from <HOST>$", "from 192.030.0.6", "192.030.0.6 - 0"),
        ("from <ADDR>$", "from mail.example.com", "miss"),
        ("from <IP4>$", "from 2001:db8::1", "miss"),
        ("from <IP6>$", "from 2001:db8::1", "2001:db8::1 - 0"),
        ("from <DNS>$", "from 192.0.2.1", "192.0.2.1 - 0"),
        ("from <SUBNET>$", "from 192.0.2.7/24", "192.0.2.0/24 - 0"),
        ("from <ADDR>/<CIDR>$", "from 192.0.2.7/24", "192.0.2.0/24 - 0"),
        ("from <ADDR>/<CIDR>$", "from 192.0.2.7/99", "192.0.2.7 - 0"),
        ("id <F-ID/>$", "id 192.0.2.1", "192.0.2.1 - 0"),
        ("id <F-ID>\\w+</F-ID>$", "id joe", "joe - 0"),
        ("id <F-ID>\\w+</F-ID> <HOST>$", "id joe 192.0.2.1", "192.0.2.1 - 0"),
        ("<F-USER>\\w*</F-USER> <HOST>", "joe 192.0.2.1", "192.0.2.1 joe 0"),
        ("<F-USER>\\w*</F-USER> <HOST>", " 192.0.2.1", "192.0.2.1 - 0"),
        ("<F-USER>x</F-USER>?<F-ALT_USER>\\w+</F-ALT_USER> <HOST>", "y 192.0.2.1", "192.0.2.1 y 0"),
        ("(?:<F-USER>a</F-USER>|<F-ALT_USER_1>b</F-ALT_USER_1>) <HOST>", "b 192.0.2.1", "192.0.2.1 b 0"),
        ("x<F-USER/> <HOST>", "x<F-USER/> 192.0.2.1", "192.0.2.1 - 0"),
        ("</F-USER> <HOST>", "</F-USER> 192.0.2.1", "192.0.2.1 - 0"),
        ("((?i)login|plain) failed <HOST>", "LOGIN failed 192.0.2.1", "192.0.2.1 - 0"),
        ("((?i)login|plain) failed <HOST>", "LOGIN FAILED 192.0.2.1", "miss"),
        (r"^[^[]*\[<HOST>\]: \<x\>$", "y[192.0.2.1]: <x>", "192.0.2.1 - 0"),
        (r"^(?!good)\w+ <HOST>", "good 192.0.2.1", "miss"),
        (r"^(?!good)\w+ <HOST>", "bad 192.0.2.1", "192.0.2.1 - 0"),
        (r"x<HOST>\s*$", "x192.0.2.1  ", "192.0.2.1 - 0"),
    ];
    for (pattern, text, expected) in cases {
        check(&settings(&[pattern]), &[(0, text, expected)]);
    }
}

#[test]
fn names_are_worth_what_use_dns_says() {
    let named = |use_dns| Settings { use_dns, ..settings(&["from <HOST>$"]) };
    let log = |expected| [(0, "from mail.example.com", expected)];
    check(&named(UseDns::Yes), &log("mail.example.com - 0"));
    check(&named(UseDns::No), &log("miss"));
    let explicit = Settings { use_dns: UseDns::No, ..settings(&["from <DNS>$"]) };
    for raw in [named(UseDns::Raw), explicit] {
        let filter = Filter::compile(&raw).unwrap();
        let verdict = filter.check("from mail.example.com");
        let Verdict::Failure(failure) = verdict else { panic!("{verdict:?}") };
        assert_eq!(failure.who, crate::filter::Who::Id("mail.example.com".to_owned()));
    }
}

#[test]
fn a_prefregex_narrows_what_the_others_see() {
    let prefixed = Settings {
        prefregex: Some(r"^ <F-USER>\w+</F-USER>: <F-CONTENT>.+</F-CONTENT>$".to_owned()),
        ignoreregex: owned(&["^bad 192.0.2.9$"]),
        ..settings(&[r"^bad <HOST>$", r"^odd (?P<user>[a-z]+)? ?<HOST>$"])
    };
    check(
        &prefixed,
        &[
            (0, " joe: bad 192.0.2.1", "192.0.2.1 joe 0"),
            (0, " joe bad 192.0.2.1", "miss"),
            (0, " joe: odd ann 192.0.2.1", "192.0.2.1 ann 0"),
            // A group that takes no part in the match leaves that of the prefregex.
            (0, " joe: odd 192.0.2.1", "192.0.2.1 joe 0"),
            (0, " joe: bad 192.0.2.9", "ignored by 0"),
        ],
    );
}

#[test]
fn a_prefregex_may_tell_who_failed() {
    let by_prefix = Settings {
        prefregex: Some(r"^ (?:auth\(\S*,<ADDR>\): |worker: )<F-CONTENT>.+</F-CONTENT>$".to_owned()),
        ..settings(&[r"^(?:file\(\S*,<ADDR>\): )?wrong <F-USER>\w+</F-USER>"])
    };
    check(
        &by_prefix,
        &[
            (0, " auth(x,192.0.2.1): wrong joe", "192.0.2.1 joe 0"),
            (0, " auth(x,2001:db8::1): wrong joe", "2001:db8::1 joe 0"),
            (0, " auth(x,192.0.2.1): file(x,192.0.2.2): wrong joe", "192.0.2.2 joe 0"),
            (0, " worker: file(x,192.0.2.2): wrong joe", "192.0.2.2 joe 0"),
            (0, " worker: wrong joe", "pending"),
        ],
    );
}

#[test]
fn ignoreregexes_are_asked_first_where_failregexes_are_many() {
    let few = Settings { ignoreregex: owned(&["spared"]), ..settings(&["bad <HOST>"]) };
    let log = |of_others| [(0, "bad 192.0.2.1 spared", "ignored by 0"), (0, "spared", of_others)];
    check(&few, &log("miss"));
    let many = ["bad <HOST>", "b <HOST>", "c <HOST>", "d <HOST>"];
    check(&Settings { failregex: owned(&many), ..few }, &log("ignored by 0"));
}

/// What a server says of its connections, with a number for each.
fn connections() -> Settings {
    Settings {
        prefregex: Some(r"^<F-MLFID>\[\d+\]</F-MLFID> <F-CONTENT>.+</F-CONTENT>$".to_owned()),
        ..settings(&[
            "^<F-NOFAIL>connect</F-NOFAIL> from <HOST>$",
            "^failed for <F-USER>\\S+</F-USER>$",
            "^wrong password$",
            "^<F-MLFGAINED>accepted</F-MLFGAINED> <F-USER>\\S+</F-USER>$",
            "^<F-MLFFORGET><F-NOFAIL>disconnect</F-NOFAIL></F-MLFFORGET>$",
            "^<F-MLFFORGET>reset</F-MLFFORGET> by <HOST>$",
        ])
    }
}

#[test]
fn lines_of_a_connection_are_put_together() {
    let cases: &[&[(i64, &str, &str)]] = &[
        // Who connects is told first.
        &[
            (0, "[1] connect from 192.0.2.1", "noted"),
            (0, "[2] connect from 192.0.2.2", "noted"),
            (1, "[1] failed for joe", "192.0.2.1 joe 1"),
            (1, "[2] wrong password", "192.0.2.2 - 1"),
            (2, "[1] wrong password", "192.0.2.1 joe 0"),
        ],
        // Who failed is told last.
        &[(0, "[1] failed for joe", "pending"), (1, "[1] reset by 192.0.2.1", "192.0.2.1 joe 1")],
        // Nobody failed in the end.
        &[
            (0, "[1] connect from 192.0.2.1", "noted"),
            (1, "[1] accepted joe", "noted"),
            (2, "[1] disconnect", "noted"),
            (3, "[1] failed for joe", "pending"),
        ],
        // A second user is not excused.
        &[
            (0, "[1] connect from 192.0.2.1", "noted"),
            (1, "[1] failed for joe", "192.0.2.1 joe 1"),
            (2, "[1] accepted ann", "192.0.2.1 ann 0"),
        ],
        // A connection is known for five minutes, and until it is forgotten.
        &[(0, "[1] connect from 192.0.2.1", "noted"), (299, "[1] wrong password", "192.0.2.1 - 1")],
        &[(0, "[1] connect from 192.0.2.1", "noted"), (300, "[1] wrong password", "pending")],
        &[
            (0, "[1] connect from 192.0.2.1", "noted"),
            (1, "[1] disconnect", "noted"),
            (2, "[1] wrong password", "pending"),
        ],
    ];
    for log in cases {
        check(&connections(), log);
    }
}

#[test]
fn a_hundred_connections_are_known() {
    let filter = Filter::compile(&connections()).unwrap();
    let mut state = State::default();
    let mut follow =
        |text: &str| said(&filter.follow(Line { text, whole: text }, &mut state, Timestamp::from_secs(0)));
    for number in 0..100 {
        assert_eq!(follow(&format!("[{number}] connect from 192.0.2.1")), "noted");
    }
    // Another line of a connection makes it no younger.
    assert_eq!(follow("[0] wrong password"), "192.0.2.1 - 1");
    assert_eq!(follow("[100] connect from 192.0.2.1"), "noted");
    assert_eq!(follow("[0] wrong password"), "pending");
    assert_eq!(follow("[2] wrong password"), "192.0.2.1 - 1");
}

#[test]
fn patterns_stretch_over_lines() {
    let stretched = Settings {
        maxlines: 3,
        ..settings(&[r"^begin (?P<id>\d+)$<SKIPLINES>^end (?P=id) <HOST>$", "^single <HOST>$"])
    };
    check(
        &stretched,
        &[
            (0, "begin 1", "miss"),
            (0, "end 2 192.0.2.1", "miss"),
            (0, "end 1 192.0.2.1", "192.0.2.1 - 1"),
            // Both of its lines are used up, the one between them is not.
            (0, "end 1 192.0.2.1", "miss"),
            (0, "begin 2", "miss"),
            (0, "single 192.0.2.2", "192.0.2.2 - 0"),
            (0, "end 2 192.0.2.3", "192.0.2.3 - 1"),
            // Only so many lines are seen at once.
            (0, "begin 3", "miss"),
            (0, "x", "miss"),
            (0, "y", "miss"),
            (0, "end 3 192.0.2.4", "miss"),
        ],
    );
}

#[test]
fn an_ignoreregex_sees_the_lines_of_the_match() {
    let stretched = Settings {
        maxlines: 2,
        ignoreregex: owned(&["spared"]),
        ..settings(&["^a(?: spared)?$\\n^b <HOST>$"])
    };
    check(
        &stretched,
        &[
            (0, "a spared", "miss"),
            (0, "b 192.0.2.1", "ignored by 0"),
            (0, "a", "miss"),
            (0, "b 192.0.2.1", "192.0.2.1 - 1"),
        ],
    );
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let wrong = |settings: &Settings| {
        let error = Filter::compile(settings).unwrap_err();
        let span = error.span.unwrap();
        (error.place.to_string(), settings.failregex[0][span].to_owned())
    };
    let place = |at: &str| at.to_owned();
    assert_eq!(wrong(&settings(&["no address"])), (place("failregex 1"), place("no address")));
    assert_eq!(wrong(&settings(&["<HOST> (x"])), (place("failregex 1"), place("(x")));
    assert_eq!(wrong(&settings(&[r"<F-USER>\y</F-USER> <HOST>"])), (place("failregex 1"), place(r"\y")));
    assert_eq!(wrong(&settings(&["<HOST> <F-USER>x"])), (place("failregex 1"), place("<F-USER>x")));
    let empty = Settings { ignoreregex: owned(&[" "]), ..settings(&["<HOST>"]) };
    assert_eq!(Filter::compile(&empty).unwrap_err().place.to_string(), "ignoreregex 1");
}

#[test]
fn a_pattern_that_takes_too_many_steps_is_counted() {
    let filter = Filter::compile(&settings(&[r"^(?:a|a?)+(?! )\s<HOST>", "^a+ <HOST>"])).unwrap();
    let text = "a".repeat(3000) + " 192.0.2.1";
    assert_eq!(said(&filter.check(&text)), "192.0.2.1 - 0");
    let exhausted: Vec<String> =
        filter.exhausted().iter().map(|(place, count)| format!("{place}: {count}")).collect();
    assert_eq!(exhausted, ["failregex 1: 1"]);
}

/// Carries what is known from one state over into another, as a restart does.
fn carried(state: &mut State, kept: &mut std::collections::BTreeMap<String, String>) -> State {
    for (key, value) in state.take_changes() {
        match value {
            Some(value) => kept.insert(key, value),
            None => kept.remove(&key),
        };
    }
    let mut carried = State::default();
    kept.iter().for_each(|(key, value)| carried.restore(key, value));
    carried
}

#[test]
fn a_restart_between_any_two_lines_changes_nothing() {
    let stretched = Settings {
        maxlines: 3,
        ..settings(&[r"^begin (?P<id>\d+)$<SKIPLINES>^end (?P=id) <HOST>$", "^single <HOST>$"])
    };
    let lines = [
        "[1] connect from 192.0.2.1",
        "[2] failed for ann",
        "[1] failed for joe",
        "[1] accepted ann",
        "[3] connect from 192.0.2.3",
        "[3] disconnect",
        "[3] wrong password",
        "[2] reset by 192.0.2.2",
        "begin 1",
        "single 192.0.2.9",
        "end 1 192.0.2.1",
    ];
    for settings in [connections(), stretched] {
        let filter = Filter::compile(&settings).unwrap();
        let (mut through, mut restarted) = (State::default(), State::default());
        let mut kept = std::collections::BTreeMap::new();
        for text in lines {
            let line = Line { text, whole: text };
            let expected = filter.follow(line, &mut through, Timestamp::from_secs(0));
            assert_eq!(filter.follow(line, &mut restarted, Timestamp::from_secs(0)), expected, "{text}");
            restarted = carried(&mut restarted, &mut kept);
        }
        assert!(kept.len() <= 2, "{kept:?}");
    }
}
