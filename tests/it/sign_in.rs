//! People who sign in over TCP: passwords, second factors, sessions, and what a page of another site can't do with them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use banzone::clock::Clock;
use banzone::http::ROUTES;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::access::{LOOPBACK, MATRIX, ROLES, ask, audit, daemon};
use super::env::{Daemon, Env, Response, until};

pub const PASSWORD: &str = "correct horse battery";

/// Nobody must have a second factor.
const LAX: &str = "[http]\nlisten = '127.0.0.1:0'\n[sign_in]\nsecond_factor = []\n";

/// Adds a user over the control socket.
pub fn add(env: &Env, name: &str, role: &str) {
    let mut order = json!({ "name": name, "role": role, "password": PASSWORD });
    if role == "reporter" {
        order["organisation"] = "example.org".into();
    }
    env.request("POST", "/api/v1/users", &order.to_string()).json();
}

/// Somebody's browser.
pub struct Browser<'a> {
    pub daemon: &'a Daemon,
    pub cookie: String,
    pub csrf: String,
}

impl<'a> Browser<'a> {
    /// Signs in with all that is asked for.
    #[track_caller]
    pub fn sign_in(daemon: &'a Daemon, user: &str, code: Option<&str>) -> Self {
        Self::signed_in(daemon, &Self::try_sign_in(daemon, user, code))
    }

    /// Tries to, with the right password.
    pub fn try_sign_in(daemon: &Daemon, user: &str, code: Option<&str>) -> Response {
        sign_in(daemon, user, PASSWORD, code)
    }

    /// Keeps what `answer` lets in with.
    #[track_caller]
    pub fn signed_in(daemon: &'a Daemon, answer: &Response) -> Self {
        let session = answer.json();
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        let csrf = session["csrf"].as_str().unwrap().to_owned();
        Self { daemon, cookie: cookie.split(';').next().unwrap().to_owned(), csrf }
    }

    /// Asks for a path behind `/api/v1`.
    pub fn ask(&self, request: &str, body: &str) -> Response {
        self.ask_with(
            request,
            &format!("X-CSRF-Token: {}\r\nSec-Fetch-Site: same-origin\r\n", self.csrf),
            body,
        )
    }

    /// The same with other headers beside the cookie.
    pub fn ask_with(&self, request: &str, headers: &str, body: &str) -> Response {
        let (method, path) = request.split_once(' ').unwrap();
        let headers = format!("Cookie: theme=dark; {}\r\n{headers}", self.cookie);
        ask(self.daemon.http(), &format!("{} /api/v1{path}", method.to_uppercase()), &headers, body)
    }
}

fn sign_in(daemon: &Daemon, user: &str, password: &str, code: Option<&str>) -> Response {
    let mut body = json!({ "user": user, "password": password });
    if let Some(code) = code {
        body["code"] = code.into();
    }
    ask(daemon.http(), "POST /api/v1/session", "", &body.to_string())
}

/// The code that a telephone shows, `later` steps from now.
fn code(secret: &str, later: u64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    let now = u64::try_from(Clock::System.now().as_secs()).unwrap();
    totp.generate(now + 30 * later).to_string()
}

