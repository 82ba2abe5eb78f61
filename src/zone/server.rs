//! What a server is apart from its zones: who may ask it at all, what it calls itself, and how it knows clients again.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::Secrets;
use super::cookie::Worth;
use super::options::{Asked, Told};
use super::outcome::{Peer, Transport};
use crate::clock::Timestamp;
use crate::dataset::Acl;

/// Longer names leave less room for answers, and tell nobody more.
const LONGEST_NSID: usize = 64;

/// What holds for all zones.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// What clients get, whatever they ask for.
    pub clients: Option<Arc<Acl>>,
    /// What it answers to who asks for its name.
    pub nsid: Option<Nsid>,
    /// Without them there are no cookies.
    pub cookies: Option<Secrets>,
    /// How long a connection may stay idle, for clients that ask (RFC 7828); `None`: they are not told.
    pub idle_timeout: Option<Duration>,
}

/// Which of the servers behind one address this is (RFC 5001): up to 64 printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsid(Box<str>);

/// What was written is no name of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has not 1 to {LONGEST_NSID} printable characters: write one such as \"ns1.example\"")]
pub struct ParseNsidError(String);

impl Nsid {
    /// As it stands in an answer.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Nsid {
    type Err = ParseNsidError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let printable = written.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
        if printable && (1..=LONGEST_NSID).contains(&written.len()) {
            Ok(Self(written.into()))
        } else {
            Err(ParseNsidError(written.to_owned()))
        }
    }
}

/// Tenths of a second, as the option has them.
fn tenths(time: Duration) -> u16 {
    u16::try_from(time.as_millis() / 100).unwrap_or(u16::MAX)
}

impl Server {
    /// What the reply to `asked` says by its options, and what the client's cookie is worth.
    pub(super) fn tell(&self, asked: &Asked<'_>, peer: &Peer, now: Timestamp) -> (Told<'_>, Worth) {
        let cookies = self.cookies.as_ref().zip(asked.cookie);
        let cookies = cookies.map(|(secrets, sent)| secrets.exchange(sent, peer.address, now));
        let nsid = self.nsid.as_ref().filter(|_| asked.nsid).map(Nsid::as_bytes);
        // Datagrams have no connection, HTTP and QUIC say so in their own way (RFC 7828, section 3.2.2; RFC 9250, section 5.5.2).
        let is_kept = asked.keepalive && matches!(peer.transport, Transport::Tcp | Transport::Tls);
        let keepalive = self.idle_timeout.filter(|_| is_kept).map(tenths);
        let worth = cookies.map_or(Worth::Nothing, |(worth, _)| worth);
        (Told { cookie: cookies.map(|(_, cookie)| cookie), nsid, keepalive }, worth)
    }
}
