//! Lines of one connection, merged by the id that `<F-MLFID>` finds.
//!
//! A line may tell who connects, another one that a login failed, and a third that one succeeded after all. What the
//! earlier ones said is kept for a while under the connection's id, and a failure is what all of them say together.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cut;
use super::groups::Groups;
use crate::clock::Timestamp;

/// So many connections are known at a time.
const MOST: usize = 100;

/// So long is a connection known from its first line on.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// So many lines and users are kept of a connection.
const MOST_LINES: usize = 50;
const MOST_USERS: usize = 50;

/// A line is kept as evidence up to this many bytes, and a user as well.
const LONGEST: usize = 1000;

/// The connections whose lines were seen lately.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// In the order of their first lines, that of their numbers.
    known: Vec<Known>,
    /// The ids of those of which something else is known since somebody took that down.
    changed: BTreeSet<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    id: String,
    number: u64,
    /// When its first line was seen.
    since: Timestamp,
    connection: Connection,
}

/// What is known of a connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Connection {
    pub(super) groups: Groups<'static>,
    pub(super) users: BTreeSet<String>,
    /// The lines that are part of the failure.
    pub(super) lines: Vec<String>,
    /// The lines that were no failures by themselves.
    noted: Vec<String>,
    /// There was a failure, and nobody known whose.
    pending: bool,
}

/// What a line is by itself.
#[derive(Clone, Copy, Debug, Default)]
struct Signs {
    no_failure: bool,
    gained: bool,
    forget: bool,
}

impl Connections {
    /// Merges a line, of which `groups` matched and which is part of `lines`, into what is known of its connection
    /// `id`.
    pub(super) fn merge(
        &mut self,
        id: &str,
        mut groups: Groups<'static>,
        lines: &[String],
        now: Timestamp,
    ) -> Connection {
        let mut signs = Signs::take(&mut groups);
        self.changed.insert(id.to_owned());
        let known = self.take(id, now);
        let place = known.as_ref().map(|known| (known.number, known.since));
        let mut merged = match known {
            Some(known) => known.connection.continued(groups, signs),
            None if signs.forget => Connection { groups, ..Connection::default() },
            None => Connection { groups, ..Connection::default() }.with_user(),
        };
        merged.judge(&mut signs);
        merged.add(lines, signs);
        if !signs.forget {
            let (number, since) = place.unwrap_or_else(|| (self.next_number(now), now));
            self.insert(Known { id: id.to_owned(), number, since, connection: merged.clone() });
        }
        merged
    }

    /// Says that a connection has failed and nobody knows yet who it is.
    pub(super) fn set_pending(&mut self, id: &str) {
        if let Some(known) = self.known.iter_mut().find(|known| known.id == id) {
            known.connection.pending = true;
        }
    }

    fn take(&mut self, id: &str, now: Timestamp) -> Option<Known> {
        let known = self.known.remove(self.known.iter().position(|known| known.id == id)?);
        known.is_remembered(now).then_some(known)
    }

    /// The number of a new connection, for which there is room then.
    fn next_number(&mut self, now: Timestamp) -> u64 {
        let next = self.known.last().map_or(0, |last| last.number + 1);
        if self.known.len() >= MOST {
            let forgotten = self.known.iter().take_while(|known| !known.is_remembered(now)).count() + 1;
            let forgotten = self.known.drain(..forgotten.min(self.known.len()));
            self.changed.extend(forgotten.map(|known| known.id));
        }
        next
    }

    fn insert(&mut self, known: Known) {
        let place = self.known.partition_point(|other| other.number <= known.number);
        self.known.insert(place, known);
    }

