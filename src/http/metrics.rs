//! Figures for Prometheus, gathered from the counters of each stage when somebody asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::api::HubStatus;
use super::gate::SeesAll;
use super::problem::Refused;
use super::{Control, Daemon, DataSetView, OutsideView};
use crate::clock::Timestamp;
use crate::dns::ZoneCounts;
use crate::jail::{self, Exhausted, Jails};
use crate::source::Counters;
use crate::zone::KeyCount;

/// The media type of the OpenMetrics text form.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values that tell the figures of one name apart. Jails, sources and zones come from the configuration, so
/// that no stranger can make more of them.
type Labels = Vec<(&'static str, String)>;

/// One of the figures of a source.
type Figure = fn(&Counters) -> u64;

/// `GET /metrics`
pub(super) async fn metrics(
    State(daemon): Daemon,
    Extension(SeesAll(sees_all)): Extension<SeesAll>,
) -> Result<impl IntoResponse, Refused> {
    if !sees_all {
        return Err(Refused::forbidden(
            "metrics are for `[http] monitors`, and for tokens that may read everything",
        ));
    }
    let seen = daemon.see_all(|jails, readers| {
        let names: Vec<Arc<str>> = jails.names().cloned().collect();
        let status = |name: Arc<str>| Some((Arc::clone(&name), jails.status(&name)?));
        let jails_seen = names.into_iter().filter_map(status).collect::<Vec<_>>();
        (jails_seen, readers.exhausted(), reported(jails))
    });
    let (jails, exhausted, reported) = seen.await?;
    let mut page = Page(Registry::with_prefix("banzone"));
    page.build_info();
    page.dns(&*daemon);
    page.zones(&*daemon);
    page.data_sets(&*daemon);
    page.logs(&*daemon);
    page.jails(&jails);
    page.patterns(&exhausted);
    page.outside(&*daemon);
    page.reports(&reported);
    // The other figures are told without a database as well.
    page.hub(super::bans::hub(&*daemon).await.unwrap_or_default());
    page.database(size(daemon.database()).await);
    page.health(&*daemon);
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page.text()))
}

