//! The UDP front: one thread per socket, which takes a batch of queries, has them answered and sends the replies.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use smallvec::SmallVec;

use super::{Dropped, Peer, Request, Respond, Transport};
use crate::sys::udp::{BATCH, Batch, Datagram, UdpSocket};

/// A longer query has nothing to say to a blocklist: a name has at most 255 octets, and what EDNS adds is small.
const LONGEST_QUERY: usize = 4096;

/// How long a thread waits for a query before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long a thread rests when the system cannot receive, so as not to spin.
const REST: Duration = Duration::from_millis(10);

/// A batch with fewer queries than this is worth a nap, if the thread may take one. Where more come together anyway, a nap would
/// only let them wait.
const FEW: usize = 8;

/// Starts the thread of one socket; it ends within [`PATIENCE`] of `stop`. After few queries it takes `nap`, if that is not zero.
pub(super) fn spawn<R: Respond>(
    number: usize,
    socket: UdpSocket,
    nap: Duration,
    responder: Arc<R>,
    stop: Arc<AtomicBool>,
) -> io::Result<thread::JoinHandle<()>> {
    socket.set_receive_timeout(PATIENCE)?;
    thread::Builder::new()
        .name(format!("dns-udp-{number}"))
        .spawn(move || run(&socket, nap, &*responder, &stop))
}

fn run<R: Respond>(socket: &UdpSocket, nap: Duration, responder: &R, stop: &AtomicBool) {
    let mut batch = Batch::new(LONGEST_QUERY);
    while !stop.load(Ordering::Relaxed) {
        match socket.receive(&mut batch) {
            Ok(()) => {
                exchange(socket, responder, &mut batch);
                if !nap.is_zero() && batch.filled_mut().len() < FEW {
                    thread::sleep(nap);
                }
            }
            Err(error) if is_no_error(&error) => {}
            Err(_) => {
                responder.dropped(Dropped::Unreceived);
                thread::sleep(REST);
            }
        }
    }
}

fn exchange<R: Respond>(socket: &UdpSocket, responder: &R, batch: &mut Batch) {
    answer(responder, batch);
    for _ in 0..socket.send(batch) {
        responder.dropped(Dropped::Unsent);
    }
}

fn answer<R: Respond>(responder: &R, batch: &mut Batch) {
    let mut requests = SmallVec::<[Request<'_>; BATCH]>::new();
    for datagram in batch.filled_mut() {
        match request(datagram) {
            Ok(request) => requests.push(request),
            Err(reason) => responder.dropped(reason),
        }
    }
    responder.respond_all(&mut requests);
}

fn request(datagram: &mut Datagram) -> Result<Request<'_>, Dropped> {
    if datagram.is_truncated() {
        return Err(Dropped::Oversized);
    }
    // Nobody can receive a reply on port 0: the sender is forged.
    let sender = datagram.peer().filter(|peer| peer.port() != 0);
    let peer = Peer { address: sender.ok_or(Dropped::PortZero)?.ip(), transport: Transport::Udp };
    let (query, reply) = datagram.query_and_reply();
    Ok(Request { query, peer, reply })
}

/// The wait was over, or a signal came.
fn is_no_error(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
