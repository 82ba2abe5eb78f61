//! How much an answer costs: banzone beside rbldnsd with the same data files: `cargo bench --bench dns`.
//!
//! Makes a list of hosts and networks and questions about it, the same ones every time, and asks each server in turn, on
//! loopback. What counts is the CPU time of a server for a million answers, that of the kernel included. Every answer is compared
//! with what it must be, and none may be lost. A server that does nothing but send questions back shows what is the kernel's.
//!
//! Server and this program take turns on one core, which other programs disturb the least; then they have a core each, where
//! a server that is faster than this program sleeps and wakes more often.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use banzone::sys::udp::{self, Batch};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use asking::{HEADER, Result, free_address, lists, message};
use process::{cpu_seconds, resident};
use questions::{Question, ask, wait};

mod asking;
#[allow(dead_code, reason = "shared with the bench of a large list")]
mod process;
mod questions;

/// How many entries the lists have.
const SIZES: [usize; 2] = [100_000, 1_000_000];

const QUESTIONS: usize = 400_000;

/// How often each server is asked all questions, in turn with the others.
const ROUNDS: usize = 5;

const SEED: u64 = 1;

/// An answer on loopback that is not there by now is lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has this program be the server that sends questions back, at this address.
const ECHO: &str = "BANZONE_BENCH_ECHO";

/// At most so much of rbldnsd's CPU time with ip4trie and with ip4set, and of that of a server that does nothing.
const GOALS: [f64; 3] = [0.70, 0.65, 1.10];

fn main() -> Result<()> {
    if let Ok(address) = std::env::var(ECHO) {
        return echo(address.parse()?);
    }
    if !Path::new("/usr/sbin/rbldnsd").exists() {
        return Err("there is nothing to compare with: install rbldnsd (Debian's name)".into());
    }
    for size in SIZES {
        for cores in [1, 2] {
            place(cores)?;
            compare(size, cores)?;
        }
    }
    Ok(())
}

fn compare(size: usize, cores: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    // The servers give up root, and must still be able to come here.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let mut random = SmallRng::seed_from_u64(SEED);
    let list = List::new(size, &mut random);
    fs::write(folder.path().join("list"), list.text())?;
    let questions: Vec<Question> = (0..QUESTIONS).map(|_| list.question(&mut random)).collect();
    let mut servers = vec![
        Server::banzone(folder.path())?,
        Server::rbldnsd(folder.path(), "ip4trie")?,
        Server::rbldnsd(folder.path(), "ip4set")?,
        Server::echo()?,
    ];
    servers.iter().try_for_each(|server| server.wait())?;
    for _ in 0..ROUNDS {
        for server in &mut servers {
            let seconds = server.ask(&questions)?;
            server.costs.push(seconds * 1e6 / QUESTIONS as f64);
        }
    }
    println!("{:26}{:>22}{:>12}", format!("{size} entries, {cores} cores"), "CPU s/M", "RSS MB");
    for server in &mut servers {
        server.costs.sort_by(f64::total_cmp);
        let (least, most) = (server.costs[0], server.costs[ROUNDS - 1]);
        println!(
            "{:28}{:9.3} ({least:.3}-{most:.3}){:8.0}",
            server.name,
            server.cost(),
            resident(server.child.id())?
        );
    }
    for (other, goal) in servers[1..].iter().zip(GOALS) {
        println!(
            "{:>31}{:6.2} times that of {} (goal: {goal})",
            "",
            servers[0].cost() / other.cost(),
            other.name
        );
    }
    println!();
    Ok(())
}

/// Hosts and networks, some of which hold some of the hosts.
struct List {
    hosts: Vec<u32>,
    networks: Vec<(u32, u32)>,
}

impl List {
    /// Nine of ten entries are hosts, in a network of a size that has room for them.
    fn new(size: usize, random: &mut SmallRng) -> Self {
        let mut hosts: Vec<u32> =
            (0..size / 10 * 9).map(|_| 10 << 24 | random.random_range(0..1 << 24)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let network = |_| {
            let length = random.random_range(24..32);
            (10 << 24 | random.random_range(0..1u32 << 24) >> (32 - length) << (32 - length), length)
        };
        let networks = (0..size / 10).map(network).collect();
        Self { hosts, networks }
    }

    fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for host in &self.hosts {
            writeln!(text, "{}", Ipv4Addr::from(*host)).expect("memory takes everything");
        }
        for (network, length) in &self.networks {
            writeln!(text, "{}/{length}", Ipv4Addr::from(*network)).expect("memory takes everything");
        }
        text
    }

