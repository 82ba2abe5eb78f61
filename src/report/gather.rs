//! From rows to figures: sums over the period and the one before, in one pass over the rows of both.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::figures::{CategoryFigures, Course, Figures, JailFigures, ListingFigures, Totals, Wait};
use super::mask::masked;
use super::ranking::{Ranking, When};
use super::{Compared, Day, Geo, Period, Top};
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::list::{Rule, rule_of};
use crate::store::{Error, HourOfJail, NETWORK, Reader, WAITS};

/// What a report is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of these days.
    pub period: Period,
    /// Of this jail only.
    pub jail: Option<String>,
    /// So many of each kind.
    pub top: usize,
}

/// What a zone publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// The zone's name.
    pub zone: String,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// The names of their sublists inside the zone.
    pub sublists: Vec<Option<String>>,
}

/// Reads the figures of what is `asked`.
pub fn gather(
    reader: &Reader,
    asked: &Asked,
    zones: &[Publishing],
    geo: &Geo,
    now: Timestamp,
) -> Result<Figures, Error> {
    let gathering = Gathering { reader, asked };
    let hours = gathering.hours()?;
    let mut totals = totals(&hours);
    let jails = jails(&hours);
    totals.answers = gathering.answers()?;
    let failures = totals.failures.now;
    let prefixes = gathering.prefixes()?;
    let places = Places::of(&prefixes.addresses, geo);
    let [reporters, reported] = gathering.reports()?;
    let (note, most) = (|prefix: &Prefix| geo.note(prefix.address()), asked.top);
    let top = |ranking: &Ranking<Prefix>, all| ranking.top(most, all, ToString::to_string, note);
    Ok(Figures {
        period: asked.period,
        before: asked.period.before(),
        is_over: asked.period.until.start() <= now,
        made: now.to_string(),
        jail: asked.jail.clone(),
        course: course(asked.period, &hours),
        categories: categories(&jails, zones),
        addresses: top(&prefixes.addresses, failures),
        networks_ipv4: top(&prefixes.networks_ipv4, prefixes.networks_ipv4.sum()),
        networks_ipv6: top(&prefixes.networks_ipv6, prefixes.networks_ipv6.sum()),
        users: gathering.users()?,
        countries: geo.knows_countries().then(|| places.countries(most, failures)),
        systems: geo.knows_systems().then(|| places.systems(most, failures)),
        reporters,
        reported,
        waits: gathering.waits()?,
        listings: gathering.listings()?,
        notes: geo.problems().to_vec(),
        totals,
        jails,
    })
}

/// Where the rows of both periods come from.
struct Gathering<'a> {
    reader: &'a Reader,
    asked: &'a Asked,
}

impl Gathering<'_> {
    /// The period and the one before.
    fn periods(&self) -> [(When, Period); 2] {
        [(When::Now, self.asked.period), (When::Before, self.asked.period.before())]
    }

    fn jail(&self) -> Option<&str> {
        self.asked.jail.as_deref()
    }

    fn hours(&self) -> Result<Vec<(When, HourOfJail)>, Error> {
        let mut all = Vec::new();
        for (when, period) in self.periods() {
            let hours = self.reader.hours(period.span(), self.jail())?;
            all.extend(hours.into_iter().map(|hour| (when, hour)));
        }
        Ok(all)
    }

    fn prefixes(&self) -> Result<Prefixes, Error> {
        let mut prefixes = Prefixes::default();
        for (when, period) in self.periods() {
            let (span, jail) = (period.span(), self.jail());
            self.reader
                .failing_addresses(span, jail, |row| prefixes.address(when, row.prefix, row.failures))?;
            self.reader
                .failing_networks(span, jail, |row| prefixes.network(when, row.prefix, row.failures))?;
        }
        Ok(prefixes)
    }

    fn users(&self) -> Result<Top, Error> {
        let mut users = Ranking::default();
        for (when, period) in self.periods() {
            self.reader.users(period.span(), self.jail(), |user, failures| {
                users.add(user.to_owned(), when, failures);
            })?;
        }
        Ok(users.top(self.asked.top, users.sum(), |user| masked(user), |_| String::new()))
    }

    /// Reports by organisation, and by category.
    fn reports(&self) -> Result<[Top; 2], Error> {
        let (mut reporters, mut categories) = (Ranking::default(), Ranking::default());
        // Reports are for the list of the hub, whichever jail of a log is looked at.
        for (when, period) in self.periods().into_iter().filter(|_| self.jail().is_none()) {
            self.reader.reports(period.span(), |reporter, category, reports| {
                reporters.add(reporter.to_owned(), when, reports);
                categories.add(category.to_owned(), when, reports);
            })?;
        }
        let top = |ranking: &Ranking<String>| {
            ranking.top(self.asked.top, ranking.sum(), Clone::clone, |_| String::new())
        };
        Ok([top(&reporters), top(&categories)])
    }

    fn waits(&self) -> Result<Vec<Wait>, Error> {
        let limits = WAITS.iter().copied().map(Some).chain([None]);
        let mut waits: Vec<Wait> =
            limits.map(|seconds| Wait { seconds, bans: Compared::default() }).collect();
        for (when, period) in self.periods() {
            let bans = self.reader.waits(period.span(), self.jail())?;
            waits.iter_mut().zip(bans).for_each(|(wait, bans)| wait.bans.add(when, bans));
        }
        Ok(waits)
    }

    fn answers(&self) -> Result<Compared, Error> {
        let mut sum = Compared::default();
        for (when, period) in self.periods() {
            self.reader.answers(period.span())?.iter().for_each(|(_, answers)| sum.add(when, *answers));
        }
        Ok(sum)
    }

    fn listings(&self) -> Result<Vec<ListingFigures>, Error> {
        let mut asked = Ranking::default();
        for (when, period) in self.periods() {
            self.reader.asked(period.span(), |prefix, answers| asked.add(prefix, when, answers))?;
        }
        let listing = |(prefix, answers)| {
            let mut jails: Vec<String> =
                self.reader.jails_of(prefix)?.iter().map(ToString::to_string).collect();
            jails.sort();
            Ok(ListingFigures { prefix, jails, answers })
        };
        asked.first(self.asked.top).into_iter().map(listing).collect()
    }
}