    /// The ids of the connections that changed since this was last asked, each with what is known of it if anything is.
    pub(super) fn take_changes(&mut self) -> impl Iterator<Item = (String, Option<String>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|id| {
            let known = self.known.iter().find(|known| known.id == id);
            let known = known.and_then(|known| serde_json::to_string(known).ok());
            (id, known)
        })
    }

    /// The ids of the connections that somebody may have taken down.
    pub(super) fn into_ids(self) -> impl Iterator<Item = String> {
        let mut ids = self.changed;
        ids.extend(self.known.into_iter().map(|known| known.id));
        ids.into_iter()
    }

    /// Takes over what is known of the connection `id`. Of too many, those that began first are forgotten.
    pub(super) fn restore(&mut self, id: &str, known: &str) {
        match serde_json::from_str::<Known>(known) {
            Ok(known) if known.id == id => self.insert(known),
            _ => _ = self.changed.insert(id.to_owned()),
        }
        let forgotten = self.known.drain(..self.known.len().saturating_sub(MOST));
        self.changed.extend(forgotten.map(|known| known.id));
    }
}

impl Known {
    fn is_remembered(&self, now: Timestamp) -> bool {
        self.since + REMEMBERED > now
    }
}

impl Signs {
    fn take(groups: &mut Groups<'_>) -> Self {
        let gained = groups.filled("mlfgained").map(str::to_owned);
        if let Some(gained) = &gained
            && groups.filled("nofail").is_none()
        {
            groups.set("nofail", gained.clone());
        }
        Self {
            no_failure: groups.filled("nofail").is_some(),
            gained: gained.is_some(),
            forget: groups.take("mlfforget").is_some_and(|forget| !forget.is_empty()),
        }
    }
}

impl Connection {
    /// Whether the last line is no failure, as far as known.
    pub(super) fn is_no_failure(&self) -> bool {
        self.groups.filled("nofail").is_some()
    }

    /// What is known with another line of the connection.
    fn continued(mut self, groups: Groups<'static>, signs: Signs) -> Self {
        let was_excused = ["nofail", "mlfgained"]
            .map(|group| self.groups.take(group).is_some_and(|value| !value.is_empty()))
            .contains(&true);
        if signs.gained {
            self.pending = false;
        }
        // The lines of an earlier failure were handed out with it.
        if !was_excused && !self.pending {
            self.lines.clear();
        }
        self.add_user(groups.filled("user"));
        self.groups.update(groups);
        self
    }

    /// What is known with the user of its first line.
    fn with_user(mut self) -> Self {
        let user = self.groups.filled("user").map(str::to_owned);
        self.add_user(user.as_deref());
        self
    }

    fn add_user(&mut self, user: Option<&str>) {
        if let Some(user) = user
            && self.users.len() < MOST_USERS
        {
            self.users.insert(cut(user, LONGEST));
        }
    }

    /// Who has failed before, or tries several users, is not excused by what looks like no failure.
    fn judge(&mut self, signs: &mut Signs) {
        if std::mem::take(&mut self.pending) || self.users.len() > 1 {
            self.groups.take("nofail");
            self.groups.take("mlfgained");
            (signs.no_failure, signs.gained) = (false, false);
        }
    }

    fn add(&mut self, lines: &[String], signs: Signs) {
        if !signs.no_failure {
            let mut all = std::mem::take(&mut self.noted);
            all.append(&mut self.lines);
            all.extend(lines.iter().map(|line| cut(line, LONGEST)));
            self.lines = newest(all);
        } else if !signs.forget {
            self.noted.extend(lines.iter().map(|line| cut(line, LONGEST)));
            self.noted = newest(std::mem::take(&mut self.noted));
        }
    }
}

fn newest(mut lines: Vec<String>) -> Vec<String> {
    lines.drain(..lines.len().saturating_sub(MOST_LINES));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_and_users_are_cut() {
        let mut groups = Groups::default();
        groups.set("user", "é".repeat(LONGEST));
        let (mut connections, now) = (Connections::default(), Timestamp::default());
        let known = connections.merge("1", groups, &["x".repeat(2 * LONGEST)], now);
        assert_eq!(known.users, BTreeSet::from(["é".repeat(LONGEST / 2)]));
        assert_eq!(known.lines, ["x".repeat(LONGEST)]);
    }
}
