//! The answers of the zones in service, with their counters; the zones can be replaced while queries come in.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::counters::Dropped;
use super::limits::{Fate, RateLimit, RateLimits, is_answer};
use super::seen::{Answers, Counted, Seeing, Seen, Shard, Shards, TopAddresses, ZoneCounts};
use super::{Peer, Request, Respond, Transport, guarded_each};
use crate::clock::Clock;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::zone::{
    KeyCount, Moment, Outcome, Pending, Replied, Zone, Zones, answer_ordinary, answer_other, truncate,
};

/// A query on its way.
#[derive(Default)]
struct Reading {
    pending: Pending,
    /// Whether the last that was done with it, reading or answering, came to its end without a panic.
    is_done: bool,
}

thread_local! {
    /// Where the thread reads the queries of a batch. They are too large to be made anew for each.
    static READ: RefCell<Vec<Reading>> = const { RefCell::new(Vec::new()) };
}

/// Zones, a clock and counters: all that answering takes.
pub struct Service {
    clock: Clock,
    served: ArcSwap<Served>,
    seen: Seen,
}

/// The zones of one configuration, the counters of each, and how many replies a network gets.
#[derive(Clone)]
struct Served {
    zones: Arc<Zones>,
    counted: Vec<Arc<Shards<Counted>>>,
    limits: Option<Arc<RateLimits>>,
}

/// What the queries of a batch are answered from, and where the thread that does it counts.
struct Round<'a> {
    served: &'a Served,
    moment: Moment<'a>,
    shard: Shard,
}

/// What was counted since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Of each zone, in the order of the configuration; the last is for questions that belong to no zone.
    pub zones: Vec<ZoneCounts>,
    /// Queries without a reply, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Queries that were refused because of who asks, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Replies that were sent short because the network of the client got too many.
    pub slipped: u64,
    /// The keys of each zone by its origin.
    pub keys: Vec<(String, Vec<KeyCount>)>,
    /// Answers of listings that could not be counted by listing, as there are too many.
    pub asked_without_room: u64,
    /// Queries that were to be logged and were not, for want of room in the queue or on the disk.
    pub log_lost: u64,
}

impl Service {
    /// Answers from `zones`, at the time of `clock`.
    pub fn new(zones: Arc<Zones>, clock: Clock) -> Self {
        let counted = zones.zones().iter().map(|_| Arc::default()).collect();
        let served = ArcSwap::from_pointee(Served { zones, counted, limits: None });
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
        let limits = before.limits.clone();
        self.served.store(Arc::new(Served { zones, counted, limits }));
    }

