//! The command line as people and scripts use it: what is printed where, and the exit code.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::store::{self, Store};
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a run printed, and how it ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str]) -> Ran {
    run_with(args, "")
}

/// Runs banzone in the root of the repository with `input` as standard input.
fn run_with(args: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
    command.args(args).current_dir(root()).env_remove("BANZONE_CONFIG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Checks the exit code, and that each part of the expected output is there; `""` expects silence.
#[track_caller]
fn check(args: &[&str], code: i32, out: &str, err: &str) -> Ran {
    let ran = run(args);
    assert_eq!(ran.code, code, "{args:?}: {ran:?}");
    for (found, expected) in [(&ran.out, out), (&ran.err, err)] {
        let right = if expected.is_empty() { found.is_empty() } else { found.contains(expected) };
        assert!(right, "{args:?}: expected {expected:?}: {ran:?}");
    }
    ran
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_senseless_command_line_ends_with_2() {
    check(&[], 2, "", "Usage: banzone");
    check(&["bann"], 2, "", "unrecognized subcommand 'bann'");
    check(&["ban"], 2, "", "<PREFIX>");
    check(&["ban", "mx.example"], 2, "", "`mx.example` is no address or network");
    check(&["ban", "192.0.2.1", "--for", "soon"], 2, "", "`soon` is no duration");
    check(&["unban"], 2, "", "<PREFIX>");
    check(&["unban", "--all", "192.0.2.1"], 2, "", "cannot be used with");
    check(&["lookup", "192.0.2.0/33"], 2, "", "no address, network or domain name");
    check(&["test-filter", "x", "<HOST>", "-q", "-v"], 2, "", "cannot be used with");
    check(&["check", "-v"], 2, "", "unexpected argument '-v'");
    check(&["test-filter", "x"], 2, "", "<FILTER|REGEX>");
}

#[test]
fn help_is_data() {
    check(&["--help"], 0, "Usage: banzone", "");
    check(&["--version"], 0, env!("CARGO_PKG_VERSION"), "");
    check(&["test-filter", "--help"], 0, "LOG|LINE", "");
    check(&["completions", "bash"], 0, "_banzone()", "");
    check(&["man"], 0, ".TH banzone-test-filter 1", "");
    let folder = tempfile::tempdir().unwrap();
    check(&["man", "--output", folder.path().to_str().unwrap()], 0, "", "");
    assert!(folder.path().join("banzone-allow-add.1").exists());
}

#[test]
fn check_finds_what_the_machine_does_not_allow() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("banzone.toml");
    for (text, error) in [
        (
            "daemon.user = 'nosuchuser'",
            "banzone.toml:1:15: daemon.user: there is no user `nosuchuser`: create it",
        ),
        ("daemon.user = 'root'", "banzone.toml:1:15: daemon.user: user `root` is root: name a user"),
        (
            "dns.query_log.path = '/nowhere/q'",
            "banzone.toml:1:22: dns.query_log: cannot open the query log /nowhere/q",
        ),
        (
            "dns.query_log.path = '/tmp'",
            "it is a folder, not a file or a device such as /dev/null; name a file",
        ),
    ] {
        fs::write(&config, text).unwrap();
        check(&["-c", config.to_str().unwrap(), "check"], 1, "", error);
    }
    fs::write(&config, "dns.query_log.path = 'q'").unwrap();
    check(&["-c", config.to_str().unwrap(), "check"], 0, "database", "no errors");
    assert!(!folder.path().join("q").exists());
}

#[test]
fn check_shows_what_would_run() {
    let config = "config/quickstart.toml";
    let err = "config/quickstart.toml: no errors in 1 files";
    check(&["check", "-c", config], 0, "jail      postfix-sasl: ", err);
    check(&["-q", "-c", config, "check"], 0, "zone      bl.example. * as 127.0.0.4", "");
    let shown = json_of(&check(&["check", "--json", "-c", config], 0, "{", ""));
    assert_eq!(shown["ok"], true);
    assert_eq!(shown["jails"][0]["name"], "manual");
    assert_eq!(shown["jails"][1]["maxretry"], 5);
    assert_eq!(shown["jails"][1]["bantime"], Value::Null);
    assert_eq!(shown["zones"][0]["publish"][0]["code"], "127.0.0.4");
}

#[test]
fn check_shows_every_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("banzone.toml");
    fs::write(&file, "[log]\nlevel = 'loud'\n[dns]\nthreads = 0\n").unwrap();
    let file = file.to_str().unwrap();
    let ran = check(&["check", "-c", file], 1, "", ": 2 errors");
    assert!(
        ran.err.contains("banzone.toml:2:9: log.level: `loud`")
            && ran.err.contains("banzone.toml:4:11: dns.threads")
    );
    let shown = json_of(&check(&["check", "--json", "-c", file], 1, "{", ""));
    assert_eq!(shown["errors"][0]["line"], 2);
    assert_eq!(shown["errors"][1]["column"], 11);
    check(&["check", "-c", "/nonexistent/banzone.toml"], 1, "", "cannot read `/nonexistent/banzone.toml`");
}

#[test]
fn check_reads_the_database_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, database) = (path("banzone.toml"), path("banzone.db"));
    fs::write(&file, "[store]\npath = 'banzone.db'\n").unwrap();
    let args = ["check", "-c", &file, "--database"];
    check(&args[..3], 0, "database", "no errors in 1 files");
    check(&args, 1, "", &database);
    assert!(!Path::new(&database).exists(), "checking makes no database");

    let settings = store::Settings {
        path: database.clone().into(),
        evidence_retention: Duration::ZERO,
        history_retention: Duration::ZERO,
    };
    drop(Store::open(&settings, Timestamp::default()).unwrap());
    check(&args, 0, "database", "banzone.db: no errors in the database");

    let mut pages = fs::read(&database).unwrap();
    pages[4096..].fill(0x5a);
    fs::write(&database, pages).unwrap();
    check(&args, 1, "", "banzone.db: the database is damaged (");
}