#[test]
fn every_route_is_for_those_users_it_is_for() {
    let (env, daemon) = daemon(LAX);
    let mut wrong = Vec::new();
    for (column, role) in ROLES.iter().enumerate().skip(1) {
        add(&env, role, role);
        let browser = Browser::sign_in(&daemon, role, None);
        for (route, admitted) in MATRIX.iter().filter(|(route, _)| *route != "delete /session") {
            let request = route.replace(['{', '}'], "");
            let is_own = ROUTES.iter().any(|known| {
                format!("{} {}", known.method, known.path) == *route && format!("{:?}", known.needs) == "Own"
            });
            let is_admitted = is_own || admitted.as_bytes()[column] != b'.';
            let status = browser.ask(&request, "0").status;
            if (![401, 403].contains(&status) && status < 500) != is_admitted {
                wrong.push(format!("{route} by {role}: {status}"));
            }
            // What changes something takes the token of the session.
            let changes = !route.starts_with("get ") && !admitted.starts_with('n');
            let status = browser.ask_with(&request, "", "0").status;
            if changes && status != 403 {
                wrong.push(format!("{route} by {role} without a token: {status}"));
            }
        }
        assert_eq!(browser.ask("delete /session", "").json()["ended"], 1);
        assert_eq!(browser.ask("get /session", "").status, 401);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_cookie_is_for_browsers_over_https_only() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    let answer = sign_in(&daemon, "alice", PASSWORD, None);
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let mut parts = cookie.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    assert_eq!((name, value.len()), ("__Host-banzone", 43));
    assert!(answer.head.contains("cache-control: no-store"));
    assert_eq!(parts.collect::<Vec<_>>(), ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=43200"]);
    assert!(!answer.body.contains(value));
    let session = answer.json();
    assert_eq!((&session["user"], &session["role"]), (&json!("alice"), &json!("operator")));
}

#[test]
fn a_session_is_new_at_each_sign_in() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    // What a stranger has put into the browser beforehand does not become a session.
    let fixed = "__Host-banzone=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let body = json!({ "user": "alice", "password": PASSWORD }).to_string();
    let answer = ask(daemon.http(), "POST /api/v1/session", &format!("Cookie: {fixed}\r\n"), &body);
    assert!(answer.status == 200 && !answer.head.contains(fixed));
    let with =
        |cookie: &str| ask(daemon.http(), "GET /api/v1/session", &format!("Cookie: {cookie}\r\n"), "").status;
    assert_eq!(with(fixed), 401);
    let (one, other) = (Browser::sign_in(&daemon, "alice", None), Browser::sign_in(&daemon, "alice", None));
    assert!(one.cookie != other.cookie && with(&one.cookie) == 200 && with(&other.cookie) == 200);
    // The token of one session is none of the other.
    let crossed = format!("X-CSRF-Token: {}\r\n", other.csrf);
    assert_eq!(one.ask_with("delete /session", &crossed, "").status, 403);
    let sessions = one.ask("get /sessions", "").json();
    let others: Vec<_> = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|session| session["current"] == false)
        .collect();
    assert_eq!(others.len(), 2);
    for session in others {
        let path = format!("delete /sessions/{}", session["id"].as_str().unwrap());
        assert_eq!(one.ask(&path, "").json()["ended"], 1);
        assert_eq!(one.ask(&path, "").status, 404);
    }
    assert!(with(&one.cookie) == 200 && with(&other.cookie) == 401);
    add(&env, "mallory", "operator");
    let mallory = Browser::sign_in(&daemon, "mallory", None);
    let alices = one.ask("get /sessions", "").json()["sessions"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(mallory.ask(&format!("delete /sessions/{alices}"), "").status, 404);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let ban = r#"{"prefix": "198.51.100.1"}"#;
    let token = format!("X-CSRF-Token: {}\r\n", alice.csrf);
    let other = Browser::sign_in(&daemon, "alice", None).csrf;
    for (headers, expected) in [
        (String::new(), 403),
        ("X-CSRF-Token: \r\n".to_owned(), 403),
        (format!("X-CSRF-Token: {}\r\n", &alice.csrf[1..]), 403),
        (format!("X-CSRF-Token: {other}\r\n"), 403),
        (format!("{token}Sec-Fetch-Site: cross-site\r\n"), 403),
        (format!("{token}Sec-Fetch-Site: same-site\r\n"), 403),
        (format!("{token}Origin: https://evil.example\r\n"), 403),
        (format!("{token}Origin: null\r\n"), 403),
        (format!("{token}Sec-Fetch-Site: same-origin\r\nOrigin: https://banzone\r\n"), 200),
        (format!("{token}Origin: https://banzone\r\n"), 200),
        (token.clone(), 200),
    ] {
        assert_eq!(alice.ask_with("post /bans", &headers, ban).status, expected, "{headers}");
    }
    // Nor do they sign anybody in as somebody else.
    let body = json!({ "user": "alice", "password": PASSWORD }).to_string();
    let answer = ask(daemon.http(), "POST /api/v1/session", "Sec-Fetch-Site: cross-site\r\n", &body);
    assert_eq!(answer.status, 403);
}

#[test]
fn a_second_factor_is_set_up_used_and_lost() {
    let (env, daemon) = daemon(LOOPBACK);
    add(&env, "root", "admin");
    let root = Browser::sign_in(&daemon, "root", None);
    assert_eq!(root.ask("get /session", "").json()["must_enrol"], true);
    let refused = root.ask("get /status", "");
    assert!(refused.status == 403 && refused.body.contains("second factor first"), "{}", refused.body);

    let begun = root.ask("post /session/totp", "").json();
    let secret = begun["secret"].as_str().unwrap();
    assert!(
        begun["svg"].as_str().unwrap().contains("<svg") && begun["url"].as_str().unwrap().contains(secret)
    );
    let confirm = |code: &str| root.ask("post /session/totp/confirm", &json!({ "code": code }).to_string());
    assert_eq!(confirm("000000").status, 422);
    let first = code(secret, 0);
    let recovery = confirm(&first).json()["recovery_codes"].clone();
    assert_eq!(recovery.as_array().unwrap().len(), 10);
    assert_eq!(root.ask("get /status", "").status, 200);
    // There is more to try than is free.
    assert_eq!(env.request("DELETE", "/api/v1/users/root/attempts", "").status, 200);

    let needs = sign_in(&daemon, "root", PASSWORD, None);
    assert!(needs.status == 401 && needs.head.contains("error=\"code_required\""), "{}", needs.head);
    assert!(sign_in(&daemon, "root", "wrong horse battery", None).head.contains("invalid_credentials"));
    assert!(
        sign_in(&daemon, "root", PASSWORD, Some(&first)).head.contains("invalid_credentials"),
        "replayed"
    );
    let second = code(secret, 1);
    drop(Browser::sign_in(&daemon, "root", Some(&second)));
    assert_eq!(sign_in(&daemon, "root", PASSWORD, Some(&second)).status, 401, "replayed");
    drop(Browser::sign_in(&daemon, "root", recovery[0].as_str()));
    assert_eq!(sign_in(&daemon, "root", PASSWORD, recovery[0].as_str()).status, 401, "used up");

    assert_eq!(env.request("DELETE", "/api/v1/users/root/totp", "").status, 200);
    assert_eq!(root.ask("get /session", "").status, 401);
    assert_eq!(Browser::sign_in(&daemon, "root", None).ask("get /session", "").json()["must_enrol"], true);
}

#[test]
fn whoever_knows_the_password_cannot_guess_codes() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "viewer");
    let begun = env.request("POST", "/api/v1/users/alice/totp", "{}").json();
    let confirm = json!({ "code": code(begun["secret"].as_str().unwrap(), 0) }).to_string();
    env.request("POST", "/api/v1/users/alice/totp/confirm", &confirm).json();
    // 000000 may be the code of the moment once in a million times.
    let codes = [Some("000000"), None].into_iter().cycle();
    let statuses: Vec<_> =
        codes.take(8).map(|code| sign_in(&daemon, "alice", PASSWORD, code).status).collect();
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
}

