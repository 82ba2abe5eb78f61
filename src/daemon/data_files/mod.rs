//! Data sets from their files to the zones that publish them, and a server of nothing else: what `banzone rbldnsd` runs, without
//! logs, jails and a database.
//!
//! The files of each zone are looked at every so often, and read again in a thread of their own when they have changed; until
//! that is done, and if it fails, what was read before is served.

mod files;
mod published;
mod statistics;
mod zones;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

pub use self::files::{Contents, Unread, read};
pub(super) use self::files::{Data, Shrinking};
pub(super) use self::published::{serve, sets, views, zones};
use self::statistics::Statistics;
pub use self::statistics::StatisticsSettings;
use super::Signals;
use crate::clock::Clock;
use crate::dataset::Options;
use crate::dns::{self, QueryLogSettings, Seeing, Service};
use crate::sys::privileges;
use crate::zone::{Name, StaticList};

/// How often the daemon looks at the files of its zones: soon enough for people, at no measurable cost.
pub(super) const CHECK: Duration = Duration::from_secs(2);

/// How often the clock is looked at where no files are.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What is served, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where questions are heard, over UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// Who to become, where this runs as root.
    pub user: String,
    /// The data sets in their order.
    pub sets: Vec<Set>,
    /// The time to live of records for which the files give none.
    pub ttl: Duration,
    /// How often the files are looked at; `None`: only when SIGHUP says so.
    pub check: Option<Duration>,
    /// How files are read.
    pub options: Options,
    /// Where queries are logged.
    pub query_log: Option<QueryLogSettings>,
    /// Where figures are written whenever the files are looked at.
    pub statistics: Option<StatisticsSettings>,
    /// The file for the number of the process. It is written as root, where this runs as root, and stays at the end.
    pub pid_file: Option<PathBuf>,
}

/// A data set of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The zone; `None` is all of them, which only a list of clients or of keys can be for.
    pub origin: Option<Name>,
    /// What it is, and where its files are.
    pub list: StaticList,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(settings: &Settings) -> Result<()> {
    let sockets =
        dns::bind(&dns::Settings { listen: settings.listen.clone(), threads: 1, ..Default::default() })?;
    if let Some(path) = &settings.pid_file {
        write_pid(path)?;
    }
    if privileges::is_root() {
        privileges::drop_to(&settings.user)?;
    }
    let runtime =
        Runtime::new().context("no threads for the servers; the limit on threads may be too low")?;
    let (signals, figures) = (Signals::hear(&runtime)?, FigureSignals::hear(&runtime)?);
    let nothing = Data::default();
    let data = Data::load(settings.sets.clone(), &nothing, Clock::System.now());
    if let Some((_, missing)) = data.missing(&nothing).into_iter().next() {
        bail!(missing);
    }
    let service = Arc::new(Service::new(Arc::new(zones::zones(settings, &data)?), Clock::System));
    service.see(&seeing(settings))?;
    let statistics = Statistics::start(settings.statistics.clone(), Clock::System.now())?;
    let addresses = sockets.local_addresses();
    let server = dns::serve(sockets, &service, runtime.handle())?;
    info!("answering on {addresses:?} from {} data sets", settings.sets.len());
    runtime.block_on(async {
        let serving = Serving { settings: settings.clone(), service, data, statistics };
        let Serving { service, statistics, .. } = serving.until_stopped(signals, figures).await;
        server.stop().await;
        statistics.end(&service.counts(), Clock::System.now());
        // The last lines of the query log.
        service.see(&Seeing::default())
    })?;
    Ok(())
}

fn write_pid(path: &Path) -> Result<()> {
    let written = std::fs::write(path, format!("{}\n", std::process::id()));
    written.with_context(|| format!("cannot write the number of the process to {}", path.display()))
}

/// Nobody can ask this server who asks it.
fn seeing(settings: &Settings) -> Seeing {
    Seeing { count_addresses: false, query_log: settings.query_log.clone() }
}

/// The signals that ask for figures: to show them, and to begin anew as well.
struct FigureSignals {
    show: Signal,
    reset: Signal,
}

impl FigureSignals {
    fn hear(runtime: &Runtime) -> Result<Self> {
        let _runtime = runtime.enter();
        Ok(Self { show: signal(SignalKind::user_defined1())?, reset: signal(SignalKind::user_defined2())? })
    }
}

/// The service and the data it answers from.
struct Serving {
    settings: Settings,
    service: Arc<Service>,
    data: Data,
    statistics: Statistics,
}

impl Serving {
    async fn until_stopped(mut self, mut signals: Signals, mut figures: FigureSignals) -> Self {
        let mut ticks = interval(self.settings.check.unwrap_or(NEVER));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first comes at once.
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => {
                    self = self.look(Shrinking::Allowed).await;
                    self.reopen_log();
                }
                _ = ticks.tick(), if self.settings.check.is_some() => {
                    self = self.look(Shrinking::Refused).await;
                    self.statistics.tick(&self.service.counts(), Clock::System.now());
                }
                _ = figures.show.recv() => self.statistics.show(&self.service.counts(), Clock::System.now()),
                _ = figures.reset.recv() => self.statistics.reset(&self.service.counts(), Clock::System.now()),
                _ = signals.terminate.recv() => return self,
                _ = signals.interrupt.recv() => return self,
            }
        }
    }

    /// The file may have been moved away, as logrotate does.
    fn reopen_log(&self) {
        if let Err(failed) = self.service.see(&seeing(&self.settings)) {
            warn!("{failed}; queries are logged where they were");
        }
    }

    /// Looks whether files have changed, and answers from what is in them now.
    async fn look(self, shrinking: Shrinking) -> Self {
        let looking = tokio::task::spawn_blocking(move || self.look_now(shrinking));
        looking.await.expect("looking at files does not panic")
    }

    fn look_now(mut self, shrinking: Shrinking) -> Self {
        if !self.data.look(shrinking, Clock::System.now()) {
            return self;
        }
        match zones::zones(&self.settings, &self.data) {
            Ok(zones) => {
                self.service.replace(Arc::new(zones));
                info!("the files have changed: serving what is in them now");
            }
            Err(error) => warn!("what was read before is served on: {error:#}"),
        }
        self
    }
}