const LOG: &str = "config/sample/mail.log";

#[test]
fn test_filter_shows_what_a_filter_finds() {
    let lines = "Lines: 64 lines, 0 ignored, 16 matched, 48 missed\n";
    let ran = check(&["test-filter", LOG, "postfix-sasl"], 0, lines, "");
    for expected in [
        "Use           filter : postfix-sasl\nUse         log file : config/sample/mail.log\n",
        "Failregex: 16 total\n|-  #) [# of hits] regular expression\n|   1) [16] <PREFIX>",
        "Ignoreregex: 0 total\n",
        "Date template hits:\n|- [# of hits] date format\n|  [64] ",
        "Missed line(s): too many to print.  Use --print-all-missed to print all 48 lines\n",
    ] {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
    let missed = check(
        &["test-filter", LOG, "postfix-sasl", "--print-all-missed"],
        0,
        "|- Missed line(s):\n|  20",
        "",
    );
    assert_eq!(missed.out.matches("\n|  2026-").count(), 48);
    let matched = ["test-filter", LOG, "postfix-sasl", "--print-all-matched", "--print-no-missed"];
    let matched = check(&matched, 0, "|- Matched line(s):\n", "");
    assert_eq!(matched.out.matches("\n|  2026-").count(), 16);
    check(&["test-filter", LOG, "postfix-sasl", "-v"], 0, "|      198.51.100.44  2026-11-20T05:00:32Z\n", "");
}

#[test]
fn test_filter_takes_lines_and_patterns() {
    check(&["test-filter", "bad 192.0.2.1", "bad <HOST>$"], 0, "1 matched, 0 missed", "");
    check(
        &["test-filter", "good 192.0.2.1", "bad <HOST>$"],
        0,
        "|- Missed line(s):\n|  good 192.0.2.1\n`-\n",
        "",
    );
    check(&["test-filter", "bad 192.0.2.1", "bad <HOST>$", "bad"], 0, "1 ignored, 0 matched", "");
    check(
        &["test-filter", "\u{1b}[2Jgood 192.0.2.1", "bad <HOST>$"],
        0,
        "|- Missed line(s):\n|  \\x1b[2Jgood 192.0.2.1\n`-\n",
        "",
    );
    let ran = run_with(&["test-filter", "-", "bad <HOST>$"], "# comment\n\nbad 192.0.2.1\nx\n");
    assert!(ran.out.contains("Lines: 2 lines, 0 ignored, 1 matched, 1 missed"), "{ran:?}");
}

#[test]
fn test_filter_takes_what_is_written_for_fail2ban() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("fail2ban/filter.d")).unwrap();
    fs::write(path("banzone.toml"), "[fail2ban]\ndir = 'fail2ban'\n").unwrap();
    let filter =
        |word: &str| format!("[Definition]\nfailregex = ^<mode> {word} <HOST>$\n[Init]\nmode = weak\n");
    fs::write(path("fail2ban/filter.d/door.conf"), filter("door")).unwrap();
    fs::write(path("fail2ban/filter.d/sshd.conf"), filter("sshd")).unwrap();
    let config = path("banzone.toml").display().to_string();
    let found = |args: &[&str], expected: &str| {
        check(&[&["-c", &config, "test-filter"], args].concat(), 0, expected, "");
    };
    found(&["weak door 192.0.2.1", "door"], "1 matched, 0 missed");
    found(&["strong door 192.0.2.1", "door", "--option", "mode=strong"], "1 matched, 0 missed");
    found(&["strong door 192.0.2.1", "door[mode=strong]"], "1 matched, 0 missed");
    found(&["odd door 192.0.2.1", "door[mode=strong]", "--option", "mode=odd"], "1 matched, 0 missed");
    found(&["weak sshd 192.0.2.1", "sshd"], "0 matched, 1 missed");
    found(&["strong sshd 192.0.2.1", "sshd", "--option", "mode=strong"], "1 matched, 0 missed");
    let ahead = "^(?!good)\\w+ (?P<word>a|b)(?P=word) <ADDR>$";
    found(&["bad aa 192.0.2.1", ahead, "--fail2ban"], "1 matched, 0 missed");
    found(&["bad aa 192.0.2.1", ahead, "(?<=bad) aa", "--fail2ban"], "1 ignored, 0 matched");
    check(&["test-filter", "bad aa 192.0.2.1", ahead], 1, "", "failregex 1");
}

