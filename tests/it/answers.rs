//! What the server answers, as data: `tests/data/dns/*.txt`, whose format stands at the top of `answers.txt` there.
//! Replies are read by hickory-proto, which shares no code with what writes them.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::dataset::{self, ACL, ACLKEY, Acl, Clients, Options, Source, Treatment, test_points};
use banzone::ip::{Prefix, PrefixSet, write_reversed};
use banzone::jail::{Allow, Ban, BanTable, Held, Origin};
use banzone::list::{PublishedSet, Publisher};
use banzone::zone::{
    AccessLists, Admission, KeySettings, Outcome, Peer, Publish, Rate, Rcode, Replied, Secret, Secrets,
    Server, Settings, StaticList, Transport, Zone, Zones, answer,
};
use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, Record, RecordType};
use proptest::prelude::*;

/// When every script begins: 2026-11-22T08:04:12Z.
const START: Timestamp = Timestamp::from_secs(1_795_334_652);

/// The number of the last change, and what the serials of SOA records are counted from.
const CHANGE: u64 = 7;
const SERIAL_BASE: u32 = 2_026_000_000;

#[test]
fn scripts_are_answered_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dns");
    let mut failures = Vec::new();
    let mut steps = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let script = Script::read(&fs::read_to_string(&path).unwrap());
        let zones = script.zones();
        steps += script.steps.len();
        for step in &script.steps {
            let given = step.run(&zones);
            if given != step.expected {
                let place = format!("{}:{}: {}", path.display(), step.line, step.question);
                let (expected, given) = (step.expected.join("\n  "), given.join("\n  "));
                failures.push(format!("{place}\nexpected\n  {expected}\ngot\n  {given}\n"));
            }
        }
    }
    assert!(steps > 100, "only {steps} questions found");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A script: what is set up, then questions with what is expected.
#[derive(Default)]
struct Script {
    zones: Vec<Settings>,
    bans: Vec<Ban>,
    allow: Vec<Allow>,
    /// Of each data set: the index of its zone, and its lines.
    entries: Vec<(usize, String)>,
    /// What holds for all zones.
    clients: Vec<Clients>,
    server: Server,
    defined: Vec<(String, String)>,
    steps: Vec<Step>,
}

struct Step {
    line: usize,
    question: String,
    packet: Vec<u8>,
    client: IpAddr,
    transport: Transport,
    now: Timestamp,
    expected: Vec<String>,
}

