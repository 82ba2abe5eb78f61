//! Status, bans and the allowlist.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::api::{
    Allow, AllowChanged, Allowlist, Ban, BanChanged, BanSort, BanState, Bans, BansQuery, DisallowQuery,
    Ended, HubStatus, JailStatus, ListQuery, MadeBy, NewAllow, NewBan, OutsideStatus, Reloaded, Status,
    StoppedPattern, UnbanQuery,
};
use super::jails;
use super::lists::{check, zone_status};
use super::paging::{page_of, place, rows};
use super::problem::Refused;
use super::routes::{own_jail, own_jail_if_any};
use super::{By, Control, Daemon, HubView, OutsideView, SourceView, turns};
use crate::access::Principal;
use crate::ip::Prefix;
use crate::jail::{self, BanOrder, BanTime, EndCause, Exhausted, MANUAL, Order, Origin};
use crate::source;
use crate::store::{self, BanMaker, BanQuery, Page, PastBan, SpoolState};

type Answer<T> = Result<Json<T>, Refused>;

/// No ban or entry ends later than this from now, as in the configuration: what ends beyond the year 9999 could be
/// written, but not read again.
const LONGEST: u64 = 100 * 31_557_600;

/// `GET /api/v1/status`
pub(super) async fn status(State(daemon): Daemon, Extension(by): By) -> Answer<Status> {
    let seen = daemon.see_all(|jails, readers| {
        (jails.names().map(|name| name.to_string()).collect::<Vec<_>>(), readers.exhausted())
    });
    let (mut jails, mut exhausted) = seen.await?;
    jails.retain(|jail| by.grant().has_jail(jail));
    exhausted.retain(|exhausted| by.grant().has_jail(&exhausted.jail));
    let zones = daemon.dns().zones();
    let zone =
        |(index, zone): (usize, &crate::zone::Zone)| zone_status(zone, &zones.lists().latest()[index].list);
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: daemon.started(),
        jails,
        zones: zones
            .zones()
            .iter()
            .enumerate()
            .map(zone)
            .filter(|zone| by.grant().has_zone(&zone.origin))
            .collect(),
        outside: if by.sees_all() { daemon.outside().iter().map(outside).collect() } else { Vec::new() },
        hub: if by.sees_all() { hub(&*daemon).await? } else { None },
        patterns_stopped: exhausted.iter().map(stopped).collect(),
    }))
}

/// The hub that is reported to, and the spool before it.
pub(super) async fn hub(daemon: &dyn Control) -> Result<Option<HubStatus>, Refused> {
    let Some(HubView { url, accepted, duplicate, refused, last_sent, problem }) = daemon.hub() else {
        return Ok(None);
    };
    let SpoolState { waiting, dropped } = daemon.read(store::Reader::spool_state).await?;
    Ok(Some(HubStatus { url, waiting, dropped, accepted, duplicate, refused, last_sent, problem }))
}

fn outside(view: &OutsideView) -> OutsideStatus {
    let OutsideView { kind, asked, failed, dropped, waiting } = *view;
    OutsideStatus { kind: kind.to_owned(), asked, failed, dropped, waiting }
}

fn stopped(Exhausted { jail, pattern, lines }: &Exhausted) -> StoppedPattern {
    StoppedPattern { jail: jail.to_string(), pattern: pattern.to_string(), lines: *lines }
}

/// What a jail reads, by kind.
#[derive(Default)]
struct Reads {
    files: Vec<String>,
    streams: Vec<String>,
    journal_matches: Option<Vec<String>>,
}

impl Reads {
    fn of(sources: &[SourceView]) -> Self {
        let mut reads = Self::default();
        for source in sources {
            if source::kind(&source.path).is_files {
                let files = source.counters.followed().into_iter();
                reads.files.extend(files.map(|file| file.display().to_string()));
            } else if let Some(matches) = source::journal_matches(&source.path) {
                reads.journal_matches.get_or_insert_default().extend(matches);
            } else {
                reads.streams.push(source.path.to_string());
            }
        }
        reads
    }
}

/// So many list all that a jail holds at a time.
static LISTING: Semaphore = Semaphore::const_new(2);

