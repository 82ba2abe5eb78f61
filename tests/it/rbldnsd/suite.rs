//! What the tests of rbldnsd ask of a server in its place.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::time::{Duration, Instant};

use banzone::ip::write_reversed;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::{command, free_address, start, write};
use crate::env::{Env, ask, until};

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

#[test]
fn networks_of_ipv4_have_no_clients_of_ipv6() {
    let env = Env::new("");
    write(&env, "texts", "test TXT Success\n");
    let (answered, refused) = (ResponseCode::NoError, ResponseCode::Refused);
    for (acl, over_ipv4, over_ipv6) in [
        ("0::1 :refuse\n", answered, refused),
        ("::1 :refuse\n", answered, refused),
        ("0/0 :refuse\n", refused, answered),
        ("0.0.0.0/0 :refuse\n", refused, answered),
        ("::/0 :refuse\n::1 :pass\n", answered, answered),
    ] {
        fs::write(env.path("acl"), acl).unwrap();
        let address = free_address("::1");
        let bind = format!("::1/{}", address.port());
        let server = start(&env, &["-b", &bind], &["bl.example:acl:acl", "bl.example:generic:texts"]);
        let rcode = |server| ask(server, "test.bl.example.", RecordType::TXT).unwrap().rcode;
        assert_eq!((rcode(server.dns()), rcode(address)), (over_ipv4, over_ipv6), "{acl}");
    }
}

/// What stands in an `aclkey` file, and what names with and without a key have then.
const KEYS: [(&str, Texts); 2] = [
    (
        ":refuse\nsecret :pass\n",
        &[
            ("test", None),
            ("test.unknown", None),
            ("bad.secret", Some("listed")),
            ("test.secret", Some("Success")),
        ],
    ),
    (
        ":pass\nsecret :pass\n",
        &[("test", Some("Success")), ("bad", None), ("soon", None), ("soon.secret", Some("not for all"))],
    ),
];

#[test]
fn a_key_before_the_zone_opens_it() {
    let env = Env::new("");
    write(&env, "texts", "test TXT Success\n");
    write(&env, "names", "bad listed @ key=require\nsoon not for all @ ts=4102444800;delay=1h;key=nodelay\n");
    for (keys, names) in KEYS {
        write(&env, "keys", keys);
        for list in ["bl.example:aclkey:keys", ":aclkey:keys"] {
            let server = start(&env, &[], &["bl.example:generic:texts", "bl.example:dnhash:names", list]);
            for (name, text) in names {
                let answer = server.ask_name(&format!("{name}.bl.example."), RecordType::TXT);
                assert_eq!(answer.texts.first().map(String::as_str), *text, "{name} with {keys}");
                let is_refused = text.is_none() && keys.starts_with(":refuse");
                assert_eq!(answer.rcode == ResponseCode::Refused, is_refused, "{name} with {keys}");
            }
            assert_eq!(server.ask_name("bl.example.", RecordType::A).rcode, ResponseCode::NoError);
        }
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
