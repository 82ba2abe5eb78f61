//! Servers: carry queries in and answers out, over UDP, TCP, TLS, HTTPS and QUIC. Bytes go to a [`Respond`], in service
//! that is [`Service`] with the zones, and its bytes go back.
//!
//! UDP is a loop of plain threads (`udp`): a task for each query, as the libraries have it, takes memory, which a loop
//! does not; and a reply must leave from the address that the query came to. All else are connections (`streams`).
//!
//! [`bind`] needs privileges for port 53 and comes first; [`serve`] needs none. What the encrypted transports show as
//! their certificate is [`Sockets::certificates`]; none is there at first.

mod certificate;
mod counters;
mod limits;
mod probe;
mod seen;
mod service;
mod streams;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::sys::udp::UdpSocket;

pub use crate::zone::{Peer, Transport};
pub use certificate::{Certificate, CertificateError, CertificateFile, Certificates, tls};
pub use counters::{Dropped, Drops, ReplyCount};
pub use limits::RateLimit;
pub use probe::probe;
pub use seen::{Answers, QueryLogSettings, Ranked, Seeing, TopAddresses, ZoneCounts};
pub use service::{Counts, Service};
pub use streams::Limits;

/// What logs what single clients do, under these targets: a log filter should let only errors through, as strangers could
/// fill the log.
pub const LIBRARY_LOG_TARGETS: [&str; 5] = ["quinn", "quinn_proto", "quinn_udp", "rustls", "h2"];

/// How often port 0 is tried until one port is free for UDP and TCP alike.
const PORT_ATTEMPTS: usize = 16;

/// Where the servers listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Each address is served over UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// UDP threads for each address; 0 counts as 1. More than one share the port by `SO_REUSEPORT`.
    pub threads: usize,
    /// How long a UDP thread sleeps after few queries, so that the next ones gather: most of what a query costs where few come at a
    /// time is waking up for it. Zero: not at all.
    pub nap: Duration,
    /// Where there is encryption.
    pub tls: Tls,
    /// What connections may take.
    pub limits: Limits,
}

/// Where DNS is served encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// DNS over TLS (RFC 7858).
    pub dot: Vec<SocketAddr>,
    /// DNS over HTTPS (RFC 8484).
    pub doh: Vec<SocketAddr>,
    /// The path of its URL, such as `/dns-query`.
    pub doh_path: String,
    /// DNS over QUIC (RFC 9250).
    pub doq: Vec<SocketAddr>,
}

/// Why DNS is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no address in the settings.
    #[error("nothing to listen on: name at least one address in `dns.listen`, such as \"0.0.0.0:53\"")]
    NoAddress,
    /// A port cannot be had.
    #[error("cannot listen on {address} ({transport}): {source}; {remedy}", remedy = remedy(*.address, source))]
    Bind {
        /// The address of the settings.
        address: SocketAddr,
        /// UDP, TCP, DoT, DoH or DoQ.
        transport: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A bound socket cannot be served.
    #[error("cannot serve DNS: {0}; the limits on open files and threads may be too low")]
    Start(io::Error),
}

/// A query, who asks, and where the reply goes, which is empty at first.
#[derive(Debug)]
pub struct Request<'a> {
    /// The query.
    pub query: &'a [u8],
    /// Who asks.
    pub peer: Peer,
    /// The reply.
    pub reply: &'a mut Vec<u8>,
}

/// What answers queries. Shared by all threads.
pub trait Respond: Send + Sync + Sized + 'static {
    /// Appends the reply to `query` to `reply`, which is empty; leaving it empty means silence.
    fn respond(&self, query: &[u8], peer: &Peer, reply: &mut Vec<u8>);

    /// Does the same for requests that have come together, and for each of them whatever becomes of the others.
    fn respond_all(&self, requests: &mut [Request<'_>]) {
        ask_each(self, requests);
    }

    /// Counts a query that got no reply for a reason of the servers'.
    fn dropped(&self, reason: Dropped);
}

/// Bound sockets, not served yet.
#[derive(Debug, Default)]
pub struct Sockets {
    udp: Vec<UdpSocket>,
    nap: Duration,
    streams: streams::Sockets,
}

