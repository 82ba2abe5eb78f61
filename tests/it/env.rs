//! A banzone of its own for a test: the real program on a configuration, logs and a database in a temporary folder.
//!
//! ```no_run
//! let env = Env::new(SASL);                      // writes banzone.toml; starts nothing
//! let daemon = env.start();                      // the real program, once it answers
//! env.log("mail.log").append(&failure("198.51.100.7"));
//! until("the ban is answered", || daemon.lists("198.51.100.7"));
//! assert_eq!(env.get("/readyz").status, 200);
//! assert!(daemon.terminate().success());
//! ```
//!
//! Every port is chosen by the system and read from what the daemon says, so that any number of tests run side by side.
//! Nothing waits for a fixed time: [`until`] asks again and again, and fails after a [`DEADLINE`] that only a broken
//! program reaches. As root the daemon becomes `nobody`, as in operation.
//!
//! ```text
//! banzone.toml  lib/banzone.db  run/control.sock  log/*  messages (what the daemon writes to stderr)
//! ```

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use banzone::clock::{Clock, Timestamp};
use banzone::ip::write_reversed;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// What should happen has happened by then, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long a query waits for its answer. An answer takes less than a millisecond; a stalled machine takes longer.
const ANSWER: Duration = Duration::from_secs(5);

/// So many of the daemon's last messages are shown when a test fails.
const SHOWN: usize = 40;

/// The zone of every test.
pub const ZONE: &str = "bl.example";

/// One jail on one log that bans at the third failure.
pub const SASL: &str = "
[jail.postfix-sasl]
logpath = 'log/mail.log'
maxretry = 3
";

/// A zone that publishes everything.
pub const PUBLISH: &str = "
[[zone]]
origin = 'bl.example.'
ns = 'ns.bl.example.'
[[zone.publish]]
jails = '*'
code = '127.0.0.4'
text = '$ip by $jail since $since until $until'
";

