//! Whoever is confined to jails and zones learns nothing of others, and of what is of no jail or zone no more than they must.

use serde_json::{Value, json};

use super::access::{LOOPBACK, ask, bearer, daemon, token, with_token};
use super::env::{Daemon, Env, PUBLISH};
use super::hub::report;

#[test]
fn whoever_is_confined_stays_inside() {
    let (env, daemon) = daemon(LOOPBACK);
    for (jail, address) in [("postfix-sasl", "198.51.100.1"), ("other", "198.51.100.2")] {
        env.ban(&json!({ "prefix": address, "jail": jail }).to_string()).json();
    }
    let order =
        json!({ "name": "own", "role": "admin", "jails": ["postfix-sasl"], "zones": ["other.example"] });
    let token = token(&env, &order);
    let ask = |request: &str, body: &str| with_token(&daemon, &token, request, body);
    let status = ask("get /status", "").json();
    assert_eq!((&status["jails"], &status["zones"]), (&json!(["postfix-sasl"]), &json!([])));
    for (request, body, expected) in [
        ("get /jails/postfix-sasl", "", 200),
        ("get /jails/other", "", 403),
        ("get /jails/postfix-sasl/../other", "", 404),
        ("get /jails/%6fther", "", 403),
        ("patch /jails/other/settings", r#"{"maxretry": 1}"#, 403),
        ("post /jails/other/failures", r#"{"prefix": "198.51.100.3"}"#, 403),
        ("get /bans?jail=postfix-sasl", "", 200),
        ("get /bans?jail=other", "", 403),
        ("get /bans", "", 403),
        ("post /bans", r#"{"prefix": "198.51.100.3", "jail": "postfix-sasl"}"#, 200),
        ("post /bans", r#"{"prefix": "198.51.100.3", "jail": "other"}"#, 403),
        ("post /bans", r#"{"prefix": "198.51.100.3"}"#, 403),
        ("delete /bans?prefix=198.51.100.3&jail=postfix-sasl", "", 200),
        ("delete /bans?prefix=198.51.100.2&jail=other", "", 403),
        ("delete /bans?all=1", "", 403),
        ("get /figures?from=2026-11-01&until=2026-11-02&jail=postfix-sasl", "", 200),
        ("get /figures?from=2026-11-01&until=2026-11-02&jail=other", "", 403),
        ("get /figures?from=2026-11-01&until=2026-11-02", "", 403),
        ("post /allow", r#"{"prefix": "198.51.100.2"}"#, 403),
        ("get /tokens", "", 403),
        ("post /tokens", r#"{"name": "more", "role": "admin"}"#, 403),
        ("post /reload", "", 403),
    ] {
        let answer = ask(request, body);
        assert_eq!(answer.status, expected, "{request}: {}", answer.body);
    }
    assert_eq!(ask("get /lookup/198.51.100.2", "").json()["bans"], json!([]));
    assert_eq!(ask("get /lookup/198.51.100.2", "").json()["listings"], json!([]));
    assert_eq!(ask("get /lookup/198.51.100.1", "").json()["bans"][0]["jail"], "postfix-sasl");
    let network = ask("get /lookup?prefix=198.51.100.0/24", "").json();
    assert_eq!(network["jails"].as_array().map(Vec::len), Some(1), "{network}");
    assert_eq!((&network["jails"][0]["jail"], &network["listings"]), (&json!("postfix-sasl"), &json!([])));
    let many = ask("post /lookup", r#"{"addresses": ["198.51.100.1", "198.51.100.2"]}"#).json();
    assert_eq!(many["results"][0]["bans"][0]["jail"], "postfix-sasl");
    assert_eq!((&many["results"][1]["bans"], &many["results"][1]["listings"]), (&json!([]), &json!([])));
}

/// A hub that holds back most of what two organisations report, and a token for its jail only.
fn hub() -> (Env, Daemon, String) {
    let env = Env::new("");
    env.configure(&format!("{LOOPBACK}[jail.shared]\nreports = {{ guard = {{ least = 1 }} }}\n{PUBLISH}"));
    let daemon = env.start();
    for reporter in ["one", "two"] {
        report(&env, reporter, &["198.51.100.7", "198.51.100.8"]);
    }
    let order = json!({ "name": "own", "role": "operator", "jails": ["shared"] });
    let token = token(&env, &order);
    (env, daemon, token)
}

#[test]
fn a_jail_that_may_come_later_is_empty() {
    let (env, daemon, _) = hub();
    let order = json!({ "name": "later", "role": "operator", "jails": ["planned"] });
    let own = token(&env, &order);
    assert_eq!(with_token(&daemon, &own, "get /bans?jail=planned", "").json()["bans"], json!([]));
    for page in ["/", "/bans", "/networks", "/jails"] {
        assert_eq!(ask(daemon.http(), &format!("GET {page}"), &bearer(&own), "").status, 200, "{page}");
    }
}

#[test]
fn who_reports_is_for_those_who_see_all() {
    let (env, daemon, token) = hub();
    let whole = env.get("/api/v1/lookup/198.51.100.7").json();
    assert_eq!((list(&whole, "votes"), list(&whole, "scores"), list(&whole, "bans")), (2, 1, 1));
    let own = with_token(&daemon, &token, "get /lookup/198.51.100.7", "").json();
    assert_eq!((list(&own, "votes"), list(&own, "scores"), list(&own, "bans")), (0, 0, 1));
    let evidence = |found: &Value| list(&found["bans"][0], "evidence");
    assert_eq!((evidence(&whole), evidence(&own)), (2, 0), "{own}");
    for route in ["get /reporters", "get /held", "get /dns", "get /allow"] {
        assert_eq!(with_token(&daemon, &token, route, "").status, 403, "{route}");
    }
    let status = with_token(&daemon, &token, "get /status", "").json();
    assert_eq!((&status["hub"], list(&status, "outside")), (&Value::Null, 0), "{status}");
}

#[test]
fn whose_reports_were_withdrawn_is_for_those_who_see_all() {
    let (env, daemon, token) = hub();
    let position = env.get("/api/v1/changes").json()["position"].as_str().unwrap().to_owned();
    env.request("DELETE", "/api/v1/reporters/two/votes", "").json();
    for path in [
        "/bans?jail=shared&state=all",
        "/lookup/198.51.100.7",
        &format!("/changes?jail=shared&after={position}"),
    ] {
        let whole = env.get(&format!("/api/v1{path}")).body;
        let own = with_token(&daemon, &token, &format!("get {path}"), "").body;
        assert!(whole.contains("withdrawn") && whole.contains("\"two\""), "{path}: {whole}");
        assert!(own.contains("withdrawn") && !own.contains("two"), "{path}: {own}");
    }
}

#[test]
fn how_often_dns_is_asked_is_for_those_who_see_all() {
    let (env, daemon, token) = hub();
    assert!(daemon.lists("198.51.100.7"));
    let asked = |found: Value| found["bans"][0]["asked"].clone();
    assert_ne!(asked(env.get("/api/v1/bans?jail=shared").json()), Value::Null);
    assert_eq!(asked(with_token(&daemon, &token, "get /bans?jail=shared", "").json()), Value::Null);
}

#[test]
fn nobody_who_is_confined_reports_for_others() {
    let (env, daemon, _) = hub();
    let order = json!({ "name": "part", "role": "admin", "jails": ["shared"] });
    let token = token(&env, &order);
    let rows = json!([{ "ip": "198.51.100.9", "category": "sasl" }]).to_string();
    for organisation in ["?reporter=one", "?reporter=new", ""] {
        let answer = with_token(&daemon, &token, &format!("post /reports{organisation}"), &rows);
        assert_eq!(answer.status, 403, "{organisation}: {}", answer.body);
    }
    // Whoever may speak for any organisation is written down.
    let whole = super::access::token(&env, &json!({ "name": "whole", "role": "admin" }));
    assert_eq!(with_token(&daemon, &whole, "post /reports?reporter=one", &rows).status, 200);
    let acts: Vec<Value> = super::access::audit(&env);
    let act = acts.iter().find(|act| act["who"] == "token whole").unwrap();
    assert_eq!((&act["action"], &act["detail"]), (&json!("POST /api/v1/reports?reporter=one"), &json!("")));
}

#[test]
fn changes_of_the_allowlist_are_for_those_who_see_all() {
    let (env, daemon, _) = hub();
    let position = env.get("/api/v1/changes").json()["position"].as_str().unwrap().to_owned();
    env.request("POST", "/api/v1/allow", &json!({ "prefix": "192.0.2.0/24" }).to_string()).json();
    env.ban(&json!({ "prefix": "198.51.100.77" }).to_string()).json();
    let order = json!({ "name": "zone", "role": "viewer", "zones": ["bl.example."] });
    let of_zone = token(&env, &order);
    let path = format!("/changes?after={position}");
    let whole = env.get(&format!("/api/v1{path}")).body;
    let own = with_token(&daemon, &of_zone, &format!("get {path}"), "").body;
    assert!(whole.contains("allowed") && whole.contains("198.51.100.77"), "{whole}");
    assert!(!own.contains("allowed") && own.contains("198.51.100.77"), "{own}");
}

fn list(found: &Value, key: &str) -> usize {
    found[key].as_array().map_or(0, Vec::len)
}

#[test]
fn why_something_is_allowed_is_for_those_who_see_all() {
    let (env, daemon, token) = hub();
    let entry = json!({ "prefix": "192.0.2.0/24", "note": "our partner", "owner": "root" });
    env.request("POST", "/api/v1/allow", &entry.to_string()).json();
    for path in ["/lookup/192.0.2.1", "/lookup?prefix=192.0.2.0/25"] {
        let whole = env.get(&format!("/api/v1{path}")).json();
        let own = with_token(&daemon, &token, &format!("get {path}"), "").json();
        let words = |found: &Value| (found["allowed"]["note"].clone(), found["allowed"]["owner"].clone());
        assert_eq!(words(&whole), (json!("our partner"), json!("root")), "{path}");
        assert_eq!(
            (words(&own), &own["allowed"]["prefix"]),
            ((json!(""), json!("")), &json!("192.0.2.0/24"))
        );
    }
}

#[test]
fn what_is_wrong_is_for_those_who_see_all() {
    let (_env, daemon, token) = hub();
    let whole = ask(daemon.http(), "GET /readyz", "", "");
    assert!(whole.body.contains("1 listings by reports are held back"), "{}", whole.body);
    for page in ["/", "/health"] {
        let own = ask(daemon.http(), &format!("GET {page}"), &bearer(&token), "");
        assert_eq!((own.status, own.body.contains("held")), (200, false), "{page}: {}", own.body);
    }
}

#[test]
fn health_and_metrics_are_for_monitors_and_for_those_who_see_all() {
    let monitors =
        "[http]\nlisten = '127.0.0.1:0'\nproxies = ['127.0.0.1']\nmonitors = ['192.0.2.0/24', '127.0.0.1']\n";
    let (env, daemon) = daemon(monitors);
    std::fs::remove_file(env.path("log/other.log")).unwrap();
    super::env::until("the log is missed", || env.get("/readyz").body.contains("other.log"));
    let of = |grant: Value| bearer(&token(&env, &grant));
    let viewer = of(json!({ "name": "whole", "role": "viewer" }));
    let confined = of(json!({ "name": "own", "role": "admin", "jails": ["postfix-sasl"] }));
    let reporter = of(json!({ "name": "sends", "role": "reporter", "organisation": "example.org" }));
    for (headers, sees_all) in [
        ("X-Forwarded-For: 192.0.2.9\r\n".to_owned(), true),
        ("X-Forwarded-For: 198.51.100.9\r\n".to_owned(), false),
        // A proxy that does not say for whom it asks.
        (String::new(), false),
        (viewer, true),
        (confined, false),
        (reporter, false),
    ] {
        let metrics = ask(daemon.http(), "GET /metrics", &headers, "");
        assert_eq!(metrics.status, if sees_all { 200 } else { 403 }, "{headers}");
        let ready = ask(daemon.http(), "GET /readyz", &headers, "");
        assert_eq!((ready.status, ready.body.contains("other.log")), (200, sees_all), "{headers}");
        assert_eq!(ask(daemon.http(), "GET /healthz", &headers, "").body, "ok\n");
    }
}
