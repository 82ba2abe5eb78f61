//! UDP sockets that receive and send in batches, and whose replies leave from the address the question came to.
//!
//! A machine with several addresses must answer from the one that was asked, or the asker drops the answer. A
//! socket bound to one address does so by itself; one bound to `0.0.0.0` or `[::]` is told the destination of each
//! datagram by the kernel (`IP_PKTINFO`, and `IPV6_RECVPKTINFO` of RFC 3542) in a control message, which is sent
//! back with the reply. A batch costs one system call for as many datagrams as are waiting, up to [`BATCH`].

#![expect(unsafe_code, reason = "no crate sends a batch with a source address for each datagram")]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{cmsg_space, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// How many datagrams one system call carries; more than this gains nothing and makes the first wait for the last.
pub const BATCH: usize = 32;

/// How much the kernel may queue for a socket while its thread is busy: some 10,000 queries, which is what
/// arrives in the milliseconds a thread may have to wait for its turn.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Space for the larger of the two kinds of control message.
const CONTROL_SPACE: usize = cmsg_space::<libc::in6_pktinfo>();

/// A bound UDP socket.
#[derive(Debug)]
pub struct UdpSocket {
    socket: OwnedFd,
    address: SocketAddr,
}

impl UdpSocket {
    /// Binds `address`, which no other socket may have. An IPv6 socket takes no IPv4, so that `0.0.0.0` and `[::]` can both be
    /// bound.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Self::open(address)?;
        socket.bind(&address.into())?;
        let address = bound_address(&socket)?;
        Ok(Self { socket: socket.into(), address })
    }

    /// Binds `number` sockets to `address`, of which port 0 becomes one port; the kernel spreads the peers over them
    /// (`SO_REUSEPORT`). The first lets others in only once it has the port to itself, or a second server on the same port would
    /// start without an error and take a part of the queries.
    pub fn bind_many(address: SocketAddr, number: usize) -> io::Result<Vec<Self>> {
        let first = Self::bind(address)?;
        let address = first.address;
        let mut sockets = vec![first];
        for _ in 1..number {
            SockRef::from(&sockets[0].socket).set_reuse_port(true)?;
            let socket = Self::open(address)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            sockets.push(Self { socket: socket.into(), address });
        }
        Ok(sockets)
    }

    /// A socket with all its options, not bound yet.
    fn open(address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if address.ip().is_unspecified() {
            tell_destinations(&socket, address)?;
        }
        enlarge_receive_buffer(&socket);
        ignore_path_mtu(&socket, address);
        Ok(socket)
    }

    /// The address bound; with the real port where port 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// How long [`receive`](Self::receive) waits before it returns [`io::ErrorKind::WouldBlock`].
    pub fn set_receive_timeout(&self, timeout: Duration) -> io::Result<()> {
        SockRef::from(&self.socket).set_read_timeout(Some(timeout))
    }

    /// Waits for a datagram and takes it and those that wait behind it, in place of what `batch` held.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.empty();
        // SAFETY: each header has just been made, or has been made and not used since: it points at buffers of its own datagram, with their
        // lengths. They are borrowed mutably through `batch`, on the heap, and stay where they are as long as it is there.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                batch.headers.as_mut_ptr(),
                batch.headers.len() as _,
                libc::MSG_WAITFORONE as _,
                ptr::null_mut(),
            )
        };
        batch.filled = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (datagram, header) in batch.datagrams[..batch.filled].iter_mut().zip(&mut batch.headers) {
            datagram.take_in(header);
        }
        Ok(())
    }

    /// Sends every reply of `batch` that is not empty, once after each [`receive`](Self::receive), and returns how many could not be
    /// sent. Never waits: a full send buffer costs the reply.
    pub fn send(&self, batch: &mut Batch) -> usize {
        let ready = batch.load_replies();
        self.send_headers(&mut batch.headers[..ready])
    }

    fn send_headers(&self, mut waiting: &mut [libc::mmsghdr]) -> usize {
        let mut unsent = 0;
        while !waiting.is_empty() {
            // SAFETY: as for `recvmmsg`: each header points at the envelope of its own datagram, and that at the reply, which
            // stay where they are for as long as `send` borrows the batch.
            let sent = unsafe {
                libc::sendmmsg(
                    self.socket.as_raw_fd(),
                    waiting.as_mut_ptr(),
                    waiting.len() as _,
                    libc::MSG_DONTWAIT as _,
                )
            };
            // An error is the first waiting one's alone: the others get their chance.
            let sent = usize::try_from(sent).unwrap_or(0);
            unsent += usize::from(sent == 0);
            waiting = &mut waiting[sent.max(1)..];
        }
        unsent
    }
}

