//! How long from the line in the log to the answer in the DNS: `cargo bench --bench latency`.
//!
//! Starts the daemon with one jail on loopback, writes failures into its log with one write(2) each, and asks for the
//! address over UDP without pause until it is listed. The time runs from just before the write to that answer.

use std::cell::Cell;
use std::error::Error;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use banzone::clock::Clock;
use banzone::ip::write_reversed;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SAMPLES: usize = 600;

/// Between samples the daemon goes to sleep, as it does between failures; this long, and up to as much again.
const PAUSE: Duration = Duration::from_millis(10);

/// What takes longer is not slow but broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer on loopback that is not there by now is lost.
const ANSWER_WAIT: Duration = Duration::from_millis(200);

const ORIGIN: &str = "bl.example";

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // The daemon gives up root, and must still be able to come here.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let daemon = Daemon::start(folder.path())?;
    let mut log = OpenOptions::new().append(true).open(folder.path().join("mail.log"))?;
    daemon.wait_until_answering(&mut log)?;

    let mut times = Vec::with_capacity(SAMPLES);
    for sample in 0..SAMPLES {
        sleep(PAUSE + PAUSE * (sample as u32 % 10) / 10);
        times.push(daemon.time_to_listing(&mut log, address(sample))?);
    }
    print_table(&mut times);
    Ok(())
}

/// Every other sample is IPv4, for as long as there are addresses for documentation.
fn address(sample: usize) -> IpAddr {
    let (net, host) = (sample / 2 / 254, (sample / 2 % 254) as u8 + 1);
    match (sample % 2, net) {
        (0, 0) => Ipv4Addr::new(192, 0, 2, host).into(),
        (0, 1) => Ipv4Addr::new(198, 51, 100, host).into(),
        (0, 2) => Ipv4Addr::new(203, 0, 113, host).into(),
        _ => Ipv6Addr::new(0x2001, 0xdb8, 1, sample as u16, 0, 0, 0, 1).into(),
    }
}

fn print_table(times: &mut [Duration]) {
    times.sort();
    let at =
        |quantile: f64| times[((times.len() - 1) as f64 * quantile).round() as usize].as_secs_f64() * 1000.0;
    println!("from the write of a line to the answer, milliseconds, {} samples", times.len());
    println!("   min  median     p90     p99     max");
    println!("{:6.2}{:8.2}{:8.2}{:8.2}{:8.2}", at(0.0), at(0.5), at(0.9), at(0.99), at(1.0));
}

/// A running daemon, and a socket to ask it.
struct Daemon {
    process: Child,
    socket: UdpSocket,
    next_id: Cell<u16>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    fn start(folder: &Path) -> Result<Self> {
        let address = free_address()?;
        File::create(folder.join("mail.log"))?;
        fs::write(folder.join("banzone.toml"), config(address))?;
        let process = Command::new(env!("CARGO_BIN_EXE_banzone"))
            .args(["serve", "--config"])
            .arg(folder.join("banzone.toml"))
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("daemon.log"))?)
            .spawn()?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(ANSWER_WAIT))?;
        Ok(Self { process, socket, next_id: Cell::new(1) })
    }

    /// The first failure may come before the log is opened, when it would be taken for an old line.
    fn wait_until_answering(&self, log: &mut File) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if self.is_listed(Ipv4Addr::new(127, 0, 0, 2).into())? {
                let first = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
                sleep(Duration::from_secs(1));
                return self.time_to_listing(log, first.into()).map(drop);
            }
            sleep(Duration::from_millis(20));
        }
        Err("the daemon does not answer".into())
    }

    fn time_to_listing(&self, log: &mut File, address: IpAddr) -> Result<Duration> {
        let now = Clock::System.now();
        let line = format!(
            "{now} mail postfix/smtpd[4711]: warning: unknown[{address}]: SASL LOGIN authentication failed: \
             (reason unavailable), sasl_username=info\n"
        );
        let begin = Instant::now();
        log.write_all(line.as_bytes())?;
        while !self.is_listed(address)? {
            if begin.elapsed() > PATIENCE {
                return Err(format!("{address} is not listed after {PATIENCE:?}").into());
            }
        }
        Ok(begin.elapsed())
    }

    /// Asks once. What is not answered, because the daemon is not there yet or the answer is lost, is not listed.
    fn is_listed(&self, address: IpAddr) -> Result<bool> {
        let mut reply = [0; 512];
        match self.ask(address, &mut reply) {
            // The fourth octet ends in the response code, the seventh and eighth count answers.
            Ok(length) => Ok(length > 12 && reply[3] & 0xf == 0 && reply[6..8] != [0, 0]),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::WouldBlock) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ask(&self, address: IpAddr, reply: &mut [u8]) -> io::Result<usize> {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1));
        self.socket.send(&question(id, address))?;
        loop {
            let length = self.socket.recv(reply)?;
            // Another one answers a question that was given up.
            if reply[..2] == id.to_be_bytes() {
                return Ok(length);
            }
        }
    }
}

/// A query of type A for the reversed address.
fn question(id: u16, address: IpAddr) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in format!("{}.{ORIGIN}", write_reversed(address)).split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    query
}

/// An address that nobody used a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn config(address: SocketAddr) -> String {
    format!(
        r#"
[store]
path = "state/banzone.db"
[control]
socket = "run/control.sock"
[dns]
listen = ["{address}"]
threads = 1
[daemon]
user = "nobody"
[log]
level = "warn"
[jail.postfix-sasl]
logpath = ["mail.log"]
maxretry = 1
# Whoever runs this may have an address for documentation.
ignoreself = false
[[zone]]
origin = "{ORIGIN}."
ns = ["ns.{ORIGIN}."]
[[zone.publish]]
jails = ["*"]
code = "127.0.0.4"
text = "$ip"
"#
    )
}
