//! Names and addresses of hosts, asked of the system's resolver and remembered for a while, also where there are none.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Mutex;
use std::time::Duration;

use super::super::steering::lock;
use super::cache::Cache;
use crate::clock::Clock;
use crate::ip::Prefix;
use crate::sys::names;

/// So many names, and as many addresses, are remembered.
const REMEMBERED: usize = 1000;

/// For so long, whatever their time to live: as fail2ban does.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// No name is longer (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// Whom to ask about hosts. It may take as long as it likes.
pub(in super::super) trait Resolve: Send + Sync + 'static {
    /// The addresses of a host.
    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
    /// The name of a host.
    fn name(&self, address: IpAddr) -> Option<String>;
}

/// The resolver of this machine.
pub(in super::super) struct System;

impl Resolve for System {
    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }

    fn name(&self, address: IpAddr) -> Option<String> {
        names::host_name(address)
    }
}

/// What is known of hosts.
pub(super) struct Hosts {
    resolver: Box<dyn Resolve>,
    clock: Clock,
    addresses: Mutex<Cache<String, Vec<Prefix>>>,
    names: Mutex<Cache<IpAddr, Option<String>>>,
}

/// An answer about a name.
pub(super) struct Known {
    pub(super) addresses: Vec<Prefix>,
    /// Whether it was asked for just now.
    pub(super) is_new: bool,
}

impl Hosts {
    pub(super) fn new(resolver: Box<dyn Resolve>, clock: Clock) -> Self {
        Self {
            resolver,
            clock,
            addresses: Mutex::new(Cache::new(REMEMBERED, GOOD_FOR)),
            names: Mutex::new(Cache::new(REMEMBERED, GOOD_FOR)),
        }
    }

    /// The addresses of a host, as remembered; none if there is no such host.
    pub(super) fn addresses(&self, name: &str) -> Known {
        let name = name.to_ascii_lowercase();
        if let Some(addresses) = lock(&self.addresses).get(&name, self.clock.now()) {
            return Known { addresses, is_new: false };
        }
        // No lock is held while the resolver takes its time.
        let addresses = self.look_up(&name).unwrap_or_default();
        lock(&self.addresses).set(name, addresses.clone(), self.clock.now());
        Known { addresses, is_new: true }
    }

    /// Asks for the addresses of a host, each once.
    pub(super) fn look_up(&self, name: &str) -> io::Result<Vec<Prefix>> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(io::Error::other("this is no name of a host"));
        }
        let mut addresses: Vec<Prefix> =
            self.resolver.addresses(name)?.into_iter().map(Prefix::host).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    /// The name of a host, as remembered.
    pub(super) fn name(&self, address: IpAddr) -> Option<String> {
        if let Some(name) = lock(&self.names).get(&address, self.clock.now()) {
            return name;
        }
        let name = self.resolver.name(address);
        lock(&self.names).set(address, name.clone(), self.clock.now());
        name
    }
}
