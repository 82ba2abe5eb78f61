//! How fast a log goes through filters and jails on one thread: `cargo bench --bench replay`.
//!
//! Writes a log of a busy mail server, the same one every time, and takes it through four jails on Postfix the way
//! `banzone replay` does. Beside it stand `grep -c` of one word, which is about the least that can be done with a log,
//! and fail2ban-regex if it is installed. All speeds are by CPU time.

#[allow(dead_code, reason = "the tests use all of it")]
mod generator;

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::config;
use banzone::filter::Pace;
use banzone::jail::{Change, Effects, Jails, Lines, Readers, Settings};
use banzone::source::read_once;
use generator::{Bots, Generator, MAIL, Stamp};
use nix::sys::resource::{UsageWho, getrusage};

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

/// Writes a log of so many lines, and tells when it ends.
fn write_log(path: &Path, lines: usize) -> Result<Timestamp> {
    Generator::new(MAIL, Stamp::Iso, Bots::MANY, SEED).write_log(path, lines, START, STEP)
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
    let mut log = read_once(log)?;
    while let Some(batch) = log.next() {
        let batch = batch?;
        let mut effects = Effects::default();
        let lines = Lines { text: batch.text(), spans: batch.spans(), times: &[] };
        reader.read(lines, Pace::Replaying { before: end }, |jail, found, now| {
            jails.expire(now, &mut effects);
            jails.found(jail, found, now, &mut effects);
        });
        run.lines += batch.len();
        run.bans += effects.changes.iter().filter(|change| matches!(change, Change::Banned(_))).count();
        jails.finish_without_commit();
        log.take_back(batch);
    }
    run.failures = jails.total_failed();
    run.seconds = cpu_seconds(UsageWho::RUSAGE_SELF)? - begin;
    Ok(run)
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
