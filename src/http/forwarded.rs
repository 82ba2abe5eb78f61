//! Where a request comes from that proxies have handed on.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::ip::PrefixSet;

/// The name of the header in which proxies add whom they were asked by, each at its end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A proxy that we believe says for whom it asks, and it is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy says in `X-Forwarded-For` for whom this is, and it is no address: mend its configuration")]
pub(super) struct Unreadable;

/// The first one on the way back from `peer` who is no proxy: what stands before may be made up.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &PrefixSet) -> Result<IpAddr, Unreadable> {
    let named = headers.get_all(FORWARDED_FOR).iter();
    // The client writes what it likes before what the proxy adds, also what is no text.
    let mut named: Vec<&[u8]> =
        named.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    let mut client = peer.to_canonical();
    while proxies.contains(client) {
        match named.pop() {
            Some(name) => client = read(name).ok_or(Unreadable)?.to_canonical(),
            None => break,
        }
    }
    Ok(client)
}

/// Some proxies add the port.
fn read(name: &[u8]) -> Option<IpAddr> {
    let name = std::str::from_utf8(name).ok()?.trim();
    let bracketed = || name.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || name.parse::<SocketAddr>().ok().map(|address| address.ip());
    name.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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
            ("192.0.2.1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("192.0.2.1", &["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
            ("192.0.2.1", &["[2001:db8:2::1]"], "2001:db8:2::1"),
            ("192.0.2.1", &["nonsense, 203.0.113.1"], "203.0.113.1"),
            ("192.0.2.1", &["203.0.113.1, nonsense"], "-"),
            ("192.0.2.1", &["unknown"], "-"),
            ("192.0.2.1", &["\u{ff}, 203.0.113.1"], "203.0.113.1"),
            ("192.0.2.1", &["203.0.113.9", "\u{ff}"], "-"),
            ("192.0.2.1", &[""], "-"),
            ("192.0.2.1", &[], "192.0.2.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found.ok(), expected.parse::<IpAddr>().ok(), "{peer} {forwarded:?}");
        }
    }
}