    /// Gives a network so many replies from the next query on; `None`: as many as it asks for. Limits that are those of
    /// before go on.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        let before = self.served.load();
        if before.limits.as_ref().map(|limits| limits.limit()) != limit.as_ref() {
            let limits = limit.map(|limit| Arc::new(RateLimits::new(limit)));
            self.served.store(Arc::new(Served { limits, ..Served::clone(&before) }));
        }
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
        let keys = served.zones.zones().iter().map(|zone| (zone.origin().to_string(), zone.key_counts()));
        Counts {
            zones: zones.chain([self.seen.outside()]).collect(),
            dropped: self.seen.drops(),
            refused: self.seen.refusals(),
            slipped: self.seen.slipped(),
            keys: keys.collect(),
            asked_without_room: self.seen.asked_without_room(),
            log_lost: self.seen.log_lost(),
        }
    }

    /// How many questions for codes were answered from the listing of `prefix` since the start, in all zones. Where several
    /// prefixes around an address are listed, the most specific one counts.
    pub fn asked(&self, prefix: Prefix) -> u64 {
        self.seen.asked(prefix)
    }

    /// How often listings were the answer since this was asked the last time, for the one who keeps it.
    pub fn take_answers(&self) -> Answers {
        self.seen.take_answers()
    }

    /// Looks at what `seeing` says from now on. Addresses that are not to be counted are forgotten. A query log in a file is
    /// opened anew each time, and what was to be written before is written when this returns, unless nobody takes it; if it
    /// cannot be opened, the one before goes on.
    pub fn see(&self, seeing: &Seeing) -> io::Result<()> {
        self.seen.set(seeing)
    }

    /// The first `limit` of the clients who ask most, and of the listed addresses that are most asked for.
    pub fn top(&self, limit: usize) -> TopAddresses {
        self.seen.top(limit)
    }

    /// Answers a query that has been read.
    #[inline]
    fn answer(&self, round: &Round<'_>, pending: &mut Pending, request: &mut Request<'_>) {
        let Request { query, peer, reply } = request;
        match answer_ordinary(pending, &round.moment, query, peer, reply) {
            Some(replied) => self.settle(round, &replied, request),
            None => self.answer_other(round, pending, request),
        }
    }

    /// The same of one that is not ordinary. Apart, so that ordinary ones do not pay for it.
    #[inline(never)]
    fn answer_other(&self, round: &Round<'_>, pending: &mut Pending, request: &mut Request<'_>) {
        let Request { query, peer, reply } = request;
        match answer_other(pending, &round.moment, query, peer, reply) {
            Outcome::Replied(replied) => self.settle(round, &replied, request),
            Outcome::Silent(why) => self.seen.silent(why),
        }
    }

    /// Does what follows from a reply. It stands where ordinary ones are made, as nearly all are: calls would take a tenth of the work.
    #[inline(always)]
    fn settle(&self, round: &Round<'_>, replied: &Replied, request: &mut Request<'_>) {
        if let Some(limits) = &round.served.limits
            && !self.limit(limits, replied, round.moment.now(), request)
        {
            return;
        }
        self.seen.note(&round.served.counted, round.shard, round.moment.now(), replied, request);
    }

    /// Reads all queries before it answers the first, so that what their answers take comes from memory meanwhile.
    fn respond_from(&self, read: &mut [Reading], requests: &mut [Request<'_>]) {
        let served = self.served.load();
        let moment = served.zones.at(self.clock.now());
        let round = Round { served: &served, moment, shard: Shard::of_this_thread() };
        guarded_each(self, read.iter_mut().zip(&*requests), |(reading, request)| {
            reading.is_done = false;
            reading.pending.read(&round.moment, request.query);
            reading.is_done = true;
        });
        let is_read = |(reading, _): &(&mut Reading, _)| reading.is_done;
        guarded_each(self, read.iter_mut().zip(&mut *requests).filter(is_read), |(reading, request)| {
            reading.is_done = false;
            self.answer(&round, &mut reading.pending, request);
            reading.is_done = true;
        });
        for (_, request) in read.iter().zip(requests).filter(|(reading, _)| !reading.is_done) {
            request.reply.clear();
        }
    }

    /// Cuts a reply short or takes it back where its network gets too many; whether it is sent.
    #[inline(always)]
    fn limit(
        &self,
        limits: &RateLimits,
        replied: &Replied,
        now: Timestamp,
        request: &mut Request<'_>,
    ) -> bool {
        // By others than UDP, and with a cookie, clients have the address they say.
        if replied.known || request.peer.transport != Transport::Udp {
            return true;
        }
        match limits.fate(request.peer.address, replied.rcode, now) {
            Fate::Sent => true,
            Fate::Slipped => {
                // Errors are short as they are.
                if is_answer(replied.rcode) {
                    truncate(request.reply);
                }
                self.seen.slip();
                true
            }
            Fate::Dropped => {
                request.reply.clear();
                self.seen.dropped(Dropped::RateLimited);
                false
            }
        }
    }
}

impl Respond for Service {
    fn respond(&self, query: &[u8], peer: &Peer, reply: &mut Vec<u8>) {
        self.respond_all(&mut [Request { query, peer: *peer, reply }]);
    }

    fn respond_all(&self, requests: &mut [Request<'_>]) {
        READ.with_borrow_mut(|read| {
            read.resize_with(read.len().max(requests.len()), Reading::default);
            self.respond_from(read, requests);
        });
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
    use crate::dataset::{Asked, DataSet, Records};
    use crate::dns::Transport;
    use crate::ip::PrefixSet;
    use crate::jail::{BanTable, Held};
    use crate::list::{PublishedSet, Publisher};
    use crate::zone::{Admission, Publish, RANDOM_SECRETS, Rate, Secret, Secrets, Server, Settings, answer};

    const PEER: Peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Udp };

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
                admission: Admission::default(),
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
        let mut reply = Vec::new();
        service.respond(query, &PEER, &mut reply);
        reply
    }

