//! Lists of the API: their filters, and their pages put together.

use serde_json::{Value, json};

use super::env::{Env, PUBLISH, Response, SASL, failure, until};

/// What `key` is of every row of all pages of `list`.
fn walk(env: &Env, path: &str, list: &str, key: &str) -> Vec<String> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = env.get(&format!("/api/v1{path}{mark}limit=2{after}")).json();
        let found = page[list].as_array().unwrap();
        assert!(found.len() <= 2, "{page}");
        rows.extend(found.iter().map(|row| row[key].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

#[test]
fn lists_come_in_pages() {
    let env = Env::new("");
    let publish = PUBLISH.replace("'*'", "'postfix-sasl'");
    env.configure(&format!("{SASL}[jail.other]\nfilter = 'sshd'\nlogpath = 'log/other.log'\n{publish}"));
    env.log("mail.log").append("");
    env.log("other.log").append("");
    let daemon = env.start();
    env.log("mail.log").append(&format!("{}{}", failure("192.0.2.200"), failure("192.0.2.201")));
    for (second, prefix, jail) in [
        (1, "198.51.100.3", "postfix-sasl"),
        (2, "198.51.100.1", "other"),
        (3, "203.0.113.0/24", "postfix-sasl"),
        (4, "198.51.100.2", "postfix-sasl"),
        (5, "2001:db8::/64", "other"),
    ] {
        let since = format!("2026-11-22T08:00:0{second}Z");
        let order =
            json!({ "prefix": prefix, "jail": jail, "permanent": true, "since": since, "reason": "spam" });
        assert_eq!(env.ban(&order.to_string()).status, 200);
    }
    assert_eq!(env.request("DELETE", "/api/v1/bans?prefix=198.51.100.1", "").status, 200);
    until("the bans are answered", || daemon.lists("198.51.100.2"));
    for (query, expected) in [
        ("", "2001:db8::/64 198.51.100.2 203.0.113.0/24 198.51.100.3"),
        ("?sort=since", "198.51.100.3 203.0.113.0/24 198.51.100.2 2001:db8::/64"),
        ("?state=ended", "198.51.100.1"),
        ("?state=all&sort=address", "198.51.100.1 198.51.100.2 198.51.100.3 203.0.113.0/24 2001:db8::/64"),
        ("?prefix=198.51.100.0/24", "198.51.100.2 198.51.100.3"),
        ("?jail=other&state=all&origin=order", "2001:db8::/64 198.51.100.1"),
        ("?origin=log", ""),
        ("?from=2026-11-22T08:00:03Z&until=2026-11-22T08:00:05Z&sort=until", "203.0.113.0/24 198.51.100.2"),
    ] {
        assert_eq!(walk(&env, &format!("/bans{query}"), "bans", "prefix").join(" "), expected, "{query}");
    }
    assert_eq!(env.get("/api/v1/bans?evidence=1&limit=1").json()["bans"][0]["evidence"], json!(["spam"]));
    let listed = walk(&env, "/listings?zone=bl.example", "listings", "prefix");
    assert_eq!(listed, ["198.51.100.2", "198.51.100.3", "203.0.113.0/24"]);
    let inside = walk(&env, "/listings?zone=bl.example.&prefix=203.0.113.0/24", "listings", "code");
    assert_eq!(inside, ["127.0.0.4"]);
    until("the failures are counted", || walk(&env, "/failures", "failures", "prefix").len() == 2);
    let counted = env.get("/api/v1/failures?jail=postfix-sasl&prefix=192.0.2.201").json();
    assert_eq!((&counted["failures"][0]["failures"], &counted["failures"][1]), (&json!(1), &Value::Null));
    assert_eq!(walk(&env, "/jails", "jails", "jail"), ["manual", "other", "postfix-sasl"]);
    let zones = env.get("/api/v1/zones").json();
    assert_eq!(zones["zones"][0]["publish"], json!([{ "jails": ["postfix-sasl"], "code": "127.0.0.4" }]));
    for number in 1..=3 {
        let allow = json!({ "prefix": format!("192.0.2.{number}") }).to_string();
        assert_eq!(env.request("POST", "/api/v1/allow", &allow).status, 200);
    }
    assert_eq!(walk(&env, "/allow", "allow", "prefix"), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(walk(&env, "/audit", "audit", "who").len(), 9);
    for name in ["one", "two", "three"] {
        let order = json!({ "name": name, "role": "viewer" }).to_string();
        assert_eq!(env.request("POST", "/api/v1/tokens", &order).status, 200);
        let order = json!({ "name": name, "role": "viewer", "password": "a word of many" }).to_string();
        assert_eq!(env.request("POST", "/api/v1/users", &order).status, 200);
    }
    assert_eq!(env.request("POST", "/api/v1/tokens/one/rotate", r#"{"overlap": 60}"#).status, 200);
    assert_eq!(walk(&env, "/tokens", "tokens", "name"), ["one", "one", "three", "two"]);
    assert_eq!(walk(&env, "/users", "users", "name"), ["one", "three", "two"]);
    assert_eq!(walk(&env, "/audit?who=nobody-else", "audit", "who"), [""; 0]);
}

#[test]
fn a_network_is_looked_up() {
    let env = Env::new(&format!(
        "[defaults]\nignoreip = ['203.0.113.0/24']\n{SASL}[jail.other]\nfilter = 'sshd'\nlogpath = 'log/other.log'\n"
    ));
    env.log("mail.log").append("");
    env.log("other.log").append("");
    let daemon = env.start();
    env.log("mail.log").append(&failure("192.0.2.200"));
    for (prefix, jail) in [
        ("192.0.2.1", "postfix-sasl"),
        ("192.0.2.1", "other"),
        ("192.0.2.64/26", "postfix-sasl"),
        ("192.0.2.9", "other"),
        ("198.51.100.0/24", "other"),
        ("2001:db8::/32", "other"),
        ("2001:db8:0:7::/64", "other"),
    ] {
        assert_eq!(env.ban(&json!({ "prefix": prefix, "jail": jail }).to_string()).status, 200);
    }
    // Until 2057, which is kept elsewhere than most.
    let long = json!({ "prefix": "192.0.2.1", "jail": "other", "seconds": 1_000_000_000 }).to_string();
    assert_eq!(env.ban(&long).status, 200);
    assert_eq!(env.request("DELETE", "/api/v1/bans?prefix=192.0.2.9", "").status, 200);
    until("the last ban is answered", || daemon.lists("198.51.100.7"));
    until("the failure is counted", || walk(&env, "/failures", "failures", "prefix").len() == 1);
    let look = |prefix: &str| env.get(&format!("/api/v1/lookup?prefix={prefix}")).json();
    let network = look("192.0.2.0/24");
    let jail = |name: &str, [banned, ended, failing]: [u64; 3]| json!({ "jail": name, "banned": banned, "ended": ended, "failing": failing });
    assert_eq!(network["jails"], json!([jail("other", [1, 1, 0]), jail("postfix-sasl", [2, 0, 1])]));
    assert_eq!(network["listings"], json!([{ "zone": "bl.example.", "listings": 2 }]));
    assert_eq!((&network["bans"], &network["is_cut"]), (&json!([]), &json!(false)));
    let inside = look("198.51.100.128/25");
    assert_eq!((&inside["bans"][0]["prefix"], &inside["jails"]), (&json!("198.51.100.0/24"), &json!([])));
    assert_eq!(look("2001:db8::/32")["listings"][0]["listings"], 2);
    let allow = json!({ "prefix": "192.0.2.0/24" }).to_string();
    assert_eq!(env.request("POST", "/api/v1/allow", &allow).status, 200);
    let allowed = look("192.0.2.0/28");
    assert_eq!((&allowed["allowed"]["prefix"], &allowed["listings"]), (&json!("192.0.2.0/24"), &json!([])));
    assert_eq!(look("203.0.113.0/28")["allowed"]["prefix"], "203.0.113.0/28", "by the configuration");
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let env = Env::new(SASL);
    env.log("mail.log").append("");
    let _daemon = env.start();
    let bans = "/api/v1/bans";
    let tag = |answer: &Response| {
        let line = answer.head.lines().find_map(|line| line.strip_prefix("etag: "));
        line.unwrap_or_else(|| panic!("{}", answer.head)).to_owned()
    };
    let ask = |path: &str, tags: &str| {
        env.try_request_with("GET", path, &format!("If-None-Match: {tags}\r\n"), "").unwrap()
    };
    let first = env.get(bans);
    assert!(first.head.contains("cache-control: private, no-cache"), "{}", first.head);
    let known = tag(&first);
    for tags in [known.clone(), format!("\"other\", {known}"), "*".to_owned()] {
        let again = ask(bans, &tags);
        assert_eq!((again.status, &*again.body), (304, ""), "{tags}");
        assert_eq!(tag(&again), known);
    }
    env.ban(&json!({ "prefix": "192.0.2.1" }).to_string()).json();
    let changed = ask(bans, &known);
    assert_eq!((changed.status, changed.json()["bans"].as_array().map(Vec::len)), (200, Some(1)));
    assert_ne!(tag(&changed), known);
    // What failed has no tag, and what holds secrets and names of users is not kept.
    for failing in ["/api/v1/bans?limit=0", "/api/v1/reporters/nobody", "/api/v1/nothing"] {
        let head = env.get(failing).head;
        assert!(head.contains("cache-control: no-store") && !head.contains("etag"), "{failing}: {head}");
    }
    let users = env.get("/api/v1/users");
    assert!(users.head.contains("no-store") && !users.head.contains("etag"), "{}", users.head);
}

#[test]
fn what_is_no_list_is_refused() {
    let env = Env::new(SASL);
    env.log("mail.log").append("");
    let _daemon = env.start();
    for (path, status) in [
        ("/bans?limit=0", 400),
        ("/bans?limit=1001", 400),
        ("/bans?sort=jail", 400),
        ("/bans?after=x", 422),
        ("/bans?after=7_7&sort=address", 422),
        ("/bans?prefix=192.0.2.0/24&sort=until", 422),
        ("/bans?state=all&sort=until", 422),
        ("/bans?prefix=192.0.2.0%2F33", 400),
        ("/failures?after=7", 422),
        ("/allow?after=x", 422),
        ("/audit?after=x", 422),
        ("/tokens?after=x", 422),
        ("/held?after=x", 422),
        ("/requests?after=x", 422),
        ("/requests?after=0_18446744073709551615", 422),
        ("/lookup?prefix=x", 400),
        ("/lookup", 400),
        ("/listings", 400),
        ("/listings?zone=other.example", 404),
    ] {
        let answer = env.get(&format!("/api/v1{path}"));
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.head.contains("application/problem+json"), "{path}: {}", answer.head);
    }
}
