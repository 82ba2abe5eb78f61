//! Keeps the certificates of DNS and of HTTP up to date: its files are read when the daemon starts, when it is
//! told to reload, and now and then, as they are renewed without anybody telling. What cannot be read leaves the last
//! good certificate in service.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::{info, warn};

use super::steering::lock;
use crate::clock::Timestamp;
use crate::config::{CertificateFiles, Config, Errors};
use crate::dns::{Certificate, Certificates};

/// How often the files are looked at: a certificate is renewed days before its end.
pub(super) const LOOK: Duration = Duration::from_secs(60);

/// So long before its end a certificate should have been renewed: it is done a month before for those of 90 days, and
/// two days before for those of six.
const SOON: Duration = Duration::from_secs(36 * 3600);

/// Those that are in service.
pub(super) struct Renewals {
    /// For the encrypted transports of DNS.
    pub(super) dns: Renewal,
    /// For the API.
    pub(super) http: Renewal,
}

/// Those that a configuration names, where it names them.
pub(super) struct Read {
    dns: Option<Certificate>,
    http: Option<Certificate>,
}

impl Read {
    /// Blocks.
    pub(super) fn all(config: &Config) -> Result<Self, Errors> {
        Ok(Self { dns: read(config.certificate.as_ref())?, http: read(config.http_certificate.as_ref())? })
    }
}

impl Renewals {
    /// Puts those of `config` in service for the first time.
    pub(super) fn start(dns: Arc<Certificates>, config: &Config, now: Timestamp) -> Result<Self, Errors> {
        let read = Read::all(config)?;
        let renewals =
            Self { dns: Renewal::new("[dns.tls]", dns), http: Renewal::new("[http]", Arc::default()) };
        renewals.put_in_force(config, read, now);
        Ok(renewals)
    }

    /// Puts those of `config`, which were `read`, in service.
    pub(super) fn put_in_force(&self, config: &Config, read: Read, now: Timestamp) {
        self.dns.put_in_force(config.certificate.clone(), read.dns, now);
        self.http.put_in_force(config.http_certificate.clone(), read.http, now);
    }

    /// Reads all files again, and puts in service what has changed. Blocks.
    pub(super) fn look(&self, now: Timestamp) {
        self.dns.look(now);
        self.http.look(now);
    }

    /// What a person should look at, one line each.
    pub(super) fn problems(&self, now: Timestamp) -> Vec<String> {
        [&self.dns, &self.http].into_iter().flat_map(|renewal| renewal.problems(now)).collect()
    }
}

/// The certificate in service and where it comes from.
pub(super) struct Renewal {
    /// The section of the configuration that names the files.
    section: &'static str,
    certificates: Arc<Certificates>,
    /// Locked while they are read: what is older must not come in service behind what is newer.
    files: Mutex<Option<CertificateFiles>>,
    /// Why the files could not be read the last time.
    trouble: Mutex<Option<String>>,
}

impl Renewal {
    fn new(section: &'static str, certificates: Arc<Certificates>) -> Self {
        Self { section, certificates, files: Mutex::default(), trouble: Mutex::default() }
    }

    /// What is in service.
    pub(super) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// Puts `certificate`, which was read from `files`, in service.
    fn put_in_force(
        &self,
        files: Option<CertificateFiles>,
        certificate: Option<Certificate>,
        now: Timestamp,
    ) {
        let mut known = lock(&self.files);
        // That was about the files before.
        *lock(&self.trouble) = None;
        if let (Some(files), Some(certificate)) = (&files, certificate) {
            self.renew(files, certificate, now);
        }
        *known = files;
    }

    /// Reads the files again, and puts in service what has changed. Blocks.
    fn look(&self, now: Timestamp) {
        let files = lock(&self.files);
        let Some(files) = files.as_ref() else { return };
        match files.read() {
            Ok(Some(certificate)) => self.renew(files, certificate, now),
            // It is yet to be issued.
            Ok(None) => {}
            Err(error) => self.complain(error.to_string()),
        }
    }

    fn renew(&self, files: &CertificateFiles, certificate: Certificate, now: Timestamp) {
        *lock(&self.trouble) = None;
        if self.certificates.get().is_some_and(|served| served.is_same(&certificate)) {
            return;
        }
        info!(
            "the certificate {} is in service, until {}",
            files.certificate().display(),
            certificate.until()
        );
        if let Some(problem) = certificate.problem(now) {
            warn!("the certificate {} {problem}; clients refuse it", files.certificate().display());
        }
        self.certificates.replace(certificate);
    }