#[test]
fn test_filter_says_what_is_wrong_with_a_filter() {
    check(&["test-filter", "x", "postfix-sals"], 1, "", "did you mean `postfix-sasl`?");
    check(&["test-filter", "x", "no address"], 1, "", "put <HOST> where the address stands");
    check(&["test-filter", "x", "(<HOST>"], 1, "", "failregex 1");
    check(&["test-filter", "x", "mine.toml"], 1, "", "mine.toml`: No such file");
    check(&["test-filter", "x", "--filter-file", "a.conf"], 1, "", "a.conf: there is no such file");
    check(&["test-filter", "x", "<HOST>", "--timezone", "Mars"], 1, "", "Mars");
    check(&["test-filter", "x", "<HOST>", "--option", "mode=aggressive"], 1, "", "unknown option `mode`");
    check(
        &["-c", "/nonexistent.toml", "test-filter", "x", "<HOST>"],
        1,
        "",
        "cannot read `/nonexistent.toml`",
    );
}

#[test]
fn test_filter_prints_an_object_for_each_line() {
    let args = ["test-filter", "--json", "--raw", "--now", "2026-11-22T08:00:00Z", "--timezone", "UTC"];
    let log = "# x\n2026-11-21 09:00:00 bad 192.0.2.1 by ann\nbad 2001:db8::1 by bob\nx\n";
    let ran = run_with(&[&args[..], &["-", "bad <HOST> by <F-USER>.*</F-USER>$", "bob"]].concat(), log);
    let objects: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let object = |line: u32, outcome: &str, ip: Value, time: Value, user: Value| {
        let found = !ip.is_null();
        json!({
            "line": line, "outcome": outcome, "ip": ip, "time": time, "user": user, "matching": [],
            "reason": (outcome == "ignored").then_some("ignoreregex"),
            "users": found.then_some([""; 0]), "attempts": found.then_some(1), "failregex": found.then_some(1),
        })
    };
    let (null, now) = (Value::Null, json!("2026-11-22T08:00:00Z"));
    let expected = [
        object(1, "miss", null.clone(), null.clone(), null.clone()),
        object(2, "match", json!("192.0.2.1"), json!("2026-11-21T09:00:00Z"), json!("ann")),
        object(3, "ignored", json!("2001:db8::1"), now.clone(), json!("bob")),
        object(4, "miss", null.clone(), null.clone(), null),
    ];
    assert_eq!(objects, expected);

    let journal = run_with(
        &[&args[..], &["--journal", "-", "bad <HOST>"]].concat(),
        "2026-01-01 00:00:00 bad 192.0.2.1",
    );
    let object: Value = serde_json::from_str(&journal.out).unwrap();
    assert_eq!(object["time"], now);
}

