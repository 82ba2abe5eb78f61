//! fail2ban-server and banzone side by side: the same configuration, the same logs, the same bans.
//!
//! Both start on complete logs, and then see the same lines come in. All times are those of the lines, so that nothing
//! depends on who reads first: no line is so old that a jail could drop it in one program and count it in the other,
//! and no ban ends before the test does. Each log ends with failures of a marker, an address that nobody else uses: when
//! a jail has banned it, it has read everything before.
//!
//! ```text
//! etc/       the configuration: fail2ban's own files by symbolic links, and tests/data/fail2ban/bans
//! ```

#[path = "../../../benches/generator/mod.rs"]
#[allow(dead_code, reason = "the benchmarks use all of it")]
mod generator;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use banzone::clock::{Clock, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rusqlite::{Connection, params};

use super::server::{self, Bans, Fail2ban};
use super::{CONFIG, is_installed};
use crate::env::{DEADLINE, Daemon, Env, until};
use generator::{AUTH, Bots, Generator, MAIL, Stamp};

/// What is the project's in it.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fail2ban/bans");

/// Which jails read which log, how many failures a marker needs for all of them, and how it fails.
const LOGS: &[(&str, &[&str], usize, Line)] = &[
    ("mail.log", &["postfix", "postfix-sasl", "dovecot"], 5, |time, address| {
        sasl(time, address) + &dovecot(time, address)
    }),
    ("auth.log", &["sshd", "sshd-slow"], 12, sshd),
    ("shop-1.log", &["shop"], 5, shop),
    ("shop-2.log", &["shop"], 5, shop),
    ("more.log", &["shop"], 5, shop),
    ("returning.log", &["returning"], 5, shop),
    ("doubling.log", &["doubling"], 6, shop),
    ("everywhere.log", &["everywhere"], 5, shop),
];

type Line = fn(Timestamp, &str) -> String;

/// Who was banned before, by which jail and how often.
const OFFENDERS: &[(&str, &str, u32)] = &[
    ("returning", "203.0.113.101", 1),
    ("returning", "203.0.113.102", 2),
    ("returning", "2001:db8:3::3", 3),
    ("returning", "203.0.113.104", 6),
    ("doubling", "203.0.113.111", 1),
    ("doubling", "2001:db8:3::12", 3),
    ("doubling", "203.0.113.113", 8),
    ("everywhere", "203.0.113.121", 1),
    ("shop", "203.0.113.121", 2),
    ("shop", "203.0.113.122", 3),
];

/// Who comes back, where, and how often: fail2ban weighs failures by the bans of the same jail. It adds the weight from
/// another thread, so that one failure more than it takes would leave to chance what it counts for.
const RETURNING: &[(&str, &str, usize)] = &[
    ("returning", "203.0.113.101", 3),
    ("returning", "203.0.113.102", 2),
    ("returning", "2001:db8:3::3", 1),
    ("returning", "203.0.113.104", 1),
    ("returning", "203.0.113.105", 4),
    ("doubling", "203.0.113.111", 3),
    ("doubling", "2001:db8:3::12", 2),
    ("doubling", "203.0.113.113", 1),
    ("everywhere", "203.0.113.121", 3),
    ("everywhere", "203.0.113.122", 5),
];

/// Ages of lines in seconds, oldest first, far from every findtime (30 minutes, 1 hour).
const AGES: [Range<i64>; 3] = [3_900..5_000, 2_100..3_300, 5..1_500];

/// Few addresses, so that they come back.
const BOTS: Bots = Bots { networks: 4, hosts: 10 };

const SEED: u64 = 7;

/// Bans that begin when a program reads the line, and so a little apart.
const APART: Duration = Duration::from_secs(60);

/// Fails in the second part with dates of an hour ago, which count as now.
const LATE: &str = "203.0.113.240";

#[test]
fn fail2ban_and_banzone_ban_the_same() {
    if !is_installed() {
        return;
    }
    let world = World::new();
    world.learn_offenders();
    world.take_over();
    world.first_part();
    let fail2ban = world.start_fail2ban();
    let daemon = world.start_banzone();
    world.compare(&fail2ban, 1);
    world.second_part();
    world.compare(&fail2ban, 2);
    assert!(daemon.terminate().success());
    fail2ban.stop();
}

/// The folder of both programs.
struct World {
    env: Env,
}

impl World {
    fn new() -> Self {
        let world = Self { env: Env::new("") };
        for folder in ["", "filter.d", "action.d"] {
            fs::create_dir_all(world.env.path("etc").join(folder)).unwrap();
            world.link(Path::new(CONFIG), folder);
            world.link(Path::new(OWN), folder);
        }
        fs::create_dir_all(world.env.path("etc/jail.d")).unwrap();
        let path = |name: &str| world.env.path(name).display().to_string();
        world.write("etc/jail.d/logs.conf", &format!("[DEFAULT]\nlogs = {}\n", path("log")));
        world.write("etc/action.d/note.local", &format!("[Init]\nnotes = {}\n", path("fail2ban/notes")));
        world.write("etc/fail2ban.local", &format!("[DEFAULT]\n{}", server::settings(&world.env)));
        let logs = LOGS.iter().map(|(log, ..)| *log).chain(["old.log", "fail2ban.log"]);
        logs.for_each(|log| world.env.log(log).append(""));
        world
    }