/// `GET /api/v1/jails/{jail}`
pub(super) async fn jail(State(daemon): Daemon, Path(name): Path<String>) -> Answer<JailStatus> {
    let turn = turns::turn(&LISTING).await?;
    let asked = name.clone();
    let found = daemon.see_all(move |jails, readers| {
        let hits = jails::hits(&asked, jails, readers);
        Some((jails.status(&asked)?, jails.bans().clone(), jails::shown_hits(&asked, jails, hits.as_ref())))
    });
    let (status, table, hits) = found.await?.ok_or_else(|| unknown_jail(&name))?;
    let asked = name.clone();
    // On a copy of the table, so that the jails go on meanwhile.
    let banned = turns::work(turn, move || table.of(&asked)).await?;
    let mut read = daemon.sources();
    read.retain(|source| source.jails.iter().any(|jail| **jail == *name));
    let reads = Reads::of(&read);
    Ok(Json(JailStatus {
        jail: name.clone(),
        currently_failed: status.currently_failed as u64,
        total_failed: status.total_failed,
        files: reads.files,
        streams: reads.streams,
        journal_matches: reads.journal_matches,
        currently_banned: status.currently_banned as u64,
        total_banned: status.total_banned,
        banned,
        hits,
    }))
}

/// Why nothing is known of a jail.
pub(super) fn unknown_jail(name: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("there is no jail `{name}`; `banzone status` lists them"))
}

/// Whether lists of `jail`, or of all, are for `by`, and there is or was a jail of this name, or may be.
pub(super) async fn check_jail(
    daemon: &dyn Control,
    by: &Principal,
    jail: Option<&str>,
) -> Result<(), Refused> {
    own_jail_if_any(by, jail)?;
    // What somebody is confined to may come later: until then it is empty.
    let Some(jail) = jail.filter(|_| by.grant().jails.is_none()).map(Arc::<str>::from) else { return Ok(()) };
    let (kept, now) = (Arc::clone(&jail), Arc::clone(&jail));
    let is_known = daemon.read(move |reader| reader.knows_jail(&kept)).await?
        || daemon.see(move |jails| jails.names().any(|name| *name == now)).await?;
    if is_known { Ok(()) } else { Err(unknown_jail(&jail)) }
}

/// `GET /api/v1/bans`
pub(super) async fn list(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<BansQuery>, QueryRejection>,
) -> Answer<Bans> {
    let Query(query) = query?;
    check_jail(&*daemon, &by, query.jail.as_deref()).await?;
    let query = ban_query(query)?;
    let Page { rows, next } = daemon.read(move |reader| reader.bans(&query, |_| true)).await?;
    let bans = rows.into_iter().map(|past| seen(&*daemon, &by, past)).collect();
    Ok(Json(Bans { bans, next: next.map(|next| next.to_string()) }))
}

fn ban_query(query: BansQuery) -> Result<BanQuery, Refused> {
    let BansQuery { jail, state, prefix, from, until, origin, sort, evidence, after, limit } = query;
    let query = BanQuery {
        jail: jail.map(Arc::from),
        state: match state.unwrap_or_default() {
            BanState::Active => store::BanState::Active,
            BanState::Ended => store::BanState::Ended,
            BanState::All => store::BanState::All,
        },
        within: prefix,
        from,
        until,
        maker: origin.map(|made| match made {
            MadeBy::Log => BanMaker::Log,
            MadeBy::Escalation => BanMaker::Escalation,
            MadeBy::Order => BanMaker::Order,
            MadeBy::Reports => BanMaker::Reports,
        }),
        sort: match sort.unwrap_or_default() {
            BanSort::Newest => store::BanSort::Newest,
            BanSort::Oldest => store::BanSort::Oldest,
            BanSort::FirstToEnd => store::BanSort::FirstToEnd,
            BanSort::LastToEnd => store::BanSort::LastToEnd,
            BanSort::Address => store::BanSort::Address,
        },
        evidence,
        after: place(after.as_deref())?,
        limit: rows(limit),
    };
    check(&query)?;
    Ok(query)
}