    /// Half of the questions are about listed hosts, one of ten about their texts.
    fn question(&self, random: &mut SmallRng) -> Question {
        let is_listed = random.random_bool(0.5);
        let host = match is_listed {
            true => self.hosts[random.random_range(0..self.hosts.len())],
            // Nothing of this network is listed.
            false => 11 << 24 | random.random_range(0..1 << 24),
        };
        let kind = if random.random_bool(0.1) { 16 } else { 1 };
        Question { message: message(host.into(), kind), is_listed }
    }
}

/// A running server; it is stopped when this is dropped.
struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
    /// It answers nothing, and sends the questions back.
    echoes: bool,
    /// Of each round, in seconds of CPU time for a million answers.
    costs: Vec<f64>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn banzone(folder: &Path) -> Result<Self> {
        let user = if nix::unistd::Uid::effective().is_root() { "nobody" } else { "" };
        let program = env!("CARGO_BIN_EXE_banzone");
        Self::start(
            "banzone",
            &[program, "rbldnsd", "-q", "-u", user, "-w", &folder.display().to_string()],
            "ip4trie",
        )
    }

    fn rbldnsd(folder: &Path, kind: &'static str) -> Result<Self> {
        let name = if kind == "ip4trie" { "rbldnsd ip4trie" } else { "rbldnsd ip4set" };
        Self::start(name, &["/usr/sbin/rbldnsd", "-a", "-r", "/", "-w", &folder.display().to_string()], kind)
    }

    fn start(name: &'static str, program: &[&str], kind: &str) -> Result<Self> {
        let address = free_address()?;
        let mut command = on_first_core(program[0]);
        command.args(&program[1..]).args(["-n", "-b", &format!("127.0.0.1/{}", address.port())]);
        let child = command
            .arg(format!("bl.example:{kind}:list"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { name, child, address, echoes: false, costs: Vec::new() })
    }

    fn echo() -> Result<Self> {
        let address = free_address()?;
        let program = std::env::current_exe()?.display().to_string();
        let child = on_first_core(&program).env(ECHO, address.to_string()).spawn()?;
        Ok(Self { name: "nothing but sending back", child, address, echoes: true, costs: Vec::new() })
    }

    /// Waits until it answers.
    fn wait(&self) -> Result<()> {
        Ok(wait(self.address).map_err(|error| format!("{}: {error}", self.name))?)
    }

    /// Asks all questions, and tells the CPU time that took the server.
    fn ask(&self, questions: &[Question]) -> Result<f64> {
        let before = cpu_seconds(self.child.id())?;
        let check = |question: &Question, answer: &[u8]| self.check(question, answer);
        ask(self.address, PATIENCE, questions, check).map_err(|error| format!("{}: {error}", self.name))?;
        Ok(cpu_seconds(self.child.id())? - before)
    }

    fn check(&self, question: &Question, answer: &[u8]) -> Result<()> {
        let is_absent = answer[3] & 0xf == 3 && answer[7] == 0;
        let is_right = if question.is_listed { lists(answer) } else { is_absent };
        if self.echoes || is_right { Ok(()) } else { Err("an answer is wrong".into()) }
    }

    /// That of the round in the middle.
    fn cost(&self) -> f64 {
        self.costs[self.costs.len() / 2]
    }
}

/// A server on the first core. As a batch job it has its turn until it has nothing to do.
fn on_first_core(program: &str) -> Command {
    let mut command = Command::new("chrt");
    command.args(["--batch", "0", "taskset", "--cpu-list", "0", program]);
    command
}

/// Puts this program on the core of the servers, or on the other one.
fn place(cores: u32) -> Result<()> {
    let process = std::process::id().to_string();
    let core = (cores - 1).to_string();
    for command in [["chrt", "--batch", "--pid", "0"], ["taskset", "--cpu-list", "--pid", &core]] {
        let mut command =
            Command::new(command[0]).args(&command[1..]).arg(&process).stdout(Stdio::null()).spawn()?;
        if !command.wait()?.success() {
            return Err("taskset or chrt failed: this takes two cores".into());
        }
    }
    Ok(())
}

/// Sends back what comes.
fn echo(address: SocketAddr) -> Result<()> {
    let socket = udp::UdpSocket::bind(address)?;
    let mut batch = Batch::new(512);
    loop {
        socket.receive(&mut batch)?;
        for datagram in batch.filled_mut() {
            let (query, reply) = datagram.query_and_reply();
            reply.extend_from_slice(query);
        }
        socket.send(&mut batch);
    }
}
