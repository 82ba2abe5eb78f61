//! How the program behaves in operation: start and stop, refusals, and what goes on when something else does not.

use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use banzone::clock::{Clock, Timestamp};
use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use rusqlite::Connection;

use super::env::{BASE, DEADLINE, Daemon, Env, PUBLISH, SASL, exchange, failure, until};

/// A daemon that follows an empty log and lists 198.51.100.1 for good.
fn at_work() -> (Env, Daemon) {
    let env = Env::new(SASL);
    env.log("mail.log").append("");
    let daemon = env.start();
    let ban = env.ban(r#"{"prefix":"198.51.100.1","permanent":true}"#);
    assert_eq!(ban.status, 200, "{}", ban.body);
    (env, daemon)
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

// Start and stop.

#[test]
fn stopping_counts_what_was_written_before() {
    let env = Env::new(SASL);
    let log = env.log("mail.log");
    log.append("");
    let daemon = env.start();
    log.append(&failure("198.51.100.7").repeat(2));
    until("both are counted", || env.counted() == 2);
    log.append(&failure("198.51.100.7"));
    assert!(daemon.terminate().success());
    assert_eq!(env.counted(), 3);
    assert!(!env.path("run/control.sock").exists());
    assert!(env.start().lists("198.51.100.7"));
}

#[test]
fn root_becomes_an_ordinary_user_or_refuses() {
    if !Uid::effective().is_root() {
        return;
    }
    let env = Env::new(SASL);
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let daemon = env.start();
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let user = nobody.uid;
    contains(&status, &[&format!("Uid:\t{user}\t{user}\t{user}\t{user}"), "CapEff:\t0000000000000000"]);
    assert_eq!(fs::metadata(env.database_path()).unwrap().uid(), user.as_raw());
    assert!(daemon.terminate().success());

    fs::write(env.config(), format!("{BASE}{SASL}{PUBLISH}")).unwrap();
    contains(&env.refused(), &["refusing to run as root", "`user` in [daemon]"]);
    fs::write(env.config(), format!("{BASE}[daemon]\nuser = 'root'\n{SASL}{PUBLISH}")).unwrap();
    contains(&env.refused(), &["user `root` is root"]);
    fs::write(env.config(), format!("{BASE}[daemon]\nuser = 'nosuchuser'\n{SASL}{PUBLISH}")).unwrap();
    contains(&env.refused(), &["there is no user `nosuchuser`"]);
}

#[test]
fn the_service_manager_is_told() {
    let env = Env::new(SASL);
    let path = env.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut buffer = [0; 256];
    let mut next = || loop {
        let length = manager.recv(&mut buffer).unwrap();
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !message.starts_with("WATCHDOG") && !message.starts_with("STATUS") {
            return message;
        }
    };
    let mut command = env.command();
    command.env("NOTIFY_SOCKET", &path);
    let daemon = env.spawn(command);
    assert_eq!(next(), "READY=1\n");
    daemon.signal(Signal::SIGHUP);
    contains(&next(), &["RELOADING=1\n", "MONOTONIC_USEC="]);
    assert_eq!(next(), "READY=1\n");
    fs::write(env.config(), "broken").unwrap();
    daemon.signal(Signal::SIGHUP);
    contains(&next(), &["RELOADING=1\n"]);
    assert_eq!(next(), "READY=1\n");
    assert!(daemon.terminate().success());
    assert_eq!(next(), "STOPPING=1\n");
}

#[test]
fn messages_can_be_json() {
    let env = Env::new("");
    env.configure(&format!("[log]\nformat = 'json'\n{SASL}{PUBLISH}"));
    let daemon = env.start();
    env.ban(r#"{"prefix":"198.51.100.1"}"#);
    let messages = daemon.messages();
    contains(&messages, &["\"ip\":\"198.51.100.1\""]);
    for line in messages.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            event["timestamp"].is_string() && event["level"].is_string() && event["message"].is_string(),
            "{line}"
        );
    }
}

// Refusals.

#[test]
fn a_port_in_use_is_refused_with_the_remedy() {
    let check = |taken: std::net::SocketAddr, transport: &str| {
        let env = Env::new("");
        env.configure_as(&BASE.replace("127.0.0.1:0", &taken.to_string()), &format!("{SASL}{PUBLISH}"));
        contains(
            &env.refused(),
            &[&format!("cannot listen on {taken} ({transport})"), "another server has the port"],
        );
    };
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    check(udp.local_addr().unwrap(), "UDP");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    check(tcp.local_addr().unwrap(), "TCP");
    let env = Env::new("");
    let taken = tcp.local_addr().unwrap();
    env.configure(&format!("[http]\nlisten = '{taken}'\n{SASL}{PUBLISH}"));
    contains(&env.refused(), &[&format!("cannot listen on {taken} for HTTP"), "choose another"]);
}

#[test]
fn a_second_daemon_is_refused() {
    let (env, daemon) = at_work();
    let second = Env::new("");
    let database = BASE.replace("lib/banzone.db", &env.database_path().display().to_string());
    second.configure_as(&database, &format!("{SASL}{PUBLISH}"));
    contains(&second.refused(), &["another banzone is using this database", "`path`"]);
    let socket = BASE.replace("run/control.sock", &env.path("run/control.sock").display().to_string());
    second.configure_as(&socket, &format!("{SASL}{PUBLISH}"));
    contains(&second.refused(), &["control.sock is in use", "another banzone is running"]);
    assert!(daemon.lists("198.51.100.1"));
    assert_eq!(env.get("/healthz").status, 200);
    assert!(daemon.terminate().success());
}

#[test]
fn a_database_that_is_not_ours_is_refused() {
    let (env, daemon) = at_work();
    assert!(daemon.terminate().success());
    let path = env.database_path();
    let version: i64 = env.database().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    env.database().pragma_update(None, "user_version", 999).unwrap();
    contains(&env.refused(), &["the database has version 999", "install the banzone that wrote it"]);
    env.database().pragma_update(None, "user_version", version).unwrap();
    assert!(env.start().lists("198.51.100.1"));

    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    contains(&env.refused(), &["the database is damaged", "restore a backup"]);
    fs::write(&path, "no database at all, but a letter to a friend".repeat(100)).unwrap();
    contains(&env.refused(), &["the database is damaged"]);

    for beside in ["banzone.db", "banzone.db-wal", "banzone.db-shm"] {
        let _ = fs::remove_file(env.path("lib").join(beside));
    }
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    contains(&env.refused(), &["an SQLite database of another program", "another `path`"]);
}

// Troubles.

#[test]
fn a_log_that_cannot_be_read_is_told_and_read_later() {
    let env = Env::new(&format!(
        "{SASL}\n[jail.later]\nfilter = 'postfix-sasl'\nlogpath = 'log/later.log'\nmaxretry = 1\n"
    ));
    let (log, later) = (env.log("mail.log"), env.log("later.log"));
    log.append("");
    fs::set_permissions(&log.0, Permissions::from_mode(0o000)).unwrap();
    let daemon = env.start();
    let ready = until("the trouble is told", || {
        let ready = env.get("/readyz");
        (ready.body.contains("mail.log") && ready.body.contains("later.log")).then_some(ready)
    });
    // Whatever is wrong with a log, the lists are answered.
    assert_eq!(ready.status, 200);
    contains(
        &ready.body,
        &["ok\n", "warning: ", "mail.log: permission denied", "later.log: no such file yet"],
    );
    let told = |what: &str| {
        daemon.messages().lines().filter(|line| line.contains("WARN") && line.contains(what)).count()
    };
    until("it stands in the log", || told("permission denied") == 1 && told("no such file yet") == 1);
    contains(&env.get("/metrics").body, &["banzone_log_problems{source=\""]);

    log.append(&failure("198.51.100.1").repeat(3));
    fs::set_permissions(&log.0, Permissions::from_mode(0o644)).unwrap();
    later.append(&failure("198.51.100.2"));
    until("both are read", || daemon.lists("198.51.100.1") && daemon.lists("198.51.100.2"));
    until("nothing is wrong any more", || env.get("/readyz").body == "ok\n");
    assert_eq!(told("permission denied"), 1, "it is told once: {}", daemon.messages());
    assert!(daemon.terminate().success());
}

#[test]
fn a_locked_database_holds_up_nothing_but_new_bans() {
    let (env, daemon) = at_work();
    let other = env.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    env.log("mail.log").append(&failure("198.51.100.2").repeat(3));
    let trouble = until("the trouble is told", || {
        let ready = env.get("/readyz");
        (ready.status == 503).then_some(ready.body)
    });
    contains(&trouble, &["the database is locked by another program"]);
    contains(&daemon.messages(), &["ERROR", "the database is locked by another program"]);
    let waiting = env.ban(r#"{"prefix":"198.51.100.3"}"#);
    assert_eq!(waiting.status, 503);
    contains(&waiting.body, &["the order waits for the database"]);
    let refused = env.request("POST", "/api/v1/reload", "");
    assert_eq!(refused.status, 422);
    contains(&refused.body, &["the database is locked by another program", "reload again afterwards"]);
    assert!(daemon.lists("198.51.100.1"));
    assert!(
        !daemon.lists("198.51.100.2") && !daemon.lists("198.51.100.3"),
        "what is answered must be durable"
    );
    other.execute_batch("ROLLBACK").unwrap();
    until("all is done", || daemon.lists("198.51.100.2") && daemon.lists("198.51.100.3"));
    until("all is well", || env.get("/readyz").status == 200);
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    assert!(daemon.terminate().success());
    assert_eq!(env.counted(), 3);
}

#[test]
fn a_locked_database_does_not_keep_it_from_stopping() {
    let (env, daemon) = at_work();
    let other = env.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    env.log("mail.log").append(&failure("198.51.100.2").repeat(3));
    until("the trouble is told", || env.get("/readyz").status == 503);
    daemon.signal(Signal::SIGHUP);
    assert!(daemon.terminate().success());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(env.counted(), 0);
    let daemon = env.start();
    until("the lines are read again", || daemon.lists("198.51.100.2"));
    assert_eq!(env.counted(), 3);
}

/// The disk is a small file system of the daemon's own, seen by nobody else.
#[test]
fn a_full_disk_holds_up_nothing_but_new_bans() {
    if !Uid::effective().is_root() {
        return;
    }
    let env = Env::new(SASL);
    let log = env.log("mail.log");
    log.append("");
    let serve = env.command();
    let mut command = Command::new("unshare");
    let script = "mkdir \"$0\" && mount -t tmpfs -o size=2m,mode=750,uid=nobody tmpfs \"$0\" && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(env.path("lib"));
    command.arg(serve.get_program()).args(serve.get_args());
    let daemon = env.start_as(command);
    assert_eq!(env.ban(r#"{"prefix":"198.51.100.1"}"#).status, 200);
    let filler = format!("/proc/{}/root{}/filler", daemon.pid(), env.path("lib").display());
    // Fails when there is no room left, having taken all there was.
    fs::write(&filler, vec![0; 4 << 20]).unwrap_err();

    let lines: String = (0..3000).map(|number| failure(&format!("2001:db8:{number:x}::1"))).collect();
    log.append(&lines);
    log.append(&failure("198.51.100.2").repeat(3));
    let trouble = until("the trouble is told", || {
        let ready = env.get("/readyz");
        (ready.status == 503).then_some(ready.body)
    });
    contains(&trouble, &["the disk is full", "free some space"]);
    contains(&daemon.messages(), &["the disk is full"]);
    assert!(daemon.lists("198.51.100.1") && !daemon.lists("198.51.100.2"));
    fs::remove_file(&filler).unwrap();
    until("all is done", || daemon.lists("198.51.100.2"));
    until("all is well", || env.get("/readyz").status == 200);
    let failed = env.get("/api/v1/jails/postfix-sasl").json();
    assert_eq!(failed["total_failed"], 3003);
    assert!(daemon.terminate().success());
}

// Orders.

#[test]
fn a_ban_is_answered_at_once_and_survives() {
    let (env, daemon) = at_work();
    assert!(daemon.lists("198.51.100.1"), "it is answered before the order is");
    daemon.kill();
    let daemon = env.start();
    assert!(daemon.lists("198.51.100.1"));
    let found = env.get("/api/v1/lookup/198.51.100.1").json();
    assert_eq!(found["bans"][0]["prefix"], "198.51.100.1", "{found}");
    assert_eq!(found["listings"][0]["code"], "127.0.0.4", "{found}");
}

#[test]
fn a_ban_ends_at_its_time() {
    let (env, daemon) = at_work();
    let ban = env.ban(r#"{"prefix":"198.51.100.2","seconds":2}"#).json();
    let until: jiff::Timestamp = ban["ban"]["until"].as_str().unwrap().parse().unwrap();
    // Written in whole seconds, rounded down.
    let until = Timestamp::from_millis(until.as_millisecond());
    let (mut last, mut lists) = (until, 0);
    loop {
        let asked = Clock::System.now();
        let answer = daemon.ask("198.51.100.2", RecordType::A);
        let Some(ttl) = answer.ttl else { break };
        let remaining = (until + Duration::from_secs(1)).since(asked);
        assert!(Duration::from_secs(ttl.into()) <= remaining, "TTL {ttl} with {remaining:?} to go");
        (last, lists) = (asked, lists + 1);
    }
    let now = Clock::System.now();
    assert!(
        lists > 0 && last < until + Duration::from_secs(1),
        "listed until {last}, after its end at {until}"
    );
    assert!(now >= until, "ended at {now}, before its time {until}");
    super::env::until("the history knows", || {
        let found = env.get("/api/v1/lookup/198.51.100.2").json();
        found["history"][0]["end_cause"]["kind"] == "expired"
    });
}

#[test]
fn allowing_ends_a_ban_at_once() {
    let (env, daemon) = at_work();
    assert!(daemon.lists("198.51.100.1"));
    let allowed =
        env.request("POST", "/api/v1/allow", r#"{"prefix":"198.51.100.0/24","note":"ours"}"#).json();
    assert_eq!(allowed["ended"], 1, "{allowed}");
    assert!(!daemon.lists("198.51.100.1"));
    let refused = env.ban(r#"{"prefix":"198.51.100.1"}"#);
    assert_eq!(refused.status, 422);
    contains(&refused.body, &["198.51.100.1 is allowlisted by the allowlist entry 198.51.100.0/24"]);
    daemon.kill();
    assert!(!env.start().lists("198.51.100.1"));
}

#[test]
fn health_is_told_over_tcp_to_everybody() {
    let env = Env::new("");
    env.configure(&format!("[http]\nlisten = '127.0.0.1:0'\n{SASL}{PUBLISH}"));
    env.log("mail.log").append("");
    let daemon = env.start();
    let get = |path: &str| {
        let stream = std::net::TcpStream::connect(daemon.http()).unwrap();
        exchange(stream, &format!("GET {path}"), "", "").unwrap()
    };
    assert_eq!((get("/healthz").status, &*get("/healthz").body), (200, "ok\n"));
    until("it is ready", || get("/readyz").status == 200);
    contains(&get("/metrics").body, &["banzone_build_info{", "banzone_zone_entries{", "# EOF"]);
    assert_eq!(get("/api/v1/status").status, 401);
}

// Orders to jails.

const SETTINGS: &str = "/api/v1/jails/postfix-sasl/settings";

#[test]
fn a_jail_changes_until_the_next_reload() {
    let (env, daemon) = at_work();
    let before = env.get(SETTINGS).json();
    assert_eq!(before["maxretry"], 3);
    let change = |body: &str| env.request("PATCH", SETTINGS, body);
    assert_eq!(change(r#"{"maxretry": 1}"#).json()["maxretry"], 1);
    let ignored = change(r#"{"add-ignoreip": ["198.51.100.8", "203.0.113.0/24"]}"#).json();
    assert_eq!(ignored["ignoreip"], serde_json::json!(["203.0.113.0/24", "198.51.100.8"]));
    env.log("mail.log").append(&["198.51.100.8", "203.0.113.7", "198.51.100.9"].map(failure).concat());
    until("the first failure is a ban", || daemon.lists("198.51.100.9"));
    assert!(!daemon.lists("198.51.100.8") && !daemon.lists("203.0.113.7"));
    for (body, part) in [
        (r#"{"maxretry": 0}"#, "nonzero"),
        (r#"{"findtime": 99999999999}"#, "100 years"),
        (r#"{"del-ignoreip": "192.0.2.1"}"#, "no entry"),
        (r#"{"nothing": 1}"#, "unknown variant"),
    ] {
        let refused = change(body);
        assert_eq!(refused.status, 422, "{body}: {}", refused.body);
        contains(&refused.body, &[part]);
    }
    assert_eq!(env.request("PATCH", "/api/v1/jails/x/settings", r#"{"maxretry": 1}"#).status, 404);
    assert_eq!(env.request("POST", "/api/v1/reload", "null").status, 200);
    assert_eq!(env.get(SETTINGS).json(), before);
    contains(&env.get("/api/v1/settings").body, &["lib/banzone.db", "\"log_level\":\"info\""]);
}

#[test]
fn bans_of_another_program_are_orders_and_survive() {
    let (env, daemon) = at_work();
    let take_over = |body: &str| env.request("POST", "/api/v1/takeover", body);
    let now = Clock::System.now();
    let since = (now - Duration::from_secs(7200)).to_string();
    let ban = |address: &str, rest: &str| {
        format!(r#"{{"prefix":"{address}","jail":"postfix-sasl","since":"{since}","count":3,{rest}}}"#)
    };
    let bans = [
        ban("198.51.100.7", r#""seconds":86400,"failures":9,"evidence":["one","two"]"#),
        ban("198.51.100.8", r#""permanent":true"#),
        ban("198.51.100.9", r#""seconds":60"#),
        ban("10.0.0.1", r#""seconds":86400"#),
    ];
    let body = format!(r#"{{"bans":[{}]}}"#, bans.join(","));
    let outcomes = |body: &str| -> Vec<String> {
        let answer = take_over(body).json();
        let outcomes = answer["outcomes"].as_array().unwrap().iter();
        outcomes.map(|outcome| outcome["outcome"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(outcomes(&body), ["banned", "banned", "remembered", "refused"]);
    assert_eq!(outcomes(&body), ["unchanged", "unchanged", "unchanged", "refused"]);
    daemon.kill();
    let daemon = env.start();
    assert!(daemon.lists("198.51.100.7") && daemon.lists("198.51.100.8") && !daemon.lists("198.51.100.9"));
    assert_eq!(outcomes(&body), ["unchanged", "unchanged", "unchanged", "refused"], "the offender is known");
    let found = env.get("/api/v1/lookup/198.51.100.7").json();
    assert_eq!(found["bans"][0]["evidence"], serde_json::json!(["one", "two"]));
    assert_eq!((&found["bans"][0]["count"], &found["bans"][0]["failures"]), (&3.into(), &9.into()));

    let many = vec![ban("198.51.100.7", r#""seconds":60"#); 501].join(",");
    assert_eq!(take_over(&format!(r#"{{"bans":[{many}]}}"#)).status, 422);
    let lines = vec![r#""x""#; 101].join(",");
    let long = ban("198.51.100.7", &format!(r#""evidence":[{lines}]"#));
    assert_eq!(take_over(&format!(r#"{{"bans":[{long}]}}"#)).status, 422);
    let half = format!(r#"{{"bans":[{},{long}]}}"#, ban("198.51.100.10", r#""seconds":86400"#));
    assert_eq!(take_over(&half).status, 422);
    assert!(!daemon.lists("198.51.100.10"), "what is refused as a whole changes nothing");
    let ahead = format!(r#"{{"bans":[{}]}}"#, bans[0].replace(&since, "9000-01-01T00:00:00Z"));
    assert_eq!(outcomes(&ahead), ["refused"]);
}
