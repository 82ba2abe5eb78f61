//! Data sets in the daemon's own zones: beside bans, followed as their files change, and never worse than they were.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::env::{Daemon, Env, PUBLISH, SASL, until};

/// A zone of bans and of one data set.
const BOTH: &str = "
[[zone]]
origin = 'bl.example.'
ns = 'ns.bl.example.'
ttl = '5m'
[[zone.publish]]
jails = '*'
code = '127.0.0.4'
text = '$ip is banned'
name = 'bans'
[[zone.dataset]]
type = 'ip4trie'
files = 'drop'
code = '127.0.0.9'
text = '$ is dropped'
ttl = '1m'
name = 'drop'
";

/// A zone of domain names and nothing else.
const NAMES: &str = "
[[zone]]
origin = 'dom.example.'
ns = 'ns.dom.example.'
[[zone.dataset]]
type = 'dnset'
files = 'names'
";

fn write(env: &Env, name: &str, text: &str) {
    fs::write(env.path(name), text).unwrap();
}

/// Where the last data set of the configuration begins.
fn place_of_last(env: &Env) -> String {
    let text = fs::read_to_string(env.config()).unwrap();
    let behind = text.lines().rev().position(|line| line == "[[zone.dataset]]").unwrap();
    format!("{}:{}:1: ", env.config().display(), text.lines().count() - behind)
}

/// `198.51.100.1` to `198.51.100.LAST`
fn addresses(last: u8) -> String {
    (1..=last).fold(String::new(), |mut text, last| {
        writeln!(text, "198.51.100.{last}").unwrap();
        text
    })
}

fn is_any_stale(env: &Env) -> bool {
    let metrics = env.get("/metrics").body;
    let mut stale = metrics.lines().filter(|line| line.starts_with("banzone_dataset_stale{"));
    stale.any(|line| line.ends_with(" 1"))
}

fn reload(env: &Env) -> u16 {
    env.request("POST", "/api/v1/reload", "").status
}

#[track_caller]
fn check(daemon: &Daemon, address: &str, codes: &[&str], texts: &[&str]) {
    let (a, txt) = (daemon.ask(address, RecordType::A), daemon.ask(address, RecordType::TXT));
    let shown: Vec<String> = a.codes.iter().map(ToString::to_string).collect();
    assert_eq!(
        (shown, txt.texts),
        (
            codes.iter().map(|code| (*code).to_owned()).collect(),
            texts.iter().map(|text| (*text).to_owned()).collect()
        ),
        "{address}"
    );
}

