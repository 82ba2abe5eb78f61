//! `[dns]`: what is typed there, and the settings of the servers and the files of their certificate that it becomes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::admission::Guard;
use super::certificate;
use super::document::{Raw, Section, Value};
use super::error::{At, Place, Report};
use super::file::{keys, narrow};
use super::load::resolve_absolute;
use crate::dns::{Limits, QueryLogSettings, Seeing, Settings, Tls};

const PORT: u16 = 53;

/// What is open already when the program starts.
const STANDARD_OUTPUT: &str = "/dev/stdout";

/// What everybody's examples have, for want of a standard.
const DOH_PATH: &str = "/dns-query";

/// `[dns]`
pub(super) struct Dns {
    pub listen: Option<Vec<At<SocketAddr>>>,
    pub threads: Option<usize>,
    pub nap_microseconds: Option<u64>,
    pub count_addresses: Option<bool>,
    pub query_log: Option<QueryLog>,
    pub guard: Guard,
    pub connections: Option<usize>,
    pub connections_per_client: Option<usize>,
    pub idle_timeout: Option<Duration>,
    pub tls: Option<TypedTls>,
}

impl Dns {
    pub(super) fn read(section: &Section<'_>) -> Self {
        /// More threads than any machine has cores are a slip of the finger.
        const MOST_THREADS: u64 = 1024;
        /// No system has more ports for one client.
        const MOST_CONNECTIONS: u64 = 65_535;
        /// Whoever asks waits for it, and mail with them.
        const LONGEST_NAP: u64 = 5_000;
        Self {
            listen: section.some("listen", "[\"0.0.0.0:53\", \"[::]:53\"]"),
            threads: narrow(section.number("threads", 1, MOST_THREADS)),
            nap_microseconds: section.number("nap_microseconds", 0, LONGEST_NAP),
            count_addresses: section.get("count_addresses"),
            query_log: section.get("query_log"),
            guard: Guard::read(section),
            connections: narrow(section.number("connections", 1, MOST_CONNECTIONS)),
            connections_per_client: narrow(section.number("connections_per_client", 1, MOST_CONNECTIONS)),
            idle_timeout: section.get("idle_timeout").and_then(|time| patience(section, time)),
            tls: section.raw("tls").and_then(|raw| raw.section(keys::TLS)).map(|tls| TypedTls::read(&tls)),
        }
    }
}

/// `[dns.query_log]`
pub(super) struct QueryLog {
    pub path: At<PathBuf>,
    pub sample: Option<u64>,
}

impl Value for QueryLog {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let section = raw.section(keys::QUERY_LOG)?;
        let sample = section.number("sample", 1, u32::MAX.into());
        Some(Self { path: section.require("path", "\"/var/log/banzone/queries.log\"")?, sample })
    }
}

/// Less cuts off clients that are far away, and more keeps places for those that are gone.
fn patience(section: &Section<'_>, time: Duration) -> Option<Duration> {
    let sensible = Duration::from_secs(1)..=Duration::from_secs(600);
    if sensible.contains(&time) {
        return Some(time);
    }
    section.raw("idle_timeout")?.error("write a duration from \"1s\" to \"10m\"")
}

/// `[dns.tls]`
pub(super) struct TypedTls {
    pub certificate: certificate::Written,
    pub dot: Vec<At<SocketAddr>>,
    pub doh: Vec<At<SocketAddr>>,
    pub doh_path: Option<String>,
    pub doq: Vec<At<SocketAddr>>,
}

impl TypedTls {
    fn read(section: &Section<'_>) -> Self {
        let tls = Self {
            certificate: certificate::Written::read("dns.tls", section),
            dot: section.get("dot").unwrap_or_default(),
            doh: section.get("doh").unwrap_or_default(),
            doh_path: section.get("doh_path").and_then(|path| url_path(section, path)),
            doq: section.get("doq").unwrap_or_default(),
        };
        let listens = [&tls.dot, &tls.doh, &tls.doq].into_iter().any(|addresses| !addresses.is_empty());
        if section.is_right() && !tls.certificate.is_some() {
            section.error(
                "there is no certificate: write certificate = \"/etc/banzone/fullchain.pem\" and \
                 key = \"/etc/banzone/privkey.pem\", or acme = true",
            );
        }
        if section.is_right() && !listens {
            section.error(
                "nothing is served: write an address such as dot = \"0.0.0.0:853\", or for doh or doq",
            );
        }
        tls
    }
}

