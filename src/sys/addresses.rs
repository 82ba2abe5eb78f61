//! The addresses of this machine's own interfaces, which are never listed.

use std::io;
use std::net::{IpAddr, SocketAddrV4, SocketAddrV6};

use nix::ifaddrs::getifaddrs;

/// Every address of every interface, each once, in order. They change while a machine runs: ask again on reload.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let storages = getifaddrs()?.filter_map(|interface| interface.address);
    let mut addresses: Vec<IpAddr> = storages
        .filter_map(|storage| {
            let v4 = storage.as_sockaddr_in().map(|v4| (*SocketAddrV4::from(*v4).ip()).into());
            v4.or_else(|| storage.as_sockaddr_in6().map(|v6| (*SocketAddrV6::from(*v6).ip()).into()))
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_loopback_address_is_there_once() {
        let addresses = own_addresses().unwrap();
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(addresses.iter().filter(|address| **address == loopback).count(), 1);
    }
}
