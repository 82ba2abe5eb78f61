//! What a person sees of the questions that the daemon was asked: figures, clients, bans, and the log of queries.

use std::fs::{self, Permissions};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hickory_proto::rr::RecordType;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::env::{BASE, Daemon, Env, PUBLISH, until};

/// Asks a question so often that it is among those that are looked at.
const MANY: u64 = 2000;

fn ask_many(daemon: &Daemon) {
    for _ in 0..MANY {
        assert_eq!(daemon.ask("198.51.100.7", RecordType::A).codes.len(), 1);
    }
}

#[test]
fn questions_are_counted_by_zone_client_and_ban() {
    let env = Env::new("");
    let daemon = env.start();
    assert_eq!(env.ban(r#"{"prefix":"198.51.100.0/24","seconds":3600}"#).status, 200);
    ask_many(&daemon);
    daemon.ask("198.51.100.8", RecordType::TXT);
    daemon.ask("203.0.113.1", RecordType::A);
    daemon.ask_name("sender.example.bl.example.", RecordType::A);
    daemon.ask_name("elsewhere.example.", RecordType::A);

    let seen = env.get("/api/v1/dns").json();
    let zone = &seen["zones"][0];
    assert_eq!(zone["origin"], "bl.example.");
    assert_eq!(
        (&zone["queries"], &zone["listed"], &zone["names"]),
        (&(MANY + 3).into(), &(MANY + 1).into(), &1.into())
    );
    assert_eq!(zone["codes"], serde_json::json!([{"code": "127.0.0.4", "answers": MANY}]));
    // The daemon asks itself as well.
    assert!(seen["zones"][1]["origin"].is_null() && seen["zones"][1]["queries"].as_u64() > Some(0));
    for (kind, address) in [("clients", "127.0.0.1"), ("listed", "198.51.100.7")] {
        assert_eq!(seen[kind][0]["address"], address, "{seen}");
        let queries = seen[kind][0]["queries"].as_u64().unwrap();
        assert!((MANY / 4..MANY * 4).contains(&queries), "{seen}");
    }

    let bans = env.get("/api/v1/bans").json();
    assert_eq!(bans["bans"][0]["asked"], MANY, "the text is not counted: {bans}");
    assert_eq!(env.get("/api/v1/lookup/198.51.100.9").json()["bans"][0]["asked"], MANY);
    let metrics = env.get("/metrics").body;
    for figure in [
        format!("banzone_dns_codes_total{{zone=\"bl.example.\",code=\"127.0.0.4\"}} {MANY}"),
        "banzone_dns_names_total{zone=\"bl.example.\"} 1".to_owned(),
        "banzone_dns_log_lost_total{} 0".to_owned(),
    ] {
        assert!(metrics.contains(&figure), "{figure}: {metrics}");
    }
}

#[test]
fn who_asks_is_forgotten_at_a_reload_that_says_so() {
    let env = Env::new("");
    let daemon = env.start();
    assert_eq!(env.ban(r#"{"prefix":"198.51.100.7","seconds":3600}"#).status, 200);
    ask_many(&daemon);
    assert!(!env.get("/api/v1/dns").json()["clients"].as_array().unwrap().is_empty());
    let base = BASE.replace("[dns]", "[dns]\ncount_addresses = false");
    env.configure_as(&base, PUBLISH);
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    ask_many(&daemon);
    let seen = env.get("/api/v1/dns").json();
    assert_eq!((&seen["clients"], &seen["listed"]), (&serde_json::json!([]), &serde_json::json!([])));
}

/// The sections of every test, with a query log at `path`.
fn logging(path: &str) -> String {
    BASE.replace("[dns]", &format!("[dns]\nquery_log = {{ path = '{path}' }}"))
}

fn lines(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_query_log_is_opened_anew_by_a_reload() {
    let env = Env::new("");
    env.configure_as(&logging("lib/queries.log"), PUBLISH);
    let daemon = env.start();
    let (log, moved) = (env.path("lib/queries.log"), env.path("lib/queries.log.1"));
    daemon.ask("127.0.0.4", RecordType::A);
    until("the line is on disk", || {
        lines(&log).contains(" 127.0.0.1 4.0.0.127.bl.example A IN: NOERROR/1/54\n")
    });
    fs::rename(&log, &moved).unwrap();
    daemon.ask("127.0.0.4", RecordType::TXT);
    daemon.signal(Signal::SIGHUP);
    let is_new = || fs::metadata(&log).is_ok_and(|file| file.len() > 0);
    until("the new file is written to", || {
        daemon.ask("203.0.113.1", RecordType::A);
        is_new()
    });
    assert!(daemon.terminate().success());
    assert!(lines(&moved).contains(" 4.0.0.127.bl.example TXT IN: NOERROR/1/"));
    assert!(lines(&log).contains(" 1.113.0.203.bl.example A IN: NXDOMAIN/0/"));

    // A log that cannot be written is no reason to start without it.
    env.configure_as(&logging("/nowhere/queries.log"), PUBLISH);
    let refused = env.refused();
    assert!(
        refused.contains("cannot open the query log /nowhere/queries.log: there is no folder /nowhere;"),
        "{refused}"
    );
}

#[test]
fn a_query_log_never_keeps_anybody_waiting() {
    let env = Env::new("");
    let daemon = env.start();
    let fifo = env.path("fifo");
    mkfifo(&fifo, Mode::from_bits_truncate(0o666)).unwrap();
    env.configure_as(&logging("fifo"), PUBLISH);
    let refused = env.request("POST", "/api/v1/reload", "");
    assert!(refused.status == 422 && refused.body.contains("it is a FIFO"), "{}", refused.body);
    assert!(daemon.terminate().success());

    // Standard output that nobody reads.
    let (_unread, output) = full_pipe();
    env.configure_as(&logging("/dev/stdout"), PUBLISH);
    let mut daemon = env.spawn_onto(output.into(), env.command());
    daemon.wait_until_ready();
    daemon.ask("127.0.0.4", RecordType::A);
    for device in ["/dev/stdout", "/dev/null", "/dev/stdout"] {
        env.configure_as(&logging(device), PUBLISH);
        assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200, "{device}");
        daemon.ask("127.0.0.4", RecordType::A);
    }
    let left = "nobody takes the last lines of the query log from standard output";
    assert_eq!(daemon.messages().matches(left).count(), 1, "{}", daemon.messages());
    assert!(daemon.terminate().success());
}

/// A pipe without any room.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while writer.write(b".").is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (reader, writer)
}

#[test]
fn a_configuration_with_an_error_opens_the_query_log_anew_too() {
    let env = Env::new("");
    env.configure_as(&logging("lib/queries.log"), PUBLISH);
    let daemon = env.start();
    let (log, moved) = (env.path("lib/queries.log"), env.path("lib/queries.log.1"));
    until("the log is there", || log.exists());
    fs::rename(&log, &moved).unwrap();
    env.configure_as(&logging("lib/other.log"), "[[zone]]\norigin = 1");
    daemon.signal(Signal::SIGHUP);
    until("the refusal is told", || daemon.messages().contains("the one before stays in force"));
    daemon.ask("203.0.113.1", RecordType::A);
    assert!(daemon.terminate().success());
    assert!(lines(&log).contains(" 1.113.0.203.bl.example A IN: NXDOMAIN/0/"));
    assert!(!env.path("lib/other.log").exists());
}

#[test]
fn a_query_log_that_cannot_be_written_leaves_the_configuration_before_in_force() {
    let env = Env::new("");
    let folder = env.path("queries");
    fs::create_dir(&folder).unwrap();
    let allow = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    allow(0o777);
    env.configure_as(&logging("queries/q.log"), PUBLISH);
    let daemon = env.start();
    assert_eq!(env.ban(r#"{"prefix":"198.51.100.7","seconds":3600}"#).status, 200);
    fs::rename(folder.join("q.log"), folder.join("q.log.1")).unwrap();
    allow(0o555);
    env.configure_as(&logging("queries/q.log"), &PUBLISH.replace("127.0.0.4", "127.0.0.5"));
    let refused = env.request("POST", "/api/v1/reload", "");
    assert_eq!(refused.status, 422);
    let place = "banzone.toml:7:22: dns.query_log: cannot open the query log ";
    for part in [place, "name a file where the user", "the one before stays in force"] {
        assert!(refused.body.contains(part), "{part}: {}", refused.body);
    }
    let code = || daemon.ask("198.51.100.7", RecordType::A).codes[0].octets()[3];
    assert_eq!(code(), 4);
    assert!(!daemon.messages().contains("was read again"));

    allow(0o777);
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    assert_eq!(code(), 5);
    assert!(daemon.terminate().success());
    assert!(lines(&folder.join("q.log.1")).contains(" 7.100.51.198.bl.example A IN: NOERROR/1/"));
    assert!(lines(&folder.join("q.log")).contains(" 7.100.51.198.bl.example A IN: NOERROR/1/"));
}
