//! The running program: threads and the channels between them, signals, reload, the order of start and stop.
//!
//! ```text
//! source threads ─batches─> pipeline thread ─work─> writer thread ─> lists ─> DNS threads, HTTP tasks
//!                            ^  │ ^──────────orders── HTTP
//!                     answers │  v asks                  │ spool
//!                        threads outside          reporting thread ──> hub
//! ```
//!
//! Every channel is bounded: when the database waits, the pipeline waits, and then the sources do; answers go on from
//! what is published. A thread that ends unexpectedly ends the process with an error.

mod acme;
mod certificate;
mod costly;
pub mod data_files;
mod outside;
mod pipeline;
mod reload;
mod reporting;
mod sources;
mod steering;
pub mod surroundings;
mod writer;

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::access::Attempts;
use crate::access::passkey::Asked;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::dns;
use crate::http;
use crate::ip::{Prefix, PrefixSet};
use crate::jail::{self, Jails, Readers};
use crate::report;
use crate::source::{self, Position};
use crate::store::{KeptReports, ReaderPool, Store};
use crate::sys::{addresses, control, limits, notify, privileges};

use certificate::Renewals;
use costly::Costly;
use data_files::Data;
use outside::Outside;
use pipeline::{Pipeline, jails_by_source};
use reporting::Reporting;
use sources::{Running, Sources};
use steering::{Steering, lock};
use writer::Writer;

/// How often the daemon looks whether all of its threads are alive.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// How long it waits for requests under way when it stops.
const GRACE: Duration = Duration::from_secs(5);

/// What is heard on, taken before privileges are given up.
struct Heard {
    dns: dns::Sockets,
    web: Web,
}

/// What HTTP is spoken on, beside the control socket.
struct Web {
    http: Option<std::net::TcpListener>,
    public: Option<std::net::TcpListener>,
}

/// Where the daemon can be reached once it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// DNS, over UDP and TCP.
    pub dns: Vec<SocketAddr>,
    /// DNS over TLS, HTTPS and QUIC.
    pub encrypted: Vec<(dns::Transport, SocketAddr)>,
    /// Health, metrics and the API.
    pub http: Option<SocketAddr>,
    /// The pages for everybody.
    pub public: Option<SocketAddr>,
    /// The control socket.
    pub control: PathBuf,
}

/// Runs the daemon of `config`, read from `path`, until SIGTERM or SIGINT. `ready` is called once it answers.
pub fn run(path: &Path, config: Config, ready: impl FnOnce(&Reached, http::Steered)) -> Result<()> {
    if let Err(failed) = limits::raise_open_files() {
        warn!("the limit on open files stays as it is: {failed}");
    }
    let heard = listen(&config)?;
    become_unprivileged(&config)?;
    let control = control::bind(&config.http.control)?;
    let runtime =
        Runtime::new().context("no threads for the servers; the limit on threads may be too low")?;
    let signals = Signals::hear(&runtime)?;
    let daemon = Daemon::start(path, config, heard.dns, &runtime)?;
    let outcome = runtime.block_on(daemon.serve(heard.web, control, signals, ready));
    runtime.shutdown_timeout(GRACE);
    outcome
}

fn listen(config: &Config) -> Result<Heard> {
    let dns = dns::bind(&config.dns)?;
    let http = config.http.listen.map(|address| listen_for_http(address, "[http]")).transpose()?;
    let public = config.public.listen.map(|address| listen_for_http(address, "[public]")).transpose()?;
    Ok(Heard { dns, web: Web { http, public } })
}

fn listen_for_http(address: SocketAddr, section: &str) -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let remedy = format!("another program may use this port; choose another `listen` in {section}");
    listener.with_context(|| format!("cannot listen on {address} for HTTP; {remedy}"))
}

