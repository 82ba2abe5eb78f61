//! Following the list: what changed since a place, what is gone, and waiting for more.

use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::access::{LOOPBACK, ask, bearer, daemon, token};
use super::env::{Env, SASL, exchange, until};

/// The changes behind `after`, and the place behind them.
fn changes(env: &Env, after: &str) -> (Vec<String>, String) {
    let answer = env.get(&format!("/api/v1/changes?{after}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("application/x-ndjson"), "{}", answer.head);
    let mut lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap()["position"].as_str().unwrap().to_owned();
    let told = lines
        .iter()
        .map(|line| format!("{} {}", line["change"].as_str().unwrap(), line["prefix"].as_str().unwrap()));
    (told.collect(), last)
}

#[test]
fn each_reader_keeps_its_place() {
    let env = Env::new(&format!("{SASL}[jail.other]\nfilter = 'sshd'\nlogpath = 'log/other.log'\n"));
    env.log("mail.log").append("");
    env.log("other.log").append("");
    let daemon = env.start();
    let (none, begin) = changes(&env, "");
    assert!(none.is_empty());
    let ban = |prefix: &str, jail: &str, seconds: u64| {
        let order = json!({ "prefix": prefix, "jail": jail, "seconds": seconds });
        assert_eq!(env.ban(&order.to_string()).status, 200);
    };
    ban("198.51.100.1", "postfix-sasl", 600);
    ban("198.51.100.1", "postfix-sasl", 6000);
    ban("2001:db8::/64", "other", 600);
    let allow = json!({ "prefix": "198.51.100.0/24" }).to_string();
    assert_eq!(env.request("POST", "/api/v1/allow", &allow).status, 200);
    let all = [
        "banned 198.51.100.1",
        "extended 198.51.100.1",
        "banned 2001:db8::/64",
        "allowed 198.51.100.0/24",
        "unbanned 198.51.100.1",
    ];
    let (told, end) = changes(&env, &format!("after={begin}"));
    assert_eq!(told, all);
    let (first, place) = changes(&env, &format!("after={begin}&limit=2"));
    let (rest, same) = changes(&env, &format!("after={place}"));
    assert_eq!(([first, rest].concat(), &same), (told, &end));
    let of_jail = changes(&env, &format!("after={begin}&jail=other"));
    assert_eq!(of_jail, (vec!["banned 2001:db8::/64".to_owned()], end.clone()));
    assert_eq!(changes(&env, &format!("after={end}")), (vec![], end.clone()));
    // A place is good after a restart, and for one database.
    assert!(daemon.terminate().success());
    let daemon = env.start();
    assert_eq!(changes(&env, &format!("after={end}")), (vec![], end.clone()));
    let (database, number) = end.split_once('_').unwrap();
    let number: u64 = number.parse().unwrap();
    for gone in [format!("{database}_{}", number + 1), format!("7_{number}")] {
        let answer = env.get(&format!("/api/v1/changes?after={gone}"));
        assert_eq!(answer.status, 410, "{gone}: {}", answer.body);
    }
    drop(daemon);
    env.database().execute("DELETE FROM changes WHERE number <= 3", []).unwrap();
    let _daemon = env.start();
    assert_eq!(env.get(&format!("/api/v1/changes?after={begin}")).status, 410);
    assert_eq!(changes(&env, &format!("after={database}_3")).0, all[3..]);
    assert_eq!(env.get("/api/v1/changes?after=x").status, 422);
    assert_eq!(env.get("/api/v1/changes?wait=26").status, 422);
}

#[test]
fn who_waits_is_told_at_once() {
    let (env, daemon) = daemon(LOOPBACK);
    let order = json!({ "name": "own", "role": "viewer", "jails": ["other"] }).to_string();
    let secret = env.request("POST", "/api/v1/tokens", &order).json()["secret"].as_str().unwrap().to_owned();
    let token = format!("Authorization: Bearer {secret}\r\n");
    let (_, place) = changes(&env, "");
    let server = daemon.http();
    assert_eq!(ask(server, &format!("GET /api/v1/changes?after={place}"), &token, "").status, 403);
    let request = format!("GET /api/v1/changes?after={place}&wait=20&jail=other");
    let begin = Instant::now();
    let waiting =
        thread::spawn(move || exchange(TcpStream::connect(server).unwrap(), &request, &token, "").unwrap());
    assert_eq!(env.ban(&json!({ "prefix": "198.51.100.9", "jail": "other" }).to_string()).status, 200);
    let told = waiting.join().unwrap();
    assert!(told.body.contains("\"prefix\":\"198.51.100.9\""), "{}", told.body);
    assert!(begin.elapsed().as_secs() < 15);
}

/// So many may wait at a time.
const WAITING: usize = 64;

#[test]
fn who_waits_holds_up_no_stop() {
    let (env, daemon) = daemon(LOOPBACK);
    let (_, place) = changes(&env, "");
    let reader = bearer(&token(&env, &json!({ "name": "reader", "role": "viewer" })));
    let server = daemon.http();
    let ask =
        |seconds: u32| ask(server, &format!("GET /api/v1/changes?after={place}&wait={seconds}"), &reader, "");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                scope.spawn(|| {
                    until("there is a place to wait", || Some(ask(25)).filter(|told| told.status != 503))
                })
            })
            .collect();
        until("all of them wait", || ask(1).status == 503);
        assert!(daemon.terminate().success());
        for told in waiting.into_iter().map(|waiting| waiting.join().unwrap()) {
            assert_eq!((told.status, told.body.lines().count()), (200, 1), "{}", told.body);
        }
    });
}
