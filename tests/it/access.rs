//! Who may do what over TCP: every route by every role, and what a token is confined to.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use banzone::http::ROUTES;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use super::env::{Daemon, Env, PUBLISH, Response, SASL, exchange, until};

/// Every route, and who may have it answered: `v`iewers, `o`perators, `a`dmins, `r`eporters, and those who are `n`obody. A dot
/// stands for whoever is refused.
pub const MATRIX: &[(&str, &str)] = &[
    ("get /openapi.json", "nvoar"),
    ("get /status", ".voa."),
    ("get /jails", ".voa."),
    ("get /jails/{jail}", ".voa."),
    ("get /jails/{jail}/settings", ".voa."),
    ("patch /jails/{jail}/settings", "...a."),
    ("post /jails/{jail}/failures", "..oa."),
    ("get /bans", ".voa."),
    ("post /bans", "..oa."),
    ("delete /bans", "..oa."),
    ("get /failures", ".voa."),
    ("get /zones", ".voa."),
    ("get /listings", ".voa."),
    ("get /datasets", ".voa."),
    ("get /changes", ".voa."),
    ("get /lookup/{address}", ".voa."),
    ("get /lookup", ".voa."),
    ("post /lookup", ".voa."),
    ("get /names/{name}", ".voa."),
    ("get /dns", ".voa."),
    ("get /figures", ".voa."),
    ("get /allow", ".voa."),
    ("post /allow", "..oa."),
    ("delete /allow", "..oa."),
    ("post /reports", "...ar"),
    ("get /reporters", ".voa."),
    ("get /reporters/{reporter}", ".voa."),
    ("patch /reporters/{reporter}", "...a."),
    ("delete /reporters/{reporter}/votes", "...a."),
    ("get /held", ".voa."),
    ("post /held/release", "..oa."),
    ("delete /held", "..oa."),
    ("get /requests", "..oa."),
    ("post /requests/{number}", "..oa."),
    ("post /takeover", "...a."),
    ("get /settings", "...a."),
    ("post /reload", "...a."),
    ("get /tokens", "...a."),
    ("post /tokens", "...a."),
    ("delete /tokens/{token}", "...a."),
    ("post /tokens/{token}/rotate", "...a."),
    ("post /session", "nvoar"),
    ("get /session", "....."),
    ("delete /session", "....."),
    ("post /session/verify", "....."),
    ("post /session/password", "....."),
    ("post /session/totp", "....."),
    ("post /session/totp/confirm", "....."),
    ("delete /session/totp", "....."),
    ("post /session/passkey/challenge", "nvoar"),
    ("post /session/passkey", "nvoar"),
    ("post /session/passkey/verify", "....."),
    ("get /session/passkeys", "....."),
    ("post /session/passkeys/challenge", "....."),
    ("post /session/passkeys", "....."),
    ("delete /session/passkeys/{passkey}", "....."),
    ("get /sessions", "....."),
    ("delete /sessions/{session}", "....."),
    ("get /users", "...a."),
    ("post /users", "...a."),
    ("patch /users/{user}", "...a."),
    ("delete /users/{user}", "...a."),
    ("post /users/{user}/totp", "...a."),
    ("post /users/{user}/totp/confirm", "...a."),
    ("delete /users/{user}/totp", "...a."),
    ("get /users/{user}/passkeys", "...a."),
    ("delete /users/{user}/passkeys/{passkey}", "...a."),
    ("get /users/{user}/sessions", "...a."),
    ("delete /users/{user}/sessions", "...a."),
    ("delete /users/{user}/attempts", "...a."),
    ("get /audit", "...a."),
    ("get /audit/verify", "...a."),
];

/// Who asks, in the order of the columns.
pub const ROLES: [&str; 5] = ["nobody", "viewer", "operator", "admin", "reporter"];

pub const LOOPBACK: &str = "[http]\nlisten = '127.0.0.1:0'\n";

/// A daemon with `http` in its configuration.
pub fn daemon(http: &str) -> (Env, Daemon) {
    let env = Env::new("");
    env.configure(&format!(
        "{http}{SASL}[jail.other]\nfilter = 'sshd'\nlogpath = 'log/other.log'\n{PUBLISH}"
    ));
    env.log("mail.log").append("");
    env.log("other.log").append("");
    let daemon = env.start();
    (env, daemon)
}

