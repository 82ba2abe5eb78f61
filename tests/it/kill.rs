//! `kill -9` at hundreds of random instants, while logs are written and rotated: what is counted, banned and answered in
//! the end is, to the row, what an undisturbed daemon makes of the same lines.
//!
//! The plan (what is written, when it is rotated, when it is killed) comes from a seed; when the daemon is hit within
//! its work differs from run to run. Every line bears the time it was written, and bans and findtimes are long: so a line
//! counts for its own time, whether it is read at once or after a restart, and nothing ends meanwhile.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use banzone::clock::Clock;
use hickory_proto::rr::RecordType;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rusqlite::types::ValueRef;

use super::env::{Answer, Daemon, Env, Log, ask_listing, failure_at, until, written};

/// How often it is killed.
const KILLS: usize = 200;

/// As many of these lives must get something done, or the test shows nothing.
const FRUITFUL: usize = 60;

/// The seed of the plan.
const SEED: u64 = 20_261_122;

/// Three ways to count one log, and a second log.
const JAILS: &str = "
[defaults]
findtime = '1d'
bantime = '1w'
start = 'head'

[jail.plain]
filter = 'postfix-sasl'
logpath = 'log/mail.log'

[jail.strict]
filter = 'postfix-sasl'
logpath = 'log/mail.log'
maxretry = 2
ipv6_prefix = 56
escalate = { hosts = 4, ipv4 = 27 }
max_matches = 3

[jail.growing]
filter = 'postfix-sasl'
logpath = 'log/mail.log'
maxretry = 8
increment = true

[jail.submission]
filter = 'postfix-sasl'
logpath = 'log/submission.log'
maxretry = 4
bantime = 'permanent'
";

/// Everything that is counted, a query for each table. Row numbers differ where two logs are read at the same time.
const TABLES: &[(&str, &str)] = &[
    ("totals", "SELECT name, total_failed, total_banned FROM jails ORDER BY name"),
    (
        "hours",
        "SELECT name, hour, failures, bans FROM failures_by_hour JOIN jails ON id = jail ORDER BY name, hour",
    ),
    (
        "days",
        "SELECT name, day, address, length, failures FROM failures_by_day JOIN jails ON id = jail
         ORDER BY name, day, address, length",
    ),
    (
        "counters",
        "SELECT name, address, length, first, last, retry, failures, lines FROM counters JOIN jails ON id = jail
         ORDER BY name, address, length",
    ),
    (
        "bans",
        "SELECT name, address, length, since, until, origin, failures, count, ended, end_cause, position, line
         FROM bans JOIN jails ON jails.id = jail LEFT JOIN evidence ON ban = bans.id
         ORDER BY name, address, length, since, bans.id, position",
    ),
    (
        "offenders",
        "SELECT name, address, length, count, since, forget FROM offenders JOIN jails ON id = jail
         ORDER BY name, address, length",
    ),
    (
        "changes of mail.log",
        "SELECT name, at, kind, address, length, until, cause FROM changes JOIN jails ON id = jail
         WHERE name <> 'submission' ORDER BY number",
    ),
    (
        "changes of submission.log",
        "SELECT at, kind, address, length, until, cause FROM changes JOIN jails ON id = jail
         WHERE name = 'submission' ORDER BY number",
    ),
    ("numbers", "SELECT min(number), max(number) = count(*), count(*) FROM changes"),
];

#[test]
fn every_line_counts_once_whenever_it_is_killed() {
    let env = Env::new(JAILS);
    let mut run = Run::new(&env);
    run.begin();
    for _ in 0..KILLS {
        run.one_life();
    }
    let (disturbed, answers) = run.end();
    assert!(run.fruitful >= FRUITFUL, "only {} lives got anything done", run.fruitful);
    let [mail, submission] = &run.logs;
    let (undisturbed, expected) = undisturbed(&mail.written, &submission.written);
    for ((table, disturbed), (_, undisturbed)) in disturbed.iter().zip(&undisturbed) {
        assert!(!undisturbed.is_empty(), "the plan shows nothing of the {table}");
        compare(table, disturbed, undisturbed);
    }
    assert!(
        answers.iter().any(|answer| answer.codes.is_empty())
            && answers.iter().any(|answer| !answer.codes.is_empty())
    );
    assert_eq!(answers, expected);
}

/// A filter for which a failure is told in two lines: who connects, and that a login failed.
const CONNECTIONS: &str = r"
[Definition]
prefregex = ^ \S+ server<F-MLFID>\[\d+\]</F-MLFID>: <F-CONTENT>.+</F-CONTENT>$
failregex = ^<F-NOFAIL>connect</F-NOFAIL> from <HOST>$
            ^wrong password$
";

