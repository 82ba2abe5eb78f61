//! `banzone rbldnsd` in rbldnsd's place: the same files, the same command line, and the same answers as Debian's package,
//! where that is installed.

use std::fs;
use std::fs::Permissions;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;
use nix::unistd::Uid;

use crate::env::{Answer, Daemon, Env, ask, until};
use crate::peers;

mod answers;
mod suite;

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
fn what_a_zone_cannot_have_holds_back_no_other() {
    let env = Env::new("");
    write(&env, "good", "192.0.2.1\n");
    let zones = ["bad.example:ip4set:bad", "long.example:ip4set:long", "bl.example:ip4set:good"];
    let bad = "$SOA 0 ns..x. h.x. 1 1h 1h 2d 1h\n$NS 1d ns..x.\n192.0.2.1\n";
    fs::write(env.path("bad"), bad).unwrap();
    let long = "$SOA 4294967295 ns.x. h.x. 1 4294967295 4294967295 4294967295 4294967295\n192.0.2.1\n";
    fs::write(env.path("long"), long).unwrap();
    let server = start(&env, &["-c", "1"], &zones);
    let is_listed =
        |zone| !server.ask_name(&format!("1.2.0.192.{zone}.example."), RecordType::A).codes.is_empty();
    for zone in ["bad", "long", "bl"] {
        assert!(is_listed(zone), "{zone}: {}", server.messages());
    }
    assert!(server.messages().contains("bad:1: write $SOA ttl mname"), "{}", server.messages());
    write(&env, "good", "192.0.2.2\n");
    until("the other zone follows its file", || !is_listed("bl"));
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
fn keys_are_followed_and_good_ones_are_kept() {
    let env = Env::new("");
    write(&env, "list", "192.0.2.1\n");
    write(&env, "keys", ":refuse\nold :pass\n");
    let server = start(&env, &["-c", "1"], &["bl.example:ip4set:list", "bl.example:aclkey:keys"]);
    let rcode = |key: &str| server.ask_name(&format!("1.2.0.192.{key}.bl.example."), RecordType::A).rcode;
    assert_eq!((rcode("old"), rcode("new")), (ResponseCode::NoError, ResponseCode::Refused));
    write(&env, "keys", ":refuse\nnew :pass\n");
    until("the new key is known", || rcode("new") == ResponseCode::NoError);
    assert_eq!(rcode("old"), ResponseCode::Refused);
    fs::remove_file(env.path("keys")).unwrap();
    until("the file is missed", || server.messages().contains("cannot read"));
    assert_eq!(rcode("new"), ResponseCode::NoError);
    assert!(server.terminate().success());
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

#[test]
fn figures_are_shown_and_counting_begins_anew_by_signals() {
    let env = Env::new("");
    folder_for_all(&env);
    write(&env, "list", "192.0.2.1 text\n");
    let server = start(&env, &["-c", "0", "-s", "out/figures"], &["bl.example:ip4set:list"]);
    let lines = || fs::read_to_string(env.path("out/figures")).unwrap();
    let has =
        |number: usize, figures: &str| lines().lines().nth(number).is_some_and(|line| line.contains(figures));
    assert!(is_listed(&server, 1));
    server.signal(Signal::SIGUSR1);
    until("the figures are written", || has(1, " bl.example:1:1:0:38:54 "));
    until("the log has them too", || server.messages().contains(" bl.example:1:1:0:38:54 "));
    assert!(is_listed(&server, 1));
    server.signal(Signal::SIGUSR2);
    until("they are written again", || has(2, " bl.example:2:2:0:76:108 "));
    until("counting begins anew", || lines().lines().nth(3).is_some_and(|line| !line.contains(' ')));
    assert!(is_listed(&server, 1));
    assert!(server.terminate().success());
    assert!(has(4, " bl.example:1:1:0:38:54 "), "{}", lines());
}

#[test]
fn a_senseless_command_line_ends_as_that_of_rbldnsd() {
    for words in [&["-x"][..], &["bl:ip4set"], &["-c", "x", "bl:ip4set:list"]] {
        let command =
            Command::new(env!("CARGO_BIN_EXE_banzone")).arg("rbldnsd").args(words).output().unwrap();
        assert_eq!(command.status.code(), Some(1), "{words:?}");
        assert!(!command.stderr.is_empty(), "{words:?}");
    }
}
