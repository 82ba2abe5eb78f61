//! The sockets of the transports over streams: bound from the settings, which may need privileges, and served later.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{ALPN_DOH, ALPN_DOQ, ALPN_DOT, Front, Https, Limits, Quic};
use crate::dns::certificate::{Certificates, tls};
use crate::dns::{Error, Respond, Tls, Transport};

/// Connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Bound sockets, not served yet.
#[derive(Debug, Default)]
pub(in crate::dns) struct Sockets {
    tcp: Vec<TcpListener>,
    dot: Vec<TcpListener>,
    doh: Vec<TcpListener>,
    doq: Vec<UdpSocket>,
    doh_path: Arc<str>,
    limits: Limits,
    pub(in crate::dns) certificates: Arc<Certificates>,
}

impl Sockets {
    /// Binds the encrypted transports.
    pub(in crate::dns) fn bind(settings: &Tls, limits: &Limits) -> Result<Self, Error> {
        let listen = |address, transport| bind_tcp(address).map_err(Error::binding(address, transport));
        let listen_quic = |address| bind_udp(address).map_err(Error::binding(address, "DoQ"));
        Ok(Self {
            dot: settings.dot.iter().map(|address| listen(*address, "DoT")).collect::<Result<_, _>>()?,
            doh: settings.doh.iter().map(|address| listen(*address, "DoH")).collect::<Result<_, _>>()?,
            doq: settings.doq.iter().map(|address| listen_quic(*address)).collect::<Result<_, _>>()?,
            doh_path: settings.doh_path.as_str().into(),
            limits: limits.clone(),
            ..Self::default()
        })
    }

    /// Adds a listener for plain TCP.
    pub(in crate::dns) fn add_tcp(&mut self, address: SocketAddr) -> io::Result<()> {
        self.tcp.push(bind_tcp(address)?);
        Ok(())
    }

    /// Where there is plain TCP.
    pub(in crate::dns) fn tcp_addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Where there is something else.
    pub(in crate::dns) fn encrypted_addresses(&self) -> Vec<(Transport, SocketAddr)> {
        let dot = self.dot.iter().map(|socket| (Transport::Tls, socket.local_addr()));
        let doh = self.doh.iter().map(|socket| (Transport::Https, socket.local_addr()));
        let doq = self.doq.iter().map(|socket| (Transport::Quic, socket.local_addr()));
        dot.chain(doh)
            .chain(doq)
            .filter_map(|(transport, address)| Some((transport, address.ok()?)))
            .collect()
    }

    /// Serves all of them on `runtime` until `stopped` is true.
    pub(in crate::dns) fn serve<R: Respond>(
        self,
        responder: &Arc<R>,
        runtime: &Handle,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let _runtime = runtime.enter();
        let front = |transport| Front::new(responder, transport, &self.limits, stopped);
        let [tcp, dot, doh, doq] =
            [Transport::Tcp, Transport::Tls, Transport::Https, Transport::Quic].map(front);
        let certified = |protocol| tls(&self.certificates, protocol);
        let mut tasks = Vec::new();
        for socket in listeners(self.tcp)? {
            tasks.push(tokio::spawn(super::tcp(socket, Arc::clone(&tcp))));
        }
        for socket in listeners(self.dot)? {
            tasks.push(tokio::spawn(super::tls(socket, Arc::clone(&dot), certified(ALPN_DOT))));
        }
        for socket in listeners(self.doh)? {
            let https = Https { tls: certified(ALPN_DOH), path: Arc::clone(&self.doh_path) };
            tasks.push(tokio::spawn(https.serve(socket, Arc::clone(&doh))));
        }
        for socket in self.doq {
            let quic = Quic::new(socket, certified(ALPN_DOQ), self.limits.idle_timeout)?;
            tasks.push(tokio::spawn(quic.serve(Arc::clone(&doq))));
        }
        Ok(tasks)
    }
}

fn listeners(bound: Vec<TcpListener>) -> io::Result<Vec<tokio::net::TcpListener>> {
    bound.into_iter().map(tokio::net::TcpListener::from_std).collect()
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(address, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    bind(address, Type::DGRAM, Protocol::UDP).map(Into::into)
}

fn bind(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // A restart must not wait for the connections of its predecessor to be forgotten.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
