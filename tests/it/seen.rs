//! What a person sees of the questions that the daemon was asked: figures, clients, bans, and the log of queries.

use std::fs;

use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;

use super::env::{Daemon, Env, PUBLISH, until};

/// Asks a question so often that it is among those that are looked at.
const MANY: u64 = 2000;

fn ask_many(daemon: &Daemon) {
    for _ in 0..MANY {
        assert_eq!(daemon.ask("198.51.100.7", RecordType::A).codes.len(), 1);
    }
}

#[test]
fn questions_are_counted_by_zone_client_and_ban() {
    let env = Env::new("");
    let daemon = env.start();
    assert_eq!(env.ban(r#"{"prefix":"198.51.100.0/24","seconds":3600}"#).status, 200);
    ask_many(&daemon);
    daemon.ask("198.51.100.8", RecordType::TXT);
    daemon.ask("203.0.113.1", RecordType::A);
    daemon.ask_name("sender.example.bl.example.", RecordType::A);
    daemon.ask_name("elsewhere.example.", RecordType::A);

    let seen = env.get("/api/v1/dns").json();
    let zone = &seen["zones"][0];
    assert_eq!(zone["origin"], "bl.example.");
    assert_eq!(
        (&zone["queries"], &zone["listed"], &zone["names"]),
        (&(MANY + 3).into(), &(MANY + 1).into(), &1.into())
    );
    assert_eq!(zone["codes"], serde_json::json!([{"code": "127.0.0.4", "answers": MANY}]));
    // The daemon asks itself as well.
    assert!(seen["zones"][1]["origin"].is_null() && seen["zones"][1]["queries"].as_u64() > Some(0));
    for (kind, address) in [("clients", "127.0.0.1"), ("listed", "198.51.100.7")] {
        assert_eq!(seen[kind][0]["address"], address, "{seen}");
        let queries = seen[kind][0]["queries"].as_u64().unwrap();
        assert!((MANY / 4..MANY * 4).contains(&queries), "{seen}");
    }

    let bans = env.get("/api/v1/bans").json();
    assert_eq!(bans["bans"][0]["asked"], MANY, "the text is not counted: {bans}");
    assert_eq!(env.get("/api/v1/lookup/198.51.100.9").json()["bans"][0]["asked"], MANY);
    let metrics = env.get("/metrics").body;
    for figure in [
        format!("banzone_dns_codes_total{{zone=\"bl.example.\",code=\"127.0.0.4\"}} {MANY}"),
        "banzone_dns_names_total{zone=\"bl.example.\"} 1".to_owned(),
        "banzone_dns_log_lost_total{} 0".to_owned(),
    ] {
        assert!(metrics.contains(&figure), "{figure}: {metrics}");
    }
}

#[test]
fn who_asks_is_forgotten_at_a_reload_that_says_so() {
    let env = Env::new("");
    let daemon = env.start();
    assert_eq!(env.ban(r#"{"prefix":"198.51.100.7","seconds":3600}"#).status, 200);
    ask_many(&daemon);
    assert!(!env.get("/api/v1/dns").json()["clients"].as_array().unwrap().is_empty());
    let base = super::env::BASE.replace("[dns]", "[dns]\ncount_addresses = false");
    env.configure_as(&base, PUBLISH);
    assert_eq!(env.request("POST", "/api/v1/reload", "").status, 200);
    ask_many(&daemon);
    let seen = env.get("/api/v1/dns").json();
    assert_eq!((&seen["clients"], &seen["listed"]), (&serde_json::json!([]), &serde_json::json!([])));
}

#[test]
fn the_query_log_is_opened_anew_by_a_reload() {
    let env = Env::new("");
    let base = super::env::BASE.replace("[dns]", "[dns]\nquery_log = { path = 'lib/queries.log' }");
    env.configure_as(&base, PUBLISH);
    let daemon = env.start();
    let (log, moved) = (env.path("lib/queries.log"), env.path("lib/queries.log.1"));
    let lines = |path| fs::read_to_string(path).unwrap_or_default();
    daemon.ask("127.0.0.4", RecordType::A);
    until("the line is on disk", || {
        lines(&log).contains(" 127.0.0.1 4.0.0.127.bl.example A IN: NOERROR/1/54\n")
    });
    fs::rename(&log, &moved).unwrap();
    daemon.ask("127.0.0.4", RecordType::TXT);
    daemon.signal(Signal::SIGHUP);
    let is_new = || fs::metadata(&log).is_ok_and(|file| file.len() > 0);
    until("the new file is written to", || {
        daemon.ask("203.0.113.1", RecordType::A);
        is_new()
    });
    assert!(daemon.terminate().success());
    assert!(lines(&moved).contains(" 4.0.0.127.bl.example TXT IN: NOERROR/1/"));
    assert!(lines(&log).contains(" 1.113.0.203.bl.example A IN: NXDOMAIN/0/"));

    // A log that cannot be written is no reason to start without it.
    let base = super::env::BASE.replace("[dns]", "[dns]\nquery_log = { path = '/nowhere/queries.log' }");
    env.configure_as(&base, PUBLISH);
    assert!(env.refused().contains("cannot open the query log /nowhere/queries.log"));
}