impl Script {
    fn read(text: &str) -> Self {
        let mut script = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if let Some((word, rest)) = line.split_once(' ')
                && !line.starts_with('#')
            {
                script.read_line(number, word, rest.trim());
            }
        }
        script
    }

    fn read_line(&mut self, line: usize, word: &str, rest: &str) {
        match word {
            "zone" => self.zones.push(zone(rest)),
            "ns" => {
                let (zone, name) = (self.last_zone(), rest.parse::<banzone::zone::Name>().unwrap());
                if zone.name_servers.is_empty() {
                    zone.primary = name.clone();
                }
                zone.name_servers.push(name);
            }
            "publish" => {
                let publish = publish(rest);
                self.last_zone().publish.push(publish);
            }
            "sublist" => {
                self.last_zone().publish.last_mut().unwrap().sublist = Some(rest.parse().unwrap());
            }
            "dataset" => {
                self.entries.push((self.zones.len() - 1, String::new()));
                self.last_zone().data_sets.push(data_set(rest));
            }
            "entry" => {
                let (_, entries) = self.entries.last_mut().unwrap();
                *entries += &format!("{rest}\n");
            }
            "ban" => self.bans.push(ban(rest)),
            "allow" => self.allow.push(allow(rest)),
            "define" => {
                let (name, meaning) = rest.split_once(' ').unwrap();
                self.defined.push((name.to_owned(), meaning.trim().to_owned()));
            }
            "access" => {
                let clients = access(rest);
                self.zones
                    .last_mut()
                    .map_or(&mut self.clients, |zone| &mut zone.admission.clients)
                    .push(clients);
            }
            "key" => {
                let key = key(rest);
                self.last_zone().admission.keys.get_or_insert_default().keys.push(key);
            }
            "key_refusal" => {
                self.last_zone().admission.keys.get_or_insert_default().silently = rest == "ignore";
            }
            "idle_timeout" => self.server.idle_timeout = Some(Duration::from_secs(rest.parse().unwrap())),
            "nsid" => self.server.nsid = Some(rest.parse().unwrap()),
            "cookie_secret" => {
                let octets: Vec<u8> = octets(rest).collect();
                let newest = Secret::new(octets.try_into().unwrap());
                self.server.cookies = Some(Secrets::Shared { newest, others: Vec::new() });
            }
            "query" => self.steps.push(Step::query(line, rest)),
            "raw" => self.steps.push(Step::raw(line, rest)),
            "reply" | "answer" | "authority" | "edns" | "option" | "size" => {
                let meaning = |token: &str| {
                    let defined = self.defined.iter().find(|(name, _)| name == token);
                    defined.map_or_else(|| token.to_owned(), |(_, meaning)| meaning.clone())
                };
                let words: Vec<String> = rest.split_whitespace().map(meaning).collect();
                let step = self.steps.last_mut().unwrap();
                step.expected.push(format!("{word} {}", words.join(" ")));
            }
            _ => panic!("line {line}: unknown word {word}"),
        }
    }

    fn last_zone(&mut self) -> &mut Settings {
        self.zones.last_mut().unwrap()
    }

    fn zones(&self) -> Zones {
        let zone = |(index, settings): (usize, &Settings)| {
            Zone::new(settings.clone()).unwrap().with_access(self.access(index, settings))
        };
        let zones = self.zones.iter().enumerate().map(zone);
        let clients = (!self.clients.is_empty()).then(|| Arc::new(Acl::new(&self.clients)));
        let server = Server { clients, ..self.server.clone() };
        let zones = Zones::new(zones.collect()).unwrap().with_server(server);
        let mut publisher = Publisher::new(Arc::clone(zones.lists()), SERIAL_BASE, PrefixSet::default());
        let mut bans = BanTable::default();
        for Ban { jail, prefix, since, until, count, .. } in &self.bans {
            let jail = bans.jail(jail);
            bans.set(*prefix, Held { jail, since: *since, until: *until, count: *count });
        }
        publisher.start(bans, self.allow.clone(), CHANGE, START);
        let sets = |(index, zone): (usize, &Zone)| {
            let entries = self.entries.iter().filter(|(of, _)| *of == index);
            let sets = zone.settings().data_sets.iter().zip(entries);
            let sets = sets.filter(|(list, _)| !list.settings.is_for_askers());
            sets.flat_map(|(list, (_, entries))| published(zone, list, entries)).collect()
        };
        zones.lists().publish_sets(&zones.zones().iter().enumerate().map(sets).collect::<Vec<_>>());
        zones
    }

    /// What the data sets of a zone say of who asks.
    fn access(&self, index: usize, settings: &Settings) -> AccessLists {
        let entries =
            self.entries.iter().filter(|(of, _)| *of == index).map(|(_, entries)| entries.as_bytes());
        let mut access = AccessLists::default();
        for (list, bytes) in settings.data_sets.iter().zip(entries) {
            let (files, options) = ([Source { name: "set", bytes }], &list.settings.options);
            match &*list.settings.kind {
                ACL => access.clients = Some(Arc::new(dataset::load_acl(&files, options).unwrap().set)),
                ACLKEY => access.keys = Some(Arc::new(dataset::load_aclkey(&files, options).unwrap().set)),
                _ => {}
            }
        }
        access
    }
}

