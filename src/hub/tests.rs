//! Reports, however they are cut into batches, in whatever order they come, and whenever the hub is killed: each counts once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::clock::Timestamp;
use crate::ip::{Prefix, PrefixSet};
use crate::jail::{
    Consensus, Effects, GuardSettings, Identity, Jails, Report, ReportBatch, ReportKind, ReportSettings,
    Settings, SpoolId,
};
use crate::store::{Store, Work};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const HALF_LIFE: Duration = Duration::from_secs(10_000);
const SHARED: &str = "shared";

/// A row of a spool: the last byte of the address, and the age in seconds.
type Row = (u8, u32);

/// A hub with its database.
struct Hub {
    jails: Jails,
    store: Store,
    folder: TempDir,
}

impl Hub {
    fn new() -> Self {
        Self::open(TempDir::new().unwrap())
    }

    fn open(folder: TempDir) -> Self {
        let store = crate::store::Settings {
            path: folder.path().join("banzone.db"),
            evidence_retention: Duration::from_secs(1_000_000),
            history_retention: Duration::from_secs(1_000_000),
        };
        let store = Store::open(&store, NOW).unwrap();
        let guard = GuardSettings { share: 0.0, window: HALF_LIFE, least: 20 };
        let consensus = Consensus { threshold: 1.5, half_life: HALF_LIFE };
        let reports = Some(ReportSettings { consensus, trust: 1.0, guard });
        let settings = Settings { reports, ..Settings::plain(SHARED) };
        let mut jails = Jails::new(vec![settings], PrefixSet::default(), PrefixSet::default(), 1);
        restore(&mut jails, &store);
        Self { jails, store, folder }
    }

    /// Ends at once, and starts from what is in the database.
    fn kill(self) -> Self {
        let Self { store, folder, .. } = self;
        drop(store);
        Self::open(folder)
    }

    /// Takes a batch; whether it is committed is for the killer to say.
    fn take(&mut self, batch: &ReportBatch, commit: bool) {
        let mut effects = Effects::default();
        self.jails.report(batch, NOW, &mut effects).unwrap();
        self.jails.finish(&mut effects);
        if commit {
            self.store.commit(&[Work { effects, ..Work::default() }]).unwrap();
        }
    }

    /// All that must be the same: what is listed, the votes, what is held back, and how much was counted.
    fn outcome(&self) -> impl std::fmt::Debug + PartialEq + use<> {
        let mut votes = BTreeSet::new();
        let each = |name: &Arc<str>, prefix, time| assert!(votes.insert((Arc::clone(name), prefix, time)));
        self.store.votes(each).unwrap();
        let held: Vec<Prefix> = self.jails.held_listings().map(|(prefix, _)| prefix).collect();
        let listed = self.jails.bans().of(SHARED);
        let in_memory: Vec<_> = listed.iter().map(|prefix| self.jails.votes(*prefix, NOW).len()).collect();
        let counted = self.jails.reporters().map(|(name, reporter, votes)| {
            (Arc::clone(name), (reporter.tally.accepted, reporter.tally.refused, votes))
        });
        let counted: BTreeSet<_> = counted.collect();
        (listed, held, votes, in_memory, counted, self.jails.status(SHARED).map(|status| status.total_failed))
    }
}

fn restore(jails: &mut Jails, store: &Store) {
    let kept = store.kept().unwrap();
    kept.totals.iter().for_each(|(jail, failed, banned)| jails.restore_totals(jail, *failed, *banned));
    jails.restore_bans(|each| store.bans_in_force(each)).unwrap();
    kept.reports.reporters.iter().for_each(|(name, reporter)| jails.restore_reporter(name, reporter.clone()));
    let known = kept.reports.known.iter();
    known.for_each(|(name, known_by, at, tally)| jails.restore_known(name, known_by, *at, *tally));

    store.votes(|name, prefix, time| jails.restore_vote(name, prefix, time)).unwrap();
    kept.reports.held.iter().for_each(|(prefix, held)| jails.restore_held(*prefix, *held));
}

/// The rows of a spool from `first` on, counted from 1.
fn batch(reporter: usize, first: usize, rows: &[Row]) -> ReportBatch {
    let report = |(row, (host, age)): (u32, &Row)| Report {
        row,
        prefix: Prefix::host([192, 0, 2, *host].into()),
        time: NOW - Duration::from_secs(u64::from(*age)),
        failures: 3,
        category: 0,
        kind: ReportKind::Ban,
    };
    ReportBatch {
        reporter: format!("org-{reporter}").into(),
        identity: Identity::Rows { spool: SpoolId(reporter as u64), first: first as u64 },
        reports: (0..).zip(rows).map(report).collect(),
        categories: vec!["sasl".into()],
        rows: rows.len() as u32,
    }
}

/// What happens to a batch.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It arrives, and its sender is told so.
    Confirmed,
    /// It arrives, but its sender is not told, and sends it again with what came meanwhile.
    Unconfirmed,
    /// The hub is killed before it has committed it.
    KilledBefore,
    /// The hub is killed before it could tell its sender.
    KilledAfter,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Confirmed),
        Just(Fate::Unconfirmed),
        Just(Fate::KilledBefore),
        Just(Fate::KilledAfter)
    ]
}

/// The rows of each reporter.
fn spools() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let age = prop_oneof![Just(7), 0u32..100_000];
    prop::collection::vec(prop::collection::vec((1u8..40, age), 0..30), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn each_report_counts_once(
        spools in spools(),
        steps in prop::collection::vec((0usize..4, 1usize..12, fates()), 0..20),
    ) {
        let mut plain = Hub::new();
        for (reporter, rows) in spools.iter().enumerate() {
            plain.take(&batch(reporter, 1, rows), true);
        }
        let mut hub = Hub::new();
        let mut confirmed = vec![0; spools.len()];
        for (reporter, count, fate) in steps {
            let Some(rows) = spools.get(reporter) else { continue };
            let from = confirmed[reporter];
            let to = (from + count).min(rows.len());
            hub.take(&batch(reporter, from + 1, &rows[from..to]), !matches!(fate, Fate::KilledBefore));
            match fate {
                Fate::Confirmed => confirmed[reporter] = to,
                Fate::Unconfirmed => {}
                Fate::KilledBefore | Fate::KilledAfter => hub = hub.kill(),
            }
        }
        for (reporter, rows) in spools.iter().enumerate() {
            let from = confirmed[reporter];
            hub.take(&batch(reporter, from + 1, &rows[from..]), true);
        }
        let listed = |hub: &Hub| hub.jails.bans().of(SHARED).len() + hub.jails.held_listings().len();
        prop_assert_eq!(listed(&hub), listed(&plain));
        // Which of too many were first depends on the order; all else does not.
        if plain.jails.held_listings().len() == 0 {
            prop_assert_eq!(format!("{:?}", hub.outcome()), format!("{:?}", plain.outcome()));
        }
        let again = hub.outcome();
        prop_assert_eq!(format!("{:?}", hub.kill().outcome()), format!("{again:?}"));
    }
}
