//! How many instructions of its own an answer takes, the kernel's apart: `cargo bench --bench instructions`.
//!
//! Starts `banzone serve` with a list of bans, a list of clients, counters and a limit of replies, and rbldnsd with as many entries, each
//! under callgrind (Debian's `valgrind`). What many questions take more than few is what answers take, and is nearly the same every time,
//! whatever else the machine does.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use asking::{Result, free_address, lists, message};
use banned::{config, entries, write_database, write_list};
use questions::{Question, ask, wait};

mod asking;
mod banned;
mod questions;

/// How many addresses and networks are listed.
const ENTRIES: usize = 100_000;

/// How many questions are asked in one run and in the other.
const FEW: usize = 10_000;
const MANY: usize = 60_000;

const SEED: u64 = 1;

/// An answer that is not there by now is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// At most so many for an answer of banzone's.
const GOAL: usize = 900;

fn main() -> Result<()> {
    if ["/usr/bin/valgrind", "/usr/sbin/rbldnsd"].iter().any(|needed| !Path::new(needed).exists()) {
        return Err("there is nothing to count with, or to compare with: install valgrind and rbldnsd".into());
    }
    let folder = tempfile::tempdir()?;
    // The servers give up root, and must still be able to come here.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    let entries = entries(ENTRIES);
    write_database(&entries, &folder.path().join("banzone.db"))?;
    write_list(&entries, &folder.path().join("list"))?;
    let questions = questions(&entries);
    println!("{:24}{:>24}", format!("{ENTRIES} entries"), "instructions an answer");
    for (name, server) in [("banzone", banzone as Program), ("rbldnsd ip4trie", rbldnsd)] {
        let few = count(server, folder.path(), &questions[..FEW])?;
        let many = count(server, folder.path(), &questions)?;
        let answers = many.checked_sub(few).ok_or("more questions took less: the runs differ too much")?;
        println!("{name:24}{:24}", answers / (MANY - FEW));
    }
    println!("the goal for banzone: {GOAL}");
    Ok(())
}

/// Half of the questions are about listed addresses, one of ten about their texts.
fn questions(entries: &[(u32, u8)]) -> Vec<Question> {
    let mut random = SmallRng::seed_from_u64(SEED);
    let question = |_| {
        let is_listed = random.random_bool(0.5);
        let listed = entries.choose(&mut random).expect("there are some").0;
        // Nothing of 10.0.0.0/8 is listed.
        let host = if is_listed { listed } else { 10 << 24 | random.random_range(0..1 << 24) };
        let kind = if random.random_bool(0.1) { 16 } else { 1 };
        Question { message: message(host.into(), kind), is_listed }
    };
    (0..MANY).map(question).collect()
}

/// A server in a folder, that is to listen at an address.
type Program = fn(&Path, SocketAddr) -> Result<Vec<String>>;

/// Beside what every daemon does.
const MORE: &str = r#"
[[zone.access]]
clients = ["192.0.2.0/24", "2001:db8::/32"]
action = "refuse"
[dns.rate_limit]
responses_per_second = 100000
"#;

fn banzone(folder: &Path, address: SocketAddr) -> Result<Vec<String>> {
    let path = folder.join("banzone.toml");
    fs::write(&path, config(address) + MORE)?;
    let program = env!("CARGO_BIN_EXE_banzone");
    Ok([program, "serve", "--config", &path.display().to_string()].map(str::to_owned).to_vec())
}

fn rbldnsd(folder: &Path, address: SocketAddr) -> Result<Vec<String>> {
    let bind = format!("127.0.0.1/{}", address.port());
    let folder = folder.display().to_string();
    let program =
        ["/usr/sbin/rbldnsd", "-n", "-q", "-r", "/", "-b", &bind, "-w", &folder, "bl.example:ip4trie:list"];
    Ok(program.map(str::to_owned).to_vec())
}

/// How many instructions the thread of a server takes that answers these questions, from its start to its end.
fn count(server: Program, folder: &Path, questions: &[Question]) -> Result<usize> {
    let (address, counted) = (free_address()?, tempfile::tempdir_in(folder)?);
    fs::set_permissions(counted.path(), Permissions::from_mode(0o777))?;
    // On one core a start shares its work among its threads in the same way every time.
    let child = Command::new("taskset")
        .args(["--cpu-list", "0", "valgrind", "--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}/threads", counted.path().display()))
        .args(server(folder, address)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("taskset cannot be run ({error})"))?;
    let mut running = Running(child);
    wait(address)?;
    // callgrind has made the file as root, and opens it again as who the server has become.
    fs::set_permissions(counted.path().join("threads"), Permissions::from_mode(0o666))?;
    ask(address, PATIENCE, questions, check)?;
    kill(Pid::from_raw(running.0.id().try_into()?), Signal::SIGTERM)?;
    running.0.wait()?;
    for thread in fs::read_dir(counted.path())? {
        let text = fs::read_to_string(thread?.path())?;
        if ["recvmmsg", "recvfrom"].iter().any(|call| text.contains(call)) {
            let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
            return Ok(totals.ok_or("callgrind says nothing")?.trim().parse()?);
        }
    }
    Err("no thread receives questions".into())
}

/// A server; it is stopped when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn check(question: &Question, answer: &[u8]) -> Result<()> {
    if lists(answer) == question.is_listed { Ok(()) } else { Err("an answer is wrong".into()) }
}
