//! Whether a server answers, asked from outside as everybody asks: for the watchdog and the health page.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// A server that is alive answers within this, however busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// A query for the SOA of the root (RFC 1035, section 4.1), which every server can answer, if only with REFUSED.
const QUERY: [u8; 17] = [0xba, 0x12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];

/// Asks the server on `address` over UDP; one that listens on all addresses is asked on the loopback address.
///
/// Fails with [`io::ErrorKind::WouldBlock`] if nothing that fits comes back within two seconds.
pub fn probe(address: SocketAddr) -> io::Result<()> {
    let address = reachable(address);
    let local = SocketAddr::new(address.ip(), 0);
    let socket = UdpSocket::bind(local)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(&QUERY)?;
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply)?;
    let is_reply = reply[..length].starts_with(&QUERY[..2]) && reply[2] & 0x80 != 0;
    if is_reply { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}