    /// Links the files of a folder into the configuration.
    fn link(&self, from: &Path, folder: &str) {
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                symlink(&path, self.env.path("etc").join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.env.path(name), text).unwrap();
    }

    fn start_fail2ban(&self) -> Fail2ban {
        Fail2ban::start(&self.env)
    }

    /// Has fail2ban make its database, on empty logs, and puts earlier bans into it.
    fn learn_offenders(&self) {
        self.start_fail2ban().stop();
        let database = Connection::open(self.env.path("fail2ban/database")).unwrap();
        let before = (Clock::System.now() - Duration::from_secs(6 * 3600)).as_millis() / 1000;
        for (jail, address, count) in OFFENDERS {
            let sql = "INSERT INTO bips (ip, jail, timeofban, bantime, bancount, data) VALUES (?, ?, ?, 600, ?, '{}')";
            database.execute(sql, params![address, jail, before, count]).unwrap();
        }
    }

    /// banzone takes over the earlier bans, also before there is anything in the logs.
    fn take_over(&self) {
        self.env.configure(&format!("[fail2ban]\ndir = '{}'\n", self.env.path("etc").display()));
        let daemon = self.start_banzone();
        let mut import = Command::new(env!("CARGO_BIN_EXE_banzone"));
        import.arg("--config").arg(self.env.config()).args(["import", "fail2ban"]);
        let output = import.arg(self.env.path("fail2ban/database")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(daemon.terminate().success());
    }

    fn start_banzone(&self) -> Daemon {
        let mut command = self.env.command();
        command.env("TZ", "UTC");
        self.env.start_as(command)
    }

    /// What the logs hold when both programs start.
    fn first_part(&self) {
        let now = Clock::System.now();
        let mut random = SmallRng::seed_from_u64(SEED);
        let mut times: Vec<_> =
            AGES.into_iter().flat_map(|ages| spread(now, ages, 1_500, &mut random)).collect();
        times.sort();
        self.fill(&times, &mut random);
        for (jail, address, count) in RETURNING {
            let lines =
                (1..=*count as u64).map(|number| shop(now - Duration::from_secs(900 - number), address));
            self.env.log(&format!("{jail}.log")).append(&lines.collect::<String>());
        }
        let old = spread(now, 120..1_500, 200, &mut random).into_iter().map(|time| shop(time, "203.0.113.5"));
        self.env.log("old.log").append(&old.collect::<String>());
        self.mark(1, now - Duration::from_secs(2));
    }

    /// What comes in while they run, all of it just now, but for one who is late.
    fn second_part(&self) {
        let now = Clock::System.now();
        self.fill(&vec![now; 1_500], &mut SmallRng::seed_from_u64(SEED + 1));
        let late = now - Duration::from_secs(3600);
        self.env.log("mail.log").append(&sasl(late, LATE).repeat(6));
        self.mark(2, now);
    }

    /// Lines at these times in all logs but those of the jails whose bans grow.
    fn fill(&self, times: &[Timestamp], random: &mut SmallRng) {
        for (log, kinds, stamp) in [("mail.log", MAIL, Stamp::Rfc3164), ("auth.log", AUTH, Stamp::Iso)] {
            let mut generator = Generator::new(kinds, stamp, BOTS, random.random());
            let mut text = String::new();
            for time in times {
                generator.append(*time, &mut text).unwrap();
            }
            self.env.log(log).append(&text);
        }
        for (number, log) in (0..).zip(["shop-1.log", "shop-2.log", "more.log"]) {
            let mut line = |time: &Timestamp| {
                // Each address in one log only: nobody promises in which order a jail reads several.
                let host = 20 + 3 * random.random_range(0..12) + number;
                let address =
                    if host % 2 == 0 { format!("198.51.100.{host}") } else { format!("2001:db8:2::{host}") };
                if host % 5 == 0 { token(*time, &address) } else { shop(*time, &address) }
            };
            self.env.log(log).append(&times.iter().step_by(40).map(&mut line).collect::<String>());
        }
    }

    /// Ends every log with the failures of a marker.
    fn mark(&self, part: usize, time: Timestamp) {
        for (number, (log, _, count, line)) in LOGS.iter().enumerate() {
            self.env.log(log).append(&line(time, &marker(part, number)).repeat(*count));
        }
    }

    /// Waits until both have read everything, and holds their bans against each other.
    fn compare(&self, fail2ban: &Fail2ban, part: usize) {
        let markers = LOGS.iter().enumerate().flat_map(|(number, (_, jails, ..))| {
            jails.iter().map(move |jail| ((*jail).to_owned(), marker(part, number)))
        });
        let markers = markers.collect::<Vec<_>>();
        until("fail2ban has read everything", || {
            let bans = fail2ban.bans(jails());
            markers.iter().all(|ban| bans.contains_key(ban) && fail2ban.has_stored(&ban.0, &ban.1))
        });
        until("banzone has read everything", || {
            let bans = self.bans();
            markers.iter().all(|ban| bans.contains_key(ban))
        });
        let (theirs, ours) = (fail2ban.bans(jails()), self.bans());
        assert!(theirs.len() > 100, "too few bans to mean much: {}", theirs.len());
        let different = differences(&exact(&theirs), &exact(&ours));
        assert!(different.is_empty(), "of {} bans\n{}", theirs.len(), different.join("\n"));
        self.compare_the_others(fail2ban);
    }

    /// Bans whose beginning is the moment in which a program reads a line, which fail2ban's jail on its own log does late.
    fn compare_the_others(&self, fail2ban: &Fail2ban) {
        let begin = Instant::now();
        loop {
            let (theirs, ours) = (fail2ban.bans(jails()), self.bans());
            let different = differences(&about(&theirs), &about(&ours));
            if different.is_empty() {
                return assert!(
                    about(&theirs).iter().any(|(ban, _)| ban.0 == "recidive"),
                    "nobody came back"
                );
            }
            assert!(begin.elapsed() < DEADLINE, "{}", different.join("\n"));
        }
    }

    fn bans(&self) -> Bans {
        let answer = self.env.get("/api/v1/bans?limit=1000").json();
        let bans = answer["bans"].as_array().unwrap().iter().map(|ban| {
            let text = |key: &str| ban[key].as_str();
            let address = text("prefix").unwrap().trim_end_matches("/32").trim_end_matches("/128");
            let time = |key: &str| text(key).map(|time| whole_seconds(time.parse().unwrap()));
            ((text("jail").unwrap().to_owned(), address.to_owned()), (time("since").unwrap(), time("until")))
        });
        bans.collect()
    }
}

/// Every jail, also those that should ban nobody.
fn jails() -> BTreeSet<&'static str> {
    LOGS.iter().flat_map(|(_, jails, ..)| *jails).copied().chain(["brief", "recidive"]).collect()
}

fn marker(part: usize, log: usize) -> String {
    format!("2001:db8:ffff::{part}:{log}")
}

/// fail2ban shows no fractions.
fn whole_seconds(time: jiff::Timestamp) -> Timestamp {
    Timestamp::from_secs(time.as_second())
}

/// Who, and from when until when.
type Row<T> = ((String, String), T);

fn is_exact((jail, address): &(String, String)) -> bool {
    jail != "recidive" && address != LATE
}

fn exact(bans: &Bans) -> Vec<Row<(Timestamp, Option<Timestamp>)>> {
    bans.iter().filter(|(who, _)| is_exact(who)).map(|(who, times)| (who.clone(), *times)).collect()
}

/// Who, and for how long, if it began just now.
fn about(bans: &Bans) -> Vec<Row<(bool, Option<Duration>)>> {
    let now = Clock::System.now();
    let others = bans.iter().filter(|(who, _)| !is_exact(who));
    others
        .map(|(who, (since, until))| {
            (who.clone(), (now.since(*since) < DEADLINE + APART, until.map(|until| until.since(*since))))
        })
        .collect()
}

fn differences<T: PartialEq + std::fmt::Debug>(theirs: &[Row<T>], ours: &[Row<T>]) -> Vec<String> {
    let only = |whose: &str, these: &[Row<T>], others: &[Row<T>]| -> Vec<String> {
        these.iter().filter(|row| !others.contains(row)).map(|row| format!("only {whose}: {row:?}")).collect()
    };
    let mut found = [only("fail2ban", theirs, ours), only("banzone", ours, theirs)].concat();
    found.sort_by_key(|line| line.split_once(": ").map(|(_, row)| row.to_owned()));
    found
}

/// So many times of this age.
fn spread(now: Timestamp, ages: Range<i64>, count: usize, random: &mut SmallRng) -> Vec<Timestamp> {
    let mut times: Vec<_> =
        (0..count).map(|_| now - Duration::from_secs(random.random_range(ages.clone()) as u64)).collect();
    times.sort();
    times
}

fn sasl(time: Timestamp, address: &str) -> String {
    let time = Stamp::Rfc3164.write(time);
    format!(
        "{time} mail postfix/smtpd[711]: warning: unknown[{address}]: SASL LOGIN authentication failed: x\n"
    )
}

fn dovecot(time: Timestamp, address: &str) -> String {
    let time = Stamp::Rfc3164.write(time);
    format!(
        "{time} mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): \
         user=<x>, method=PLAIN, rip={address}, lip=192.0.2.25, TLS, session=<x>\n"
    )
}

fn sshd(time: Timestamp, address: &str) -> String {
    let time = Stamp::Iso.write(time);
    format!("{time} mail sshd[711]: Failed password for root from {address} port 4711 ssh2\n")
}

fn shop(time: Timestamp, address: &str) -> String {
    format!("{} shop[711]: WARN login of \"anna\" from {address} failed\n", plain(time))
}

fn token(time: Timestamp, address: &str) -> String {
    let time = plain(time);
    format!(
        "{time} shop[711]: ERROR forged token from {address}\n{time} shop[711]: WARN login of \"probe\" from {address} failed\n"
    )
}

/// `2026-11-20 06:00:04`
fn plain(time: Timestamp) -> String {
    Stamp::Iso.write(time)[..19].replace('T', " ")
}