/// `POST /api/v1/bans`
pub(super) async fn ban(
    State(daemon): Daemon,
    Extension(by): By,
    body: Result<Json<NewBan>, JsonRejection>,
) -> Answer<BanChanged> {
    let Json(NewBan { prefix, jail, since, seconds, permanent, reason }) = body?;
    check_span(seconds)?;
    let time = match (seconds, permanent) {
        (Some(_), true) => {
            let detail = "a ban lasts either `seconds` or is `permanent`; leave one out";
            return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        (Some(seconds), false) => Some(BanTime::For(Duration::from_secs(seconds))),
        (None, true) => Some(BanTime::Permanent),
        (None, false) => None,
    };
    let jail = jail.map_or_else(|| MANUAL.into(), Arc::<str>::from);
    own_jail(&by, &jail)?;
    let who = by.name().to_owned();
    let order = Order::Ban(BanOrder { prefix, jail: Arc::clone(&jail), since, time, reason, by: who });
    let changed = daemon.order(order).await? > 0;
    let history = daemon.read(move |reader| reader.history(prefix, |of| *of == *jail)).await?;
    let in_force = history.into_iter().find(|past| past.ended.is_none());
    let gone = || Refused::new(StatusCode::CONFLICT, format!("the ban of {prefix} was over before it began"));
    Ok(Json(BanChanged { changed, ban: seen(&*daemon, &by, in_force.ok_or_else(gone)?) }))
}

/// Whether a span of time is one that anybody means.
pub(super) fn check_span(seconds: Option<u64>) -> Result<(), Refused> {
    if seconds.is_some_and(|seconds| seconds > LONGEST) {
        let detail = format!("`seconds` is longer than 100 years, which are {LONGEST}");
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(())
}

/// `DELETE /api/v1/bans`
pub(super) async fn unban(
    State(daemon): Daemon,
    Extension(by): By,
    query: Result<Query<UnbanQuery>, QueryRejection>,
) -> Answer<Ended> {
    let Query(UnbanQuery { prefix, jail, all }) = query?;
    if prefix.is_some() == all {
        let detail = "name a `prefix` to unban, or `all=1` for every ban, but not both";
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    own_jail_if_any(&by, jail.as_deref())?;
    // A network may hold any number of bans.
    let are_many = prefix.is_none_or(|prefix| !prefix.is_host());
    if are_many && !by.is_certain(daemon.now()) {
        return Err(Refused::uncertain());
    }
    let order = Order::Unban { prefix, jail: jail.map(Arc::from), by: by.name().to_owned(), forgive: true };
    let ended = daemon.order(order).await?;
    Ok(Json(Ended { ended: ended as u64 }))
}

/// `GET /api/v1/allow`
pub(super) async fn allowlist(
    State(daemon): Daemon,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Allowlist> {
    let Query(query) = query?;
    let allow = daemon.see(|jails| jails.allowlist().entries().map(allowed).collect::<Vec<_>>()).await?;
    let (allow, next) = page_of(allow, &query, |allow| allow.prefix)?;
    Ok(Json(Allowlist { allow, next }))
}

/// `POST /api/v1/allow`
pub(super) async fn allow(
    State(daemon): Daemon,
    Extension(by): By,
    body: Result<Json<NewAllow>, JsonRejection>,
) -> Answer<AllowChanged> {
    let Json(NewAllow { prefix, note, owner, seconds }) = body?;
    check_span(seconds)?;
    let until = seconds.map(|seconds| daemon.now() + Duration::from_secs(seconds));
    let owner = owner.unwrap_or_else(|| by.name().to_owned());
    let changed = daemon.order(Order::Allow { prefix, note, owner, until }).await?;
    let allow = find_allowed(&*daemon, prefix).await?;
    Ok(Json(AllowChanged { changed: true, allow, ended: changed.saturating_sub(1) as u64 }))
}

async fn find_allowed(daemon: &dyn Control, prefix: Prefix) -> Result<Allow, Refused> {
    let found = daemon
        .see(move |jails| jails.allowlist().entries().find(|entry| entry.prefix == prefix).map(allowed));
    let gone = || Refused::new(StatusCode::CONFLICT, format!("{prefix} was taken off the allowlist at once"));
    found.await?.ok_or_else(gone)
}

/// `DELETE /api/v1/allow`
pub(super) async fn disallow(
    State(daemon): Daemon,
    query: Result<Query<DisallowQuery>, QueryRejection>,
) -> Answer<Ended> {
    let Query(DisallowQuery { prefix }) = query?;
    let ended = daemon.order(Order::Disallow { prefix }).await?;
    Ok(Json(Ended { ended: ended as u64 }))
}

/// `POST /api/v1/reload`
pub(super) async fn reload(State(daemon): Daemon) -> Answer<Reloaded> {
    let mut warnings = daemon.reload().await.map_err(Refused::not_reloaded)?;
    warnings.extend(daemon.health().all_warnings());
    Ok(Json(Reloaded { warnings }))
}

/// An entry of the allowlist as the API shows it.
pub(super) fn allowed(allow: &jail::Allow) -> Allow {
    let jail::Allow { prefix, note, owner, since, until } = allow.clone();
    Allow { prefix, note, owner, since: Some(since), until }
}

/// A ban as far as it is for `by`, with how often it was the answer, if it is in force.
pub(super) fn seen(daemon: &dyn Control, by: &Principal, past: PastBan) -> Ban {
    if by.sees_all() {
        let asked = past.ended.is_none().then(|| daemon.dns().asked(past.ban.prefix));
        return Ban { asked, ..shown(past) };
    }
    let ban = shown(past);
    // The lines of these say who reports.
    let evidence = if ban.origin == Origin::Reports { Vec::new() } else { ban.evidence };
    Ban { evidence, end_cause: ban.end_cause.map(EndCause::without_reporter), ..ban }
}

/// A ban as the API shows it.
pub(super) fn shown(past: PastBan) -> Ban {
    let PastBan { ban, ended, cause } = past;
    Ban { ended, end_cause: cause, ..Ban::from(&ban) }
}