/// A new token by the control socket.
pub fn token(env: &Env, order: &Value) -> String {
    let made = env.request("POST", "/api/v1/tokens", &order.to_string()).json();
    made["secret"].as_str().unwrap().to_owned()
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

pub fn ask(server: SocketAddr, request: &str, headers: &str, body: &str) -> Response {
    exchange(TcpStream::connect(server).unwrap(), request, headers, body).unwrap()
}

/// Asks for a path behind `/api/v1` with a token.
pub fn with_token(daemon: &Daemon, token: &str, request: &str, body: &str) -> Response {
    let (method, path) = request.split_once(' ').unwrap();
    ask(daemon.http(), &format!("{} /api/v1{path}", method.to_uppercase()), &bearer(token), body)
}

#[test]
fn the_matrix_has_every_route() {
    let listed: BTreeSet<String> = MATRIX.iter().map(|(route, _)| (*route).to_owned()).collect();
    let answered = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(listed, answered);
}

#[test]
fn the_manual_has_every_route() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap();
    for route in ROUTES {
        let written = format!("`{} /api/v1{}`", route.method.to_uppercase(), route.path);
        assert!(manual.contains(&written), "{written}: describe it in docs/api.md");
    }
}

#[test]
fn every_route_is_for_those_it_is_for() {
    let (env, daemon) = daemon(LOOPBACK);
    let order = |role: &str| match role {
        "reporter" => json!({ "name": role, "role": role, "organisation": "example.org" }),
        _ => json!({ "name": role, "role": role }),
    };
    let headers = ROLES.map(|role| match role {
        "nobody" => String::new(),
        _ => bearer(&token(&env, &order(role))),
    });
    let mut wrong = Vec::new();
    for (route, admitted) in MATRIX {
        let (method, path) = route.split_once(' ').unwrap();
        // No path names anything that is there, and no body is a right one, so that nothing changes.
        let path = path.replace(['{', '}'], "");
        let request = format!("{} /api/v1{path}", method.to_uppercase());
        for ((role, headers), column) in ROLES.iter().zip(&headers).zip(admitted.chars()) {
            let answer = ask(daemon.http(), &request, headers, "[]");
            let is_as_told = match (*role, column) {
                ("nobody", '.') => answer.status == 401 && answer.head.contains("www-authenticate: Bearer"),
                (_, '.') => answer.status == 403 && answer.head.contains("insufficient_scope"),
                _ => ![401, 403].contains(&answer.status) && answer.status < 500,
            };
            let is_problem = answer.status < 400
                || answer.head.contains("application/problem+json")
                || answer.status == 404;
            if !is_as_told || !is_problem {
                wrong.push(format!("{route} by {role}: {} {}", answer.status, answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A client that sends all before it reads gets its answer.
#[test]
fn a_body_that_is_refused_loses_no_answer() {
    let (env, daemon) = daemon(LOOPBACK);
    let viewer = bearer(&token(&env, &json!({ "name": "viewer", "role": "viewer" })));
    let large = "x".repeat(5 << 20);
    for (request, headers, expected) in [
        ("POST /api/v1/bans", viewer.as_str(), 403),
        ("POST /api/v1/reports", "", 401),
        ("POST /sign-in", "", 413),
    ] {
        assert_eq!(ask(daemon.http(), request, headers, &large).status, expected, "{request}");
    }
    let reporter = json!({ "name": "mx", "role": "reporter", "organisation": "example.org" });
    let reporter = bearer(&token(&env, &reporter));
    assert_eq!(ask(daemon.http(), "POST /api/v1/reports", &reporter, &large).status, 413);
}

#[test]
fn only_a_token_in_force_lets_in() {
    let (env, daemon) = daemon(LOOPBACK);
    let good = token(&env, &json!({ "name": "good", "role": "viewer" }));
    assert_eq!(with_token(&daemon, &good, "get /status", "").status, 200);
    let ended = token(&env, &json!({ "name": "ended", "role": "admin" }));
    env.request("DELETE", "/api/v1/tokens/ended", "").json();
    let for_no_time = json!({ "name": "none", "role": "admin", "seconds": 0 }).to_string();
    assert_eq!(env.request("POST", "/api/v1/tokens", &for_no_time).status, 422);
    let mut changed = good.clone();
    changed.replace_range(20..21, if &good[20..21] == "a" { "b" } else { "a" });
    for wrong in ["", "bz_", "admin", &ended, &changed, &good.to_uppercase(), &"x".repeat(5000)] {
        let answer = with_token(&daemon, wrong, "get /status", "");
        assert_eq!((answer.status, answer.head.contains("error=\"invalid_token\"")), (401, true), "{wrong}");
    }
    let basic = ask(daemon.http(), "GET /api/v1/status", "Authorization: Basic YTpi\r\n", "");
    assert_eq!(basic.status, 401);
    assert_eq!(env.request("DELETE", "/api/v1/tokens/good", "").json()["ended"], 1);
    assert_eq!(with_token(&daemon, &good, "get /status", "").status, 401);
    // Of what is not for everybody nothing is told.
    assert_eq!(ask(daemon.http(), "GET /api/v1/nothing", "", "").status, 404);
}

#[test]
fn a_token_is_for_the_networks_it_was_made_for() {
    let (env, daemon) = daemon("[http]\nlisten = '127.0.0.1:0'\nproxies = ['127.0.0.1', '203.0.113.0/24']\n");
    let order = json!({ "name": "near", "role": "viewer", "sources": ["192.0.2.0/24", "2001:db8::/32"] });
    let token = token(&env, &order);
    for (forwarded, expected) in [
        // The proxy itself.
        ("", 403),
        ("X-Forwarded-For: 192.0.2.9\r\n", 200),
        ("X-Forwarded-For: 2001:db8::9\r\n", 200),
        ("X-Forwarded-For: 198.51.100.9\r\n", 403),
        // What the client says about itself stands before what the proxy says about the client.
        ("X-Forwarded-For: 192.0.2.9, 198.51.100.9\r\n", 403),
        ("X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 198.51.100.9\r\n", 403),
        // Two proxies, one behind the other.
        ("X-Forwarded-For: 192.0.2.9, 203.0.113.1\r\n", 200),
        ("X-Forwarded-For: nonsense\r\n", 400),
    ] {
        let answer = ask(daemon.http(), "GET /api/v1/status", &format!("{}{forwarded}", bearer(&token)), "");
        assert_eq!(answer.status, expected, "{forwarded}");
    }
    let refused: Vec<_> = audit(&env).split_off(1);
    let sources: Vec<_> = refused.iter().map(|entry| entry["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["127.0.0.1", "198.51.100.9", "198.51.100.9", "198.51.100.9"]);
    assert!(refused.iter().all(|entry| entry["who"] == "token near" && entry["outcome"] == 403));
}

#[test]
fn nobody_fills_the_audit_log_with_what_is_refused() {
    let (env, daemon) = daemon(LOOPBACK);
    let order = |name: &str| json!({ "name": name, "role": "viewer", "sources": ["127.0.0.0/8", "::1"] });
    let token = token(&env, &order("near"));
    for _ in 0..100 {
        assert_eq!(with_token(&daemon, &token, "post /reload", "").status, 403);
    }
    let entries = audit(&env);
    let refused = entries.iter().filter(|entry| entry["who"] == "token near").count();
    assert!((30..=60).contains(&refused), "30 in each minute: {refused}");
}

#[test]
fn nobody_is_believed_who_is_no_proxy() {
    let (env, daemon) = daemon(LOOPBACK);
    let token = token(&env, &json!({ "name": "near", "role": "viewer", "sources": ["192.0.2.0/24"] }));
    let headers = format!("{}X-Forwarded-For: 192.0.2.9\r\n", bearer(&token));
    let answer = ask(daemon.http(), "GET /api/v1/status", &headers, "");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("not for 127.0.0.1"), "{}", answer.body);
}

#[test]
fn a_token_is_not_taken_in_the_clear() {
    let (env, daemon) = daemon("[http]\nlisten = '0.0.0.0:0'\n");
    let token = token(&env, &json!({ "name": "ci", "role": "viewer" }));
    let server = SocketAddr::from(([127, 0, 0, 1], daemon.http().port()));
    let answer = ask(server, "GET /api/v1/status", &bearer(&token), "");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("rotate it"), "{}", answer.body);
    assert_eq!(ask(server, "GET /healthz", "", "").status, 200);
}

/// Sends a request over TLS, trusting what is in `cert.pem` now.
fn ask_encrypted(env: &Env, server: SocketAddr, headers: &str) -> io::Result<Response> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(env.path("cert.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let session = ClientConnection::new(config, ServerName::try_from("hub.example").unwrap()).unwrap();
    let stream = StreamOwned::new(session, TcpStream::connect(server).unwrap());
    exchange(stream, "GET /api/v1/status", headers, "")
}

fn issue(env: &Env) {
    let issued = rcgen::generate_simple_self_signed(["hub.example".to_owned()]).unwrap();
    fs::write(env.path("cert.pem"), issued.cert.pem()).unwrap();
    fs::write(env.path("key.pem"), issued.signing_key.serialize_pem()).unwrap();
}

#[test]
fn tokens_are_taken_over_tls_and_certificates_are_renewed() {
    let env = Env::new("");
    let http = "[http]\nlisten = '0.0.0.0:0'\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
    env.configure(&format!("{http}{PUBLISH}"));
    issue(&env);
    let daemon = env.start();
    let server = SocketAddr::from(([127, 0, 0, 1], daemon.http().port()));
    let token = token(&env, &json!({ "name": "ci", "role": "viewer" }));
    assert_eq!(ask_encrypted(&env, server, &bearer(&token)).unwrap().status, 200);
    assert_eq!(ask_encrypted(&env, server, "").unwrap().status, 401);
    // Whoever does not speak TLS gets nothing.
    let plain = TcpStream::connect(server).unwrap();
    assert!(exchange(plain, "GET /api/v1/status", &bearer(&token), "").is_err());

    issue(&env);
    assert!(ask_encrypted(&env, server, &bearer(&token)).is_err());
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    assert_eq!(ask_encrypted(&env, server, &bearer(&token)).unwrap().status, 200);

    fs::write(env.path("key.pem"), "half a ke").unwrap();
    let refused = env.request("POST", "/api/v1/reload", "");
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("http.key: `"), "{}", refused.body);
    assert_eq!(ask_encrypted(&env, server, &bearer(&token)).unwrap().status, 200);
}

#[test]
fn bodies_of_strangers_are_not_read() {
    let (_env, daemon) = daemon(LOOPBACK);
    let head = "POST /api/v1/takeover HTTP/1.1\r\nHost: banzone\r\nContent-Length: 999999999999\r\n\r\n[";
    let mut stream = TcpStream::connect(daemon.http()).unwrap();
    io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    io::Read::read_exact(&mut stream, &mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[test]
fn a_use_is_noted() {
    let (env, daemon) = daemon(LOOPBACK);
    let token = token(&env, &json!({ "name": "ci", "role": "viewer" }));
    assert_eq!(env.get("/api/v1/tokens").json()["tokens"][0]["used"], Value::Null);
    with_token(&daemon, &token, "get /status", "").json();
    until("the use is noted", || env.get("/api/v1/tokens").json()["tokens"][0]["used"].is_string());
    let listed = env.get("/api/v1/tokens").body;
    assert!(listed.contains(&token[3..11]) && !listed.contains(&token[12..]));
}

#[test]
fn the_command_makes_lists_rotates_and_revokes() {
    let (env, daemon) = daemon(LOOPBACK);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        let output = command.arg("token").args(args).arg("--config").arg(env.config()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, first, said) = run(&["add", "ci", "--role", "viewer", "--jail", "other", "--for", "1d"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("it is not shown again"), "{said}");
    let is_good = |token: &str| with_token(&daemon, token.trim(), "get /jails/other", "").status == 200;
    assert!(is_good(&first));
    let (code, _, said) = run(&["add", "ci", "--role", "viewer"]);
    assert_eq!((code, said.contains("there is a token `ci` already")), (1, true), "{said}");
    let (_, second, _) = run(&["rotate", "ci", "--overlap", "0s"]);
    assert!(!is_good(&first) && is_good(&second));
    let (_, listed, _) = run(&["list"]);
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0][0], rows[0][2], rows[0][3]), ("ci", "viewer", "other"));
    assert!(rows.iter().any(|row| row[6].starts_with("ended ")), "{listed}");
    let (code, _, said) = run(&["revoke", second.trim()]);
    assert_eq!((code, said.contains(&second[12..30])), (0, false), "{said}");
    assert!(!is_good(&second));
    assert_eq!(run(&["revoke", second.trim()]).0, 1);
    let kept = audit(&env).iter().map(Value::to_string).collect::<String>() + &daemon.messages();
    assert!(kept.contains(&second[3..11]) && !kept.contains(&second[12..30]), "{kept}");
    let (code, _, said) = run(&["revoke", "ci"]);
    assert_eq!((code, said.contains("no token `ci` is in force")), (1, true), "{said}");
    let (code, _, said) = run(&["add", "y", "--role", "viewer", "--jail", "nosuch", "--zone", "bl.example"]);
    assert_eq!(
        (code, said.contains("no jail `nosuch` now"), said.contains("no zone")),
        (0, true, false),
        "{said}"
    );
    assert_eq!(run(&["add", "x", "--role", "root"]).0, 2);
    let (code, _, said) = run(&["add", "x", "--role", "reporter"]);
    assert_eq!((code, said.contains("--organisation")), (1, true), "{said}");
}

pub fn audit(env: &Env) -> Vec<Value> {
    let mut entries = env.get("/api/v1/audit").json()["audit"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

#[test]
fn whoever_changes_something_is_written_down() {
    let (env, daemon) = daemon(LOOPBACK);
    let token = token(&env, &json!({ "name": "mx", "role": "operator", "jails": ["other"] }));
    with_token(&daemon, &token, "get /status", "").json();
    let ban = r#"{"prefix": "198.51.100.1", "jail": "other"}"#;
    with_token(&daemon, &token, "post /bans", ban).json();
    assert_eq!(with_token(&daemon, &token, "delete /bans?all=1", "").status, 403);
    assert_eq!(with_token(&daemon, &token, "post /reload", "").status, 403);
    assert_eq!(ask(daemon.http(), "POST /api/v1/bans", "", ban).status, 401);
    let large = format!("{{\"prefix\": \"{}\"}}", "1".repeat(70_000));
    assert_eq!(with_token(&daemon, &token, "post /bans", &large).status, 413);
    let entries = audit(&env);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap();
            format!("{} {} {} {}", text("who"), text("source"), text("action"), entry["outcome"])
        })
        .collect();
    let local = entries[0]["who"].as_str().unwrap();
    let expected = [
        &format!("{local} socket POST /api/v1/tokens 200"),
        "token mx 127.0.0.1 POST /api/v1/bans 200",
        "token mx 127.0.0.1 DELETE /api/v1/bans?all=1 403",
        "token mx 127.0.0.1 POST /api/v1/reload 403",
        "token mx 127.0.0.1 POST /api/v1/bans 413",
    ];
    assert_eq!(told, expected);
    assert_eq!(entries[1]["detail"], ban);
    assert!(daemon.messages().contains(entries[1]["hash"].as_str().unwrap()));
    assert!(!env.get("/api/v1/audit").body.contains(&token[12..]));
}

#[test]
fn what_cannot_be_written_down_is_not_changed() {
    let (env, _daemon) = daemon(LOOPBACK);
    let full = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END";
    env.database().execute_batch(full).unwrap();
    let order = json!({ "name": "ci", "role": "viewer" }).to_string();
    let refused = env.request("POST", "/api/v1/tokens", &order);
    assert!(refused.status == 503 && refused.head.contains("retry-after: "), "{}", refused.head);
    assert_eq!(env.get("/api/v1/tokens").json()["tokens"], json!([]));
    env.database().execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(env.request("POST", "/api/v1/tokens", &order).status, 200);
    assert_eq!(audit(&env).len(), 1, "one entry for one change");
}

#[test]
fn whoever_breaks_off_is_written_down_too() {
    let (env, daemon) = daemon(LOOPBACK);
    let token = token(&env, &json!({ "name": "mx", "role": "operator" }));
    let body = r#"{"prefix": "198.51.100.1"}"#;
    let head = format!(
        "POST /api/v1/bans HTTP/1.1\r\nHost: banzone\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n",
        body.len(),
        bearer(&token)
    );
    let mut stream = TcpStream::connect(daemon.http()).unwrap();
    io::Write::write_all(&mut stream, (head + body).as_bytes()).unwrap();
    until("it is done", || daemon.lists("198.51.100.1"));
    drop(stream);
    until("it is written down", || audit(&env).iter().any(|entry| entry["who"] == "token mx"));
}

#[test]
fn the_command_shows_and_verifies_the_audit_log() {
    let (env, daemon) = daemon(LOOPBACK);
    for octet in 1..=3 {
        env.ban(&format!("{{\"prefix\": \"198.51.100.{octet}\"}}")).json();
    }
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        let output = command.arg("audit").args(args).arg("--config").arg(env.config()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (_, listed, _) = run(&["-n", "2"]);
    assert_eq!(listed.lines().map(|line| &line[..1]).collect::<Vec<_>>(), ["3", "2"]);
    let (code, known, said) = run(&["verify"]);
    assert_eq!((code, &*said), (0, "3 entries, none changed or missing\n"));
    env.ban("{\"prefix\": \"198.51.100.4\"}").json();
    assert_eq!(run(&["verify", "--expect", known.trim()]).0, 0);
    let wrong = format!("3:{}", "0".repeat(64));
    let (code, _, said) = run(&["verify", "--expect", &wrong]);
    assert_eq!((code, said.contains("entry 3 is not what it was")), (1, true), "{said}");
    assert_eq!(run(&["verify", "--expect", "3"]).0, 2);
    let cut = "DROP TRIGGER audit_is_append_only;
        UPDATE audit_anchor SET number = 1, hash = (SELECT hash FROM audit WHERE number = 1);
        DELETE FROM audit WHERE number = 1";
    env.database().execute_batch(cut).unwrap();
    let (code, _, said) = run(&["verify"]);
    assert_eq!((code, said.contains("warning: the first entries are gone")), (0, true), "{said}");
    let change = "UPDATE audit SET who = 'somebody' WHERE number = 3";
    env.database().execute_batch(change).unwrap();
    let (code, known, said) = run(&["verify"]);
    assert_eq!((code, &known[..2], said.contains("entry 3 was changed")), (1, "2:", true), "{said}");
    env.database().execute_batch("DELETE FROM audit WHERE number >= 3").unwrap();
    let (code, _, said) = run(&["verify"]);
    assert_eq!((code, said.contains("entry 4 was changed")), (1, true), "{said}");
    assert!(run(&["-n", "1"]).1.starts_with('2'));
    drop(daemon);
}

#[test]
fn each_has_so_many_requests() {
    let (env, daemon) = daemon("[http]\nlisten = '127.0.0.1:0'\nrate_limit = 3\n");
    let names = ["one", "two"];
    let [one, two] = names.map(|name| token(&env, &json!({ "name": name, "role": "viewer" })));
    for left in ["r=2", "r=1", "r=0"] {
        let answer = with_token(&daemon, &one, "get /status", "");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("ratelimit-policy: \"requests\";q=3;w=60"), "{}", answer.head);
        assert!(answer.head.contains(left), "{}", answer.head);
    }
    let answer = with_token(&daemon, &one, "get /status", "");
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(answer.head.contains("retry-after: ") && answer.head.contains("application/problem+json"));
    assert_eq!(with_token(&daemon, &two, "get /status", "").status, 200);
    // Wrong tokens count where they come from, whatever they are.
    for expected in [401, 401, 401, 429] {
        assert_eq!(with_token(&daemon, "bz_x", "get /status", "").status, expected);
    }
    assert_eq!(env.get("/api/v1/status").status, 200);
}
