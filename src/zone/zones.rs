//! All zones of a server, and which of them a name belongs to.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::Guard;
use foldhash::{HashMap, HashMapExt};

use super::name::LONGEST_NAME;
use super::query::Question;
use super::{AccessLists, Challenges, Error, Name, Problem, Secrets, Server, Zone};
use crate::clock::Timestamp;
use crate::dataset::Acl;
use crate::ip::read_reversed;
use crate::list::{Lists, Published};

/// So many zones are compared with a name; for one of more, looking it up is faster.
const FEW: usize = 8;

/// The zones beside their lists, which have the same index.
#[derive(Clone)]
pub struct Zones {
    zones: Vec<Zone>,
    lists: Arc<Lists>,
    by_origin: HashMap<Box<[u8]>, usize>,
    /// How many labels origins have, most first, each number once: a look-up tries these and no others.
    depths: Vec<usize>,
    /// Names between a zone and one nested in it: they exist (RFC 4592, section 2.2.2).
    between: HashSet<Box<[u8]>>,
    server: Server,
    challenges: Arc<Challenges>,
}

impl Zones {
    /// Puts the zones together, each with a list that has its test points. Zones may be nested; a name belongs to the
    /// most specific. Fails if two have one origin, or if one stands where another has reversed addresses.
    pub fn new(zones: Vec<Zone>) -> Result<Self, Error> {
        let by_origin = index(&zones)?;
        let mut between = HashSet::new();
        for (inner, outer) in nested(&zones) {
            check_nested(inner, outer)?;
            between.extend(names_between(inner.origin(), outer.origin()));
        }
        Ok(Self {
            depths: depths(&zones),
            lists: Arc::new(Lists::new(zones.iter().map(Zone::rules))),
            by_origin,
            between,
            server: Server::default(),
            challenges: Arc::default(),
            zones,
        })
    }

    /// The same for the clients that `acl` admits, whatever they ask for.
    pub fn with_acl(self, acl: Option<Arc<Acl>>) -> Self {
        Self { server: Server { clients: acl, ..self.server }, ..self }
    }

    /// The same zones on the same lists, each for those whom `access` admits to it; where it says nothing, for those of before.
    pub fn with_access(&self, access: impl Fn(&Zone) -> AccessLists) -> Self {
        let zones = self.zones.iter().map(|zone| zone.clone().with_access(access(zone)));
        Self { zones: zones.collect(), ..self.clone() }
    }

    /// The same on `server`.
    pub fn with_server(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// The same, going on where `before` was: what was used of keys is kept by zone and name, cookies of a random
    /// secret stay good, connections their time, and what a certificate authority asks for its answer.
    pub fn going_on_from(mut self, before: &Self) -> Self {
        for zone in &mut self.zones {
            if let Some(before) = before.zones.iter().find(|before| before.origin() == zone.origin()) {
                zone.go_on_from(before);
            }
        }
        self.server.idle_timeout = before.server.idle_timeout;
        self.challenges = Arc::clone(&before.challenges);
        if let (Some(Secrets::Random(secrets)), Some(Secrets::Random(earlier))) =
            (&mut self.server.cookies, &before.server.cookies)
        {
            *secrets = Arc::clone(earlier);
        }
        self
    }

    /// All that is answered from at `now`. Hold it for one batch of answers, not longer.
    pub fn at(&self, now: Timestamp) -> Moment<'_> {
        Moment { zones: self, published: self.lists.latest(), now }
    }

    /// What holds for all zones.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// The zones in the order in which they were given.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// Their lists, for whoever publishes.
    pub fn lists(&self) -> &Arc<Lists> {
        &self.lists
    }

    /// What a certificate authority finds in them.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Whether `name` is that of a zone, or stands below one.
    pub fn have(&self, name: &Name) -> bool {
        self.zones.iter().any(|zone| name == zone.origin() || name.labels_below(zone.origin()).is_some())
    }

