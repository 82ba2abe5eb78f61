//! From the data sets of each zone, and what their files say of it, to zones that can be served.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Settings;
use super::files::{Contents, Data, Known};
use super::published::{access, published};
use crate::dataset::{Header, Soa};
use crate::list::List;
use crate::zone::{self, AccessLists, MOST_NAME_SERVERS, Name, Zone, Zones};

/// The times of an SOA record that no file gives: refresh, retry, expire, minimum.
const TIMES: [u32; 4] = [3600, 600, 604_800, 300];

/// The longest time in seconds, of 31 bits (RFC 2181, section 8).
const LONGEST: u32 = u32::MAX >> 1;

/// The zones of the settings, which answer from `data`.
pub(super) fn zones(settings: &Settings, data: &Data) -> Result<Zones> {
    let mut origins: Vec<&Name> = Vec::new();
    for origin in settings.sets.iter().filter_map(|set| set.origin.as_ref()) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    let parts: Vec<Vec<&Known>> = origins.iter().map(|origin| data.of(Some(origin))).collect();
    let AccessLists { clients, keys } = access(&of_all(data)?);
    let keys = AccessLists { keys, ..AccessLists::default() };
    let zones = origins.iter().zip(&parts).map(|(origin, parts)| {
        let zone = zone(origin, parts, settings)?;
        Ok(zone.with_access(keys.clone()).with_access(access(parts)))
    });
    let zones = Zones::new(zones.collect::<Result<_>>()?)?;
    let list = |parts: &Vec<&Known>| {
        let mut list = List::new(&[]);
        list.set_serial(serial(parts));
        list
    };
    zones.lists().publish(&parts.iter().map(list).collect::<Vec<_>>());
    let sets = |parts: &Vec<&Known>| parts.iter().filter_map(|known| published(known)).collect();
    zones.lists().publish_sets(&parts.iter().map(sets).collect::<Vec<_>>());
    Ok(zones.with_acl(clients))
}

/// The data sets that are for all zones.
fn of_all(data: &Data) -> Result<Vec<&Known>> {
    let of_all = data.of(None);
    match of_all.iter().map(|known| &known.set.list.settings).find(|settings| !settings.is_for_askers()) {
        Some(other) => {
            bail!("only an acl or aclkey can be without a zone, not a data set of type {}", other.kind)
        }
        None => Ok(of_all),
    }
}

/// The first thing that the files of a zone say.
fn first<'a, T>(parts: &[&'a Known], said: impl Fn(&'a Header) -> Option<T>) -> Option<T> {
    parts.iter().filter_map(|known| known.last()).find_map(|last| said(&last.header))
}

/// That of the SOA record, or when the newest file was written.
fn serial(parts: &[&Known]) -> u32 {
    let given = first(parts, |header| header.soa.as_ref()).map_or(0, |soa| soa.serial);
    let written = parts.iter().filter_map(|known| known.last()).map(Contents::written);
    let seconds = written.max().map_or(0, |newest| newest.as_secs());
    // A serial is a number of 32 bits that goes round (RFC 1982).
    if given == 0 { (seconds & u64::from(u32::MAX)) as u32 } else { given }
}

fn zone(origin: &Name, parts: &[&Known], settings: &Settings) -> Result<Zone> {
    let soa = first(parts, |header| header.soa.clone()).unwrap_or_else(|| without_soa(origin));
    let (ns_ttl, names) =
        first(parts, |header| header.name_servers.clone()).unwrap_or_else(|| (0, vec![soa.primary.clone()]));
    let ttl = |ttl| if ttl == 0 { settings.ttl } else { span(settings.options.bounded(ttl)) };
    let named = |name: &str| name.parse::<Name>().with_context(|| format!("$SOA of the zone {origin}"));
    Ok(Zone::new(zone::Settings {
        origin: origin.clone(),
        primary: named(&soa.primary)?,
        name_servers: name_servers(origin, &names)?,
        ns_ttl: ttl(ns_ttl),
        contact: named(&soa.contact)?,
        ttl: settings.ttl,
        soa_ttl: ttl(soa.ttl),
        refresh: span(soa.refresh),
        retry: span(soa.retry),
        expire: span(soa.expire),
        negative_ttl: span(soa.minimum),
        publish: Vec::new(),
        data_sets: parts.iter().map(|known| known.set.list.clone()).collect(),
        admission: zone::Admission::default(),
        file: format!("the data files of {origin}").into(),
    })?)
}

/// The names of `$NS`, each once.
fn name_servers(origin: &Name, names: &[String]) -> Result<Vec<Name>> {
    let mut servers: Vec<Name> = Vec::new();
    for name in names {
        let name = name.parse().with_context(|| format!("$NS of the zone {origin}"))?;
        if !servers.contains(&name) && servers.len() < MOST_NAME_SERVERS {
            servers.push(name);
        }
    }
    Ok(servers)
}

/// Every zone has an SOA record (RFC 1034, section 4.2.1), also where no file gives one.
fn without_soa(origin: &Name) -> Soa {
    let [refresh, retry, expire, minimum] = TIMES;
    let (primary, contact) = (origin.to_string(), format!("hostmaster.{origin}"));
    Soa { ttl: 0, primary, contact, serial: 0, refresh, retry, expire, minimum }
}

/// No time of a zone is 0, and none too long for a record.
fn span(seconds: u32) -> Duration {
    Duration::from_secs(seconds.clamp(1, LONGEST).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::dataset::{self, Options, Source};

    fn header(line: &str) -> Header {
        let source = Source { name: "list", bytes: line.as_bytes() };
        dataset::load("ip4set", &[source], &Options::default(), Timestamp::default()).unwrap().header
    }

    #[test]
    fn every_name_that_files_can_have_is_one_of_a_zone() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", &label[..61]);
        let long = [format!("{label}.x"), format!("a{label}.x"), longest.clone(), format!("a{longest}")];
        let short = [
            "ns.x.",
            "NS.X",
            "_n-s.x",
            "x",
            ".",
            "@",
            "ns..x.",
            ".ns.x",
            "ns.x..",
            "n*.x",
            r"h\.m.x.",
            "b\u{e4}.x",
        ];
        for name in short.into_iter().chain(long.iter().map(String::as_str)) {
            let is_name = name.parse::<Name>().is_ok();
            let soa = header(&format!("$SOA 0 {name} {name} 1 1 1 1 1\n")).soa;
            let servers = header(&format!("$NS 1 {name}\n")).name_servers;
            assert_eq!((soa.is_some(), servers.is_some()), (is_name, is_name), "{name}");
        }
    }
}