/// Binds every address of `settings`; all of them or none.
pub fn bind(settings: &Settings) -> Result<Sockets, Error> {
    if settings.listen.is_empty() {
        return Err(Error::NoAddress);
    }
    let streams = streams::Sockets::bind(&settings.tls, &settings.limits)?;
    let mut sockets = Sockets { udp: Vec::new(), nap: settings.nap, streams };
    for &address in &settings.listen {
        let udp = bind_pair(address, settings.threads.max(1), &mut sockets.streams)?;
        sockets.udp.extend(udp);
    }
    Ok(sockets)
}

impl Sockets {
    /// One address for each of [`Settings::listen`], with the real port where port 0 was asked for.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.streams.tcp_addresses()
    }

    /// The same for each address of [`Settings::tls`].
    pub fn encrypted_addresses(&self) -> Vec<(Transport, SocketAddr)> {
        self.streams.encrypted_addresses()
    }

    /// What clients of the encrypted transports are shown.
    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.streams.certificates)
    }
}

/// The running servers. Dropping it tells them to stop, [`Server::stop`] also waits for it.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    stop_streams: watch::Sender<bool>,
    threads: Vec<thread::JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Serves `sockets`: UDP on threads of its own, the rest on `runtime`.
pub fn serve<R: Respond>(sockets: Sockets, responder: &Arc<R>, runtime: &Handle) -> Result<Server, Error> {
    let (stop_streams, stopped) = watch::channel(false);
    let mut server = Server { stop: Arc::default(), stop_streams, threads: Vec::new(), tasks: Vec::new() };
    for (number, socket) in sockets.udp.into_iter().enumerate() {
        let stop = Arc::clone(&server.stop);
        let thread =
            udp::spawn(number, socket, sockets.nap, Arc::clone(responder), stop).map_err(Error::Start)?;
        server.threads.push(thread);
    }
    server.tasks = sockets.streams.serve(responder, runtime, &stopped).map_err(Error::Start)?;
    Ok(server)
}

impl Server {
    /// Whether every thread and task still runs; a false is a defect, as none ends by itself.
    pub fn is_running(&self) -> bool {
        let threads = self.threads.iter().all(|thread| !thread.is_finished());
        threads && self.tasks.iter().all(|task| !task.is_finished())
    }

    /// Stops: the queries at hand are answered, the ports are free afterwards. Takes less than a second.
    pub async fn stop(mut self) {
        self.tell_to_stop();
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(|| {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }

    fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stop_streams.send_replace(true);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

/// Has `query` answered and says whether there is a reply.
fn ask<R: Respond>(responder: &R, query: &[u8], peer: &Peer, reply: &mut Vec<u8>) -> bool {
    reply.clear();
    if guarded(responder, || responder.respond(query, peer, reply)).is_none() {
        reply.clear();
    }
    !reply.is_empty()
}

/// Has requests answered one after the other.
fn ask_each<R: Respond>(responder: &R, requests: &mut [Request<'_>]) {
    for Request { query, peer, reply } in requests {
        ask(responder, query, peer, reply);
    }
}

/// Does `work`. A panic is counted and ends in `None`: the next query finds the server where the last one left it.
fn guarded<R: Respond, T>(responder: &R, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.inspect_err(|_| responder.dropped(Dropped::Panic)).ok()
}

/// Does `work` with each of `all`, whatever becomes of the others.
fn guarded_each<R: Respond, T>(responder: &R, mut all: impl Iterator<Item = T>, work: impl Fn(T)) {
    // One that panics is taken out of `all`, those behind it are still there.
    while guarded(responder, || all.by_ref().for_each(&work)).is_none() {}
}

/// Binds one port for UDP and TCP.
fn bind_pair(
    address: SocketAddr,
    threads: usize,
    streams: &mut streams::Sockets,
) -> Result<Vec<UdpSocket>, Error> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let udp = UdpSocket::bind_many(address, threads).map_err(Error::binding(address, "UDP"))?;
        match streams.add_tcp(udp[0].local_address()) {
            Ok(()) => return Ok(udp),
            Err(source) if attempts == 0 => return Err(Error::binding(address, "TCP")(source)),
            Err(_) => {}
        }
    }
}

impl Error {
    fn binding(address: SocketAddr, transport: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Bind { address, transport, source }
    }
}

fn remedy(address: SocketAddr, source: &io::Error) -> String {
    let port = address.port();
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another server has the port (`ss -lunpt 'sport = :{port}'` names it): stop it, or listen on another address"
        ),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}: `ip address` shows those it has", address.ip())
        }
        _ => "correct the address in [dns]".to_owned(),
    }
}

#[cfg(test)]
mod tests;
