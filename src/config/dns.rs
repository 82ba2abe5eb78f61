//! `[dns]` as typed becomes the settings of the servers, and the files of their certificate.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;

use super::error::{At, Error, Report};
use super::file;
use super::load::resolve_absolute;
use crate::dns::{Certificate, CertificateFile, Limits, QueryLogSettings, Seeing, Settings, Tls};

const PORT: u16 = 53;

/// What everybody's examples have, for want of a standard.
const DOH_PATH: &str = "/dns-query";

/// Where the certificate of the encrypted transports is, and where that is written.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    certificate: At<PathBuf>,
    key: At<PathBuf>,
}

impl CertificateFiles {
    /// Reads both files, as the user that the process is. Blocks.
    pub fn read(&self) -> Result<Certificate, Error> {
        Certificate::read(&self.certificate.value, &self.key.value).map_err(|error| {
            let (key, at) = match error.file {
                CertificateFile::Certificate => ("certificate", &self.certificate),
                CertificateFile::Key => ("key", &self.key),
            };
            Error { place: at.place.clone(), message: format!("dns.tls.{key}: {error}") }
        })
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> &Path {
        &self.certificate.value
    }
}

/// The files that `[dns.tls]` names.
pub(super) fn certificate_files(written: &file::Dns) -> Option<CertificateFiles> {
    let tls = written.tls.as_ref()?;
    let path = |written: &At<String>| At {
        value: resolve_absolute(&written.place.file, &written.value),
        place: written.place.clone(),
    };
    Some(CertificateFiles { certificate: path(tls.certificate.as_ref()?), key: path(tls.key.as_ref()?) })
}

pub(super) fn settings(written: &file::Dns, report: &Report) -> Settings {
    check_addresses(written, report);
    let defaults = Limits::default();
    Settings {
        listen: written.listen.as_deref().map_or_else(everywhere, addresses),
        threads: written.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        tls: written.tls.as_ref().map_or_else(Tls::default, tls),
        limits: Limits {
            connections: written.connections.unwrap_or(defaults.connections),
            connections_per_client: written.connections_per_client.unwrap_or(defaults.connections_per_client),
            idle_timeout: written.idle_timeout.unwrap_or(defaults.idle_timeout),
        },
    }
}

pub(super) fn seeing(file: &Path, written: &file::Dns) -> Seeing {
    let query_log = written.query_log.as_ref().map(|log| QueryLogSettings {
        path: Some(resolve_absolute(file, &log.path)),
        sample: log.sample.unwrap_or(1),
        is_flushed: false,
    });
    Seeing { count_addresses: written.count_addresses.unwrap_or(true), query_log }
}

fn everywhere() -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))]
}

fn addresses(written: &[At<SocketAddr>]) -> Vec<SocketAddr> {
    written.iter().map(|address| address.value).collect()
}

fn tls(written: &file::Tls) -> Tls {
    Tls {
        dot: addresses(&written.dot),
        doh: addresses(&written.doh),
        doh_path: written.doh_path.clone().unwrap_or_else(|| DOH_PATH.to_owned()),
        doq: addresses(&written.doq),
    }
}

/// Checks that each address serves one thing over TCP and one over UDP.
fn check_addresses(written: &file::Dns, report: &Report) {
    let listen = written.listen.as_deref().unwrap_or_default();
    let (dot, doh, doq) =
        written.tls.as_ref().map_or_else(Default::default, |tls| (&*tls.dot, &*tls.doh, &*tls.doq));
    check_once(&[("listen", listen), ("tls.dot", dot), ("tls.doh", doh)], report);
    check_once(&[("listen", listen), ("tls.doq", doq)], report);
}

fn check_once(lists: &[(&str, &[At<SocketAddr>])], report: &Report) {
    let named = lists.iter().flat_map(|(key, list)| list.iter().map(move |address| (*key, address)));
    let mut first = BTreeMap::new();
    for (key, At { value, place }) in named.filter(|(_, address)| address.value.port() != 0) {
        let taken_by = *first.entry(value).or_insert((key, place));
        if taken_by != (key, place) {
            let message = format!("dns.{key}: {value} is taken by dns.{}: choose another port", taken_by.0);
            report.add(place, message);
        }
    }
}
