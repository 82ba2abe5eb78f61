//! How fast fail2ban's filters and jails are here, beside fail2ban itself: `cargo bench --bench fail2ban`.
//!
//! One jail: a log of a busy mail server goes through fail2ban's filter `postfix[mode=auth]` in `banzone replay` and in
//! fail2ban-regex, and through two patterns in `banzone replay` and in fail2ban-rs. Ten jails: `banzone serve` and
//! fail2ban-server read one log with the same ten jails until they have found everything in it. All run one after the
//! other, on one core, and what counts is CPU time, that of the kernel included. Beside them stands `grep -c` of one
//! literal, which is about the least that can be done with a log.
//!
//! fail2ban is Debian's package; fail2ban-rs is installed by cargo, into `target/tmp`. Without either there is nothing to compare with.

#[allow(dead_code, reason = "the tests use all of it")]
mod generator;

use std::error::Error;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::net::Ipv6Addr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use banzone::clock::{Clock, Timestamp};
use generator::{Bots, Generator, MAIL, Stamp};
use nix::sys::resource::{UsageWho, getrusage};
use rusqlite::{Connection, OpenFlags, Params, params};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where Debian's package has its configuration.
const CONFIG: &str = "/etc/fail2ban";

/// The log for the fast ones.
const LINES: usize = 1_000_000;

/// fail2ban-regex gets the first lines only, as it takes its time. What it needs to start is left out of its figure by
/// taking the difference of two lengths.
const PART: (usize, usize) = (20_000, 120_000);

/// fail2ban-server, with ten jails, gets fewer still.
const SERVER_LINES: usize = 30_000;

const SEED: u64 = 1;

/// How far apart lines are on average: the long log covers some eleven hours, which is within the findtime.
const STEP: Duration = Duration::from_millis(40);

/// What takes longer is not slow but broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// The version of fail2ban-rs that is compared with.
const FAIL2BAN_RS: &str = "1.5.4";

/// Ten of fail2ban's jails on a log of mail.
const TEN: [&str; 10] = [
    "postfix",
    "postfix-rbl",
    "postfix-sasl",
    "dovecot",
    "sieve",
    "cyrus-imap",
    "courier-auth",
    "courier-smtp",
    "sendmail-auth",
    "sendmail-reject",
];

/// The same two patterns for banzone and fail2ban-rs.
const TWO: [&str; 2] = [
    r"warning: [-._\w]+\[<HOST>\]: SASL (?:LOGIN|PLAIN) authentication failed",
    r"imap-login: Disconnected: .* \(auth failed, .* rip=<HOST>,",
];

/// Runs of less than a second are taken so often, one program after the other.
const ROUNDS: usize = 15;

/// What must be beaten, and by how much.
const GOALS: [f64; 3] = [20.0, 2.5, 100.0];

fn main() -> Result<()> {
    if !Path::new(CONFIG).is_dir() {
        return Err("there is nothing to compare with: install fail2ban (Debian's name)".into());
    }
    let folder = tempfile::tempdir()?;
    // The daemon gives up root, and must still be able to come here.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let folder = folder.path();
    let log = folder.join("mail.log");
    let begin = Clock::System.now() - STEP * u32::try_from(LINES)? - Duration::from_secs(600);
    write_log(&log, LINES, begin)?;
    println!("{:44}{:>9}{:>9}{:>12}{:>10}", "", "lines", "CPU s", "lines/CPU s", "found");
    let grep = grep(&log)?;
    one_jail(folder, &log, &grep)?;
    two_patterns(folder, &log)?;
    ten_jails(folder, &log, begin)
}

/// A log of so many lines, and at its end those that get [`MARKER`] banned.
fn write_log(log: &Path, lines: usize, begin: Timestamp) -> Result<()> {
    let end = Generator::new(MAIL, Stamp::Iso, Bots::MANY, SEED).write_log(log, lines, begin, STEP)?;
    let failure = format!(
        "{} mail postfix/smtpd[711]: warning: unknown[{MARKER}]: SASL LOGIN authentication failed: x\n",
        Stamp::Iso.write(end)
    );
    Ok(OpenOptions::new().append(true).open(log)?.write_all(failure.repeat(5).as_bytes())?)
}

