//! DNS over TCP (RFC 7766) by hickory-server: it frames, parses and times out, the answer is the same as by UDP.
//!
//! hickory-server sends messages, not bytes, so a reply is decoded and its parts are handed over as they are: the
//! question's bytes, the header, the records, EDNS; only the compression of names may differ. A query it cannot
//! parse it answers itself, with FORMERR.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hickory_net::runtime::Time;
use hickory_proto::op::{Header, HeaderCounts, Message, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use hickory_server::Server;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};
use tokio::sync::watch;
use tracing::warn;

use super::{Dropped, Peer, Respond, Transport, ask};

/// A connection that sends no complete query for this long is closed (RFC 7766, section 6.2.3).
const IDLE: Duration = Duration::from_secs(10);

/// Replies kept for a connection that does not read them; queries of one connection are answered in turn.
const UNREAD_REPLIES: usize = 32;

/// How long to wait before serving again what failed.
const REST: Duration = Duration::from_secs(1);

/// Serves `listener` until `stopped` is true. Should hickory-server give up, it is started again.
pub(super) async fn run<R: Respond>(
    listener: TcpListener,
    responder: Arc<R>,
    mut stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        if let Err(error) = serve(&listener, &responder, &mut stopped).await {
            warn!(%error, "DNS over TCP failed and is started again");
            let _ = tokio::time::timeout(REST, stopped.wait_for(|stopped| *stopped)).await;
        }
    }
}

async fn serve<R: Respond>(
    listener: &TcpListener,
    responder: &Arc<R>,
    stopped: &mut watch::Receiver<bool>,
) -> io::Result<()> {
    let mut server = Server::new(Handler(Arc::clone(responder)));
    let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
    server.register_listener(listener, IDLE, UNREAD_REPLIES);
    tokio::select! {
        ended = server.block_until_done() => return ended.map_err(io::Error::other),
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    server.shutdown_gracefully().await.map_err(io::Error::other)
}

struct Handler<R>(Arc<R>);

#[async_trait]
impl<R: Respond> RequestHandler for Handler<R> {
    async fn handle_request<H: ResponseHandler, T: Time>(&self, request: &Request, to: H) -> ResponseInfo {
        let peer = Peer { address: request.src().ip(), transport: Transport::Tcp };
        let mut reply = Vec::new();
        if !ask(&*self.0, request.as_slice(), &peer, &mut reply) {
            return no_reply(request);
        }
        let sent = match Reply::decode(&reply) {
            Some(reply) => reply.send(to).await,
            None => send_failure(request, to).await,
        };
        sent.unwrap_or_else(|| {
            self.0.dropped(Dropped::Unsent);
            no_reply(request)
        })
    }
}

/// A reply in the parts hickory-server sends.
struct Reply {
    message: Message,
    /// The question, byte for byte: upper and lower case are kept.
    question: Queries,
}

impl Reply {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut decoder = BinDecoder::new(bytes);
        let header = Header::read(&mut decoder).ok()?;
        let question = Queries::read(&mut decoder, header.counts.queries.into()).ok()?;
        let message = Message::from_vec(bytes).ok()?;
        Some(Self { message, question })
    }

    async fn send(&self, mut to: impl ResponseHandler) -> Option<ResponseInfo> {
        let message = &self.message;
        let response = MessageResponseBuilder::new(&self.question, message.edns.as_ref()).build(
            message.metadata,
            &message.answers,
            &message.authorities,
            [],
            &message.additionals,
        );
        to.send_response(response).await.ok()
    }
}

/// The asker of a connection that stays silent would wait; this tells it to ask another server.
async fn send_failure(request: &Request, mut to: impl ResponseHandler) -> Option<ResponseInfo> {
    let builder = MessageResponseBuilder::from_message_request(request);
    let response = builder.error_msg(&request.metadata, ResponseCode::ServFail);
    to.send_response(response).await.ok()
}

/// What the trait wants to know about a query that gets no reply; nobody reads it.
fn no_reply(request: &Request) -> ResponseInfo {
    ResponseInfo::from(Header { metadata: request.metadata, counts: HeaderCounts::default() })
}
