//! DNS cookies (RFC 7873), made as all servers behind one address make them (RFC 9018). A client that returns the cookie it
//! was sent has shown that it receives what goes to its address: nobody forged it.
//!
//! In come the cookies of a query, the client, the time and the secret; out goes the cookie of the reply. Nothing is kept.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use crate::clock::Timestamp;

/// The client's part (RFC 7873, section 4.1).
const CLIENT: usize = 8;

/// The server's part as it is made here (RFC 9018, section 4).
const SERVER: usize = 16;

/// Both.
pub(super) const BOTH: usize = CLIENT + SERVER;

/// How long the server's part may be, whoever made it (RFC 7873, section 4.2).
const ANY_SERVER: std::ops::RangeInclusive<usize> = 8..=32;

/// The only version there is (RFC 9018, section 4.1).
const VERSION: u8 = 1;

/// A cookie is good for so many seconds, and a new one is made when half of them are over (RFC 9018, section 4.3).
const LIFE: i32 = 3600;

/// Servers behind one address may be apart by so many seconds (RFC 9018, section 4.3).
const SKEW: i32 = 300;

/// A random secret lasts so many seconds. RFC 7873, section 7.1, wants less than 36 days.
const SECRET_LIFE: u32 = 86_400;

/// So many random secrets take turns, so that one is idle much longer than it is at work.
pub const RANDOM_SECRETS: usize = 32;

/// What only the servers behind one address know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// These octets, which must be random.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

/// Nobody finds it in a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What cookies are made with and checked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// Each makes cookies for a day. The time in a cookie tells which one it was, so that those of the day before are good.
    Random(Arc<[Secret; RANDOM_SECRETS]>),
    /// Those that the servers behind one address share. Cookies made with an older one are good (RFC 9018, section 5).
    Shared {
        /// Makes cookies.
        newest: Secret,
        /// Made them before, or will soon.
        others: Vec<Secret>,
    },
}

impl Secrets {
    /// Makes cookies at `time`.
    fn newest(&self, time: u32) -> Secret {
        match self {
            Self::Random(secrets) => secrets[(time / SECRET_LIFE) as usize % RANDOM_SECRETS],
            Self::Shared { newest, .. } => *newest,
        }
    }

    /// The others with which cookies are good.
    fn others(&self) -> &[Secret] {
        match self {
            Self::Random(_) => &[],
            Self::Shared { others, .. } => others,
        }
    }

    /// The cookie for the reply to `sent`, and what `sent` is worth.
    pub(super) fn exchange(&self, sent: Cookie<'_>, client: IpAddr, now: Timestamp) -> (Worth, [u8; BOTH]) {
        let now = seconds(now);
        let server: Option<&[u8; SERVER]> = sent.server.try_into().ok();
        let state = server.and_then(|server| self.state(&sent.client, server, client, now));
        let worth = match state {
            Some(_) => Worth::Good,
            None if sent.server.is_empty() => Worth::Nothing,
            None => Worth::Bad,
        };
        let server = match (server, state) {
            (Some(server), Some(State::Fresh)) => *server,
            _ => make(&sent.client, client, now, self.newest(now)),
        };
        let mut both = [0; BOTH];
        both[..CLIENT].copy_from_slice(&sent.client);
        both[CLIENT..].copy_from_slice(&server);
        (worth, both)
    }

    /// How good a cookie is; `None` if it is not.
    fn state(&self, client: &[u8; CLIENT], server: &[u8; SERVER], from: IpAddr, now: u32) -> Option<State> {
        let (head, hash) = server.split_first_chunk::<8>()?;
        let [version, _, _, _, time @ ..] = *head;
        let time = u32::from_be_bytes(time);
        // Time goes round, as serials do (RFC 9018, section 4.3; RFC 1982).
        let age = now.wrapping_sub(time).cast_signed();
        if version != VERSION || !(-SKEW..=LIFE).contains(&age) {
            return None;
        }
        let fits = |secret| hashed(client, head, from, secret) == *hash;
        if fits(self.newest(time)) {
            return Some(if age <= LIFE / 2 { State::Fresh } else { State::Ageing });
        }
        self.others().iter().any(|secret| fits(*secret)).then_some(State::Ageing)
    }
}

/// How good a good cookie is.
#[derive(Clone, Copy)]
enum State {
    /// It will do for longer.
    Fresh,
    /// It is time for another one.
    Ageing,
}

/// The cookies of a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie<'a> {
    client: [u8; CLIENT],
    /// Empty if the client has none yet.
    server: &'a [u8],
}

impl<'a> Cookie<'a> {
    /// Reads the data of the option; `None` if it has a length that none may have (RFC 7873, section 5.2.2).
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let (client, server) = data.split_first_chunk()?;
        (server.is_empty() || ANY_SERVER.contains(&server.len())).then_some(Self { client: *client, server })
    }
}

/// What the cookies of a query say of its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Worth {
    /// There is no server cookie.
    #[default]
    Nothing,
    /// The server cookie is not one of this server, or too old.
    Bad,
    /// It has the address it claims to have.
    Good,
}

fn make(client: &[u8; CLIENT], to: IpAddr, now: u32, secret: Secret) -> [u8; SERVER] {
    let mut server = [0; SERVER];
    server[0] = VERSION;
    server[4..8].copy_from_slice(&now.to_be_bytes());
    let head = *server.first_chunk().expect("a cookie is longer than its head");
    server[8..].copy_from_slice(&hashed(client, &head, to, secret));
    server
}

