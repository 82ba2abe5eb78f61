//! Messages with their length before them (RFC 1035, section 4.2.2), over TCP or TLS. The queries of a connection are
//! answered in their order, however many the client sends before it reads (RFC 7766, section 6.2.1.1), also after it
//! has closed its own direction.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::{Connection, FAREWELL, LONGEST_QUERY};
use crate::dns::{Dropped, Respond};

/// What is read from a connection at a time: a good number of queries.
const READ_AHEAD: usize = 2048;

/// Octets of the length before a message.
const PREFIX: usize = 2;

/// Answers what comes over `stream` until the client has no more to ask or takes its time.
pub(super) async fn serve<R: Respond>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: Connection<R>,
) {
    let mut stream = BufReader::with_capacity(READ_AHEAD, stream);
    let (mut query, mut reply, mut framed) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(Ok(received)) = connection.next(receive(&mut stream, &mut query)).await {
        if !received {
            connection.responder.dropped(Dropped::Oversized);
            break;
        }
        if !connection.ask(&query, &mut reply).await {
            continue;
        }
        let sent = match frame(&reply, &mut framed) {
            true => connection.in_time(send(&mut stream, &framed)).await,
            false => None,
        };
        if !matches!(sent, Some(Ok(()))) {
            connection.responder.dropped(Dropped::Unsent);
            break;
        }
    }
    let _ = timeout(FAREWELL, stream.shutdown()).await;
}

/// Reads the next query; false if it is too long. At the end of the stream it fails.
async fn receive(stream: &mut (impl AsyncRead + Unpin), query: &mut Vec<u8>) -> io::Result<bool> {
    let length = usize::from(stream.read_u16().await?);
    if length > LONGEST_QUERY {
        return Ok(false);
    }
    query.resize(length, 0);
    stream.read_exact(query).await?;
    Ok(true)
}

/// Puts the length before `message`; false if it is none that fits.
pub(super) fn frame(message: &[u8], framed: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(message.len()) else { return false };
    framed.clear();
    framed.reserve(PREFIX + message.len());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    true
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), framed: &[u8]) -> io::Result<()> {
    // In one piece, as both in one segment is what some clients need (RFC 7766, section 8).
    stream.write_all(framed).await?;
    stream.flush().await
}
