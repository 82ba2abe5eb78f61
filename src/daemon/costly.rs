//! Tells in the log which patterns are too costly: in come the counts of the jails' readers, out go messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::clock::Timestamp;
use crate::filter::Place;
use crate::jail::Exhausted;

/// Attackers can write such lines as often as they like, so the log is told at once and then now and then.
const INTERVAL: Duration = Duration::from_secs(60);

/// What the log was told.
#[derive(Debug, Default)]
pub(super) struct Costly {
    told: HashMap<(Arc<str>, Place), u64>,
    last: Option<Timestamp>,
}

impl Costly {
    /// Says what is new in the counts, unless that was done a moment ago.
    pub(super) fn look(&mut self, now: Timestamp, counts: impl FnOnce() -> Vec<Exhausted>) {
        // A clock that was set back is no reason to be silent.
        if self.last.is_some_and(|last| last <= now && now.since(last) < INTERVAL) {
            return;
        }
        for Exhausted { jail, pattern, lines } in self.news(counts()) {
            self.last = Some(now);
            warn!(
                jail = &*jail,
                "{pattern} was stopped on {lines} lines so far, as it takes too many steps there: what it would have found is not known; simplify it"
            );
        }
    }

    /// The counts that have grown since they were told.
    fn news(&mut self, counts: Vec<Exhausted>) -> Vec<Exhausted> {
        let mut news = counts;
        news.retain(|count| {
            self.told.insert((Arc::clone(&count.jail), count.pattern), count.lines) != Some(count.lines)
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_grown_is_told_once_in_a_while() {
        let mut costly = Costly::default();
        let mut look = |seconds: i64, lines| {
            let before = costly.told.clone();
            let pattern = Place::Failregex(1);
            let now = Timestamp::from_millis(seconds * 1000);
            costly.look(now, || vec![Exhausted { jail: "app".into(), pattern, lines }]);
            costly.told != before
        };
        let looks =
            [(1000, 1), (1001, 2), (1059, 3), (1060, 3), (1061, 4), (1200, 4), (1201, 5), (900, 6), (960, 6)];
        let told = looks.map(|(seconds, lines)| look(seconds, lines));
        assert_eq!(told, [true, false, false, true, false, true, false, true, false]);
    }
}
