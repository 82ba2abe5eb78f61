//! `acl`: what clients get, by the networks they are in. The longest network that holds a client counts.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::action::Action;
use super::answer::{Records, Subject};
use super::builder::{Done, Problem, Reading};
use super::condition::Condition;
use super::ip4;
use super::ip6trie::network;
use super::loading::{Error, Findings, Loaded, Source, read_lines};
use super::ranges::{Id, Range, Ranges, innermost};
use super::syntax::Line;
use super::value::{LONGEST_TEXT, Text, Value};
use super::{Header, Options};
use crate::ip::Prefix;

/// The name of this type, which is no type of data sets.
pub const ACL: &str = "acl";

/// What the clients of some networks get, as others than files say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Where the clients are.
    pub networks: Vec<Prefix>,
    /// What they get.
    pub treatment: Treatment,
}

/// What a client gets, with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// [`Action::Pass`]
    Pass,
    /// [`Action::Refuse`]
    Refuse,
    /// [`Action::Ignore`]
    Ignore,
    /// [`Action::Empty`]
    Empty,
    /// [`Action::List`]
    List {
        /// The A record.
        code: Ipv4Addr,
        /// The TXT record, if there is one.
        text: Option<ClientText>,
    },
}

impl Treatment {
    fn action(&self, values: &mut Vec<Value>) -> Action {
        match self {
            Self::Pass => Action::Pass,
            Self::Refuse => Action::Refuse,
            Self::Ignore => Action::Ignore,
            Self::Empty => Action::Empty,
            Self::List { code, text } => {
                let text = text.as_ref().map(|text| text.0.clone());
                values.push(Value { code: *code, text, condition: Condition::default() });
                Action::List(Id::try_from(values.len() - 1).expect("nobody writes 4 G lists of clients"))
            }
        }
    }
}

/// A text in which `$client` stands for the address of the client, and `$$` for a dollar sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientText(Text);

/// What was written is no such text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseClientTextError {
    /// A `$` with something else behind it.
    #[error("use $client for the address of the client, $$ for a dollar sign, and no other variable")]
    UnknownVariable,
    /// The text would always be cut, or have characters that break lines of SMTP.
    #[error("a text has at most {LONGEST_TEXT} printable characters of ASCII")]
    Unprintable,
}

impl FromStr for ClientText {
    type Err = ParseClientTextError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let printable = written.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if written.len() > LONGEST_TEXT || !printable {
            return Err(ParseClientTextError::Unprintable);
        }
        Text::with_subject(written, "client").map(Self).ok_or(ParseClientTextError::UnknownVariable)
    }
}

/// Clients and what they get.
#[derive(Debug)]
pub struct Acl {
    /// To the number of an action.
    ipv4: Ranges<u32>,
    ipv6: Ranges<u128>,
    actions: Box<[Action]>,
    values: Box<[Value]>,
    /// Of the records of all values, if it says so.
    ttl: Option<u32>,
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
            ttl: None,
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

    /// Of a network that stands there twice, the first counts.
    pub fn new(clients: &[Clients]) -> Self {
        let mut values = Vec::new();
        let actions = clients.iter().map(|clients| clients.treatment.action(&mut values)).collect();
        let mut networks = Networks::default();
        for (id, clients) in (0..).zip(clients) {
            clients.networks.iter().for_each(|network| networks.push(*network, id));
        }
        Self::of(networks, actions, values.into(), None)
    }

    fn of(networks: Networks, actions: Box<[Action]>, values: Box<[Value]>, ttl: Option<u32>) -> Self {
        let Networks { ipv4, ipv6 } = networks;
        Self {
            count: ipv4.len() + ipv6.len(),
            ipv4: Ranges::new(innermost(ipv4)),
            ipv6: Ranges::new(innermost(ipv6)),
            actions,
            values,
            ttl,
        }
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
        self.values[value as usize].add(self.ttl, Subject::Address(client), records);
    }
}

/// Networks of clients, each with the number of an action.
#[derive(Default)]
struct Networks {
    ipv4: Vec<Range<u32, Option<Id>>>,
    ipv6: Vec<Range<u128, Option<Id>>>,
}

impl Networks {
    fn push(&mut self, network: Prefix, action: Id) {
        let value = Some(action);
        match network.net() {
            IpNet::V4(net) => {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                self.ipv4.push(Range { first, last, value });
            }
            IpNet::V6(net) => {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                self.ipv6.push(Range { first, last, value });
            }
        }
    }
}