/// The path of a URL as requests have it (RFC 3986, section 3.3).
fn url_path(section: &Section<'_>, path: String) -> Option<String> {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&octet);
    if path.starts_with('/') && path.bytes().all(is_plain) {
        return Some(path);
    }
    section
        .raw("doh_path")?
        .error(format!("`{path}` is not the path of a URL: write one such as \"/dns-query\""))
}

/// The settings of the servers, as `file` has them, none of whose addresses is that of HTTP.
pub(super) fn settings(file: &Path, written: &Dns, web: [Named<'_>; 2], report: &Report) -> Settings {
    let (key, listen) = match &written.listen {
        Some(listen) => ("dns.listen", listen.clone()),
        None => ("the default of dns.listen", everywhere(file)),
    };
    check_addresses((key, &listen), written.tls.as_ref(), web, report);
    let defaults = Limits::default();
    Settings {
        listen: addresses(&listen),
        threads: written.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        nap: written.nap_microseconds.map_or(Duration::ZERO, Duration::from_micros),
        tls: written.tls.as_ref().map_or_else(Tls::default, tls),
        limits: Limits {
            connections: written.connections.unwrap_or(defaults.connections),
            connections_per_client: written.connections_per_client.unwrap_or(defaults.connections_per_client),
            idle_timeout: written.idle_timeout.unwrap_or(defaults.idle_timeout),
        },
    }
}

pub(super) fn seeing(file: &Path, written: &Dns) -> Seeing {
    let query_log = written.query_log.as_ref().map(|log| QueryLogSettings {
        // Opening it would fail where it is a pipe or a socket, as it is in a container and under systemd.
        path: Some(resolve_absolute(file, &log.path.value)).filter(|path| path != Path::new(STANDARD_OUTPUT)),
        sample: log.sample.unwrap_or(1),
        is_flushed: false,
    });
    Seeing { count_addresses: written.count_addresses.unwrap_or(true), query_log }
}

fn everywhere(file: &Path) -> Vec<At<SocketAddr>> {
    let unspecified: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let every = |address| At { value: SocketAddr::new(address, PORT), place: Place::file(file) };
    unspecified.map(every).into()
}

fn addresses(written: &[At<SocketAddr>]) -> Vec<SocketAddr> {
    written.iter().map(|address| address.value).collect()
}

fn tls(written: &TypedTls) -> Tls {
    Tls {
        dot: addresses(&written.dot),
        doh: addresses(&written.doh),
        doh_path: written.doh_path.clone().unwrap_or_else(|| DOH_PATH.to_owned()),
        doq: addresses(&written.doq),
    }
}

/// Addresses, and the key under which they stand.
pub(super) type Named<'a> = (&'a str, &'a [At<SocketAddr>]);

/// Checks that each address serves one thing over TCP and one over UDP.
fn check_addresses(
    listen: Named<'_>,
    tls: Option<&TypedTls>,
    [http, public]: [Named<'_>; 2],
    report: &Report,
) {
    let (dot, doh, doq) = tls.map_or_else(Default::default, |tls| (&*tls.dot, &*tls.doh, &*tls.doq));
    check_once(&[listen, ("dns.tls.dot", dot), ("dns.tls.doh", doh), http, public], report);
    check_once(&[listen, ("dns.tls.doq", doq)], report);
}

fn check_once(lists: &[Named<'_>], report: &Report) {
    let named = lists.iter().flat_map(|(key, list)| list.iter().map(move |address| (*key, address)));
    let mut by_port: BTreeMap<u16, Vec<(&str, &At<SocketAddr>)>> = BTreeMap::new();
    for (key, address) in named.filter(|(_, address)| address.value.port() != 0) {
        let known = by_port.entry(address.value.port()).or_default();
        match known.iter().find(|(_, other)| overlap(address.value.ip(), other.value.ip())) {
            None => known.push((key, address)),
            Some((taken_by, other)) => {
                report.add(&address.place, taken(key, address.value, taken_by, other.value));
            }
        }
    }
}

/// Whether no two sockets can have both with one port: the address for all takes in every other of its family.
fn overlap(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified())
}

fn taken(key: &str, address: SocketAddr, by: &str, other: SocketAddr) -> String {
    if address == other {
        return format!("{key}: {address} is taken by {by}: choose another port");
    }
    format!("{key}: {address} is taken by {other} of {by}: choose another port, or leave out one of the two")
}
