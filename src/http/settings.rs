//! What the HTTP server is told by the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where the API is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The TCP listener for health, metrics and the API; absent: none.
    pub listen: Option<SocketAddr>,
    /// The Unix socket of the command line. Whoever may open it may do everything.
    pub control: PathBuf,
}
