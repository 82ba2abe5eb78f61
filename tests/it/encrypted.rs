//! DNS over TLS, HTTPS and QUIC: kdig and clients made of the libraries ask the real daemon, whose certificate comes and
//! goes meanwhile.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::unistd::Uid;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ApplicationClose, Connection, ConnectionError, Endpoint, VarInt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::env::{BASE, Daemon, Env, PUBLISH};
use super::peers;

/// The name in every certificate.
const NAME: &str = "ns.example";

/// The encrypted transports, each on a port of the system's choice.
const TLS: &str = "
idle_timeout = '2s'
[dns.tls]
certificate = 'cert.pem'
key = 'key.pem'
dot = '127.0.0.1:0'
doh = '127.0.0.1:0'
doq = '127.0.0.1:0'
";

/// `2.0.0.127.bl.example A`, which is always listed, with the ID 0.
const QUERY: &[u8] = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x012\x010\x010\x03127\x02bl\x07example\0\0\x01\0\x01";

/// The OPT record that asks for a connection to be kept (RFC 7828).
const KEEPALIVE: &[u8] = b"\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x0b\0\0";

/// What the answer to it ends with: the code.
const LISTED: [u8; 4] = [127, 0, 0, 4];

/// A daemon's folder with a certificate.
fn env() -> Env {
    let env = Env::new("");
    env.configure_as(&format!("{BASE}{TLS}"), PUBLISH);
    issue(&env);
    env
}

/// Writes a new certificate and its key.
fn issue(env: &Env) {
    let issued = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    fs::write(env.path("cert.pem"), issued.cert.pem()).unwrap();
    fs::write(env.path("key.pem"), issued.signing_key.serialize_pem()).unwrap();
}

/// Where the daemon says that it serves `transport`.
fn address(daemon: &Daemon, transport: &str) -> SocketAddr {
    let messages = daemon.messages();
    let (_, behind) = messages.split_once(&format!("({transport}, ")).unwrap();
    behind.split_once(')').unwrap().0.parse().unwrap()
}

