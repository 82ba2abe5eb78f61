//! What is wrong with a zone's settings, and what to do about it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use super::Name;

/// A zone that cannot be served as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: zone {zone}: {problem}", file.display())]
pub struct Error {
    /// Its origin.
    pub zone: Name,
    /// The file that configures it.
    pub file: PathBuf,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Every zone needs NS records (RFC 1034, section 4.2.1).
    #[error("no name server: name at least one in `ns`")]
    NoNameServer,
    /// More name servers than a zone can use.
    #[error("{0} name servers: keep at most {most}", most = super::served::MOST_NAME_SERVERS)]
    TooManyNameServers(usize),
    /// One name server twice would be one record twice (RFC 2181, section 5).
    #[error("name server {0} is named twice: name it once")]
    NameServerTwice(Name),
    /// Nothing would ever be listed, not even a test point.
    #[error("publishes nothing: add a [[publish]] with jails, a code and a text, or a [[dataset]]")]
    NothingPublished,
    /// More sublists than are sensible.
    #[error("{0} sublists: keep at most {most}", most = super::served::MOST_SUBLISTS)]
    TooManySublists(usize),
    /// One name for a part of a zone and for another zone.
    #[error("stands inside the sublist `{sublist}` of zone {zone}: give one of the two another name")]
    InsideSublist {
        /// The zone with the sublist.
        zone: Name,
        /// The sublist.
        sublist: String,
    },
    /// Which list of clients counts would be anybody's guess.
    #[error("has two lists of clients: put all clients into one data set of type acl, or into [[access]]")]
    AclTwice,
    /// Which list of keys counts would be anybody's guess.
    #[error(
        "has two lists of keys: put all keys into one data set of type aclkey, or into [[key]] and key_files"
    )]
    KeysTwice,
    /// More rules than are sensible.
    #[error("{0} publish rules: keep at most {most}", most = super::served::MOST_RULES)]
    TooManyRules(usize),
    /// A rule that names no jail.
    #[error("the publish rule with code {0} names no jail: name some, or \"*\" for every other")]
    NoJails(Ipv4Addr),
    /// Codes are in 127.0.0.0/8 and never 127.0.0.1 (RFC 5782, section 2.3; RFC 6471, section 3.3).
    #[error("code {0} is outside 127.0.0.2 to 127.255.255.255: mail servers distrust it, choose one inside")]
    CodeOutOfRange(Ipv4Addr),
    /// Which rule counts would be anybody's guess.
    #[error("jail `{0}` stands in two publish rules: leave it in one")]
    JailTwice(Arc<str>),
    /// A time to live counts whole seconds in 31 bits (RFC 2181, section 8).
    #[error("`{0}` is not between 1 second and 68 years: choose one that is")]
    TimeOutOfRange(&'static str),
    /// A reversed IPv6 address takes 64 octets of the 255 a name has.
    #[error(
        "the origin is too long to stand behind a reversed IPv6 address: use at most 189 characters, with the longest `name`"
    )]
    OriginTooLong,
    /// And so does a key before the origin.
    #[error("the origin is too long to stand behind a reversed IPv6 address and a key: make shorter keys")]
    OriginTooLongForKeys,
    /// Two keys under one name.
    #[error("two keys are called `{0}`: rename one of the two")]
    KeyNameTwice(Arc<str>),
    /// Two owners of one key.
    #[error("the keys `{name}` and `{other}` are the same: make another one for one of the two")]
    KeyTwice {
        /// The later one.
        name: Arc<str>,
        /// The earlier one.
        other: Arc<str>,
    },
    /// A zone where another zone has a key.
    #[error("stands where zone {0} has a key: make another key")]
    InsideKey(Name),
    /// Two zones with the same origin.
    #[error("{} has the same origin: change one of the two", .0.display())]
    OriginTwice(PathBuf),
    /// A zone in the middle of another zone's addresses.
    #[error(
        "stands where zone {0} has reversed addresses: put a label with other letters than a to f next to {0}"
    )]
    InsideAddresses(Name),
}
