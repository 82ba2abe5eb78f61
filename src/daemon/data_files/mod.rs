//! Data sets from their files to the zones that publish them, and a server of nothing else: what `banzone rbldnsd` runs, without
//! logs, jails and a database.
//!
//! The files of each zone are looked at every so often, and read again in a thread of their own when they have changed; until
//! that is done, and if it fails, what was read before is served.

mod files;
mod published;
mod zones;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

pub(super) use self::files::{Data, Shrinking};
pub use self::files::{Read, Unread, read};
pub(super) use self::published::{serve, sets, views, zones};
use super::Signals;
use crate::clock::Clock;
use crate::dataset::Options;
use crate::dns::{self, Service};
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
}

/// A data set of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The zone; `None` is all of them, which only a list of clients can be for.
    pub origin: Option<Name>,
    /// What it is, and where its files are.
    pub list: StaticList,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(settings: &Settings) -> Result<()> {
    let sockets = dns::bind(&dns::Settings { listen: settings.listen.clone(), threads: 1 })?;
    if privileges::is_root() {
        privileges::drop_to(&settings.user)?;
    }
    let runtime =
        Runtime::new().context("no threads for the servers; the limit on threads may be too low")?;
    let signals = Signals::hear(&runtime)?;
    let data = Data::load(settings.sets.clone(), &Data::default(), Clock::System.now());
    if let Some(missing) = data.missing() {
        bail!(missing);
    }
    let service = Arc::new(Service::new(Arc::new(zones::zones(settings, &data)?), Clock::System));
    let addresses = sockets.local_addresses();
    let server = dns::serve(sockets, &service, runtime.handle())?;
    info!("answering on {addresses:?} from {} data sets", settings.sets.len());
    runtime.block_on(async {
        Serving { settings: settings.clone(), service, data }.until_stopped(signals).await;
        server.stop().await;
    });
    Ok(())
}

/// The service and the data it answers from.
struct Serving {
    settings: Settings,
    service: Arc<Service>,
    data: Data,
}

impl Serving {
    async fn until_stopped(mut self, mut signals: Signals) {
        let mut ticks = interval(self.settings.check.unwrap_or(NEVER));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first comes at once.
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => self = self.look(Shrinking::Allowed).await,
                _ = ticks.tick(), if self.settings.check.is_some() => self = self.look(Shrinking::Refused).await,
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
            }
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
