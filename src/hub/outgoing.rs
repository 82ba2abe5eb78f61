//! What of the effects of a batch of lines is reported to a hub.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rows::MOST_FAILURES;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{Change, Effects};
use crate::store::Spooled;

/// A row for each prefix and jail of `jails` that failed or was banned. Each failure stands in one row, so that the figures of
/// the hub add up.
pub fn outgoing(effects: &Effects, jails: &BTreeSet<Arc<str>>) -> Vec<Spooled> {
    if jails.is_empty() {
        return Vec::new();
    }
    let mut rows = Rows::default();
    for ((jail, hour, prefix), count) in &effects.failures {
        if jails.contains(jail) {
            let row = rows.row(jail, *prefix, *hour);
            row.failures = row.failures.saturating_add(*count).min(MOST_FAILURES);
        }
    }
    for change in &effects.changes {
        // Whoever fails on while banned has been seen again.
        let seen = match change {
            Change::Banned(ban) => Some((&ban.jail, ban.prefix, ban.since)),
            Change::Extended { prefix, jail, at, .. } => Some((jail, *prefix, *at)),
            Change::Unbanned { .. } | Change::Allowed(_) | Change::Disallowed { .. } => None,
        };
        if let Some((jail, prefix, time)) = seen.filter(|(jail, ..)| jails.contains(*jail)) {
            rows.row(jail, prefix, time).is_ban = true;
        }
    }
    rows.0.into_values().collect()
}

#[derive(Default)]
struct Rows(BTreeMap<(Arc<str>, Prefix), Spooled>);

impl Rows {
    /// The row of a prefix, which was seen at `time` or later.
    fn row(&mut self, jail: &Arc<str>, prefix: Prefix, time: Timestamp) -> &mut Spooled {
        let new = || Spooled { prefix, jail: Arc::clone(jail), time, failures: 0, is_ban: false };
        let row = self.0.entry((Arc::clone(jail), prefix)).or_insert_with(new);
        row.time = row.time.max(time);
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jail::{Ban, Origin};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn bans_and_failures_go_out_once() {
        let mut effects = Effects::default();
        for (jail, hour, host, count) in [
            ("sasl", 0, "192.0.2.1", 3),
            ("sasl", 3600, "192.0.2.1", 2),
            ("sasl", 0, "192.0.2.2", 1),
            ("other", 0, "192.0.2.1", 9),
        ] {
            effects.failures.insert((jail.into(), at(hour), prefix(host)), count);
        }
        let ban = |jail: &str, text: &str| {
            Change::Banned(Ban {
                prefix: prefix(text),
                jail: jail.into(),
                since: at(4000),
                until: None,
                first: None,
                origin: Origin::Log,
                failures: 5,
                count: 1,
                evidence: Vec::new(),
            })
        };
        let extended = Change::Extended {
            prefix: prefix("2001:db8::/64"),
            jail: "sasl".into(),
            at: at(5000),
            until: None,
        };
        let ended = crate::jail::EndCause::Expired;
        let unbanned =
            Change::Unbanned { prefix: prefix("192.0.2.9"), jail: "sasl".into(), at: at(1), cause: ended };
        effects.changes = vec![ban("sasl", "192.0.2.1"), ban("other", "192.0.2.1"), extended, unbanned];
        let row = |text: &str, time, failures, is_ban| Spooled {
            prefix: prefix(text),
            jail: "sasl".into(),
            time: at(time),
            failures,
            is_ban,
        };
        let expected = [
            row("192.0.2.1", 4000, 5, true),
            row("192.0.2.2", 0, 1, false),
            row("2001:db8::/64", 5000, 0, true),
        ];
        assert_eq!(outgoing(&effects, &["sasl".into()].into()), expected);
        assert_eq!(outgoing(&effects, &BTreeSet::new()), []);
    }
}
