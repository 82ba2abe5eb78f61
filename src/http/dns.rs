//! What the DNS servers have seen.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use super::Daemon;
use super::api::{CodeCount, DnsQuery, DnsSeen, DropCount, RankedAddress, ZoneSeen};
use super::problem::Refused;
use crate::dns::{Counts, Ranked, ZoneCounts};

/// As many addresses of each kind as people look at, where nobody says how many.
const LIMIT: usize = 10;

/// `GET /api/v1/dns`
pub(super) async fn seen(
    State(daemon): Daemon,
    query: Result<Query<DnsQuery>, QueryRejection>,
) -> Result<Json<DnsSeen>, Refused> {
    let Query(DnsQuery { limit }) = query?;
    let service = daemon.dns();
    let Counts { zones, dropped, asked_without_room, log_lost, .. } = service.counts();
    let top = service.top(limit.map_or(LIMIT, |limit| limit as usize));
    let dropped = dropped.into_iter().filter(|(_, queries)| *queries > 0);
    Ok(Json(DnsSeen {
        zones: zones.into_iter().map(zone).collect(),
        dropped: dropped.map(|(reason, queries)| DropCount { reason: reason.to_owned(), queries }).collect(),
        clients: top.clients.into_iter().map(ranked).collect(),
        listed: top.listed.into_iter().map(ranked).collect(),
        asked_without_room,
        log_lost,
    }))
}

fn zone(counts: ZoneCounts) -> ZoneSeen {
    let listed = counts.replies.iter().filter(|reply| reply.listed);
    ZoneSeen {
        queries: counts.replies.iter().map(|reply| reply.count).sum(),
        listed: listed.map(|reply| reply.count).sum(),
        names: counts.names,
        codes: counts.codes.into_iter().map(|(code, answers)| CodeCount { code, answers }).collect(),
        received: counts.received,
        sent: counts.sent,
        origin: counts.origin,
    }
}

fn ranked(ranked: Ranked) -> RankedAddress {
    RankedAddress { address: ranked.address, queries: ranked.queries }
}
