//! What the special lines of files say of their zone: SOA, name servers, times.

use jiff::civil::DateTime;

use super::names::is_host;
use super::syntax::{number, seconds, word, words};
use crate::clock::Timestamp;

/// More name servers than this are left out.
const MOST_NAME_SERVERS: usize = 32;

/// What the files of a data set say of their zone. Of `$SOA`, `$NS` and the times the first counts, of `$TTL` the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `$SOA`.
    pub soa: Option<Soa>,
    /// `$NS`: names of servers as they are written, each that of a host, and the time to live of these records in seconds.
    pub name_servers: Option<(u32, Vec<String>)>,
    /// `$TTL`: the time to live of records in seconds; `None` is that of the zone.
    pub ttl: Option<u32>,
    /// `$TIMESTAMP`: when the data was made.
    pub created: Option<Timestamp>,
    /// `$TIMESTAMP`: from then on the data is too old to be served.
    pub expires: Option<Timestamp>,
}

/// The SOA record as a file gives it (RFC 1035, section 3.3.13); times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// Its own time to live; 0 is that of the zone.
    pub ttl: u32,
    /// MNAME.
    pub primary: String,
    /// RNAME.
    pub contact: String,
    /// 0 stands for when the newest file was written.
    pub serial: u32,
    /// How often secondaries look for changes.
    pub refresh: u32,
    /// How soon they look again after a failure.
    pub retry: u32,
    /// How long they serve without having seen the zone.
    pub expire: u32,
    /// How long the absence of a record may be kept (RFC 2308, section 5).
    pub minimum: u32,
}