    /// The index of the zone a question belongs to, and how many labels the question has before its origin.
    pub(super) fn find(&self, question: &Question) -> Option<(usize, usize)> {
        let depths = self.depths.iter().filter_map(|depth| question.depth().checked_sub(*depth));
        depths.filter_map(|below| Some((*self.by_origin.get(question.name_from(below))?, below))).next()
    }

    /// The index of the zone whose origin is `name`, as it stands in a query.
    #[inline]
    pub(super) fn exactly(&self, name: &[u8]) -> Option<usize> {
        // Most resolvers ask in small letters, and most servers have few zones.
        let few = &self.zones[..self.zones.len().min(FEW)];
        let same = few.iter().position(|zone| are_same(zone.origin().as_wire(), name));
        same.or_else(|| self.exactly_in_any_case(name))
    }

    /// Apart, as it takes a lot of memory.
    #[inline(never)]
    fn exactly_in_any_case(&self, name: &[u8]) -> Option<usize> {
        let mut small = [0; LONGEST_NAME];
        let small = small.get_mut(..name.len())?;
        small.copy_from_slice(name);
        small.make_ascii_lowercase();
        self.by_origin.get(&*small).copied()
    }

    /// Whether a name stands between a zone and one nested in it.
    pub(super) fn is_between(&self, name: &[u8]) -> bool {
        self.between.contains(name)
    }
}

/// Zones, what each publishes, and the time: what a batch of queries is answered from.
pub struct Moment<'a> {
    pub(super) zones: &'a Zones,
    pub(super) published: Guard<Arc<Vec<Published>>>,
    pub(super) now: Timestamp,
}

impl Moment<'_> {
    /// When it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

/// Whether two names are the same. Most origins are so short that two looks are enough, where comparing all is a call.
#[inline]
fn are_same(one: &[u8], other: &[u8]) -> bool {
    const LOOK: usize = size_of::<u64>();
    one.len() == other.len()
        && one.first_chunk::<LOOK>() == other.first_chunk::<LOOK>()
        && one.last_chunk::<LOOK>() == other.last_chunk::<LOOK>()
        && ((LOOK..=2 * LOOK).contains(&one.len()) || one == other)
}

fn index(zones: &[Zone]) -> Result<HashMap<Box<[u8]>, usize>, Error> {
    let mut by_origin = HashMap::new();
    for (index, zone) in zones.iter().enumerate() {
        if let Some(earlier) = by_origin.insert(Box::from(zone.origin().as_wire()), index) {
            let file: &Zone = &zones[earlier];
            return Err(error(zone, Problem::OriginTwice(file.settings().file.clone())));
        }
    }
    Ok(by_origin)
}

fn depths(zones: &[Zone]) -> Vec<usize> {
    let mut depths: Vec<usize> = zones.iter().map(|zone| zone.origin().labels().count()).collect();
    depths.sort_unstable_by(|a, b| b.cmp(a));
    depths.dedup();
    depths
}

/// Every pair of a zone and another one around it.
fn nested(zones: &[Zone]) -> impl Iterator<Item = (&Zone, &Zone)> {
    let pairs = zones.iter().flat_map(|inner| zones.iter().map(move |outer| (inner, outer)));
    pairs.filter(|(inner, outer)| inner.origin().labels_below(outer.origin()).is_some())
}

/// Below a label that could be an octet or a nibble stand addresses, and below one that is a key as well: a name in their
/// midst would be both.
fn check_nested(inner: &Zone, outer: &Zone) -> Result<(), Error> {
    let below = inner.origin().labels_below(outer.origin()).unwrap_or_default();
    match below.last() {
        Some(next) if read_reversed(std::iter::once(*next)).is_some() => {
            Err(error(inner, Problem::InsideAddresses(outer.origin().clone())))
        }
        Some(next) if outer.sublists().number(next).is_some() => {
            let (zone, sublist) = (outer.origin().clone(), String::from_utf8_lossy(next).into_owned());
            Err(error(inner, Problem::InsideSublist { zone, sublist }))
        }
        Some(next) if outer.keys().is_some_and(|keys| keys.has(next)) => {
            Err(error(inner, Problem::InsideKey(outer.origin().clone())))
        }
        _ => Ok(()),
    }
}

