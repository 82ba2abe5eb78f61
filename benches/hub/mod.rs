//! A hub that runs, and batches of reports on their way to it.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::asking::{Result, free_address};
use crate::process::{cpu_seconds, resident};

/// Rows of a batch: the most that a hub takes.
pub const BATCH: usize = 10_000;
/// Batches on their way at a time.
pub const CONNECTIONS: usize = 4;
/// A daemon that does not answer by now does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request: its organisation, the lines of its head, its body.
pub struct Batch {
    pub organisation: u32,
    pub headers: &'static str,
    pub body: Vec<u8>,
}

/// A running hub.
pub struct Hub {
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
    /// Starts one whose listings take votes that weigh `threshold`; `more` stands at the end of its configuration.
    pub fn start(threshold: f64, more: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The daemon gives up root, and must still be able to come here.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let path = folder.path().join("banzone.toml");
        fs::write(&path, config(threshold, &free_address()?.to_string()) + more)?;
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

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    /// The size of its database, in bytes.
    pub fn database(&self) -> Result<u64> {
        size(&self.folder.path().join("lib"))
    }

    /// A new token for whoever only looks.
    pub fn token(&self) -> Result<String> {
        let mut stream = BufReader::new(UnixStream::connect(self.socket())?);
        let order = r#"{"name":"bench","role":"viewer"}"#;
        let head = format!(
            "POST /api/v1/tokens HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{order}",
            order.len()
        );
        stream.get_mut().write_all(head.as_bytes())?;
        let made: serde_json::Value = serde_json::from_slice(&answer(&mut stream)?)?;
        Ok(made["secret"].as_str().ok_or("no token was made")?.to_owned())
    }

    /// Sends all `batches`, and prints how it went; how many rows were accepted.
    pub fn measure(&self, what: &str, batches: &[Batch]) -> Result<usize> {
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
        let database = self.database()? >> 20;
        let (cpu, memory) = (cpu_seconds(self.process.id())? - before, resident(self.process.id())?);
        println!("{what:24} {:10.0} {cpu:7.1} {memory:5.0} {database:14}", accepted as f64 / seconds);
        Ok(accepted)
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
pub fn answer(stream: &mut BufReader<impl Read>) -> Result<Vec<u8>> {
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

fn size(folder: &Path) -> Result<u64> {
    let sizes = fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len()));
    sizes.sum()
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
