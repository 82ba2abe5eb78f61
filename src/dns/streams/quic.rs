//! DNS over QUIC (RFC 9250): each query has a stream of its own, which the reply ends.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsCode;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, RecvStream, SendStream, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{CONCURRENT_QUERIES, Connection, Front, GRACE, LONGEST_QUERY, finish, framed};
use crate::dns::{Dropped, Respond};

/// Error codes of RFC 9250, section 4.3.
const NO_ERROR: VarInt = VarInt::from_u32(0);
const INTERNAL_ERROR: VarInt = VarInt::from_u32(1);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);

/// Octets before a query in its stream.
const PREFIX: usize = 2;

/// What a client may send before it is read: a few of the longest queries.
const RECEIVE_WINDOW: u32 = 32 * 1024;

/// What may be on its way to a client.
const SEND_WINDOW: u64 = 256 * 1024;

/// Handshakes that wait until they are looked at, which takes no more than a task, and what they may take in all.
const WAITING: usize = 1024;
const WAITING_OCTETS: u64 = 4 << 20;

/// An endpoint that is heard on.
pub(super) struct Quic(Endpoint);

impl Quic {
    /// Hears on `socket`. Needs the context of a runtime.
    pub(super) fn new(socket: UdpSocket, tls: rustls::ServerConfig, idle: Duration) -> io::Result<Self> {
        let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config
            .transport_config(Arc::new(transport(idle)))
            // The limit for a client holds for the address it came from.
            .migration(false)
            .max_incoming(WAITING)
            .incoming_buffer_size_total(WAITING_OCTETS);
        Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime)).map(Self)
    }

    /// Answers what comes, until the server stops.
    pub(super) async fn serve<R: Respond>(self, front: Arc<Front<R>>) {
        let mut serving = JoinSet::new();
        loop {
            let incoming = tokio::select! {
                incoming = self.0.accept() => incoming,
                Some(_) = serving.join_next() => continue,
                () = front.stop() => break,
            };
            let Some(incoming) = incoming else { break };
            if let Some((incoming, connection)) = admit(&front, incoming) {
                serving.spawn(serve_connection(incoming, connection));
            }
        }
        finish(serving).await;
        self.0.close(NO_ERROR, b"");
        let _ = timeout(GRACE, self.0.wait_idle()).await;
    }
}

fn transport(idle: Duration) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IdleTimeout::try_from(idle).ok())
        .max_concurrent_bidi_streams(CONCURRENT_QUERIES.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(RECEIVE_WINDOW.into())
        .receive_window(RECEIVE_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None);
    transport
}

/// A client first shows that it receives at its address (RFC 9000, section 8.1.2), so that nobody takes the places of
/// another, and then has a place if there is one.
fn admit<R: Respond>(front: &Front<R>, incoming: Incoming) -> Option<(Incoming, Connection<R>)> {
    if !incoming.remote_address_validated() {
        let _ = incoming.retry();
        return None;
    }
    match front.admit(incoming.remote_address().ip()) {
        Some(connection) => Some((incoming, connection)),
        None => {
            incoming.refuse();
            None
        }
    }
}

async fn serve_connection<R: Respond>(incoming: Incoming, connection: Connection<R>) {
    let connection = Arc::new(connection);
    let agreed = connection.next(incoming.into_future()).await;
    let Some(Ok(quic)) = agreed else {
        return connection.responder.dropped(Dropped::Handshake);
    };
    let mut answering = JoinSet::new();
    while let Some(Ok((mut sending, receiving))) = connection.next(quic.accept_bi()).await {
        let (quic, connection) = (quic.clone(), Arc::clone(&connection));
        answering.spawn(async move {
            // A stream that is dropped ends as if all had been said: what fails is broken off before.
            match connection.in_time(answer(&mut sending, receiving, &connection)).await {
                Some(Ok(())) => {}
                Some(Err(Misuse)) => quic.close(PROTOCOL_ERROR, b""),
                None => drop(sending.reset(INTERNAL_ERROR)),
            }
        });
        while answering.try_join_next().is_some() {}
    }
    finish(answering).await;
    quic.close(NO_ERROR, b"");
}

/// What no client that knows the protocol does (RFC 9250, section 4.3.3).
#[derive(Debug, PartialEq, Eq)]
struct Misuse;

/// Answers the query of one stream, and waits until the reply has arrived.
async fn answer<R: Respond>(
    sending: &mut SendStream,
    mut receiving: RecvStream,
    connection: &Connection<R>,
) -> Result<(), Misuse> {
    // What is too long or broken off is an error either way.
    let received = receiving.read_to_end(PREFIX + LONGEST_QUERY).await.map_err(|_| Misuse)?;
    let query = unframed(&received).filter(|query| !keeps_alive(query)).ok_or(Misuse)?;
    let (mut reply, mut framed) = (Vec::new(), Vec::new());
    if !connection.ask(query, &mut reply).await || !framed::frame(&reply, &mut framed) {
        let _ = sending.reset(INTERNAL_ERROR);
        return Ok(());
    }
    if sending.write_all(&framed).await.is_err() || sending.finish().is_err() {
        connection.responder.dropped(Dropped::Unsent);
    }
    // A client that has read the reply may be gone before it says so.
    let _ = sending.stopped().await;
    Ok(())
}

/// Whether a query wants the connection kept by edns-tcp-keepalive, which is for TCP alone (RFC 9250, section 5.5.2).
fn keeps_alive(query: &[u8]) -> bool {
    let edns = Message::from_vec(query).ok().and_then(|query| query.edns);
    edns.is_some_and(|edns| edns.option(EdnsCode::Keepalive).is_some())
}

/// The one message of a stream. Its ID is 0, as the stream tells queries apart (RFC 9250, section 4.2.1).
fn unframed(stream: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = stream.split_first_chunk::<PREFIX>()?;
    let is_whole = usize::from(u16::from_be_bytes(*prefix)) == message.len();
    (is_whole && message.starts_with(&[0, 0])).then_some(message)
}
