//! Zones as typed become the zones' settings, and are checked against each other and the jails.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::error::{At, Place, Report, did_you_mean_or};
use super::{dataset, file};
use crate::list::EVERY_OTHER_JAIL;
use crate::zone::{self, Name, Problem, Publish, Settings, Zone, Zones};

const TTL: Duration = Duration::from_secs(5 * 60);
const SOA_TTL: Duration = Duration::from_secs(3600);
const REFRESH: Duration = Duration::from_secs(5 * 60);
const RETRY: Duration = Duration::from_secs(60);
const EXPIRE: Duration = Duration::from_secs(7 * 86_400);
/// How long a resolver may still say "not listed" after a ban.
const NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// RFC 5782, section 2.1.
const CODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const TEXT: &str = "$ip is banned by $jail until $until";

/// The settings of all zones, each found to be one that can be served, alone and beside the others.
pub(super) fn settings_of_all(written: &[file::Zone], report: &Report) -> Vec<Settings> {
    let mut served = Vec::new();
    for (zone, origin) in written.iter().filter_map(|zone| Some((zone, zone.origin.as_ref()?))) {
        // What was taken down already would only be found again.
        if !zone.is_read {
            continue;
        }
        match Zone::new(settings(zone, &origin.value, report)) {
            Ok(zone) => served.push((zone, &origin.place)),
            Err(error) => add_of_zone(report, zone, &origin.place, &error),
        }
    }
    let settings = served.iter().map(|(zone, _)| zone.settings().clone()).collect();
    check_together(served, report);
    settings
}

/// Takes down every zone that stands in the way of another, and goes on without it.
fn check_together(mut served: Vec<(Zone, &Place)>, report: &Report) {
    while let Err(error) = Zones::new(served.iter().map(|(zone, _)| zone.clone()).collect()) {
        let Some(index) = served.iter().rposition(|(zone, _)| *zone.origin() == error.zone) else {
            return;
        };
        let (_, place) = served.remove(index);
        add(report, place, &error);
    }
}

/// Takes down an error where it stands: at the second of two keys, or where the zone begins.
fn add_of_zone(report: &Report, zone: &file::Zone, origin: &Place, error: &zone::Error) {
    let twins = match &error.problem {
        Problem::KeyNameTwice(name) => zone.askers.twins(name, name),
        Problem::KeyTwice { name, other } => zone.askers.twins(other, name),
        _ => None,
    };
    match twins {
        Some((first, second)) => {
            report.add(second, format!("zone `{}`: {}; the first is {first}", error.zone, error.problem));
        }
        None => add(report, origin, error),
    }
}

fn add(report: &Report, place: &Place, error: &zone::Error) {
    report.add(place, format!("zone `{}`: {}", error.zone, error.problem));
}

/// Checks that every published jail exists.
pub(super) fn check_jails(zones: &[file::Zone], known: &BTreeSet<&str>, report: &Report) {
    let rules = zones.iter().flat_map(|zone| &zone.publish);
    for At { value, place } in rules.flat_map(|rule| &rule.jails) {
        if value != EVERY_OTHER_JAIL && !known.contains(value.as_str()) {
            let hint = did_you_mean_or(value, known.iter().copied(), "the jails");
            report.add(place, format!("jails: there is no jail `{value}`{hint}"));
        }
    }
}

fn settings(zone: &file::Zone, origin: &Name, report: &Report) -> Settings {
    // A name so long that nothing fits before it stands for itself.
    let default = || format!("hostmaster.{origin}").parse().unwrap_or_else(|_| origin.clone());
    let contact = zone.contact.clone().unwrap_or_else(default);
    let soa_ttl = zone.soa_ttl.unwrap_or(SOA_TTL);
    Settings {
        primary: zone.name_servers.first().unwrap_or(origin).clone(),
        name_servers: zone.name_servers.clone(),
        ns_ttl: soa_ttl,
        contact,
        ttl: zone.ttl.unwrap_or(TTL),
        soa_ttl,
        refresh: zone.refresh.unwrap_or(REFRESH),
        retry: zone.retry.unwrap_or(RETRY),
        expire: zone.expire.unwrap_or(EXPIRE),
        negative_ttl: zone.negative_ttl.unwrap_or(NEGATIVE_TTL),
        publish: zone.publish.iter().map(publish).collect(),
        data_sets: dataset::lists(&zone.data_sets, report),
        admission: zone.askers.settings(),
        file: zone.place.file.to_path_buf(),
        origin: origin.clone(),
    }
}

fn publish(written: &file::Publish) -> Publish {
    let default = || TEXT.parse().expect("the default text is a template");
    Publish {
        jails: written.jails.iter().map(|jail| jail.value.as_str().into()).collect(),
        code: written.code.unwrap_or(CODE),
        text: written.text.clone().unwrap_or_else(default),
        sublist: written.name.clone(),
    }
}
