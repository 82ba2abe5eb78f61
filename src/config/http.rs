//! `[http]` and `[control]`: what is typed there, and the settings of the servers that it becomes.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::DEFAULT_SOCKET;
use super::certificate;
use super::document::Section;
use super::error::{At, Report};
use super::file::keys;
use super::load::resolve_absolute;
use crate::http::Settings;
use crate::ip::Prefix;

/// What fits into `sockaddr_un` on Linux besides the closing zero (unix(7)).
const LONGEST_SOCKET: usize = 107;

/// This host.
fn loopback() -> Vec<Prefix> {
    let networks = [Prefix::new([127, 0, 0, 0].into(), 8), Some(Prefix::host(Ipv6Addr::LOCALHOST.into()))];
    networks.into_iter().flatten().collect()
}

/// `[http]` and `[control]`
pub(super) struct Http {
    pub listen: Option<At<SocketAddr>>,
    pub certificate: certificate::Written,
    pub proxies: Vec<Prefix>,
    pub monitors: Option<Vec<Prefix>>,
    pub rate_limit: Option<NonZeroU32>,
    pub socket: Option<At<PathBuf>>,
}

impl Http {
    /// Reads them as sections of `main`.
    pub(super) fn read(main: &Section<'_>) -> Self {
        let http = main.section("http", keys::HTTP);
        Self {
            listen: http.get("listen"),
            certificate: certificate::Written::read("http", &http),
            proxies: http.get("proxies").unwrap_or_default(),
            monitors: http.get("monitors"),
            rate_limit: http.get("rate_limit").and_then(NonZeroU32::new),
            socket: main.section("control", keys::CONTROL).get("socket"),
        }
    }

    /// The settings, as `file` has them.
    pub(super) fn settings(&self, file: &Path) -> Settings {
        let socket = self.socket.as_ref().map_or_else(|| Path::new(DEFAULT_SOCKET), |socket| &socket.value);
        Settings {
            listen: self.listen.as_ref().map(|listen| listen.value),
            tls: self.certificate.is_some(),
            proxies: self.proxies.clone(),
            monitors: self.monitors.clone().unwrap_or_else(loopback),
            rate_limit: self.rate_limit,
            control: resolve_absolute(file, socket),
        }
    }

    /// Checks what a system has no room for.
    pub(super) fn check(&self, settings: &Settings, report: &Report) {
        let length = settings.control.as_os_str().len();
        if let Some(At { place, .. }) = self.socket.as_ref().filter(|_| length > LONGEST_SOCKET) {
            let message = format!(
                "control.socket: `{}` has {length} bytes, and the path of a socket at most {LONGEST_SOCKET}",
                settings.control.display()
            );
            report.add(place, message);
        }
    }
}
