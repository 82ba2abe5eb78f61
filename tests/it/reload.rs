//! A new configuration for a running daemon: what it keeps, what it takes over, what it refuses.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;

use super::env::{Answer, BASE, Daemon, Env, PUBLISH, SASL, ask_listing, failure, until};

/// The jail of [`SASL`] and another one on a log of its own.
const TWO_JAILS: &str = "
[jail.postfix-sasl]
logpath = 'log/mail.log'
maxretry = 3

[jail.second]
filter = 'postfix-sasl'
logpath = 'log/second.log'
maxretry = 1
start = 'head'
";

/// Another text, and another zone.
const TWO_ZONES: &str = "
[[zone]]
origin = 'bl.example.'
ns = 'ns.bl.example.'
[[zone.publish]]
jails = '*'
code = '127.0.0.4'
text = 'another text'

[[zone]]
origin = 'other.example.'
ns = 'ns.other.example.'
[[zone.publish]]
jails = '*'
code = '127.0.0.9'
";

/// Asks without a pause for an address that is listed all the time.
struct Asker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Asker {
    fn start(daemon: &Daemon, address: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (server, stopped) = (daemon.dns(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut asked = 0;
            let mut wrong = Vec::new();
            while !stopped.load(Ordering::Relaxed) || asked < 100 {
                asked += 1;
                match ask_listing(server, address, RecordType::A) {
                    Ok(Answer { codes, .. })
                        if codes == ["127.0.0.4".parse::<std::net::Ipv4Addr>().unwrap()] => {}
                    other => wrong.push(format!("{other:?}")),
                }
            }
            wrong
        });
        Self { stop, thread }
    }

