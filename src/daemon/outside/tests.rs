//! Questions through a queue and back to where the pipeline would take the answers, with a resolver of the test's.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::Receiver;

use super::*;
use crate::ip::PrefixSet;
use crate::jail::IgnoreCache;

/// Long enough on any machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Knows one host, and counts how often it was asked.
struct Book(Arc<AtomicUsize>);

impl Resolve for Book {
    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.0.fetch_add(1, Relaxed);
        let known = ["192.0.2.1", "2001:db8::1", "192.0.2.1"].map(|address| address.parse().unwrap());
        if name == "host.example" { Ok(known.into()) } else { Err(io::Error::other("no such host")) }
    }

    fn name(&self, _: IpAddr) -> Option<String> {
        Some("host.example".to_owned())
    }
}

struct World {
    outside: Arc<Outside>,
    answers: Receiver<Input>,
    asked: Arc<AtomicUsize>,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        let asked = Arc::default();
        let clock = Clock::at(Timestamp::from_secs(1000));
        let (send, answers) = sync_channel(super::super::pipeline::QUEUE);
        let outside = Outside::new(Box::new(Book(Arc::clone(&asked))), clock.clone(), send);
        Self { outside, answers, asked, clock }
    }

    /// What comes back for one question.
    fn answer(&self, question: Question) -> Answer {
        self.outside.ask(ask(question));
        match self.answers.recv_timeout(DEADLINE).unwrap() {
            Input::Answered(_, answer) => answer,
            _ => panic!("no answer"),
        }
    }

    fn addresses(&self, name: &str) -> Vec<String> {
        let question = Question::Addresses { name: name.to_owned(), tell: true };
        let Answer::Addresses(addresses) = self.answer(question) else { panic!("no addresses") };
        addresses.iter().map(Prefix::to_string).collect()
    }

    fn learned(&self) -> Vec<(String, Vec<String>)> {
        let Input::Learned(learned) = self.answers.recv_timeout(DEADLINE).unwrap() else {
            panic!("not learned")
        };
        let shown = |set: &PrefixSet| set.iter().map(|prefix| prefix.to_string()).collect();
        learned.iter().map(|(jail, set)| (jail.to_string(), shown(set))).collect()
    }
}

fn ask(question: Question) -> Ask {
    let time = Timestamp::from_secs(999);
    Ask { jail: "sasl".into(), question, time, user: None, lines: vec!["line".to_owned()] }
}

fn excused(command: &Arc<IgnoreCommand>, address: &str) -> Question {
    Question::Excused { prefix: address.parse().unwrap(), command: Arc::clone(command) }
}

fn command(text: &str, cache: Option<IgnoreCache>) -> Arc<IgnoreCommand> {
    Arc::new(IgnoreCommand { command: text.to_owned(), cache })
}

#[test]
fn names_are_looked_up_once_in_a_while_also_unknown_ones() {
    let world = World::new();
    for _ in 0..2 {
        assert_eq!(world.addresses("Host.example"), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(world.addresses("nobody.example"), [""; 0]);
    }
    assert_eq!(world.asked.load(Relaxed), 2);
    world.clock.set(Timestamp::from_secs(1300));
    assert_eq!(world.addresses("host.example").len(), 2);
    assert_eq!(world.asked.load(Relaxed), 3);
    assert_eq!(world.addresses(&"x".repeat(300)), [""; 0]);
    assert_eq!(world.asked.load(Relaxed), 3, "nobody is asked for what can be no name");
    let [names, commands] = &world.outside.views()[..] else { panic!("two kinds") };
    assert_eq!((names.asked, names.failed, names.dropped, commands.asked), (6, 2, 0, 0));
}

#[test]
fn a_command_is_asked_once_for_each_key() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let text = format!("echo <ip> >> {}; test <ip> = 192.0.2.1", runs.display());
    let cache =
        IgnoreCache { key: "<F-USER>@<ip-host>".to_owned(), max_count: 10, max_time: Duration::from_secs(5) };
    let (plain, cached) = (command(&text, None), command(&text, Some(cache)));
    for (command, address, expected) in [
        (&plain, "192.0.2.1", true),
        (&plain, "192.0.2.2", false),
        (&cached, "192.0.2.1", true),
        // The same host by the key.
        (&cached, "192.0.2.2", true),
        (&plain, "192.0.2.2", false),
    ] {
        assert_eq!(world.answer(excused(command, address)), Answer::Excused(expected), "{address}");
    }
    world.clock.set(Timestamp::from_secs(1005));
    assert_eq!(world.answer(excused(&cached, "192.0.2.2")), Answer::Excused(false));
    assert_eq!(std::fs::read_to_string(runs).unwrap().lines().count(), 5);
    assert_eq!(world.answer(excused(&command("exit 3", None), "192.0.2.1")), Answer::Excused(false));
    assert_eq!(world.outside.views()[1].failed, 1);
}

