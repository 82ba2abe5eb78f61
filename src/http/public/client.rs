//! Who asks: the other end of the connection, or whom a proxy that is trusted names.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::Public;
use crate::ip::PrefixSet;

/// The name of the header in which proxies add whom they were asked by, each at its end.
const FORWARDED: &str = "x-forwarded-for";

/// More proxies in a row than this are nobody's.
const MOST_PROXIES: usize = 16;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The address of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client(pub(super) IpAddr);

impl FromRequestParts<Public> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, public: &Public) -> Result<Self, Self::Rejection> {
        let Peer(peer) = parts.extensions.get().expect("every connection says where it comes from");
        Ok(Self(client(*peer, &parts.headers, &public.0.public().proxies)))
    }
}

/// The first one on the way back from `peer` who is no proxy: what stands before may be made up.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &PrefixSet) -> IpAddr {
    let named = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok());
    let mut named: Vec<&str> = named.flat_map(|value| value.split(',')).collect();
    let mut client = peer.to_canonical();
    for _ in 0..MOST_PROXIES {
        if !proxies.contains(client) {
            break;
        }
        match named.pop().map(|name| name.trim().parse::<IpAddr>()) {
            Some(Ok(before)) => client = before.to_canonical(),
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxies_are_believed() {
        let proxies: PrefixSet =
            ["192.0.2.0/24", "2001:db8:1::/48"].iter().map(|prefix| prefix.parse().unwrap()).collect();
        for (peer, forwarded, expected) in [
            ("198.51.100.1", &[][..], "198.51.100.1"),
            ("198.51.100.1", &["203.0.113.1"], "198.51.100.1"),
            ("192.0.2.1", &["203.0.113.1"], "203.0.113.1"),
            ("::ffff:192.0.2.1", &["203.0.113.1"], "203.0.113.1"),
            ("192.0.2.1", &["203.0.113.9, 203.0.113.1"], "203.0.113.1"),
            ("192.0.2.1", &["203.0.113.9", "203.0.113.1 , 192.0.2.7"], "203.0.113.1"),
            ("2001:db8:1::1", &["2001:db8:2::1"], "2001:db8:2::1"),
            ("192.0.2.1", &["203.0.113.1, nonsense"], "192.0.2.1"),
            ("192.0.2.1", &[], "192.0.2.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED, value.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
