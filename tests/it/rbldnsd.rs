//! `banzone rbldnsd` in rbldnsd's place: the same files, the same command line, and the same answers as Debian's package,
//! where that is installed.

use std::fmt::Write as _;
use std::fs;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use banzone::ip::write_reversed;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;
use nix::unistd::Uid;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::env::{Answer, Daemon, Env, ask, until};
use crate::peers;

const HEADER: &str = "$SOA 0 ns.example. host.example. 1 1h 1h 2d 1h\n$NS 1d ns.example.\n";

/// A server of the files in the folder of `env`.
fn start(env: &Env, options: &[&str], zones: &[&str]) -> Daemon {
    env.start_as(command(env, "127.0.0.1/0", options, zones))
}

fn command(env: &Env, bind: &str, options: &[&str], zones: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
    command.args(["rbldnsd", "-n", "-b", bind, "-w"]).arg(env.path("")).args(options).args(zones);
    if Uid::effective().is_root() {
        command.args(["-u", "nobody"]);
    }
    command
}

/// Where nobody listened a moment ago.
fn free_address(host: &str) -> SocketAddr {
    UdpSocket::bind((host, 0)).unwrap().local_addr().unwrap()
}

fn write(env: &Env, name: &str, text: &str) {
    fs::write(env.path(name), format!("{HEADER}{text}")).unwrap();
}

/// The address `192.0.2.last` in the zone `bl.example`.
fn listed(server: &Daemon, last: u8) -> Answer {
    server.ask_name(&format!("{last}.2.0.192.bl.example."), RecordType::A)
}

fn is_listed(server: &Daemon, last: u8) -> bool {
    !listed(server, last).codes.is_empty()
}

#[test]
fn files_are_followed_and_good_data_is_kept() {
    let env = Env::new("");
    write(&env, "list", "192.0.2.1\n");
    let server = start(&env, &["-c", "1"], &["bl.example:ip4set:list"]);
    assert!(is_listed(&server, 1) && !is_listed(&server, 2));
    let many: String = (1..=200).fold(String::new(), |text, last| text + &format!("192.0.2.{last}\n"));
    write(&env, "list", &many);
    until("the new file is served", || is_listed(&server, 2));
    // What is damaged or gone leaves what was there before.
    write(&env, "list", "192.0.2.1\nnothing\n");
    until("the small file is refused", || server.messages().contains("has 1 entries where there were 200"));
    assert!(is_listed(&server, 2));
    fs::remove_file(env.path("list")).unwrap();
    until("the file is missed", || server.messages().contains("cannot read"));
    assert!(is_listed(&server, 2));
    // Unless somebody says that it is right so.
    write(&env, "list", "192.0.2.1\n192.0.2.3\n");
    server.signal(Signal::SIGHUP);
    until("the small file is served", || !is_listed(&server, 2));
    assert!(is_listed(&server, 3));
    assert!(server.terminate().success());
}

#[test]
fn a_zone_of_data_that_is_too_old_answers_servfail() {
    let env = Env::new("");
    write(&env, "old", "$TIMESTAMP 2020:01:01 2020:02:01\n192.0.2.1\n");
    write(&env, "new", "192.0.2.2\n");
    let zones = ["bl.example:ip4set:old", "both.example:ip4set:old", "both.example:ip4set:new"];
    let server = start(&env, &[], &zones);
    let rcode = |name: &str| server.ask_name(name, RecordType::A).rcode;
    assert_eq!(rcode("1.2.0.192.bl.example."), ResponseCode::ServFail);
    assert_eq!(rcode("1.2.0.192.both.example."), ResponseCode::NXDomain);
    assert_eq!(rcode("2.2.0.192.both.example."), ResponseCode::NoError);
}

#[test]
fn a_missing_file_is_named_at_the_start() {
    let env = Env::new("");
    let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
    command.args(["rbldnsd", "-b", "127.0.0.1/0", "-u", "nobody", "bl.example:ip4set:/nowhere/list"]);
    let mut server = env.spawn(command);
    assert_eq!(server.wait().code(), Some(1));
    assert!(server.messages().contains("cannot read /nowhere/list"), "{}", server.messages());
}