/// Buffers for the queries and replies of up to [`BATCH`] datagrams.
pub struct Batch {
    datagrams: Vec<Datagram>,
    /// One for each of them: to receive with, and then to reply with.
    headers: Vec<libc::mmsghdr>,
    filled: usize,
}

impl Batch {
    /// Buffers for queries up to `longest` bytes; replies grow as they need.
    pub fn new(longest: usize) -> Self {
        let mut datagrams: Vec<Datagram> = (0..BATCH).map(|_| Datagram::new(longest)).collect();
        let headers = datagrams.iter_mut().map(Datagram::receiver).collect();
        Self { datagrams, headers, filled: 0 }
    }

    /// Makes those that are filled ready to be filled again.
    fn empty(&mut self) {
        for (datagram, header) in self.datagrams[..self.filled].iter_mut().zip(&mut self.headers) {
            *header = datagram.receiver();
        }
        self.filled = 0;
    }

    /// Makes the first headers those of the replies that are to be sent, and says how many these are. The others are of no more use
    /// until all are made anew.
    fn load_replies(&mut self) -> usize {
        let mut ready = 0;
        for (place, datagram) in self.datagrams[..self.filled].iter_mut().enumerate() {
            if !datagram.reply.is_empty() {
                let mut header = self.headers[place];
                datagram.load_reply(&mut header);
                self.headers[ready] = header;
                ready += 1;
            }
        }
        ready
    }

    /// The datagrams received last.
    pub fn filled_mut(&mut self) -> &mut [Datagram] {
        &mut self.datagrams[..self.filled]
    }
}

/// One query, its reply and whom it goes to.
pub struct Datagram {
    query: Box<[u8]>,
    length: usize,
    truncated: bool,
    reply: Vec<u8>,
    envelope: Envelope,
}

impl Datagram {
    fn new(longest: usize) -> Self {
        Self {
            query: vec![0; longest].into(),
            length: 0,
            truncated: false,
            reply: Vec::new(),
            envelope: Envelope::new(),
        }
    }

    /// The query, and the reply to be filled, which is empty at first. An empty one is not sent.
    pub fn query_and_reply(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.query[..self.length], &mut self.reply)
    }

    /// Whether the query was longer than its buffer, and its end lost.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Who sent the query; `None` should the kernel ever name neither an IPv4 nor an IPv6 address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.envelope.peer()
    }

    fn receiver(&mut self) -> libc::mmsghdr {
        self.envelope.receiver(&mut self.query)
    }

    /// Takes note of what came by `header`, which is made one for the reply to it.
    fn take_in(&mut self, header: &mut libc::mmsghdr) {
        let message = &mut header.msg_hdr;
        self.length = (header.msg_len as usize).min(self.query.len());
        self.truncated = message.msg_flags & libc::MSG_TRUNC != 0;
        self.reply.clear();
        // Where it came from is where the reply goes; where it came to is where that leaves from.
        if message.msg_controllen > 0 {
            message.msg_control = self.envelope.control.0.as_mut_ptr().cast();
            if !says_destination(message) {
                message.msg_controllen = 0;
            }
        }
    }

    /// Makes the header that it came by one to send the reply with.
    fn load_reply(&mut self, header: &mut libc::mmsghdr) {
        self.envelope.bytes = bytes(&mut self.reply);
        self.envelope.point(&mut header.msg_hdr);
    }
}

/// The addresses of a datagram as the kernel writes them when it comes, and reads them when the reply goes.
struct Envelope {
    peer: libc::sockaddr_storage,
    control: Control,
    /// Where the bytes are: the query until it is there, then the reply.
    bytes: libc::iovec,
}

/// A control message begins at the alignment of its header.
#[repr(C, align(8))]
struct Control([u8; CONTROL_SPACE]);

impl Envelope {
    fn new() -> Self {
        // SAFETY: a plain structure of numbers, for which all zeros is the unspecified address.
        let peer = unsafe { zeroed() };
        Self { peer, control: Control([0; CONTROL_SPACE]), bytes: bytes(&mut []) }
    }

