//! The configuration: TOML files go in, the settings of every stage come out, or every error with its place.
//!
//! [`load()`] reads `banzone.toml` and all it names. What was typed (`file`) and what it means (the settings of the
//! stages) are two types: between them stand the defaults, the other files and all checks. A configuration that
//! loads can be run.

mod acme;
mod admission;
mod certificate;
mod dataset;
mod dns;
mod document;
pub mod duration;
mod encoding;
mod error;
pub mod fail2ban;
mod file;
mod filter;
mod http;
mod hub;
mod jail;
mod load;
mod public;
mod report;
mod reports;
mod shipped;
mod sign_in;
mod store;
mod value;
mod zone;

use std::path::PathBuf;
use std::sync::Arc;

pub use acme::Acme;
pub use certificate::CertificateFiles;
pub use error::{At, Error, Errors, Place};
pub use file::keys;
pub use filter::Filters;
pub use load::{Glance, glance, load};

use crate::ip::PrefixSet;

/// Where the configuration is if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/banzone/banzone.toml";

/// The environment variable that names another place.
pub const PATH_VARIABLE: &str = "BANZONE_CONFIG";

/// Where the control socket is if nobody says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/banzone/control.sock";

/// Everything the program is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// For the store.
    pub store: crate::store::Settings,
    /// The folder for what syslog brings until it is counted.
    pub spool: PathBuf,
    /// For the DNS servers.
    pub dns: crate::dns::Settings,
    /// What the DNS servers look at.
    pub seeing: crate::dns::Seeing,
    /// For the answers of all zones.
    pub server: crate::zone::Server,
    /// How many replies a network gets.
    pub rate_limit: Option<crate::dns::RateLimit>,
    /// The certificate of their encrypted transports.
    pub certificate: Option<CertificateFiles>,
    /// For the HTTP server.
    pub http: crate::http::Settings,
    /// Its certificate.
    pub http_certificate: Option<CertificateFiles>,
    /// Who issues certificates, if anybody is asked to.
    pub acme: Option<Acme>,
    /// How users are let in.
    pub sign_in: crate::access::Settings,
    /// For the pages for everybody.
    pub public: Arc<crate::http::PublicSettings>,
    /// To whom this server reports, if to anybody.
    pub hub: Option<crate::hub::Settings>,
    /// For reports.
    pub report: crate::report::Settings,
    /// For the process itself.
    pub daemon: Daemon,
    /// For its messages.
    pub log: Log,
    /// The enabled jails by name; [`crate::jail::MANUAL`], which reads nothing, is among them.
    pub jails: Vec<crate::jail::Settings>,
    /// The zones, in the order of the files.
    pub zones: Vec<crate::zone::Settings>,
    /// What is never banned or published: `ignoreip` of `[defaults]`.
    pub allow: PrefixSet,
    /// Every file that was read, in that order.
    pub files: Vec<PathBuf>,
    /// What is accepted and has no effect.
    pub notices: Vec<Error>,
    /// Where some of it stands.
    pub places: Places,
}

/// Where keys stand of which only the machine can say whether they are right; the main file for what is not written.
#[derive(Clone, Debug)]
pub struct Places {
    /// The query log.
    pub query_log: Place,
    /// The user to become.
    pub user: Place,
    /// Every data set, in the order of the zones and in them of their lists.
    pub data_sets: Vec<Place>,
}

/// The process itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Daemon {
    /// The user it becomes when it was started as root.
    pub user: Option<String>,
}

/// Messages about what the program does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Messages below this are not written.
    pub level: Level,
    /// How they are written.
    pub format: LogFormat,
}

/// How important a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// What an administrator likes to know.
    #[default]
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// As it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object in a line.
    Json,
}
