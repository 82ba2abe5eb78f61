//! `acl`: what clients get, by the networks they are in. The longest network that holds a client counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::Options;
use super::action::{Action, Actions, Building, load_actions};
use super::builder::Problem;
use super::condition::Condition;
use super::ip4;
use super::ip6trie::network;
use super::loading::{Error, Loaded, Source};
use super::ranges::{Id, Range, Ranges, innermost};
use super::value::{LONGEST_TEXT, Text, Value};
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
    actions: Actions,
    count: usize,
}

impl Acl {
    /// The list in whose place this stands cannot be read: as nobody knows who may ask, nobody may.
    pub fn refusing_all() -> Self {
        Self {
            ipv4: Ranges::new([Range { first: 0, last: u32::MAX, value: 0 }]),
            ipv6: Ranges::new([Range { first: 0, last: u128::MAX, value: 0 }]),
            actions: Actions::new(vec![Action::Refuse], Vec::new()),
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
        Self::of(networks, Actions::new(actions, values))
    }

    fn of(networks: Networks, actions: Actions) -> Self {
        let Networks { ipv4, ipv6 } = networks;
        Self {
            count: ipv4.len() + ipv6.len(),
            ipv4: Ranges::new(innermost(ipv4)),
            ipv6: Ranges::new(innermost(ipv6)),
            actions,
        }
    }

    /// What this client gets; [`Action::Pass`] if nothing is said of it.
    #[inline]
    pub fn action(&self, client: IpAddr) -> Action {
        let id = match client.to_canonical() {
            IpAddr::V4(client) => self.ipv4.get(client.to_bits()),
            IpAddr::V6(client) => self.of_ipv6(client),
        };
        id.map_or(Action::Pass, |id| self.actions.get(id))
    }

    /// Apart, as it takes more than IPv4 does, which most clients have.
    #[inline(never)]
    fn of_ipv6(&self, client: Ipv6Addr) -> Option<Id> {
        self.ipv6.get(client.to_bits())
    }

    /// What stands behind [`Action::List`].
    pub fn actions(&self) -> &Actions {
        &self.actions
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

    /// Takes in an entry of a file.
    fn read(&mut self, entry: &[u8], clear_host_bits: bool, building: &mut Building) -> Result<(), Problem> {
        match ip4::key(entry, clear_host_bits) {
            Ok((key, rest)) => {
                let value = Some(building.action(rest)?);
                self.ipv4.push(Range { first: key.first, last: key.last, value });
            }
            Err(_) => {
                let (network, rest) = network(entry, clear_host_bits)?;
                let value = Some(building.action(rest)?);
                self.ipv6.push(Range { first: network.first, last: network.last, value });
            }
        }
        Ok(())
    }
}

/// Reads the files of a list of clients.
pub fn load_acl(files: &[Source<'_>], options: &Options) -> Result<Loaded<Acl>, Error> {
    let mut networks = Networks::default();
    let loaded = load_actions(files, options, |entry, building| {
        networks.read(entry, options.clear_host_bits, building)
    })?;
    Ok(loaded.map(|(actions, _)| Acl::of(networks, actions)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::dataset::{Data, Records, Tally};

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
        acl.actions().records(0, "198.51.100.9".parse().unwrap(), &mut records);
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn words_behind_an_action_have_no_meaning() {
        let text = b"$TTL 77\n192.0.2.1 :refuse # told\n192.0.2.2 :ignore ; spam\n192.0.2.3 :empty:\n192.0.2.4 :pass:x\n\
                     192.0.2.5 :Refuse again\n:refuse:\n192.0.2.6\n::1 :empty\n192.0.2.7 :refused\n192.0.2.8 :9:pay\n\
                     192.0.2.9 :pass#on\n192.0.2.10 =refused\n";
        let source = Source { name: "acl", bytes: text };
        let Loaded { set: acl, findings, .. } = load_acl(&[source], &Options::default()).unwrap();
        let action = |last| acl.action([192, 0, 2, last].into());
        let expected =
            [Action::Refuse, Action::Ignore, Action::Empty, Action::Pass, Action::Refuse, Action::Refuse];
        assert_eq!([1, 2, 3, 4, 5, 6].map(action), expected);
        assert_eq!(acl.action(IpAddr::V6(Ipv6Addr::LOCALHOST)), Action::Empty);
        assert_eq!((action(9), action(10)), (Action::Pass, Action::Pass));
        let wrong: Vec<usize> = findings.warnings.iter().map(|warning| warning.line).collect();
        assert_eq!(wrong, [10, 13], "{findings:?}");
        let mut records = Records::new();
        acl.actions().records(0, "192.0.2.8".parse().unwrap(), &mut records);
        assert_eq!(records.iter().map(|record| record.ttl).collect::<Vec<_>>(), [Some(77); 2]);
    }

    #[test]
    fn codes_and_texts_of_entries_take_the_rest_from_those_of_all() {
        let text = b":9:told $\n192.0.2.1 own\n192.0.2.2 :5\n192.0.2.3\n192.0.2.4 :6:\n:refuse\n192.0.2.5\n";
        let source = Source { name: "acl", bytes: text };
        let acl =
            load_acl(&[source, Source { name: "other", bytes: b"192.0.2.6 alone" }], &Options::default());
        let acl = acl.unwrap().set;
        assert_eq!(acl.action([192, 0, 2, 5].into()), Action::Refuse);
        for (last, code, text) in [
            (1, 9, Some("own")),
            (2, 5, Some("told x")),
            (3, 9, Some("told x")),
            (4, 6, None),
            (6, 2, Some("alone")),
        ] {
            let client = IpAddr::from([192, 0, 2, last]);
            let Action::List(value) = acl.action(client) else { panic!("{last} is not listed") };
            let mut records = Records::new();
            acl.actions().records(value, client, &mut records);
            let text = text.map(|text| text.replace('x', &client.to_string()));
            assert_eq!(shown(&records), (Some([127, 0, 0, code].into()), text), "{last}");
        }
    }

    /// The code and the text.
    fn shown(records: &Records<'_>) -> (Option<Ipv4Addr>, Option<String>) {
        let (mut code, mut shown) = (None, None);
        for record in records {
            match &record.data {
                Data::Address(address) => code = Some(*address),
                Data::Text(text, subject) => {
                    let mut out = Vec::new();
                    subject.write(text, &mut out);
                    shown = Some(String::from_utf8(out).unwrap());
                }
                Data::Exchange { .. } => {}
            }
        }
        (code, shown)
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
        acl.actions().records(0, "192.0.2.7".parse().unwrap(), &mut records);
        let text = Some("192.0.2.7 costs $1".to_owned());
        assert_eq!(shown(&records), (Some([127, 0, 0, 9].into()), text));
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
