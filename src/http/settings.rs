//! What the HTTP server is told by the configuration.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::ip::Prefix;

/// Where the API is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The TCP listener for health, metrics and the API; absent: none.
    pub listen: Option<SocketAddr>,
    /// Whether the listener is encrypted.
    pub tls: bool,
    /// Hosts that hand on requests of others and end their TLS: what they say about where a request comes from is believed.
    pub proxies: Vec<Prefix>,
    /// Hosts that see health and metrics as somebody does who may see everything.
    pub monitors: Vec<Prefix>,
    /// So many requests a minute are answered to each token, user or unknown network over TCP; `None`: any number.
    pub rate_limit: Option<NonZeroU32>,
    /// The Unix socket of the command line. Whoever may open it may do everything.
    pub control: PathBuf,
}
