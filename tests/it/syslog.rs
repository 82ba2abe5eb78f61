//! The syslog listener under a daemon that is killed again and again: whatever it received is counted once, and what is in
//! a message stays in its line.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::env::{Env, PUBLISH, until};

/// How often the daemon is killed.
const KILLS: usize = 30;

const SEED: u64 = 20_261_128;

/// A configuration with a jail on `logpath`, and a port that was free a moment ago.
fn env(logpath: &str, policy: &str) -> (Env, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let env = Env::new("");
    let path =
        logpath.replace("PORT", &port.to_string()).replace("RUN", &env.path("run").display().to_string());
    env.configure(&format!("[jail.postfix-sasl]\nlogpath = '{path}'\nbantime = '1w'\n{policy}\n{PUBLISH}"));
    (env, port)
}

fn failure(address: &str) -> String {
    let text = format!("warning: unknown[{address}]: SASL LOGIN authentication failed: x");
    format!("<22>Nov 22 08:04:12 mail postfix/smtpd[711]: {text}")
}

#[test]
fn every_message_received_counts_once_whenever_it_is_killed() {
    let (env, port) = env("syslog:tcp://127.0.0.1:PORT", "findtime = '1d'\nmaxretry = 1000000");
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut sent = 0;
    for _ in 0..KILLS {
        let daemon = env.start();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let count = random.random_range(1..400);
        let message = failure("198.51.100.7");
        for number in 0..count {
            let text = match number % 2 {
                0 => format!("{message}\n"),
                _ => format!("{} {message}", message.len()),
            };
            stream.write_all(text.as_bytes()).unwrap();
        }
        sent += count;
        // What was not yet received is lost when it is killed: so it is looked at what is in the spool.
        until("everything is received", || received(&env) == sent);
        thread::sleep(Duration::from_micros(random.random_range(0..3000)));
        daemon.kill();
        assert!(env.counted() <= sent);
    }
    let daemon = env.start();
    until("everything is counted", || env.counted() == sent);
    assert!(daemon.terminate().success());
    assert_eq!(env.counted(), sent);
}

/// How many lines there are in the spool.
fn received(env: &Env) -> u64 {
    let folder = std::fs::read_dir(env.path("lib/spool")).unwrap().next().unwrap().unwrap().path();
    std::fs::read_to_string(folder.join("received.log")).unwrap().lines().count() as u64
}

#[test]
fn datagrams_become_bans_and_forge_none() {
    let (env, port) = env("syslog:udp://127.0.0.1:PORT", "maxretry = 3");
    let daemon = env.start();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |message: &str| sender.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
    let forged = format!("<22>1 - mail other 5 - - x\n{0}\r\0{0}", &failure("198.51.100.9")[4..]);
    for _ in 0..3 {
        send(&forged);
        send(&failure("198.51.100.7"));
    }
    until("the ban is answered", || daemon.lists("198.51.100.7"));
    assert!(!daemon.lists("198.51.100.9"));
    let metrics = env.get("/metrics").body;
    assert!(metrics.contains("banzone_log_dropped_total"), "{metrics}");
    assert!(daemon.terminate().success());
}

#[test]
fn programs_on_this_host_log_to_a_socket() {
    let (env, _) = env("syslog:unix://RUN/log", "maxretry = 1");
    for address in ["198.51.100.7", "198.51.100.8"] {
        let daemon = env.start();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(failure(address).as_bytes(), env.path("run/log")).unwrap();
        until("the ban is answered", || daemon.lists(address));
        daemon.kill();
    }
}
