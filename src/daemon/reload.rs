//! A new configuration takes the place of the old one: read whole and checked first, then put in force from the end
//! of the flow to its head, so that whatever arrives finds its place. Offsets, counters and answers go on.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::{info, warn};

use super::certificate;
use super::data_files::{self, Data};
use super::pipeline::{self, jails_by_source};
use super::sources::{Running, stop_all};
use super::steering::{Steering, lock, send_when_free};
use super::{own_addresses, surroundings, writer};
use crate::clock::Timestamp;
use crate::config::{self, Config};
use crate::http::ReloadFailed;
use crate::jail::{Readers, never_listed};
use crate::source;
use crate::store::Reader;
use crate::zone::Zones;

/// Reads the configuration again and puts it in force, save for what comes back, a line each: it takes a restart. Whatever
/// becomes of the configuration, the query log is opened anew.
pub(super) async fn reload(daemon: &Steering) -> Result<Vec<String>, ReloadFailed> {
    let reloaded = match prepare(daemon).await {
        Ok(prepared) => prepared.put_in_force(daemon).await,
        Err(errors) => Err(ReloadFailed::Refused(errors)),
    };
    if let Err(ReloadFailed::Refused(_)) = reloaded {
        reopen_query_log(daemon);
    }
    reloaded
}

async fn prepare(daemon: &Steering) -> Result<Prepared, Vec<String>> {
    // It would wait for the database, and keep everybody else from following data files meanwhile.
    if let Some(trouble) = daemon.trouble.get() {
        return Err(vec![format!("{trouble}; reload again afterwards")]);
    }
    let path = daemon.path.clone();
    let (now, data, before) = (daemon.clock.now(), lock(&daemon.data).clone(), daemon.service.zones());
    let prepared = tokio::task::spawn_blocking(move || Prepared::read(&path, &data, &before, now)).await;
    prepared.map_err(|failed| vec![failed.to_string()])?
}

/// Whoever has moved the log away, as logrotate does, knows nothing of the new configuration.
fn reopen_query_log(daemon: &Steering) {
    let running = lock(&daemon.running).clone();
    if let Err(failed) = tokio::task::block_in_place(|| surroundings::see(&running, &daemon.service)) {
        warn!("{failed}; queries are logged where they were");
    }
}

/// A configuration that can be put in force.
struct Prepared {
    config: Config,
    certificates: certificate::Read,
    data: Data,
    jails: pipeline::Reconfiguration,
    lists: writer::Reconfiguration,
}

impl Prepared {
    /// `served` is what the data sets in service were read as, `before` are the zones in service.
    fn read(
        path: &std::path::Path,
        served: &Data,
        before: &Zones,
        now: Timestamp,
    ) -> Result<Self, Vec<String>> {
        let lines = |errors: config::Errors| errors.0.iter().map(ToString::to_string).collect::<Vec<_>>();
        let config = config::load(path).map_err(lines)?;
        let certificates = certificate::Read::all(&config).map_err(lines)?;
        let own = own_addresses();
        let one = |failed: &dyn std::fmt::Display| vec![failed.to_string()];
        let data = Data::load(data_files::sets(&config), served, now);
        let missing = data.missing(served).into_iter();
        let missing: Vec<_> =
            missing.map(|(set, message)| format!("{}: {message}", config.places.data_sets[set])).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let jails = pipeline::Reconfiguration {
            jails: config.jails.clone(),
            readers: Readers::new(&config.jails, now).map_err(|failed| one(&failed))?,
            allow: config.allow.clone(),
            own: own.clone(),
            hub: config.hub.clone(),
        };
        let zones = data_files::zones(&config, &data).map_err(|failed| one(&failed))?;
        let lists = writer::Reconfiguration {
            zones: Arc::new(zones.going_on_from(before)),
            never: never_listed(&config.jails, &config.allow, &own),
            store: config.store.clone(),
        };
        // Last, as it makes the file.
        surroundings::try_query_log(&config).map_err(|failed| one(&failed))?;
        Ok(Self { config, certificates, data, jails, lists })
    }

    /// What can be refused comes first, before anything has changed.
    async fn put_in_force(self, daemon: &Steering) -> Result<Vec<String>, ReloadFailed> {
        let Self { mut config, certificates, data, jails, lists } = self;
        republish(daemon, lists).await.map_err(|failed| ReloadFailed::Refused(vec![failed]))?;
        for notice in &config.notices {
            info!("{notice}");
        }
        let stays = what_stays(&lock(&daemon.running), &config);
        stays.iter().for_each(|line| warn!("{line}"));
        let mut failed = Vec::new();
        if let Err(error) = tokio::task::block_in_place(|| surroundings::see(&config, &daemon.service)) {
            config.seeing = lock(&daemon.running).seeing.clone();
            failed.push(error.to_string());
        }
        daemon.certificates.put_in_force(&config, certificates, daemon.clock.now());
        daemon.service.set_rate_limit(config.rate_limit.clone());
        daemon.reporting.reconfigure(config.hub.clone());
        *lock(&daemon.data) = data;
        stop_sources(daemon, &config).await;
        // Before the jails that the rules are for.
        tokio::task::block_in_place(|| daemon.outside.learn(&config.jails));
        reconfigure_jails(daemon, jails).await.map_err(|failed| ReloadFailed::Incomplete(vec![failed]))?;
        failed.extend(start_sources(daemon, &config).await);
        let mut running = lock(&daemon.running);
        keep_what_stays(&running, &mut config);
        info!("the configuration was read again: {} jails, {} zones", config.jails.len(), config.zones.len());
        *running = config;
        drop(running);
        daemon.issuing.wake();
        if failed.is_empty() { Ok(stays) } else { Err(ReloadFailed::Incomplete(failed)) }
    }
}

