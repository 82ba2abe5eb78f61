//! How fast a log goes through filters and jails on one thread: `cargo bench --bench replay`.
//!
//! Writes a log of a busy mail server, the same one every time, and takes it through four jails on Postfix the way
//! `banzone replay` does. Beside it stand `grep -c` of one word, which is about the least that can be done with a log,
//! and fail2ban-regex if it is installed. All speeds are by CPU time.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::config;
use banzone::filter::Pace;
use banzone::jail::{Change, Effects, Jails, Reader, Readers, Settings};
use banzone::source::read_once;
use nix::sys::resource::{UsageWho, getrusage};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The lengths of the logs: memory must not grow from one to the other.
const LENGTHS: [usize; 2] = [1_000_000, 4_000_000];

/// fail2ban-regex gets only so many lines, as it takes its time.
const SHORT: usize = 100_000;

const SEED: u64 = 1;

/// 2026-11-20T00:00:00Z, and how far apart lines are on average.
const START: Timestamp = Timestamp::from_secs(1_795_132_800);
const STEP: Duration = Duration::from_millis(80);

const JAILS: [&str; 4] = ["postfix-sasl", "postfix-pipelining", "postfix-reject", "postscreen"];

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let jails = jails(folder.path())?;
    println!("     lines     MB   lines/s    MB/s  failures    bans  peak MB");
    for length in LENGTHS {
        let log = folder.path().join(format!("{length}.log"));
        let end = write_log(&log, length)?;
        print_run(&log, &replay(&log, &jails, end)?)?;
        print_grep(&log, length)?;
    }
    beside_fail2ban(folder.path(), &jails)
}

/// Four jails as a configuration has them, on a log that stands for theirs.
fn jails(folder: &Path) -> Result<Vec<Settings>> {
    let mut text = format!("filters = ['{}/filters']\n", env!("CARGO_MANIFEST_DIR"));
    for jail in JAILS {
        writeln!(text, "[jail.{jail}]\nlogpath = 'mail.log'")?;
    }
    let path = folder.join("banzone.toml");
    fs::write(&path, text)?;
    let mut jails = config::load(&path)?.jails;
    // A jail without sources takes bans by hand only.
    jails.retain(|jail| !jail.sources.is_empty());
    Ok(jails)
}

/// What a replay did, and the CPU time it took.
#[derive(Default)]
struct Run {
    lines: usize,
    failures: u64,
    bans: usize,
    seconds: f64,
}

fn replay(log: &Path, settings: &[Settings], end: Timestamp) -> Result<Run> {
    let begin = cpu_seconds(UsageWho::RUSAGE_SELF)?;
    let mut run = Run::default();
    let mut readers = Readers::new(settings, end)?;
    let mut jails = Jails::new(settings.to_vec(), [].into_iter().collect(), [].into_iter().collect(), SEED);
    let reader = readers.get_mut(&settings[0].sources[0].path).ok_or("the jails read a log")?;
    for batch in read_once(log)? {
        let batch = batch?;
        let mut effects = Effects::default();
        batch.lines().for_each(|line| read(reader, &mut jails, line, end, &mut effects));
        run.lines += batch.len();
        run.failures += effects.failures.values().map(|count| u64::from(*count)).sum::<u64>();
        run.bans += effects.changes.iter().filter(|change| matches!(change, Change::Banned(_))).count();
        jails.finish(&mut effects);
    }
    run.seconds = cpu_seconds(UsageWho::RUSAGE_SELF)? - begin;
    Ok(run)
}

fn read(reader: &mut Reader, jails: &mut Jails, line: &[u8], before: Timestamp, effects: &mut Effects) {
    reader.read(line, None, Pace::Replaying { before }, |jail, found, now| {
        jails.expire(now, effects);
        jails.found(jail, found, now, effects);
    });
}

fn print_run(log: &Path, run: &Run) -> Result<()> {
    let megabytes = megabytes(log)?;
    println!(
        "{:10}{megabytes:7.0}{:10.0}{:8.0}{:10}{:8}{:9.0}",
        run.lines,
        run.lines as f64 / run.seconds,
        megabytes / run.seconds,
        run.failures,
        run.bans,
        peak_megabytes()?
    );
    Ok(())
}

fn print_grep(log: &Path, lines: usize) -> Result<()> {
    let mut grep = Command::new("grep");
    grep.args(["-c", "authentication failed"]).arg(log).env("LC_ALL", "C");
    let seconds = time_of(&mut grep)?;
    println!("   grep -c{:>7}{:10.0}{:8.0}", "", lines as f64 / seconds, megabytes(log)? / seconds);
    Ok(())
}