/// Of a file that is not there it is 0.
async fn size(path: PathBuf) -> u64 {
    let look = move || std::fs::metadata(path).map_or(0, |file| file.len());
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// What became of the rows of each organisation, when it reported last, and how many listings are held back.
type Seen = (Vec<(Arc<str>, jail::Tally, Option<Timestamp>)>, usize);

fn reported(jails: &Jails) -> Seen {
    let reporters = jails.reporters();
    let reporters =
        reporters.map(|(name, reporter, _)| (Arc::clone(name), reporter.tally, reporter.last_seen));
    (reporters.collect(), jails.held_listings().len())
}

struct Page(Registry);

impl Page {
    fn counter(&mut self, name: &str, help: &str, figures: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in figures {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    fn gauge(&mut self, name: &str, help: &str, figures: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Gauge>::default();
        for (labels, value) in figures {
            family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        self.0.register(name, help, family);
    }

    fn reports(&mut self, (reporters, held): &Seen) {
        let rows = reporters.iter().flat_map(|(name, tally, _)| {
            let jail::Tally { accepted, duplicate, refused } = *tally;
            [("accepted", accepted), ("duplicate", duplicate), ("refused", refused)].map(|(result, count)| {
                (vec![("reporter", name.to_string()), ("result", result.to_owned())], count)
            })
        });
        self.counter("reports_received", "Rows of reports by what became of them", rows);
        let seen = reporters.iter().filter_map(|(name, _, seen)| {
            let seconds = u64::try_from((*seen)?.as_secs()).unwrap_or(0);
            Some((vec![("reporter", name.to_string())], seconds))
        });
        self.gauge("reporter_last_seen_timestamp_seconds", "When each organisation reported last", seen);
        self.gauge(
            "held_listings",
            "Listings by reports that wait for a person",
            [(Vec::new(), *held as u64)],
        );
    }

    fn hub(&mut self, hub: Option<HubStatus>) {
        let Some(hub) = hub else { return };
        let one = |value| [(Vec::new(), value)];
        self.gauge("spool_reports", "Rows that wait for the hub", one(hub.waiting));
        self.counter(
            "spool_dropped_reports",
            "Rows given up for want of room in the spool",
            one(hub.dropped),
        );
        let results = [("accepted", hub.accepted), ("duplicate", hub.duplicate), ("refused", hub.refused)];
        let results = results.map(|(result, count)| (vec![("result", result.to_owned())], count));
        self.counter("reports_sent", "Rows that the hub confirmed, by what became of them", results);
        let last = hub.last_sent.map(|last| (Vec::new(), u64::try_from(last.as_secs()).unwrap_or(0)));
        self.gauge("hub_last_confirmed_timestamp_seconds", "When the hub confirmed rows last", last);
        let problem = u64::from(hub.problem.is_some());
        self.gauge("hub_problem", "1: the hub takes nothing now; see /readyz", one(problem));
    }

    fn build_info(&mut self) {
        let labels = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        self.gauge("build_info", "The running version", [(labels, 1)]);
    }

    fn dns(&mut self, daemon: &dyn Control) {
        let counts = daemon.dns().counts();
        let name = |zone: &ZoneCounts| zone.origin.clone().unwrap_or_else(|| "none".to_owned());
        let replies = counts.zones.iter().flat_map(|counts| {
            let zone = name(counts);
            counts.replies.iter().map(move |reply| {
                let labels = vec![
                    ("zone", zone.clone()),
                    ("transport", reply.transport.to_owned()),
                    ("qtype", reply.qtype.to_owned()),
                    ("rcode", reply.rcode.to_owned()),
                    ("listed", reply.listed.to_string()),
                ];
                (labels, reply.count)
            })
        });
        self.counter("dns_queries", "Queries answered", replies);
        let codes = counts.zones.iter().flat_map(|counts| {
            let zone = name(counts);
            counts.codes.iter().map(move |(code, count)| {
                let code = code.map_or_else(|| "other".to_owned(), |code| code.to_string());
                (vec![("zone", zone.clone()), ("code", code)], *count)
            })
        });
        self.counter("dns_codes", "Return codes answered", codes);
        self.dns_of_zones(&counts.zones);
        let uncounted = "Answers that are counted for no ban, as there are too many bans";
        self.counter("dns_asked_without_room", uncounted, [(Vec::new(), counts.asked_without_room)]);
        self.counter("dns_log_lost", "Lines that the query log lacks", [(Vec::new(), counts.log_lost)]);
        let by_reason = |(reason, count): (&str, u64)| (vec![("reason", reason.to_owned())], count);
        self.counter(
            "dns_dropped",
            "Queries and connections that got no answer",
            counts.dropped.into_iter().map(by_reason),
        );
        let refused = "Queries refused because of who asks";
        self.counter("dns_refused", refused, counts.refused.into_iter().map(by_reason));
        let slipped = "Answers cut short because the network of the client got too many";
        self.counter("dns_slipped", slipped, [(Vec::new(), counts.slipped)]);
        self.keys(&counts.keys);
        let until = daemon.certificate_until().map(|until| u64::try_from(until.as_secs()).unwrap_or(0));
        let help = "When the certificate of DNS over TLS, HTTPS and QUIC ends";
        self.gauge("certificate_end_timestamp_seconds", help, until.map(|until| (Vec::new(), until)));
    }

    /// By the names of keys: the keys themselves are secrets.
    fn keys(&mut self, zones: &[(String, Vec<KeyCount>)]) {
        let figures = |read: fn(&KeyCount) -> u64| {
            let keys = zones.iter().flat_map(|(zone, keys)| keys.iter().map(move |key| (zone, key)));
            let row = |(zone, key): (&String, &KeyCount)| {
                (vec![("zone", zone.clone()), ("key", key.name.to_string())], read(key))
            };
            keys.map(row).collect::<Vec<_>>()
        };
        self.counter(
            "dns_key_answered",
            "Questions with a key that were answered",
            figures(|key| key.answered),
        );
        self.counter(
            "dns_key_over_quota",
            "Questions beyond the quota of a key",
            figures(|key| key.over_quota),
        );
        self.counter("dns_key_expired", "Questions with a key that has expired", figures(|key| key.expired));
    }

    /// What there is one figure for in each zone.
    fn dns_of_zones(&mut self, zones: &[ZoneCounts]) {
        let figures = |read: fn(&ZoneCounts) -> u64| {
            let named = |counts: &ZoneCounts| Some((vec![("zone", counts.origin.clone()?)], read(counts)));
            zones.iter().filter_map(named).collect::<Vec<_>>()
        };
        let names = "Questions for names that are neither addresses nor listed";
        self.counter("dns_names", names, figures(|counts| counts.names));
        self.counter("dns_received_bytes", "Octets of queries", figures(|counts| counts.received));
        self.counter("dns_sent_bytes", "Octets of replies", figures(|counts| counts.sent));
    }

    fn zones(&mut self, daemon: &dyn Control) {
        let zones = daemon.dns().zones();
        let latest = zones.lists().latest();
        let origins =
            || zones.zones().iter().map(|zone| vec![("zone", zone.origin().to_string())]).enumerate();
        let serials = origins().map(|(index, labels)| (labels, u64::from(latest[index].list.serial())));
        self.gauge("zone_serial", "The serial of the SOA record", serials);
        let entries = origins().map(|(index, labels)| (labels, latest[index].list.len() as u64));
        self.gauge("zone_entries", "Listings of the zone", entries);
    }

    fn data_sets(&mut self, daemon: &dyn Control) {
        let sets = daemon.data_sets();
        let figures = |read: fn(&DataSetView) -> u64| {
            let rows = sets
                .iter()
                .map(move |set| (vec![("zone", set.zone.clone()), ("set", set.title.clone())], read(set)));
            rows.collect::<Vec<_>>()
        };
        self.gauge("dataset_entries", "Entries of the data set", figures(|set| set.entries as u64));
        let loaded = |set: &DataSetView| set.loaded.map_or(0, |at| u64::try_from(at.as_secs()).unwrap_or(0));
        self.gauge("dataset_loaded_timestamp_seconds", "When the data set was read", figures(loaded));
        self.counter(
            "dataset_failed_loads",
            "How often the files of the data set could not be read",
            figures(|set| set.failures),
        );
        self.gauge(
            "dataset_stale",
            "1: what is served is not what the files say now; see /readyz",
            figures(|set| u64::from(set.problem.is_some())),
        );
    }

    fn logs(&mut self, daemon: &dyn Control) {
        let sources = daemon.sources();
        let figures = |read: Figure| {
            let rows = sources
                .iter()
                .map(move |source| (vec![("source", source.path.to_string())], read(&source.counters)));
            rows.collect::<Vec<_>>()
        };
        let table: [(&str, &str, Figure); 5] = [
            ("log_lines", "Lines read", |counters| counters.lines.load(Relaxed)),
            ("log_bytes", "Bytes read", |counters| counters.bytes.load(Relaxed)),
            ("log_cut_lines", "Lines that were too long and were cut", |counters| {
                counters.cut_lines.load(Relaxed)
            }),
            ("log_rotations", "Files moved away, truncated or replaced", |counters| {
                counters.rotations.load(Relaxed)
            }),
            ("log_dropped", "Messages received for which there was no room", |counters| {
                counters.dropped.load(Relaxed)
            }),
        ];
        for (name, help, read) in table {
            self.counter(name, help, figures(read));
        }
        self.gauge(
            "log_lag_bytes",
            "Bytes written and not read yet",
            figures(|counters| counters.lag.load(Relaxed)),
        );
        self.gauge(
            "log_problems",
            "Files that are missing or can't be read; see /readyz",
            figures(|counters| counters.problems().len() as u64),
        );
    }

    fn jails(&mut self, jails: &[(Arc<str>, jail::Status)]) {
        let figures = |read: fn(&jail::Status) -> u64| {
            let rows =
                jails.iter().map(move |(jail, status)| (vec![("jail", jail.to_string())], read(status)));
            rows.collect::<Vec<_>>()
        };
        self.counter("log_matches", "Failures found", figures(|status| status.total_failed));
        self.counter("bans", "Bans made", figures(|status| status.total_banned));
        self.counter("allowlist_hits", "Failures excused", figures(|status| status.ignored));
        self.counter(
            "failures_without_address",
            "Failures that nothing can be listed for",
            figures(|status| status.without_address),
        );
        self.gauge(
            "failures_tracked",
            "Addresses with failures",
            figures(|status| status.currently_failed as u64),
        );
        let by_family = jails.iter().flat_map(|(jail, status)| {
            let ipv6 = status.currently_banned_ipv6;
            let families = [("ipv4", status.currently_banned - ipv6), ("ipv6", ipv6)];
            families.map(|(family, count)| {
                (vec![("jail", jail.to_string()), ("family", family.to_owned())], count as u64)
            })
        });
        self.gauge("bans_active", "Bans in force", by_family);
    }

    fn patterns(&mut self, exhausted: &[Exhausted]) {
        let figures = exhausted.iter().map(|Exhausted { jail, pattern, lines }| {
            (vec![("jail", jail.to_string()), ("pattern", pattern.to_string())], *lines)
        });
        let help = "Lines in which a pattern took too many steps and was stopped";
        self.counter("patterns_stopped", help, figures);
    }

    fn outside(&mut self, daemon: &dyn Control) {
        let views = daemon.outside();
        let figures = |read: fn(&OutsideView) -> u64| {
            let rows = views.iter().map(move |view| (vec![("kind", view.kind.to_owned())], read(view)));
            rows.collect::<Vec<_>>()
        };
        let asked = "Failures for which a host name was looked up, or a command asked";
        self.counter("outside_asked", asked, figures(|view| view.asked));
        self.counter(
            "outside_failed",
            "Host names and commands without an answer",
            figures(|view| view.failed),
        );
        let dropped = "Failures that were not counted, because too many waited for an answer";
        self.counter("outside_dropped", dropped, figures(|view| view.dropped));
        self.gauge("outside_waiting", "Failures that wait for an answer", figures(|view| view.waiting));
    }

    fn database(&mut self, bytes: u64) {
        self.gauge("db_size_bytes", "Size of the database", [(Vec::new(), bytes)]);
    }

    fn health(&mut self, daemon: &dyn Control) {
        let problems = daemon.health().problems.len() as u64;
        self.gauge("problems", "What hinders the daemon; see /readyz", [(Vec::new(), problems)]);
        let started = u64::try_from(daemon.started().as_secs()).unwrap_or(0);
        self.gauge("start_timestamp_seconds", "When the daemon started", [(Vec::new(), started)]);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0).expect("writing to a string does not fail");
        text
    }
}
