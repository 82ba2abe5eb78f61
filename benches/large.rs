//! A large list: ten million bans in the database, beside rbldnsd with as many entries: `cargo bench --bench large`.
//!
//! Starts `banzone serve` and rbldnsd (`ip4trie`) in turn and tells how long each takes until it answers, and the memory it has then.
//! Then addresses are banned and freed while 100 000 questions a second are asked, and it is told how long it takes until
//! that is answered, and whether the others wait longer meanwhile. Takes some minutes, 3 GB of temporary files and, for the questions, a core.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use asking::{Result, free_address, lists, message};
use banned::{config, entries, write_database, write_list};
use process::{cpu_seconds_of_all, resident};

mod asking;
mod banned;
#[allow(dead_code, reason = "shared with the bench of answers")]
mod process;

/// How many bans there are; `BANZONE_BENCH_BANS` says otherwise.
const BANS: usize = 10_000_000;

/// How often each server is started.
const ROUNDS: usize = 3;

/// How often an address is banned and freed.
const CHANGES: usize = 500;

/// For so long before, nobody is.
const QUIET: Duration = Duration::from_secs(5);

/// So many questions are asked at once, so often a second.
const BURST: usize = 100;
const PACE: Duration = Duration::from_millis(1);

const SEED: u64 = 1;

/// What is not there by now does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// About what an order takes.
const ORDER: Duration = Duration::from_millis(2);

/// Nobody lists it.
const NEVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// At most so much of rbldnsd's memory, and of the time it takes to start.
const GOALS: (f64, f64) = (0.9, 0.7);

fn main() -> Result<()> {
    let bans = std::env::var("BANZONE_BENCH_BANS").ok().map_or(Ok(BANS), |bans| bans.parse())?;
    let folder = tempfile::tempdir()?;
    // The servers give up root, and must still be able to come here.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    let entries = entries(bans);
    write_list(&entries, &folder.path().join("list"))?;
    write_database(&entries, &folder.path().join("banzone.db"))?;
    let first = Ipv4Addr::from(entries[0].0);

    let mut starts = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (start, of_server) in [Server::banzone, Server::rbldnsd].into_iter().zip(&mut starts) {
            of_server.push(start(folder.path())?.measure(first)?);
        }
    }
    print_starts(bans, &mut starts);
    let server = Server::banzone(folder.path())?;
    server.wait_for(first, true)?;
    change(&server, &folder.path().join("control.sock"), &entries)
}

/// A running server; it is stopped when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    begin: Instant,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a start took, in seconds and MB.
struct Start {
    seconds: f64,
    cpu: f64,
    resident: f64,
}

impl Server {
    fn banzone(folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let path = folder.join("banzone.toml");
        fs::write(&path, config(address))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        Self::start(command.args(["serve", "--config"]).arg(&path), address)
    }

    fn rbldnsd(folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new("/usr/sbin/rbldnsd");
        let bind = format!("127.0.0.1/{}", address.port());
        command.args(["-n", "-q", "-r", "/", "-b", &bind, "-w"]).arg(folder).arg("bl.example:ip4trie:list");
        Self::start(&mut command, address)
    }

    fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let begin = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child, address, begin })
    }

    fn measure(&self, first: Ipv4Addr) -> Result<Start> {
        self.wait_for(first, true)?;
        let process = self.child.id();
        Ok(Start {
            seconds: self.begin.elapsed().as_secs_f64(),
            cpu: cpu_seconds_of_all(process)?,
            resident: resident(process)?,
        })
    }

    /// Asks without pause until `host` is listed, or is not.
    fn wait_for(&self, host: Ipv4Addr, listed: bool) -> Result<Duration> {
        let begin = Instant::now();
        let socket = self.connect()?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let question = message(host, 1);
        let mut answer = [0; 512];
        while begin.elapsed() < PATIENCE {
            match socket.send(&question).and_then(|_| socket.recv(&mut answer)) {
                Ok(_) if lists(&answer) == listed => return Ok(begin.elapsed()),
                Ok(_) => {}
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(format!("{host} is not answered as it must be").into())
    }

    fn connect(&self) -> Result<UdpSocket> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(self.address)?;
        Ok(socket)
    }
}

fn print_starts(bans: usize, starts: &mut [Vec<Start>; 2]) {
    println!("{bans} bans: start until the first answer, of {ROUNDS} the one in the middle");
    println!("{:10}{:>10}{:>10}{:>10}", "", "seconds", "CPU s", "RSS MB");
    let middle = |of_server: &mut Vec<Start>| {
        of_server.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        of_server.swap_remove(ROUNDS / 2)
    };
    let [banzone, rbldnsd] = starts.each_mut().map(middle);
    for (name, Start { seconds, cpu, resident }) in [("banzone", &banzone), ("rbldnsd", &rbldnsd)] {
        println!("{name:10}{seconds:10.2}{cpu:10.2}{resident:10.0}");
    }
    println!("memory: {:.2} of rbldnsd's (goal: {})", banzone.resident / rbldnsd.resident, GOALS.0);
    println!("time: {:.2} of rbldnsd's (goal: {})", banzone.seconds / rbldnsd.seconds, GOALS.1);
}

