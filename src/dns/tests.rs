//! The servers on loopback, with a responder that does what the first byte of the query name says.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream, UdpSocket as Plain};
use std::str::FromStr;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Runtime;

use super::*;

/// Answers names that begin with `listed`, is silent on `silent`, panics on `panic`, says FORMERR to `wrong` and
/// BADVERS to `badvers`, and answers what is no DNS with its own bytes.
#[derive(Default)]
struct Scripted {
    drops: Drops,
    /// The most requests that came together.
    largest: AtomicUsize,
}

impl Respond for Scripted {
    fn respond(&self, query: &[u8], peer: &Peer, reply: &mut Vec<u8>) {
        let Ok(query) = Message::from_vec(query) else {
            return reply.extend_from_slice(b"\0\0 not DNS");
        };
        let name = query.queries[0].name().to_string();
        let mut message = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
        message.metadata.recursion_desired = query.metadata.recursion_desired;
        message.add_query(query.queries[0].clone());
        match name.split('.').next().unwrap().to_ascii_lowercase().as_str() {
            "silent" => return,
            "panic" => panic!("as asked"),
            "wrong" => message.metadata.response_code = ResponseCode::FormErr,
            "badvers" => {
                message.metadata.response_code = ResponseCode::BADVERS;
                message.set_edns(Edns::new());
            }
            "garbage" => return reply.extend_from_slice(&[0xff; 14]),
            _ => listed(&mut message, peer),
        }
        reply.extend_from_slice(&message.to_vec().unwrap());
    }

    fn respond_all(&self, requests: &mut [Request<'_>]) {
        self.largest.fetch_max(requests.len(), Ordering::Relaxed);
        ask_each(self, requests);
    }

    fn dropped(&self, reason: Dropped) {
        self.drops.count(reason);
    }
}

fn listed(message: &mut Message, peer: &Peer) {
    let owner = message.queries[0].name().clone();
    message.metadata.authoritative = true;
    for text in [format!("{:?}", peer.transport), peer.address.to_string()] {
        let text = RData::TXT(TXT::new(vec![text]));
        message.add_answer(Record::from_rdata(owner.clone(), 300, text));
    }
    let code = RData::A(A(Ipv4Addr::new(127, 0, 0, 4)));
    message.add_authority(Record::from_rdata(owner, 60, code));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
}

/// A running server on one address, and its runtime.
struct Fixture {
    runtime: Runtime,
    server: Option<Server>,
    responder: Arc<Scripted>,
    address: SocketAddr,
}

impl Fixture {
    fn start(listen: &str, threads: usize) -> Self {
        Self::limited(listen, threads, Limits::default())
    }

    fn limited(listen: &str, threads: usize, limits: Limits) -> Self {
        let listen = vec![listen.parse().unwrap()];
        Self::with(&Settings { listen, threads, limits, ..Settings::default() })
    }

    fn with(settings: &Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let sockets = bind(settings).unwrap();
        let address = sockets.local_addresses()[0];
        let responder = Arc::new(Scripted::default());
        let server = Some(serve(sockets, &responder, runtime.handle()).unwrap());
        Self { runtime, server, responder, address }
    }

    fn count(&self, label: &str) -> u64 {
        let drops = Drops::sum([&self.responder.drops].into_iter());
        drops.iter().find(|(reason, _)| *reason == label).unwrap().1
    }

    fn udp(&self, query: &[u8]) -> Option<Vec<u8>> {
        udp(self.address, query)
    }

    fn tcp(&self, query: &[u8]) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        tcp(&mut stream, query)
    }

    fn stop(&mut self) {
        let server = self.server.take().unwrap();
        assert!(server.is_running());
        self.runtime.block_on(server.stop());
    }
}

/// How long a test waits for a reply that it expects, and how long for one that it does not.
const EXPECTED: Duration = Duration::from_secs(5);
const UNEXPECTED: Duration = Duration::from_millis(200);

/// How long a test waits for what it does not ask for itself.
const PATIENCE: Duration = Duration::from_secs(60);

fn udp(to: SocketAddr, query: &[u8]) -> Option<Vec<u8>> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = Plain::bind(any).unwrap();
    socket.connect(to).unwrap();
    let silent = query.windows(6).any(|name| name == b"silent" || name == b"\x05panic");
    socket.set_read_timeout(Some(if silent { UNEXPECTED } else { EXPECTED })).unwrap();
    socket.send(query).unwrap();
    let mut reply = vec![0; 4096];
    let length = socket.recv(&mut reply).ok()?;
    reply.truncate(length);
    Some(reply)
}

