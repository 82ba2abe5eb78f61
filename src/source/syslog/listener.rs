//! The thread that receives. In come datagrams and connections, out come lines in the spool; what waits meanwhile waits in
//! the kernel, whose buffers are bounded.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::address::Address;
use super::frame::Frames;
use super::message::{MESSAGE_BYTES, write_line};
use super::spool::Spool;
use crate::clock::Clock;
use crate::source::Counters;
use crate::sys::watch::readable_of;

/// How long it waits for messages before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// The pause between attempts to listen.
const RETRY: Duration = Duration::from_secs(5);

/// The most connections at once.
const MAX_CONNECTIONS: usize = 256;

/// When there are that many, one that was silent for so long gives way to a new one. Otherwise silence is no reason to
/// close: senders notice that only with the next message, and lose it.
const IDLE: Duration = Duration::from_secs(60);

/// After this silence the system asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(600);

/// Datagrams wait here while the disk is slow; the system may allow less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The most datagrams taken until they are written.
const MAX_DATAGRAMS: usize = 1024;

/// So many bytes of lines are written at once.
const WRITE_BYTES: usize = 256 * 1024;

/// Who is named as the host of messages from this one.
const HERE: &str = "localhost";

/// What is listened on.
pub(super) enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener, Vec<Connection>),
    Unix(UnixSocket),
}

/// A socket in the file system, which is removed with it.
pub(super) struct UnixSocket(UnixDatagram, PathBuf);

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.1);
    }
}

/// A sender.
pub(super) struct Connection {
    stream: TcpStream,
    sender: String,
    frames: Frames,
    heard: Instant,
}

/// The thread.
pub(super) struct Listener {
    pub(super) source: PathBuf,
    pub(super) address: Address,
    pub(super) socket: Option<Socket>,
    pub(super) spool: Spool,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: Arc<AtomicBool>,
    /// Lines to be written.
    pub(super) lines: Vec<u8>,
    /// What was wrong with the spool was told.
    pub(super) hindered: bool,
}

impl Listener {
    /// Receives until told to stop.
    pub(super) fn run(mut self) {
        let mut next_try = Instant::now() + RETRY;
        while !self.stop.load(Relaxed) {
            match self.socket.take() {
                Some(mut socket) => match self.serve(&mut socket) {
                    Ok(()) => self.socket = Some(socket),
                    Err(error) => self.hinder(&self.source, Some(unbound(&self.address, &error))),
                },
                None if Instant::now() >= next_try => {
                    self.bind();
                    next_try = Instant::now() + RETRY;
                }
                None => thread::sleep(PATIENCE),
            }
        }
    }

    /// Tries to listen, and says why it can't.
    pub(super) fn bind(&mut self) {
        let bound = Socket::bind(&self.address);
        let problem = bound.as_ref().err().map(|error| unbound(&self.address, error));
        self.hinder(&self.source, problem);
        self.socket = bound.ok();
    }

    fn hinder(&self, what: &Path, problem: Option<String>) {
        self.counters.set_hindrance(what, problem);
    }

    /// Receives what comes within its patience, and writes it.
    fn serve(&mut self, socket: &mut Socket) -> io::Result<()> {
        match socket {
            Socket::Udp(socket) => self.datagrams(socket.as_fd(), |buffer| {
                let (length, peer) = socket.recv_from(buffer)?;
                Ok((length, name(peer.ip())))
            }),
            Socket::Unix(UnixSocket(socket, _)) => {
                self.datagrams(socket.as_fd(), |buffer| Ok((socket.recv(buffer)?, HERE.to_owned())))
            }
            Socket::Tcp(listener, connections) => self.connections(listener, connections),
        }
    }

    fn datagrams(
        &mut self,
        socket: BorrowedFd<'_>,
        receive: impl Fn(&mut [u8]) -> io::Result<(usize, String)>,
    ) -> io::Result<()> {
        if !readable_of(&[socket], PATIENCE)?[0] {
            return Ok(());
        }
        let mut buffer = [0; MESSAGE_BYTES];
        for _ in 0..MAX_DATAGRAMS {
            match receive(&mut buffer) {
                Ok((length, sender)) => self.message(&buffer[..length], &sender),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error to something else, or a signal.
                Err(_) => {}
            }
        }
        self.write();
        Ok(())
    }

    fn connections(&mut self, listener: &TcpListener, connections: &mut Vec<Connection>) -> io::Result<()> {
        let files = connections.iter().map(|connection| connection.stream.as_fd());
        let files: Vec<BorrowedFd<'_>> = [listener.as_fd()].into_iter().chain(files).collect();
        let ready = readable_of(&files, PATIENCE)?;
        let mut index = 0;
        connections.retain_mut(|connection| {
            index += 1;
            !ready[index] || self.hear(connection)
        });
        if ready[0] {
            accept(listener, connections);
        }
        self.write();
        Ok(())
    }