/// `ORIGIN [ttl=S] [soa_ttl=S] [negative_ttl=S]`
fn zone(written: &str) -> Settings {
    let mut words = written.split_whitespace();
    let origin = words.next().unwrap();
    let mut settings = Settings {
        origin: origin.parse().unwrap(),
        primary: format!("ns1.{origin}").parse().unwrap(),
        name_servers: Vec::new(),
        ns_ttl: Duration::from_secs(3600),
        contact: format!("hostmaster.{origin}").parse().unwrap(),
        ttl: Duration::from_secs(300),
        soa_ttl: Duration::from_secs(3600),
        refresh: Duration::from_secs(7200),
        retry: Duration::from_secs(900),
        expire: Duration::from_secs(1_209_600),
        negative_ttl: Duration::from_secs(60),
        publish: Vec::new(),
        data_sets: Vec::new(),
        admission: Admission::default(),
        file: format!("zones/{origin}toml").into(),
    };
    for (name, value) in words.map(|word| word.split_once('=').unwrap()) {
        let value = Duration::from_secs(value.parse().unwrap());
        match name {
            "ttl" => settings.ttl = value,
            "soa_ttl" => (settings.soa_ttl, settings.ns_ttl) = (value, value),
            "negative_ttl" => settings.negative_ttl = value,
            _ => panic!("unknown time {name}"),
        }
    }
    settings
}

/// `CODE JAIL,JAIL TEXT`
fn publish(written: &str) -> Publish {
    let mut words = written.splitn(3, ' ');
    Publish {
        code: words.next().unwrap().parse().unwrap(),
        jails: words.next().unwrap().split(',').map(Arc::from).collect(),
        text: words.next().unwrap_or_default().parse().unwrap(),
        sublist: None,
    }
}

/// `TYPE CODE [NAME]`
fn data_set(written: &str) -> StaticList {
    let mut words = written.split_whitespace();
    let kind = words.next().unwrap().to_owned();
    let code = words.next().unwrap().parse().unwrap();
    let options = Options { code, text: Some("$ in the set".to_owned()), ..Options::default() };
    StaticList {
        settings: dataset::Settings { kind, files: Vec::new(), options },
        allow_reserved: Some(PrefixSet::default()),
        sublist: words.next().map(|name| name.parse().unwrap()),
    }
}

/// The entries of a data set, and its test points, as a zone publishes them.
fn published(zone: &Zone, list: &StaticList, entries: &str) -> Vec<PublishedSet> {
    let StaticList { settings, allow_reserved, sublist } = list;
    let source = Source { name: "set", bytes: entries.as_bytes() };
    let loaded = dataset::load(&settings.kind, &[source], &settings.options, START).unwrap();
    assert_eq!(loaded.findings.warnings, []);
    let one = |set, is_test| PublishedSet {
        set,
        title: "set".into(),
        sublist: sublist.as_ref().and_then(|name| zone.sublist(name)),
        expires: loaded.header.expires,
        is_test,
        allow_reserved: allow_reserved.clone(),
    };
    let points = test_points(&settings.kind, &settings.options);
    [one(loaded.set.into(), false)].into_iter().chain(points.map(|points| one(points, true))).collect()
}

/// `PREFIX JAIL SECONDS|forever`
fn ban(written: &str) -> Ban {
    let mut words = written.split_whitespace();
    Ban {
        prefix: words.next().unwrap().parse().unwrap(),
        jail: words.next().unwrap().into(),
        since: START,
        until: match words.next().unwrap() {
            "forever" => None,
            seconds => Some(START + Duration::from_secs_f64(seconds.parse().unwrap())),
        },
        first: None,
        origin: Origin::Log,
        failures: 5,
        count: 1,
        evidence: Vec::new(),
    }
}

fn allow(prefix: &str) -> Allow {
    Allow {
        prefix: prefix.parse().unwrap(),
        note: String::new(),
        owner: String::new(),
        since: START,
        until: None,
    }
}

