//! Floods from many sources, beside which good clients are answered and memory stays what it is. Everything goes in
//! turns, a handful of bad packets and then a good question, so that it is counts that decide and not the clock.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use socket2::{Domain, Socket, Type};

use crate::env::{Daemon, Env, until};

const LISTED: &str = "192.0.2.1";
const NAME: &str = "1.2.0.192.bl.example.";

/// Bad packets between two good questions: few enough for the receive buffer of the slowest machine.
const BURST: usize = 32;
const ROUNDS: usize = 300;

/// Connections that misbehave, of each kind.
const SLOW: usize = 60;

/// How much the daemon may have grown, in KiB; what a flood leaves in queues and buffers is a small part of it.
const GROWTH: u64 = 64 * 1024;

/// An answer over TCP takes less than a millisecond; a stalled machine takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> (Env, Daemon) {
    let env = Env::new("");
    let server = env.start();
    assert_eq!(env.ban(&format!(r#"{{"prefix": "{LISTED}", "permanent": true}}"#)).status, 200);
    until("the address is listed", || server.lists(LISTED));
    (env, server)
}

/// The memory of the daemon in KiB.
fn resident(server: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// How many queries of UDP were dropped for this reason.
fn dropped(env: &Env, reason: &str) -> usize {
    let metrics = env.get("/metrics").body;
    let of_reason = format!("banzone_dns_dropped_total{{reason=\"{reason}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&of_reason));
    count.unwrap_or_else(|| panic!("no {of_reason} in {metrics}")).parse().unwrap()
}

/// An address of this machine that looks like another client's.
fn source(random: &mut SmallRng) -> Ipv4Addr {
    Ipv4Addr::new(127, random.random_range(1..=200), random.random(), random.random_range(1..=254))
}

fn question() -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(NAME).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

/// A question as it goes over TCP.
fn framed() -> Vec<u8> {
    let question = question();
    let length = (question.len() as u16).to_be_bytes();
    [&length, &question[..]].concat()
}

/// A connection from any address of this machine.
fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect_timeout(&to.into(), PATIENCE).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether a question on a new connection is answered with the listing.
fn is_answered_over_tcp(server: &Daemon) -> bool {
    let mut stream = connect(Ipv4Addr::LOCALHOST, server.dns());
    let mut length = [0; 2];
    let asked = stream.write_all(&framed()).and_then(|()| stream.read_exact(&mut length));
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    if asked.and_then(|()| stream.read_exact(&mut reply)).is_err() {
        return false;
    }
    Message::from_vec(&reply).is_ok_and(|reply| reply.answers.len() == 1)
}

/// What a bad client sends, and what becomes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bad {
    Noise,
    Short,
    Response,
    Oversized,
    Question,
}

impl Bad {
    const ALL: [Self; 5] = [Self::Noise, Self::Short, Self::Response, Self::Oversized, Self::Question];

    fn packet(self, random: &mut SmallRng) -> Vec<u8> {
        let length = match self {
            Self::Noise | Self::Response => random.random_range(12..600),
            Self::Short => random.random_range(0..12),
            Self::Oversized => random.random_range(4200..6000),
            Self::Question => return question(),
        };
        let mut packet: Vec<u8> = (0..length).map(|_| random.random()).collect();
        match self {
            Self::Noise | Self::Oversized => packet[2] &= 0x7f,
            Self::Response => packet[2] |= 0x80,
            Self::Short | Self::Question => {}
        }
        packet
    }
}

#[test]
fn good_clients_are_answered_beside_a_flood_of_datagrams() {
    let (env, server) = start();
    let mut random = SmallRng::seed_from_u64(5);
    let before = resident(&server);
    let mut sent = [0; Bad::ALL.len()];
    for _ in 0..ROUNDS {
        for _ in 0..BURST {
            let kind = random.random_range(0..Bad::ALL.len());
            let socket = UdpSocket::bind((source(&mut random), 0)).unwrap();
            socket.send_to(&Bad::ALL[kind].packet(&mut random), server.dns()).unwrap();
            sent[kind] += 1;
        }
        assert!(server.lists(LISTED));
        assert!(!server.lists("192.0.2.2"));
    }
    for (kind, reason) in [(1, "short"), (2, "response"), (3, "oversized")] {
        assert_eq!(dropped(&env, reason), sent[kind], "{reason}");
    }
    assert_eq!(dropped(&env, "panic"), 0);
    let after = resident(&server);
    assert!(after < before + GROWTH, "{before} KiB became {after}");
    assert!(server.terminate().success());
}

#[test]
fn good_clients_are_answered_beside_slow_connections() {
    let (env, server) = start();
    let mut random = SmallRng::seed_from_u64(6);
    let before = resident(&server);
    let mut open =
        || -> Vec<TcpStream> { (0..SLOW).map(|_| connect(source(&mut random), server.dns())).collect() };
    let (silent, mut slow, mut greedy) = (open(), open(), open());
    // Asks and asks, and never reads; what the system does not take at once is not sent.
    let much = framed().repeat(500);
    for stream in &greedy {
        stream.set_nonblocking(true).unwrap();
    }
    for round in 0..framed().len() - 1 {
        for stream in &mut greedy {
            let _ = stream.write(&much);
        }
        for stream in &mut slow {
            let _ = stream.write(&framed()[round..=round]);
        }
        assert!(is_answered_over_tcp(&server), "in round {round}");
        assert!(server.lists(LISTED), "in round {round}");
    }
    let after = resident(&server);
    assert!(after < before + GROWTH, "{before} KiB became {after}");
    assert_eq!(dropped(&env, "panic"), 0);
    drop((silent, slow, greedy));
    assert!(is_answered_over_tcp(&server));
    assert!(server.terminate().success());
}
