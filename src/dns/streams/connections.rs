//! How many connections there may be: of one kind in all, and of one client. Whoever comes beyond that is turned away,
//! so that no client can take the places of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The network that one customer usually has: who has one IPv6 address has 2^64 of them.
const IPV6_CLIENT: u32 = 64;

/// What connections may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at a time for each of TCP, DoT, DoH and DoQ.
    pub connections: usize,
    /// Of them, those of one client: an IPv4 address or an IPv6 network of 64 bits.
    pub connections_per_client: usize,
    /// How long a connection may do nothing, and how long a handshake, a query on its way or a reply that is not read
    /// may take (RFC 7766, section 6.2.3).
    pub idle_timeout: Duration,
}

/// Enough for the resolvers of many, at some ten kilobytes for each connection. Thirty-two addresses are needed to take
/// all places, and they have to come back every ten seconds.
impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1024, connections_per_client: 32, idle_timeout: Duration::from_secs(10) }
    }
}

/// The open connections of one kind.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
}

/// Never more entries than connections.
#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    client: IpAddr,
}

impl Connections {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self { limits: limits.clone(), open: Mutex::default() })
    }

    /// A place for a connection from `address`, if there is one.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let client = client(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = open.by_client.get(&client).copied().unwrap_or(0);
        if open.total >= self.limits.connections || of_client >= self.limits.connections_per_client {
            return None;
        }
        open.total += 1;
        open.by_client.insert(client, of_client + 1);
        Some(Place { connections: Arc::clone(self), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(of_client) = open.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                open.by_client.remove(&self.client);
            }
        }
    }
}

/// The address that stands for whoever is behind `address`.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (Ipv6Addr::BITS - IPV6_CLIENT))).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(connections: usize, connections_per_client: usize) -> Arc<Connections> {
        Connections::new(&Limits { connections, connections_per_client, ..Limits::default() })
    }

    fn admit(connections: &Arc<Connections>, address: &str) -> Option<Place> {
        connections.admit(address.parse().unwrap())
    }

    #[test]
    fn a_client_has_its_share_and_gets_it_back() {
        let connections = connections(10, 2);
        let first = admit(&connections, "192.0.2.1");
        let second = admit(&connections, "192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit(&connections, "192.0.2.1").is_none());
        let other = admit(&connections, "192.0.2.2");
        assert!(other.is_some());
        drop(first);
        assert!(admit(&connections, "192.0.2.1").is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let connections = connections(10, 1);
        let first = admit(&connections, "2001:db8::1");
        assert!(first.is_some());
        assert!(admit(&connections, "2001:db8::ffff:1").is_none());
        assert!(admit(&connections, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn there_is_an_end_for_all_together() {
        let connections = connections(2, 2);
        let places = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|address| admit(&connections, address));
        assert_eq!(places.each_ref().map(Option::is_some), [true, true, false]);
        drop(places);
        let open = connections.open.lock().unwrap();
        assert_eq!((open.total, open.by_client.len()), (0, 0));
    }
}