    fn ask_together(service: &Service, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut replies = vec![Vec::new(); queries.len()];
        let requests = queries.iter().zip(&mut replies);
        let mut requests: Vec<Request<'_>> =
            requests.map(|(query, reply)| Request { query, peer: PEER, reply }).collect();
        service.respond_all(&mut requests);
        replies
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
    fn what_follows_from_an_ordinary_reply_is_what_follows_from_any() {
        let service = service(&["bl.example."]);
        let (network, mut bans) = ("198.51.100.16/28", BanTable::default());
        let jail = bans.jail(&"smtp".into());
        let held = Held { jail, since: Timestamp::default(), until: None, count: 1 };
        bans.set(network.parse().unwrap(), held);
        let lists = Arc::clone(service.zones().lists());
        Publisher::new(lists, 1, PrefixSet::default()).start(bans, [], 1, Timestamp::default());
        let listed = query("17.100.51.198.bl.example.", 1);
        let (responses, exempt) = (Some(Rate::new(3)), PrefixSet::default());
        service.set_rate_limit(Some(RateLimit { responses, errors: None, slip: 2, exempt }));
        let replies = ask_together(&service, &vec![listed.clone(); 5]);
        let codes = replies.iter().map(|reply| reply.get(7).copied());
        assert_eq!(codes.collect::<Vec<_>>(), [Some(1), Some(1), Some(1), Some(0), None]);
        let counts = &service.counts().zones[0];
        assert_eq!(counted(&service, Some("bl.example.")), ["A NOERROR true 4"]);
        assert_eq!(counts.codes, [(Some(Ipv4Addr::new(127, 0, 0, 4)), 3)]);
        let sent: usize = replies.iter().map(Vec::len).sum();
        assert_eq!((counts.received, counts.sent), (4 * listed.len() as u64, sent as u64));
        assert_eq!((service.asked(network.parse().unwrap()), counts.names), (4, 0));
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
    fn too_many_answers_are_cut_short_or_held_back_over_udp() {
        let service = service(&["bl.example."]);
        let limit = |responses| RateLimit {
            responses: Some(Rate::new(responses)),
            errors: None,
            slip: 2,
            exempt: PrefixSet::default(),
        };
        service.set_rate_limit(Some(limit(1)));
        let listed = query("2.0.0.127.bl.example.", 1);
        let full = ask(&service, &listed);
        let short = ask(&service, &listed);
        // The question alone, and TC.
        assert_eq!((short.len(), &short[2..12]), (listed.len(), &[0x87, 0, 0, 1, 0, 0, 0, 0, 0, 0][..]));
        assert!(ask(&service, &listed).is_empty());
        assert!(!ask(&service, &query("example.org.", 1)).is_empty(), "errors have no limit here");
        let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport: Transport::Tcp };
        let mut over_tcp = Vec::new();
        service.respond(&listed, &peer, &mut over_tcp);
        assert_eq!(over_tcp, full);
        service.set_rate_limit(Some(limit(1)));
        service.replace(zones(&["bl.example."]));
        assert_ne!(ask(&service, &listed), full, "the same limit goes on");
        let counts = service.counts();
        let dropped = counts.dropped.iter().find(|(reason, _)| *reason == "rate_limited").unwrap().1;
        assert_eq!((dropped, counts.slipped), (1, 2));
        service.set_rate_limit(None);
        assert_eq!(ask(&service, &listed), full);
    }

    #[test]
    fn who_returns_a_cookie_has_no_limit() {
        let zones = Arc::into_inner(zones(&["bl.example."])).unwrap();
        let cookies = Some(Secrets::Random(Arc::new([Secret::new([7; 16]); RANDOM_SECRETS])));
        let zones = zones.with_server(Server { cookies, ..Server::default() });
        let service = Service::new(Arc::new(zones), Clock::at(Timestamp::from_secs(1_000_000)));
        let (responses, exempt) = (Some(Rate::new(1)), PrefixSet::default());
        service.set_rate_limit(Some(RateLimit { responses, errors: None, slip: 1, exempt }));
        let with_cookie = |cookie: &[u8]| {
            let mut query = query("2.0.0.127.bl.example.", 1);
            query[11] = 1;
            query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0]);
            let length = u8::try_from(cookie.len()).unwrap();
            query.extend_from_slice(&[0, length + 4, 0, 10, 0, length]);
            query.extend_from_slice(cookie);
            query
        };
        ask(&service, &with_cookie(&[1; 8]));
        let short = ask(&service, &with_cookie(&[1; 8]));
        assert_eq!(short[2] & 2, 2, "cut short");
        // Its last option is the cookie: who did not know it learns it by this.
        let cookie = &short[short.len() - 24..];
        for _ in 0..5 {
            let reply = ask(&service, &with_cookie(cookie));
            assert_eq!((reply[2] & 2, reply[7]), (0, 1));
        }
        let mut wrong = cookie.to_vec();
        wrong[23] ^= 1;
        assert_eq!(ask(&service, &with_cookie(&wrong))[2] & 2, 2);
    }

    #[test]
    fn a_batch_gets_the_replies_that_each_query_gets_alone() {
        let service = service(&["bl.example.", "other.example."]);
        let mut queries = vec![b"short".to_vec(), vec![0xff; 40], Vec::new()];
        let long = format!("{}Bl.Example.", "Sender.".repeat(30));
        for name in [
            "2.0.0.127.bl.example.",
            "9.2.0.192.bl.example.",
            &long,
            "2.0.0.127.other.example.",
            "",
            "example.org.",
        ] {
            queries.extend([1, 16, 6, 255].map(|qtype| query(name, qtype)));
        }
        let mut response = query("2.0.0.127.bl.example.", 1);
        response[2] |= 0x80;
        queries.push(response);
        let mut alone: Vec<Vec<u8>> = queries
            .iter()
            .map(|query| {
                let mut reply = Vec::new();
                answer(&service.zones(), query, &PEER, service.clock.now(), &mut reply);
                reply
            })
            .collect();
        assert_eq!(ask_together(&service, &queries), alone);
        // These are read where the others have been.
        queries.reverse();
        alone.reverse();
        assert_eq!(ask_together(&service, &queries), alone);
    }

    /// Panics when it is asked to fetch 192.0.2.1, and when it is asked for 192.0.2.2.
    #[derive(Debug)]
    struct Panicking;

    impl DataSet for Panicking {
        fn find<'a>(&'a self, asked: &Asked<'a>, _: &mut Records<'a>) -> bool {
            assert_ne!(asked.address(), Some([192, 0, 2, 2].into()), "as asked");
            false
        }

        fn could_have(&self, _: &Asked<'_>) -> bool {
            false
        }

        fn prefetch(&self, address: IpAddr) {
            assert_ne!(address, IpAddr::from([192, 0, 2, 1]), "as asked");
        }

        fn has_below(&self, _: &Asked<'_>) -> bool {
            false
        }

        fn is_of_addresses(&self) -> bool {
            true
        }

        fn len(&self) -> usize {
            0
        }
    }

    #[test]
    fn a_panic_in_a_batch_costs_no_other_reply() {
        let service = service(&["bl.example."]);
        let set = PublishedSet {
            set: Arc::new(Panicking),
            title: "panicking".into(),
            sublist: None,
            expires: None,
            is_test: false,
            allow_reserved: None,
        };
        service.zones().lists().publish_sets(&[[set].into()]);
        let queries: Vec<Vec<u8>> = [3, 1, 4, 2, 2, 1, 5]
            .iter()
            .map(|last| query(&format!("{last}.2.0.192.bl.example."), 1))
            .collect();
        let replies = ask_together(&service, &queries);
        let has_reply: Vec<bool> = replies.iter().map(|reply| !reply.is_empty()).collect();
        assert_eq!(has_reply, [true, false, true, false, false, false, true]);
        assert_eq!(replies[6], ask(&service, &queries[6]));
        let dropped = service.counts().dropped;
        assert_eq!(dropped.iter().find(|(reason, _)| *reason == "panic").unwrap().1, 4);
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