/// `PREFIX,PREFIX... pass|refuse|ignore|empty|list [CODE TEXT]`
fn access(written: &str) -> Clients {
    let mut words = written.splitn(4, ' ');
    let networks = words.next().unwrap().split(',').map(|prefix| prefix.parse().unwrap()).collect();
    let treatment = match words.next().unwrap() {
        "pass" => Treatment::Pass,
        "refuse" => Treatment::Refuse,
        "ignore" => Treatment::Ignore,
        "empty" => Treatment::Empty,
        "list" => Treatment::List {
            code: words.next().unwrap().parse().unwrap(),
            text: words.next().map(|text| text.parse().unwrap()),
        },
        other => panic!("unknown action {other}"),
    };
    Clients { networks, treatment }
}

/// `NAME LABEL [per_day=N] [per_second=N] [expires=S]`
fn key(written: &str) -> KeySettings {
    let mut words = written.split_whitespace();
    let mut key = KeySettings {
        name: words.next().unwrap().into(),
        label: words.next().unwrap().parse().unwrap(),
        per_second: None,
        per_day: None,
        expires: None,
    };
    for (option, value) in words.map(|word| word.split_once('=').unwrap()) {
        let value: u32 = value.parse().unwrap();
        match option {
            "per_day" => key.per_day = Some(value.into()),
            "per_second" => key.per_second = Some(Rate::new(value)),
            "expires" => key.expires = Some(START + Duration::from_secs(value.into())),
            _ => panic!("unknown option {option}"),
        }
    }
    key
}

/// Who asks unless a script names another.
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 53));

impl Step {
    /// `NAME TYPE [option...]`
    fn query(line: usize, written: &str) -> Self {
        let mut words = written.split_whitespace();
        let mut query = Query::new(words.next().unwrap(), kind(words.next().unwrap()));
        let mut step = Self {
            line,
            question: written.to_owned(),
            packet: Vec::new(),
            client: CLIENT,
            transport: Transport::Udp,
            now: START,
            expected: Vec::new(),
        };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("tcp", _) => step.transport = Transport::Tcp,
                ("from", address) => step.client = address.parse().unwrap(),
                ("at", seconds) => step.now = START + Duration::from_secs_f64(seconds.parse().unwrap()),
                (option, value) => query.set(option, value),
            }
        }
        step.packet = query.packet();
        step
    }

    /// Hexadecimal octets, and names between quotes.
    fn raw(line: usize, written: &str) -> Self {
        let mut packet = Vec::new();
        for token in written.split_whitespace() {
            match token.strip_prefix('"') {
                Some(name) => packet.extend(wire(name.trim_end_matches('"'))),
                None => packet.extend(octets(token)),
            }
        }
        Self {
            line,
            question: format!("raw {written}"),
            packet,
            client: CLIENT,
            transport: Transport::Udp,
            now: START,
            expected: Vec::new(),
        }
    }

    /// What was answered, in the words of the script; of the size only if the script names it.
    fn run(&self, zones: &Zones) -> Vec<String> {
        let mut out = vec![0xff; 3];
        let peer = Peer { address: self.client, transport: self.transport };
        let outcome = answer(zones, &self.packet, &peer, self.now, &mut out);
        let Outcome::Replied(Replied { rcode, listed, truncated, refusal, known, .. }) = outcome else {
            assert!(out.is_empty());
            return vec![format!("reply {outcome:?}")];
        };
        let mut given = describe(&self.packet, &out, rcode, listed);
        if let Some(why) = refusal {
            given[0].push_str(&format!(" for={why:?}"));
        }
        if known {
            given[0].push_str(" known");
        }
        assert_eq!(truncated, out[2] & 2 != 0, "{}", self.question);
        if self.expected.iter().any(|line| line.starts_with("size ")) {
            given.push(format!("size {}", out.len()));
        }
        given
    }
}