/// The hash of client cookie, version, reserved octets, time and address (RFC 9018, section 4.4).
fn hashed(client: &[u8; CLIENT], head: &[u8; 8], address: IpAddr, secret: Secret) -> [u8; 8] {
    let mut message = [0; 32];
    message[..8].copy_from_slice(client);
    message[8..16].copy_from_slice(head);
    let end = match address.to_canonical() {
        IpAddr::V4(address) => {
            message[16..20].copy_from_slice(&address.octets());
            20
        }
        IpAddr::V6(address) => {
            message[16..].copy_from_slice(&address.octets());
            32
        }
    };
    let mut hasher = SipHasher24::new_with_key(&secret.0);
    hasher.write(&message[..end]);
    hasher.finish().to_le_bytes()
}

/// Seconds in 32 bits, which go round.
fn seconds(time: Timestamp) -> u32 {
    time.as_secs() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn secret(hex: &str) -> Secret {
        Secret(octets(hex))
    }

    fn shared(newest: &str, others: &[&str]) -> Secrets {
        Secrets::Shared { newest: secret(newest), others: others.iter().map(|hex| secret(hex)).collect() }
    }

    /// What `sent` in hexadecimal is worth, and the server's part of the reply.
    fn exchange(secrets: &Secrets, sent: &str, client: &str, now: i64) -> (Worth, String) {
        let sent: Vec<u8> =
            (0..sent.len()).step_by(2).map(|at| u8::from_str_radix(&sent[at..at + 2], 16).unwrap()).collect();
        let cookie = Cookie::read(&sent).unwrap();
        let now = Timestamp::from_secs(now);
        let (worth, both) = secrets.exchange(cookie, client.parse().unwrap(), now);
        assert_eq!(both[..8], sent[..8]);
        (worth, hex(&both[8..]))
    }

    /// RFC 9018, appendix A.
    #[test]
    fn cookies_are_those_of_other_servers() {
        let secrets = shared("e5e973e5a6b2a43f48e7dc849e37bfcf", &[]);
        let (client, address) = ("2464c4abcf10c957", "198.51.100.100");
        let first = "010000005cf79f111f8130c3eee29480";
        assert_eq!(
            exchange(&secrets, client, address, 1_559_731_985),
            (Worth::Nothing, first.to_owned()),
            "A.1"
        );
        assert_eq!(
            exchange(&secrets, &format!("{client}{first}"), address, 1_559_734_385),
            (Worth::Good, "010000005cf7a871d4a564a1442aca77".to_owned()),
            "A.2"
        );
        // The reserved octets are set. When the example's reply is sent, more than an hour has gone by.
        let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        assert_eq!(exchange(&secrets, reserved, "203.0.113.203", 1_559_728_585).0, Worth::Good, "A.3");
        assert_eq!(
            exchange(&secrets, reserved, "203.0.113.203", 1_559_734_700),
            (Worth::Bad, "010000005cf7a9acf73a7810aca2381e".to_owned()),
            "A.3"
        );
        let rolled = shared("445536bcd2513298075a5d379663c962", &["dd3bdf9344b678b185a6f5cb60fca715"]);
        assert_eq!(
            exchange(
                &rolled,
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                "2001:db8:220:1:59de:d0f4:8769:82b8",
                1_559_741_961
            ),
            (Worth::Good, "010000005cf7c609a6bb79d16625507a".to_owned()),
            "A.4"
        );
    }

    fn random() -> Secrets {
        Secrets::Random(Arc::new(std::array::from_fn(|day| Secret([day as u8; 16]))))
    }

    #[test]
    fn a_cookie_is_for_one_client_and_an_hour() {
        let secrets = random();
        let start = 1_795_334_652;
        let (_, server) = exchange(&secrets, "0102030405060708", "192.0.2.1", start);
        let sent = format!("0102030405060708{server}");
        for (client, after, worth) in [
            ("192.0.2.1", 0, Worth::Good),
            ("::ffff:192.0.2.1", 0, Worth::Good),
            ("192.0.2.1", 3600, Worth::Good),
            ("192.0.2.1", 3601, Worth::Bad),
            ("192.0.2.1", -300, Worth::Good),
            ("192.0.2.1", -301, Worth::Bad),
            ("192.0.2.2", 0, Worth::Bad),
            ("2001:db8::1", 0, Worth::Bad),
        ] {
            assert_eq!(exchange(&secrets, &sent, client, start + after).0, worth, "{client} {after}");
        }
        assert_eq!(exchange(&secrets, &sent, "192.0.2.1", start + 1800).1, server, "as it was");
        assert_ne!(exchange(&secrets, &sent, "192.0.2.1", start + 1801).1, server, "made anew");
        let other_client = format!("ff02030405060708{server}");
        assert_eq!(exchange(&secrets, &other_client, "192.0.2.1", start).0, Worth::Bad);
        let foreign = format!("0102030405060708{}", "00".repeat(8));
        assert_eq!(exchange(&secrets, &foreign, "192.0.2.1", start).0, Worth::Bad);
    }

    #[test]
    fn a_random_secret_changes_every_day_and_cookies_live_on() {
        let secrets = random();
        let midnight = 1_795_392_000 / 86_400 * 86_400;
        let (_, server) = exchange(&secrets, "0102030405060708", "192.0.2.1", midnight - 1);
        let sent = format!("0102030405060708{server}");
        assert_eq!(exchange(&secrets, &sent, "192.0.2.1", midnight + 60).0, Worth::Good);
        let of_day = |time: i64| secrets.newest(time as u32);
        assert!(of_day(midnight - 1) != of_day(midnight) && of_day(midnight) == of_day(midnight + 86_399));
    }

    #[test]
    fn cookies_have_8_or_16_to_40_octets() {
        for length in 0..=48 {
            let good = length == 8 || (16..=40).contains(&length);
            assert_eq!(Cookie::read(&vec![0; length]).is_some(), good, "{length}");
        }
    }
}