    /// A header to receive into `buffer` with, and the addresses into all of this envelope. Good as long as both stay where they are.
    fn receiver(&mut self, buffer: &mut [u8]) -> libc::mmsghdr {
        self.bytes = bytes(buffer);
        // SAFETY: a plain structure of numbers and pointers, for which all zeros means nothing to read or write.
        let mut header: libc::mmsghdr = unsafe { zeroed() };
        let message = &mut header.msg_hdr;
        self.point(message);
        message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        message.msg_controllen = CONTROL_SPACE as _;
        header
    }

    /// Has `message` point at this. Its lengths are not touched.
    fn point(&mut self, message: &mut libc::msghdr) {
        message.msg_name = ptr::from_mut(&mut self.peer).cast();
        message.msg_iov = &raw mut self.bytes;
        message.msg_iovlen = 1;
        message.msg_control = self.control.0.as_mut_ptr().cast();
    }

    fn peer(&self) -> Option<SocketAddr> {
        let address = ptr::from_ref(&self.peer);
        match libc::c_int::from(self.peer.ss_family) {
            libc::AF_INET => {
                // SAFETY: the storage is large and aligned enough for every address, and all bits are valid.
                let v4 = unsafe { *address.cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { *address.cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// Where the kernel finds `buffer`.
fn bytes(buffer: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
}

/// Whether the control message of a datagram that came says where it came to. The interface is taken out of it: naming that for the
/// reply would overrule the routes, and only a link-local address needs it. `message` must be what the kernel wrote.
fn says_destination(message: &libc::msghdr) -> bool {
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return false;
    }
    // SAFETY: the macro's result is null or a whole header inside the control buffer, and the kind says which
    // structure follows; that one is not promised to be aligned.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(message);
        if control.is_null() {
            return false;
        }
        let data = libc::CMSG_DATA(control);
        match ((*control).cmsg_level, (*control).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info = data.cast::<libc::in_pktinfo>();
                (&raw mut (*info).ipi_ifindex).write_unaligned(0);
                true
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info = data.cast::<libc::in6_pktinfo>();
                let address = Ipv6Addr::from((&raw const (*info).ipi6_addr).read_unaligned().s6_addr);
                if !address.is_unicast_link_local() {
                    (&raw mut (*info).ipi6_ifindex).write_unaligned(0);
                }
                true
            }
            _ => false,
        }
    }
}

fn tell_destinations(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// An administrator may go beyond the system's limit, others get what it allows: neither is worth a refusal.
fn enlarge_receive_buffer(socket: &Socket) {
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
}

/// Replies fit every path. A forged "fragmentation needed" must not make the kernel cut them into fragments, whose
/// second half a stranger could replace. A kernel that cannot do so serves all the same.
fn ignore_path_mtu(socket: &Socket, address: SocketAddr) {
    let (level, option, value) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT),
    };
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option takes a C int, and `value` is one that outlives the call.
    let _ =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, ptr::from_ref(&value).cast(), length) };
}