/// The same lines through both programs.
fn beside_fail2ban(folder: &Path, jails: &[Settings]) -> Result<()> {
    let log = folder.join("short.log");
    let end = write_log(&log, SHORT)?;
    let mut peer = Command::new("fail2ban-regex");
    peer.arg(&log).arg("postfix[mode=aggressive]");
    let Ok(theirs) = time_of(&mut peer) else {
        println!("fail2ban-regex is not installed: nothing to compare with");
        return Ok(());
    };
    let ours = replay(&log, jails, end)?.seconds;
    let speed = |seconds: f64| SHORT as f64 / seconds;
    println!(
        "{SHORT} lines: fail2ban-regex {:.0} lines/s, banzone {:.0} lines/s, {:.0} times as many",
        speed(theirs),
        speed(ours),
        theirs / ours
    );
    Ok(())
}

/// The CPU time of a program that reads to its end.
fn time_of(command: &mut Command) -> Result<f64> {
    let begin = cpu_seconds(UsageWho::RUSAGE_CHILDREN)?;
    // Into a pipe: grep stops at the first match when nobody reads what it writes.
    command.stderr(Stdio::null()).output()?;
    Ok(cpu_seconds(UsageWho::RUSAGE_CHILDREN)? - begin)
}

fn cpu_seconds(who: UsageWho) -> Result<f64> {
    let usage = getrusage(who)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn megabytes(path: &Path) -> Result<f64> {
    Ok(fs::metadata(path)?.len() as f64 / 1e6)
}

/// The most memory this process ever had.
fn peak_megabytes() -> Result<f64> {
    for line in BufReader::new(File::open("/proc/self/status")?).lines() {
        if let Some(kilobytes) = line?.strip_prefix("VmHWM:") {
            return Ok(kilobytes.trim().trim_end_matches(" kB").parse::<f64>()? / 1e3);
        }
    }
    Err("no VmHWM in /proc/self/status".into())
}

/// What a mail server writes, each with how often out of 1000 lines; one line in ten is a failed login. In braces
/// stands what differs from line to line.
const KINDS: &[(u32, &str)] = &[
    (120, "postfix/smtpd[{pid}]: connect from mx{n}.example.net[{client}]"),
    (80, "postfix/smtpd[{pid}]: connect from unknown[{bot}]"),
    (
        75,
        "postfix/smtpd[{pid}]: disconnect from mx{n}.example.net[{client}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7",
    ),
    (75, "postfix/smtpd[{pid}]: disconnect from unknown[{bot}] ehlo=1 auth=0/1 quit=1 commands=2/3"),
    (45, "postfix/smtpd[{pid}]: {queue}: client=mx{n}.example.net[{client}]"),
    (
        20,
        "postfix/smtpd[{pid}]: Anonymous TLS connection established from mx{n}.example.net[{client}]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    ),
    (
        10,
        "postfix/submission/smtpd[{pid}]: {queue}: client=unknown[{client}], sasl_method=PLAIN, sasl_username={user}@example.com",
    ),
    (10, "postfix/smtpd[{pid}]: lost connection after AUTH from unknown[{bot}]"),
    (
        5,
        "postfix/smtpd[{pid}]: warning: hostname host{n}.example.org does not resolve to address {bot}: Name or service not known",
    ),
    (50, "postfix/cleanup[{pid}]: {queue}: message-id=<{queue}.{n}@example.net>"),
    (50, "postfix/qmgr[1187]: {queue}: from=<{user}@example.net>, size={n}, nrcpt=1 (queue active)"),
    (50, "postfix/qmgr[1187]: {queue}: removed"),
    (
        40,
        "postfix/lmtp[{pid}]: {queue}: to=<{user}@example.com>, relay=mail.example.com[private/dovecot-lmtp], delay=0.4, delays=0.2/0/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 <{user}@example.com> {queue} Saved)",
    ),
    (
        30,
        "postfix/smtp[{pid}]: {queue}: to=<{user}@example.org>, relay=mx.example.org[{client}]:25, delay=1.3, delays=0.1/0/0.6/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {queue})",
    ),
    (
        10,
        "postfix/smtp[{pid}]: {queue}: to=<{user}@example.org>, relay=none, delay=30, delays=0.1/0/30/0, dsn=4.4.1, status=deferred (connect to mx.example.org[{client}]:25: Connection timed out)",
    ),
    (5, "postfix/anvil[{pid}]: statistics: max connection rate 4/60s for (smtp:{bot}) at Nov 20 08:04:12"),
    (
        60,
        "dovecot: imap-login: Login: user=<{user}@example.com>, method=PLAIN, rip={client}, lip=192.0.2.25, mpid={n}, TLS, session=<{queue}>",
    ),
    (
        40,
        "dovecot: imap({user}@example.com)<{n}><{queue}>: Disconnected: Logged out in=283 out=1204 deleted=0 expunged=0 trashed=0",
    ),
    (
        15,
        "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={bot}, lip=192.0.2.25, TLS, session=<{queue}>",
    ),
    (40, "postfix/postscreen[1402]: CONNECT from [{bot}]:{port} to [192.0.2.25]:25"),
    (20, "postfix/postscreen[1402]: PASS OLD [{client}]:{port}"),
    (10, "postfix/postscreen[1402]: PREGREET 14 after 0.08 from [{bot}]:{port}: EHLO example.com\\r\\n"),
    (10, "postfix/postscreen[1402]: HANGUP after 0.3 from [{bot}]:{port} in tests before SMTP handshake"),
    (
        95,
        "postfix/smtpd[{pid}]: warning: unknown[{bot}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={user}",
    ),
    (
        5,
        "postfix/submission/smtpd[{pid}]: warning: unknown[{bot}]: SASL PLAIN authentication failed: UGFzc3dvcmQ6, sasl_username={user}@example.com",
    ),
    (5, "postfix/smtpd[{pid}]: improper command pipelining after EHLO from unknown[{bot}]: QUIT\\r\\n"),
    (
        15,
        "postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{bot}]: 554 5.7.1 <{user}@example.org>: Relay access denied; from=<{user}@example.net> to=<{user}@example.org> proto=ESMTP helo=<host{n}>",
    ),
    (
        10,
        "postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{bot}]: 550 5.1.1 <{user}@example.com>: Recipient address rejected: User unknown in virtual mailbox table; from=<{user}@example.net> to=<{user}@example.com> proto=ESMTP helo=<host{n}>",
    ),
];

const USERS: [&str; 8] = ["info", "admin", "sales", "anna", "office", "test", "bob", "postmaster"];

/// IPv6 networks that mail comes from, and such that only failures come from.
const CLIENTS: u32 = 2_000;
const BOTS: u32 = 20_000;

/// Writes a log of so many lines, and tells when it ends.
fn write_log(path: &Path, lines: usize) -> Result<Timestamp> {
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let total: u32 = KINDS.iter().map(|(often, _)| often).sum();
    let mut line = String::new();
    let mut now = START;
    for _ in 0..lines {
        now = now + STEP * random.random_range(0..200) / 100;
        let mut chosen = random.random_range(0..total);
        let kind = KINDS.iter().find(|(often, _)| {
            let here = chosen < *often;
            chosen = chosen.saturating_sub(*often);
            here
        });
        line.clear();
        write!(line, "{} mail ", stamp(now))?;
        fill(&mut line, kind.ok_or("a kind")?.1, &mut random)?;
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(now)
}

/// As rsyslog writes it: `2026-11-20T06:00:04.340000+00:00`.
fn stamp(now: Timestamp) -> String {
    let (seconds, micros) = (now.to_string(), now.as_millis().rem_euclid(1000) * 1000);
    format!("{}.{micros:06}+00:00", seconds.trim_end_matches('Z'))
}

/// Appends `kind` with something in the place of its braces.
fn fill(line: &mut String, kind: &str, random: &mut SmallRng) -> Result<()> {
    let mut rest = kind;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').ok_or("an open brace")?;
        line.push_str(before);
        rest = behind;
        match name {
            "pid" => write!(line, "{}", random.random_range(2000..9000))?,
            "port" => write!(line, "{}", random.random_range(1024..65_536))?,
            "n" => write!(line, "{}", random.random_range(1..100_000))?,
            "queue" => write!(line, "4{:09X}", random.random_range(0..1u64 << 36))?,
            "user" => line.push_str(USERS[random.random_range(0..USERS.len())]),
            "client" => push_address(line, 0, CLIENTS, random)?,
            "bot" => push_address(line, 1, BOTS, random)?,
            _ => return Err(format!("nothing is called {name}").into()),
        }
    }
    line.push_str(rest);
    Ok(())
}

/// Appends an address for documentation: in two of three cases IPv4.
fn push_address(line: &mut String, site: u32, networks: u32, random: &mut SmallRng) -> Result<()> {
    let host = random.random_range(1..255);
    match random.random_range(0..6) {
        0 | 1 => write!(line, "2001:db8:{site:x}:{:x}::{host:x}", random.random_range(0..networks))?,
        2 => write!(line, "192.0.2.{host}")?,
        3 => write!(line, "198.51.100.{host}")?,
        _ => write!(line, "203.0.113.{host}")?,
    }
    Ok(())
}