/// Root was needed for the ports and for nothing else: what reads strangers' lines and packets must not be root.
fn become_unprivileged(config: &Config) -> Result<()> {
    let user = config.daemon.user.as_deref().filter(|_| privileges::is_root());
    if user.is_none() && privileges::is_root() {
        bail!(
            "refusing to run as root: set `user` in [daemon] to the user to become, such as \"banzone\", or start as that user"
        );
    }
    if user.is_some() {
        surroundings::check_user(config).map_err(config::Errors::from)?;
    }
    let mut paths = config.jails.iter().flat_map(|jail| &jail.sources).map(|source| &*source.path);
    let spool = paths.any(source::needs_spool).then_some(config.spool.as_path());
    let acme = config.acme.as_ref().map(|acme| acme.folder.as_path());
    let folders = [config.store.path.parent(), config.http.control.parent(), spool, acme];
    for folder in folders.into_iter().flatten() {
        privileges::prepare_directory(folder, user)?;
    }
    if let Some(user) = user {
        privileges::drop_to(user)?;
    }
    // The database holds log lines.
    privileges::close_new_files();
    Ok(())
}

/// The signals that mean something. They are heard from the start: until then a SIGHUP would end the process.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn hear(runtime: &Runtime) -> Result<Self> {
        let _runtime = runtime.enter();
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// The parts that run.
struct Daemon {
    steering: Arc<Steering>,
    pipeline: JoinHandle<()>,
    writer: JoinHandle<()>,
    dns: dns::Server,
    reached: Vec<SocketAddr>,
    encrypted: Vec<(dns::Transport, SocketAddr)>,
    stopping: Arc<AtomicBool>,
}

impl Daemon {
    /// Starts everything in the order of the flow turned round: whoever is written to runs before whoever writes.
    fn start(path: &Path, config: Config, sockets: dns::Sockets, runtime: &Runtime) -> Result<Self> {
        let clock = Clock::System;
        let certificates = Renewals::start(sockets.certificates(), &config, clock.now())?;
        let Loaded { jails, readers, positions, data, mut writer } = Loaded::load(&config, &clock)?;
        let (reporting, woken) = Reporting::new(config.hub.clone());
        writer.reporting = Some(Arc::clone(&reporting));
        let (service, trouble) = (Arc::clone(&writer.service), Arc::clone(&writer.trouble));
        let (stopping, changed) = (Arc::clone(&writer.stopping), writer.changed.subscribe());

        let (to_writer, from_pipeline) = sync_channel(writer::QUEUE);
        let writer = spawn("writer", move || writer.run(&from_pipeline))?;
        let (reached, encrypted) = (sockets.local_addresses(), sockets.encrypted_addresses());
        let dns = dns::serve(sockets, &service, runtime.handle())?;
        let (to_pipeline, inputs) = sync_channel(pipeline::QUEUE);
        let outside = Outside::new(Box::new(outside::System), clock.clone(), to_pipeline.clone());
        let held = Arc::new(AtomicUsize::new(jails.held_listings().len()));
        let pipeline = Pipeline {
            jails,
            readers,
            clock: clock.clone(),
            writer: to_writer.clone(),
            outside: Arc::clone(&outside),
            costly: Costly::default(),
            held: Arc::clone(&held),
            hub: config.hub.clone(),
        };
        let pipeline = spawn("pipeline", move || pipeline.run(&inputs))?;
        // Before any line is read: it must not ban whom a name excuses.
        outside.learn(&config.jails);
        let sources = start_sources(&config, &positions, &to_pipeline)?;

        let steering = Arc::new(Steering {
            path: path.to_owned(),
            started: clock.now(),
            clock,
            pipeline: Mutex::new(Some(to_pipeline)),
            writer: Mutex::new(Some(to_writer)),
            sources: Mutex::new(sources),
            outside,
            service,
            changed,
            stopping: watch::Sender::new(false),
            trouble,
            held,
            reporting: Arc::clone(&reporting),
            certificates,
            readers: Arc::new(ReaderPool::new(config.store.path.clone())),
            geo: report::KeptGeo::default(),
            issuing: Arc::default(),
            attempts: Attempts::default(),
            passkeys: Asked::default(),
            witness: Arc::default(),
            refusals: crate::access::Refusals::default(),
            running: Mutex::new(config),
            data: Mutex::new(data),
            reloading: Arc::default(),
        });
        start_reporting(reporting, woken, &steering)?;
        Ok(Self { steering, pipeline, writer, dns, reached, encrypted, stopping })
    }

