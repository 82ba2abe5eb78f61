//! DNS over streams: TCP (RFC 7766), TLS (RFC 7858), HTTPS (RFC 8484) and QUIC (RFC 9250). Connections come in; each has
//! its queries answered by the [`Respond`] that answers UDP, by way of hickory-server (`requests`).
//!
//! The carriers are libraries' work: tokio, rustls, hyper and quinn. hickory-server would carry all four as well, but takes
//! whole listeners and leaves nothing to decide about a connection: there is no limit on their number, neither in all
//! nor for a client; one QUIC handshake at a time is waited for, so that one client that does not finish its own keeps
//! all others out; nonsense over HTTPS gets no status and a line in the log, which strangers could fill. So the loops
//! that let connections in stand here, and with them the framing, which is two octets of length.
//!
//! One rule for time: whatever a client is waited for, a handshake, a query, the reading of a reply, it has
//! [`Limits::idle_timeout`] for, and no more than a moment beyond that to see the connection end. Nothing that happens to a connection is logged; what it costs others is counted.

mod connections;
mod framed;
mod https;
mod quic;
mod requests;
mod sockets;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Dropped, Peer, Respond, Transport};

pub use connections::Limits;
pub(super) use sockets::Sockets;

use connections::{Connections, Place};
use https::Https;
use quic::Quic;

/// The names of the protocols in TLS (ALPN).
const ALPN_DOT: &[u8] = b"dot";
const ALPN_DOH: &[u8] = b"h2";
const ALPN_DOQ: &[u8] = b"doq";

/// A longer query has nothing to say to a blocklist: a name has at most 255 octets, and what EDNS adds is small.
const LONGEST_QUERY: usize = 4096;

/// Queries of one connection that are answered at a time, where they need not come in turn.
const CONCURRENT_QUERIES: u32 = 64;

/// How long connections have for what is under way when the server stops.
const GRACE: Duration = Duration::from_millis(250);

/// How long a client has to take leave of a connection that ends: enough for what is on its way.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long nobody is let in after that failed, for want of files most likely.
const REST: Duration = Duration::from_millis(10);

/// What all connections of one kind share.
struct Front<R> {
    responder: Arc<R>,
    transport: Transport,
    connections: Arc<Connections>,
    idle: Duration,
    stopped: watch::Receiver<bool>,
}

impl<R: Respond> Front<R> {
    /// Answers by `responder` what comes by `transport`, until `stopped` is true.
    fn new(
        responder: &Arc<R>,
        transport: Transport,
        limits: &Limits,
        stopped: &watch::Receiver<bool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            responder: Arc::clone(responder),
            transport,
            connections: Connections::new(limits),
            idle: limits.idle_timeout,
            stopped: stopped.clone(),
        })
    }

    /// A connection from `address`, unless it is one too many.
    fn admit(&self, address: IpAddr) -> Option<Connection<R>> {
        let Some(place) = self.connections.admit(address) else {
            self.responder.dropped(Dropped::Connection);
            return None;
        };
        Some(Connection {
            responder: Arc::clone(&self.responder),
            peer: Peer { address, transport: self.transport },
            idle: self.idle,
            stopped: self.stopped.clone(),
            _place: place,
        })
    }

    /// Comes when the server stops.
    async fn stop(&self) {
        stop(self.stopped.clone()).await;
    }
}

/// Who is at the other end of a connection, and what answers them.
struct Connection<R> {
    responder: Arc<R>,
    peer: Peer,
    idle: Duration,
    stopped: watch::Receiver<bool>,
    _place: Place,
}

impl<R: Respond> Connection<R> {
    /// The reply to `query`; nothing is silence.
    async fn ask(&self, query: &[u8], reply: &mut Vec<u8>) -> bool {
        requests::answer(&self.responder, query, self.peer, reply).await
    }

    /// What the client is waited for, if it comes in time.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        timeout(self.idle, work).await.ok()
    }

    /// The same for what the client does next: there is nothing next once the server stops.
    async fn next<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = self.in_time(work) => done,
            () = stop(self.stopped.clone()) => None,
        }
    }

    /// A connection in which the client has agreed on TLS.
    async fn encrypt(&self, tls: &TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let encrypted = self.next(tls.accept(stream)).await.and_then(Result::ok);
        if encrypted.is_none() {
            self.responder.dropped(Dropped::Handshake);
        }
        encrypted
    }
}

/// Comes when there is true in `stopped`; that its sender is gone means the same.
async fn stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// DNS over TCP.
async fn tcp<R: Respond>(listener: TcpListener, front: Arc<Front<R>>) {
    accept(listener, front, |stream, connection| framed::serve(stream, connection)).await;
}

/// DNS over TLS.
async fn tls<R: Respond>(listener: TcpListener, front: Arc<Front<R>>, tls: ServerConfig) {
    let tls = TlsAcceptor::from(Arc::new(tls));
    accept(listener, front, |stream, connection| {
        let tls = tls.clone();
        async move {
            if let Some(stream) = connection.encrypt(&tls, stream).await {
                framed::serve(stream, connection).await;
            }
        }
    })
    .await;
}

/// Lets connections in and has each served by a task of its own, until the server stops.
async fn accept<R: Respond, S: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    front: Arc<Front<R>>,
    serve: impl Fn(TcpStream, Connection<R>) -> S,
) {
    let mut serving = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = serving.join_next() => continue,
            () = front.stop() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(connection) = front.admit(peer.ip()) else { continue };
                // A reply must not wait for the next; a socket that cannot is slower, and no worse.
                let _: io::Result<()> = stream.set_nodelay(true);
                serving.spawn(serve(stream, connection));
            }
            Err(_) => {
                front.responder.dropped(Dropped::Unreceived);
                tokio::time::sleep(REST).await;
            }
        }
    }
    finish(serving).await;
}

/// Lets what is under way come to its end; what takes longer is broken off.
async fn finish(mut serving: JoinSet<()>) {
    let _ = timeout(GRACE, async { while serving.join_next().await.is_some() {} }).await;
}