fn tcp(stream: &mut TcpStream, query: &[u8]) -> Option<Vec<u8>> {
    let silent = query.windows(6).any(|name| name == b"silent" || name == b"\x05panic");
    stream.set_read_timeout(Some(if silent { UNEXPECTED } else { EXPECTED })).unwrap();
    stream.write_all(&framed(query)).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply).unwrap();
    Some(reply)
}

fn query(name: &str) -> Vec<u8> {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), RecordType::TXT));
    message.to_vec().unwrap()
}

/// What the responder itself writes.
fn expected(query: &[u8], address: IpAddr, transport: Transport) -> Vec<u8> {
    let mut reply = Vec::new();
    Scripted::default().respond(query, &Peer { address, transport }, &mut reply);
    reply
}

/// By streams names may be compressed in another way; header, question and the spelling of all else are the same.
fn assert_same(reply: &[u8], expected: &[u8]) {
    let spelled = |message| Message::from_vec(message).unwrap().to_string();
    assert_eq!(spelled(reply), spelled(expected));
    let end_of_question = expected[12..].iter().position(|octet| *octet == 0).unwrap() + 17;
    assert_eq!(reply[..end_of_question], expected[..end_of_question]);
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn the_same_reply_comes_over_udp_and_tcp() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    for name in ["listed.bl.example.", "LiStEd.bL.eXaMpLe.", "wrong.bl.example.", "badvers.bl.example."] {
        let query = query(name);
        let by_udp = expected(&query, LOOPBACK, Transport::Udp);
        assert_eq!(fixture.udp(&query), Some(by_udp), "{name}");
        let by_tcp = expected(&query, LOOPBACK, Transport::Tcp);
        assert_same(&fixture.tcp(&query).unwrap(), &by_tcp);
    }
}

#[test]
fn one_connection_carries_many_queries() {
    let fixture = Fixture::start("[::1]:0", 1);
    let mut stream = TcpStream::connect(fixture.address).unwrap();
    let query = query("listed.bl.example.");
    let reply = expected(&query, fixture.address.ip(), Transport::Tcp);
    for _ in 0..3 {
        assert_same(&tcp(&mut stream, &query).unwrap(), &reply);
    }
    stream.shutdown(Shutdown::Write).unwrap();
}

/// A query as it stands in a stream.
fn framed(query: &[u8]) -> Vec<u8> {
    let length = u16::try_from(query.len()).unwrap();
    [&length.to_be_bytes(), query].concat()
}

#[test]
fn queries_that_come_during_a_nap_are_answered_together_after_it() {
    let (listen, nap) = (vec!["127.0.0.1:0".parse().unwrap()], Duration::from_millis(500));
    let fixture = Fixture::with(&Settings { listen, threads: 1, nap, ..Settings::default() });
    // After this one the only thread sleeps.
    assert!(fixture.udp(&query("listed.example.")).is_some());
    let socket = Plain::bind("127.0.0.1:0").unwrap();
    socket.connect(fixture.address).unwrap();
    socket.set_read_timeout(Some(EXPECTED)).unwrap();
    for _ in 0..20 {
        socket.send(&query("listed.example.")).unwrap();
    }
    let mut reply = [0; 512];
    assert!((0..20).all(|_| socket.recv(&mut reply).is_ok()));
    assert_eq!(fixture.responder.largest.load(Ordering::Relaxed), 20);
}

#[test]
fn queries_sent_at_once_are_answered_in_turn_also_when_nothing_follows() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    let mut stream = TcpStream::connect(fixture.address).unwrap();
    let queries: Vec<_> = (0..200).map(|number| query(&format!("listed.{number}.bl.example."))).collect();
    let sent: Vec<u8> = queries.iter().flat_map(|query| framed(query)).collect();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let mut rest = &received[..];
    for query in &queries {
        let (length, messages) = rest.split_first_chunk().unwrap();
        let (reply, behind) = messages.split_at(u16::from_be_bytes(*length).into());
        assert_same(reply, &expected(query, LOOPBACK, Transport::Tcp));
        rest = behind;
    }
    assert!(rest.is_empty());
}