    /// Serves until told to stop or until a part is found dead, then lets what was read run through to the database.
    async fn serve(
        self,
        web: Web,
        control: UnixListener,
        signals: Signals,
        ready: impl FnOnce(&Reached, http::Steered),
    ) -> Result<()> {
        let stopped = self.steering.stopping.subscribe();
        let reached = Reached {
            dns: self.reached.clone(),
            encrypted: self.encrypted.clone(),
            http: web.http.as_ref().and_then(|listener| listener.local_addr().ok()),
            public: web.public.as_ref().and_then(|listener| listener.local_addr().ok()),
            control: self.steering.control_path(),
        };
        let servers = serve_http(&self.steering, web, control, &stopped)?;
        tell("ready", notify::ready());
        tell("status", notify::status(&format!("answering on {:?}", reached.dns)));
        info!(dns = ?reached.dns, http = ?reached.http, public = ?reached.public, encrypted = ?reached.encrypted, "answering");
        ready(&reached, Arc::new(Arc::clone(&self.steering)));
        tokio::spawn(acme::issue_in_time(Arc::clone(&self.steering.issuing), Arc::downgrade(&self.steering)));
        tokio::spawn(follow_data_files(Arc::clone(&self.steering)));
        let outcome = self.wait(signals).await;
        tell("stopping", notify::stopping());
        self.steering.stopping.send_replace(true);
        for server in servers {
            // Connections that stay open are cut off.
            let _ = tokio::time::timeout(GRACE, server).await;
        }
        self.stop(&reached.control).await;
        outcome
    }

    /// Waits for a reason to stop; reloads on SIGHUP.
    async fn wait(&self, mut signals: Signals) -> Result<()> {
        let mut look_around = tokio::time::interval(LOOK_AROUND);
        let mut certificate = tokio::time::interval(certificate::LOOK);
        let mut watchdog =
            tokio::time::interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(3600)));
        loop {
            tokio::select! {
                // It may have to wait for the database; being told to stop meanwhile must not.
                _ = signals.hangup.recv() => drop(tokio::spawn(reload(Arc::clone(&self.steering)))),
                _ = signals.terminate.recv() => return Ok(()),
                _ = signals.interrupt.recv() => return Ok(()),
                _ = look_around.tick() => {
                    self.check_alive()?;
                    self.steering.tell_problems();
                }
                _ = certificate.tick() => drop(tokio::task::spawn_blocking(look_at_certificate(&self.steering))),
                _ = watchdog.tick() => drop(tokio::task::spawn_blocking(feed_watchdog(self.reached.clone()))),
            }
        }
    }

    /// A thread that has ended has left its part of the work undone: nothing less than a restart mends that.
    fn check_alive(&self) -> Result<()> {
        let dead = if self.pipeline.is_finished() {
            "pipeline"
        } else if self.writer.is_finished() {
            "writer"
        } else if !self.dns.is_running() {
            "DNS"
        } else if self.steering.any_source_dead() {
            "source"
        } else {
            return Ok(());
        };
        Err(anyhow!(
            "the {dead} thread has ended unexpectedly; this is a defect, please report it with the lines above"
        ))
    }

    /// From the head of the flow to its end, so that everything read is committed; answers go on the longest.
    async fn stop(self, control: &Path) {
        let Self { steering, pipeline, writer, dns, stopping, .. } = self;
        stopping.store(true, std::sync::atomic::Ordering::Relaxed);
        // A reload under way must not start sources behind our back.
        let _no_reload = tokio::time::timeout(GRACE, Arc::clone(&steering.reloading).lock_owned()).await;
        let service = Arc::clone(&steering.service);
        let drained = tokio::task::spawn_blocking(move || {
            steering.close();
            let _ = pipeline.join();
            let _ = writer.join();
        });
        if drained.await.is_err() {
            error!("not everything could be brought to an end");
        }
        dns.stop().await;
        // The last lines of the query log.
        let _ = service.see(&dns::Seeing::default());
        let _ = std::fs::remove_file(control);
        info!("stopped");
    }
}

