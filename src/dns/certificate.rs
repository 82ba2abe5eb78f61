//! The certificate of the encrypted transports, and its key: two PEM files come in, what TLS shows its clients goes out.
//! The one in service can be replaced while connections are open; those keep the one they began with.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use x509_cert::der::Decode;

use crate::clock::Timestamp;

/// A chain of a few certificates takes some kilobytes; this bounds what reading a wrong path costs.
const LARGEST: u64 = 1 << 20;

/// A certificate with those that vouch for it, and the key that belongs to it.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    from: Timestamp,
    until: Timestamp,
}

/// Which of the two files is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFile {
    /// That of the certificate.
    Certificate,
    /// That of the key.
    Key,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CertificateError {
    /// The file to mend.
    pub file: CertificateFile,
    /// What is wrong with it, by its name, and the remedy.
    pub message: String,
}

impl Certificate {
    /// Reads the PEM files `certificate` and `key`, and checks that they belong together. Blocks.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let chain = read_chain(certificate).map_err(wrong(CertificateFile::Certificate))?;
        let (from, until) = read_times(certificate, &chain).map_err(wrong(CertificateFile::Certificate))?;
        let private = read_key(key).map_err(wrong(CertificateFile::Key))?;
        let certified = CertifiedKey::from_der(chain, private, &provider())
            .map_err(|error| wrong(CertificateFile::Key)(unusable(certificate, key, &error)))?;
        Ok(Self { key: Arc::new(certified), from, until })
    }

    /// The end of its validity.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// When it is time for the next one: when a third of its time is left.
    pub fn renewal(&self) -> Timestamp {
        self.from + self.until.since(self.from) * 2 / 3
    }

    /// Why clients refuse it at `now`, as what is said of the certificate, and the remedy.
    pub fn problem(&self, now: Timestamp) -> Option<String> {
        let Self { from, until, .. } = self;
        if now < *from {
            return Some(format!("is not valid before {from}: look at the clock, or wait until then"));
        }
        (*until <= now).then(|| format!("has ended on {until}: renew it"))
    }

    /// Whether `other` is the same certificate.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

/// The certificate in service; there may be none yet, and then no client is let in.
#[derive(Debug, Default)]
pub struct Certificates(ArcSwapOption<Certificate>);

impl Certificates {
    /// The one in service.
    pub fn get(&self) -> Option<Arc<Certificate>> {
        self.0.load_full()
    }

    /// Shows `certificate` to every client that connects from now on.
    pub fn replace(&self, certificate: Certificate) {
        self.0.store(Some(Arc::new(certificate)));
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|certificate| Arc::clone(&certificate.key))
    }
}

/// TLS 1.2 and 1.3 with what is in `certificates`, for clients that mean `protocol` (ALPN, RFC 7301).
pub fn tls(certificates: &Arc<Certificates>, protocol: &[u8]) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(certificates) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

/// The ciphers of all encryption here.
pub(super) fn provider() -> CryptoProvider {
    ring::default_provider()
}

fn wrong(file: CertificateFile) -> impl Fn(String) -> CertificateError {
    move |message| CertificateError { file, message }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_slice_iter(&read_bounded(path)?).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(format!(
            "`{}` holds no certificate: write the path of a PEM file with the certificate first and those that vouch \
             for it behind, such as Let's Encrypt's fullchain.pem",
            path.display()
        )),
    }
}

/// From when until when the certificate holds.
fn read_times(path: &Path, chain: &[CertificateDer<'static>]) -> Result<(Timestamp, Timestamp), String> {
    let parsed = x509_cert::Certificate::from_der(&chain[0]).map_err(|error| {
        format!("`{}` holds no X.509 certificate: {error}; have it issued again", path.display())
    })?;
    let time =
        |since_1970: Duration| Timestamp::from_secs(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX));
    let validity = parsed.tbs_certificate().validity();
    Ok((time(validity.not_before.to_unix_duration()), time(validity.not_after.to_unix_duration())))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read_bounded(path)?).map_err(|_| {
        format!(
            "`{}` holds no private key: write the path of a PEM file with the key of the certificate, without a password",
            path.display()
        )
    })
}

fn unusable(certificate: &Path, key: &Path, error: &rustls::Error) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
            "the key `{key}` does not belong to the certificate `{certificate}`: name the two files that were issued together"
        ),
        _ => format!(
            "`{certificate}` with the key `{key}` does not do for TLS: {error}; use a key of RSA, ECDSA (P-256, P-384) or Ed25519"
        ),
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        Ok(bytes)
    };
    read().map_err(|error| format!("cannot read `{}`: {error}; {}", path.display(), remedy(path, &error)))
}

fn remedy(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "the user that the daemon runs as reads it, now and after every renewal: let it, such as by \
             `chgrp banzone {path} && chmod 640 {path}`, and enter its folders",
            path = path.display()
        ),
        _ => "write the path of a PEM file".to_owned(),
    }
}