/// A client that trusts the certificate in the folder, as it is now, and nothing else.
fn client(env: &Env, protocol: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(env.path("cert.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config
}

/// A connection over TLS with such a client.
async fn connect(client: ClientConfig, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(client)).connect(ServerName::try_from(NAME).unwrap(), stream).await
}

fn framed(query: &[u8]) -> Vec<u8> {
    [&u16::try_from(query.len()).unwrap().to_be_bytes(), query].concat()
}

/// One count of the metrics.
fn count(env: &Env, name: &str, label: &str) -> u64 {
    let body = env.get("/metrics").body;
    let lines = body.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[test]
fn kdig_reads_the_same_answers_over_every_transport() {
    if !peers::present("kdig", Command::new("kdig").arg("-h").output().is_ok(), "knot-dnsutils") {
        return;
    }
    let env = env();
    let daemon = env.start();
    let transports: [(&[&str], SocketAddr, &str); 6] = [
        (&["+notcp"], daemon.dns(), "udp"),
        (&["+tcp"], daemon.dns(), "tcp"),
        (&["+tls"], address(&daemon, "Tls"), "tls"),
        (&["+https"], address(&daemon, "Https"), "https"),
        (&["+https", "+https-get"], address(&daemon, "Https"), "https"),
        (&["+quic"], address(&daemon, "Quic"), "quic"),
    ];
    for (options, address, label) in transports {
        let asked = kdig(&env, options, address);
        assert_eq!(asked, ["NOERROR", "127.0.0.4", "NXDOMAIN"], "{options:?}");
        let transport = format!("transport=\"{label}\"");
        assert!(count(&env, "banzone_dns_queries_total{zone=\"bl.example.\"", &transport) >= 2, "{label}");
    }
}

/// What kdig shows of two questions, one for a listed address: response codes and codes.
fn kdig(env: &Env, options: &[&str], address: SocketAddr) -> Vec<String> {
    let trusted = format!("+tls-ca={}", env.path("cert.pem").display());
    let name = format!("+tls-hostname={NAME}");
    let output = Command::new("kdig")
        .args([&format!("@{}", address.ip()), "-p", &address.port().to_string(), "+retry=0", "+time=5"])
        // These alone would mean TLS: what follows says how to ask.
        .args([&trusted, &name, "+notls"])
        .args(options)
        .args(["2.0.0.127.bl.example", "A", "9.2.0.192.bl.example", "A"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown = text.lines().filter_map(|line| {
        let status = line.split_once("status: ").and_then(|(_, status)| status.split_once("; id"));
        status.map(|(status, _)| status).or_else(|| line.split_once("\tA\t").map(|(_, code)| code))
    });
    shown.map(str::to_owned).collect()
}

#[test]
fn queries_sent_at_once_over_tls_are_all_answered() {
    let env = env();
    let daemon = env.start();
    Runtime::new().unwrap().block_on(async {
        let mut stream = connect(client(&env, "dot"), address(&daemon, "Tls")).await.unwrap();
        stream.write_all(&framed(QUERY).repeat(50)).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut replies = Vec::new();
        stream.read_to_end(&mut replies).await.unwrap();
        assert_eq!(replies.windows(4).filter(|octets| *octets == LISTED).count(), 50);
    });
}

#[test]
fn whoever_does_not_agree_on_encryption_is_left() {
    let env = env();
    let daemon = env.start();
    Runtime::new().unwrap().block_on(async {
        for transport in ["Tls", "Https"] {
            // Says nothing at all.
            let mut silent = TcpStream::connect(address(&daemon, transport)).await.unwrap();
            assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
            // Means another protocol.
            assert!(connect(client(&env, "gopher"), address(&daemon, transport)).await.is_err());
        }
    });
    assert_eq!(count(&env, "banzone_dns_dropped_total", "\"handshake\""), 4);
}

#[test]
fn whoever_does_not_speak_http_is_left_in_time() {
    let env = env();
    env.configure_as(&format!("{BASE}{}", TLS.replace("'2s'", "'4s'")), PUBLISH);
    let daemon = env.start();
    Runtime::new().unwrap().block_on(async {
        let mut silent = connect(client(&env, "h2"), address(&daemon, "Https")).await.unwrap();
        let begin = Instant::now();
        // The frame that ends a connection may come first.
        let _ = silent.read_to_end(&mut Vec::new()).await;
        let waited = begin.elapsed();
        assert!((Duration::from_secs(3)..Duration::from_secs(7)).contains(&waited), "{waited:?}");
    });
}

/// What is sent to DoH.
async fn request(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    method: &str,
    path: &str,
    kind: &str,
    body: &[u8],
) -> (StatusCode, String, Vec<u8>) {
    let request = Request::builder()
        .method(method)
        .uri(format!("https://{NAME}{path}"))
        .header("content-type", kind)
        .body(Full::from(body.to_vec()))
        .unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let headers = ["content-type", "cache-control"]
        .map(|name| head.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned());
    (head.status, headers.join(" "), body.collect().await.unwrap().to_bytes().into())
}

/// Method, path, media type and body of a request; status and lifetime of the response.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [u8], u16, &'a str);

#[test]
fn https_answers_queries_and_says_what_is_wrong_with_others() {
    const MESSAGE: &str = "application/dns-message";
    let env = env();
    let daemon = env.start();
    let encoded = BASE64URL_NOPAD.encode(QUERY);
    let unlisted = BASE64URL_NOPAD.encode(QUERY).replace("ATIB", "ATMB");
    let good = "application/dns-message max-age=";
    let long = "A".repeat(5600);
    let table: [Case<'_>; 13] = [
        ("POST", "/dns-query", MESSAGE, QUERY, 200, "300"),
        ("GET", &format!("/dns-query?dns={encoded}"), "", b"", 200, "300"),
        ("GET", &format!("/dns-query?ct&dns={unlisted}"), "", b"", 200, "60"),
        ("POST", "/dns-query", MESSAGE, b"short", 400, ""),
        ("POST", "/dns-query", "text/plain", QUERY, 415, ""),
        ("POST", "/dns-query", MESSAGE, &[0; 4097], 413, ""),
        ("POST", "/", MESSAGE, QUERY, 404, ""),
        ("GET", &format!("/dns-query/?dns={encoded}"), "", b"", 404, ""),
        ("GET", "/dns-query", "", b"", 400, ""),
        ("GET", "/dns-query?dns=!", "", b"", 400, ""),
        ("GET", &format!("/dns-query?dns={encoded}="), "", b"", 400, ""),
        ("GET", &format!("/dns-query?dns={long}"), "", b"", 414, ""),
        ("DELETE", "/dns-query", MESSAGE, QUERY, 405, ""),
    ];
    Runtime::new().unwrap().block_on(async {
        let stream = connect(client(&env, "h2"), address(&daemon, "Https")).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        for (method, path, kind, body, status, lifetime) in table {
            let (found, headers, reply) = request(&mut sender, method, path, kind, body).await;
            assert_eq!(found.as_u16(), status, "{method} {path}");
            if status == 200 {
                assert_eq!(headers, format!("{good}{lifetime}"), "{method} {path}");
                assert_eq!(reply.ends_with(&LISTED), lifetime == "300", "{method} {path}");
            }
        }
        // Nothing more is asked: the server closes.
        connection.await.unwrap().unwrap();
    });
}

/// A connection over QUIC.
async fn connect_quic(env: &Env, address: SocketAddr) -> Connection {
    let tls = QuicClientConfig::try_from(client(env, "doq")).unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(tls));
    endpoint.connect_with(config, address, NAME).unwrap().await.unwrap()
}

/// Sends `query` in a stream of its own, and returns what comes back.
async fn ask_quic(connection: &Connection, query: &[u8]) -> Result<Vec<u8>, quinn::ReadToEndError> {
    let (mut sending, mut receiving) = connection.open_bi().await.unwrap();
    sending.write_all(query).await.unwrap();
    sending.finish().unwrap();
    receiving.read_to_end(65_537).await
}

#[test]
fn quic_answers_each_stream_and_ends_with_whoever_misuses_it() {
    let env = env();
    let daemon = env.start();
    Runtime::new().unwrap().block_on(async {
        let connection = connect_quic(&env, address(&daemon, "Quic")).await;
        // One that is not finished keeps no other waiting.
        let (mut unfinished, _receiving) = connection.open_bi().await.unwrap();
        unfinished.write_all(&[0]).await.unwrap();
        for _ in 0..100 {
            assert!(ask_quic(&connection, &framed(QUERY)).await.unwrap().ends_with(&LISTED));
        }
        let with_id = [&[0, 1], &QUERY[2..]].concat();
        let keeping_alive = [&QUERY[..11], &[1], &QUERY[12..], KEEPALIVE].concat();
        for misuse in [
            framed(&with_id),
            framed(QUERY)[..20].to_vec(),
            [framed(QUERY), vec![0]].concat(),
            framed(&keeping_alive),
        ] {
            let connection = connect_quic(&env, address(&daemon, "Quic")).await;
            assert!(ask_quic(&connection, &misuse).await.is_err());
            let closed = connection.closed().await;
            let is_protocol_error = matches!(
                &closed,
                ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. })
                    if *error_code == VarInt::from_u32(2)
            );
            assert!(is_protocol_error, "{closed}");
        }
    });
}

#[test]
fn a_client_has_only_so_many_connections_of_each_kind() {
    let env = env();
    env.configure_as(&format!("{BASE}connections_per_client = 1\n{TLS}"), PUBLISH);
    let daemon = env.start();
    Runtime::new().unwrap().block_on(async {
        let _dot = connect(client(&env, "dot"), address(&daemon, "Tls")).await.unwrap();
        assert!(connect(client(&env, "dot"), address(&daemon, "Tls")).await.is_err());
        let _doh = connect(client(&env, "h2"), address(&daemon, "Https")).await.unwrap();
        assert!(connect(client(&env, "h2"), address(&daemon, "Https")).await.is_err());
        let _doq = connect_quic(&env, address(&daemon, "Quic")).await;
        let tls = QuicClientConfig::try_from(client(&env, "doq")).unwrap();
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(tls));
        let second = endpoint.connect_with(config, address(&daemon, "Quic"), NAME).unwrap().await;
        assert!(matches!(second, Err(ConnectionError::ConnectionClosed(_))), "{second:?}");
    });
    assert_eq!(count(&env, "banzone_dns_dropped_total", "\"connection\""), 3);
}

