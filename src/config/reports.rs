//! `reports` of a jail: when what other servers report makes a listing.

use std::time::Duration;

use toml::de::DeValue;

use super::document::{Raw, Section, Value};
use super::error::{At, Report};
use super::file::{self, keys};
use crate::jail::{Consensus, GuardSettings, MANUAL, MAX_TRUST, ReportSettings};

/// Two organisations of full trust within a half-life of each other; one alone is never enough.
const THRESHOLD: f64 = 1.5;
/// Many addresses change hands after some days.
const HALF_LIFE: Duration = Duration::from_secs(3 * 86_400);
/// Shorter, a vote is gone before the next comes; longer, a listing outlives whoever had the address.
const HALF_LIVES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(366 * 86_400));
const TRUST: f64 = 1.0;
/// A quarter more in an hour is no ordinary day.
const GUARD: GuardSettings = GuardSettings { share: 0.25, window: Duration::from_secs(3600), least: 1000 };

/// As it is written.
pub(super) struct Reports {
    /// What it means.
    pub settings: ReportSettings,
}

/// Reads `reports`, if the jail has it; `false` is as if it were absent.
pub(super) fn read(section: &Section<'_>) -> Option<At<Reports>> {
    let At { value, place } = section.get::<At<Option<Reports>>>("reports")?;
    value.map(|value| At { value, place })
}

impl Value for Option<Reports> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let default = Reports {
            settings: ReportSettings {
                consensus: Consensus { threshold: THRESHOLD, half_life: HALF_LIFE },
                trust: TRUST,
                guard: GUARD,
            },
        };
        if let DeValue::Boolean(on) = raw.value() {
            return Some(on.then_some(default));
        }
        let section = raw.section(keys::REPORTS)?;
        let threshold = number(&section, "threshold", 0.001, MAX_TRUST).unwrap_or(THRESHOLD);
        let trust = number(&section, "trust", 0.0, MAX_TRUST).unwrap_or(TRUST);
        let half_life =
            section.get("half_life").and_then(|span| between(&section, span)).unwrap_or(HALF_LIFE);
        let guard = guard(&section.section("guard", keys::GUARD));
        let consensus = Consensus { threshold, half_life };
        Some(Some(Reports { settings: ReportSettings { consensus, trust, guard } }))
    }
}

fn guard(section: &Section<'_>) -> GuardSettings {
    GuardSettings {
        share: number(section, "share", 0.0, 1000.0).unwrap_or(GUARD.share),
        window: section.get("window").filter(|window: &Duration| !window.is_zero()).unwrap_or(GUARD.window),
        least: section.number("least", 0, u64::from(u32::MAX)).unwrap_or(GUARD.least),
    }
}

fn number(section: &Section<'_>, key: &str, least: f64, most: f64) -> Option<f64> {
    let written: f64 = section.get(key)?;
    if (least..=most).contains(&written) {
        return Some(written);
    }
    section.raw(key)?.error(format!("{written} is not between {least} and {most}"))
}

fn between(section: &Section<'_>, span: Duration) -> Option<Duration> {
    let (least, most) = HALF_LIVES;
    if (least..=most).contains(&span) {
        return Some(span);
    }
    section.raw("half_life")?.error("a half-life is between 1 minute and 1 year: write one such as \"3d\"")
}

/// One jail is enough: two would list the same. It does nothing else.
pub(super) fn check_one(jails: &[file::Jail], report: &Report) {
    for jail in jails.iter().filter(|jail| jail.counts_bans || jail.name.value == MANUAL) {
        let Some(reports) = &jail.reports else { continue };
        let message =
            format!("jail `{}` has bans of its own: give the reports another jail", jail.name.value);
        report.add(&reports.place, message);
    }
    let mut reads = jails.iter().filter(|jail| jail.enabled && jail.reports.is_some());
    let Some(first) = reads.next() else { return };
    for jail in reads {
        let message = format!(
            "jail `{}`: the jail `{}` takes the reports already, in {}: remove `reports` from one of them",
            jail.name.value, first.name.value, first.place
        );
        report.add(jail.reports.as_ref().map_or(&jail.place, |reports| &reports.place), message);
    }
}
