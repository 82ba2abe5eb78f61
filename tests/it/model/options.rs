//! What the options of EDNS get: the server's name, and cookies as RFC 9018 makes them, on the hash that Rust once had
//! for its own tables. In comes a query, out go the options of the reply and whether the client is known by its cookie.

#![expect(deprecated, reason = "it is SipHash-2-4, and no code of the server's")]

use std::hash::{Hasher, SipHasher};
use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::Edns;

use super::NOW;

/// The codes of the options (RFC 5001, section 2.1; RFC 7873, section 4).
const NSID: u16 = 3;
const COOKIE: u16 = 10;

/// What the server is called.
pub const NAME: &str = "ns1.example";

/// What the server's cookies are made with now, and what they were made with before.
pub const SECRETS: [[u8; 16]; 2] = [*b"a model's secret", *b"an older secret."];

/// Who asks.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53));

/// How long a cookie is good, in seconds, and how far ahead its time may be (RFC 9018, section 4.3).
const LIFE: i64 = 3600;
const SKEW: i64 = 300;

/// What becomes of the options of a query.
#[derive(Default)]
pub struct Options {
    /// Codes and data of those in the reply, by code.
    pub told: Vec<(u16, Vec<u8>)>,
    /// There is a cookie of a length that none has (RFC 7873, section 5.2.2).
    pub malformed: bool,
    /// There is a cookie of the server's, and it is good, or not.
    pub known: Option<bool>,
}

impl Options {
    /// The first cookie counts; what options mean in another version is not known.
    pub fn to(edns: Option<&Edns>) -> Self {
        let sent = edns.filter(|edns| edns.version() == 0).map(options).unwrap_or_default();
        let cookie = sent.iter().find(|(code, _)| *code == COOKIE).map(|(_, data)| &**data);
        let mut told = Vec::new();
        if sent.iter().any(|(code, _)| *code == NSID) {
            told.push((NSID, NAME.as_bytes().to_vec()));
        }
        let Some(cookie) = cookie else { return Self { told, ..Self::default() } };
        let (malformed, known) = match cookie.len() {
            8 => (false, None),
            16..=40 => (false, Some(age(cookie).is_some())),
            _ => return Self { malformed: true, ..Self::default() },
        };
        let is_fresh = age(cookie) == Some(Age::Fresh);
        let told_cookie = if is_fresh { cookie.to_vec() } else { made(&cookie[..8], 0, &SECRETS[0]) };
        told.push((COOKIE, told_cookie));
        Self { told, malformed, known }
    }

    /// Whether there is a cookie in the reply.
    pub fn has_cookie(&self) -> bool {
        self.told.iter().any(|(code, _)| *code == COOKIE)
    }

    /// What they take in the reply.
    pub fn size(&self) -> usize {
        self.told.iter().map(|(_, data)| 4 + data.len()).sum()
    }
}

/// Codes and data of the options of a message.
pub fn options(edns: &Edns) -> Vec<(u16, Vec<u8>)> {
    let options = edns.options().options.iter();
    let option = options.map(|(code, option)| {
        (u16::from(*code), Vec::try_from(option).expect("an option that was read can be written"))
    });
    option.collect()
}

/// The cookie that the server made for this client `ago` seconds ago with this secret, client part and all.
pub fn made(client: &[u8], ago: i64, secret: &[u8; 16]) -> Vec<u8> {
    let time = (NOW.as_secs() - ago) as u32;
    let head = [&[1, 0, 0, 0], &time.to_be_bytes()[..]].concat();
    let hash = hash(client, &head, secret);
    [client, &*head, &hash].concat()
}

/// How old a good cookie is.
#[derive(PartialEq, Eq)]
enum Age {
    /// It is sent back as it came.
    Fresh,
    /// Another one is sent.
    Ageing,
}

fn age(cookie: &[u8]) -> Option<Age> {
    let [1, _, _, _, time @ ..] = cookie.get(8..16)? else { return None };
    let time = u32::from_be_bytes(time.try_into().expect("four octets are left"));
    // Counted in 32 bits, which go round (RFC 1982).
    let age = i64::from((NOW.as_secs() as u32).wrapping_sub(time).cast_signed());
    let is_by = |secret| cookie[16..] == hash(&cookie[..8], &cookie[8..16], secret);
    match SECRETS.each_ref().map(is_by) {
        _ if !(-SKEW..=LIFE).contains(&age) => None,
        [true, _] if age <= LIFE / 2 => Some(Age::Fresh),
        [false, false] => None,
        _ => Some(Age::Ageing),
    }
}

/// Over the client's part, the head of the server's, and the address (RFC 9018, section 4.4).
fn hash(client: &[u8], head: &[u8], secret: &[u8; 16]) -> [u8; 8] {
    let [first, second] = [0, 8].map(|at| u64::from_le_bytes(secret[at..at + 8].try_into().expect("eight")));
    let mut hasher = SipHasher::new_with_keys(first, second);
    let IpAddr::V4(address) = CLIENT else { unreachable!("the client has IPv4") };
    hasher.write(&[client, head, &address.octets()].concat());
    hasher.finish().to_le_bytes()
}
