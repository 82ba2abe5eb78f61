//! `acl`: what clients get, by the networks they are in. The longest network that holds a client counts.

use std::net::IpAddr;

use super::action::Action;
use super::answer::{Records, Subject};
use super::builder::{Problem, Reading};
use super::ip4;
use super::ip6trie::network;
use super::loading::{Error, Loaded, Source, read_lines};
use super::ranges::{Id, Range, Ranges, innermost};
use super::syntax::Line;
use super::value::Value;
use super::{Header, Options};

/// The name of this type, which is no type of data sets.
pub const ACL: &str = "acl";

/// Clients and what they get.
#[derive(Debug)]
pub struct Acl {
    /// To the number of an action.
    ipv4: Ranges<u32>,
    ipv6: Ranges<u128>,
    actions: Box<[Action]>,
    values: Box<[Value]>,
    count: usize,
}

impl Acl {
    /// The list in whose place this stands cannot be read: as nobody knows who may ask, nobody may.
    pub fn refusing_all() -> Self {
        Self {
            ipv4: Ranges::new([Range { first: 0, last: u32::MAX, value: 0 }]),
            ipv6: Ranges::new([Range { first: 0, last: u128::MAX, value: 0 }]),
            actions: [Action::Refuse].into(),
            values: Box::default(),
            count: 0,
        }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What this client gets; [`Action::Pass`] if nothing is said of it.
    pub fn action(&self, client: IpAddr) -> Action {
        let id = match client.to_canonical() {
            IpAddr::V4(client) => self.ipv4.get(client.to_bits()),
            IpAddr::V6(client) => self.ipv6.get(client.to_bits()),
        };
        id.map_or(Action::Pass, |id| self.actions[id as usize])
    }

    /// Adds the records that stand for every address where the action of `client` is [`Action::List`] with this number.
    pub fn records<'a>(&'a self, value: Id, client: IpAddr, records: &mut Records<'a>) {
        self.values[value as usize].add(None, Subject::Address(client), records);
    }
}

/// Reads the files of a list of clients.
pub fn load_acl(files: &[Source<'_>], options: &Options) -> Result<Loaded<Acl>, Error> {
    let mut building = Building {
        reading: Reading::new(options),
        default: Action::Ignore,
        ipv4: Vec::new(),
        ipv6: Vec::new(),
        actions: Vec::new(),
    };
    let (mut warnings, mut wrong) = (Vec::new(), 0);
    for file in files {
        read_lines(file, &mut warnings, &mut wrong, |line| building.line(line))?;
        building.default = Action::Ignore;
        building.reading.end_file();
    }
    let Building { reading, ipv4, ipv6, actions, .. } = building;
    let acl = Acl {
        count: ipv4.len() + ipv6.len(),
        ipv4: Ranges::new(innermost(ipv4)),
        ipv6: Ranges::new(innermost(ipv6)),
        actions: actions.into(),
        values: reading.finish(None).values,
    };
    Ok(Loaded { set: acl, header: Header::default(), warnings, wrong })
}

/// A list of clients on its way from files.
struct Building {
    reading: Reading,
    /// What clients get for whom nothing else is said.
    default: Action,
    ipv4: Vec<Range<u32, Option<Id>>>,
    ipv6: Vec<Range<u128, Option<Id>>>,
    actions: Vec<Action>,
}

impl Building {
    fn line(&mut self, line: Line<'_>) -> Result<(), Problem> {
        match line {
            // What else may stand here says something of a zone, and this is none.
            Line::Special { name, rest } => drop(self.reading.special(name, rest)?),
            Line::Entry(default @ [b':' | b'=', ..]) => self.default = self.read_action(default)?,
            Line::Entry(entry) => self.entry(entry)?,
        }
        Ok(())
    }

    fn entry(&mut self, entry: &[u8]) -> Result<(), Problem> {
        let clear_host_bits = self.reading.options.clear_host_bits;
        match ip4::key(entry, clear_host_bits) {
            Ok((key, rest)) => {
                let value = Some(self.action(rest)?);
                self.ipv4.push(Range { first: key.first, last: key.last, value });
            }
            Err(_) => {
                let (network, rest) = network(entry, clear_host_bits)?;
                let value = Some(self.action(rest)?);
                self.ipv6.push(Range { first: network.first, last: network.last, value });
            }
        }
        Ok(())
    }

    /// The number of the action that stands behind a key.
    fn action(&mut self, rest: &[u8]) -> Result<Id, Problem> {
        let action = self.read_action(rest)?;
        let known = self.actions.iter().position(|known| *known == action);
        let place = known.unwrap_or_else(|| {
            self.actions.push(action);
            self.actions.len() - 1
        });
        Ok(Id::try_from(place).expect("a file has less than 4 G lines"))
    }

    fn read_action(&mut self, text: &[u8]) -> Result<Action, Problem> {
        Action::read(text, self.default, &mut self.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_of_a_client_counts() {
        let text = b"192.0.2.0/24 :refuse\n192.0.2.7 :pass\n0/0 :empty\n2001:db8::/32\n:pass\n2001:db8::1\n198.51.100.0/24 :4:no, $\nx\n";
        let source = Source { name: "acl", bytes: text };
        let Loaded { set: acl, wrong, warnings, .. } = load_acl(&[source], &Options::default()).unwrap();
        for (client, expected) in [
            ("192.0.2.1", Action::Refuse),
            ("192.0.2.7", Action::Pass),
            ("203.0.113.1", Action::Empty),
            ("::ffff:192.0.2.1", Action::Refuse),
            ("2001:db8::2", Action::Ignore),
            ("2001:db8::1", Action::Pass),
            ("::1", Action::Pass),
            ("198.51.100.9", Action::List(0)),
        ] {
            assert_eq!(acl.action(client.parse().unwrap()), expected, "{client}");
        }
        assert_eq!((wrong, warnings[0].line), (1, 8));
        let mut records = Records::new();
        acl.records(0, "198.51.100.9".parse().unwrap(), &mut records);
        assert_eq!(records.len(), 2);
    }
}