/// Asks until there is an answer; `what` is named if there never is.
#[track_caller]
pub fn until<T: Outcome>(what: &str, mut ask: impl FnMut() -> T) -> T::Value {
    let begin = Instant::now();
    loop {
        if let Some(value) = ask().value() {
            return value;
        }
        assert!(begin.elapsed() < DEADLINE, "in vain waited until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What [`until`] waits for: true, or something.
pub trait Outcome {
    /// What is there once it is.
    type Value;
    /// Is it?
    fn value(self) -> Option<Self::Value>;
}

impl Outcome for bool {
    type Value = ();
    fn value(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Outcome for Option<T> {
    type Value = T;
    fn value(self) -> Self {
        self
    }
}

/// A line of Postfix that says that `address` failed to log in just now.
pub fn failure(address: &str) -> String {
    failure_at(Clock::System.now(), address)
}

/// The same at another time.
pub fn failure_at(time: Timestamp, address: &str) -> String {
    format!(
        "{} mail postfix/smtpd[711]: warning: unknown[{address}]: SASL LOGIN authentication failed: x\n",
        written(time)
    )
}

/// A time as rsyslog writes it, with milliseconds.
pub fn written(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}

/// The folder of one banzone.
pub struct Env {
    folder: TempDir,
}

impl Env {
    /// A folder with a configuration: `jails` and whatever else stands in it, and the zone [`PUBLISH`].
    pub fn new(jails: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        // The daemon makes `lib` and `run` itself.
        fs::create_dir(folder.path().join("log")).unwrap();
        let env = Self { folder };
        env.configure(&format!("{jails}\n{PUBLISH}"));
        env
    }

    /// Writes the configuration anew: the sections every test has, and `rest`.
    pub fn configure(&self, rest: &str) {
        self.configure_as(BASE, rest);
    }

    /// The same with other sections at its head.
    pub fn configure_as(&self, base: &str, rest: &str) {
        let user = if Uid::effective().is_root() { "[daemon]\nuser = 'nobody'\n" } else { "" };
        fs::write(self.config(), format!("{base}{user}{rest}")).unwrap();
    }

    /// A path inside the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.path("banzone.toml")
    }

    /// The database.
    pub fn database_path(&self) -> PathBuf {
        self.path("lib/banzone.db")
    }

    /// A log in the folder of logs.
    pub fn log(&self, name: &str) -> Log {
        Log(self.path("log").join(name))
    }

    /// The command that runs the daemon; a test may add to it before [`Env::start_as`].
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        command.arg("serve").arg("--config").arg(self.config());
        command
    }

    /// Starts the daemon and waits until it answers.
    #[track_caller]
    pub fn start(&self) -> Daemon {
        self.start_as(self.command())
    }

    /// The same with a command of the test's.
    #[track_caller]
    pub fn start_as(&self, command: Command) -> Daemon {
        let mut daemon = self.spawn(command);
        daemon.wait_until_ready();
        daemon
    }

    /// Starts the daemon without waiting for it.
    pub fn spawn(&self, command: Command) -> Daemon {
        self.spawn_onto(Stdio::null(), command)
    }

    /// The same with a standard output of the test's.
    pub fn spawn_onto(&self, output: Stdio, mut command: Command) -> Daemon {
        let messages = self.path("messages");
        let file = OpenOptions::new().create(true).append(true).open(&messages).unwrap();
        let from = file.metadata().unwrap().len();
        command.env_remove("NO_COLOR").env_remove("BANZONE_LOG").env_remove("JOURNAL_STREAM");
        let child = command.stdin(Stdio::null()).stdout(output).stderr(file).spawn().unwrap();
        Daemon { child, messages, from, dns: None }
    }

    /// Runs the daemon to its end, which must be a refusal, and returns what it says.
    #[track_caller]
    pub fn refused(&self) -> String {
        let mut daemon = self.spawn(self.command());
        let status = daemon.wait();
        let messages = daemon.messages();
        assert!(!status.success(), "the daemon was to refuse: {messages}");
        assert!(!messages.contains("panicked"), "{messages}");
        messages
    }

    /// Asks the control API; `body` is JSON.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: &str) -> Response {
        self.try_request(method, path, body).unwrap()
    }

    /// The same where the daemon may not be there.
    pub fn try_request(&self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        self.try_request_with(method, path, "", body)
    }

    /// The same with lines of headers.
    pub fn try_request_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Response> {
        let stream = UnixStream::connect(self.path("run/control.sock"))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        exchange(stream, &format!("{method} {path}"), headers, body)
    }

    /// `GET path`
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, "")
    }

    /// Bans by the API.
    #[track_caller]
    pub fn ban(&self, body: &str) -> Response {
        self.request("POST", "/api/v1/bans", body)
    }

    /// The database, to look into it.
    pub fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.database_path(), flags).unwrap();
        connection.busy_timeout(DEADLINE).unwrap();
        connection
    }

    /// Failures ever counted by all jails, as committed.
    pub fn counted(&self) -> u64 {
        let sql = "SELECT coalesce(sum(total_failed), 0) FROM jails";
        self.database().query_row(sql, [], |row| row.get(0)).unwrap_or(0)
    }
}

/// The sections that every test has; port 0 is any.
pub const BASE: &str = "
[store]
path = 'lib/banzone.db'
[control]
socket = 'run/control.sock'
[dns]
listen = '127.0.0.1:0'
threads = 1
";

/// A log as a server writes it.
pub struct Log(pub PathBuf);

impl Log {
    /// Writes `text` to the end of the log, which is made if there is none.
    pub fn append(&self, text: &str) {
        self.open().write_all(text.as_bytes()).unwrap();
    }

    /// The log, held open as servers do.
    pub fn open(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.0).unwrap()
    }

    /// Moves the log away as logrotate does: `mail.log.1` becomes `mail.log.2`, and so on. Whoever has it open goes on
    /// writing to it.
    pub fn rotate(&self) {
        let name = |number: usize| PathBuf::from(format!("{}.{number}", self.0.display()));
        let last = (1..).find(|number| !name(*number).exists()).unwrap();
        for number in (1..last).rev() {
            fs::rename(name(number), name(number + 1)).unwrap();
        }
        fs::rename(&self.0, name(1)).unwrap();
    }
}

/// An answer of the control API.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: String,
}