#[test]
fn a_flood_by_one_address_is_one_question_and_drops_nobody_else() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text =
        format!("echo <ip> >> {}; until test -e {}; do sleep 0.01; done; false", path("runs"), path("go"));
    let slow = command(&text, None);
    for _ in 0..10 * queue::ASKS {
        world.outside.ask(ask(excused(&slow, "192.0.2.1")));
    }
    for number in 2..100 {
        world.outside.ask(ask(excused(&slow, &format!("192.0.2.{number}"))));
    }
    let view = &world.outside.views()[1];
    assert_eq!(view.asked, 10 * queue::ASKS as u64 + 98);
    // Whether some of the first hundred are being asked about already is chance.
    let most = 9 * queue::ASKS as u64;
    assert!(view.dropped <= most && view.dropped >= most - queue::ASKS as u64, "{view:?}");
    std::fs::write(path("go"), "").unwrap();
    let mut others = std::collections::BTreeSet::new();
    for _ in 0..view.asked - view.dropped {
        let Input::Answered(ask, Answer::Excused(false)) = world.answers.recv_timeout(DEADLINE).unwrap()
        else {
            panic!("not excused")
        };
        let Question::Excused { prefix, .. } = ask.question else { panic!("another question") };
        others.insert(prefix);
    }
    assert_eq!(others.len(), 99);
    let runs = std::fs::read_to_string(path("runs")).unwrap();
    assert!(runs.lines().filter(|line| *line == "192.0.2.1").count() <= 2, "{runs}");
}

#[test]
fn other_words_are_another_question_of_the_same_address() {
    let queue = Queue::new("ignore_command");
    let command = command("test <F-USER> = monitor", None);
    let by =
        |user: &str, address: &str| Ask { user: Some(user.to_owned()), ..ask(excused(&command, address)) };
    for (user, address) in [("a", "192.0.2.1"), ("b", "192.0.2.1"), ("a", "192.0.2.1"), ("c", "192.0.2.2")] {
        assert!(queue.push(by(user, address)));
    }
    let mut turns = Vec::new();
    while queue.waiting() > 0 {
        let group = queue.next().unwrap();
        turns.push(group.asks().map(|ask| ask.user.clone().unwrap()).collect::<String>());
        queue.done(&group);
    }
    assert_eq!(turns, ["aa", "c", "b"], "nobody is asked about twice in a row while others wait");
}

#[test]
fn what_finds_no_room_is_dropped_and_counted() {
    let name = |number: usize| Question::Addresses { name: format!("{number}.example"), tell: false };
    let queue = Queue::new("host name");
    let taken = (0..queue::TOPICS + 10).filter(|number| queue.push(ask(name(*number)))).count();
    assert_eq!((taken, queue.view().dropped), (queue::TOPICS, 10));
    let long = |number| Ask { lines: vec!["x".repeat(1 << 20)], ..ask(name(number)) };
    let queue = Queue::new("host name");
    assert_eq!((0..100).filter(|number| queue.push(long(*number))).count(), 63, "in all 64 MiB");
    let group = queue.next().unwrap();
    assert!(!queue.push(long(0)), "those being asked about are in memory too");
    queue.done(&group);
    assert!(queue.push(long(0)));
    queue.close();
    assert!(queue.next().is_none() && queue.waiting() == 0);
}

#[test]
fn who_never_fails_by_name_or_file_is_known_before_anything_is_read() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spared");
    std::fs::write(&file, "198.51.100.0/24 # office").unwrap();
    let settings = |names: &[&str], files: &[&std::path::Path]| Settings {
        ignore_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ignore_files: files.iter().map(|path| path.to_path_buf()).collect(),
        ..Settings::plain("sasl")
    };
    world.outside.learn(&[settings(&["host.example", "nobody.example"], &[&file])]);
    assert_eq!(world.learned(), [("sasl".to_owned(), vec!["198.51.100.0/24".to_owned()])]);
    let all = ["192.0.2.1", "198.51.100.0/24", "2001:db8::1"].map(str::to_owned).to_vec();
    assert_eq!(world.learned(), [("sasl".to_owned(), all)]);
    // Without rules nothing is learned, and what was is forgotten.
    world.outside.learn(&[Settings::plain("sasl")]);
    assert_eq!(world.learned(), []);
}

#[test]
fn messages_of_a_kind_are_few() {
    let mut said = Said::default();
    let many = (0..100).filter(|second| said.one_more("kind", Timestamp::from_secs(*second))).count();
    assert_eq!(many, 2 * MESSAGES as usize);
    assert!(said.one_more("other", Timestamp::from_secs(0)));
}
