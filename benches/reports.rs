//! Reports into a hub: `cargo bench --bench reports`.
//!
//! Starts `banzone serve` with a jail of reports, and sends it batches of rows of a million addresses by 200 organisations over
//! the control socket, from four connections at a time; a batch is confirmed when it is durable and published. It is told
//! how many rows a second that makes when nothing of it is listed, when the votes are renewed, and when everything that a
//! second organisation reports is listed. `BANZONE_BENCH_ROWS` says how many rows each time, 1 000 000 if absent.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use banzone::clock::{Clock, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use asking::Result;
use hub::{BATCH, Batch, CONNECTIONS, Hub};

#[allow(dead_code, reason = "shared with benches that ask the DNS")]
mod asking;
#[allow(dead_code, reason = "shared with the bench of the pages")]
mod hub;

const ADDRESSES: u32 = 1_000_000;
const ORGANISATIONS: u32 = 200;
const ROWS: usize = 1_000_000;

fn main() -> Result<()> {
    let rows = std::env::var("BANZONE_BENCH_ROWS").map_or(Ok(ROWS), |rows| rows.parse())?;
    println!("rows of reports a second, {rows} rows in batches of {BATCH}, {CONNECTIONS} at a time");
    println!("                         rows/s   CPU s    MB   database MiB");
    let hub = Hub::start(1000.0, "")?;
    let now = Clock::System.now();
    hub.measure("new votes", &batches(rows, 1, now - Duration::from_secs(3600)))?;
    hub.measure("renewed votes", &batches(rows, 1, now - Duration::from_secs(1800)))?;
    hub.measure("again, compressed", &compressed(batches(rows, 1, now))?)?;
    drop(hub);
    let hub = Hub::start(1.5, "")?;
    hub.measure("votes that list", &batches(rows, 2, now))?;
    Ok(())
}

fn batches(rows: usize, seed: u64, time: Timestamp) -> Vec<Batch> {
    let mut random = SmallRng::seed_from_u64(seed);
    let batch = |number: usize| {
        let mut body = String::new();
        for _ in 0..BATCH.min(rows - number * BATCH) {
            let address = Ipv4Addr::from_bits(0x2000_0000 + random.random_range(0..ADDRESSES) * 7);
            let failures = random.random_range(1..9);
            let _ = writeln!(
                body,
                r#"{{"ip":"{address}","time":"{time}","category":"postfix-sasl","failures":{failures},"kind":"ban"}}"#
            );
        }
        Batch { organisation: number as u32 % ORGANISATIONS, headers: "", body: body.into_bytes() }
    };
    (0..rows.div_ceil(BATCH)).map(batch).collect()
}

fn compressed(batches: Vec<Batch>) -> Result<Vec<Batch>> {
    let compress = |batch: Batch| {
        let body = zstd::encode_all(&batch.body[..], 3)?;
        Ok(Batch { headers: "Content-Encoding: zstd\r\n", body, ..batch })
    };
    batches.into_iter().map(compress).collect()
}
