//! Reports into a hub: `cargo bench --bench reports`.
//!
//! Starts `banzone serve` with a jail of reports, and sends it batches of rows of a million addresses by 200 organisations over
//! the control socket, from four connections at a time; a batch is confirmed when it is durable and published. It is told
//! how many rows a second that makes when nothing of it is listed, when the votes are renewed, when everything that a
//! second organisation reports is listed, and when every row lists another address. `BANZONE_BENCH_ROWS` says how many rows each
//! time, 1 000 000 if absent; of those that list an address each there are no more than 200 000.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use banzone::clock::{Clock, Timestamp};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use asking::Result;
use hub::{BATCH, Batch, CONNECTIONS, Hub};

#[allow(dead_code, reason = "shared with benches that ask the DNS")]
mod asking;
#[allow(dead_code, reason = "shared with the bench of the pages")]
mod hub;
#[allow(dead_code, reason = "shared with the bench of a large list")]
mod process;

const ADDRESSES: u32 = 1_000_000;
const ORGANISATIONS: u32 = 200;
const ROWS: usize = 1_000_000;
/// Addresses that are listed by the first row about them.
const LISTED: usize = 200_000;

fn main() -> Result<()> {
    let rows = std::env::var("BANZONE_BENCH_ROWS").map_or(Ok(ROWS), |rows| rows.parse())?;
    println!("rows of reports a second, {rows} rows in batches of {BATCH}, {CONNECTIONS} at a time");
    println!("                             rows/s   CPU s    MB   database MiB");
    let hub = Hub::start(1000.0, "")?;
    let now = Clock::System.now();
    hub.measure("new votes", &batches(rows, 1, now - Duration::from_secs(3600)))?;
    hub.measure("renewed votes", &batches(rows, 1, now - Duration::from_secs(1800)))?;
    hub.measure("again, compressed", &compressed(batches(rows, 1, now))?)?;
    drop(hub);
    let hub = Hub::start(1.5, "")?;
    hub.measure("votes of which many list", &batches(rows, 2, now))?;
    drop(hub);
    let hub = Hub::start(0.5, "")?;
    hub.measure("votes that all list", &listing_batches(rows.min(LISTED), now))?;
    Ok(())
}

/// About random addresses.
fn batches(rows: usize, seed: u64, time: Timestamp) -> Vec<Batch> {
    let mut random = SmallRng::seed_from_u64(seed);
    let numbers: Vec<u32> = (0..rows).map(|_| random.random_range(0..ADDRESSES)).collect();
    of_addresses(&numbers, &mut random, time)
}

/// About each address once, in no order.
fn listing_batches(rows: usize, time: Timestamp) -> Vec<Batch> {
    let mut random = SmallRng::seed_from_u64(3);
    let mut numbers: Vec<u32> = (0..ADDRESSES).collect();
    numbers.shuffle(&mut random);
    of_addresses(&numbers[..rows], &mut random, time)
}

fn of_addresses(numbers: &[u32], random: &mut SmallRng, time: Timestamp) -> Vec<Batch> {
    let batch = |(organisation, numbers): (u32, &[u32])| {
        let mut body = String::new();
        for number in numbers {
            let address = Ipv4Addr::from_bits(0x2000_0000 + number * 7);
            let failures = random.random_range(1..9);
            let _ = writeln!(
                body,
                r#"{{"ip":"{address}","time":"{time}","category":"postfix-sasl","failures":{failures},"kind":"ban"}}"#
            );
        }
        Batch { organisation, headers: "", body: body.into_bytes() }
    };
    (0..ORGANISATIONS).cycle().zip(numbers.chunks(BATCH)).map(batch).collect()
}

fn compressed(batches: Vec<Batch>) -> Result<Vec<Batch>> {
    let compress = |batch: Batch| {
        let body = zstd::encode_all(&batch.body[..], 3)?;
        Ok(Batch { headers: "Content-Encoding: zstd\r\n", body, ..batch })
    };
    batches.into_iter().map(compress).collect()
}