#[test]
fn clients_get_what_is_said_of_them() {
    let env = Env::new("");
    write(&env, "list", "192.0.2.1\n");
    write(&env, "texts", "test TXT Success\n");
    for (acl, address, text, rcode) in [
        ("127/8 :pass\n0/0 :refuse\n", true, true, ResponseCode::NoError),
        ("0/0 :refuse\n", false, false, ResponseCode::Refused),
        ("0/0 :empty\n", false, true, ResponseCode::NXDomain),
        ("::/0 :refuse\n", true, true, ResponseCode::NoError),
        ("0/0 :127.0.0.9:you are $\n", true, true, ResponseCode::NoError),
    ] {
        fs::write(env.path("acl"), acl).unwrap();
        let zones = ["bl.example:acl:acl", "bl.example:ip4set:list", "bl.example:generic:texts"];
        let server = start(&env, &[], &zones);
        let answer = listed(&server, 1);
        assert_eq!((!answer.codes.is_empty(), answer.rcode), (address, rcode), "{acl}");
        let texts = server.ask_name("test.bl.example.", RecordType::TXT).texts;
        assert_eq!(!texts.is_empty(), text, "{acl}");
        assert_eq!(server.ask_name("other.example.", RecordType::A).rcode, ResponseCode::Refused);
    }
    fs::write(env.path("acl"), "0/0 :ignore\n").unwrap();
    let server = start(&env, &[], &["bl.example:ip4set:list", ":acl:acl"]);
    assert!(ask(server.dns(), "1.2.0.192.bl.example.", RecordType::A).is_err(), "there is silence");
}

#[test]
fn networks_of_ipv4_have_no_clients_of_ipv6() {
    let env = Env::new("");
    write(&env, "texts", "test TXT Success\n");
    let (answered, refused) = (ResponseCode::NoError, ResponseCode::Refused);
    for (acl, over_ipv4, over_ipv6) in [
        ("0::1 :refuse\n", answered, refused),
        ("0/0 :refuse\n", refused, answered),
        ("0.0.0.0/0 :refuse\n", refused, answered),
        ("::/0 :refuse\n0::1 :pass\n", answered, answered),
    ] {
        fs::write(env.path("acl"), acl).unwrap();
        let address = free_address("::1");
        let bind = format!("::1/{}", address.port());
        let server = start(&env, &["-b", &bind], &["bl.example:acl:acl", "bl.example:generic:texts"]);
        let rcode = |server| ask(server, "test.bl.example.", RecordType::TXT).unwrap().rcode;
        assert_eq!((rcode(server.dns()), rcode(address)), (over_ipv4, over_ipv6), "{acl}");
    }
}

