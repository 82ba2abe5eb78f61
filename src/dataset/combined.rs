//! `combined`: several data sets in one file. `$DATASET type[:name] zone...` begins one, which answers below these zones inside
//! the one that is served; `@` is that one itself.

use std::net::IpAddr;

use super::answer::{Asked, Records};
use super::builder::{Builder, Done, Problem, Reading};
use super::names;
use super::syntax::{word, words};
use super::types::builder;
use super::value::Written;
use super::{DataSet, Header};

/// The data sets read so far.
#[derive(Default)]
pub(super) struct Building(Vec<Part>);

/// One of them, being read.
struct Part {
    origins: Vec<Origin>,
    builder: Box<dyn Builder>,
    reading: Reading,
    /// Of it only the time to live can be its own.
    header: Header,
}

/// The labels of a zone below the one that is served, from left to right.
type Origin = Vec<Box<[u8]>>;

impl Builder for Building {
    fn entry(&mut self, entry: &[u8], _: &mut Reading) -> Result<(), Problem> {
        let part = self.0.last_mut().ok_or("no $DATASET stands before it")?;
        part.builder.entry(entry, &mut part.reading)
    }

    fn special(&mut self, name: &[u8], rest: &[u8], reading: &mut Reading) -> Result<bool, Problem> {
        if name == b"DATASET" {
            self.0.push(begin(rest, reading)?);
            return Ok(true);
        }
        // What stands before the first data set holds for all of them.
        let Some(part) = self.0.last_mut() else { return Ok(false) };
        Ok(part.reading.special(name, rest)? || (name == b"TTL" && part.header.read(name, rest)?))
    }

    fn new_default(&mut self, default: &Written) {
        if let Some(part) = self.0.last_mut() {
            part.reading.set_default(default.clone());
        }
    }

    fn finish(self: Box<Self>, done: Done) -> Box<dyn DataSet> {
        let finish = |part: Part| {
            let ttl = part.header.ttl.or(done.ttl);
            (part.origins, part.builder.finish(part.reading.finish(ttl)))
        };
        Box::new(Combined(self.0.into_iter().map(finish).collect()))
    }
}

fn begin(rest: &[u8], reading: &Reading) -> Result<Part, Problem> {
    let (kind, zones) = word(rest);
    let kind = kind.split(|byte| *byte == b':').next().unwrap_or_default();
    let kind = String::from_utf8_lossy(kind);
    let builder = match &*kind {
        "combined" => return Err("a combined data set cannot be in another one".into()),
        kind => builder(kind).ok_or_else(|| format!("there is no type `{kind}` of data sets to combine"))?,
    };
    let origins: Option<Vec<Origin>> = words(zones).map(names::labels).collect();
    let origins = origins
        .filter(|origins| !origins.is_empty())
        .ok_or("write $DATASET type zone...; @ is the zone itself")?;
    let mut own = Reading::new(&reading.options);
    own.texts = reading.texts.clone();
    own.max_range = reading.max_range;
    Ok(Part { origins, builder, reading: own, header: Header::default() })
}

/// Data sets, each with the zones it answers below.
#[derive(Debug)]
struct Combined(Vec<(Vec<Origin>, Box<dyn DataSet>)>);

impl Combined {
    /// The data sets that speak of a name, and the name as each of them sees it. The zone with the most labels has the name.
    fn asked<'s, 'a>(
        &'s self,
        asked: &Asked<'a>,
    ) -> impl Iterator<Item = (&'s dyn DataSet, Asked<'a>)> + use<'s, 'a> {
        let asked = *asked;
        let of_set = |(origins, set): &'s (Vec<Origin>, Box<dyn DataSet>)| {
            origins.iter().map(move |origin| (origin, &**set))
        };
        let all = self.0.iter().flat_map(of_set);
        let above = all.clone().filter(|(origin, _)| asked.is_below(origin));
        let deepest = above.map(|(origin, _)| origin.len()).max();
        all.filter(move |(origin, _)| Some(origin.len()) == deepest)
            .filter_map(move |(origin, set)| Some((set, asked.below(origin)?)))
    }
}

impl DataSet for Combined {
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool {
        let mut found = false;
        for (set, asked) in self.asked(asked) {
            // The zone itself is there even if the data set has nothing for it.
            found |= set.find(&asked, records) | asked.is_apex();
        }
        found
    }

    fn could_have(&self, asked: &Asked<'_>) -> bool {
        self.asked(asked).any(|(set, asked)| set.could_have(&asked))
    }

    /// A name that is nothing but an address is in the zone itself.
    fn prefetch(&self, address: IpAddr) {
        let of_zone = self.0.iter().filter(|(origins, _)| origins.iter().any(Vec::is_empty));
        of_zone.for_each(|(_, set)| set.prefetch(address));
    }

    fn has_below(&self, asked: &Asked<'_>) -> bool {
        let leads = |origin: &Origin| {
            let count = origin.len().checked_sub(asked.labels().len());
            count.is_some_and(|count| {
                count > 0 && origin[count..].iter().map(|label| &**label).eq(asked.labels())
            })
        };
        self.0.iter().flat_map(|(origins, _)| origins).any(leads)
            || self.asked(asked).any(|(set, asked)| set.has_below(&asked))
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(_, set)| set.len()).sum()
    }
}
