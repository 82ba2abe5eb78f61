//! Where the certificate of a server is, and where that is written.

use std::path::{Path, PathBuf};

use super::acme::Acme;
use super::document::Section;
use super::error::{At, Error, Report};
use super::load::resolve_absolute;
use crate::dns::{Certificate, CertificateFile};

/// The files of a certificate. They are read apart from the configuration, by the user that the daemon becomes.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    section: &'static str,
    certificate: At<PathBuf>,
    key: At<PathBuf>,
    /// They come from `[acme]`, in the end.
    are_issued: bool,
}

/// The certificate of a server as it is written.
pub(super) struct Written {
    section: &'static str,
    certificate: Option<At<PathBuf>>,
    key: Option<At<PathBuf>>,
    acme: Option<At<bool>>,
}

impl Written {
    /// Reads the keys of a section, and complains where two of them do not go together.
    pub(super) fn read(name: &'static str, section: &Section<'_>) -> Self {
        let written = Self {
            section: name,
            certificate: section.get("certificate"),
            key: section.get("key"),
            acme: section.get("acme"),
        };
        let Self { certificate, key, .. } = &written;
        if certificate.is_some() != key.is_some() {
            section.error("`certificate` and `key` belong together: write both, or neither");
        }
        if certificate.is_some() && written.is_issued().is_some() {
            section.error("`acme` stands for `certificate` and `key`: write it, or those two");
        }
        written
    }

    /// Whether there is one.
    pub(super) fn is_some(&self) -> bool {
        self.certificate.is_some() || self.is_issued().is_some()
    }

    fn is_issued(&self) -> Option<&At<bool>> {
        self.acme.as_ref().filter(|acme| acme.value)
    }

    /// Its files; those that `acme` issues are missing at first.
    pub(super) fn files(&self, acme: Option<&Acme>, report: &Report) -> Option<CertificateFiles> {
        let Some(At { place, .. }) = self.is_issued() else {
            return CertificateFiles::of(self.section, self.certificate.as_ref(), self.key.as_ref());
        };
        let Some(acme) = acme else {
            let section = self.section;
            report.add(place, format!("{section}.acme: `[acme]` is missing: write it, with its `names`"));
            return None;
        };
        let file = At { value: acme.certificate(), place: place.clone() };
        Some(CertificateFiles {
            section: self.section,
            certificate: file.clone(),
            key: file,
            are_issued: true,
        })
    }
}

impl CertificateFiles {
    /// Those that `certificate` and `key` of `section` name, if both are there.
    fn of(
        section: &'static str,
        certificate: Option<&At<PathBuf>>,
        key: Option<&At<PathBuf>>,
    ) -> Option<Self> {
        let path = |written: &At<PathBuf>| At {
            value: resolve_absolute(&written.place.file, &written.value),
            place: written.place.clone(),
        };
        Some(Self { section, certificate: path(certificate?), key: path(key?), are_issued: false })
    }

    /// Reads both files, as the user that the process is; `None` where they are yet to be issued. Blocks.
    pub fn read(&self) -> Result<Option<Certificate>, Error> {
        if self.are_issued && !self.certificate.value.exists() {
            return Ok(None);
        }
        Certificate::read(&self.certificate.value, &self.key.value).map(Some).map_err(|error| {
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