    /// Says what is wrong once, not every time it is looked at.
    fn complain(&self, trouble: String) {
        let mut known = lock(&self.trouble);
        if known.as_ref() != Some(&trouble) {
            warn!("{trouble}; the certificate before stays in service");
        }
        *known = Some(trouble);
    }

    /// Until when the certificate in service holds.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.certificates.get().map(|certificate| certificate.until())
    }

    fn problems(&self, now: Timestamp) -> Vec<String> {
        let invalid = self.certificates.get().and_then(|certificate| certificate.problem(now));
        let ending = self.until().filter(|until| *until < now + SOON);
        let ending = ending.map(|until| format!("holds until {until}: renew it"));
        let of_certificate =
            invalid.or(ending).map(|problem| format!("the certificate of {} {problem}", self.section));
        lock(&self.trouble).clone().into_iter().chain(of_certificate).collect()
    }
}

/// The certificate of `files`, if there are any. Blocks.
fn read(files: Option<&CertificateFiles>) -> Result<Option<Certificate>, Errors> {
    Ok(files.map(CertificateFiles::read).transpose()?.flatten())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::config;

    /// In the middle of what rcgen's certificates hold for, from 1975 to 4096.
    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

    /// Writes a new certificate and its key.
    fn issue(folder: &Path) {
        let issued = rcgen::generate_simple_self_signed(["ns.example".to_owned()]).unwrap();
        fs::write(folder.join("c.pem"), issued.cert.pem()).unwrap();
        fs::write(folder.join("k.pem"), issued.signing_key.serialize_pem()).unwrap();
    }

    fn start(folder: &Path) -> Renewal {
        let config = folder.join("banzone.toml");
        fs::write(&config, "[dns.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'\ndot = '127.0.0.1:0'").unwrap();
        let files = config::load(&config).unwrap().certificate;
        let renewal = Renewal::new("[dns.tls]", Arc::default());
        let certificate = read(files.as_ref()).unwrap();
        renewal.put_in_force(files, certificate, NOW);
        renewal
    }

    #[test]
    fn what_is_renewed_is_served_and_what_is_broken_is_not() {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path());
        let renewal = start(folder.path());
        let first = renewal.certificates.get().unwrap();
        let serves_first = || renewal.certificates.get().unwrap().is_same(&first);
        renewal.look(NOW);
        assert!(serves_first());

        let good = fs::read(folder.path().join("k.pem")).unwrap();
        fs::write(folder.path().join("k.pem"), "half a ke").unwrap();
        renewal.look(NOW);
        assert!(serves_first());
        let problems = renewal.problems(NOW);
        assert!(problems.len() == 1 && problems[0].contains("k.pem` holds no private key"), "{problems:?}");

        issue(folder.path());
        renewal.look(NOW);
        assert!(!serves_first());
        assert!(renewal.problems(NOW).is_empty());

        fs::write(folder.path().join("k.pem"), good).unwrap();
        renewal.look(NOW);
        let problems = renewal.problems(NOW);
        assert!(problems[0].contains("does not belong to the certificate"), "{problems:?}");
    }

    #[test]
    fn files_that_are_not_named_any_more_are_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path());
        let renewal = start(folder.path());
        fs::write(folder.path().join("k.pem"), "half a ke").unwrap();
        renewal.look(NOW);
        assert_eq!(renewal.problems(NOW).len(), 1);
        renewal.put_in_force(None, None, NOW);
        renewal.look(NOW);
        assert!(renewal.problems(NOW).is_empty());
    }

    #[test]
    fn an_end_that_comes_near_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path());
        let renewal = start(folder.path());
        let until = renewal.until().unwrap();
        assert!(renewal.problems(until - SOON).is_empty());
        assert!(renewal.problems(until - Duration::from_secs(1))[0].contains("holds until"));
        assert!(renewal.problems(until)[0].contains("has ended on 4096-01-01T00:00:00Z: renew it"));
        assert!(
            renewal.problems(Timestamp::from_secs(0))[0].contains("is not valid before 1975-01-01T00:00:00Z")
        );
    }
}