    /// Fails if any query was answered wrongly, or not at all.
    #[track_caller]
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.thread.join().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[track_caller]
fn reload(env: &Env, daemon: &Daemon, configuration: &str) {
    env.configure(configuration);
    let told = || daemon.messages().matches("the configuration was read again").count();
    let before = told();
    daemon.signal(Signal::SIGHUP);
    until("the configuration is in force", || told() > before);
}

#[test]
fn a_good_configuration_takes_over_what_was_counted() {
    let env = Env::new(SASL);
    let (mail, second) = (env.log("mail.log"), env.log("second.log"));
    mail.append("");
    let daemon = env.start();
    mail.append(&(failure("198.51.100.1").repeat(3) + &failure("198.51.100.2").repeat(2)));
    until("the ban is answered", || daemon.lists("198.51.100.1"));
    let asker = Asker::start(&daemon, "198.51.100.1");

    second.append(&failure("198.51.100.3"));
    reload(&env, &daemon, &format!("{TWO_JAILS}{TWO_ZONES}"));
    assert_eq!(daemon.ask("198.51.100.1", RecordType::TXT).texts, ["another text"]);
    assert_eq!(daemon.ask_name("1.100.51.198.other.example.", RecordType::A).codes.len(), 1);
    until("the new source is read", || daemon.lists("198.51.100.3"));
    mail.append(&failure("198.51.100.2"));
    until("failures before and after are counted", || daemon.lists("198.51.100.2"));

    // A jail that is gone keeps its bans, and finds its log where it was left when it comes back.
    let (_, only_second) = TWO_JAILS.split_once("maxretry = 3").unwrap();
    reload(&env, &daemon, &format!("{only_second}{PUBLISH}"));
    mail.append(&failure("198.51.100.4").repeat(3));
    second.append(&failure("198.51.100.5"));
    until("the second jail is at work", || daemon.lists("198.51.100.5"));
    assert!(!daemon.lists("198.51.100.4") && daemon.lists("198.51.100.2"));
    reload(&env, &daemon, &format!("{TWO_JAILS}{PUBLISH}"));
    until("what was written meanwhile is read", || daemon.lists("198.51.100.4"));

    asker.stop();
    assert!(daemon.terminate().success());
    assert_eq!(env.counted(), 11);
}

#[test]
fn a_broken_configuration_leaves_the_old_one_in_force() {
    let env = Env::new(SASL);
    let log = env.log("mail.log");
    log.append("");
    let daemon = env.start();
    log.append(&failure("198.51.100.1").repeat(3));
    until("the ban is answered", || daemon.lists("198.51.100.1"));
    let asker = Asker::start(&daemon, "198.51.100.1");

    env.configure(&format!("{SASL}bantimes = 5\nfindtime = 'soon'\n{PUBLISH}"));
    daemon.signal(Signal::SIGHUP);
    until("the refusal is told", || daemon.messages().contains("the one before stays in force"));
    let messages = daemon.messages();
    for place in ["banzone.toml:15:1: unknown key", "banzone.toml:16:12: "] {
        assert!(messages.contains(place), "{messages}");
    }
    let refused = env.request("POST", "/api/v1/reload", "");
    assert_eq!(refused.status, 422);
    let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{problem}");
    assert!(errors[0].as_str().unwrap().contains("did you mean `bantime`?"), "{problem}");

    log.append(&failure("198.51.100.2").repeat(3));
    until("the old configuration counts", || daemon.lists("198.51.100.2"));
    env.configure(&format!("{SASL}{TWO_ZONES}"));
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    assert_eq!(daemon.ask("198.51.100.1", RecordType::TXT).texts, ["another text"]);
    asker.stop();
    assert!(daemon.terminate().success());
}

#[test]
fn a_configuration_that_cannot_be_published_changes_nothing() {
    let env = Env::new("");
    let logging = |name| BASE.replace("[dns]", &format!("[dns]\nquery_log = {{ path = 'lib/{name}' }}"));
    env.configure_as(&logging("first.log"), PUBLISH);
    let daemon = env.start();
    let database = env.database();
    database.execute_batch("ALTER TABLE allowlist RENAME TO elsewhere").unwrap();
    env.configure_as(&logging("second.log"), TWO_ZONES);
    let refused = env.request("POST", "/api/v1/reload", "");
    assert_eq!(refused.status, 422);
    for part in ["no such table: allowlist", "the one before stays in force"] {
        assert!(refused.body.contains(part), "{part}: {}", refused.body);
    }
    assert!(!daemon.messages().contains("was read again"), "{}", daemon.messages());
    daemon.ask("203.0.113.1", RecordType::A);

    database.execute_batch("ALTER TABLE elsewhere RENAME TO allowlist").unwrap();
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    daemon.ask("203.0.113.2", RecordType::A);
    assert!(daemon.terminate().success());
    let lines = |name: &str| fs::read_to_string(env.path("lib").join(name)).unwrap();
    let (first, second) = (lines("first.log"), lines("second.log"));
    assert!(first.contains(" 1.113.0.203.bl.example A ") && !first.contains(" 2.113.0.203."), "{first}");
    assert!(second.contains(" 2.113.0.203.bl.example A ") && !second.contains(" 1.113.0.203."), "{second}");
}

#[test]
fn a_source_that_cannot_be_read_keeps_no_other_from_being_read() {
    let env = Env::new("");
    let daemon = env.start();
    let jail = |name: &str, logpath: &str| {
        format!(
            "[jail.{name}]\nfilter = 'postfix-sasl'\nlogpath = '{logpath}'\nmaxretry = 1\nstart = 'head'\n"
        )
    };
    let run = env.path("run").display().to_string();
    let [first, last] = ["first", "last"].map(|name| format!("syslog:unix://{run}/{name}"));
    let jails = jail("first", &first) + &jail("second", "log/second.log") + &jail("third", &last);
    env.log("second.log").append(&failure("198.51.100.1"));
    env.configure(&format!("{jails}{PUBLISH}"));
    // Where the folder for what they receive should be.
    let in_the_way = env.path("lib/spool");
    fs::write(&in_the_way, "").unwrap();
    let incomplete = env.request("POST", "/api/v1/reload", "");
    assert_eq!(incomplete.status, 422);
    for part in ["the rest is", &format!("{first} is not read: "), &format!("{last} is not read: ")] {
        assert!(incomplete.body.contains(part), "{part}: {}", incomplete.body);
    }
    until("the source between them is read", || daemon.lists("198.51.100.1"));

    fs::remove_file(in_the_way).unwrap();
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    assert!(daemon.terminate().success());
}

#[test]
fn what_takes_a_restart_is_told() {
    let env = Env::new(SASL);
    let daemon = env.start();
    let base = BASE.replace("127.0.0.1:0", "127.0.0.2:0").replace("control.sock", "other.sock");
    env.configure_as(&base, &format!("{SASL}{TWO_ZONES}"));
    let warnings = env.request("POST", "/api/v1/reload", "").json()["warnings"].to_string();
    let messages = daemon.messages();
    for what in ["[dns] listen", "[control] socket"] {
        assert!(warnings.contains(what), "{what}: {warnings}");
        let warned = messages
            .lines()
            .any(|line| line.contains("WARN") && line.contains(what) && line.contains("restart"));
        assert!(warned, "{what}: {messages}");
    }
    assert_eq!(daemon.ask_name("2.0.0.127.other.example.", RecordType::A).codes.len(), 1);
    assert_eq!(env.get("/readyz").status, 200);
    assert!(daemon.terminate().success());
}

/// A zone with one key, of whose questions two a day are answered.
const KEYED: &str = "
[[zone]]
origin = 'keys.example.'
ns = 'ns.keys.example.'
key_files = 'keys.txt'
[[zone.publish]]
jails = '*'
";

#[test]
fn keys_keep_what_was_used_of_them() {
    let (old, new) = ("0123456789abcdef", "fedcba9876543210");
    let env = Env::new(&format!("{SASL}{KEYED}"));
    fs::write(env.path("keys.txt"), format!("acme {old} queries_per_day=2\n")).unwrap();
    let daemon = env.start();
    let rcode = |key: &str| daemon.ask_name(&format!("2.0.0.127.{key}.keys.example."), RecordType::A).rcode;
    assert_eq!(rcode(new), ResponseCode::Refused);
    assert_eq!(rcode(old), ResponseCode::NoError);
    // The owner gets another key, and not another day.
    fs::write(env.path("keys.txt"), format!("acme {new} queries_per_day=2\n")).unwrap();
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    assert_eq!(rcode(old), ResponseCode::Refused);
    assert_eq!([rcode(new), rcode(new)], [ResponseCode::NoError, ResponseCode::Refused]);
    let metrics = env.get("/metrics").body;
    for figure in [
        "banzone_dns_key_answered_total{zone=\"keys.example.\",key=\"acme\"} 2\n",
        "banzone_dns_key_over_quota_total{zone=\"keys.example.\",key=\"acme\"} 1\n",
        "banzone_dns_refused_total{reason=\"key\"} 2\n",
        "banzone_dns_refused_total{reason=\"quota\"} 1\n",
    ] {
        assert!(metrics.contains(figure), "{figure}{metrics}");
    }
    assert!(![old, new].iter().any(|key| metrics.contains(key) || daemon.messages().contains(key)));
    assert!(daemon.terminate().success());
}