#[test]
fn what_a_filter_remembers_of_a_connection_outlives_a_kill_and_a_reload() {
    let env =
        Env::new("[jail.following]\nfilter = 'connections.conf'\nlogpath = 'log/mail.log'\nmaxretry = 2\n");
    fs::write(env.path("connections.conf"), CONNECTIONS).unwrap();
    let log = env.log("mail.log");
    log.append("");
    let line = |rest: &str| log.append(&format!("{} host server[7]: {rest}\n", written(Clock::System.now())));
    let remembers = |rows: u64| {
        until("the connection is remembered", || {
            let sql = "SELECT count(*) FROM filter_states WHERE key <> 'filter' AND value LIKE ?1";
            let database = env.database();
            database.query_row(sql, [format!("%{rows}%")], |row| row.get::<_, u64>(0)).unwrap_or(0) == 1
        });
    };
    let daemon = env.start();
    line("connect from 198.51.100.77");
    remembers(77);
    daemon.kill();
    let daemon = env.start();
    line("wrong password");
    until("the failure is counted", || env.counted() == 1);
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    line("wrong password");
    until("the ban is answered", || daemon.lists("198.51.100.77"));
}

/// Fails with the first difference.
#[track_caller]
fn compare(table: &str, disturbed: &[String], undisturbed: &[String]) {
    let difference = disturbed.iter().zip(undisturbed).find(|(one, other)| one != other);
    if let Some((disturbed, undisturbed)) = difference {
        panic!("{table}: killed     {disturbed}\n{table}: undisturbed {undisturbed}");
    }
    assert_eq!(disturbed.len(), undisturbed.len(), "rows of the {table}");
}

/// The test while it runs.
struct Run<'a> {
    env: &'a Env,
    random: SmallRng,
    addresses: Vec<String>,
    logs: [Writing; 2],
    /// How long the last start took; the faster the machine is, the sooner it is killed.
    start_takes: Duration,
    /// Failures committed when the daemon was last killed.
    counted: u64,
    /// How many lives committed something.
    fruitful: usize,
}

/// One log and whoever writes it.
struct Writing {
    log: Log,
    file: File,
    /// All that was ever written.
    written: String,
    /// What is still to come of a line that was begun.
    rest: String,
}

impl<'a> Run<'a> {
    fn new(env: &'a Env) -> Self {
        let writing = |name| {
            let log = env.log(name);
            let file = log.open();
            Writing { log, file, written: String::new(), rest: String::new() }
        };
        Self {
            env,
            random: SmallRng::seed_from_u64(SEED),
            addresses: addresses(),
            logs: [writing("mail.log"), writing("submission.log")],
            start_takes: Duration::ZERO,
            counted: 0,
            fruitful: 0,
        }
    }

    /// Lets the daemon see both logs once: what is rotated before that is none of its business.
    fn begin(&mut self) {
        let daemon = self.env.start();
        self.write(20);
        until("both logs are followed", || {
            let sql = "SELECT count(*) FROM positions WHERE inode <> 0";
            self.env.database().query_row(sql, [], |row| row.get(0)).unwrap_or(0) == 2
        });
        daemon.kill();
    }

    /// Starts the daemon, goes on writing, kills it at some instant, and goes on writing without it.
    fn one_life(&mut self) {
        let begin = Instant::now();
        let mut daemon = self.env.spawn(self.env.command());
        if self.random.random_bool(0.75) {
            daemon.wait_until_ready();
            self.start_takes = begin.elapsed();
        }
        // What a start leaves for the first line to do takes about as long as the start itself.
        let span = self.start_takes.mul_f64(self.random.random_range(0.0..3.0));
        self.write_for(span);
        assert!(!daemon.has_ended(), "the daemon ended by itself");
        daemon.kill();
        let counted = self.env.counted();
        self.fruitful += usize::from(counted > self.counted);
        self.counted = counted;
        if self.random.random_bool(0.3) {
            self.write(30);
        }
        for _ in 0..[0, 0, 0, 0, 0, 0, 1, 2][self.random.random_range(0..8)] {
            self.rotate();
            self.write(10);
        }
    }

    fn write_for(&mut self, span: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < span {
            self.write(5);
            if self.random.random_bool(0.02) {
                self.rotate();
            }
            thread::sleep(Duration::from_micros(self.random.random_range(0..6000)));
        }
    }

