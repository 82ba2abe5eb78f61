//! What a zone is told by the configuration.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{KeyRules, Name, Sublist, Template};
use crate::dataset::{self, Clients};
use crate::ip::PrefixSet;

/// Which jails are published with which code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Names of jails; `*` stands for every jail that no other rule of the zone names.
    pub jails: Vec<Arc<str>>,
    /// The A record: in 127.0.0.0/8, never 127.0.0.0 or 127.0.0.1 (RFC 5782, section 2.3; RFC 6471, section 3.3).
    pub code: Ipv4Addr,
    /// The TXT record.
    pub text: Template,
    /// Under which name inside the zone this is answered alone as well.
    pub sublist: Option<Sublist>,
}

/// A data set of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticList {
    /// Where it comes from.
    pub settings: dataset::Settings,
    /// The reserved ranges that it may list; `None` is all of them.
    pub allow_reserved: Option<PrefixSet>,
    /// Under which name inside the zone this is answered alone as well.
    pub sublist: Option<Sublist>,
}

/// Who may ask a zone; by default everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// What clients get, by the networks they are in.
    pub clients: Vec<Clients>,
    /// The keys one of which every name must have; `None`: names have none.
    pub keys: Option<KeyRules>,
}

/// One DNS zone under which a list is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name every question ends in.
    pub origin: Name,
    /// The SOA's MNAME.
    pub primary: Name,
    /// Name servers, at least one.
    pub name_servers: Vec<Name>,
    /// Time to live of their records.
    pub ns_ttl: Duration,
    /// The SOA's RNAME: the mail address of who is responsible, as a name.
    pub contact: Name,
    /// Time to live of A and TXT answers; an answer never outlives the ban it speaks of.
    pub ttl: Duration,
    /// The SOA's own time to live.
    pub soa_ttl: Duration,
    /// SOA REFRESH.
    pub refresh: Duration,
    /// SOA RETRY.
    pub retry: Duration,
    /// SOA EXPIRE.
    pub expire: Duration,
    /// SOA MINIMUM; negative answers live for the smaller of this and `soa_ttl` (RFC 2308, section 5).
    pub negative_ttl: Duration,
    /// What is published of the list; nothing only where there are data sets.
    pub publish: Vec<Publish>,
    /// The data sets that are published beside it, or say who may ask.
    pub data_sets: Vec<StaticList>,
    /// Who may ask.
    pub admission: Admission,
    /// The file this was read from, for messages.
    pub file: PathBuf,
}