/// Starts the thread that reports to a hub.
fn start_reporting(reporting: Arc<Reporting>, woken: Receiver<()>, steering: &Arc<Steering>) -> Result<()> {
    let daemon = Arc::downgrade(steering);
    // It ends with the process, and may be waiting for the hub then.
    drop(spawn("reporting", move || reporting::run(&reporting, &woken, &daemon))?);
    Ok(())
}

fn look_at_certificate(steering: &Arc<Steering>) -> impl FnOnce() + use<> {
    let steering = Arc::clone(steering);
    move || steering.certificates.look(steering.clock.now())
}

/// Tells the service manager that all is well, if DNS answers a query as strangers ask it; otherwise stays silent, and is
/// started anew.
fn feed_watchdog(servers: Vec<SocketAddr>) -> impl FnOnce() {
    move || match servers.first().map_or(Ok(()), |server| dns::probe(*server)) {
        Ok(()) => tell("alive", notify::alive()),
        Err(failed) => warn!("DNS did not answer when asked: {failed}"),
    }
}

/// Answers from what is in the files of data sets, for ever.
async fn follow_data_files(steering: Arc<Steering>) {
    loop {
        tokio::time::sleep(data_files::CHECK).await;
        let _no_reload = steering.reloading.lock().await;
        let looking = Arc::clone(&steering);
        if tokio::task::spawn_blocking(move || looking.look_at_data_files()).await.is_err() {
            error!("the files of data sets could not be looked at; this is a defect, please report it");
        }
    }
}

async fn reload(steering: Arc<Steering>) {
    tell("reloading", notify::reloading());
    if let Err(failed) = http::Control::reload(&steering).await {
        let summary = failed.to_string();
        for line in failed.lines() {
            error!("{line}");
        }
        error!("{summary}");
    }
    tell("ready", notify::ready());
}

fn serve_http(
    steering: &Arc<Steering>,
    web: Web,
    control: UnixListener,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<tokio::task::JoinHandle<()>>> {
    let until = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is a reason to stop as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let mut servers = Vec::new();
    control.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(control)?;
    let daemon: http::Steered = Arc::new(Arc::clone(steering));
    servers.push(report(
        "control socket",
        http::serve_control(listener, Arc::clone(&daemon), until(stopped.clone())),
    ));
    if let Some(listener) = web.http {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let settings = lock(&steering.running).http.clone();
        let certificates = Arc::clone(steering.certificates.http.certificates());
        let (daemon, stop) = (Arc::clone(&daemon), until(stopped.clone()));
        servers.push(report("HTTP", async move {
            http::serve_tcp(listener, &settings, &certificates, daemon, stop).await
        }));
    }
    if let Some(listener) = web.public {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        servers.push(report("public HTTP", http::serve_public(listener, daemon, until(stopped.clone()))));
    }
    Ok(servers)
}

fn report(
    what: &'static str,
    server: impl Future<Output = std::io::Result<()>> + Send + 'static,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(failed) = server.await {
            error!("the {what} server has ended: {failed}");
        }
    })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.with_context(|| format!("no thread for the {name}; the limit on threads may be too low"))
}