async fn republish(daemon: &Steering, lists: writer::Reconfiguration) -> Result<(), String> {
    let (done, published) = oneshot::channel();
    let writer = lock(&daemon.writer).clone().ok_or_else(stopping)?;
    let input = writer::Input::Reconfigure(Box::new(lists), done);
    send_when_free(writer, input).await.map_err(|_| stopping())?;
    published.await.map_err(|_| stopping())?.map_err(|failed| failed.to_string())
}

/// When this returns, everything that was read before is in the database: a source that comes back later goes on from
/// there.
async fn reconfigure_jails(daemon: &Steering, jails: pipeline::Reconfiguration) -> Result<(), String> {
    let (done, committed) = oneshot::channel();
    let pipeline = lock(&daemon.pipeline).clone().ok_or_else(stopping)?;
    let input = pipeline::Input::Reconfigure(Box::new(jails), done);
    send_when_free(pipeline, input).await.map_err(|_| stopping())?;
    match committed.await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(stopping()),
    }
}

fn stopping() -> String {
    "the daemon is stopping".to_owned()
}

/// Stops the sources that no jail reads any more; what they read is on its way before this returns.
async fn stop_sources(daemon: &Steering, config: &Config) {
    let wanted = jails_by_source(&config.jails);
    let is_wanted = |path: &str| wanted.iter().any(|(settings, _)| *settings.path == *path);
    let unwanted = lock(&daemon.sources).take(|path| !is_wanted(path));
    tokio::task::block_in_place(|| stop_all(unwanted));
}

/// Starts the sources that are new, where they were left if they were ever read before. One that cannot be read keeps no
/// other from being read; what is wrong with it comes back.
async fn start_sources(daemon: &Steering, config: &Config) -> Vec<String> {
    let mut failed = Vec::new();
    for (settings, jails) in jails_by_source(&config.jails) {
        if lock(&daemon.sources).reassign(&settings.path, &jails) {
            continue;
        }
        let path = Arc::clone(&settings.path);
        match start_source(daemon, settings, jails).await {
            Ok(running) => lock(&daemon.sources).insert(path, running),
            Err(error) => failed.push(format!("{path} is not read: {error:#}")),
        }
    }
    failed
}

/// No lock is held while files are opened, which may take long on a network.
async fn start_source(
    daemon: &Steering,
    settings: source::Settings,
    jails: Vec<Arc<str>>,
) -> anyhow::Result<Running> {
    let pipeline = lock(&daemon.pipeline).clone().ok_or_else(|| anyhow::Error::msg(stopping()))?;
    let (database, spool) = {
        let running = lock(&daemon.running);
        (running.store.path.clone(), running.spool.clone())
    };
    let start = move || {
        let kept = Reader::open(&database)?.positions(&settings.path)?;
        Ok(Running::start(&settings, &spool, jails, kept, pipeline)?)
    };
    tokio::task::spawn_blocking(start).await?
}

/// What has changed and can't while the daemon runs, a line each.
fn what_stays(before: &Config, after: &Config) -> Vec<String> {
    let changed = [
        (
            "[dns] listen, threads, nap_microseconds, limits or addresses in [dns.tls]",
            before.dns != after.dns,
        ),
        (
            "[http] listen, proxies, rate_limit, or whether there is a certificate, or [control] socket",
            before.http != after.http,
        ),
        ("[public] listen", before.public.listen != after.public.listen),
        ("[store] path or spool", (&before.store.path, &before.spool) != (&after.store.path, &after.spool)),
        ("[daemon] user", before.daemon != after.daemon),
        ("[log]", before.log != after.log),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed
        .map(|(what, _)| format!("{what} has changed, which takes a restart; the rest is in force"))
        .collect()
}

/// Whoever asks for the running configuration must find what is true.
fn keep_what_stays(running: &Config, config: &mut Config) {
    config.dns = running.dns.clone();
    config.http = running.http.clone();
    Arc::make_mut(&mut config.public).listen = running.public.listen;
    config.store.path = running.store.path.clone();
    config.spool = running.spool.clone();
    config.daemon = running.daemon.clone();
    config.log = running.log;
}