fn bound_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, UdpSocket as Plain};

    fn asker(from: &str) -> Plain {
        let asker = Plain::bind(from).unwrap();
        asker.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        asker
    }

    /// Receives one batch and sends every query back, but for those that begin with `!`.
    fn echo(server: &UdpSocket, batch: &mut Batch) -> usize {
        server.receive(batch).unwrap();
        for datagram in batch.filled_mut() {
            let (query, reply) = datagram.query_and_reply();
            assert!(reply.is_empty());
            if !query.starts_with(b"!") {
                reply.extend_from_slice(query);
            }
        }
        server.send(batch)
    }

    /// Asks a server bound to `bound` at the address `asked`: who was seen to reply.
    fn replier(bound: &str, from: &str, asked: &str) -> IpAddr {
        let server = UdpSocket::bind(bound.parse().unwrap()).unwrap();
        let asker = asker(from);
        let mut batch = Batch::new(64);
        let to = SocketAddr::new(asked.parse().unwrap(), server.local_address().port());
        asker.send_to(b"question", to).unwrap();
        assert_eq!(echo(&server, &mut batch), 0);
        assert_eq!(batch.filled_mut()[0].peer(), Some(asker.local_addr().unwrap()));

        let mut buffer = [0; 64];
        let (length, replier) = asker.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        assert_eq!(replier.port(), to.port());
        replier.ip()
    }

    #[test]
    fn the_reply_leaves_from_the_address_that_was_asked() {
        for (bound, from, asked) in [
            ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.2"),
            ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.3"),
            ("127.0.0.2:0", "127.0.0.1:0", "127.0.0.2"),
            ("[::]:0", "[::1]:0", "::1"),
            ("[::1]:0", "[::1]:0", "::1"),
        ] {
            assert_eq!(replier(bound, from, asked), asked.parse::<IpAddr>().unwrap(), "{bound}");
        }
    }

    #[test]
    fn a_batch_takes_what_waits_and_each_reply_finds_its_asker() {
        let server = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let askers: Vec<Plain> = (0..BATCH + 3).map(|_| asker("127.0.0.1:0")).collect();
        for (number, asker) in askers.iter().enumerate() {
            let last = u8::try_from(number % 3 + 1).unwrap();
            let to = SocketAddr::from(([127, 0, 0, last], server.local_address().port()));
            asker.connect(to).unwrap();
            asker.send(number.to_string().as_bytes()).unwrap();
        }
        let mut batch = Batch::new(64);
        assert_eq!(echo(&server, &mut batch), 0);
        assert_eq!(batch.filled_mut().len(), BATCH);
        assert_eq!(echo(&server, &mut batch), 0);
        assert_eq!(batch.filled_mut().len(), 3);
        for (number, asker) in askers.iter().enumerate() {
            let mut buffer = [0; 64];
            let length = asker.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], *number.to_string().as_bytes());
        }
    }

    #[test]
    fn an_empty_reply_is_not_sent_and_a_failing_one_hinders_no_other() {
        let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let asker = asker("127.0.0.1:0");
        for query in ["!", "huge", "first", "huge", "second"] {
            asker.send_to(query.as_bytes(), server.local_address()).unwrap();
        }
        let mut batch = Batch::new(64);
        server.receive(&mut batch).unwrap();
        assert_eq!(batch.filled_mut().len(), 5);
        for datagram in batch.filled_mut() {
            match datagram.query_and_reply() {
                (b"!", _) => {}
                (b"huge", reply) => reply.resize(70_000, 0),
                (query, reply) => reply.extend_from_slice(query),
            }
        }
        assert_eq!(server.send(&mut batch), 2);
        for expected in [b"first".as_slice(), b"second"] {
            let mut buffer = [0; 64];
            let length = asker.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected);
        }
    }

    #[test]
    fn silence_for_one_asker_moves_no_reply_of_another() {
        let server = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let askers: Vec<Plain> = (0..8).map(|_| asker("127.0.0.1:0")).collect();
        let to = |number: usize| {
            let last = u8::try_from(number % 3 + 1).unwrap();
            SocketAddr::from(([127, 0, 0, last], server.local_address().port()))
        };
        let mut batch = Batch::new(64);
        for round in 0..3 {
            let is_silent = |number: usize| (number + round).is_multiple_of(3);
            for (number, asker) in askers.iter().enumerate() {
                let mark = if is_silent(number) { "!" } else { "" };
                asker.send_to(format!("{mark}{round} {number}").as_bytes(), to(number)).unwrap();
            }
            assert_eq!(echo(&server, &mut batch), 0);
            for (number, asker) in askers.iter().enumerate().filter(|(number, _)| !is_silent(*number)) {
                let mut buffer = [0; 64];
                let (length, replier) = asker.recv_from(&mut buffer).unwrap();
                assert_eq!(buffer[..length], *format!("{round} {number}").as_bytes());
                assert_eq!(replier, to(number));
            }
        }
    }

    #[test]
    fn the_sockets_of_a_server_share_a_port_with_each_other_and_with_no_other_server() {
        let sockets = UdpSocket::bind_many("0.0.0.0:0".parse().unwrap(), 2).unwrap();
        let address = sockets[0].local_address();
        assert_eq!(sockets[1].local_address(), address);
        let other_family = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port());
        UdpSocket::bind(other_family).unwrap();
        let refused = UdpSocket::bind_many(address, 2).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_datagram_beyond_the_buffer_is_marked_and_silence_times_out() {
        let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        server.set_receive_timeout(Duration::from_millis(20)).unwrap();
        let mut batch = Batch::new(8);
        let silence = server.receive(&mut batch).unwrap_err();
        assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
        assert!(batch.filled_mut().is_empty());

        let asker = asker("127.0.0.1:0");
        for length in [9, 8] {
            asker.send_to(&vec![7; length], server.local_address()).unwrap();
        }
        server.receive(&mut batch).unwrap();
        let seen = batch.filled_mut().iter_mut();
        let seen: Vec<_> = seen.map(|one| (one.query_and_reply().0.len(), one.is_truncated())).collect();
        assert_eq!(seen, [(8, true), (8, false)]);
    }
}