/// Fails at the end of each log, and nowhere else.
const MARKER: &str = "2001:db8:ffff::1";

/// What a program did.
struct Run {
    lines: usize,
    seconds: f64,
    found: String,
}

impl Run {
    fn speed(&self) -> f64 {
        self.lines as f64 / self.seconds
    }

    fn print(&self, name: &str) {
        println!("{name:44}{:9}{:9.2}{:12.0}{:>10}", self.lines, self.seconds, self.speed(), self.found);
    }
}

fn compare(ours: &Run, theirs: &Run, goal: f64) {
    println!("{:>44}{:9.1} times as fast (goal: {goal})\n", "", ours.speed() / theirs.speed());
}

fn grep(log: &Path) -> Result<Run> {
    let mut command = on_one_core("grep");
    let (output, seconds) =
        measure(command.args(["-c", "authentication failed"]).arg(log).env("LC_ALL", "C"))?;
    let found = String::from_utf8(output.stdout)?.trim().to_owned();
    let run = Run { lines: LINES, seconds, found };
    run.print("grep -c of one literal");
    Ok(run)
}

fn one_jail(folder: &Path, log: &Path, grep: &Run) -> Result<()> {
    let config = configuration(folder, "one", &["postfix-sasl"], log)?;
    let ours = replay(&config, log, LINES)?;
    ours.print("banzone replay, postfix[mode=auth]");
    println!("{:>44}{:9.1} times the time of grep -c", "", grep.speed() / ours.speed());
    let part = folder.join("part.log");
    let theirs = fail2ban_regex(log, &part)?;
    theirs.print("fail2ban-regex, postfix[mode=auth]");
    same_number(&replay(&config, &part, PART.1)?, &theirs)?;
    compare(&ours, &theirs, GOALS[0]);
    Ok(())
}

fn two_patterns(folder: &Path, log: &Path) -> Result<()> {
    let config = configuration(folder, "two", &["two"], log)?;
    let filter = format!("[Definition]\nfailregex = {}\n            {}\n", TWO[0], TWO[1]);
    fs::write(folder.join("two/filter.d/two.conf"), filter)?;
    let program = fail2ban_rs()?;
    let settings = format!(
        "[global]\nstate_file = '{0}/state'\nsocket_path = '{0}/socket'\n[jail.two]\nlog_path = '{1}'\n\
         date_format = 'iso8601'\nfilter = ['{2}', '{3}']\nport = ['25']\nprotocol = 'tcp'\nmax_retry = 5\n\
         find_time = '1d'\nban_time = '2d'\nbackend = 'nftables'\nignoreself = false\n",
        folder.display(),
        log.display(),
        TWO[0],
        TWO[1],
    );
    fs::write(folder.join("fail2ban-rs.toml"), settings)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let ours = replay(&config, log, LINES)?;
        let mut command = on_one_core(&program);
        command.arg("-c").arg(folder.join("fail2ban-rs.toml")).arg("dry-run").arg(log).args(["-j", "two"]);
        let (output, seconds) = measure(&mut command)?;
        let found = number_behind(&String::from_utf8(output.stdout)?, "Matches:");
        rounds.push((ours, Run { lines: LINES, seconds, found }));
    }
    let (ours, theirs) = median(rounds);
    ours.print("banzone replay, two patterns");
    theirs.print("fail2ban-rs dry-run, two patterns");
    same_number(&ours, &theirs)?;
    compare(&ours, &theirs, GOALS[1]);
    Ok(())
}

/// The round in which the first was neither much nor little faster than the second. The machine is faster at some times
/// than at others, but hardly between two runs in turn.
fn median(mut rounds: Vec<(Run, Run)>) -> (Run, Run) {
    let ratio = |(ours, theirs): &(Run, Run)| ours.speed() / theirs.speed();
    rounds.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}

