//! A hub as a real process: what its reporters agree on is listed, and each report counts once, whenever the hub is killed.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use banzone::clock::Clock;
use banzone::report::Day;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::env::{BASE, Daemon, Env, PUBLISH, Response, SASL, failure, until};

/// A jail of reports; the guard is out of the way.
const HUB: &str = "
[jail.shared]
reports = { half_life = '1d', guard = { least = 1_000_000 } }
";

/// Reports these addresses for `reporter`, as an array.
#[track_caller]
pub fn report(env: &Env, reporter: &str, addresses: &[&str]) -> serde_json::Value {
    let rows: Vec<_> = addresses.iter().map(|ip| serde_json::json!({"ip": ip, "category": "sasl"})).collect();
    let path = format!("/api/v1/reports?reporter={reporter}");
    env.request("POST", &path, &serde_json::Value::from(rows).to_string()).json()
}

#[test]
fn two_organisations_list_and_one_does_not() {
    let env = Env::new(HUB);
    let daemon = env.start();
    assert_eq!(report(&env, "one", &["198.51.100.7", "198.51.100.8", "10.0.0.1"])["accepted"], 2);
    assert_eq!(report(&env, "one", &["198.51.100.7"])["refused"], 0);
    assert!(!daemon.lists("198.51.100.7"), "one organisation is not enough");
    let answer = report(&env, "two", &["198.51.100.7", "host.example", "10.0.0.2"]);
    assert!(daemon.lists("198.51.100.7"), "what is confirmed is published");
    assert!(!daemon.lists("198.51.100.8"));
    assert_eq!((&answer["rows"][0]["row"], &answer["rows"][0]["reason"]), (&2.into(), &"malformed".into()));
    assert_eq!((&answer["rows"][1]["row"], &answer["rows"][1]["reason"]), (&3.into(), &"reserved".into()));
    let votes = env.get("/api/v1/lookup/198.51.100.7").json();
    assert_eq!(votes["votes"].as_array().map(Vec::len), Some(2), "{votes}");
    let cut_off = env.request("PATCH", "/api/v1/reporters/two", r#"{"cut_off":true}"#).json();
    assert_eq!(cut_off["listings_changed"], 1);
    assert!(!daemon.lists("198.51.100.7"), "what it said is taken back");
    assert_eq!(env.request("POST", "/api/v1/reports?reporter=two", "[]").status, 403);
}

#[test]
fn figures_tell_who_reported_what() {
    let env = Env::new(HUB);
    let _daemon = env.start();
    report(&env, "one", &["198.51.100.7", "198.51.100.8"]);
    report(&env, "two", &["198.51.100.7"]);
    // The day may end meanwhile.
    let today = Day::of(Clock::System.now());
    let (from, until) = (today.plus(-1), today.plus(2));
    let figures = |rest: &str| env.get(&format!("/api/v1/figures?from={from}&until={until}{rest}")).json();
    let named = |table: &serde_json::Value| {
        let rows = table["rows"].as_array().unwrap().iter();
        rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row["now"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    let all = figures("");
    assert_eq!(named(&all["reporters"]), [("one".to_owned(), 2), ("two".to_owned(), 1)]);
    assert_eq!(named(&all["reported"]), [("sasl".to_owned(), 3)]);
    assert_eq!(named(&figures("&jail=shared")["reporters"]), []);
}

/// The forms in which rows come, and what is wrong with a body as a whole.
#[test]
fn rows_come_in_many_forms() {
    let env = Env::new(HUB);
    let _daemon = env.start();
    let post = |media_type: &str, headers: &str, body: &str| {
        let headers = format!("Content-Type: {media_type}\r\n{headers}");
        env.try_request_with("POST", "/api/v1/reports?reporter=one", &headers, body).unwrap()
    };
    let csv = "IP,Categories,ReportDate,Comment\n198.51.100.1,\"18,11\",,\"a, b\"\n198.51.100.2,18,,\n";
    let ndjson = "{\"ip\":\"198.51.100.3\"}\n{\"ip\":\"2001:db8::1\"}\n";
    let object = r#"{"ip":"198.51.100.4"}"#;
    for (media_type, body, accepted) in [
        ("text/csv; charset=utf-8", csv, 2),
        ("application/x-ndjson", ndjson, 2),
        ("application/json", object, 1),
    ] {
        assert_eq!(post(media_type, "", body).json()["accepted"], accepted, "{body}");
    }
    let key = "Idempotency-Key: k1\r\n";
    let other = r#"{"ip":"198.51.100.5"}"#;
    let first = post("application/json", key, other).json();
    let again = post("application/json", key, other).json();
    assert_eq!((&first["repeated"], &again["repeated"]), (&false.into(), &true.into()));
    assert_eq!(first["accepted"], again["accepted"]);
    for (media_type, headers, body, status) in [
        ("text/plain", "", object, 415),
        ("application/json", "Content-Encoding: br\r\n", object, 415),
        ("application/json", "Content-Encoding: gzip\r\n", object, 400),
        ("application/json", "Banzone-Sequence: 1\r\n", object, 400),
        ("application/json", "Banzone-Sequence: 0000000000000001/0\r\n", object, 400),
        ("application/json", "Idempotency-Key: k1\r\n", object, 422),
        ("application/json", "", "{", 400),
    ] {
        let response = post(media_type, headers, body);
        assert_eq!(response.status, status, "{headers}{body}: {}", response.body);
    }
}

/// How often the hub is killed.
const KILLS: usize = 12;
/// Rows of each spool.
const ROWS: usize = 60_000;
/// Rows that are sent at a time.
const BATCH: usize = 2_000;

/// The hub is killed at random instants while three servers send their spools; each of them sends again what was not
/// confirmed.
#[test]
fn a_hub_that_is_killed_counts_each_report_once() {
    let env = Env::new(HUB);
    let mut random = SmallRng::seed_from_u64(20_261_128);
    let mut daemon = Some(env.start());
    thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|spool| {
                scope.spawn({
                    let env = &env;
                    move || send(env, spool)
                })
            })
            .collect();
        for _ in 0..KILLS {
            thread::sleep(Duration::from_millis(random.random_range(30..400)));
            daemon.take().into_iter().for_each(Daemon::kill);
            daemon = Some(env.start());
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
    let reporters = env.get("/api/v1/reporters").json();
    for reporter in reporters["reporters"].as_array().unwrap() {
        assert_eq!(reporter["accepted"], ROWS, "{reporter}");
        assert_eq!(reporter["votes"], ROWS, "{reporter}");
    }
    assert_eq!(env.counted(), 3 * ROWS as u64);
    let votes: u64 =
        env.database().query_row("SELECT sum(failures) FROM votes", [], |row| row.get(0)).unwrap();
    assert_eq!(votes, 3 * ROWS as u64);
    // All three have seen all addresses.
    let listed = env.get("/api/v1/jails/shared").json();
    assert_eq!(listed["currently_banned"], ROWS);
}

/// Sends a spool to its end.
fn send(env: &Env, spool: u64) {
    let (mut first, now) = (1, Clock::System.now());
    while first <= ROWS {
        let last = (first + BATCH - 1).min(ROWS);
        let mut body = String::new();
        for row in first..=last {
            writeln!(
                body,
                "{{\"ip\":\"2001:db8:{:x}:{:x}::1\",\"time\":\"{now}\"}}",
                row >> 16,
                row & 0xffff
            )
            .unwrap();
        }
        let headers =
            format!("Content-Type: application/x-ndjson\r\nBanzone-Sequence: {spool:016x}/{first}\r\n");
        let path = format!("/api/v1/reports?reporter=org-{spool}");
        match env.try_request_with("POST", &path, &headers, &body) {
            Ok(Response { status: 200, .. }) => first = last + 1,
            // It is away, or too busy; the same rows are sent again.
            Ok(_) | Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn what_the_guard_holds_back_waits_for_an_operator() {
    let env = Env::new("[jail.shared]\nreports = { guard = { least = 1 } }");
    let daemon = env.start();
    for reporter in ["one", "two"] {
        report(&env, reporter, &["198.51.100.7", "198.51.100.8", "198.51.100.9"]);
    }
    assert!(daemon.lists("198.51.100.7") && !daemon.lists("198.51.100.8"));
    let held = |env: &Env| env.get("/api/v1/held").json()["total"].as_u64().unwrap();
    assert_eq!(held(&env), 2);
    let ready = env.get("/readyz");
    assert!(
        ready.status == 200 && ready.body.contains("2 listings by reports are held back"),
        "{}",
        ready.body
    );
    daemon.kill();
    let daemon = env.start();
    assert_eq!(held(&env), 2, "a restart lets nothing through");
    assert_eq!(env.request("POST", "/api/v1/held/release?prefix=198.51.100.8", "").json()["ended"], 1);
    assert!(daemon.lists("198.51.100.8"));
    assert_eq!(env.request("DELETE", "/api/v1/held?all=1", "").json()["ended"], 1);
    assert_eq!(held(&env), 0);
    until("nothing is left to look at", || !env.get("/readyz").body.contains("held back"));
}

/// A hub that is reached over HTTPS, always at the same port.
fn hub_over_https() -> (Env, u16) {
    let env = Env::new("");
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(env.path("cert.pem"), issued.cert.pem()).unwrap();
    fs::write(env.path("key.pem"), issued.signing_key.serialize_pem()).unwrap();
    // Nobody else takes it until the hub does: the system hands out others first.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let http = format!("[http]\nlisten = '127.0.0.1:{port}'\ncertificate = 'cert.pem'\nkey = 'key.pem'\n");
    env.configure(&format!("{http}{HUB}{PUBLISH}"));
    (env, port)
}

/// A mail server that reports to the hub.
fn reporter(hub: &Env, port: u16, organisation: &str) -> Env {
    let order = serde_json::json!({"name": organisation, "role": "reporter", "organisation": organisation});
    let token = hub.request("POST", "/api/v1/tokens", &order.to_string()).json();
    let env = Env::new("");
    fs::write(env.path("hub.token"), token["secret"].as_str().unwrap()).unwrap();
    let ca = hub.path("cert.pem");
    let section = format!(
        "[hub]\nurl = 'https://localhost:{port}/'\ntoken_file = 'hub.token'\nca = '{}'\n",
        ca.display()
    );
    env.configure_as(BASE, &format!("{section}{SASL}{PUBLISH}"));
    env.log("mail.log").append("");
    env
}

/// Lets an address fail until it is banned.
fn attack(env: &Env, address: &str) {
    env.log("mail.log").append(&failure(address).repeat(3));
}

fn waiting(env: &Env) -> u64 {
    env.get("/api/v1/status").json()["hub"]["waiting"].as_u64().unwrap()
}

#[test]
fn servers_report_over_https_whatever_becomes_of_the_hub() {
    let (hub, port) = hub_over_https();
    let daemon = hub.start();
    let (one, two) = (reporter(&hub, port, "one"), reporter(&hub, port, "two"));
    let [running, _two] = [one.start(), two.start()];
    attack(&one, "198.51.100.7");
    let votes = |address: &str| {
        let found = hub.get(&format!("/api/v1/lookup/{address}")).json();
        found["votes"].as_array().unwrap().len()
    };
    until("the hub hears of it", || votes("198.51.100.7") == 1);
    assert!(!daemon.lists("198.51.100.7"), "one organisation is not enough");
    attack(&two, "198.51.100.7");
    until("two organisations list it", || daemon.lists("198.51.100.7"));

    daemon.kill();
    for reporter in [&one, &two] {
        for address in ["198.51.100.8", "198.51.100.9"] {
            attack(reporter, address);
        }
        // It fails, but is not banned.
        reporter.log("mail.log").append(&failure("198.51.100.10"));
    }
    // What the hub had when it was killed may not have been confirmed.
    until("the bans are spooled", || [&one, &two].iter().all(|env| waiting(env) >= 3));
    until("the reporter says that the hub is away", || one.get("/readyz").body.contains("cannot be reached"));
    let daemon = hub.start();
    until("all is reported", || waiting(&one) + waiting(&two) == 0);
    assert!(daemon.lists("198.51.100.8") && daemon.lists("198.51.100.9") && !daemon.lists("198.51.100.10"));
    assert_eq!((one.counted(), two.counted()), (10, 10));
    assert_eq!(hub.counted(), 20, "each failure counts once");
    assert_eq!(votes("198.51.100.10"), 0, "a failure is no vote");

    // As a backup from before the first report has it.
    assert!(running.terminate().success());
    one.database().execute("UPDATE spool_state SET last = 0", []).unwrap();
    let _one = one.start();
    attack(&one, "198.51.100.12");
    until("the spool has another name", || votes("198.51.100.12") == 1);

    hub.request("PATCH", "/api/v1/reporters/two", r#"{"cut_off":true}"#).json();
    assert!(!daemon.lists("198.51.100.7") && !daemon.lists("198.51.100.8"), "what it said is taken back");
    attack(&two, "198.51.100.11");
    until("it is told", || two.get("/readyz").body.contains("the reporter `two` is cut off"));
    assert_eq!((waiting(&two), votes("198.51.100.11")), (1, 0));
}