/// A daemon that gives one answer, and what it was asked.
struct Daemon {
    socket: PathBuf,
    asked: JoinHandle<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Daemon {
    fn answering(status: u16, body: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let body = body.to_string();
        let asked = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let asked = read_request(&stream);
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
            (&stream).write_all((head + &body).as_bytes()).unwrap();
            asked
        });
        Self { socket, asked, _folder: folder }
    }
}

/// The request line without the version, and the body.
fn read_request(stream: &UnixStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let request = line().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        let header = line().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (request, String::from_utf8(body).unwrap())
}

/// Runs `args` against a daemon that gives `answer`; checks what it is asked and what is printed.
#[track_caller]
fn check_asks(args: &[&str], asked: (&str, Value), answer: (u16, Value), code: i32, out: &str, err: &str) {
    let daemon = Daemon::answering(answer.0, &answer.1);
    let args = [&["--socket", daemon.socket.to_str().unwrap()], args].concat();
    check(&args, code, out, err);
    let (request, body) = daemon.asked.join().unwrap();
    assert_eq!(request, asked.0);
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
    assert_eq!(body, asked.1);
}

fn a_ban() -> Value {
    json!({"prefix": "192.0.2.7", "jail": "postfix-sasl", "since": "2026-11-22T08:04:12Z", "until": null,
           "origin": {"kind": "log"}, "failures": 5, "count": 2})
}

#[test]
fn the_daemon_is_asked_over_its_socket() {
    let status = json!({"version": "1", "started": "2026-11-22T08:04:12Z", "jails": ["postfix", "sshd"]});
    let tree = "Status\n|- Number of jail:\t2\n`- Jail list:\tpostfix, sshd\n";
    check_asks(&["status"], ("GET /api/v1/status", Value::Null), (200, status), 0, tree, "");
    let bans = json!({"bans": [a_ban()]});
    let query = "GET /api/v1/bans?jail=a%26b&state=all&limit=3";
    let row = "192.0.2.7\tpostfix-sasl\t2026-11-22T08:04:12Z\tpermanent\t5\t2\t-\n";
    let args = ["bans", "--jail", "a&b", "--all-history", "--limit", "3"];
    check_asks(&args, (query, Value::Null), (200, bans), 0, row, "");
    let lookup = json!({"address": "192.0.2.7", "bans": [a_ban()], "failures": [], "history": [],
        "listings": [{"zone": "bl.example.", "prefix": "192.0.2.7", "code": "127.0.0.4", "text": "go away"}]});
    let shown = "Listed    bl.example.  192.0.2.7  127.0.0.4  go away\n";
    check_asks(
        &["lookup", "192.0.2.7"],
        ("GET /api/v1/lookup/192.0.2.7", Value::Null),
        (200, lookup),
        0,
        shown,
        "",
    );
}

#[test]
fn orders_go_over_the_socket() {
    let changed = json!({"changed": true, "ban": a_ban()});
    let order = json!({"prefix": "192.0.2.7", "seconds": 7200, "reason": "spam"});
    let args = ["ban", "192.0.2.7", "--for", "2h", "--reason", "spam"];
    let said = "192.0.2.7 is banned by postfix-sasl for ever";
    check_asks(&args, ("POST /api/v1/bans", order), (200, changed.clone()), 0, "", said);
    let order = json!({"prefix": "192.0.2.0/24", "permanent": true, "jail": "x"});
    let args = ["ban", "192.0.2.1/24", "--for", "permanent", "-j", "x", "--json", "-q"];
    check_asks(&args, ("POST /api/v1/bans", order), (200, changed), 0, "\"changed\": true", "");
    let ended = json!({"ended": 3});
    let query = "DELETE /api/v1/bans?prefix=2001%3Adb8%3A%3A%2F32";
    check_asks(&["unban", "2001:db8::/32"], (query, Value::Null), (200, ended.clone()), 0, "3\n", "");
    check_asks(
        &["unban", "--all"],
        ("DELETE /api/v1/bans?all=1", Value::Null),
        (200, ended.clone()),
        0,
        "3\n",
        "",
    );
    let allowed = json!({"changed": true, "ended": 1, "allow": {"prefix": "192.0.2.0/24", "note": "us", "since": null, "until": null}});
    let order = json!({"prefix": "192.0.2.0/24", "note": "us", "seconds": 172_800});
    let args = ["allow", "add", "192.0.2.0/24", "--note", "us", "--for", "2d"];
    check_asks(
        &args,
        ("POST /api/v1/allow", order),
        (200, allowed),
        0,
        "",
        "192.0.2.0/24 is allowed; bans ended by that: 1",
    );
    let query = "DELETE /api/v1/allow?prefix=192.0.2.7";
    check_asks(
        &["allow", "remove", "192.0.2.7"],
        (query, Value::Null),
        (200, ended),
        0,
        "",
        "no longer allowed",
    );
    let said = "the new configuration is in force\nwarning: zone z.: no\\x1b file\n";
    let warned = json!({"warnings": ["zone z.: no\u{1b} file"]});
    check_asks(&["reload"], ("POST /api/v1/reload", Value::Null), (200, warned), 0, "", said);
}

