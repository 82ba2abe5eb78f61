//! Random data files in banzone and in Debian's rbldnsd: the answers must be the same. How many are asked says
//! `BANZONE_QUESTIONS`.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use banzone::ip::write_reversed;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::{start, start_rbldnsd, write};
use crate::env::{Answer, Env, ask};
use crate::peers;

/// Files made at random, in all the ways in which entries are written.
struct Files(SmallRng);

/// What may stand behind a key.
const VALUES: [&str; 10] = [
    "",
    " text $ x",
    " :5",
    " :6:",
    " :7:v $$ $1 $2",
    " # comment",
    " =plain $",
    " :127.0.1.2:t",
    " about $",
    "\ttab",
];

impl Files {
    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.choose(&mut self.0).unwrap()
    }

    fn octets(&mut self) -> [u8; 4] {
        let network = [[192, 0, 2], [192, 0, 3], [198, 51, 100], [203, 0, 113]];
        let [a, b, c] = *network.choose(&mut self.0).unwrap();
        [a, b, c, self.0.random()]
    }

    fn key(&mut self, ranges: bool) -> String {
        let [a, b, c, d] = self.octets();
        match self.0.random_range(0..10) {
            0..4 => format!("{a}.{b}.{c}.{d}"),
            4 => format!("{a}.{b}.{c}"),
            5 if self.0.random_bool(0.3) => format!("{a}.{b}"),
            5 => format!("{a}/8"),
            6 | 7 => {
                let length = self.0.random_range(20..=32);
                let network = u32::from_be_bytes([a, b, c, d]) >> (32 - length) << (32 - length);
                format!("{}/{length}", std::net::Ipv4Addr::from(network))
            }
            8 if ranges => format!("{a}.{b}.{c}.{d}-{}", self.0.random_range(d..=255)),
            9 if ranges => format!("{a}.{b}.{c}.{d}-{a}.{b}.{}.{}", c + 1, self.0.random_range(0..=255u8)),
            _ => format!("{a}.{b}.{c}.{d}"),
        }
    }

    fn ipv4(&mut self, ranges: bool) -> String {
        let mut text = "$1 VARIABLE\n".to_owned();
        if self.0.random_bool(0.3) {
            text += "$= base <$=> $\n";
        }
        for _ in 0..self.0.random_range(5..200) {
            if self.0.random_bool(0.05) {
                text += self.one_of(&[
                    ":3:default $\n",
                    "# comment\n",
                    "\n",
                    ":4:\n",
                    "nonsense\n",
                    "192.0.2.300\n",
                ]);
            }
            let key = self.key(ranges);
            if self.0.random_bool(0.12) {
                writeln!(text, "!{key}").unwrap();
            } else {
                writeln!(text, "{key}{}", self.one_of(&VALUES)).unwrap();
            }
        }
        text
    }

    fn name(&mut self) -> String {
        let labels = self.0.random_range(1..4);
        (0..labels).map(|_| self.one_of(&["a", "b", "www", "x"])).collect::<Vec<_>>().join(".")
    }

    fn dnset(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.0.random_range(3..40) {
            let excludes = if self.0.random_bool(0.15) { "!" } else { "" };
            let (kind, name) = (self.one_of(&["", "", "*.", "."]), self.name());
            writeln!(text, "{excludes}{kind}{name}{}", self.one_of(&[" about $", " :5", " :6:", ""]))
                .unwrap();
        }
        text
    }

    fn address6(&mut self) -> u128 {
        let words = (0..6).fold(0u128, |all, _| all << 16 | self.0.random_range(0..3u128));
        0x2001_0db8 << 96 | words
    }

    fn ip6trie(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.0.random_range(3..40) {
            let length = self.0.random_range(30..=128u32);
            let network = self.address6() >> (128 - length) << (128 - length);
            let excludes = if self.0.random_bool(0.15) { "!" } else { "" };
            let network = std::net::Ipv6Addr::from(network);
            writeln!(text, "{excludes}{network}/{length}{}", self.one_of(&[" about $", " :5", " :6:x", ""]))
                .unwrap();
        }
        text
    }

    fn ip4tset(&mut self) -> String {
        let mut text = ":5:tset $\n".to_owned();
        for _ in 0..self.0.random_range(3..200) {
            writeln!(text, "{}", std::net::Ipv4Addr::from(self.octets())).unwrap();
        }
        text
    }

    /// Networks of four words, and whole addresses that are excluded.
    fn ip6tset(&mut self) -> String {
        let mut text = ":5:tset $\n".to_owned();
        for _ in 0..self.0.random_range(3..40) {
            let address = self.address6();
            if self.0.random_bool(0.15) {
                writeln!(text, "!{}", std::net::Ipv6Addr::from(address)).unwrap();
            } else {
                let words = (4..8).rev().map(|word| format!("{:x}", address >> (16 * word) & 0xffff));
                writeln!(text, "{}", words.collect::<Vec<_>>().join(":")).unwrap();
            }
        }
        text
    }

    fn generic(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.0.random_range(3..40) {
            let record =
                self.one_of(&["A 192.0.2.1", "A 192.0.2.2", "TXT text", "60 A 192.0.2.3", "MX 5 mx.example"]);
            writeln!(text, "{} {record}", self.name()).unwrap();
        }
        text
    }

    fn combined(&mut self) -> String {
        let parts = [
            ("ip4set", "set", self.ipv4(true)),
            ("ip4trie", "trie", self.ipv4(false)),
            ("dnset", "names", self.dnset()),
        ];
        let parts = parts.map(|(kind, zone, text)| format!("$DATASET {kind}:part {zone} @\n{text}"));
        parts.concat()
    }

    /// A name in one of the zones.
    fn question(&mut self) -> Question {
        let zone = self.one_of(&[
            "set",
            "trie",
            "tset",
            "set.all",
            "trie.all",
            "all",
            "trie6",
            "tset6",
            "names",
            "records",
            "names.all",
        ]);
        let (below, is_address) = match zone {
            "names" | "records" | "names.all" => (self.name(), false),
            "trie6" | "tset6" => {
                let address = std::net::Ipv6Addr::from(self.address6());
                self.reversed(address.into())
            }
            _ => {
                let address = std::net::Ipv4Addr::from(self.octets());
                self.reversed(address.into())
            }
        };
        Question { name: format!("{below}.{zone}.example."), is_address }
    }

    /// An address as a name, and whether that is whole: now and then labels are missing, as who asks label by label has it.
    fn reversed(&mut self, address: IpAddr) -> (String, bool) {
        let whole = write_reversed(address);
        let labels: Vec<&str> = whole.split('.').collect();
        let missing = if self.0.random_bool(0.1) { self.0.random_range(1..labels.len()) } else { 0 };
        (labels[missing..].join("."), missing == 0)
    }
}

