//! A real fail2ban beside banzone: the same words have the same answers, its database can be taken over, and its bans are
//! handed over by the action in `packaging/fail2ban`.

use std::fs;
use std::path::Path;
use std::process::Command;

use banzone::clock::Clock;
use hickory_proto::rr::RecordType;
use rusqlite::Connection;
use serde_json::Value;

use super::is_installed;
use super::server::{self, Fail2ban, Said};
use crate::env::{self, Daemon, Env, PUBLISH, until};

/// Jails of fail2ban's, which banzone runs as well.
const JAIL_CONF: &str = "
[DEFAULT]
enabled = true
filter = login
backend = polling
usedns = no
findtime = 10m
maxretry = 3
action = @ACTION@
[app]
logpath = @LOG@/app.log
bantime = 10m
ignoreip = 192.0.2.200 203.0.113.0/24
[shop]
logpath = @LOG@/shop.log
          @LOG@/shop2.log
bantime = 1h
bantime.increment = true
[tool]
filter = login[logtype=file]
logpath = @LOG@/tool.log
datepattern = ^%%Y-%%m-%%dT%%H:%%M:%%S
bantime.increment = true
bantime.factor = 2
bantime.formula = ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)
bantime.maxtime = 1d
bantime.rndtime = 5m
bantime.overalljails = true
ignorecommand = /bin/false <ip>
ignorecache = key='<F-USER><ip>', max-count=50, max-time=1h
ignoreself = false
logtimezone = UTC+0200
[yard]
logpath = @LOG@/tool.log
datepattern = {^LN-BEG}
bantime.increment = true
bantime.multipliers = 1 5 30
";

/// A folder for logs, a fail2ban on them, and a banzone that runs the same configuration.
fn both(action: impl FnOnce(&Env) -> String) -> (Env, Daemon, Fail2ban) {
    let env = Env::new("");
    for log in ["app.log", "shop.log", "shop2.log", "tool.log"] {
        env.log(log).append("");
    }
    configure(&env, &action(&env));
    let fail2ban = Fail2ban::start(&env);
    until("fail2ban has its jails", || fail2ban.says(&["status", "yard"]).code == 0);
    env.configure(&format!("[fail2ban]\ndir = '{}'\n{PUBLISH}", env.path("etc").display()));
    let daemon = env.start();
    (env, daemon, fail2ban)
}

fn nothing(_: &Env) -> String {
    "nothing".to_owned()
}

fn login(address: &str) -> String {
    format!("{} login failed from {address}\n", env::written(Clock::System.now()))
}

/// Writes fail2ban's configuration, with `action` in its jails.
fn configure(env: &Env, action: &str) {
    let config = |name: &str, text: &str| {
        let path = env.path("etc").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let main = "[Definition]\nloglevel = INFO\nsyslogsocket = auto\ndbmaxmatches = 10\ndbpurgeage = 1d\nallowipv6 = auto\n";
    config("fail2ban.conf", &[main, &server::settings(env)].concat());
    let log = env.path("log").display().to_string();
    config("jail.conf", &JAIL_CONF.replace("@LOG@", &log).replace("@ACTION@", action));
    config("filter.d/login.conf", "[Definition]\nfailregex = ^\\s*login failed from <HOST>$\n");
    config("action.d/nothing.conf", "[Definition]\nactionban = true\nactionunban = true\n");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/fail2ban/action.d/banzone.conf");
    config("action.d/banzone.conf", &fs::read_to_string(ours).unwrap());
}

fn run(env: &Env, words: &[&str]) -> Said {
    Said::of(Command::new(env!("CARGO_BIN_EXE_banzone")).arg("--config").arg(env.config()).args(words))
}

fn says(env: &Env, words: &[&str]) -> Said {
    run(env, &[&["fail2ban-client"], words].concat())
}

/// Words without blanks in them, and both answer the same; `|` stands before one that has some.
#[track_caller]
fn check_same(env: &Env, fail2ban: &Fail2ban, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (words, last) = line.split_once('|').map_or((line, None), |(words, last)| (words, Some(last)));
        let words: Vec<&str> = words.split_whitespace().chain(last).collect();
        assert_eq!(says(env, &words), fail2ban.says(&words), "{line}");
    }
}

