//! The messages of streams, read and written by hickory-server: a query becomes its `Request`, is answered by the [`Respond`] that
//! answers UDP, and the reply goes back as its response, in which only the compression of names may differ. A query that it cannot
//! read goes to the [`Respond`] as it is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hickory_net::NetError;
use hickory_net::runtime::{Time, TokioTime};
use hickory_net::xfer::Protocol;
use hickory_proto::op::{Header, HeaderCounts, Message, ResponseCode};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncoder};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder, Queries};

use crate::dns::{Dropped, Peer, Respond, ask};

/// Puts the reply to `query` in the place of `reply` and says whether there is one.
pub(super) async fn answer<R: Respond>(
    responder: &Arc<R>,
    query: &[u8],
    peer: Peer,
    reply: &mut Vec<u8>,
) -> bool {
    // The port of the client is of no interest, and a stream is a stream.
    let client = SocketAddr::new(peer.address, 0);
    let Ok(request) = Request::from_bytes(query.to_vec(), client, Protocol::Tcp) else {
        return ask(&**responder, query, &peer, reply);
    };
    let written = Written::default();
    let handler = Handler { responder: Arc::clone(responder), peer };
    handler.handle_request::<_, TokioTime>(&request, written.clone()).await;
    *reply = written.take();
    !reply.is_empty()
}

struct Handler<R> {
    responder: Arc<R>,
    peer: Peer,
}

#[async_trait]
impl<R: Respond> RequestHandler for Handler<R> {
    async fn handle_request<H: ResponseHandler, T: Time>(&self, request: &Request, to: H) -> ResponseInfo {
        let mut reply = Vec::new();
        if !ask(&*self.responder, request.as_slice(), &self.peer, &mut reply) {
            return no_reply(request);
        }
        let sent = match Reply::decode(&reply) {
            Some(reply) => reply.send(to).await,
            None => send_failure(request, to).await,
        };
        sent.unwrap_or_else(|| {
            self.responder.dropped(Dropped::Unsent);
            no_reply(request)
        })
    }
}

/// A reply in the parts hickory-server writes.
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

/// Where a response is written to.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ResponseHandler for Written {
    async fn send_response<'a>(
        &mut self,
        response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, NetError> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.clear();
        Ok(response.destructive_emit(&mut BinEncoder::new(&mut written))?)
    }
}