/// Limits under which nobody is waited for much longer than a busy machine takes.
fn impatient() -> Limits {
    Limits { idle_timeout: Duration::from_millis(500), ..Limits::default() }
}

#[test]
fn whoever_takes_their_time_is_left_and_hinders_nobody() {
    let fixture = Fixture::limited("127.0.0.1:0", 1, impatient());
    let whole = framed(&query("listed.bl.example."));
    let parts = [0, 1, 2, whole.len() - 1].map(|length| {
        let mut slow = TcpStream::connect(fixture.address).unwrap();
        slow.write_all(&whole[..length]).unwrap();
        slow
    });
    assert!(fixture.tcp(&query("listed.bl.example.")).is_some());
    for mut slow in parts {
        slow.set_read_timeout(Some(EXPECTED)).unwrap();
        assert_eq!(slow.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn whoever_never_reads_is_left() {
    let fixture = Fixture::limited("127.0.0.1:0", 1, impatient());
    let mut stream = TcpStream::connect(fixture.address).unwrap();
    stream.set_write_timeout(Some(EXPECTED)).unwrap();
    let queries = framed(&query("listed.bl.example.")).repeat(1000);
    let refused = loop {
        if let Err(refused) = stream.write_all(&queries) {
            break refused;
        }
    };
    assert!(
        matches!(refused.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
        "{refused}"
    );
    assert_eq!(fixture.count("unsent"), 1);
}

#[test]
fn a_query_too_long_ends_its_connection() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    assert!(fixture.tcp(&[b'x'; 4096]).is_some());
    assert_eq!(fixture.tcp(&[b'x'; 4097]), None);
    assert_eq!(fixture.count("oversized"), 1);
}

#[test]
fn a_client_has_only_so_many_connections() {
    let limits = Limits { connections_per_client: 2, ..Limits::default() };
    let fixture = Fixture::limited("0.0.0.0:0", 1, limits);
    let address = SocketAddr::new(LOOPBACK, fixture.address.port());
    let query = query("listed.bl.example.");
    // A connection has its place once it is answered.
    let mut kept: Vec<_> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(kept.iter_mut().all(|stream| tcp(stream, &query).is_some()));
    assert_eq!(try_tcp(TcpStream::connect(address).unwrap(), &query), None);
    assert_eq!(fixture.count("connection"), 1);
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    other.connect(&address.into()).unwrap();
    assert!(try_tcp(other.into(), &query).is_some());
    kept.pop();
    let begin = Instant::now();
    while try_tcp(TcpStream::connect(address).unwrap(), &query).is_none() {
        assert!(begin.elapsed() < EXPECTED, "a place that is free again can be had");
    }
}

/// Asks over a connection that may be broken off.
fn try_tcp(mut stream: TcpStream, query: &[u8]) -> Option<()> {
    stream.set_read_timeout(Some(EXPECTED)).unwrap();
    stream.write_all(&framed(query)).ok()?;
    stream.read_exact(&mut [0; 2]).ok()
}

#[test]
fn silence_stays_silence_and_the_connection_goes_on() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    let mut stream = TcpStream::connect(fixture.address).unwrap();
    assert_eq!(fixture.udp(&query("silent.bl.example.")), None);
    assert_eq!(tcp(&mut stream, &query("silent.bl.example.")), None);
    assert!(tcp(&mut stream, &query("listed.bl.example.")).is_some());
}

#[test]
fn bytes_that_are_no_dns_reach_the_responder() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    assert_eq!(fixture.udp(b"x").as_deref(), Some(b"\0\0 not DNS".as_slice()));
    assert_eq!(fixture.tcp(b"x").as_deref(), Some(b"\0\0 not DNS".as_slice()));
}

#[test]
fn a_reply_that_is_no_dns_becomes_servfail_over_tcp() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    let reply = fixture.tcp(&query("garbage.bl.example.")).unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(reply.metadata.id, 0x1234);
}

