//! Failures that wait for an answer from outside.

use super::*;

/// Lets the jail `sasl` take what a filter found, and shows what it asks and changes.
fn find(jails: &mut Jails, who: crate::filter::Who, second: i64) -> (Vec<Ask>, Vec<String>) {
    let mut effects = Effects::default();
    let user = Some("joe".into());
    let failure = crate::filter::Failure {
        who,
        user,
        users: Vec::new(),
        failregex: 0,
        earlier: vec!["before".to_owned()],
        excused: false,
    };
    jails.found(
        "sasl",
        &crate::jail::Found { failure, time: at(second), line: "line" },
        at(second),
        &mut effects,
    );
    (effects.asks, effects.changes.iter().map(show).collect())
}

fn answer(
    jails: &mut Jails,
    ask: &Ask,
    answer: &crate::jail::Answer,
    second: i64,
) -> (Vec<Ask>, Vec<String>) {
    let mut effects = Effects::default();
    jails.answered(ask, answer, at(second), &mut effects);
    (effects.asks, effects.changes.iter().map(show).collect())
}

#[test]
fn a_host_name_fails_with_each_of_its_addresses_at_the_time_of_the_line() {
    use crate::filter::Who;
    use crate::jail::Answer;
    let mut jails = jails(vec![Settings { maxretry: 1, ..settings("sasl") }]);
    let (asks, changes) = find(&mut jails, Who::Name("host.example".to_owned()), 100);
    assert_eq!(changes, [""; 0]);
    let [ask] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(ask.question, Question::Addresses { name: "host.example".to_owned(), tell: true });
    assert_eq!(
        (ask.user.as_deref(), &ask.lines[..]),
        (Some("joe"), &["before".to_owned(), "line".to_owned()][..])
    );
    let addresses = ["192.0.2.1", "2001:db8::1", "127.0.0.1"].map(|address| address.parse().unwrap());
    let (asks, changes) = answer(&mut jails, ask, &Answer::Addresses(addresses.to_vec()), 130);
    assert!(asks.is_empty());
    let expected = ["sasl bans 192.0.2.1 at 100 until 3700 #1", "sasl bans 2001:db8::1 at 100 until 3700 #1"];
    assert_eq!(changes, expected);
    answer(&mut jails, ask, &Answer::Addresses(Vec::new()), 130);
    find(&mut jails, Who::Id("session 7".to_owned()), 131);
    let status = jails.status("sasl").unwrap();
    assert_eq!((status.total_failed, status.ignored, status.without_address), (2, 1, 2));
}

#[test]
fn a_command_is_asked_before_a_failure_counts() {
    use crate::filter::Who;
    use crate::jail::Answer;
    let ignore_command = Some(IgnoreCommand { command: "true".to_owned(), cache: None });
    let ignore = prefixes(&["198.51.100.0/24"]);
    let mut jails = jails(vec![Settings { maxretry: 1, ignore, ignore_command, ..settings("sasl") }]);
    let (asks, _) = find(&mut jails, Who::Prefix("198.51.100.1".parse().unwrap()), 0);
    assert!(asks.is_empty(), "what is excused already needs no command");
    let (asks, changes) = find(&mut jails, Who::Prefix("192.0.2.1".parse().unwrap()), 100);
    assert_eq!((asks.len(), changes.len()), (1, 0));
    assert_eq!(answer(&mut jails, &asks[0], &Answer::Excused(true), 101).1, [""; 0]);
    let banned = answer(&mut jails, &asks[0], &Answer::Excused(false), 101);
    assert_eq!(banned, (Vec::new(), vec!["sasl bans 192.0.2.1 at 100 until 3700 #1".to_owned()]));
    // A host name is looked up first, and then the command is asked for each address.
    let (asks, _) = find(&mut jails, Who::Name("host.example".to_owned()), 100);
    let addresses = ["192.0.2.8", "192.0.2.9"].map(|address| address.parse().unwrap());
    let (asks, changes) = answer(&mut jails, &asks[0], &Answer::Addresses(addresses.to_vec()), 101);
    assert_eq!((asks.len(), changes.len()), (2, 0));
    assert_eq!(jails.status("sasl").unwrap().ignored, 2);
}