#[test]
fn codes_are_not_guessed_from_many_addresses_either() {
    let (env, daemon) = daemon("[http]\nlisten = '127.0.0.1:0'\nproxies = ['127.0.0.1']\n");
    add(&env, "alice", "viewer");
    let begun = env.request("POST", "/api/v1/users/alice/totp", "{}").json();
    let confirm = json!({ "code": code(begun["secret"].as_str().unwrap(), 0) }).to_string();
    let recovery = env.request("POST", "/api/v1/users/alice/totp/confirm", &confirm).json();
    let from = |host: usize, password: &str, code: &str| {
        let body = json!({ "user": "alice", "password": password, "code": code }).to_string();
        let client = format!("X-Forwarded-For: 192.0.2.{host}\r\n");
        ask(daemon.http(), "POST /api/v1/session", &client, &body).status
    };
    // Whoever does not know the password keeps nobody out.
    assert!((1..30).all(|host| from(host, "wrong horse battery", "000000") == 401));
    let statuses: Vec<_> = (30..45).map(|host| from(host, PASSWORD, "000000")).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert!(statuses[10..].contains(&429), "{statuses:?}");
    assert_eq!(from(50, PASSWORD, recovery["recovery_codes"][0].as_str().unwrap()), 200);
}

#[test]
fn what_cannot_be_undone_takes_certainty() {
    let (env, daemon) = daemon(LAX);
    add(&env, "root", "admin");
    let root = Browser::sign_in(&daemon, "root", None);
    let new = json!({ "name": "ci", "role": "viewer" }).to_string();
    assert_eq!(root.ask("post /tokens", &new).status, 200, "signed in just now");
    env.database().execute("UPDATE sessions SET verified = verified - 600000", []).unwrap();
    for request in [
        "delete /tokens/ci",
        "post /users",
        "delete /bans?all=1",
        "delete /bans?prefix=192.0.2.0/24",
        "post /session/totp",
    ] {
        let refused = root.ask(request, "{}");
        let challenge = "error=\"insufficient_user_authentication\", max_age=600";
        assert!(refused.head.contains(challenge), "{request}: {}", refused.head);
        assert_eq!(refused.status, 403, "{request}");
    }
    assert_eq!(root.ask("get /tokens", "").status, 200);
    let verify = |body: Value| root.ask("post /session/verify", &body.to_string()).status;
    assert_eq!(verify(json!({ "password": "wrong horse battery" })), 401);
    assert_eq!(verify(json!({})), 401);
    assert_eq!(verify(json!({ "code": "123456" })), 422);
    assert_eq!(verify(json!({ "password": PASSWORD })), 200);
    assert_eq!(root.ask("delete /tokens/ci", "").status, 200);
}