impl Header {
    /// Takes in `$name rest`; `false`: it is none of these.
    pub(super) fn read(&mut self, name: &[u8], rest: &[u8]) -> Result<bool, &'static str> {
        match name {
            b"SOA" => {
                let soa = read_soa(rest).ok_or(
                    "write $SOA ttl mname rname serial refresh retry expire minimum, with names such as ns.example.",
                )?;
                self.soa.get_or_insert(soa);
            }
            b"NS" => {
                let servers =
                    read_name_servers(rest).ok_or("write $NS ttl name..., with names such as ns.example.")?;
                self.name_servers.get_or_insert(servers);
            }
            b"TTL" => {
                let ttl = seconds(rest)
                    .ok_or("write a number of seconds, or one with s, m, h, d or w behind it")?;
                self.ttl = (ttl > 0).then_some(ttl);
            }
            b"TIMESTAMP" => self.read_times(rest).ok_or("write $TIMESTAMP created [expires]")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_times(&mut self, rest: &[u8]) -> Option<()> {
        let (created, expires) = word(rest);
        let created = time(created)?;
        let expires = match expires {
            [] | [b'-'] => None,
            [b'+', span @ ..] => Some(created? + std::time::Duration::from_secs(seconds(span)?.into())),
            expires => time(expires)?,
        };
        self.created = self.created.or(created);
        self.expires = self.expires.or(expires);
        Some(())
    }
}

fn read_soa(rest: &[u8]) -> Option<Soa> {
    let mut words = words(rest);
    let mut next = || words.next();
    let soa = Soa {
        ttl: seconds(next()?)?,
        primary: name(next()?)?,
        contact: name(next()?)?,
        serial: number(next()?)?,
        refresh: seconds(next()?)?,
        retry: seconds(next()?)?,
        expire: seconds(next()?)?,
        minimum: seconds(next()?)?,
    };
    next().is_none().then_some(soa)
}

/// A name with a hyphen before it is out of use.
fn read_name_servers(rest: &[u8]) -> Option<(u32, Vec<String>)> {
    let (ttl, names) = word(rest);
    let used = words(names).filter(|name| !name.starts_with(b"-"));
    let names: Vec<String> = used.map(name).take(MOST_NAME_SERVERS).collect::<Option<_>>()?;
    Some((seconds(ttl)?, names)).filter(|(_, names)| !names.is_empty())
}

fn name(written: &[u8]) -> Option<String> {
    is_host(written).then(|| String::from_utf8_lossy(written).into_owned())
}

/// A time as a number of seconds since 1970 or as `2026:11:27:08:30:00`, from the end of which parts may be left out; 0 or a
/// hyphen is none.
fn time(written: &[u8]) -> Option<Option<Timestamp>> {
    match written {
        b"0" | b"-" => return Some(None),
        digits if digits.iter().all(u8::is_ascii_digit) => {
            return Some(Some(Timestamp::from_secs(number(digits)?.into())));
        }
        _ => {}
    }
    let mut parts = [0, 1, 1, 0, 0, 0];
    let written: Vec<&[u8]> = written.split(|byte| b":-T".contains(byte)).collect();
    if !(3..=parts.len()).contains(&written.len()) {
        return None;
    }
    for (part, text) in parts.iter_mut().zip(written) {
        *part = i16::try_from(number(text)?).ok()?;
    }
    let [year, rest @ ..] = parts;
    let [month, day, hour, minute, second] = rest.map(|part| i8::try_from(part).unwrap_or(-1));
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(Some(Timestamp::from_secs(jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_second())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[(&str, &str)]) -> Result<Header, &'static str> {
        let mut header = Header::default();
        for (name, rest) in lines {
            assert!(header.read(name.as_bytes(), rest.as_bytes())?, "{name}");
        }
        Ok(header)
    }

    #[test]
    fn the_first_of_each_line_counts() {
        let header = read(&[
            ("SOA", "0 ns.example. host.example. 7 1h 30m 2d 90"),
            ("SOA", "1 x. y. 1 1 1 1 1"),
            ("NS", "1d ns1.example -ns2.example ns3.example."),
            ("NS", "5 other.example"),
            ("TTL", "35m"),
        ])
        .unwrap();
        let soa = header.soa.unwrap();
        assert_eq!(
            (soa.ttl, &*soa.primary, &*soa.contact, soa.serial),
            (0, "ns.example.", "host.example.", 7)
        );
        assert_eq!((soa.refresh, soa.retry, soa.expire, soa.minimum), (3600, 1800, 172_800, 90));
        assert_eq!(
            header.name_servers,
            Some((86_400, vec!["ns1.example".to_owned(), "ns3.example.".to_owned()]))
        );
        assert_eq!(header.ttl, Some(2100));
    }

    #[test]
    fn times_are_written_in_several_ways() {
        let times = |rest| read(&[("TIMESTAMP", rest)]).map(|header| (header.created, header.expires));
        let at = |seconds| Some(Timestamp::from_secs(seconds));
        for (written, expected) in [
            ("0", Ok((None, None))),
            ("1795334286", Ok((at(1_795_334_286), None))),
            ("1795334286 1795334300", Ok((at(1_795_334_286), at(1_795_334_300)))),
            ("1795334286 +1h", Ok((at(1_795_334_286), at(1_795_337_886)))),
            ("2026:11:22", Ok((at(1_795_305_600), None))),
            ("2026-11-22T08:04:12 +0", Ok((at(1_795_334_652), at(1_795_334_652)))),
        ] {
            assert_eq!(times(written), expected, "{written}");
        }
        for wrong in ["", "2026:13:01", "2026:11", "0 +1h", "soon"] {
            assert!(times(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(read(&[("SOA", "0 a. b. 1 2 3 4")]).is_err());
        assert!(read(&[("NS", "1d")]).is_err());
        for name in
            ["ns..example.", ".", "@", "a/b.", &format!("{}.", "a".repeat(64)), &"long.name.".repeat(26)]
        {
            assert!(read(&[("SOA", &format!("0 {name} b. 1 2 3 4 5"))]).is_err(), "{name}");
            assert!(read(&[("SOA", &format!("0 a. {name} 1 2 3 4 5"))]).is_err(), "{name}");
            assert!(read(&[("NS", &format!("1d ns.example. {name}"))]).is_err(), "{name}");
        }
        assert!(read(&[("TTL", "soon")]).is_err());
        assert_eq!(Header::default().read(b"MAXRANGE4", b"5"), Ok(false));
    }
}