impl Response {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// The body as JSON, of an answer that is a success.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends one request, such as `GET /healthz` with lines of headers, over `stream` and reads the answer; a body is JSON if
/// they do not say otherwise.
pub fn exchange(
    mut stream: impl Read + Write,
    request: &str,
    headers: &str,
    body: &str,
) -> io::Result<Response> {
    // HTTP/1.0 closes the connection behind the answer, so that its end is its length.
    let length = body.len();
    let json = if headers.contains("Content-Type:") { "" } else { "Content-Type: application/json\r\n" };
    let sent = format!(
        "{request} HTTP/1.0\r\nHost: banzone\r\n{json}Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    // At once: a body that comes when the answer is given already, as nobody reads it, would break the connection.
    stream.write_all(sent.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Response::parse(&text).ok_or_else(|| io::Error::other(format!("no HTTP: {text:?}")))
}

/// A running daemon; it is killed when it is dropped.
pub struct Daemon {
    child: Child,
    messages: PathBuf,
    /// Where its messages begin in the file.
    from: u64,
    dns: Option<SocketAddr>,
}

impl Daemon {
    /// Everything it has said on stderr.
    pub fn messages(&self) -> String {
        messages_from(&self.messages, self.from)
    }

    /// Waits until it says that it answers, and learns where.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        let address = until("the daemon answers", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended with {status}:\n{}", self.messages());
            }
            self.ready_at()
        });
        self.dns = Some(address);
    }

    /// Where it answers, once it has said so.
    pub fn ready_at(&self) -> Option<SocketAddr> {
        let messages = self.messages();
        let (_, behind) = messages.split_once("answering")?;
        let line = behind.split_once('\n')?.0;
        let port = line.split_once("127.0.0.1:")?.1;
        let port = port.split(|byte: char| !byte.is_ascii_digit()).next()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)))
    }

    /// Where it offers HTTP over TCP.
    pub fn http(&self) -> SocketAddr {
        let messages = self.messages();
        let (_, behind) = messages.split_once("http=Some(").expect("`listen` in [http]");
        behind.split_once(')').unwrap().0.parse().unwrap()
    }

    /// Where it answers queries.
    pub fn dns(&self) -> SocketAddr {
        self.dns.expect("the daemon was waited for")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for the records of `address` in [`ZONE`].
    #[track_caller]
    pub fn ask(&self, address: &str, kind: RecordType) -> Answer {
        ask_listing(self.dns(), address, kind).unwrap()
    }

    /// Asks for the records of any name.
    #[track_caller]
    pub fn ask_name(&self, name: &str, kind: RecordType) -> Answer {
        ask(self.dns(), name, kind).unwrap()
    }

    /// Whether `address` is listed.
    #[track_caller]
    pub fn lists(&self, address: &str) -> bool {
        !self.ask(address, RecordType::A).codes.is_empty()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        until("the daemon ends", || self.child.try_wait().unwrap())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it to stop, and waits for its end.
    #[track_caller]
    pub fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let messages = self.messages();
            let from = messages.rmatch_indices('\n').nth(SHOWN).map_or(0, |(at, _)| at);
            eprintln!("--- the last messages of the daemon{}", &messages[from..]);
        }
    }
}

fn messages_from(path: &Path, from: u64) -> String {
    let mut text = Vec::new();
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// What DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub rcode: ResponseCode,
    /// The A records in order.
    pub codes: Vec<Ipv4Addr>,
    /// The TXT records in order.
    pub texts: Vec<String>,
    /// The least TTL of the answers.
    pub ttl: Option<u32>,
}

/// Asks `server` for the listing of `address`.
pub fn ask_listing(server: SocketAddr, address: &str, kind: RecordType) -> io::Result<Answer> {
    let address: IpAddr = address.parse().unwrap();
    ask(server, &format!("{}.{ZONE}.", write_reversed(address)), kind)
}

/// Asks `server` over UDP, once.
pub fn ask(server: SocketAddr, name: &str, kind: RecordType) -> io::Result<Answer> {
    static ID: AtomicU16 = AtomicU16::new(1);
    let mut query = Message::new(ID.fetch_add(1, Ordering::Relaxed), MessageType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    let host: IpAddr = if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let socket = UdpSocket::bind((host, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.send(&query.to_vec().unwrap())?;
    let mut reply = [0; 4096];
    let length = socket.recv(&mut reply)?;
    let reply = Message::from_vec(&reply[..length]).map_err(io::Error::other)?;
    assert_eq!(reply.metadata.id, query.metadata.id);
    Ok(answer(&reply))
}

fn answer(reply: &Message) -> Answer {
    let mut codes = Vec::new();
    let mut texts = Vec::new();
    for record in &reply.answers {
        match &record.data {
            RData::A(code) => codes.push(code.0),
            RData::TXT(text) => texts.push(text.to_string()),
            other => panic!("nobody asked for {other}"),
        }
    }
    codes.sort();
    texts.sort();
    Answer {
        rcode: reply.metadata.response_code,
        codes,
        texts,
        ttl: reply.answers.iter().map(|record| record.ttl).min(),
    }
}
