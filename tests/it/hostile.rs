//! Requests that are meant to go wrong: paths, headers and bodies that say something else than they seem to. Each is refused
//! with a problem document, and leaves nothing where people look.

use std::net::TcpStream;

use serde_json::{Value, json};

use super::access::{LOOPBACK, ask, audit, bearer, daemon, token};
use super::env::{Daemon, Env, PUBLISH, exchange};

const HUB: &str = "[http]\nlisten = '127.0.0.1:0'\n[jail.shared]\nreports = true\n";

fn hub() -> (Env, Daemon) {
    let env = Env::new("");
    env.configure(&format!("{HUB}{PUBLISH}"));
    let daemon = env.start();
    (env, daemon)
}

#[test]
fn paths_lead_nowhere_else() {
    let (env, daemon) = daemon(LOOPBACK);
    let token = bearer(&token(&env, &json!({ "name": "root", "role": "admin" })));
    for request in [
        "GET /api/v1/../v1/status",
        "GET /api/v1/./status",
        "GET /api/v1//status",
        "GET //api/v1/status",
        "GET /api/v1/status/",
        "GET /api/v1/status%2f",
        "GET /api/v1%2fstatus",
        "GET /API/v1/status",
        "GET /api/v1/status;jsessionid=1",
        "GET /api/v1/jails/..%2f..%2fetc%2fpasswd",
        "GET /api/v1/jails/%00",
        "GET /api/v1/jails/postfix-sasl%00",
        "GET /api/v1/jails/postfix-sasl%0d%0aX-Evil:%20yes",
        "GET /api/v1/jails/%ff%fe",
        "GET /api/v1/lookup/192.0.2.1%0d%0aX-Evil:%20yes",
        "GET /api/v1/reporters/%e2%80%ae",
        "DELETE /api/v1/tokens/x%0d%0aX-Evil:%20yes",
        "DELETE /api/v1/tokens/x%0aaudit:%20nothing",
        "DELETE /api/v1/users/..%2ftokens",
        "GET /static/../../../../etc/passwd",
        "GET /static/..%2f..%2f..%2fetc%2fpasswd",
    ] {
        let answer = ask(daemon.http(), request, &token, "");
        assert!([400, 404, 422].contains(&answer.status), "{request}: {} {}", answer.status, answer.body);
        assert!(!answer.head.contains("X-Evil") && !answer.head.contains("x-evil"), "{request}");
        assert!(!answer.body.contains("root:"), "{request}");
    }
    // Whoever reads the logs sees one line for each.
    assert!(audit(&env).iter().all(|entry| !entry["action"].as_str().unwrap().contains(char::is_control)));
    let lines = daemon.messages();
    assert!(lines.lines().all(|line| !line.starts_with("audit:") && !line.starts_with("X-Evil")), "{lines}");
}

#[test]
fn headers_say_one_thing() {
    let (env, daemon) = daemon(LOOPBACK);
    let viewer = bearer(&token(&env, &json!({ "name": "viewer", "role": "viewer" })));
    let admin = bearer(&token(&env, &json!({ "name": "root", "role": "admin" })));
    let status = |headers: &str| ask(daemon.http(), "GET /api/v1/tokens", headers, "").status;
    assert_eq!((status(&viewer), status(&admin)), (403, 200));
    for (headers, expected) in [
        (format!("{viewer}{admin}"), 400),
        (format!("{admin}{admin}"), 400),
        (format!("{viewer}X-Original-URL: /api/v1/status\r\nX-HTTP-Method-Override: DELETE\r\n"), 403),
        (format!("{viewer}X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n"), 403),
        ("Authorization: Bearer \r\n".to_owned(), 401),
        ("Authorization: bz_\r\n".to_owned(), 401),
        (format!("Cookie: {}\r\n", "__Host-banzone=x; ".repeat(1000)), 401),
        ("Cookie: =; ;;=__Host-banzone=\r\n".to_owned(), 401),
    ] {
        assert_eq!(status(&headers), expected, "{headers}");
    }
    // Names that would be another line of the log.
    let body =
        json!({ "user": "x\nsign-in failed user=\"alice\"\u{1b}[2J", "password": "wrong horse battery" });
    assert_eq!(ask(daemon.http(), "POST /api/v1/session", "", &body.to_string()).status, 401);
    let lines = daemon.messages();
    assert!(!lines.lines().any(|line| line.starts_with("sign-in")) && !lines.contains('\u{1b}'), "{lines}");
}