/// Nobody may be listening, and that is fine; that telling failed is worth a line.
fn tell(what: &str, told: std::io::Result<()>) {
    if let Err(failed) = told {
        warn!("the service manager could not be told `{what}`: {failed}");
    }
}

fn own_addresses() -> PrefixSet {
    match addresses::own_addresses() {
        Ok(addresses) => addresses.into_iter().map(Prefix::host).collect(),
        Err(failed) => {
            warn!("the addresses of this host are unknown, `ignoreself` has no effect: {failed}");
            PrefixSet::default()
        }
    }
}

/// The stages as the last transaction left them, before anything runs.
struct Loaded {
    jails: Jails,
    readers: Readers,
    positions: Vec<Position>,
    data: Data,
    writer: Writer,
}

impl Loaded {
    fn load(config: &Config, clock: &Clock) -> Result<Self> {
        let own = own_addresses();
        let mut readers = Readers::new(&config.jails, clock.now())?;
        // What could not be read is said in the log; bans are answered all the same.
        let data = Data::load(data_files::sets(config), &Data::default(), clock.now());
        let zones = Arc::new(data_files::zones(config, &data)?);
        let store = Store::open(&config.store, clock.now())?;
        let kept = store.kept()?;
        readers.restore(&kept.remembered);
        let never = jail::never_listed(&config.jails, &config.allow, &own);
        let mut jails = Jails::new(config.jails.clone(), config.allow.clone(), own, rand::random());
        restore(&mut jails, &store, &kept)?;
        let publisher = writer::publisher(&store, &zones, never, jails.bans().clone(), clock)?;
        let service = Arc::new(dns::Service::new(zones, clock.clone()));
        surroundings::see(config, &service).map_err(config::Errors::from)?;
        service.set_rate_limit(config.rate_limit.clone());
        let (changed, _) = watch::channel(store.last_number());
        let writer = Writer {
            store,
            publisher,
            service,
            changed,
            clock: clock.clone(),
            trouble: Arc::default(),
            reporting: None,
            stopping: Arc::default(),
        };
        Ok(Self { jails, readers, positions: kept.positions, data, writer })
    }
}

fn start_sources(
    config: &Config,
    kept: &[Position],
    pipeline: &SyncSender<pipeline::Input>,
) -> Result<Sources> {
    let mut sources = Sources::default();
    for (settings, jails) in jails_by_source(&config.jails) {
        let positions = kept.iter().filter(|position| position.source == settings.path);
        let path = Arc::clone(&settings.path);
        let running =
            Running::start(&settings, &config.spool, jails, positions.cloned().collect(), pipeline.clone())?;
        sources.insert(path, running);
    }
    Ok(sources)
}

fn restore(jails: &mut Jails, store: &Store, kept: &crate::store::Kept) -> Result<()> {
    for (jail, prefix, counter) in &kept.counters {
        jails.restore_counter(jail, *prefix, counter.clone());
    }
    for (jail, failed, banned) in &kept.totals {
        jails.restore_totals(jail, *failed, *banned);
    }
    jails.restore_allowlist(kept.allowlist.iter().cloned());
    jails.restore_bans(|each| store.bans_in_force(each))?;
    for (jail, prefix, offender) in &kept.offenders {
        jails.restore_offender(jail, *prefix, *offender);
    }
    restore_reports(jails, store, &kept.reports)?;
    Ok(())
}

fn restore_reports(jails: &mut Jails, store: &Store, kept: &KeptReports) -> Result<()> {
    for (name, reporter) in &kept.reporters {
        jails.restore_reporter(name, reporter.clone());
    }
    for (name, known_by, at, tally) in &kept.known {
        jails.restore_known(name, known_by, *at, *tally);
    }
    store.votes(|name, prefix, time| jails.restore_vote(name, prefix, time))?;
    for (prefix, held) in &kept.held {
        jails.restore_held(*prefix, *held);
    }
    Ok(())
}