#[test]
fn a_panic_costs_one_reply_and_no_thread() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    for _ in 0..2 {
        assert_eq!(fixture.udp(&query("panic.bl.example.")), None);
        assert_eq!(fixture.tcp(&query("panic.bl.example.")), None);
    }
    // A panic is told at length before it is counted.
    let begin = Instant::now();
    while fixture.count("panic") < 4 && begin.elapsed() < PATIENCE {
        thread::yield_now();
    }
    assert_eq!(fixture.count("panic"), 4);
    assert!(fixture.udp(&query("listed.bl.example.")).is_some());
    assert!(fixture.tcp(&query("listed.bl.example.")).is_some());
    assert!(fixture.server.as_ref().unwrap().is_running());
}

#[test]
fn an_oversized_query_is_dropped() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    let socket = Plain::bind("127.0.0.1:0").unwrap();
    socket.send_to(&[b'x'; 4097], fixture.address).unwrap();
    assert!(fixture.udp(&[b'x'; 4096]).is_some());
    assert_eq!(fixture.count("oversized"), 1);
}

#[test]
fn every_address_of_the_machine_answers_for_itself() {
    let fixture = Fixture::start("0.0.0.0:0", 2);
    let query = query("listed.bl.example.");
    for last in 1..=3 {
        let to = SocketAddr::from(([127, 0, 0, last], fixture.address.port()));
        assert!(udp(to, &query).is_some(), "a reply from elsewhere than {to} is not taken");
    }
}

#[test]
fn several_threads_answer_on_one_port() {
    let fixture = Fixture::start("127.0.0.1:0", 3);
    assert_eq!(fixture.server.as_ref().unwrap().threads.len(), 3);
    let query = query("listed.bl.example.");
    for _ in 0..20 {
        assert!(fixture.udp(&query).is_some());
    }
}

#[test]
fn both_families_are_served_side_by_side() {
    let first =
        bind(&Settings { listen: vec!["0.0.0.0:0".parse().unwrap()], threads: 1, ..Settings::default() });
    let first = first.unwrap();
    let port = first.local_addresses()[0].port();
    let second = SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port);
    let second = bind(&Settings { listen: vec![second], threads: 2, ..Settings::default() });
    assert_eq!(second.unwrap().local_addresses()[0].port(), port);
}

#[test]
fn a_stopped_server_frees_its_port() {
    let mut fixture = Fixture::start("127.0.0.1:0", 2);
    let idle = TcpStream::connect(fixture.address).unwrap();
    assert!(fixture.tcp(&query("listed.bl.example.")).is_some());
    fixture.stop();
    let again = bind(&Settings { listen: vec![fixture.address], threads: 1, ..Settings::default() });
    assert!(again.is_ok(), "{again:?}");
    drop(idle);
}

#[test]
fn errors_name_the_address_and_the_remedy() {
    let fixture = Fixture::start("127.0.0.1:0", 1);
    let check = |listen: Vec<SocketAddr>, parts: &[&str]| {
        let message = bind(&Settings { listen, threads: 1, ..Settings::default() }).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    };
    check(vec![], &["dns.listen"]);
    let taken = fixture.address.to_string();
    check(vec![fixture.address], &[&taken, "another server", "ss -lunpt"]);
    check(vec!["192.0.2.1:0".parse().unwrap()], &["192.0.2.1:0", "ip address"]);
    let denied =
        Error::binding("192.0.2.1:53".parse().unwrap(), "UDP")(io::ErrorKind::PermissionDenied.into());
    assert!(denied.to_string().contains("CAP_NET_BIND_SERVICE"));
}

/// Only a raw socket can send from port 0.
#[test]
fn a_query_from_port_zero_is_dropped() {
    if !crate::sys::privileges::is_root() {
        return;
    }
    let fixture = Fixture::start("127.0.0.1:0", 1);
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).unwrap();
    let query = query("listed.bl.example.");
    let mut datagram = vec![0, 0];
    datagram.extend_from_slice(&fixture.address.port().to_be_bytes());
    datagram.extend_from_slice(&u16::try_from(query.len() + 8).unwrap().to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(&query);
    raw.send_to(&datagram, &SocketAddr::new(LOOPBACK, 0).into()).unwrap();
    assert!(fixture.udp(&query).is_some());
    assert_eq!((fixture.count("port_zero"), fixture.count("unsent")), (1, 0));
}

#[test]
fn a_probe_tells_a_server_that_answers_from_one_that_does_not() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let mut fixture = Fixture::start(listen, 1);
        probe(fixture.address).unwrap();
        fixture.stop();
        let refused = probe(fixture.address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
