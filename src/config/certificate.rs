//! Where the certificate of a server is, and where that is written.

use std::path::{Path, PathBuf};

use super::error::{At, Error};
use super::load::resolve_absolute;
use crate::dns::{Certificate, CertificateFile};

/// The two files of a certificate. They are read apart from the configuration, by the user that the daemon becomes.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    section: &'static str,
    certificate: At<PathBuf>,
    key: At<PathBuf>,
}

impl CertificateFiles {
    /// Those that `certificate` and `key` of `section` name, if both are there.
    pub(super) fn of(
        section: &'static str,
        certificate: Option<&At<PathBuf>>,
        key: Option<&At<PathBuf>>,
    ) -> Option<Self> {
        let path = |written: &At<PathBuf>| At {
            value: resolve_absolute(&written.place.file, &written.value),
            place: written.place.clone(),
        };
        Some(Self { section, certificate: path(certificate?), key: path(key?) })
    }

    /// Reads both files, as the user that the process is. Blocks.
    pub fn read(&self) -> Result<Certificate, Error> {
        Certificate::read(&self.certificate.value, &self.key.value).map_err(|error| {
            let (key, at) = match error.file {
                CertificateFile::Certificate => ("certificate", &self.certificate),
                CertificateFile::Key => ("key", &self.key),
            };
            Error { place: at.place.clone(), message: format!("{}.{key}: {error}", self.section) }
        })
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> &Path {
        &self.certificate.value
    }
}
