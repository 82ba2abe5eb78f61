//! Who asks, and what became of a query.

use std::net::IpAddr;

use super::admission::Refusal;
use crate::ip::Prefix;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the query came from.
    pub address: IpAddr,
    /// How it came; the reply goes back the same way.
    pub transport: Transport,
}

/// How messages are carried, which says how large a reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram: 512 octets, with EDNS up to 1232.
    Udp,
    /// A stream with a length before each message: 65535 octets, as with all that follow.
    Tcp,
    /// The same, encrypted (RFC 7858).
    Tls,
    /// The body of an HTTP response (RFC 8484).
    Https,
    /// A QUIC stream for each query (RFC 9250).
    Quic,
}

/// A response code (RFC 1035, section 4.1.1; RFC 6891, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Rcode {
    /// The name exists, with or without what was asked for.
    NoError = 0,
    /// The query is broken.
    FormErr = 1,
    /// The zone has nothing left that it could answer from.
    ServFail = 2,
    /// The name does not exist.
    NxDomain = 3,
    /// A kind of query that is not implemented.
    NotImp = 4,
    /// Not a zone of this server, or nothing it gives to anyone.
    Refused = 5,
    /// A version of EDNS that is not implemented.
    BadVers = 16,
    /// The query asks whether its cookie is good, and it is not (RFC 7873, section 8).
    BadCookie = 23,
}

/// Why a packet gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Silence {
    /// It has no header: nothing to reply to.
    Short,
    /// It is a response itself; two servers would answer each other for ever.
    Response,
    /// Who asks is refused, and not told.
    Refused(Refusal),
}

/// What became of a query; for counters and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is a reply.
    Replied(Replied),
    /// There is none.
    Silent(Silence),
}

/// What there is to say of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replied {
    /// Its response code.
    pub rcode: Rcode,
    /// The index of the zone that was asked.
    pub zone: Option<usize>,
    /// Whether the question was for an address that is listed.
    pub listed: bool,
    /// The type that was asked for, if the question could be read.
    pub qtype: Option<u16>,
    /// What a name of the zone stands for.
    pub subject: Subject,
    /// Where the records begin in the reply.
    pub records: usize,
    /// Whether the answer did not fit.
    pub truncated: bool,
    /// Why it is no answer, if that is so because of who asks.
    pub refusal: Option<Refusal>,
    /// Whether a cookie shows that the client has the address it claims to have.
    pub known: bool,
}

/// What was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The zone itself, a part of an address, a name that is listed, or nothing that a zone has.
    Zone,
    /// A name that is neither an address, nor a part of one, nor listed.
    Name,
    /// An address.
    Address {
        /// The address itself.
        address: IpAddr,
        /// The most specific prefix whose listing was the answer. None where it came from a data set.
        listing: Option<Prefix>,
    },
}
