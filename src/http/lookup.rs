//! Everything that is known of one address, or of a domain name; and what is so of many addresses now.

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::api::{
    Addresses, Allow, BanInForce, Checked, CheckedAddress, Failures, Listing, Lookup, MAX_ADDRESSES,
    NameLookup, Score, SetListing, Vote,
};
use super::bans::{allowed, seen};
use super::problem::Refused;
use super::reporters::votes;
use super::{By, Control, Daemon, Failed, turns};
use crate::access::{Grant, Principal};
use crate::clock::Timestamp;
use crate::ip::{Prefix, write_reversed};
use crate::jail::{BanTable, Held, Jails};
use crate::store::{PastBan, Reader};
use crate::zone::{InSet, Name, ParseNameError};

/// `GET /api/v1/lookup/{address}`
pub(super) async fn lookup(
    State(daemon): Daemon,
    Extension(by): By,
    Path(address): Path<String>,
) -> Result<Json<Lookup>, Refused> {
    let address: IpAddr = address.parse().map_err(|_| no_address(&address))?;
    let (host, sees_all, now) = (Prefix::host(address), by.sees_all(), daemon.now());
    let prefixes = covering_prefixes(host);
    let covering = prefixes.clone();
    let look = move |jails: &Jails| {
        let votes = if sees_all { voted(jails, &covering, now) } else { Default::default() };
        (failing(jails, address), allowed_by(jails, host, sees_all), votes)
    };
    let (mut failures, allowed, (votes, scores)) = daemon.see(look).await?;
    let (mut bans, mut history) = (Vec::new(), Vec::new());
    failures.retain(|failures| by.grant().has_jail(&failures.jail));
    for past in past_bans(&*daemon, prefixes, by.grant().clone()).await? {
        if past.ended.is_none() { &mut bans } else { &mut history }.push(seen(&*daemon, &by, past));
    }
    let listings = own_listings(&*daemon, &by, address);
    let sets = in_sets(&*daemon, &by, &write_reversed(address));
    Ok(Json(Lookup { address, bans, listings, sets, allowed, failures, votes, scores, history }))
}

/// The votes for `prefixes`, and what those for each weigh together.
fn voted(jails: &Jails, prefixes: &[Prefix], now: Timestamp) -> (Vec<Vote>, Vec<Score>) {
    let Some((_, settings)) = jails.reports() else { return Default::default() };
    let threshold = settings.consensus.threshold;
    let votes: Vec<Vote> = prefixes.iter().flat_map(|prefix| votes(jails, *prefix, now)).collect();
    let score = |votes: &[Vote]| Score {
        prefix: votes[0].prefix,
        sum: votes.iter().map(|vote| vote.weight).sum(),
        threshold,
    };
    let scores = votes.chunk_by(|one, other| one.prefix == other.prefix).map(score).collect();
    (votes, scores)
}

/// So many check many addresses at a time.
static CHECKING: Semaphore = Semaphore::const_new(2);

