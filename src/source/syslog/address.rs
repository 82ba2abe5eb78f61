//! Where messages are received. In comes the path of a source, such as `syslog:udp://127.0.0.1:5514`, out comes what to
//! listen on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

const SCHEME: &str = "syslog:";

/// What fits into `sockaddr_un` on Linux besides the closing zero (unix(7)).
const LONGEST_SOCKET: usize = 107;

/// What to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Datagrams, one message each (RFC 5426).
    Udp(SocketAddr),
    /// Connections (RFC 6587).
    Tcp(SocketAddr),
    /// Datagrams of programs on this host.
    Unix(PathBuf),
}

/// Whether a path means a listener.
pub(in crate::source) fn is_syslog(path: &str) -> bool {
    path.starts_with(SCHEME)
}

impl Address {
    /// Reads the path of a source. The error says how to write it.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let text = path.strip_prefix(SCHEME).unwrap_or(path);
        let address = |text: &str| {
            let remedy = "give an address and a port, such as 127.0.0.1:5514 or [::]:5514";
            text.parse().map_err(|_| format!("`{text}` is no address to listen on: {remedy}"))
        };
        match text.split_once("://") {
            Some(("udp", text)) => address(text).map(Self::Udp),
            Some(("tcp", text)) => address(text).map(Self::Tcp),
            Some(("unix", path)) if path.starts_with('/') && path.len() <= LONGEST_SOCKET => {
                Ok(Self::Unix(path.into()))
            }
            Some(("unix", path)) => {
                Err(format!("`{path}`: give a path of up to {LONGEST_SOCKET} bytes that starts with `/`"))
            }
            _ => Err("write syslog:udp://ADDRESS:PORT, syslog:tcp://ADDRESS:PORT or syslog:unix:///PATH"
                .to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "UDP {address}"),
            Self::Tcp(address) => write!(f, "TCP {address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls() {
        let check = |path: &str, expected: &str| {
            assert!(is_syslog(path));
            let found = Address::parse(path).map_or_else(|error| error, |address| address.to_string());
            assert!(found.contains(expected), "{path}: {found}");
        };
        check("syslog:udp://127.0.0.1:5514", "UDP 127.0.0.1:5514");
        check("syslog:tcp://[::]:601", "TCP [::]:601");
        check("syslog:unix:///run/banzone/log", "/run/banzone/log");
        check(
            "syslog:udp://localhost:514",
            "`localhost:514` is no address to listen on: give an address and a port",
        );
        check("syslog:udp://127.0.0.1", "no address");
        check("syslog:unix://run/log", "starts with `/`");
        check(&format!("syslog:unix:///{}", "x".repeat(107)), "107 bytes");
        for path in ["syslog:", "syslog:514", "syslog:tls://[::]:6514"] {
            check(path, "write syslog:udp://ADDRESS:PORT");
        }
    }
}
