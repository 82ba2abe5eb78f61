//! The answers of the zones in service, with their counters; the zones can be replaced while queries come in.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::counters::Dropped;
use super::seen::{Counted, Seeing, Seen, Shards, TopAddresses, ZoneCounts};
use super::{Peer, Respond};
use crate::clock::Clock;
use crate::ip::Prefix;
use crate::zone::{Zone, Zones, answer};

/// Zones, a clock and counters: all that answering takes.
pub struct Service {
    clock: Clock,
    served: ArcSwap<Served>,
    seen: Seen,
}

/// The zones of one configuration, and the counters of each.
struct Served {
    zones: Arc<Zones>,
    counted: Vec<Arc<Shards<Counted>>>,
}

/// What was counted since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Of each zone, in the order of the configuration; the last is for questions that belong to no zone.
    pub zones: Vec<ZoneCounts>,
    /// Queries without a reply, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Answers of listings that could not be counted by listing, as there are too many.
    pub asked_without_room: u64,
    /// Queries that were to be logged and were not, for want of room in the queue or on the disk.
    pub log_lost: u64,
}

impl Service {
    /// Answers from `zones`, at the time of `clock`.
    pub fn new(zones: Arc<Zones>, clock: Clock) -> Self {
        let counted = zones.zones().iter().map(|_| Arc::default()).collect();
        let served = ArcSwap::from_pointee(Served { zones, counted });
        Self { clock, served, seen: Seen::default() }
    }

    /// Answers from `zones` from the next query on. A zone that was there before goes on counting.
    pub fn replace(&self, zones: Arc<Zones>) {
        let before = self.served.load();
        let counters_of = |zone: &Zone| {
            let origins = before.zones.zones().iter().map(Zone::origin);
            let mut known = origins.zip(&before.counted);
            let same = known.find(|(origin, _)| *origin == zone.origin());
            same.map_or_else(Arc::default, |(_, counted)| Arc::clone(counted))
        };
        let counted = zones.zones().iter().map(counters_of).collect();
        self.served.store(Arc::new(Served { zones, counted }));
    }

    /// The zones answered from at present.
    pub fn zones(&self) -> Arc<Zones> {
        Arc::clone(&self.served.load().zones)
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let served = self.served.load();
        let origins = served.zones.zones().iter().map(|zone| Some(zone.origin().to_string()));
        let zones = origins.zip(&served.counted).map(|(origin, counted)| counted.counts(origin));
        Counts {
            zones: zones.chain([self.seen.outside()]).collect(),
            dropped: self.seen.drops(),
            asked_without_room: self.seen.asked_without_room(),
            log_lost: self.seen.log_lost(),
        }
    }

    /// How many questions for codes were answered from the listing of `prefix` since the start, in all zones. Where several
    /// prefixes around an address are listed, the most specific one counts.
    pub fn asked(&self, prefix: Prefix) -> u64 {
        self.seen.asked(prefix)
    }

    /// Looks at what `seeing` says from now on. Addresses that are not to be counted are forgotten. The query log is opened anew
    /// each time, and what was to be written before is written when this returns; if it cannot be opened, the one before
    /// goes on.
    pub fn see(&self, seeing: &Seeing) -> io::Result<()> {
        self.seen.set(seeing)
    }

    /// The first `limit` of the clients who ask most, and of the listed addresses that are most asked for.
    pub fn top(&self, limit: usize) -> TopAddresses {
        self.seen.top(limit)
    }
}

impl Respond for Service {
    fn respond(&self, query: &[u8], peer: &Peer, reply: &mut Vec<u8>) {
        let served = self.served.load();
        let now = self.clock.now();
        let outcome = answer(&served.zones, query, peer, now, reply);
        self.seen.note(&served.counted, &outcome, query, peer, reply, now);
    }

    fn dropped(&self, reason: Dropped) {
        self.seen.dropped(reason);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::dns::Transport;
    use crate::zone::{Publish, Settings};

    fn zones(origins: &[&str]) -> Arc<Zones> {
        let zone = |origin: &&str| {
            Zone::new(Settings {
                origin: origin.parse().unwrap(),
                primary: "ns1.example.".parse().unwrap(),
                name_servers: vec!["ns1.example.".parse().unwrap()],
                ns_ttl: Duration::from_secs(300),
                contact: "hostmaster.example.".parse().unwrap(),
                ttl: Duration::from_secs(300),
                soa_ttl: Duration::from_secs(300),
                refresh: Duration::from_secs(3600),
                retry: Duration::from_secs(600),
                expire: Duration::from_secs(86_400),
                negative_ttl: Duration::from_secs(60),
                publish: vec![Publish {
                    jails: vec!["*".into()],
                    code: Ipv4Addr::new(127, 0, 0, 4),
                    text: "$ip".parse().unwrap(),
                    sublist: None,
                }],
                data_sets: Vec::new(),
                file: "zone.toml".into(),
            })
        };
        let zones = origins.iter().map(|origin| zone(origin).unwrap());
        Arc::new(Zones::new(zones.collect()).unwrap())
    }

    fn query(name: &str, qtype: u16) -> Vec<u8> {
        let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split_terminator('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend_from_slice(label.as_bytes());
        }
        query.push(0);
        query.extend_from_slice(&qtype.to_be_bytes());
        query.extend_from_slice(&[0, 1]);
        query
    }

    fn ask(service: &Service, query: &[u8]) -> Vec<u8> {
        let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Udp };
        let mut reply = Vec::new();
        service.respond(query, &peer, &mut reply);
        reply
    }

