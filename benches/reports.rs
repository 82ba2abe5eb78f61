//! Reports into a hub: `cargo bench --bench reports`.
//!
//! Starts `banzone serve` with a jail of reports, and sends it batches of rows of a million addresses by 200 organisations over
//! the control socket, from four connections at a time; a batch is confirmed when it is durable and published. It is told
//! how many rows a second that makes when nothing of it is listed, when the votes are renewed, and when everything that a
//! second organisation reports is listed. `BANZONE_BENCH_ROWS` says how many rows each time, 1 000 000 if absent.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use banzone::clock::{Clock, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use asking::{Result, cpu_seconds, free_address, resident};

#[allow(dead_code, reason = "shared with benches that ask the DNS")]
mod asking;

const ADDRESSES: u32 = 1_000_000;
const ORGANISATIONS: u32 = 200;
/// Rows of a batch: the most that a hub takes.
const BATCH: usize = 10_000;
/// Batches on their way at a time.
const CONNECTIONS: usize = 4;
const ROWS: usize = 1_000_000;
/// A daemon that does not answer by now does not come.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let rows = std::env::var("BANZONE_BENCH_ROWS").map_or(Ok(ROWS), |rows| rows.parse())?;
    println!("rows of reports a second, {rows} rows in batches of {BATCH}, {CONNECTIONS} at a time");
    println!("                         rows/s   CPU s    MB   database MiB");
    let hub = Hub::start(1000.0)?;
    let now = Clock::System.now();
    hub.measure("new votes", &batches(rows, 1, now - Duration::from_secs(3600)))?;
    hub.measure("renewed votes", &batches(rows, 1, now - Duration::from_secs(1800)))?;
    hub.measure("again, compressed", &compressed(batches(rows, 1, now))?)?;
    drop(hub);
    let hub = Hub::start(1.5)?;
    hub.measure("votes that list", &batches(rows, 2, now))?;
    Ok(())
}

/// A request: its organisation, the lines of its head, its body.
struct Batch {
    organisation: u32,
    headers: &'static str,
    body: Vec<u8>,
}

fn batches(rows: usize, seed: u64, time: Timestamp) -> Vec<Batch> {
    let mut random = SmallRng::seed_from_u64(seed);
    let batch = |number: usize| {
        let mut body = String::new();
        for _ in 0..BATCH.min(rows - number * BATCH) {
            let address = Ipv4Addr::from_bits(0x2000_0000 + random.random_range(0..ADDRESSES) * 7);
            let failures = random.random_range(1..9);
            let _ = writeln!(
                body,
                r#"{{"ip":"{address}","time":"{time}","category":"postfix-sasl","failures":{failures},"kind":"ban"}}"#
            );
        }
        Batch { organisation: number as u32 % ORGANISATIONS, headers: "", body: body.into_bytes() }
    };
    (0..rows.div_ceil(BATCH)).map(batch).collect()
}

fn compressed(batches: Vec<Batch>) -> Result<Vec<Batch>> {
    let compress = |batch: Batch| {
        let body = zstd::encode_all(&batch.body[..], 3)?;
        Ok(Batch { headers: "Content-Encoding: zstd\r\n", body, ..batch })
    };
    batches.into_iter().map(compress).collect()
}

/// A running hub.
struct Hub {
    process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Hub {
    fn start(threshold: f64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The daemon gives up root, and must still be able to come here.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let path = folder.path().join("banzone.toml");
        fs::write(&path, config(threshold, &free_address()?.to_string()))?;
        let process = Command::new(env!("CARGO_BIN_EXE_banzone"))
            .args(["serve", "--config"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("daemon.log"))?)
            .spawn()?;
        let hub = Self { process, folder };
        let begin = Instant::now();
        while UnixStream::connect(hub.socket()).is_err() {
            if begin.elapsed() > PATIENCE {
                return Err("the daemon does not answer".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(hub)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    fn measure(&self, what: &str, batches: &[Batch]) -> Result<()> {
        let (next, accepted) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let socket = self.socket();
        let (begin, before) = (Instant::now(), cpu_seconds(self.process.id())?);
        let sent = thread::scope(|scope| {
            let send = || send(&socket, batches, &next, &accepted).map_err(|error| error.to_string());
            let senders: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(send)).collect();
            let outcomes = senders.into_iter().map(|sender| sender.join().expect("a sender ends"));
            outcomes.collect::<std::result::Result<Vec<()>, String>>()
        });
        sent?;
        let seconds = begin.elapsed().as_secs_f64();
        let accepted = accepted.into_inner();
        let database = size(&self.folder.path().join("lib"))?;
        let (cpu, memory) = (cpu_seconds(self.process.id())? - before, resident(self.process.id())?);
        println!("{what:20} {:10.0} {cpu:7.1} {memory:5.0} {database:14}", accepted as f64 / seconds);
        Ok(())
    }
}

/// Sends batch after batch over one connection.
fn send(socket: &Path, batches: &[Batch], next: &AtomicUsize, accepted: &AtomicUsize) -> Result<()> {
    let mut stream = BufReader::new(UnixStream::connect(socket)?);
    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
        let Batch { organisation, headers, body } = batch;
        let head = format!(
            "POST /api/v1/reports?reporter=org-{organisation} HTTP/1.1\r\nHost: hub\r\n\
             Content-Type: application/x-ndjson\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body)?;
        let answer = answer(&mut stream)?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        let rows = ["accepted", "duplicate"].iter().filter_map(|key| answer[key].as_u64()).sum::<u64>();
        accepted.fetch_add(rows as usize, Ordering::Relaxed);
    }
    Ok(())
}

/// The body of a success.
fn answer(stream: &mut BufReader<UnixStream>) -> Result<Vec<u8>> {
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(format!("the hub answers {line}").into());
    }
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// In MiB.
fn size(folder: &Path) -> Result<u64> {
    let sizes = fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len()));
    Ok(sizes.sum::<Result<u64>>()? >> 20)
}

fn config(threshold: f64, dns: &str) -> String {
    format!(
        r#"
[store]
path = "lib/banzone.db"
[control]
socket = "run/control.sock"
[dns]
listen = ["{dns}"]
threads = 1
[daemon]
user = "nobody"
[log]
level = "warn"
[jail.shared]
reports = {{ threshold = {threshold}, guard = {{ least = 100_000_000 }} }}
[[zone]]
origin = "bl.example."
ns = ["ns.bl.example."]
[[zone.publish]]
jails = ["*"]
code = "127.0.0.4"
text = "$ip"
"#
    )
}