fn ten_jails(folder: &Path, log: &Path, begin: Timestamp) -> Result<()> {
    let config = configuration(folder, "ten", &TEN, log)?;
    let ours = Run { lines: LINES, seconds: serve(folder, &config)?, found: String::new() };
    ours.print("banzone serve, ten jails");
    let short = folder.join("short.log");
    let mut seconds = Vec::new();
    for lines in [0, SERVER_LINES] {
        write_log(&short, lines, begin)?;
        configuration(folder, "server", &TEN, &short)?;
        seconds.push(fail2ban_server(&folder.join("server"), &short)?);
        fs::remove_dir_all(folder.join("server"))?;
    }
    // Without what it needs to start.
    let theirs = Run { lines: SERVER_LINES, seconds: seconds[1] - seconds[0], found: String::new() };
    theirs.print("fail2ban-server, ten jails");
    compare(&ours, &theirs, GOALS[2]);
    Ok(())
}

/// A configuration of fail2ban with these jails on `log`, its own files by symbolic links, and one of banzone that runs
/// it.
fn configuration(folder: &Path, name: &str, jails: &[&str], log: &Path) -> Result<PathBuf> {
    let etc = folder.join(name);
    for part in ["", "filter.d", "action.d"] {
        fs::create_dir_all(etc.join(part))?;
        for entry in fs::read_dir(Path::new(CONFIG).join(part))? {
            let path = entry?.path();
            if path.is_file() {
                symlink(&path, etc.join(part).join(path.file_name().ok_or("a name")?))?;
            }
        }
    }
    let mut text = "[DEFAULT]\nbackend = polling\naction =\nusedns = no\n\
                    findtime = 1d\nbantime = 2d\nmaxretry = 5\n"
        .to_owned();
    for jail in jails {
        text += &format!("[{jail}]\nenabled = true\nlogpath = {}\n", log.display());
    }
    fs::write(etc.join("jail.local"), text)?;
    let settings = format!(
        "[DEFAULT]\nlogtarget = {0}/log\nsocket = {0}/socket\npidfile = {0}/pid\ndbfile = {0}/database\n",
        etc.display()
    );
    fs::write(etc.join("fail2ban.local"), settings)?;
    let config = folder.join(format!("{name}.toml"));
    let user = if nix::unistd::Uid::effective().is_root() { "[daemon]\nuser = 'nobody'\n" } else { "" };
    let text = format!(
        "[fail2ban]\ndir = '{}'\n[store]\npath = '{name}-lib/banzone.db'\n[control]\nsocket = '{name}-run/socket'\n\
         [dns]\nlisten = '127.0.0.1:0'\nthreads = 1\n{user}",
        etc.display()
    );
    fs::write(&config, text)?;
    Ok(config)
}

fn banzone(config: &Path) -> Command {
    let mut command = on_one_core(env!("CARGO_BIN_EXE_banzone"));
    command.arg("--config").arg(config);
    command
}

fn replay(config: &Path, log: &Path, lines: usize) -> Result<Run> {
    let (output, seconds) = measure(banzone(config).arg("replay").arg(log))?;
    let found = number_before(&String::from_utf8(output.stderr)?, " failures");
    Ok(Run { lines, seconds, found })
}

/// The cost of a line: that of the long part of the log less that of the short one. The long part stays in `part`.
fn fail2ban_regex(log: &Path, part: &Path) -> Result<Run> {
    let mut runs = Vec::new();
    for lines in [PART.0, PART.1] {
        let text = fs::read(log)?;
        let mut ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let end = ends.nth(lines - 1).ok_or("a long log")?.0;
        fs::write(part, &text[..=end])?;
        let mut command = on_one_core("fail2ban-regex");
        command.args(["--print-no-missed", "--print-no-ignored"]).arg(part).arg("postfix[mode=auth]");
        let (output, seconds) = measure(&mut command)?;
        runs.push((seconds, number_before(&String::from_utf8(output.stdout)?, " matched")));
    }
    Ok(Run { lines: PART.1 - PART.0, seconds: runs[1].0 - runs[0].0, found: runs[1].1.clone() })
}