fn names_between(inner: &Name, outer: &Name) -> Vec<Box<[u8]>> {
    let above = std::iter::successors(inner.parent(), Name::parent);
    above.take_while(|name| name != outer).map(|name| Box::from(name.as_wire())).collect()
}

fn error(zone: &Zone, problem: Problem) -> Error {
    Error { zone: zone.origin().clone(), file: zone.settings().file.clone(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::testing::settings;

    fn check(origins: &[&str], expected: Option<(&str, Problem)>) {
        let zones = origins.iter().map(|origin| Zone::new(settings(origin)).unwrap());
        let error = Zones::new(zones.collect()).err();
        let given = error.map(|error| (error.zone.to_string(), error.problem));
        let expected = expected.map(|(zone, problem)| (zone.to_owned(), problem));
        assert_eq!(given, expected, "{origins:?}");
    }

    #[test]
    fn every_origin_has_one_zone() {
        check(&["bl.example", "wl.example", "example"], None);
        let twice = Problem::OriginTwice("zones/bl.example.toml".into());
        check(&["bl.example", "wl.example", "BL.example."], Some(("bl.example.", twice)));
    }

    #[test]
    fn a_name_is_the_origin_of_the_zone_that_has_it() {
        // In wire form of 3, 8, 10, 16, 17 and 29 octets, and more than are compared one by one.
        let origins =
            ["a", "ab.cde", "bl.ddd.x", "blocks.example", "blocked.example", "blocked.by.the.mail.example"];
        let others = (0..FEW).map(|number| format!("other{number}.example"));
        let origins: Vec<String> = origins.into_iter().map(str::to_owned).chain(others).collect();
        let zones = origins.iter().map(|origin| Zone::new(settings(origin)).unwrap());
        let zones = Zones::new(zones.collect()).unwrap();
        for (index, zone) in zones.zones().iter().enumerate() {
            let wire = zone.origin().as_wire();
            assert_eq!(zones.exactly(wire), Some(index));
            assert_eq!(zones.exactly(&wire.to_ascii_uppercase()), Some(index));
            assert_eq!((zones.exactly(&wire[1..]), zones.exactly(&[wire, &[0]].concat())), (None, None));
            for place in 0..wire.len() {
                let mut other = wire.to_vec();
                other[place] = b'_';
                assert_eq!(zones.exactly(&other), None, "{} at {place}", zone.origin());
            }
        }
    }

    #[test]
    fn no_zone_stands_inside_a_sublist() {
        let mut outer = settings("bl.example");
        outer.publish[0].sublist = Some("sasl".parse().unwrap());
        for (inner, is_right) in
            [("sasl.bl.example", false), ("x.sasl.bl.example", false), ("spam.bl.example", true)]
        {
            let zones = vec![Zone::new(outer.clone()).unwrap(), Zone::new(settings(inner)).unwrap()];
            let problem = Zones::new(zones).err().map(|error| error.problem);
            let expected =
                Problem::InsideSublist { zone: "bl.example".parse().unwrap(), sublist: "sasl".to_owned() };
            assert_eq!(problem, (!is_right).then_some(expected), "{inner}");
        }
    }

    #[test]
    fn no_zone_stands_among_addresses() {
        let inside = || Problem::InsideAddresses("bl.example".parse().unwrap());
        for nested in
            ["2.bl.example", "255.bl.example", "f.bl.example", "0.0.127.bl.example", "spam.2.bl.example"]
        {
            let shown = format!("{nested}.");
            check(&["bl.example", nested], Some((&shown, inside())));
            check(&[nested, "bl.example"], Some((&shown, inside())));
        }
        for nested in
            ["spam.bl.example", "2.spam.bl.example", "256.bl.example", "02.bl.example", "ab.bl.example"]
        {
            check(&["bl.example", nested], None);
        }
    }
}
