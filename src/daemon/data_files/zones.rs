//! From the data sets of each zone, and what their files say of it, to zones that can be served.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::files::{Content, Data, Known};
use super::{Set, Settings};
use crate::dataset::{Acl, Header, Soa};
use crate::list::{List, Sets};
use crate::zone::{self, MOST_NAME_SERVERS, Name, Zone, Zones};

/// The times of an SOA record that no file gives: refresh, retry, expire, minimum.
const TIMES: [u32; 4] = [3600, 600, 604_800, 300];

/// The zones of the settings, which answer from `data`.
pub(super) fn zones(settings: &Settings, data: &Data) -> Result<Zones> {
    let mut origins: Vec<&Name> = Vec::new();
    for origin in settings.sets.iter().filter_map(|set| set.origin.as_ref()) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    let parts: Vec<Vec<&Known>> = origins.iter().map(|origin| parts(settings, data, Some(origin))).collect();
    let zones = origins.iter().zip(&parts).map(|(origin, parts)| zone(origin, parts, settings));
    let zones = Zones::new(zones.collect::<Result<_>>()?)?;
    for (index, parts) in parts.iter().enumerate() {
        let mut list = List::new(&[]);
        list.set_serial(serial(parts));
        zones.lists().publish(index, list);
        zones.lists().publish_sets(index, sets(parts));
    }
    Ok(zones.with_acl(clients(&parts_of_all(settings, data)?)))
}

/// The data sets of a zone.
fn parts<'a>(settings: &'a Settings, data: &'a Data, origin: Option<&Name>) -> Vec<&'a Known> {
    let of_zone = data.sets(settings).filter(|(set, _)| set.origin.as_ref() == origin);
    of_zone.map(|(_, known)| known).collect()
}

/// Those that are for all zones.
fn parts_of_all<'a>(settings: &'a Settings, data: &'a Data) -> Result<Vec<&'a Known>> {
    let of_all = |(set, _): &(&Set, &Known)| set.origin.is_none();
    if let Some((set, _)) = data.sets(settings).filter(of_all).find(|(_, known)| known.clients().is_none()) {
        bail!("only a data set of type acl can be without a zone, not one of type {}", set.kind);
    }
    Ok(parts(settings, data, None))
}

impl Known {
    fn clients(&self) -> Option<&Arc<Acl>> {
        match &self.content {
            Content::Clients(acl) => Some(acl),
            Content::Set(_) => None,
        }
    }
}

fn clients(parts: &[&Known]) -> Option<Arc<Acl>> {
    parts.iter().find_map(|known| known.clients()).cloned()
}

fn sets(parts: &[&Known]) -> Sets {
    let set = |known: &&Known| match &known.content {
        Content::Set(set) => Some(Arc::clone(set)),
        Content::Clients(_) => None,
    };
    parts.iter().filter_map(set).collect()
}

/// The first thing that the files of a zone say.
fn first<'a, T>(parts: &[&'a Known], read: impl Fn(&'a Header) -> Option<T>) -> Option<T> {
    parts.iter().find_map(|known| read(&known.header))
}

/// That of the SOA record, or when the newest file was written.
fn serial(parts: &[&Known]) -> u32 {
    let given = first(parts, |header| header.soa.as_ref()).map_or(0, |soa| soa.serial);
    let newest = parts.iter().filter_map(|known| known.written()).max();
    let seconds =
        newest.and_then(|written| written.duration_since(UNIX_EPOCH).ok()).map_or(0, |age| age.as_secs());
    // A serial is a number of 32 bits that goes round (RFC 1982).
    if given == 0 { (seconds & u64::from(u32::MAX)) as u32 } else { given }
}

fn zone(origin: &Name, parts: &[&Known], settings: &Settings) -> Result<Zone> {
    let soa = first(parts, |header| header.soa.clone()).unwrap_or_else(|| without_soa(origin));
    let (ns_ttl, names) =
        first(parts, |header| header.name_servers.clone()).unwrap_or_else(|| (0, vec![soa.primary.clone()]));
    let ttl = |ttl| if ttl == 0 { settings.ttl } else { span(settings.options.bounded(ttl)) };
    let named = |name: &str| name.parse::<Name>().with_context(|| format!("$SOA of the zone {origin}"));
    let zone = Zone::new(zone::Settings {
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
        has_data_sets: true,
        file: format!("the data files of {origin}").into(),
    })?;
    Ok(zone.with_acl(clients(parts)))
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

/// No time of a zone is 0.
fn span(seconds: u32) -> Duration {
    Duration::from_secs(seconds.max(1).into())
}