/// Speeds are worth nothing where something else is found.
fn same_number(ours: &Run, theirs: &Run) -> Result<()> {
    if ours.found == theirs.found {
        return Ok(());
    }
    Err(format!("banzone finds {}, the other program {}", ours.found, theirs.found).into())
}

/// Installs fail2ban-rs where a run before has not.
fn fail2ban_rs() -> Result<String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fail2ban-rs-{FAIL2BAN_RS}"));
    let program = root.join("bin/fail2ban-rs");
    if !program.exists() {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--locked", "fail2ban-rs", "--version", FAIL2BAN_RS, "--root"]).arg(&root);
        if !cargo.status()?.success() {
            return Err("cargo could not install fail2ban-rs".into());
        }
    }
    Ok(program.to_string_lossy().into_owned())
}

/// A process that is ended when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command, messages: &Path) -> Result<Self> {
        let messages = File::create(messages)?;
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages).spawn()?))
    }

    /// The CPU time it has used by the time something is so.
    fn seconds_until(&mut self, mut is_so: impl FnMut() -> Result<bool>) -> Result<f64> {
        let begin = Instant::now();
        while !is_so()? {
            if self.0.try_wait()?.is_some() || begin.elapsed() > PATIENCE {
                return Err("a server ended, or did not read its log".into());
            }
            sleep(Duration::from_millis(100));
        }
        // The 14th and 15th field of the line, counted behind the name, which may hold spaces (proc(5)).
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = stat.rsplit_once(')').ok_or("no name in stat")?.1.split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).map(|field| field.parse::<f64>().unwrap_or_default()).sum();
        Ok(ticks / TICKS)
    }
}

/// Linux shows CPU times in hundredths of a second (proc(5)).
const TICKS: f64 = 100.0;

/// The CPU time of the daemon until the ban of [`MARKER`], which fails last, is in its database.
fn serve(folder: &Path, config: &Path) -> Result<f64> {
    let mut daemon = Running::start(banzone(config).arg("serve"), &folder.join("messages"))?;
    let marker = MARKER.parse::<Ipv6Addr>()?.octets();
    let database = folder.join("ten-lib/banzone.db");
    daemon.seconds_until(|| {
        let sql = "SELECT count(*) FROM bans WHERE address = ?";
        Ok(count(&database, sql, params![marker])? > 0)
    })
}

/// The CPU time of the server until its database says that every jail is at the end of the log.
fn fail2ban_server(etc: &Path, log: &Path) -> Result<f64> {
    let mut command = on_one_core("fail2ban-server");
    let mut server = Running::start(command.arg("-c").arg(etc).args(["-f", "start"]), &etc.join("messages"))?;
    let length = fs::metadata(log)?.len();
    server.seconds_until(|| {
        let sql = "SELECT count(*) FROM logs WHERE lastfilepos = ?";
        Ok(count(&etc.join("database"), sql, [length])? == TEN.len())
    })
}

/// What a query counts; nothing until there is a database with such a table.
fn count(database: &Path, sql: &str, parameters: impl Params) -> Result<usize> {
    if !database.exists() {
        return Ok(0);
    }
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(database.query_row(sql, parameters, |row| row.get(0)).unwrap_or(0))
}

fn on_one_core(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0", program]);
    command
}

/// Runs a program to its end, and tells what CPU time it took.
fn measure(command: &mut Command) -> Result<(Output, f64)> {
    let begin = children_seconds()?;
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok((output, children_seconds()? - begin))
}

fn children_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// The number in front of a word in what a program says.
fn number_before(text: &str, word: &str) -> String {
    let before = text.split(word).next().unwrap_or_default();
    before.chars().rev().take_while(char::is_ascii_digit).collect::<Vec<_>>().into_iter().rev().collect()
}

/// The number behind a word.
fn number_behind(text: &str, word: &str) -> String {
    let behind = text.split_once(word).unwrap_or_default().1.trim_start();
    behind.chars().take_while(char::is_ascii_digit).collect()
}