#[test]
fn the_words_are_answered_as_fail2ban_client_does() {
    if !is_installed() {
        return;
    }
    let (env, _daemon, fail2ban) = both(nothing);
    check_same(&env, &fail2ban, "status\n status app\n banned\n get app banip\n get app banned");
    let failures =
        [&login("198.51.100.7").repeat(3)[..], &login("198.51.100.8"), &login("2001:db8::7")].concat();
    env.log("app.log").append(&failures);
    let counted = |said: Said| said.out.contains("Total failed:\t5") && said.out.contains("Total banned:\t1");
    until("both have counted", || {
        counted(says(&env, &["status", "app"])) && counted(fail2ban.says(&["status", "app"]))
    });
    check_same(
        &env,
        &fail2ban,
        "status app
         status app basic
         status app short
         status app whatever
         status shop
         status nothing
         status app short more
         get app banip --with-time
         set app banip 192.0.2.9 192.0.2.10 2001:db8::5
         set app banip 192.0.2.9
         set app banip
         set app banip 198.51.100.64/28
         banned
         status app
         get app banned
         get app banned 192.0.2.9
         get app banned 192.0.2.9 192.0.2.99
         banned 192.0.2.9
         banned 192.0.2.9 192.0.2.99
         set app unbanip 192.0.2.9
         set app unbanip 192.0.2.9
         set app unbanip --report-absent 192.0.2.10 192.0.2.9 192.0.2.99
         set app unbanip
         set nothing unbanip 192.0.2.9
         unban 2001:db8::5 192.0.2.99
         unban
         set app attempt 192.0.2.50
         set app attempt 192.0.2.51 a b c
         set shop attempt 192.0.2.52",
    );
    until("fail2ban has banned", || fail2ban.says(&["get", "app", "banned", "192.0.2.51"]).out == "1\n");
    check_same(
        &env,
        &fail2ban,
        "status app
         status shop
         banned
         get app banip|,",
    );
}

#[test]
fn settings_are_shown_and_changed_as_fail2ban_client_does() {
    if !is_installed() {
        return;
    }
    let (env, _daemon, fail2ban) = both(nothing);
    for jail in ["app", "shop", "tool", "yard"] {
        for property in [
            "bantime findtime maxretry maxmatches maxlines usedns logencoding logpath ignoreip ignoreself",
            "ignorecommand ignorecache ignoreregex prefregex datepattern journalmatch logtimezone banip banned",
            "bantime.increment bantime.factor bantime.maxtime bantime.rndtime bantime.multipliers",
            "bantime.formula bantime.overalljails nothing",
        ]
        .join(" ")
        .split(' ')
        {
            check_same(&env, &fail2ban, &format!("get {jail} {property}"));
        }
    }
    check_same(
        &env,
        &fail2ban,
        "set app addignoreip 192.0.2.64/28
         set app delignoreip 192.0.2.64/28
         set app delignoreip 192.0.2.200
         set app addignoreip
         set app ignoreself false
         set app ignoreself yes
         set app bantime 1h30m
         set app bantime -1
         get app bantime
         set app findtime 20m
         set app maxretry 4
         set app maxretry x
         set app maxmatches 3
         set app nothing 1
         set app bantime
         set nothing bantime 3
         set app
         set
         get
         get app
         get nothing nothing
         get nothing bantime
         nothing
         ping
         ping 1
         echo a b
         get loglevel
         get syslogsocket
         reload
         get app bantime
         get app findtime
         get app ignoreip
         reload app
         reload nothing
         reload a b
         reload --unban app
         reload --restart --all
         restart app
         -t
         --str2sec 1.5h
         --str2sec 1year-6mo
         --str2sec|1d 12h
         unban --all",
    );
}

/// The offenders that banzone keeps, banned now or before: jail, how often, and whether it is ever forgotten.
fn offenders(env: &Env) -> Vec<(String, u32, bool)> {
    let database = env.database();
    let sql = "SELECT name, count, never FROM (
            SELECT jail, address, count, until IS NULL AS never FROM bans WHERE ended IS NULL
            UNION ALL SELECT jail, address, count, forget IS NULL FROM offenders
        ) JOIN jails ON jails.id = jail ORDER BY address";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn until_of(env: &Env, address: &str) -> Value {
    let found = env.get(&format!("/api/v1/lookup/{address}")).json();
    found["bans"][0]["until"].clone()
}

