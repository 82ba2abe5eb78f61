//! How who is listed takes themselves off: whether they may, and doing it. It takes the way of every order, so that the ban is
//! over for the jails, the database and DNS alike.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Public;
use crate::clock::Timestamp;
use crate::http::Failed;
use crate::ip::Prefix;
use crate::jail::Order;
use crate::store::{self, Removed};
use crate::zone::Listed;

/// Waits double up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 86_400);

/// Who takes themselves off by these pages, for the history.
const BY: &str = "public page";

/// Whether those whom a jail bans may take themselves off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// They have to write.
    #[default]
    Never,
    /// Whenever they like.
    Always,
    /// Once in so long a time; whoever comes back soon waits twice as long.
    Every(Duration),
}

/// The same for all jails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// For jails by their names.
    pub of_jails: BTreeMap<String, Removal>,
    /// For all others.
    pub of_others: Removal,
}

/// What is to be said of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    /// At once; for so long it can't be done again then.
    Now(Duration),
    /// Again from then on.
    From(Timestamp),
    /// Not by themselves.
    Not,
}

impl Removals {
    fn of(&self, jail: &str) -> Removal {
        self.of_jails.get(jail).copied().unwrap_or(self.of_others)
    }
}

impl Removal {
    /// What somebody may who was removed `last`. A wait is over after its time; whoever is back within as long again waits twice
    /// as long the next time.
    fn may(self, last: Option<&Removed>, now: Timestamp) -> May {
        match (self, last) {
            (Self::Never, _) => May::Not,
            (Self::Always, _) => May::Now(Duration::ZERO),
            (Self::Every(first), None) => May::Now(first),
            (Self::Every(first), Some(Removed { at, wait })) => {
                let (again, forgotten) = (*at + *wait, *at + *wait + *wait);
                if now < again {
                    May::From(again)
                } else if now < forgotten {
                    May::Now((*wait * 2).min(LONGEST_WAIT))
                } else {
                    May::Now(first)
                }
            }
        }
    }
}

/// Whether a listing is of `address` alone, or of what one site has of IPv6: nobody speaks for a network of strangers.
fn is_of_one_site(prefix: Prefix) -> bool {
    const SITE: u8 = 64;
    prefix.is_host() || !prefix.is_ipv4() && prefix.len() >= SITE
}

impl Public {
    /// Every listing of `address` in the zones that are shown, with what `address` itself may do about it.
    pub(super) async fn listings(&self, address: IpAddr) -> Result<Vec<(Listed, May)>, Failed> {
        let (settings, now) = (self.0.public(), self.0.now());
        let mut listed = self.0.dns().zones().listed(address, now);
        listed.retain(|listed| settings.shows(&listed.zone));
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let read = move |reader: &store::Reader| {
            let may = |listed: &Listed| match settings.removal.of(&listed.jail) {
                _ if !is_of_one_site(listed.prefix) => Ok(May::Not),
                removal => Ok(removal.may(reader.removed(&listed.jail, listed.prefix)?.as_ref(), now)),
            };
            listed.into_iter().map(|listed| may(&listed).map(|may| (listed, may))).collect()
        };
        self.0.read(read).await
    }

    /// Ends the bans of `address` that it may end; how many listings that were.
    pub(super) async fn remove(&self, address: IpAddr) -> Result<usize, Failed> {
        let mut removed = BTreeMap::new();
        for (listed, may) in self.listings(address).await? {
            if let May::Now(wait) = may {
                removed.insert((listed.prefix, listed.jail), wait);
            }
        }
        for (prefix, jail) in removed.keys() {
            let jail = Some(Arc::from(jail.as_str()));
            self.0
                .order(Order::Unban { prefix: Some(*prefix), jail, by: BY.to_owned(), forgive: false })
                .await?;
        }
        let (count, at) = (removed.len(), self.0.now());
        let note = move |changes: &store::Transaction<'_>| {
            removed.iter().try_for_each(|((prefix, jail), wait)| {
                changes.note_removed(jail, *prefix, Removed { at, wait: *wait })
            })
        };
        self.0.change(note).await?.map_err(Failed::Store)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(number: u32) -> Timestamp {
        Timestamp::from_secs(0) + DAY * number
    }

    #[test]
    fn waits_double_for_those_who_come_back_soon() {
        let removed = |at: u32, wait: u32| Some(Removed { at: day(at), wait: DAY * wait });
        for (removal, last, now, expected) in [
            (Removal::Never, None, 0, May::Not),
            (Removal::Always, removed(0, 7), 0, May::Now(Duration::ZERO)),
            (Removal::Every(DAY * 7), None, 0, May::Now(DAY * 7)),
            (Removal::Every(DAY * 7), removed(0, 7), 6, May::From(day(7))),
            (Removal::Every(DAY * 7), removed(0, 7), 7, May::Now(DAY * 14)),
            (Removal::Every(DAY * 7), removed(0, 7), 13, May::Now(DAY * 14)),
            (Removal::Every(DAY * 7), removed(0, 7), 14, May::Now(DAY * 7)),
            (Removal::Every(DAY * 7), removed(7, 14), 20, May::From(day(21))),
            (Removal::Every(DAY * 7), removed(0, 300), 301, May::Now(LONGEST_WAIT)),
        ] {
            assert_eq!(removal.may(last.as_ref(), day(now)), expected, "{removal:?} {last:?} day {now}");
        }
    }

    #[test]
    fn nobody_speaks_for_a_network_of_strangers() {
        for (prefix, expected) in [
            ("192.0.2.1", true),
            ("192.0.2.0/31", false),
            ("2001:db8::1", true),
            ("2001:db8::/64", true),
            ("2001:db8::/63", false),
        ] {
            assert_eq!(is_of_one_site(prefix.parse().unwrap()), expected, "{prefix}");
        }
    }
}