/// `POST /api/v1/lookup`
pub(super) async fn many(
    State(daemon): Daemon,
    Extension(by): By,
    body: Result<Json<Addresses>, JsonRejection>,
) -> Result<Json<Checked>, Refused> {
    let Json(Addresses { addresses }) = body?;
    if addresses.len() > MAX_ADDRESSES {
        let detail = format!("{} addresses are too many: send {MAX_ADDRESSES} at most", addresses.len());
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let hosts: Vec<Prefix> = addresses.iter().copied().map(Prefix::host).collect();
    let look = move |jails: &Jails| {
        let allowed = hosts.iter().map(|host| jails.allowlist().covers(*host));
        (jails.bans().clone(), allowed.collect::<Vec<bool>>())
    };
    let turn = turns::turn(&CHECKING).await?;
    let (table, allowed) = daemon.see(look).await?;
    // On a copy of the table, so that the jails go on meanwhile.
    let check = move || {
        let result = |(address, is_allowed)| CheckedAddress {
            address,
            bans: in_force(&table, &by, Prefix::host(address), daemon.now()),
            listings: own_listings(&*daemon, &by, address),
            sets: in_sets(&*daemon, &by, &write_reversed(address)),
            is_allowed,
        };
        addresses.into_iter().zip(allowed).map(result).collect()
    };
    let results = turns::work(turn, check).await?;
    Ok(Json(Checked { results }))
}

/// The bans that cover all of `prefix`, the narrowest first, as far as they are for `by`.
pub(super) fn in_force(table: &BanTable, by: &Principal, prefix: Prefix, now: Timestamp) -> Vec<BanInForce> {
    let covering = table.covering(prefix).into_iter().filter(|(_, held)| held.in_force(now));
    let shown = |(prefix, held): (Prefix, Held)| BanInForce {
        prefix,
        jail: table.jails()[held.jail.index()].name.to_string(),
        since: held.since,
        until: held.until,
    };
    covering.map(shown).filter(|ban| by.grant().has_jail(&ban.jail)).collect()
}

/// `GET /api/v1/names/{name}`
pub(super) async fn name(
    State(daemon): Daemon,
    Extension(by): By,
    Path(name): Path<String>,
) -> Result<Json<NameLookup>, Refused> {
    let name: Name = name
        .parse()
        .map_err(|error: ParseNameError| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let name = name.to_string().trim_end_matches('.').to_owned();
    let sets = in_sets(&*daemon, &by, &name);
    Ok(Json(NameLookup { name, sets }))
}

/// What data sets have for what is written so before the origin of a zone, as far as it is for `by`.
fn in_sets(daemon: &dyn Control, by: &Principal, written: &str) -> Vec<SetListing> {
    let labels: Vec<&[u8]> = written.split('.').map(str::as_bytes).collect();
    let found = daemon.dns().zones().in_sets(&labels, daemon.now()).into_iter();
    let shown = |InSet { zone, set, code, text }| SetListing { zone, set, code, text };
    found.map(shown).filter(|listing| by.grant().has_zone(&listing.zone)).collect()
}

fn no_address(written: &str) -> Refused {
    let detail = format!("`{written}` is no address: write 192.0.2.1 or 2001:db8::1");
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// The failures of `address` that are being counted.
fn failing(jails: &Jails, address: IpAddr) -> Vec<Failures> {
    let failures = jails.names().filter_map(|jail| {
        let counter = jails.counter(jail, address)?;
        Some(Failures { jail: jail.to_string(), failures: counter.failures, last: counter.last })
    });
    failures.collect()
}

/// What allows all of `prefix`: an entry, or in words whatever else does; without words for those who do not see all.
pub(super) fn allowed_by(jails: &Jails, prefix: Prefix, sees_all: bool) -> Option<Allow> {
    let entry = jails.allowlist().entries().find(|entry| entry.prefix.covers(prefix)).map(allowed);
    let found = entry.or_else(|| {
        let note = jails.allowlist().covering(prefix)?;
        Some(Allow { prefix, note, owner: String::new(), since: None, until: None })
    })?;
    if sees_all {
        return Some(found);
    }
    Some(Allow { note: String::new(), owner: String::new(), ..found })
}

/// Every network that holds `host`: 33 for IPv4, 129 for IPv6.
fn covering_prefixes(host: Prefix) -> Vec<Prefix> {
    (0..=host.len()).rev().filter_map(|length| Prefix::new(host.address(), length)).collect()
}

/// The bans of `prefixes`, as far as they are for whoever has `grant`, the newest first.
async fn past_bans(
    daemon: &dyn Control,
    prefixes: Vec<Prefix>,
    grant: Grant,
) -> Result<Vec<PastBan>, Failed> {
    let read = move |reader: &Reader| {
        let mut found = Vec::new();
        for prefix in prefixes {
            found.extend(reader.history(prefix, |jail| grant.has_jail(jail))?);
        }
        found.sort_by_key(|past| std::cmp::Reverse(past.ban.since));
        Ok(found)
    };
    daemon.read(read).await
}

/// What DNS answers for `address`, as far as it is for `by`.
fn own_listings(daemon: &dyn Control, by: &Principal, address: IpAddr) -> Vec<Listing> {
    let shown = |answer: crate::zone::Listed| Listing {
        zone: answer.zone.to_string(),
        prefix: answer.prefix,
        code: answer.code,
        text: answer.text,
    };
    let listed = daemon.dns().zones().listed(address, daemon.now()).into_iter().map(shown);
    listed.filter(|listing| by.grant().has_zone(&listing.zone)).collect()
}