/// Runs another command of banzone.
fn run(env: &Env, args: &[&str]) -> (bool, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_banzone")).args(args).arg("-c").arg(env.config()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn bans_and_data_sets_answer_together() {
    let env = Env::new("");
    write(&env, "drop", "198.51.100.0/24\n203.0.113.9 :127.0.0.4:own text\n127.0.0.0/8\n10.1.1.1\n");
    write(&env, "names", ":2:$ is bad\n.bad.example\n*.worse.example :3\n");
    env.configure(&format!("{SASL}{BOTH}{NAMES}"));
    let daemon = env.start();
    env.ban(r#"{"prefix":"198.51.100.7","permanent":true}"#);
    env.ban(r#"{"prefix":"203.0.113.9","permanent":true}"#);
    check(&daemon, "198.51.100.1", &["127.0.0.9"], &["198.51.100.1 is dropped"]);
    check(
        &daemon,
        "198.51.100.7",
        &["127.0.0.4", "127.0.0.9"],
        &["198.51.100.7 is banned", "198.51.100.7 is dropped"],
    );
    // All records of a name live equally long (RFC 2181, section 5.2), and none is there twice.
    assert_eq!(daemon.ask("198.51.100.7", RecordType::A).ttl, Some(60));
    check(&daemon, "203.0.113.9", &["127.0.0.4"], &["203.0.113.9 is banned", "own text"]);
    check(&daemon, "203.0.113.1", &[], &[]);
    for (sublist, code) in [("bans", "127.0.0.4"), ("drop", "127.0.0.9")] {
        let answer = daemon.ask_name(&format!("7.100.51.198.{sublist}.bl.example."), RecordType::A);
        assert_eq!(answer.codes, [code.parse::<Ipv4Addr>().unwrap()], "{sublist}");
    }
    // The test points of RFC 5782; what is reserved is listed by no file, and 127.0.0.1 never.
    check(&daemon, "127.0.0.9", &["127.0.0.9"], &["127.0.0.9 is dropped"]);
    check(
        &daemon,
        "127.0.0.2",
        &["127.0.0.4", "127.0.0.9"],
        &["127.0.0.2 is banned", "127.0.0.2 is dropped"],
    );
    for never in ["127.0.0.1", "127.0.0.3", "10.1.1.1"] {
        check(&daemon, never, &[], &[]);
    }
    // The allowlist wins over files as well.
    assert_eq!(env.request("POST", "/api/v1/allow", r#"{"prefix":"198.51.100.7"}"#).status, 200);
    check(&daemon, "198.51.100.7", &[], &[]);

    let names = |name: &str| daemon.ask_name(&format!("{name}.dom.example."), RecordType::TXT);
    assert_eq!(names("a.bad.example").texts, ["bad.example is bad"]);
    assert_eq!(names("worse.example").rcode, ResponseCode::NoError);
    assert_eq!(names("test").rcode, ResponseCode::NoError);
    assert_eq!(names("invalid").rcode, ResponseCode::NXDomain);

    let (_, address, _) = run(&env, &["lookup", "198.51.100.1"]);
    assert!(address.contains("/drop  127.0.0.9  198.51.100.1 is dropped"), "{address}");
    let (_, name, _) = run(&env, &["lookup", "x.bad.example"]);
    assert!(name.contains("dom.example  dnset ") && name.contains("127.0.0.2  bad.example is bad"), "{name}");
    assert!(run(&env, &["lookup", "good.example"]).1.contains("Not listed"));
    let metrics = env.get("/metrics").body;
    for figure in
        ["banzone_dataset_entries{zone=\"bl.example.\",set=\"ip4trie ", "\"} 4\n", "banzone_dataset_stale{"]
    {
        assert!(metrics.contains(figure), "{figure}: {metrics}");
    }
    assert!(daemon.terminate().success());
}

#[test]
fn files_are_followed_and_good_data_is_kept() {
    let env = Env::new("");
    write(&env, "drop", &addresses(1));
    write(&env, "names", "one.example\n");
    env.configure(&format!("{BOTH}{NAMES}"));
    let daemon = env.start();
    assert!(daemon.lists("198.51.100.1") && !daemon.lists("198.51.100.2"));
    let stale = || is_any_stale(&env);
    assert!(!stale());
    // By another file in its place, as rsync does it.
    write(&env, "new", &addresses(200));
    fs::rename(env.path("new"), env.path("drop")).unwrap();
    until("the new file is served", || daemon.lists("198.51.100.2"));

    write(&env, "drop", &addresses(20));
    until("the small file is refused", || daemon.messages().contains("has 20 entries where there were 200"));
    assert!(daemon.lists("198.51.100.199") && stale());
    // A file that was refused is read again only when it changes, whatever the others do.
    for name in ["two.example", "three.example"] {
        write(&env, "names", name);
        let asked = format!("{name}.dom.example.");
        until("another file is looked at", || !daemon.ask_name(&asked, RecordType::A).codes.is_empty());
    }
    let metrics = env.get("/metrics").body;
    let failed = metrics.lines().filter(|line| line.starts_with("banzone_dataset_failed_loads_total{"));
    assert_eq!(failed.filter(|line| line.ends_with(" 1")).count(), 1, "{metrics}");
    let ready = env.get("/readyz");
    assert_eq!(ready.status, 200);
    assert!(
        ready.body.contains("warning: zone bl.example.: ") && ready.body.contains("/drop has 20 "),
        "{}",
        ready.body
    );
    fs::remove_file(env.path("drop")).unwrap();
    until("the file is missed", || daemon.messages().contains("cannot read"));
    // Damaged: it begins as gzip does, and is none.
    write(&env, "new", "\x1f\u{b}");
    fs::write(env.path("new"), [0x1f, 0x8b, 1, 2, 3]).unwrap();
    fs::rename(env.path("new"), env.path("drop")).unwrap();
    until("the damage is found", || daemon.messages().contains("it cannot be unpacked"));
    write(&env, "drop", "no addresses\n");
    until("the garbage is refused", || daemon.messages().contains("has 1 wrong lines and 0 right ones"));
    assert_eq!(daemon.messages().matches("entries where there were").count(), 1);
    assert!(daemon.lists("198.51.100.199"));

    // Somebody says that it is right so.
    write(&env, "drop", &addresses(3));
    assert_eq!(reload(&env), 200);
    assert!(!daemon.lists("198.51.100.199") && daemon.lists("198.51.100.3") && !stale());
    assert!(daemon.terminate().success());
}

#[test]
fn small_files_are_kept_from_damage_too() {
    let env = Env::new("");
    write(&env, "drop", "198.51.100.1\n");
    write(&env, "more", "198.51.100.2\n");
    env.configure(&BOTH.replace("'drop'\ncode", "['drop', 'more']\ncode"));
    let daemon = env.start();
    let keeps_both = || {
        let is_kept = daemon.lists("198.51.100.1") && daemon.lists("198.51.100.2");
        assert!(is_kept && is_any_stale(&env), "{}", daemon.messages());
    };
    let reloaded = || {
        let (is_done, _, messages) = run(&env, &["reload"]);
        assert!(is_done && messages.contains("in force"), "{messages}");
        messages
    };
    assert!(!is_any_stale(&env) && !reloaded().contains("warning: "));

    // One file that is empty, or has a head and nothing more: whether that is right so is for a person to say.
    for head in ["", ":5:$ is bad\n"] {
        write(&env, "more", head);
        until("the empty file is refused", || is_any_stale(&env));
        assert!(daemon.messages().contains("/more has 0 entries where there were 1"));
        keeps_both();
        assert!(!reloaded().contains("warning: "));
        assert!(!is_any_stale(&env) && daemon.lists("198.51.100.1") && !daemon.lists("198.51.100.2"));
        write(&env, "more", "198.51.100.2\n");
        until("the file is taken", || daemon.lists("198.51.100.2"));
    }

    // What is no list at all does not become one by a reload.
    write(&env, "drop", "<html>\n198.51.100.7\n</html>\n");
    let garbled = "/drop has 2 wrong lines and 1 right ones";
    until("the garbage is refused", || daemon.messages().contains(garbled));
    keeps_both();
    let messages = reloaded();
    assert!(messages.contains("warning: zone bl.example.: ") && messages.contains(garbled), "{messages}");
    keeps_both();
    fs::remove_file(env.path("drop")).unwrap();
    assert!(reloaded().contains("/drop: No such file"));
    keeps_both();
    assert!(daemon.terminate().success());
}

#[test]
fn data_sets_come_and_go_with_a_reload() {
    let env = Env::new("");
    write(&env, "drop", &addresses(1));
    env.configure(BOTH);
    let daemon = env.start();
    let rcode = |name: &str| daemon.ask_name(name, RecordType::A).rcode;
    assert_eq!(rcode("bad.example.dom.example."), ResponseCode::Refused);
    // A file that is not there is an error of the configuration, which stays as it was.
    env.configure(&format!("{BOTH}{NAMES}"));
    let refused = env.request("POST", "/api/v1/reload", "");
    assert_eq!(refused.status, 422);
    let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
    let error = problem["errors"][0].as_str().unwrap();
    assert!(error.starts_with(&place_of_last(&env)) && error.contains("/names"), "{error}");
    assert!(daemon.lists("198.51.100.1"));

    write(&env, "names", "bad.example\n");
    write(&env, "clients", "127.0.0.1 :refuse\n");
    let with_acl = format!("{BOTH}[[zone.dataset]]\ntype = 'acl'\nfiles = 'clients'\n{NAMES}");
    env.configure(&with_acl);
    assert_eq!(reload(&env), 200);
    assert_eq!(rcode("bad.example.dom.example."), ResponseCode::NoError);
    assert_eq!(rcode("1.100.51.198.bl.example."), ResponseCode::Refused);
    write(&env, "clients", "127.0.0.1 :pass\n");
    until("the list of clients is followed", || rcode("1.100.51.198.bl.example.") == ResponseCode::NoError);

    // A data set that was there before does not go because its file does.
    fs::remove_file(env.path("names")).unwrap();
    assert_eq!(reload(&env), 200);
    assert_eq!(rcode("bad.example.dom.example."), ResponseCode::NoError);
    env.configure(PUBLISH);
    assert_eq!(reload(&env), 200);
    assert!(!daemon.lists("198.51.100.1"));
    assert_eq!(rcode("bad.example.dom.example."), ResponseCode::Refused);
    assert!(daemon.terminate().success());
}

#[test]
fn the_start_does_not_fail_for_a_file() {
    let env = Env::new("");
    let guarded = format!("{BOTH}[[zone.dataset]]\ntype = 'acl'\nfiles = 'clients'\n");
    env.configure(&format!("{guarded}{NAMES}"));
    let daemon = env.start();
    let messages = daemon.messages();
    assert!(
        messages.contains("ERROR") && messages.contains("a data set is not served: cannot read "),
        "{messages}"
    );
    // Who may ask is not known; and a zone of nothing but this file has nothing to say.
    let rcode = |name: &str| daemon.ask_name(name, RecordType::A).rcode;
    assert_eq!(rcode("2.0.0.127.bl.example."), ResponseCode::Refused);
    assert_eq!(rcode("bad.example.dom.example."), ResponseCode::ServFail);
    // Nor does a reload, unless it brings another one that is missing.
    env.configure(&format!("{guarded}{NAMES}{}", NAMES.replace("dom", "new")));
    assert_eq!(reload(&env), 422);
    env.configure(&format!("{guarded}{NAMES}{}", PUBLISH.replace("bl.example", "other.example")));
    assert_eq!(reload(&env), 200);
    assert_eq!(rcode("2.0.0.127.other.example."), ResponseCode::NoError);
    assert_eq!(rcode("2.0.0.127.bl.example."), ResponseCode::Refused);
    write(&env, "clients", "0/0 :pass\n");
    write(&env, "names", "bad.example\n");
    until("the files are found", || {
        rcode("2.0.0.127.bl.example.") == ResponseCode::NoError
            && rcode("bad.example.dom.example.") == ResponseCode::NoError
    });
    assert!(daemon.terminate().success());
}

#[test]
fn nobody_may_ask_where_the_list_of_clients_makes_no_sense() {
    let env = Env::new("");
    write(&env, "clients", "everybody may ask\n");
    env.configure(&format!("{PUBLISH}[[zone.dataset]]\ntype = 'acl'\nfiles = 'clients'\n"));
    let daemon = env.start();
    let rcode = || daemon.ask("127.0.0.2", RecordType::A).rcode;
    assert_eq!(rcode(), ResponseCode::Refused);
    let messages = daemon.messages();
    assert!(messages.contains("clients has 1 wrong lines and 0 right ones; correct it"), "{messages}");
    write(&env, "clients", "127/8 :pass\n");
    until("the list is read again", || rcode() == ResponseCode::NoError);
    assert!(daemon.terminate().success());
}

#[test]
fn keys_of_a_file_are_followed() {
    let env = Env::new("");
    write(&env, "drop", &addresses(1));
    env.configure(&format!("{BOTH}[[zone.dataset]]\ntype = 'aclkey'\nfiles = 'keys'\n"));
    let daemon = env.start();
    let rcode = |name: &str| daemon.ask_name(name, RecordType::A).rcode;
    // The keys are not known; that the zone is there is no secret.
    assert_eq!(rcode("1.100.51.198.secret.bl.example."), ResponseCode::Refused);
    assert_eq!(rcode("bl.example."), ResponseCode::NoError);
    write(&env, "keys", ":refuse\nsecret :pass\n");
    until("the keys are found", || rcode("1.100.51.198.secret.bl.example.") == ResponseCode::NoError);
    assert_eq!(rcode("1.100.51.198.drop.secret.bl.example."), ResponseCode::NoError);
    assert_eq!(rcode("1.100.51.198.bl.example."), ResponseCode::Refused);
    write(&env, "keys", ":refuse\nother :pass\n");
    until("the new key is known", || rcode("1.100.51.198.other.bl.example.") == ResponseCode::NoError);
    assert_eq!(rcode("1.100.51.198.secret.bl.example."), ResponseCode::Refused);
    assert!(daemon.terminate().success());
}

#[test]
fn data_that_says_that_it_is_too_old_is_not_served() {
    let env = Env::new("");
    write(&env, "drop", "$TIMESTAMP 2020:01:01 2020:02:01\n198.51.100.1\n");
    write(&env, "names", "$TIMESTAMP 2020:01:01 +1d\nbad.example\n");
    env.configure(&format!("{BOTH}{NAMES}"));
    let daemon = env.start();
    let rcode = |name: &str| daemon.ask_name(name, RecordType::A).rcode;
    // Beside bans it is left out; alone, a resolver has to ask another server.
    assert_eq!(rcode("1.100.51.198.bl.example."), ResponseCode::NXDomain);
    assert_eq!(rcode("bad.example.dom.example."), ResponseCode::ServFail);
    until("it is said", || daemon.messages().matches("$TIMESTAMP says that it is too old").count() == 2);
    write(&env, "names", "$TIMESTAMP 2020:01:01 0\nbad.example\n");
    until("the new file is served", || rcode("bad.example.dom.example.") == ResponseCode::NoError);
    assert!(daemon.terminate().success());
}

#[test]
fn check_reads_every_data_set() {
    let env = Env::new("");
    write(&env, "drop", "198.51.100.1\nnothing\n198.51.100.2\n");
    write(&env, "names", "bad.example\n");
    env.configure(&format!("{BOTH}{NAMES}"));
    let (is_right, out, err) = run(&env, &["check"]);
    assert!(is_right && out.contains("/drop: 2 entries, alone as drop.bl.example.\n"), "{out}{err}");
    assert!(err.contains("/drop:2: it begins with no IPv4 address"), "{err}");
    let (_, json, _) = run(&env, &["check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["data_sets"][0]["entries"], &json["data_sets"][0]["wrong_lines"]),
        (&2.into(), &1.into())
    );
    fs::remove_file(env.path("names")).unwrap();
    let (is_right, out, err) = run(&env, &["check"]);
    let error = format!("{}zone dom.example.: cannot read ", place_of_last(&env));
    assert!(!is_right && err.contains(&error), "{error}{out}{err}");
}

#[test]
fn check_refuses_who_may_ask_where_that_makes_no_sense() {
    for (kind, right) in [("acl", "192.0.2.1 :pass\n"), ("aclkey", "secret :pass\n")] {
        let env = Env::new("");
        env.configure(&format!("{PUBLISH}[[zone.dataset]]\ntype = '{kind}'\nfiles = 'askers'\n"));
        let wrong = "neither.address :pass\n";
        write(&env, "askers", &format!("{right}{wrong}{wrong}"));
        let (is_right, out, err) = run(&env, &["check"]);
        let error = "askers has 2 wrong lines and 1 right ones; correct it";
        assert!(!is_right && err.contains(&place_of_last(&env)) && err.contains(error), "{out}{err}");
        write(&env, "askers", &format!("{right}{wrong}"));
        let (is_right, out, err) = run(&env, &["check"]);
        assert!(is_right && err.contains("askers:2: "), "{out}{err}");
    }
}
