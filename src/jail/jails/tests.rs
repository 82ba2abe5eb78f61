//! What the jails do with failures, orders and time, told as short stories: a line per step, then the changes.

mod asking;
mod counting;
mod ordering;
mod recidive;
mod sparing;

use std::time::Duration;

use super::*;
use crate::jail::BanOrder;
use crate::jail::{Adjustment, Ask, BanTime, Escalate, Failure, KnownBan, MANUAL, Question};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn prefixes(texts: &[&str]) -> PrefixSet {
    texts.iter().map(|text| text.parse::<Prefix>().unwrap()).collect()
}

/// Three failures in 600 s ban for 3600 s.
fn settings(name: &str) -> Settings {
    Settings { bantime: BanTime::For(Duration::from_secs(3600)), ..Settings::plain(name) }
}

fn doubling() -> Option<Increment> {
    Some(Increment {
        factor: 1.0,
        formula: None,
        multipliers: Vec::new(),
        max_time: None,
        random_time: Duration::ZERO,
        overall_jails: false,
    })
}

fn jails(settings: Vec<Settings>) -> Jails {
    Jails::new(settings, PrefixSet::default(), PrefixSet::default(), 1)
}

/// Runs failures `(second, address)` through the jail `sasl` with the clock at each, and shows the changes.
fn run(jails: &mut Jails, failures: &[(i64, &str)]) -> Vec<String> {
    let mut effects = Effects::default();
    for (second, address) in failures {
        let now = at(*second);
        jails.expire(now, &mut effects);
        let failure =
            Failure { prefix: address.parse().unwrap(), time: now, user: None, earlier: &[], line: "line" };
        jails.failure("sasl", &failure, now, &mut effects);
    }
    effects.changes.iter().map(show).collect()
}

fn show(change: &Change) -> String {
    let end =
        |until: &Option<Timestamp>| until.map_or("ever".to_owned(), |until| until.as_secs().to_string());
    match change {
        Change::Banned(ban) => {
            format!(
                "{} bans {} at {} until {} #{}",
                ban.jail,
                ban.prefix,
                ban.since.as_secs(),
                end(&ban.until),
                ban.count
            )
        }
        Change::Extended { prefix, until, .. } => format!("{prefix} until {}", end(until)),
        Change::Unbanned { prefix, at, cause, .. } => format!("{prefix} free at {} {cause:?}", at.as_secs()),
        Change::Allowed(allow) => format!("allow {}", allow.prefix),
        Change::Disallowed { prefix, .. } => format!("disallow {prefix}"),
    }
}

fn order(jails: &mut Jails, order: Order, second: i64) -> Result<Vec<String>, String> {
    let mut effects = Effects::default();
    jails.order(&order, at(second), &mut effects).map_err(|refusal| refusal.to_string())?;
    Ok(effects.changes.iter().map(show).collect())
}

fn ban(prefix: &str) -> Order {
    Order::Ban(BanOrder {
        prefix: prefix.parse().unwrap(),
        jail: "sasl".into(),
        since: None,
        time: None,
        reason: None,
        by: "test".into(),
    })
}

fn fail(address: &str, lines: &[&str]) -> Order {
    let lines = lines.iter().map(ToString::to_string).collect();
    Order::Fail { prefix: address.parse().unwrap(), jail: "sasl".into(), lines, by: "test".into() }
}
