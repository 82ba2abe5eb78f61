//! The statuses that the API says it may fail with are those that it does fail with: each can be brought about.

use std::collections::BTreeSet;
use std::fs;

use banzone::http::ROUTES;
use serde_json::{Value, json};

use super::access::{LOOPBACK, ask, bearer, token};
use super::env::{Daemon, Env, PUBLISH, SASL};
use super::sign_in::{Browser, add};

/// A status of a request: `get /bans 422`.
type Failure = (String, u16);

/// What may go wrong with every request, and does so before anything else.
const ALWAYS: [u16; 6] = [400, 401, 403, 429, 503, 504];

/// What is documented besides that.
fn documented(description: &Value) -> BTreeSet<Failure> {
    let statuses = |route: &str, method: &str, path: &str| {
        let responses = description["paths"][format!("/api/v1{path}")][method]["responses"].as_object();
        let statuses = responses.unwrap().keys().map(|status| status.parse::<u16>().unwrap());
        let failures = statuses.filter(|status| *status >= 400 && !ALWAYS.contains(status));
        failures.map(|status| (route.to_owned(), status)).collect::<Vec<_>>()
    };
    let all = ROUTES
        .iter()
        .flat_map(|route| statuses(&format!("{} {}", route.method, route.path), route.method, route.path));
    all.collect()
}

const ASSERTION: &str = r#"{"ticket":"x","credential":{"id":"AA","rawId":"AA","type":"public-key","extensions":{},
    "response":{"authenticatorData":"AA","clientDataJSON":"AA","signature":"AA"}}}"#;
const ATTESTATION: &str = r#"{"ticket":"x","label":"y","credential":{"id":"AA","rawId":"AA","type":"public-key",
    "response":{"attestationObject":"AA","clientDataJSON":"AA"}}}"#;

