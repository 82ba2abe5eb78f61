//! From data sets as they were read to what zones answer from.

use std::sync::Arc;

use super::Set;
use super::files::{Data, Known, Parsed};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::dataset::{ACL, ACLKEY, Acl, DataSet, KeyAcl, test_points};
use crate::dns::Service;
use crate::http::DataSetView;
use crate::list::PublishedSet;
use crate::zone::{self, AccessLists, Secret, Secrets, Server, Zone, Zones};

/// The data sets of a configuration.
pub(in crate::daemon) fn sets(config: &Config) -> impl Iterator<Item = Set> {
    config.zones.iter().flat_map(|zone| {
        let set = |list: &zone::StaticList| Set { origin: Some(zone.origin.clone()), list: list.clone() };
        zone.data_sets.iter().map(set)
    })
}

/// The zones of a configuration, which answer from `data`; their lists are still empty.
pub(in crate::daemon) fn zones(config: &Config, data: &Data) -> Result<Zones, zone::Error> {
    let zones = config.zones.iter().cloned().map(|settings| {
        let zone = Zone::new(settings)?;
        let access = access(&data.of(Some(zone.origin())));
        Ok(zone.with_access(access))
    });
    let zones = Zones::new(zones.collect::<Result<_, _>>()?)?;
    publish(&zones, data);
    Ok(zones.with_server(server(config)))
}

/// What holds for all zones, with secrets for cookies if the configuration has none.
fn server(config: &Config) -> Server {
    let mut server = config.server.clone();
    let random = || Arc::new(std::array::from_fn(|_| Secret::new(rand::random())));
    server.cookies.get_or_insert_with(|| Secrets::Random(random()));
    server.idle_timeout = Some(config.dns.limits.idle_timeout);
    server
}

/// Has the service answer from `data` from now on.
pub(in crate::daemon) fn serve(service: &Service, data: &Data) {
    let zones = service.zones();
    publish(&zones, data);
    if data.all().iter().any(|known| known.set.list.settings.is_for_askers()) {
        service.replace(Arc::new(zones.with_access(|zone| access(&data.of(Some(zone.origin()))))));
    }
}

/// Puts the data sets into their zones, with their test points.
fn publish(zones: &Zones, data: &Data) {
    let sets = |zone: &Zone| {
        let parts = data.of(Some(zone.origin()));
        let sets = parts.iter().flat_map(|known| {
            let sublist = known.set.list.sublist.as_ref().and_then(|name| zone.sublist(name));
            [published(known), points(known)]
                .into_iter()
                .flatten()
                .map(move |one| PublishedSet { sublist, ..one })
        });
        sets.collect()
    };
    zones.lists().publish_sets(&zones.zones().iter().map(sets).collect::<Vec<_>>());
}

/// A data set that lists something and could be read.
pub(super) fn published(known: &Known) -> Option<PublishedSet> {
    let last = known.last()?;
    let Parsed::Set(set) = &last.parsed else { return None };
    Some(PublishedSet { expires: last.expires(), ..of(known, Arc::clone(set)) })
}

/// Its test points, which are there even if it could not be read.
fn points(known: &Known) -> Option<PublishedSet> {
    let settings = &known.set.list.settings;
    let points = test_points(&settings.kind, &settings.options)?;
    Some(PublishedSet { is_test: true, ..of(known, points) })
}

fn of(known: &Known, set: Arc<dyn DataSet>) -> PublishedSet {
    PublishedSet {
        set,
        title: known.set.list.settings.title().into(),
        sublist: None,
        expires: None,
        is_test: false,
        allow_reserved: known.set.list.allow_reserved.clone(),
    }
}

/// Who may ask.
pub(super) fn access(parts: &[&Known]) -> AccessLists {
    let parsed = |kind: &str| {
        let list = parts.iter().find(|known| known.set.list.settings.kind == kind)?;
        Some(list.last().map(|last| &last.parsed))
    };
    AccessLists {
        clients: parsed(ACL).map(|parsed| match parsed {
            Some(Parsed::Clients(acl)) => Arc::clone(acl),
            _ => Arc::new(Acl::refusing_all()),
        }),
        keys: parsed(ACLKEY).map(|parsed| match parsed {
            Some(Parsed::Keys(keys)) => Arc::clone(keys),
            _ => Arc::new(KeyAcl::refusing_all()),
        }),
    }
}

/// What can be seen of `data` from outside.
pub(in crate::daemon) fn views(data: &Data, now: Timestamp) -> Vec<DataSetView> {
    let view = |known: &Known| DataSetView {
        zone: known.set.origin.as_ref().map(ToString::to_string).unwrap_or_default(),
        title: known.set.list.settings.title(),
        entries: known.entries(),
        loaded: known.loaded(),
        failures: known.failures,
        problem: known.problem(now),
    };
    data.all().iter().map(view).collect()
}