#[test]
fn what_the_daemon_refuses_is_shown() {
    let problem = json!({"title": "Not Found", "detail": "there is no jail `a/b`", "status": 404});
    let asked = ("GET /api/v1/jails/a%2Fb", Value::Null);
    check_asks(&["status", "a/b"], asked, (404, problem), 1, "", "banzone: there is no jail `a/b`\n");
    let problem =
        json!({"title": "t", "detail": "refused", "status": 422, "errors": ["a.toml:1: x", "b.toml:2: y"]});
    let asked = ("POST /api/v1/reload", Value::Null);
    check_asks(&["reload"], asked, (422, problem), 1, "", "banzone: refused\na.toml:1: x\nb.toml:2: y\n");
    let asked = ("GET /api/v1/status", Value::Null);
    check_asks(&["status"], asked.clone(), (200, json!([])), 1, "", "is not understood");
    check_asks(&["status"], asked, (502, json!("x")), 1, "", "the daemon answered 502");
}

#[test]
fn a_missing_daemon_is_explained() {
    check(
        &["--socket", "/nonexistent/s", "status"],
        1,
        "",
        "no daemon listens at /nonexistent/s: start it with `banzone serve`",
    );
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    drop(UnixListener::bind(&socket).unwrap());
    check(&["--socket", socket.to_str().unwrap(), "status"], 1, "", "any more: start it again");
    let config = folder.path().join("banzone.toml");
    fs::write(&config, "[control]\nsocket = 'mine.sock'\n[dns]\nlisten = 'broken'\n").unwrap();
    check(&["-c", config.to_str().unwrap(), "status"], 1, "", "/mine.sock: start it");
}

#[test]
fn fail2ban_clients_words_end_as_its_own_do() {
    let client =
        |words: &[&str], code, out, err| check(&[&["fail2ban-client"], words].concat(), code, out, err);
    client(&["-h"], 0, "Usage: fail2ban-client [OPTIONS] <COMMAND>\n", "");
    client(&["--help"], 0, "    set <JAIL> banip <IP> ...", "");
    client(&["-V"], 0, env!("CARGO_PKG_VERSION"), "");
    client(&["--str2sec", "1d 12h"], 0, "129600\n", "");
    client(&[], 255, "Usage:", "");
    client(&["--nothing"], 255, "Usage:", "");
    client(&["start"], 255, "", "`systemctl start banzone`");
    client(&["restart"], 255, "", "`systemctl restart banzone`");
    client(&["-d"], 255, "", "`banzone check --json`");
    client(&["-s", "/nonexistent/s", "status"], 255, "", "no daemon listens at /nonexistent/s");
    client(&["set", "sshd", "idle", "on"], 255, "does not take `idle`", "NOK: ('banzone does not take");
    client(&["set", "sshd", "addaction", "mail"], 255, "docs/fail2ban.md", "NOK");
    client(&["set", "loglevel", "DEBUG"], 255, "`level` in [log]", "NOK");
    client(&["status", "sshd", "cymru"], 255, "no flavor `cymru`", "NOK");
    client(
        &["no such word"],
        255,
        "Invalid command\n",
        "fail2ban-client: ERROR   NOK: ('Invalid command',)\n",
    );
    let missing = ["-c", "/nonexistent/banzone.toml", "fail2ban-client", "-t"];
    check(&missing, 255, "", "test configuration failed");
    let config = ["-c", "config/quickstart.toml", "fail2ban-client", "-t"];
    check(&config, 0, "OK: configuration test is successful\n", "");
    client(&["-c", "config", "-t"], 0, "OK: ", "");
    check(&["help", "fail2ban-client"], 0, "Usage: banzone fail2ban-client", "");
}

