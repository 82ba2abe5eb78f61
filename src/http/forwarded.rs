//! Where a request comes from that proxies have handed on.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::ip::PrefixSet;

/// The name of the header in which proxies add whom they were asked by, each at its end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The first one on the way back from `peer` who is no proxy: what stands before may be made up.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &PrefixSet) -> IpAddr {
    let named = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let mut named: Vec<&str> = named.flat_map(|value| value.split(',')).collect();
    let mut client = peer.to_canonical();
    while proxies.contains(client) {
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
                headers.append(FORWARDED_FOR, value.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