#[test]
fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let env = env();
    let daemon = env.start();
    let runtime = Runtime::new().unwrap();
    let shows = |trusted: ClientConfig| runtime.block_on(connect(trusted, address(&daemon, "Tls"))).is_ok();
    let first = client(&env, "dot");
    assert!(shows(first.clone()));

    issue(&env);
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    let second = client(&env, "dot");
    assert!(shows(second.clone()) && !shows(first));

    fs::write(env.path("key.pem"), "half a ke").unwrap();
    let refused = env.request("POST", "/api/v1/reload", "");
    assert!(refused.status >= 400 && refused.body.contains("key.pem` holds no private key"), "{refused:?}");
    assert!(shows(second));
}

#[test]
fn what_is_no_certificate_is_named_with_its_place() {
    let env = env();
    let check = |part: &str| {
        let refused = env.refused();
        assert!(refused.contains("banzone.toml:") && refused.contains(part), "{refused}");
        let config = env.config();
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        let checked = command.arg("--config").arg(config).arg("check").output().unwrap();
        String::from_utf8_lossy(&checked.stderr).contains(part)
    };
    let key = fs::read(env.path("key.pem")).unwrap();
    issue(&env);
    fs::write(env.path("key.pem"), key).unwrap();
    assert!(check("dns.tls.key: the key `"));
    fs::remove_file(env.path("key.pem")).unwrap();
    assert!(check("dns.tls.key: cannot read `"));
    fs::write(env.path("cert.pem"), "no PEM").unwrap();
    assert!(check("dns.tls.certificate: `"));
}