/// Bans and frees addresses while others are asked for.
fn change(server: &Server, control: &Path, entries: &[(u32, u8)]) -> Result<()> {
    let load = Load::start(server, entries)?;
    let begin = Instant::now();
    while begin.elapsed() < QUIET {
        // About as often as where orders come between.
        server.wait_for(NEVER, false)?;
        thread::sleep(ORDER);
    }
    let mut quiet = load.take(begin);
    let begin = Instant::now();
    let (mut orders, mut seen) = (Vec::new(), Vec::new());
    for number in 0..CHANGES {
        // Hosts of networks in which nobody is banned, and of some in which many are.
        let high = if number % 2 == 0 { 0x6501 } else { entries[number * entries.len() / CHANGES].0 >> 16 };
        let host = unlisted(entries, high << 16 | 0x7fff_u32.wrapping_sub(number as u32));
        for (listed, method, target, body) in [
            (
                true,
                "POST",
                "/api/v1/bans".to_owned(),
                format!("{{\"prefix\": \"{host}\", \"jail\": \"manual\"}}"),
            ),
            (false, "DELETE", format!("/api/v1/bans?prefix={host}&jail=manual"), String::new()),
        ] {
            if server.wait_for(host, !listed).is_err() {
                continue;
            }
            let begin = Instant::now();
            request(control, method, &target, &body)?;
            orders.push(begin.elapsed());
            seen.push(server.wait_for(host, listed)?);
        }
    }
    let mut busy = load.take(begin);
    let lost = load.stop();
    println!("\nother answers a second: quiet {:.0}, meanwhile {:.0}", quiet.per_second, busy.per_second);
    println!("milliseconds{:>21}{:>12}{:>12}{:>12}", "median", "99 %", "99.9 %", "longest");
    print_times("order, with its commit", &mut orders);
    print_times("from there to the answer", &mut seen);
    print_times("other answers, quiet", &mut quiet.times);
    print_times("other answers, meanwhile", &mut busy.times);
    println!("other answers lost: {lost}");
    Ok(())
}

/// The first host from `last` downwards that no entry covers.
fn unlisted(entries: &[(u32, u8)], last: u32) -> Ipv4Addr {
    let is_listed = |host: u32| {
        let mut networks = (24..=32).map(|length| (host >> (32 - length) << (32 - length), length as u8));
        networks.any(|network| entries.binary_search(&network).is_ok())
    };
    let host = (0..=last).rev().find(|host| !is_listed(*host));
    host.expect("not every address is listed").into()
}

fn print_times(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |quantile: f64| times[((times.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
    println!("{what:24}{:9.3}{:12.3}{:12.3}{:12.3}", at(0.5), at(0.99), at(0.999), at(1.0));
}

/// A request to the API over the control socket, which must succeed.
fn request(control: &Path, method: &str, target: &str, body: &str) -> Result<()> {
    let mut stream = UnixStream::connect(control)?;
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 20") { Ok(()) } else { Err(answer.into()) }
}

/// How many answers came, and how long each took.
struct Answers {
    per_second: f64,
    times: Vec<Duration>,
}

/// A thread that asks about listed hosts, a burst in every millisecond.
struct Load {
    times: Arc<Mutex<Vec<Duration>>>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<usize>,
}

impl Load {
    fn start(server: &Server, entries: &[(u32, u8)]) -> Result<Self> {
        let mut random = SmallRng::seed_from_u64(SEED);
        let hosts = entries.sample(&mut random, 100_000);
        let questions: Vec<Vec<u8>> =
            hosts.map(|(address, _)| message(Ipv4Addr::from(*address), 1)).collect();
        let (socket, times, stop) = (server.connect()?, Arc::default(), Arc::new(AtomicBool::new(false)));
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let asking = (Arc::clone(&times), Arc::clone(&stop));
        let thread = thread::spawn(move || ask_on(&socket, &questions, &asking.0, &asking.1));
        Ok(Self { times, stop, thread })
    }

    /// What was answered since this was asked last, at `begin`.
    fn take(&self, begin: Instant) -> Answers {
        let times = std::mem::take(&mut *self.times.lock().expect("no thread panics"));
        Answers { per_second: times.len() as f64 / begin.elapsed().as_secs_f64(), times }
    }

    /// Ends it; how many answers were lost or wrong.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no thread panics")
    }
}

fn ask_on(
    socket: &UdpSocket,
    questions: &[Vec<u8>],
    times: &Mutex<Vec<Duration>>,
    stop: &AtomicBool,
) -> usize {
    let mut lost = 0;
    let mut due = Instant::now();
    for burst in questions.chunks(BURST).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let begin = Instant::now();
        due = begin.max(due + PACE);
        burst.iter().for_each(|question| drop(socket.send(question)));
        let mut taken = Vec::with_capacity(BURST);
        for _ in burst {
            let mut answer = [0; 512];
            match socket.recv(&mut answer) {
                Ok(_) if lists(&answer) => taken.push(begin.elapsed()),
                _ => lost += 1,
            }
        }
        times.lock().expect("no thread panics").append(&mut taken);
    }
    lost
}