#[test]
fn a_password_is_changed_by_its_owner() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "viewer");
    let (here, there) = (Browser::sign_in(&daemon, "alice", None), Browser::sign_in(&daemon, "alice", None));
    let change = |password: &str, new: &str| {
        here.ask("post /session/password", &json!({ "password": password, "new_password": new }).to_string())
            .status
    };
    assert_eq!(change("wrong horse battery", "another horse battery"), 401);
    assert_eq!(change(PASSWORD, "short"), 422);
    assert_eq!(change(PASSWORD, "another horse battery"), 200);
    assert_eq!(here.ask("get /session", "").status, 200);
    assert_eq!(there.ask("get /session", "").status, 401);
    assert_eq!(sign_in(&daemon, "alice", PASSWORD, None).status, 401);
    assert_eq!(sign_in(&daemon, "alice", "another horse battery", None).status, 200);
}

#[test]
fn sessions_are_for_the_networks_of_their_user() {
    let (env, daemon) =
        daemon("[http]\nlisten = '127.0.0.1:0'\nproxies = ['127.0.0.1']\n[sign_in]\nsecond_factor = []\n");
    let order =
        json!({ "name": "near", "role": "viewer", "password": PASSWORD, "sources": ["192.0.2.0/24"] });
    env.request("POST", "/api/v1/users", &order.to_string()).json();
    let body = json!({ "user": "near", "password": PASSWORD }).to_string();
    let sign_in_from = |address: &str| {
        ask(daemon.http(), "POST /api/v1/session", &format!("X-Forwarded-For: {address}\r\n"), &body)
    };
    let elsewhere = sign_in_from("198.51.100.1");
    assert_eq!((elsewhere.status, elsewhere.head.contains("set-cookie")), (403, false), "{}", elsewhere.body);
    let near = Browser::signed_in(&daemon, &sign_in_from("192.0.2.1"));
    let from =
        |address: &str| near.ask_with("get /status", &format!("X-Forwarded-For: {address}\r\n"), "").status;
    assert_eq!((from("192.0.2.1"), from("198.51.100.1")), (200, 401));
}

/// Sends one request after the other over one connection, and counts the answers by status.
fn flood(daemon: &Daemon, body: &str, requests: usize) -> Vec<(u16, usize)> {
    let stream = TcpStream::connect(daemon.http()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: banzone\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut counts: Vec<(u16, usize)> = Vec::new();
    for _ in 0..requests {
        stream.write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        match counts.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => counts.push((status, 1)),
        }
    }
    counts
}

#[test]
fn ten_thousand_wrong_passwords_are_few_attempts() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "viewer");
    let body = json!({ "user": "alice", "password": "wrong horse battery" }).to_string();
    let begin = Clock::System.now();
    let counts = flood(&daemon, &body, 10_000);
    let seconds = Clock::System.now().since(begin).as_secs();
    // Five are free, and each wait is twice the one before.
    let most = 6 + seconds.max(1).ilog2() as usize;
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(counts.iter().all(|(status, _)| [401, 429].contains(status)), "{counts:?}");
    assert!(
        counts.iter().any(|(status, count)| *status == 401 && *count <= most),
        "{counts:?} in {seconds} s"
    );
    // One more counts once the last wait is over, and the next has just begun.
    until("another attempt is counted", || flood(&daemon, &body, 1) == [(401, 1)]);
    // The owner is locked out from there, and from nowhere else; and let in again over the socket.
    let locked = sign_in(&daemon, "alice", PASSWORD, None);
    assert!(locked.status == 429 && locked.head.contains("retry-after: "), "{}", locked.head);
    let other = json!({ "user": "nobody", "password": "wrong horse battery" }).to_string();
    assert_eq!(flood(&daemon, &other, 1), [(401, 1)]);
    assert_eq!(env.request("DELETE", "/api/v1/users/alice/attempts", "").status, 200);
    assert_eq!(sign_in(&daemon, "alice", PASSWORD, None).status, 200);
    assert!(audit(&env).len() < 10, "strangers do not fill the audit log");
}

