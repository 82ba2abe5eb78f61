//! How long a connection lasts whose client does not do its part.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;
use crate::dns::certificate::provider;

/// A busy machine still tells once from twice.
const IDLE: Duration = Duration::from_secs(3);

/// What is on its way in each direction at most.
const ROOM: usize = 4096;

/// Answers what is no DNS with itself.
struct Echo;

impl Respond for Echo {
    fn respond(&self, query: &[u8], _: &Peer, reply: &mut Vec<u8>) {
        reply.extend_from_slice(query);
    }

    fn dropped(&self, _: Dropped) {}
}

fn connection(transport: Transport, stopped: &watch::Receiver<bool>) -> Connection<Echo> {
    let limits = Limits { idle_timeout: IDLE, ..Limits::default() };
    let front = Front::new(&Arc::new(Echo), transport, &limits, stopped);
    front.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()
}

/// Both ends of a connection over TLS.
async fn encrypted() -> (TlsStream<DuplexStream>, ClientStream<DuplexStream>) {
    let issued = rcgen::generate_simple_self_signed(["ns.example".to_owned()]).unwrap();
    let certificate = issued.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into());
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (ours, theirs) = duplex(ROOM);
    let name = ServerName::try_from("ns.example").unwrap();
    let (acceptor, connector) =
        (TlsAcceptor::from(Arc::new(server.unwrap())), TlsConnector::from(Arc::new(client)));
    let (ours, theirs) = tokio::join!(acceptor.accept(ours), connector.connect(name, theirs));
    (ours.unwrap(), theirs.unwrap())
}

/// Checks that `serving` ends when a client has had its time once.
async fn check(serving: impl Future<Output = ()>) {
    let begin = Instant::now();
    serving.await;
    let waited = begin.elapsed();
    assert!((IDLE..IDLE * 5 / 3).contains(&waited), "{waited:?}");
}

#[test]
fn a_client_that_does_not_read_is_left_in_time() {
    let (_stop, stopped) = watch::channel(false);
    Runtime::new().unwrap().block_on(async {
        let (ours, mut theirs) = encrypted().await;
        let asking = tokio::spawn(async move {
            let query = b"\0\x20this is nothing that DNS can read";
            while theirs.write_all(&query[..2 + 32]).await.is_ok() {}
        });
        check(framed::serve(ours, connection(Transport::Tls, &stopped))).await;
        asking.await.unwrap();
    });
}

#[test]
fn a_client_that_does_not_speak_http_is_left_in_time() {
    let (_stop, stopped) = watch::channel(false);
    Runtime::new().unwrap().block_on(async {
        let (ours, _theirs) = duplex(ROOM);
        let connection = Arc::new(connection(Transport::Https, &stopped));
        check(https::serve_connection(ours, connection, "/dns-query".into())).await;
    });
}