/// A route, how it fails, and what stands in place of its path and in its body for that. A token `one`, a user `root` and
/// request 1, which is decided, are there.
const PROVOKED: &[(&str, u16, &str, &str)] = &[
    ("get /jails/{jail}", 404, "/jails/none", ""),
    ("get /jails/{jail}/settings", 404, "/jails/none/settings", ""),
    ("patch /jails/{jail}/settings", 404, "/jails/none/settings", r#"{"maxretry": 1}"#),
    ("patch /jails/{jail}/settings", 422, "/jails/postfix-sasl/settings", r#"{"maxretry": "x"}"#),
    ("post /jails/{jail}/failures", 404, "/jails/none/failures", r#"{"prefix": "192.0.2.1"}"#),
    ("get /bans", 422, "/bans?after=x", ""),
    ("post /bans", 404, "/bans", r#"{"prefix": "192.0.2.1", "jail": "none"}"#),
    ("post /bans", 409, "/bans", r#"{"prefix": "192.0.2.1", "seconds": 0}"#),
    ("delete /bans", 404, "/bans?prefix=192.0.2.1&jail=none", ""),
    ("delete /bans", 422, "/bans", ""),
    ("get /failures", 422, "/failures?after=x", ""),
    ("get /listings", 404, "/listings?zone=none.example", ""),
    ("get /listings", 422, "/listings?zone=bl.example&after=x", ""),
    ("get /changes", 410, "/changes?after=1_1", ""),
    ("get /changes", 422, "/changes?after=x", ""),
    ("get /lookup/{address}", 422, "/lookup/x", ""),
    ("get /lookup", 422, "/lookup?prefix=192.0.0.0/7", ""),
    ("get /names/{name}", 422, "/names/a..b", ""),
    ("get /bans", 404, "/bans?jail=none", ""),
    ("get /failures", 404, "/failures?jail=none", ""),
    ("get /changes", 404, "/changes?jail=none", ""),
    ("get /figures", 404, "/figures?from=2026-11-01&until=2026-11-02&jail=none", ""),
    ("get /figures", 422, "/figures?from=2026-11-02&until=2026-11-01", ""),
    ("get /allow", 422, "/allow?after=x", ""),
    ("post /allow", 409, "/allow", r#"{"prefix": "192.0.2.1", "seconds": 0}"#),
    ("delete /allow", 404, "/allow?prefix=192.0.2.1", ""),
    ("post /reports", 422, "/reports", r#"{"ip": "192.0.2.1"}"#),
    ("get /reporters/{reporter}", 404, "/reporters/none", ""),
    ("get /reporters/{reporter}", 422, "/reporters/%07", ""),
    ("patch /reporters/{reporter}", 404, "/reporters/none", r#"{"cut_off": true}"#),
    ("delete /reporters/{reporter}/votes", 404, "/reporters/none/votes", ""),
    ("delete /reporters/{reporter}/votes", 422, "/reporters/%07/votes", ""),
    ("get /held", 422, "/held?after=x", ""),
    ("post /held/release", 404, "/held/release?prefix=192.0.2.1", ""),
    ("post /held/release", 422, "/held/release", ""),
    ("delete /held", 404, "/held?prefix=192.0.2.1", ""),
    ("delete /held", 422, "/held", ""),
    ("get /requests", 422, "/requests?after=x", ""),
    ("post /requests/{number}", 404, "/requests/7", r#"{"granted": true}"#),
    ("post /requests/{number}", 404, "/requests/18446744073709551615", r#"{"granted": true}"#),
    ("post /requests/{number}", 409, "/requests/1", r#"{"granted": true}"#),
    ("get /tokens", 422, "/tokens?after=x", ""),
    ("post /tokens", 409, "/tokens", r#"{"name": "one", "role": "viewer"}"#),
    ("delete /tokens/{token}", 404, "/tokens/none", ""),
    ("post /tokens/{token}/rotate", 404, "/tokens/none/rotate", r#"{"overlap": 1}"#),
    ("post /session/totp/confirm", 409, "/session/totp/confirm", r#"{"code": "000000"}"#),
    ("post /session/passkey/challenge", 409, "/session/passkey/challenge", ""),
    ("post /session/passkey", 409, "/session/passkey", ASSERTION),
    ("post /session/passkey/verify", 409, "/session/passkey/verify", ASSERTION),
    ("post /session/passkeys/challenge", 409, "/session/passkeys/challenge", ""),
    ("post /session/passkeys", 409, "/session/passkeys", ATTESTATION),
    ("delete /session/passkeys/{passkey}", 404, "/session/passkeys/none", ""),
    ("delete /sessions/{session}", 404, "/sessions/none", ""),
    (
        "post /users",
        409,
        "/users",
        r#"{"name": "root", "role": "admin", "password": "correct horse battery"}"#,
    ),
    ("patch /users/{user}", 404, "/users/none", r#"{"disabled": true}"#),
    ("delete /users/{user}", 404, "/users/none", ""),
    ("post /users/{user}/totp", 404, "/users/none/totp", ""),
    ("post /users/{user}/totp/confirm", 404, "/users/none/totp/confirm", r#"{"code": "000000"}"#),
    ("post /users/{user}/totp/confirm", 409, "/users/root/totp/confirm", r#"{"code": "000000"}"#),
    ("delete /users/{user}/totp", 404, "/users/none/totp", ""),
    ("delete /users/{user}/passkeys/{passkey}", 404, "/users/root/passkeys/none", ""),
    ("get /audit", 422, "/audit?after=x", ""),
    // The configuration is broken by then.
    ("post /reload", 422, "/reload", ""),
];

/// A hub with what [`PROVOKED`] takes for granted.
fn hub() -> (Env, Daemon) {
    let env = Env::new("");
    let lax = "[sign_in]\nsecond_factor = []\n[jail.shared]\nreports = true\n";
    env.configure(&format!("{LOOPBACK}{lax}{SASL}{PUBLISH}"));
    env.log("mail.log").append("");
    let daemon = env.start();
    add(&env, "root", "admin");
    token(&env, &json!({ "name": "one", "role": "viewer" }));
    let decided = "INSERT INTO removal_requests VALUES
        (1, zeroblob(16), 128, 'x@example.org', '', zeroblob(16), 128, 0, 1, 1, '', 'root')";
    env.database().execute(decided, []).unwrap();
    (env, daemon)
}

/// How `route` fails where its body is not what it should be, for each of the statuses that this can have.
fn fail_by_body(browser: &Browser<'_>, (route, status): &Failure) -> Option<u16> {
    let request = route.replace(['{', '}'], "").replace("/reports", "/reports?reporter=one");
    let headers = format!("X-CSRF-Token: {}\r\n", browser.csrf);
    match status {
        413 => {
            let most = match route.as_str() {
                "post /reports" => 4 << 20,
                "post /takeover" => 2 << 20,
                "post /lookup" => 480_000,
                _ => 64 << 10,
            };
            Some(browser.ask_with(&request, &headers, &"[".repeat(most + 1)).status)
        }
        415 => Some(browser.ask_with(&request, &format!("{headers}Content-Type: text/html\r\n"), "x").status),
        422 => Some(browser.ask_with(&request, &headers, "0").status),
        _ => None,
    }
}

#[test]
fn every_status_that_is_documented_occurs_and_no_other() {
    let (env, daemon) = hub();
    let browser = Browser::sign_in(&daemon, "root", None);
    let documented = documented(&browser.ask("get /openapi.json", "").json());
    let (mut occurred, mut wrong) = (BTreeSet::new(), Vec::new());
    for failure in documented.iter().filter(|failure| [413, 415, 422].contains(&failure.1)) {
        if PROVOKED.iter().any(|(route, status, ..)| (*route, *status) == (&failure.0, failure.1)) {
            continue;
        }
        match fail_by_body(&browser, failure) {
            Some(status) if status == failure.1 => drop(occurred.insert(failure.clone())),
            found => wrong.push(format!("{failure:?}: {found:?}")),
        }
    }
    fs::write(env.config(), "what = 'is this?'").unwrap();
    for (route, status, path, body) in PROVOKED {
        let method = route.split(' ').next().unwrap();
        let answer = browser.ask(&format!("{method} {path}"), body);
        if answer.status != *status || !answer.head.contains("application/problem+json") {
            wrong.push(format!("{method} {path}: {} {}, not {status}", answer.status, answer.body));
        }
        occurred.insert(((*route).to_owned(), *status));
    }
    // Whoever is on the machine needs no session.
    let local = json!({ "user": "root", "password": "x" }).to_string();
    let status = env.try_request("POST", "/api/v1/session", &local).unwrap().status;
    occurred.insert(("post /session".to_owned(), status));
    wrong.extend(
        documented.symmetric_difference(&occurred).map(|failure| format!("{failure:?}: on one side only")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_may_go_wrong_with_every_request_does() {
    let env = Env::new(SASL);
    env.configure(&format!("{LOOPBACK}rate_limit = 400\n{SASL}{PUBLISH}"));
    env.log("mail.log").append("");
    let daemon = env.start();
    let elsewhere = token(&env, &json!({ "name": "one", "role": "admin", "sources": ["192.0.2.0/24"] }));
    let mut wrong = Vec::new();
    let mut expect = |headers: &str, expected: u16| {
        for route in ROUTES {
            let path = route.path.replace(['{', '}'], "");
            let request = format!("{} /api/v1{path}", route.method.to_uppercase());
            let answer = ask(daemon.http(), &request, headers, "[]");
            if answer.status != expected {
                wrong.push(format!("{request}: {} {}, not {expected}", answer.status, answer.body));
            }
        }
    };
    expect(&format!("{0}{0}", bearer(&elsewhere)), 400);
    expect(&bearer("bz_unknown"), 401);
    expect(&bearer(&elsewhere), 403);
    for _ in 0..400 {
        ask(daemon.http(), "GET /api/v1/openapi.json", "", "");
    }
    expect("", 429);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