/// Reads the files of a list of clients.
pub fn load_acl(files: &[Source<'_>], options: &Options) -> Result<Loaded<Acl>, Error> {
    let mut building = Building {
        reading: Reading::new(options),
        header: Header::default(),
        default: Action::Ignore,
        networks: Networks::default(),
        actions: Vec::new(),
    };
    let mut findings = Findings::default();
    for file in files {
        read_lines(file, &mut findings, |line| building.line(line))?;
        building.default = Action::Ignore;
        building.reading.end_file();
    }
    let Building { reading, header, networks, actions, .. } = building;
    let Done { values, ttl, .. } = reading.finish(header.ttl);
    let acl = Acl::of(networks, actions.into(), values, ttl);
    // The rest of it is what a zone says of itself.
    Ok(Loaded { set: acl, header: Header::default(), findings })
}

/// A list of clients on its way from files.
struct Building {
    reading: Reading,
    header: Header,
    /// What clients get for whom nothing else is said.
    default: Action,
    networks: Networks,
    actions: Vec<Action>,
}

impl Building {
    fn line(&mut self, line: Line<'_>) -> Result<(), Problem> {
        match line {
            Line::Special { name, rest } => self.special(name, rest)?,
            Line::Default(default) | Line::Entry(default @ [b'=', ..]) => {
                self.default = self.read_action(default)?;
            }
            Line::Entry(entry) => self.entry(entry)?,
        }
        Ok(())
    }

    /// What may stand here beside the time to live says something of a zone, and this is none.
    fn special(&mut self, name: &[u8], rest: &[u8]) -> Result<(), Problem> {
        if !self.reading.special(name, rest)? {
            self.header.read(name, rest)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &[u8]) -> Result<(), Problem> {
        let clear_host_bits = self.reading.options.clear_host_bits;
        match ip4::key(entry, clear_host_bits) {
            Ok((key, rest)) => {
                let value = Some(self.action(rest)?);
                self.networks.ipv4.push(Range { first: key.first, last: key.last, value });
            }
            Err(_) => {
                let (network, rest) = network(entry, clear_host_bits)?;
                let value = Some(self.action(rest)?);
                self.networks.ipv6.push(Range { first: network.first, last: network.last, value });
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
    use std::net::Ipv6Addr;

    use super::*;
    use crate::dataset::{Data, Tally};

    #[test]
    fn the_longest_network_of_a_client_counts() {
        let text = b"192.0.2.0/24 :refuse\n192.0.2.7 :pass\n0/0 :empty\n2001:db8::/32\n:pass\n2001:db8::1\n198.51.100.0/24 :4:no, $\nx\n";
        let source = Source { name: "acl", bytes: text };
        let Loaded { set: acl, findings, .. } = load_acl(&[source], &Options::default()).unwrap();
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
        assert_eq!(findings.files, [Tally { entries: 6, wrong: 1 }]);
        assert_eq!(findings.warnings[0].line, 8);
        let mut records = Records::new();
        acl.records(0, "198.51.100.9".parse().unwrap(), &mut records);
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn words_behind_an_action_have_no_meaning() {
        let text = b"$TTL 77\n192.0.2.1 :refuse # told\n192.0.2.2 :ignore ; spam\n192.0.2.3 :empty:\n192.0.2.4 :pass:x\n\
                     192.0.2.5 :Refuse again\n:refuse:\n192.0.2.6\n::1 :empty\n192.0.2.7 :refused\n192.0.2.8 :9:pay\n";
        let source = Source { name: "acl", bytes: text };
        let Loaded { set: acl, findings, .. } = load_acl(&[source], &Options::default()).unwrap();
        let action = |last| acl.action([192, 0, 2, last].into());
        let expected =
            [Action::Refuse, Action::Ignore, Action::Empty, Action::Pass, Action::Refuse, Action::Refuse];
        assert_eq!([1, 2, 3, 4, 5, 6].map(action), expected);
        assert_eq!(acl.action(IpAddr::V6(Ipv6Addr::LOCALHOST)), Action::Empty);
        assert_eq!((findings.warnings.len(), findings.warnings[0].line), (1, 10), "{findings:?}");
        let mut records = Records::new();
        acl.records(0, "192.0.2.8".parse().unwrap(), &mut records);
        assert_eq!(records.iter().map(|record| record.ttl).collect::<Vec<_>>(), [Some(77); 2]);
    }

    #[test]
    fn what_is_written_elsewhere_says_the_same() {
        let clients = |networks: &[&str], treatment| Clients {
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
            treatment,
        };
        let text = Some("$client costs $$1".parse().unwrap());
        let acl = Acl::new(&[
            clients(&["0.0.0.0/0", "::/0"], Treatment::Refuse),
            clients(&["192.0.2.0/24", "2001:db8::/32"], Treatment::Pass),
            clients(&["192.0.2.7", "2001:db8::7"], Treatment::List { code: [127, 0, 0, 9].into(), text }),
            clients(&["192.0.2.8"], Treatment::Ignore),
            clients(&["192.0.2.9"], Treatment::Empty),
        ]);
        for (client, expected) in [
            ("198.51.100.1", Action::Refuse),
            ("2001:db9::", Action::Refuse),
            ("192.0.2.1", Action::Pass),
            ("2001:db8::1", Action::Pass),
            ("192.0.2.7", Action::List(0)),
            ("2001:db8::7", Action::List(0)),
            ("::ffff:192.0.2.8", Action::Ignore),
            ("192.0.2.9", Action::Empty),
        ] {
            assert_eq!(acl.action(client.parse().unwrap()), expected, "{client}");
        }
        let mut records = Records::new();
        acl.records(0, "192.0.2.7".parse().unwrap(), &mut records);
        let Some(Data::Text(text, subject)) = records.last().map(|record| record.data.clone()) else {
            panic!("no text: {records:?}")
        };
        let mut shown = Vec::new();
        subject.write(text, &mut shown);
        assert_eq!(String::from_utf8(shown).unwrap(), "192.0.2.7 costs $1");
    }

    #[test]
    fn texts_for_clients_have_one_variable() {
        let unknown = Err(ParseClientTextError::UnknownVariable);
        for wrong in ["$ip", "$", "a $$$ b", "$clien"] {
            assert_eq!(wrong.parse::<ClientText>(), unknown, "{wrong}");
        }
        for wrong in ["a\nb", "ä", &"x".repeat(256)] {
            assert_eq!(wrong.parse::<ClientText>(), Err(ParseClientTextError::Unprintable), "{wrong}");
        }
    }
}