/// The daemon that root started reads the files as the user it becomes, as it will have to when they are renewed.
#[test]
fn a_key_that_only_root_may_read_is_refused() {
    if !Uid::effective().is_root() {
        return;
    }
    let env = env();
    fs::set_permissions(env.path("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let refused = env.refused();
    assert!(refused.contains("the user that the daemon runs as reads it"), "{refused}");
}

/// A certificate that holds between the beginnings of two years.
fn issue_between(env: &Env, [from, until]: [i32; 2]) {
    let mut parameters = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(env.path("cert.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(env.path("key.pem"), key.serialize_pem()).unwrap();
}

#[test]
fn a_certificate_that_does_not_hold_is_warned_of() {
    let env = env();
    issue_between(&env, [1990, 2000]);
    let daemon = env.start();
    let ended = "has ended on 2000-01-01T00:00:00Z: renew it";
    assert!(daemon.messages().contains(ended), "{}", daemon.messages());
    let ready = env.get("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.body.contains(&format!("the certificate of [dns.tls] {ended}")), "{}", ready.body);
    assert_eq!(count(&env, "banzone_certificate_end_timestamp_seconds", ""), 946_684_800);

    issue_between(&env, [3000, 3001]);
    let warnings = env.request("POST", "/api/v1/reload", "").json()["warnings"].to_string();
    let early = "the certificate of [dns.tls] is not valid before 3000-01-01T00:00:00Z: look at the clock";
    assert!(warnings.contains(early), "{warnings}");
}
