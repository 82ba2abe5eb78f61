//! What the benchmarks of bans share: addresses and networks, a database in which they are banned, and a data file of as many.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use banzone::clock::{Clock, Timestamp};
use banzone::store::{Settings, Store};
use nix::unistd::Uid;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rusqlite::{Connection, params};

use super::asking::{HEADER, Result};

const SEED: u64 = 1;

/// Indexes are made when all rows are there, which takes less time than with each.
const INDEXES: &str =
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'bans' AND sql IS NOT NULL";

/// First address and length, in order: nine of ten are hosts; all stand in networks of 16 bits that have many.
pub fn entries(count: usize) -> Vec<(u32, u8)> {
    let mut random = SmallRng::seed_from_u64(SEED);
    let highs: Vec<u32> = (0..30_000).map(|_| random.random_range(0x0b00..0x6400)).collect();
    let mut entries = HashSet::with_capacity(count);
    while entries.len() < count {
        let address =
            highs.choose(&mut random).expect("there are some") << 16 | random.random_range(0..1 << 16);
        let length = if entries.len() < count / 10 * 9 { 32 } else { random.random_range(24..32) };
        entries.insert((address >> (32 - length) << (32 - length), length as u8));
    }
    let mut entries: Vec<(u32, u8)> = entries.into_iter().collect();
    entries.sort_unstable();
    entries
}

/// A data file of rbldnsd's with these entries.
pub fn write_list(entries: &[(u32, u8)], path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(HEADER.as_bytes())?;
    for (address, length) in entries {
        writeln!(file, "{}/{length}", Ipv4Addr::from(*address))?;
    }
    Ok(file.flush()?)
}

/// Bans of four jails that began during the last day and end within the next hundred, in no order.
pub fn write_database(entries: &[(u32, u8)], path: &Path) -> Result<()> {
    let now = Clock::System.now();
    let day = Duration::from_secs(86_400);
    let settings = Settings { path: path.to_owned(), evidence_retention: day, history_retention: day };
    drop(Store::open(&settings, now)?);
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000")?;
    let indexes: Vec<(String, String)> = connection
        .prepare(INDEXES)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<std::result::Result<_, _>>()?;
    let transaction = connection.transaction()?;
    for (name, _) in &indexes {
        transaction.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    for jail in 1..=4 {
        transaction
            .execute("INSERT INTO jails (id, name) VALUES (?1, ?2)", params![jail, format!("jail-{jail}")])?;
    }
    insert_bans(&transaction, entries, now)?;
    for (_, sql) in &indexes {
        transaction.execute_batch(sql)?;
    }
    transaction.commit()?;
    for file in ["", ".lock", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(file);
        let _ = fs::set_permissions(name, Permissions::from_mode(0o666));
    }
    Ok(())
}

fn insert_bans(connection: &Connection, entries: &[(u32, u8)], now: Timestamp) -> Result<()> {
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut insert = connection.prepare(
        "INSERT INTO bans (jail, address, length, since, until, origin, failures, count)
         VALUES (?1, ?2, ?3, ?4, ?5, '{\"kind\":\"log\"}', 5, 1)",
    )?;
    let mut order: Vec<usize> = (0..entries.len()).collect();
    rand::seq::SliceRandom::shuffle(&mut order[..], &mut random);
    for place in order {
        let (address, length) = entries[place];
        let address = Ipv4Addr::from(address).to_ipv6_mapped().octets();
        let since = now - Duration::from_millis(random.random_range(0..86_400_000));
        let until = now + Duration::from_millis(random.random_range(86_400_000..8_640_000_000));
        insert.execute(params![random.random_range(1..=4), address, length + 96, since, until])?;
    }
    Ok(())
}

/// Has the daemon answer from that database at `address`.
pub fn config(address: SocketAddr) -> String {
    let user = if Uid::effective().is_root() { "user = 'nobody'" } else { "" };
    format!(
        r#"
[store]
path = "banzone.db"
[control]
socket = "control.sock"
[dns]
listen = ["{address}"]
threads = 1
[daemon]
{user}
[log]
level = "warn"
[jail.jail-1]
filter = "sshd"
logpath = ["none.log"]
[[zone]]
origin = "bl.example."
ns = ["ns.example."]
[[zone.publish]]
jails = ["*"]
code = "127.0.0.2"
text = "$ip"
"#
    )
}