/// `dig`'s names for types, and TYPE65 for all others.
fn kind(written: &str) -> u16 {
    let number = written.strip_prefix("TYPE").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| RecordType::from_str(written).unwrap().into())
}

/// A name in wire form; `(n)` stands for a label of n times x.
fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let repeated = label.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let label = repeated.map_or_else(|| label.to_owned(), |count| "x".repeat(count.parse().unwrap()));
        wire.push(label.len() as u8);
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}

fn octets(hex: &str) -> impl Iterator<Item = u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
}

/// A query packet in the making.
struct Query {
    flags: u16,
    name: Vec<u8>,
    kind: u16,
    class: u16,
    /// Size, version, flags and options.
    edns: Option<(u16, u8, u16, Vec<u8>)>,
}

impl Query {
    fn new(name: &str, kind: u16) -> Self {
        Self { flags: 0, name: wire(name), kind, class: 1, edns: None }
    }

    fn set(&mut self, option: &str, value: &str) {
        match option {
            "opcode" => self.flags |= value.parse::<u16>().unwrap() << 11,
            "aa" => self.flags |= 0x400,
            "tc" => self.flags |= 0x200,
            "rd" => self.flags |= 0x100,
            "ra" => self.flags |= 0x80,
            "z" => self.flags |= 0x40,
            "ad" => self.flags |= 0x20,
            "cd" => self.flags |= 0x10,
            "rcode" => self.flags |= value.parse::<u16>().unwrap(),
            "class" => self.class = value.parse().unwrap(),
            "edns" => self.edns = Some((value.parse().unwrap(), 0, 0, Vec::new())),
            "version" => self.edns.as_mut().unwrap().1 = value.parse().unwrap(),
            "do" => self.edns.as_mut().unwrap().2 = 0x8000,
            "option" => self.edns.as_mut().unwrap().3 = octets(value).collect(),
            _ => panic!("unknown option {option}"),
        }
    }

    fn packet(&self) -> Vec<u8> {
        let mut packet = vec![0xab, 0xcd];
        for word in [self.flags, 1, 0, 0, u16::from(self.edns.is_some())] {
            packet.extend(word.to_be_bytes());
        }
        packet.extend(&self.name);
        packet.extend(self.kind.to_be_bytes());
        packet.extend(self.class.to_be_bytes());
        if let Some((size, version, flags, options)) = &self.edns {
            packet.extend([0, 0, 41]);
            packet.extend(size.to_be_bytes());
            packet.extend([0, *version]);
            packet.extend(flags.to_be_bytes());
            packet.extend((options.len() as u16).to_be_bytes());
            packet.extend(options);
        }
        packet
    }
}

/// A reply in the words of the scripts.
fn describe(query: &[u8], reply: &[u8], rcode: Rcode, listed: bool) -> Vec<String> {
    let message = Message::from_vec(reply).unwrap();
    assert_eq!(reply[..2], query[..2], "the identifier is kept");
    assert_eq!(u16::from(message.metadata.response_code), rcode as u16);
    let mut lines = vec![header(query, reply, &message, rcode, listed)];
    for record in &message.answers {
        // Class ANY stands for all there are, and IN is the one.
        let class =
            if message.queries[0].query_class() == DNSClass::CH { DNSClass::CH } else { DNSClass::IN };
        assert_eq!(record.dns_class, class);
        assert!(record.name.eq_case(&message.queries[0].name), "{record}");
        lines.push(format!("answer {}", data(record)));
    }
    for record in &message.authorities {
        assert_eq!(u16::from(record.dns_class), 1);
        lines.push(format!("authority {} {}", record.name.to_lowercase(), data(record)));
    }
    assert!(message.additionals.is_empty());
    if let Some(edns) = &message.edns {
        assert_eq!((edns.version(), edns.flags().z), (0, 0));
        let dnssec = if edns.flags().dnssec_ok { " do" } else { "" };
        lines.push(format!("edns {}{dnssec}", edns.max_payload()));
        for (code, option) in &edns.options().options {
            let octets: Vec<u8> = option.try_into().unwrap();
            let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            lines.push(format!("option {} {hex}", u16::from(*code)));
        }
    }
    lines
}