/// Who starts a server to test it asks a few times within the first second and gives up then.
#[test]
fn it_answers_within_a_second() {
    let env = Env::new("");
    write(&env, "texts", "test TXT Success\n");
    let address = free_address("127.0.0.1");
    let bind = address.to_string().replace(':', "/");
    // The fastest of three counts: a busy machine is not the server's fault.
    let starts = (0..3).map(|_| {
        let begin = Instant::now();
        let server = env.spawn(command(&env, &bind, &[], &["bl.example:generic:texts"]));
        let first = until("there is a server", || match ask(address, "dummy.nowhere.", RecordType::TXT) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => None,
            answer => Some(answer.unwrap()),
        });
        let elapsed = begin.elapsed();
        assert_eq!(first.rcode, ResponseCode::Refused);
        assert!(server.terminate().success());
        elapsed
    });
    let fastest = starts.min().unwrap();
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[test]
fn the_help_is_read_by_programs() {
    let output = Command::new(env!("CARGO_BIN_EXE_banzone")).args(["rbldnsd", "-h"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().lines().any(|line| line.starts_with("-6 ")));
}

/// rbldnsd with the same files, and where it answers.
fn start_rbldnsd(env: &Env, options: &[&str], zones: &[&str]) -> (Daemon, SocketAddr) {
    // It cannot choose a port itself.
    let address = free_address("127.0.0.1");
    let mut command = Command::new("/usr/sbin/rbldnsd");
    command.args(["-n", "-r", "/", "-b"]).arg(format!("127.0.0.1/{}", address.port()));
    command.arg("-w").arg(env.path("")).args(options).args(zones);
    let server = env.spawn(command);
    until("rbldnsd answers", || ask(address, "nowhere.example.", RecordType::A).is_ok());
    (server, address)
}

/// What both are asked for their logs.
const LOGGED: [(&str, RecordType); 8] = [
    ("1.2.0.192.bl.example.", RecordType::A),
    ("1.2.0.192.BL.example.", RecordType::TXT),
    ("9.2.0.192.bl.example.", RecordType::A),
    ("1.2.0.192.bl.example.", RecordType::HTTPS),
    ("1.2.0.192.bl.example.", RecordType::AAAA),
    ("bl.example.", RecordType::MX),
    ("x_y-z.bl.example.", RecordType::A),
    (".", RecordType::NS),
];

fn ask_for_logs(server: SocketAddr) {
    for (name, kind) in LOGGED {
        ask(server, name, kind).unwrap();
    }
}

/// The lines of a query log without their time, and without the size of replies that have no answer, whose SOA records need
/// not be compressed alike.
fn logged(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let asked = text.lines().filter(|line| !line.contains(" nowhere.example "));
    let line = |line: &str| {
        let line = line.split_once(' ').unwrap().1;
        line.rsplit_once("/0/").map_or(line, |(line, _)| line).to_owned()
    };
    asked.map(line).collect()
}

/// Of the zone: queries, positive and negative answers, octets received; from the last line with figures.
fn figures(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [first, .., figures, last] = &*lines else { panic!("there are no figures: {text}") };
    assert!([first, last].iter().all(|line| line.parse::<u64>().is_ok()), "{text}");
    let zone = figures.split(' ').find_map(|zone| zone.strip_prefix("bl.example:")).unwrap();
    assert!(figures.contains(" *:"), "{text}");
    zone.split(':').take(4).map(str::to_owned).collect()
}

/// A folder in which both can write.
fn folder_for_all(env: &Env) {
    fs::create_dir(env.path("out")).unwrap();
    fs::set_permissions(env.path("out"), Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn the_query_log_and_the_figures_are_those_of_rbldnsd() {
    if !peers::present("rbldnsd", Path::new("/usr/sbin/rbldnsd").exists(), "rbldnsd") {
        return;
    }
    let env = Env::new("");
    folder_for_all(&env);
    write(&env, "list", "192.0.2.1 text\n");
    let zones = ["bl.example:ip4set:list"];
    let ours = start(&env, &["-l", "+out/our-log", "-s", "out/our-figures"], &zones);
    let (theirs, address) =
        start_rbldnsd(&env, &["-a", "-l", "+out/their-log", "-s", "out/their-figures"], &zones);
    ask_for_logs(ours.dns());
    ask_for_logs(address);
    assert!(ours.terminate().success() && theirs.terminate().success());
    let our_log = logged(&env.path("out/our-log"));
    assert_eq!(our_log, logged(&env.path("out/their-log")));
    assert_eq!(our_log.len(), LOGGED.len());
    assert_eq!(figures(&env.path("out/our-figures")), figures(&env.path("out/their-figures")));
}

#[test]
fn the_log_is_opened_anew_and_the_process_has_its_number_in_a_file() {
    let env = Env::new("");
    folder_for_all(&env);
    write(&env, "list", "192.0.2.1 text\n");
    let pid = env.path("out/pid");
    let options = ["-c", "1", "-l", "out/log", "-s", "+out/figures", "-p", pid.to_str().unwrap()];
    let server = start(&env, &options, &["bl.example:ip4set:list"]);
    assert_eq!(fs::read_to_string(&pid).unwrap(), format!("{}\n", server.pid()));
    let has_figures =
        |zone: &str| fs::read_to_string(env.path("out/figures")).unwrap().contains(&format!(" {zone} "));
    assert!(is_listed(&server, 1));
    until("the figures of the question are there", || has_figures("bl.example:1:1:0:38:54"));
    until("nothing has come since", || has_figures("bl.example:0:0:0:0:0"));
    fs::rename(env.path("out/log"), env.path("out/log.1")).unwrap();
    server.signal(Signal::SIGHUP);
    let lines = |name: &str| logged(&env.path(name));
    until("the new log is written to", || {
        assert!(!is_listed(&server, 2));
        fs::metadata(env.path("out/log")).is_ok_and(|file| file.len() > 0)
    });
    assert!(server.terminate().success());
    assert_eq!(lines("out/log.1")[0], "127.0.0.1 1.2.0.192.bl.example A IN: NOERROR/1/54");
    assert_eq!(lines("out/log")[0], "127.0.0.1 2.2.0.192.bl.example A IN: NXDOMAIN");
}

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
    fn question(&mut self) -> String {
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
        let below = match zone {
            "trie6" | "tset6" => write_reversed(std::net::Ipv6Addr::from(self.address6()).into()),
            "names" | "records" | "names.all" => self.name(),
            _ => write_reversed(self.octets().into()),
        };
        format!("{below}.{zone}.example.")
    }
}

/// Whether both answers are right: rbldnsd denies names below which there are others (RFC 8020), which banzone does not.
fn agree(ours: &Answer, theirs: &Answer) -> bool {
    let is_denied = theirs.rcode == ResponseCode::NXDomain;
    let is_above_others =
        ours.rcode == ResponseCode::NoError && ours.codes.is_empty() && ours.texts.is_empty();
    ours == theirs || (is_denied && is_above_others)
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
        let name = files.question();
        for kind in [RecordType::A, RecordType::TXT] {
            let (ours, theirs) = (ours.ask_name(&name, kind), ask(address, &name, kind).unwrap());
            assert!(agree(&ours, &theirs), "{name} {kind} of seed {seed}: {ours:?}, but rbldnsd: {theirs:?}");
        }
    }
}

/// Names, and the one text of each, or that there is no such name.
type Texts = &'static [(&'static str, Option<&'static str>)];

/// Cases of a server in rbldnsd's place: type, data file, and what is there.
const CASES: [(&str, &str, Texts); 4] = [
    (
        "ip4trie",
        "192.0.2.0/24 listed\n!192.0.2.4\n0/0 wild\n",
        &[("4.2.0.192", None), ("5.2.0.192", Some("listed")), ("1.113.0.203", Some("wild"))],
    ),
    (
        "ip6trie",
        "2001:db8::/32 listed\n!2001:db8::beef\n",
        &[
            ("f.e.e.b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", None),
            ("0.e.e.b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", Some("listed")),
            ("0.e.e.b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.b.d.0.1.0.0.2", None),
        ],
    ),
    ("generic", "test TXT Success\n", &[("test", Some("Success")), ("other", None)]),
    (
        "ip6trie",
        "2001:db8:0:0:0:0:0:1/128 :1:first\n2001:db8:0:0:0:0:0:1/128 :1:first\n",
        &[("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", Some("first"))],
    ),
];

#[test]
fn a_name_has_one_text_or_does_not_exist() {
    for (kind, file, names) in CASES {
        let env = Env::new("");
        write(&env, "file", file);
        let server = start(&env, &[], &[&format!("bl.example:{kind}:file")]);
        assert_eq!(server.ask_name("dummy.nowhere.", RecordType::TXT).rcode, ResponseCode::Refused);
        for (name, text) in names {
            let answer = server.ask_name(&format!("{name}.bl.example."), RecordType::TXT);
            let rcode = if text.is_some() { ResponseCode::NoError } else { ResponseCode::NXDomain };
            assert_eq!((answer.rcode, answer.texts.first().map(String::as_str)), (rcode, *text), "{name}");
            assert!(answer.texts.len() <= 1, "{name}");
        }
        assert!(server.terminate().success());
    }
}

#[test]
fn the_longest_network_of_any_length_answers() {
    let address = 0x2001_0db8_a5a5_5a5a_0ff0_f00f_3c3c_c3c3_u128;
    let network = |length: u32| address & !u128::MAX.checked_shr(length).unwrap_or(0);
    let lines = (0..=128).map(|length| {
        let words = (0..8).map(|word| format!("{:x}", network(length) >> (112 - 16 * word) & 0xffff));
        format!("{}/{length} :1:{length}\n", words.collect::<Vec<_>>().join(":"))
    });
    let env = Env::new("");
    write(&env, "file", &lines.collect::<String>());
    let server = start(&env, &[], &["bl.example:ip6trie:file"]);
    for length in 0..=128 {
        // Differs from the address just behind the network of this length.
        let asked = address ^ (1u128 << 127).checked_shr(length).unwrap_or(0);
        let name = write_reversed(std::net::Ipv6Addr::from(asked).into());
        let answer = server.ask_name(&format!("{name}.bl.example."), RecordType::TXT);
        assert_eq!(answer.texts, [length.to_string()], "{name}");
    }
}