#[test]
fn bodies_that_are_no_sign_in_are_refused() {
    let (_env, daemon) = daemon(LAX);
    let large = json!({ "user": "x".repeat(70_000), "password": "x" }).to_string();
    let long = json!({ "user": "alice", "password": "x".repeat(60_000) }).to_string();
    for (body, expected) in [
        ("", 400),
        ("[]", 422),
        (r#"{"user": "alice"}"#, 422),
        (r#"{"user": "alice", "password": "x", "admin": true}"#, 422),
        (&*"[".repeat(60_000), 422),
        (&large, 413),
        (&long, 401),
    ] {
        let answer = ask(daemon.http(), "POST /api/v1/session", "", body);
        assert_eq!(answer.status, expected, "{}", answer.body);
    }
}

#[test]
fn no_secret_is_in_the_logs() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "admin");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let change = json!({ "password": PASSWORD, "new_password": "another horse battery" }).to_string();
    assert_eq!(alice.ask("post /session/password", &change).status, 200);
    assert_eq!(sign_in(&daemon, "alice", "wrong horse battery", None).status, 401);
    let entries = audit(&env);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            r#"POST /api/v1/users {"name":"alice","password":"…","role":"admin"}"#,
            "POST /api/v1/session ",
            r#"POST /api/v1/session/password {"new_password":"…","password":"…"}"#,
        ]
    );
    let messages = daemon.messages();
    assert!(messages.contains("sign-in failed") && messages.contains("alice"));
    for secret in ["horse battery", &alice.cookie["__Host-banzone=".len()..], &*alice.csrf] {
        assert!(!messages.contains(secret));
    }
}

#[test]
fn the_command_adds_changes_and_removes() {
    let (env, daemon) = daemon(LOOPBACK);
    let run = |args: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
        command.arg("user").args(args).arg("--config").arg(env.config());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that refuses does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code_, _, said) = run(&["add", "root", "--role", "admin"], &format!("{PASSWORD}\n"));
    assert!(code_ == 0 && said.contains("banzone user totp root"), "{said}");
    let (code_, _, said) = run(&["add", "root", "--role", "admin"], &format!("{PASSWORD}\n"));
    assert!(code_ == 1 && said.contains("there is a user `root` already"), "{said}");
    let (code_, _, said) = run(&["add", "bob", "--role", "admin"], "short\n");
    assert!(code_ == 1 && said.contains("12 characters"), "{said}");
    assert_eq!(run(&["add", "bob", "--role", "admin"], "").0, 1);

    // The code that is asked for follows from the secret that is shown.
    let begun = env.request("POST", "/api/v1/users/root/totp", "{}").json();
    let confirm = json!({ "code": code(begun["secret"].as_str().unwrap(), 0) }).to_string();
    env.request("POST", "/api/v1/users/root/totp/confirm", &confirm).json();
    let (code_, _, said) = run(&["totp", "root"], "000000\n");
    assert!(code_ == 1 && said.contains("otpauth://totp/banzone:root") && said.contains('█'), "{said}");
    let (_, listed, _) = run(&["list"], "");
    assert!(listed.starts_with("root\tadmin\t-\t-\ttotp, 10 recovery codes\t"), "{listed}");
    assert_eq!(run(&["totp", "root", "--remove"], "").0, 0);

    let root = Browser::sign_in(&daemon, "root", None);
    let (_, listed, _) = run(&["sessions", "root"], "");
    assert_eq!(listed.lines().count(), 1);
    assert_eq!(run(&["sessions", "root", "--end"], "").0, 0);
    assert_eq!(root.ask("get /session", "").status, 401);
    assert_eq!(run(&["passwd", "root"], "another horse battery\n").0, 0);
    assert_eq!(sign_in(&daemon, "root", "another horse battery", None).status, 200);
    assert_eq!(run(&["disable", "root"], "").0, 0);
    assert_eq!(sign_in(&daemon, "root", "another horse battery", None).status, 401);
    assert_eq!(run(&["enable", "root"], "").0, 0);
    assert_eq!(run(&["role", "root", "--role", "viewer", "--jail", "other"], "").0, 0);
    assert_eq!(run(&["unlock", "root"], "").0, 0);
    let answer = sign_in(&daemon, "root", "another horse battery", None).json();
    assert_eq!((&answer["role"], &answer["jails"]), (&json!("viewer"), &json!(["other"])));
    assert_eq!(run(&["remove", "root"], "").0, 0);
    let (code_, _, said) = run(&["remove", "root"], "");
    assert!(code_ == 1 && said.contains("there is no user `root`"), "{said}");
}
