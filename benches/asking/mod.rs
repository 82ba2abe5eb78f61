//! What the benchmarks of DNS servers share: questions, and what an answer says.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use banzone::ip::write_reversed;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The first lines of a data file of rbldnsd's.
pub const HEADER: &str =
    "$SOA 0 ns.example. host.example. 1 1h 1h 2d 1h\n$NS 1d ns.example.\n:127.0.0.2:Listed: $\n";

/// A question for the type `kind` of `host` in the zone `bl.example`; the identification, in the first two bytes, is 0.
pub fn message(host: Ipv4Addr, kind: u8) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in write_reversed(host.into()).split('.').chain(["bl", "example"]) {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, kind, 0, 1]);
    message
}

/// Whether an answer lists what was asked for.
pub fn lists(answer: &[u8]) -> bool {
    answer[3] & 0xf == 0 && answer[7] > 0
}

/// An address that nobody used a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}
