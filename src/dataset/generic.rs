//! `generic`: records of a zone by their names, like in a zone file: `name [ttl] [IN] A|TXT|MX data`.

use std::net::Ipv4Addr;

use super::DataSet;
use super::answer::{Asked, Data, Record, Records, Subject};
use super::builder::{Builder, Done, Problem, Reading};
use super::names::{self, Key, Names};
use super::syntax::{number, seconds, word};
use super::value::Text;

/// The records read so far.
#[derive(Default)]
pub(super) struct Building(Vec<(Key, Vec<Kept>)>);

/// A record of a name.
#[derive(Debug)]
struct Kept {
    ttl: Option<u32>,
    data: KeptData,
}

#[derive(Debug)]
enum KeptData {
    Address(Ipv4Addr),
    Text(Text),
    /// Its name as it stands in a message.
    Exchange(u16, Box<[u8]>),
}

impl Builder for Building {
    fn entry(&mut self, entry: &[u8], reading: &mut Reading) -> Result<(), Problem> {
        let (name, rest) = word(entry);
        let labels = names::labels(name).ok_or("it begins with no name: write @ for the zone itself")?;
        let (ttl, rest) = match word(rest) {
            (ttl, behind) if seconds(ttl).is_some() => (seconds(ttl), behind),
            _ => (None, rest),
        };
        let rest = match word(rest) {
            (class, behind) if class.eq_ignore_ascii_case(b"IN") => behind,
            _ => rest,
        };
        let (kind, data) = word(rest);
        let data = read_data(kind, data)?;
        let ttl = ttl.map(|ttl| reading.options.bounded(ttl));
        self.0.push(((*names::key(labels.iter())).into(), vec![Kept { ttl, data }]));
        Ok(())
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let count = self.0.len();
        Box::new(Generic { names: Names::new(self.0, |all, one| all.extend(one)), ttl: done.ttl, count })
    }
}

fn read_data(kind: &[u8], data: &[u8]) -> Result<KeptData, Problem> {
    let text = || String::from_utf8_lossy(data).into_owned();
    match kind.to_ascii_uppercase().as_slice() {
        b"A" => Ok(KeptData::Address(text().parse().map_err(|_| "an A record has an IPv4 address")?)),
        b"TXT" => {
            let quoted = data.strip_prefix(b"\"").map(|data| data.strip_suffix(b"\"").unwrap_or(data));
            Ok(KeptData::Text(Text::plain(quoted.unwrap_or(data))))
        }
        b"MX" => {
            let (preference, name) = word(data);
            let preference = number(preference).and_then(|number| u16::try_from(number).ok());
            let name = names::wire(name);
            let (preference, name) = preference.zip(name).ok_or("an MX record has a number and a name")?;
            Ok(KeptData::Exchange(preference, name))
        }
        _ => Err("generic takes A, TXT and MX records only".into()),
    }
}

/// Records by their names.
#[derive(Debug)]
struct Generic {
    names: Names<Vec<Kept>>,
    ttl: Option<u32>,
    count: usize,
}

impl DataSet for Generic {
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        let Some(kept) = self.names.get(&names::key(asked.labels())) else {
            return false;
        };
        records.extend(kept.iter().map(|Kept { ttl, data }| Record {
            ttl: ttl.or(self.ttl),
            data: match data {
                KeptData::Address(address) => Data::Address(*address),
                KeptData::Text(text) => Data::Text(text, Subject::Name(b"")),
                KeptData::Exchange(preference, name) => Data::Exchange { preference: *preference, name },
            },
        }));
        true
    }

    /// Its records are no listings.
    fn could_have(&self, _asked: &Asked<'_>) -> bool {
        false
    }

    fn has_below(&self, asked: &Asked<'_>) -> bool {
        let top = names::key(asked.labels()).len();
        self.names.within(asked).any(|(key, _)| key.len() > top)
    }

    fn is_for_everybody(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        self.count
    }
}
