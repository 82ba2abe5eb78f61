//! A hub after a busy week: `cargo bench --bench service`.
//!
//! Starts `banzone serve` with a jail of reports, and sends it 10 million failures of a million addresses by 200 organisations,
//! in batches over the control socket, a tenth of them with a vote. Then it asks for the pages that people look at, over one
//! connection each, and tells how long the answers take and how large the database is. `BANZONE_BENCH_ROWS` says how many
//! failures, 10 000 000 if absent.

use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use banzone::clock::Clock;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use asking::{Result, free_address};
use hub::{BATCH, Batch, Hub, answer};

#[allow(dead_code, reason = "shared with benches that ask the DNS")]
mod asking;
#[allow(dead_code, reason = "shared with the bench of reports")]
mod hub;
#[allow(dead_code, reason = "shared with the bench of a large list")]
mod process;

const ADDRESSES: u32 = 1_000_000;
const ORGANISATIONS: u32 = 200;
const ROWS: usize = 10_000_000;
/// So many batches are made at a time, to be sent together.
const STEP: usize = 100;
/// The failures are of this time.
const WEEK: u64 = 6 * 86_400;
/// How often each page is asked for.
const TIMES: usize = 300;

fn main() -> Result<()> {
    let rows = std::env::var("BANZONE_BENCH_ROWS").map_or(Ok(ROWS), |rows| rows.parse())?;
    let listen = free_address()?.to_string();
    let hub = Hub::start(3.0, &format!("[http]\nlisten = \"{listen}\"\n"))?;
    println!("{rows} failures of {ADDRESSES} addresses by {ORGANISATIONS} organisations");
    println!("                             rows/s   CPU s    MB   database MiB");
    let mut random = SmallRng::seed_from_u64(1);
    for first in (0..rows.div_ceil(BATCH)).step_by(STEP) {
        let last = (first + STEP).min(rows.div_ceil(BATCH));
        let batches: Vec<_> = (first..last).map(|number| batch(number, &mut random)).collect();
        let accepted = hub.measure(&format!("up to {}", last * BATCH), &batches)?;
        // The same address may be reported twice for one moment by one organisation.
        if accepted < batches.len() * BATCH * 99 / 100 {
            return Err(format!("only {accepted} rows were accepted").into());
        }
    }
    let bytes = hub.database()? as f64;
    println!(
        "database: {:.1} bytes a failure, {:.0} bytes an address",
        bytes / rows as f64,
        bytes / f64::from(ADDRESSES)
    );
    let token = hub.token()?;
    println!("milliseconds for a page     median     99 %     most");
    let of = address;
    let address = |random: &mut SmallRng| format!("/ip/{}", of(random));
    for (what, path) in [
        ("overview, today", "/?period=day"),
        ("overview, 7 days", "/?period=week"),
        ("overview, 30 days", "/?period=month"),
        ("bans", "/bans"),
        ("networks", "/networks"),
    ] {
        ask(&listen, &token, what, |_| path.to_owned(), &mut random)?;
    }
    ask(&listen, &token, "an address", address, &mut random)
}

fn address(random: &mut SmallRng) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x2000_0000 + random.random_range(0..ADDRESSES) * 7)
}

fn batch(number: usize, random: &mut SmallRng) -> Batch {
    let (mut body, now) = (String::new(), Clock::System.now());
    for row in 0..BATCH {
        let (address, time) = (address(random), now - Duration::from_secs(random.random_range(0..WEEK)));
        let kind = if row % 10 == 0 { "ban" } else { "failures" };
        let _ = writeln!(
            body,
            r#"{{"ip":"{address}","time":"{time}","category":"postfix-sasl","failures":1,"kind":"{kind}"}}"#
        );
    }
    Batch { organisation: number as u32 % ORGANISATIONS, headers: "", body: body.into_bytes() }
}

/// Asks for paths one behind the other, and prints how long that takes.
fn ask(
    server: &str,
    token: &str,
    what: &str,
    path: impl Fn(&mut SmallRng) -> String,
    random: &mut SmallRng,
) -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(server)?);
    stream.get_ref().set_nodelay(true)?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begin = Instant::now();
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: hub\r\nAccept: text/html\r\nAuthorization: Bearer {token}\r\n\r\n",
            path(random)
        );
        stream.get_mut().write_all(head.as_bytes())?;
        answer(&mut stream)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(TIMES - 1) * share / 100];
    println!("{what:24} {:9.1} {:8.1} {:8.1}", at(50), at(99), at(100));
    Ok(())
}