/// Failures by address and by network.
#[derive(Default)]
struct Prefixes {
    addresses: Ranking<Prefix>,
    networks_ipv4: Ranking<Prefix>,
    networks_ipv6: Ranking<Prefix>,
}

impl Prefixes {
    fn address(&mut self, when: When, address: Prefix, failures: u64) {
        self.addresses.add(address, when, failures);
        self.network(when, address.widen(NETWORK.0, NETWORK.1), failures);
    }

    fn network(&mut self, when: When, network: Prefix, failures: u64) {
        let networks = if network.is_ipv4() { &mut self.networks_ipv4 } else { &mut self.networks_ipv6 };
        networks.add(network, when, failures);
    }
}

/// Failures by where addresses belong, of those that are known.
#[derive(Default)]
struct Places {
    countries: Ranking<String>,
    systems: Ranking<(u32, String)>,
}

impl Places {
    fn of(addresses: &Ranking<Prefix>, geo: &Geo) -> Self {
        let mut places = Self::default();
        for (prefix, failures) in addresses.iter() {
            places.add(prefix.address(), failures, geo);
        }
        places
    }

    fn add(&mut self, address: IpAddr, failures: Compared, geo: &Geo) {
        if let Some(country) = geo.country(address) {
            self.countries.add_both(country, failures);
        }
        if let Some(system) = geo.system(address) {
            self.systems.add_both(system, failures);
        }
    }

    fn countries(&self, most: usize, failures: u64) -> Top {
        self.countries.top(most, failures, Clone::clone, |_| String::new())
    }

    fn systems(&self, most: usize, failures: u64) -> Top {
        self.systems.top(most, failures, |(number, _)| format!("AS{number}"), |(_, name)| name.clone())
    }
}

fn totals(hours: &[(When, HourOfJail)]) -> Totals {
    let mut totals = Totals::default();
    for (when, hour) in hours {
        totals.failures.add(*when, hour.failures);
        totals.addresses.add(*when, hour.addresses);
        totals.bans.add(*when, hour.bans);
        totals.again.add(*when, hour.again);
    }
    totals
}

fn jails(hours: &[(When, HourOfJail)]) -> Vec<JailFigures> {
    let mut jails: Vec<JailFigures> = Vec::new();
    for (when, hour) in hours {
        let found = jails.iter().position(|jail| *jail.jail == *hour.jail);
        let place = found.unwrap_or_else(|| {
            jails.push(no_figures(&hour.jail));
            jails.len() - 1
        });
        let jail = &mut jails[place];
        jail.failures.add(*when, hour.failures);
        jail.bans.add(*when, hour.bans);
        jail.again.add(*when, hour.again);
    }
    jails.sort_by_cached_key(|jail| (std::cmp::Reverse(jail.failures.now), jail.jail.clone()));
    jails
}

fn no_figures(jail: &Arc<str>) -> JailFigures {
    let none = Compared::default();
    JailFigures { jail: jail.to_string(), failures: none, bans: none, again: none }
}

/// Sums up the jails by the rules that publish them.
fn categories(jails: &[JailFigures], zones: &[Publishing]) -> Vec<CategoryFigures> {
    let of_zone = |zone: &Publishing| {
        let rules = zone.rules.iter().zip(&zone.sublists);
        let mut categories: Vec<CategoryFigures> = rules
            .map(|(rule, sublist)| CategoryFigures {
                zone: zone.zone.clone(),
                code: rule.code,
                sublist: sublist.clone(),
                failures: Compared::default(),
                bans: Compared::default(),
            })
            .collect();
        for jail in jails {
            if let Some(rule) = rule_of(&zone.rules, &jail.jail) {
                categories[usize::from(rule)].failures.add_both(jail.failures);
                categories[usize::from(rule)].bans.add_both(jail.bans);
            }
        }
        categories
    };
    zones.iter().flat_map(of_zone).collect()
}

/// The steps of the period beside those of the one before; a month may have more days than that.
fn course(period: Period, hours: &[(When, HourOfJail)]) -> Course {
    let step = period.step();
    let steps = steps(period.from, period.until, step);
    let mut course = Course {
        step: step.as_secs(),
        failures: vec![Compared::default(); steps],
        bans: vec![Compared::default(); steps],
    };
    for (when, hour) in hours {
        let from = if *when == When::Now { period.from } else { period.before().from };
        let place = (hour.hour.since(from.start()).as_secs() / step.as_secs()) as usize;
        if let Some((failures, bans)) = course.failures.get_mut(place).zip(course.bans.get_mut(place)) {
            failures.add(*when, hour.failures);
            bans.add(*when, hour.bans);
        }
    }
    course
}

fn steps(from: Day, until: Day, step: Duration) -> usize {
    (until.start().since(from.start()).as_secs() / step.as_secs()) as usize
}