/// Response code and flags, and whether the question is there, which is octet for octet the query's.
fn header(query: &[u8], reply: &[u8], message: &Message, rcode: Rcode, listed: bool) -> String {
    let flags = u16::from_be_bytes([reply[2], reply[3]]);
    assert_eq!(flags & 0x8000, 0x8000, "replies are responses");
    let mut line = format!("reply {}", format!("{rcode:?}").to_uppercase());
    for (bit, name) in
        [(0x400, "aa"), (0x200, "tc"), (0x100, "rd"), (0x80, "ra"), (0x40, "z"), (0x20, "ad"), (0x10, "cd")]
    {
        if flags & bit != 0 {
            line.push_str(&format!(" {name}"));
        }
    }
    if flags & 0x7800 != 0 {
        line.push_str(&format!(" opcode={}", flags >> 11 & 15));
    }
    if listed {
        line.push_str(" listed");
    }
    match message.queries.len() {
        0 => line.push_str(" bare"),
        _ => assert_eq!(reply[12..question_end(reply)], query[12..question_end(reply)]),
    }
    line
}

fn question_end(packet: &[u8]) -> usize {
    let mut at = 12;
    while packet[at] != 0 {
        at += 1 + usize::from(packet[at]);
    }
    at + 5
}

fn data(record: &Record) -> String {
    format!("{} {} {}", record.ttl, record.record_type(), record.data)
}

const HOSTILE: &str = "
    zone bl.example.
    ns ns1.example.
    publish 127.0.0.4 * $ip is listed by $jail until $until, see https://bl.example/
    ban 192.0.2.0/24 imap 600
    ban 192.0.2.1 smtp forever
    ban 2001:db8::/32 imap forever
";

fn hostile_zones() -> &'static Zones {
    static ZONES: OnceLock<Zones> = OnceLock::new();
    ZONES.get_or_init(|| Script::read(HOSTILE).zones())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_name_above_a_listed_one_exists(addresses in proptest::collection::vec(any::<IpAddr>(), 1..5)) {
        let mut script = Script::read(HOSTILE);
        script.bans = addresses.iter().map(|address| ban(&format!("{address} imap forever"))).collect();
        let zones = script.zones();
        for address in addresses.iter().filter(|address| !address.to_canonical().is_loopback()) {
            let reversed = write_reversed(*address);
            let labels: Vec<&str> = reversed.split('.').collect();
            for skipped in 0..labels.len() {
                let name = format!("{}.bl.example", labels[skipped..].join("."));
                let step = Step::query(0, &format!("{name} A"));
                let given = step.run(&zones);
                prop_assert!(given[0].starts_with("reply NOERROR aa"), "{} {:?}", name, given);
                prop_assert_eq!(given[0].ends_with("listed"), skipped == 0 || given[1].starts_with("answer"), "{}", name);
            }
        }
    }

    #[test]
    fn an_address_that_is_not_listed_does_not_exist(address in any::<IpAddr>()) {
        let zones = hostile_zones();
        let leads = matches!(address, IpAddr::V4(v4) if v4.octets().iter().all(|octet| *octet <= 9));
        let listed = ["192.0.2.0/24", "2001:db8::/32", "127.0.0.2", "127.0.0.4"];
        let listed = listed.iter().any(|prefix| prefix.parse::<Prefix>().unwrap().contains(address));
        let step = Step::query(0, &format!("{}.bl.example A", write_reversed(address)));
        if !listed && !leads {
            prop_assert_eq!(&step.run(zones)[0], "reply NXDOMAIN aa");
        }
    }
}