#[test]
fn its_database_is_taken_over() {
    if !is_installed() {
        return;
    }
    let (env, daemon, fail2ban) = both(nothing);
    fail2ban.says(&[
        "set",
        "shop",
        "banip",
        "192.0.2.31",
        "192.0.2.32",
        "192.0.2.33",
        "127.0.0.1",
        "somebody",
    ]);
    fail2ban.says(&["set", "app", "bantime", "-1"]);
    fail2ban.says(&["set", "app", "banip", "198.51.100.0/24"]);
    fail2ban.says(&["set", "app", "attempt", "192.0.2.40", "one", "two", "three"]);
    let database = fail2ban.database();
    let kept = |database: &Path| -> u64 {
        let connection = Connection::open(database).unwrap();
        connection.query_row("SELECT count(*) FROM bips", [], |row| row.get(0)).unwrap_or(0)
    };
    until("fail2ban has kept its bans", || kept(&database) == 7);
    aged_copy(&env, &database);
    drop(fail2ban);

    let path = env.path("moved.sqlite3").display().to_string();
    let dry = run(&env, &["import", "fail2ban", &path, "--dry-run", "--json"]);
    let dry: Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(
        (&dry["jails"]["shop"]["banned"], &dry["jails"]["shop"]["remembered"]),
        (&3.into(), &1.into())
    );
    assert_eq!(env.get("/api/v1/bans").json()["bans"], Value::Array(vec![]), "nothing was handed over");

    let first = run(&env, &["import", "fail2ban", &path]);
    let said = "app: 2 banned, 0 remembered, 0 unchanged, 0 refused, 0 skipped\n\
                shop: 2 banned, 1 remembered, 0 unchanged, 1 refused, 1 skipped\n";
    assert_eq!(first, Said { code: 0, out: said.to_owned() });
    let state = (offenders(&env), env.get("/api/v1/bans").body);
    let second = run(&env, &["import", "fail2ban", &path]);
    assert_eq!(second.out.matches("0 banned, 0 remembered, ").count(), 2, "{second:?}");
    assert_eq!((offenders(&env), env.get("/api/v1/bans").body), state, "twice is as good as once");

    let (shop, app) = ("shop".to_owned(), "app".to_owned());
    let expected = [(shop.clone(), 3), (shop.clone(), 1), (shop, 4), (app.clone(), 1), (app, 1)];
    let found: Vec<(String, u32)> = state.0.iter().map(|(jail, count, _)| (jail.clone(), *count)).collect();
    assert_eq!(found, expected);
    assert_eq!(until_of(&env, "198.51.100.9"), Value::Null, "permanent");
    let lookup = env.get("/api/v1/lookup/192.0.2.40").json();
    assert_eq!(lookup["bans"][0]["evidence"], serde_json::json!(["one", "two", "three"]));
    assert!(daemon.lists("198.51.100.9"));
    assert!(daemon.lists("192.0.2.31"));

    // Whoever was banned four times before and comes back is banned for the fifth time, and sooner than at the third failure.
    env.log("shop.log").append(&login("192.0.2.33").repeat(2));
    until("the offender is banned again", || daemon.lists("192.0.2.33"));
    let again = env.get("/api/v1/lookup/192.0.2.33").json();
    assert_eq!(again["bans"][0]["count"], 5);
    let other = run(&env, &["import", "fail2ban", &path, "--jail", "shop=nothing", "--json"]);
    let other: Value = serde_json::from_str(&other.out).unwrap();
    assert_eq!(other["jails"]["shop"]["exists"], false);
    assert_eq!(other["jails"]["shop"]["skipped"], 5);
}

/// Leaves a copy of fail2ban's database in which one is a known offender, and another has served its time as well.
fn aged_copy(env: &Env, database: &Path) {
    let copy = env.path("moved.sqlite3");
    let connection = Connection::open(database).unwrap();
    connection.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    Connection::open(copy)
        .unwrap()
        .execute_batch(
            "UPDATE bips SET bancount = 3 WHERE ip = '192.0.2.31';
             UPDATE bips SET bancount = 4, timeofban = timeofban - 7200 WHERE ip = '192.0.2.33';",
        )
        .unwrap();
}

#[test]
fn its_bans_are_handed_over_by_the_action() {
    if !is_installed() {
        return;
    }
    let program = env!("CARGO_BIN_EXE_banzone");
    let action = |env: &Env| format!("banzone[banzone=\"{program} --config {}\"]", env.config().display());
    let (env, daemon, mut fail2ban) = both(action);
    fail2ban.says(&["set", "app", "banip", "192.0.2.31", "2001:db8::31"]);
    until("the bans are published", || daemon.lists("192.0.2.31") && daemon.lists("2001:db8::31"));
    let answer = env::ask_listing(daemon.dns(), "192.0.2.31", RecordType::TXT).unwrap();
    assert!(answer.texts[0].contains("by manual"), "{answer:?}");

    // One that fail2ban restores ends when it would have.
    let before = until_of(&env, "192.0.2.31");
    fail2ban.restart();
    // The second stands behind the first: fail2ban unbans nothing that it is still busy banning.
    until("the bans are there again", || daemon.lists("192.0.2.31") && daemon.lists("2001:db8::31"));
    let seconds = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let moved = seconds(&until_of(&env, "192.0.2.31")) - seconds(&before);
    assert!(moved.abs() <= 1, "fail2ban keeps whole seconds: {moved}");

    fail2ban.says(&["set", "app", "unbanip", "192.0.2.31"]);
    until("the ban is gone", || !daemon.lists("192.0.2.31"));
    assert!(daemon.lists("2001:db8::31"));
    // What a filter may have found in a log is no command.
    let word = "x\";touch made;\"`touch made`$(touch made)' '";
    fail2ban.says(&["set", "app", "banip", word, "-x", "192.0.2.32"]);
    until("the ban behind it is published", || daemon.lists("192.0.2.32"));
    assert!(!env.path("fail2ban/made").exists());
    fail2ban.says(&["set", "app", "bantime", "-1"]);
    fail2ban.says(&["set", "app", "banip", "192.0.2.33"]);
    until("it is banned for good", || daemon.lists("192.0.2.33"));
    assert_eq!(until_of(&env, "192.0.2.33"), Value::Null);
}