/// What is asked.
struct Question {
    name: String,
    /// Whether it is a whole address in a zone of addresses, below which nothing can stand.
    is_address: bool,
}

impl Question {
    /// Whether both answers are right: rbldnsd denies names below which there are others (RFC 8020), which banzone does not.
    fn agree(&self, ours: &Answer, theirs: &Answer) -> bool {
        let is_denied = theirs.rcode == ResponseCode::NXDomain;
        let is_above_others =
            ours.rcode == ResponseCode::NoError && ours.codes.is_empty() && ours.texts.is_empty();
        ours == theirs || (!self.is_address && is_denied && is_above_others)
    }
}

/// What the random files are served as.
const ZONES: [&str; 8] = [
    "set.example:ip4set:set",
    "trie.example:ip4trie:trie",
    "tset.example:ip4tset:tset",
    "trie6.example:ip6trie:trie6",
    "tset6.example:ip6tset:tset6",
    "names.example:dnset:names",
    "records.example:generic:records",
    "all.example:combined:all",
];

/// How many questions each server gets for the files of one seed, each for A and for TXT.
const NAMES_PER_SEED: usize = 2000;

/// How many questions in all: of the variable, which takes any number, or those of sixteen seeds.
fn questions() -> usize {
    let variable = std::env::var("BANZONE_QUESTIONS").ok();
    variable.map_or(16 * 2 * NAMES_PER_SEED, |number| number.parse().expect("BANZONE_QUESTIONS is a number"))
}

#[test]
fn answers_are_those_of_rbldnsd() {
    if !peers::present("rbldnsd", Path::new("/usr/sbin/rbldnsd").exists(), "rbldnsd") {
        return;
    }
    for seed in 0..questions().div_ceil(2 * NAMES_PER_SEED) as u64 {
        compare(seed);
    }
}

/// Files of this seed, in both servers.
fn compare(seed: u64) {
    let env = Env::new("");
    let mut files = Files(SmallRng::seed_from_u64(seed));
    for (name, text) in [
        ("set", files.ipv4(true)),
        ("trie", files.ipv4(false)),
        ("tset", files.ip4tset()),
        ("trie6", files.ip6trie()),
        ("tset6", files.ip6tset()),
        ("names", files.dnset()),
        ("records", files.generic()),
        ("all", files.combined()),
    ] {
        write(&env, name, &text);
    }
    let (ours, (_theirs, address)) = (start(&env, &[], &ZONES), start_rbldnsd(&env, &[], &ZONES));
    for _ in 0..NAMES_PER_SEED {
        let question = files.question();
        let name = &question.name;
        for kind in [RecordType::A, RecordType::TXT] {
            let (ours, theirs) = (ours.ask_name(name, kind), ask(address, name, kind).unwrap());
            assert!(
                question.agree(&ours, &theirs),
                "{name} {kind} of seed {seed}: {ours:?}, but rbldnsd: {theirs:?}"
            );
        }
    }
}