#[test]
fn every_refusal_is_a_problem() {
    let (env, daemon) = hub();
    let reporter = json!({ "name": "mx", "role": "reporter", "organisation": " Example.ORG. " });
    let reporter = bearer(&token(&env, &reporter));
    let row = r#"{"ip": "198.51.100.1"}"#;
    let keys = format!("{reporter}Idempotency-Key: a\r\nIdempotency-Key: b\r\n");
    let gzip = format!("{reporter}Content-Encoding: gzip\r\n");
    let large = " ".repeat((4 << 20) + 1);
    for (request, headers, body, expected) in [
        ("PUT /api/v1/reports", &reporter, row, 405),
        ("GET /api/v1/reports", &reporter, "", 405),
        ("POST /api/v1/reports", &keys, row, 400),
        ("POST /api/v1/reports", &gzip, row, 400),
        ("POST /api/v1/reports", &reporter, &large, 413),
        ("POST /api/v1/reports?reporter=example.net", &reporter, row, 403),
        ("GET /api/v1/nothing", &reporter, "", 404),
        ("GET /nothing", &reporter, "", 404),
    ] {
        let answer = exchange(TcpStream::connect(daemon.http()).unwrap(), request, headers, body).unwrap();
        assert_eq!(answer.status, expected, "{request}: {}", answer.body);
        assert!(answer.head.contains("application/problem+json"), "{request}: {}", answer.head);
        assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["status"], expected, "{request}");
        assert_eq!(answer.head.contains("allow: "), expected == 405, "{request}");
    }
    let figures = env.get("/api/v1/figures?from=2026-11-01&until=2026-11-02&top=251");
    assert!(figures.status == 422 && figures.body.contains("at most 250 rows"), "{}", figures.body);
    let many = r#"{"ip": "198.51.100.1", "failures": 1000001}"#;
    let told = ask(daemon.http(), "POST /api/v1/reports?reporter=EXAMPLE.org", &reporter, many).json();
    assert_eq!((&told["refused"], &told["rows"][0]["reason"]), (&json!(1), &json!("malformed")));
}

#[test]
fn organisations_are_those_that_are_known() {
    let (env, daemon) = hub();
    let order = json!({ "name": "mx", "role": "reporter", "organisation": "example.org" });
    let reporter = bearer(&token(&env, &order));
    let change = |name: &str, body: Value| {
        let path = format!("/api/v1/reporters/{name}");
        env.request("PATCH", &path, &body.to_string())
    };
    let mistyped = change("exmaple.org", json!({ "cut_off": true }));
    assert_eq!(mistyped.status, 404);
    assert!(mistyped.body.contains("did you mean `example.org`?"), "{}", mistyped.body);
    assert!(!change("somebody-else.test", json!({ "trust": 2 })).body.contains("did you mean"));
    // Before its first report, and however it is typed.
    assert_eq!(change("%20EXAMPLE.org.", json!({ "trust": 2 })).json()["trust"], 2.0);
    assert_eq!(env.get("/api/v1/reporters").json()["reporters"].as_array().unwrap().len(), 1);
    assert_eq!(change("Example.Org", json!({ "cut_off": true })).status, 200);
    let refused = ask(daemon.http(), "POST /api/v1/reports", &reporter, r#"{"ip": "198.51.100.1"}"#);
    assert_eq!(refused.status, 403, "{}", refused.body);
    let confined = json!({ "name": "x", "role": "reporter", "organisation": "example.org", "jails": ["a"] });
    assert_eq!(env.request("POST", "/api/v1/tokens", &confined.to_string()).status, 422);
}