    /// The counted kinds of a zone as `type code listed count`.
    fn counted(service: &Service, zone: Option<&str>) -> Vec<String> {
        let counts = service.counts();
        let found = counts.zones.iter().find(|counts| counts.origin.as_deref() == zone);
        let kinds = found.map_or(&[][..], |counts| &counts.replies);
        let shown =
            kinds.iter().map(|kind| format!("{} {} {} {}", kind.qtype, kind.rcode, kind.listed, kind.count));
        shown.collect()
    }

    fn service(origins: &[&str]) -> Service {
        Service::new(zones(origins), Clock::at(Timestamp::from_secs(1_000_000)))
    }

    #[test]
    fn each_reply_is_counted_where_it_belongs() {
        let service = service(&["bl.example.", "other.example."]);
        for (name, qtype) in [
            ("2.0.0.127.bl.example.", 1),
            ("2.0.0.127.BL.example.", 1),
            ("2.0.0.127.bl.example.", 257),
            ("9.2.0.192.other.example.", 16),
            ("example.org.", 1),
        ] {
            assert!(!ask(&service, &query(name, qtype)).is_empty(), "{name}");
        }
        assert_eq!(counted(&service, Some("bl.example.")), ["A NOERROR true 2", "other NOERROR true 1"]);
        assert_eq!(counted(&service, Some("other.example.")), ["TXT NXDOMAIN false 1"]);
        assert_eq!(counted(&service, None), ["A REFUSED false 1"]);
    }

    #[test]
    fn codes_names_and_octets_are_counted() {
        let service = service(&["bl.example."]);
        let mut octets = (0, 0);
        for (name, qtype) in [
            ("4.0.0.127.bl.example.", 1),
            ("4.0.0.127.bl.example.", 1),
            // The text says no code.
            ("4.0.0.127.bl.example.", 16),
            ("9.2.0.192.bl.example.", 1),
            ("sender.example.bl.example.", 1),
            // A resolver that asks label by label.
            ("2.0.192.bl.example.", 1),
            ("bl.example.", 6),
        ] {
            let query = query(name, qtype);
            octets = (octets.0 + query.len() as u64, octets.1 + ask(&service, &query).len() as u64);
        }
        let counts = &service.counts().zones[0];
        assert_eq!(counts.codes, [(Some(Ipv4Addr::new(127, 0, 0, 4)), 2)]);
        assert_eq!((counts.names, (counts.received, counts.sent)), (1, octets));
    }

    #[test]
    fn a_listing_is_counted_once_for_code_and_text() {
        let service = service(&["bl.example.", "other.example."]);
        for (name, qtype) in [
            ("2.0.0.127.bl.example.", 1),
            ("2.0.0.127.bl.example.", 16),
            ("2.0.0.127.other.example.", 1),
            ("9.2.0.192.bl.example.", 1),
        ] {
            ask(&service, &query(name, qtype));
        }
        let asked = |prefix: &str| service.asked(prefix.parse().unwrap());
        assert_eq!((asked("127.0.0.2"), asked("192.0.2.9")), (2, 0));
    }

    #[test]
    fn silence_is_counted_by_its_reason() {
        let service = service(&["bl.example."]);
        let mut response = query("2.0.0.127.bl.example.", 1);
        response[2] |= 0x80;
        assert!(ask(&service, &response).is_empty());
        assert!(ask(&service, b"short").is_empty());
        let dropped = service.counts().dropped;
        let of = |label| dropped.iter().find(|(reason, _)| *reason == label).unwrap().1;
        assert_eq!((of("response"), of("short"), of("panic")), (1, 1, 0));
    }

    #[test]
    fn replaced_zones_answer_at_once_and_keep_their_counters() {
        let service = service(&["bl.example.", "gone.example."]);
        let known = query("2.0.0.127.bl.example.", 1);
        let new = query("2.0.0.127.new.example.", 1);
        ask(&service, &known);
        ask(&service, &new);
        service.replace(zones(&["new.example.", "bl.example."]));
        ask(&service, &known);
        ask(&service, &new);
        assert_eq!(counted(&service, Some("bl.example.")), ["A NOERROR true 2"]);
        assert_eq!(counted(&service, Some("new.example.")), ["A NOERROR true 1"]);
        assert_eq!(counted(&service, None), ["A REFUSED false 1"]);
        assert_eq!(service.zones().zones().len(), 2);
    }
}