    /// Reads one piece. False: the connection has ended.
    fn hear(&mut self, connection: &mut Connection) -> bool {
        let mut piece = [0; MESSAGE_BYTES];
        let got = match connection.stream.read(&mut piece) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return true;
            }
            got => got.unwrap_or(0),
        };
        let Connection { sender, frames, heard, .. } = connection;
        if got == 0 {
            frames.finish(|message| self.message(message, sender));
            return false;
        }
        *heard = Instant::now();
        frames.feed(&piece[..got], |message| self.message(message, sender));
        true
    }

    fn message(&mut self, message: &[u8], sender: &str) {
        if message.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        write_line(message, Clock::System.now(), sender, &mut self.lines);
        if self.lines.len() >= WRITE_BYTES {
            self.write();
        }
    }

    /// Writes the lines to the spool. What finds no room there is dropped and counted.
    fn write(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let failed = self.spool.append(&self.lines).err();
        self.lines.clear();
        if failed.is_none() && !self.hindered {
            return;
        }
        self.hindered = failed.is_some();
        let problem = failed.map(|(error, lost)| {
            self.counters.dropped.fetch_add(lost as u64, Relaxed);
            unwritten(&error)
        });
        self.hinder(&self.source.join("spool"), problem);
    }
}

fn accept(listener: &TcpListener, connections: &mut Vec<Connection>) {
    for _ in 0..MAX_CONNECTIONS {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {
                // Most likely there are too many open files: others may be closed soon.
                thread::sleep(PATIENCE / 10);
                return;
            }
        };
        if make_room(connections) && stream.set_nonblocking(true).is_ok() {
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
            // Without it, one that is gone is only noticed when its place is needed.
            let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            let (frames, heard) = (Frames::default(), Instant::now());
            connections.push(Connection { stream, sender: name(peer.ip()), frames, heard });
        }
    }
}

/// Makes room for another connection, if one was silent for long enough.
fn make_room(connections: &mut Vec<Connection>) -> bool {
    if connections.len() < MAX_CONNECTIONS {
        return true;
    }
    let silent = connections.iter().enumerate().min_by_key(|(_, connection)| connection.heard);
    match silent {
        Some((index, connection)) if connection.heard.elapsed() >= IDLE => {
            connections.swap_remove(index);
            true
        }
        _ => false,
    }
}

fn name(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

impl Socket {
    /// Begins to listen.
    pub(super) fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Udp(address) => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                enlarge(&SockRef::from(&socket));
                Ok(Self::Udp(socket))
            }
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener, Vec::new()))
            }
            Address::Unix(path) => {
                remove_stale(path)?;
                let socket = UnixSocket(UnixDatagram::bind(path)?, path.clone());
                socket.0.set_nonblocking(true)?;
                enlarge(&SockRef::from(&socket.0));
                // As with `/dev/log`, every program may log.
                fs::set_permissions(path, Permissions::from_mode(0o666))?;
                Ok(Self::Unix(socket))
            }
        }
    }
}

fn enlarge(socket: &SockRef<'_>) {
    // What the system refuses is bounded by it.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
}

/// Removes a socket that nobody listens on any more, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Ok(()),
    }
}

fn unbound(address: &Address, error: &io::Error) -> String {
    let remedy = match (error.kind(), address) {
        (io::ErrorKind::AddrInUse, Address::Unix(_)) => {
            "another program listens there, or it is no socket: remove it, or choose another path"
        }
        (io::ErrorKind::AddrInUse, _) => "another program uses this port: stop that one, or choose another",
        (io::ErrorKind::PermissionDenied, Address::Unix(_)) => "give the folder to banzone's user",
        (io::ErrorKind::PermissionDenied, _) => {
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE, as in banzone.service: start by that, or choose another"
        }
        (io::ErrorKind::AddrNotAvailable, _) => "this host has no such address",
        (io::ErrorKind::NotFound, _) => "make the folder",
        _ => "will try again",
    };
    format!("cannot listen on {address} ({error}); {remedy}")
}

/// Always in the same words, so that it is told once. How many were dropped is counted.
fn unwritten(error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::QuotaExceeded => "more is received than can be read".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full; make room".to_owned(),
        _ => format!("the spool cannot be written ({error})"),
    };
    format!("{remedy}; messages are dropped meanwhile")
}