#[test]
fn a_link_named_like_fail2bans_client_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("fail2ban-client");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_banzone"), &link).unwrap();
    let Output { status, stdout, .. } = Command::new(link).args(["--str2sec", "1h"]).output().unwrap();
    assert_eq!((status.code(), &stdout[..]), (Some(0), &b"3600\n"[..]));
}

#[test]
fn fail2ban_clients_words_go_over_the_socket() {
    let settings = json!({"jail": "sshd", "bantime": null, "increment": null, "findtime": 600, "maxretry": 3,
        "maxmatches": 10, "ignoreip": ["192.0.2.0/24", "192.0.2.9"], "ignoreself": true, "ignorecommand": null,
        "logencoding": "UTF-8", "usedns": "no", "logtimezone": null, "filter": "sshd", "maxlines": 1,
        "prefregex": null, "failregex": ["a <HOST>", "\u{1b}b"], "ignoreregex": [], "datepattern": []});
    let client = |words: &[&str], asked: (&str, Value), answer: (u16, &Value), code, out: &str, err: &str| {
        let args = [&["fail2ban-client"], words].concat();
        check_asks(&args, asked, (answer.0, answer.1.clone()), code, out, err);
    };
    let path = "PATCH /api/v1/jails/sshd/settings";
    let change = json!({"bantime": 5400});
    client(&["set", "sshd", "bantime", "1h30m"], (path, change), (200, &settings), 0, "-1\n", "");
    let change = json!({"add-ignoreip": ["192.0.2.0/24", "192.0.2.9"]});
    let list = "These IP addresses/networks are ignored:\n|- 192.0.2.0/24\n`- 192.0.2.9\n";
    let words = ["set", "sshd", "addignoreip", "192.0.2.0/24", "192.0.2.9"];
    client(&words, (path, change), (200, &settings), 0, list, "");
    let asked = ("GET /api/v1/jails/a%2Fb/settings", Value::Null);
    let problem = json!({"title": "t", "detail": "d", "status": 404});
    let sorry = "Sorry but the jail 'a/b' does not exist\n";
    client(&["get", "a/b", "bantime"], asked, (404, &problem), 255, sorry, "NOK");
    let asked = || ("GET /api/v1/jails/sshd/settings", Value::Null);
    let patterns = "The following regular expression are defined:\n|- [0]: a <HOST>\n`- [1]: \\x1bb\n";
    client(&["get", "sshd", "failregex"], asked(), (200, &settings), 0, patterns, "");
    let failure = json!({"prefix": "192.0.2.7", "lines": ["one"]});
    let path = "POST /api/v1/jails/sshd/failures";
    client(
        &["set", "sshd", "attempt", "192.0.2.7", "one"],
        (path, failure),
        (200, &json!({"counted": 1})),
        0,
        "1\n",
        "",
    );
}

#[test]
fn an_import_says_what_is_wrong_before_it_begins() {
    check(&["import"], 2, "", "Usage: banzone import");
    check(&["import", "fail2ban", "x", "--jail", "a"], 2, "", "`a` is no pair of jails");
    check(&["import", "fail2ban", "/nonexistent/db"], 1, "", "/nonexistent/db: cannot be read");
    check(&["import", "fail2ban", LOG], 1, "", LOG);
    check(&["ban", "192.0.2.1", "--since", "soon"], 2, "", "`soon` is no time");
    let changed = json!({"changed": true, "ban": a_ban()});
    let order = json!({"prefix": "192.0.2.7", "since": "2026-11-22T08:04:12Z", "permanent": true});
    let args = ["ban", "192.0.2.7", "--since=1795334652.75", "--for=-1", "-q"];
    check_asks(&args, ("POST /api/v1/bans", order), (200, changed), 0, "", "");
}