    /// Writes up to `most` lines, and sometimes only the beginning of another.
    fn write(&mut self, most: usize) {
        let log = &mut self.logs[usize::from(self.random.random_bool(0.25))];
        let mut text = std::mem::take(&mut log.rest);
        let known = text.len();
        for _ in 0..self.random.random_range(0..=most) {
            // Some fail often, many seldom.
            let which: f64 = self.random.random();
            let address = &self.addresses[(which.powi(3) * self.addresses.len() as f64) as usize];
            let now = Clock::System.now();
            match self.random.random_range(0..4) {
                0 => writeln!(
                    text,
                    "{} mail postfix/smtpd[711]: connect from unknown[{address}]",
                    written(now)
                )
                .unwrap(),
                _ => text += &failure_at(now, address),
            }
        }
        log.written += &text[known..];
        if self.random.random_bool(0.1) && !text.is_empty() {
            log.rest = text.split_off(self.random.random_range(0..text.len()));
        }
        log.file.write_all(text.as_bytes()).unwrap();
    }

    /// Moves a log away; a few more lines may go there before the writer is told.
    fn rotate(&mut self) {
        let which = usize::from(self.random.random_bool(0.25));
        self.logs[which].log.rotate();
        if self.random.random_bool(0.5) {
            self.write(5);
        }
        let Writing { log, file, rest, .. } = &mut self.logs[which];
        file.write_all(std::mem::take(rest).as_bytes()).unwrap();
        *file = log.open();
    }

    /// Lets the daemon come to the end of what was written, and looks at what it made of it.
    fn end(&mut self) -> (Vec<(&'static str, Vec<String>)>, Vec<Answer>) {
        for log in &mut self.logs {
            log.file.write_all(std::mem::take(&mut log.rest).as_bytes()).unwrap();
        }
        let daemon = self.env.start();
        until("everything is read and answered", || is_done(self.env));
        let answers = answers(&daemon);
        assert!(daemon.terminate().success());
        (dump(self.env), answers)
    }
}

/// What a daemon that nobody disturbs makes of the same lines.
fn undisturbed(mail: &str, submission: &str) -> (Vec<(&'static str, Vec<String>)>, Vec<Answer>) {
    let env = Env::new(JAILS);
    env.log("mail.log").append(mail);
    env.log("submission.log").append(submission);
    let daemon = env.start();
    until("everything is read and answered", || is_done(&env));
    let answers = answers(&daemon);
    assert!(daemon.terminate().success());
    (dump(&env), answers)
}

/// Whether everything was read to its end, and is answered.
fn is_done(env: &Env) -> bool {
    let serial = || -> u64 {
        let sql = "SELECT serial_base + (SELECT max(number) FROM changes) FROM about";
        env.database().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    is_read(env) && env.get("/api/v1/status").json()["zones"][0]["serial"] == serial()
}

/// Whether every file was read to its end, as committed. Nobody needs to remember an empty one.
fn is_read(env: &Env) -> bool {
    let database = env.database();
    let mut statement = database
        .prepare("SELECT inode, byte_offset FROM positions WHERE byte_offset > 0 ORDER BY inode")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))).unwrap();
    let read: Vec<(u64, u64)> = rows.collect::<Result<_, _>>().unwrap();
    let mut there: Vec<(u64, u64)> = fs::read_dir(env.path("log"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .map(|file| (std::os::unix::fs::MetadataExt::ino(&file), file.len()))
        .filter(|(_, length)| *length > 0)
        .collect();
    there.sort_unstable();
    read == there
}

fn dump(env: &Env) -> Vec<(&'static str, Vec<String>)> {
    let database = env.database();
    let rows = |(name, sql): &(&'static str, &str)| {
        let mut statement = database.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let mut text = String::new();
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Text(value) => write!(text, "{} | ", String::from_utf8_lossy(value)).unwrap(),
                    value => write!(text, "{value:?} | ").unwrap(),
                }
            }
            Ok(text)
        });
        (*name, rows.unwrap().collect::<Result<_, _>>().unwrap())
    };
    TABLES.iter().map(rows).collect()
}

/// Codes and texts for every address that is in the logs, and for neighbours.
fn answers(daemon: &Daemon) -> Vec<Answer> {
    let ask = |address: &String, kind| ask_listing(daemon.dns(), address, kind).unwrap();
    let kinds = [RecordType::A, RecordType::TXT];
    let asked = addresses().into_iter().chain(["203.0.113.255".to_owned()]);
    let answers = asked.flat_map(|address| kinds.map(|kind| Answer { ttl: None, ..ask(&address, kind) }));
    answers.collect()
}

/// Who fails: neighbours enough to list their network, and strangers; in a mixed order.
fn addresses() -> Vec<String> {
    let close = (1..30).map(|last| format!("198.51.100.{last}"));
    let far = (0..250).map(|last| format!("203.0.113.{last}"));
    let six = (0..80).map(|last| format!("2001:db8:{}:{}::{last:x}", last % 7, last % 11));
    let mut all: Vec<String> = close.chain(far).chain(six).collect();
    all.sort_by_key(|address| {
        address.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte))
    });
    all
}
