//! What the API asks of the daemon, and steers in it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::api::DaemonSettings;
use super::turns::{self, Turn};
use super::{PublicSettings, audit};
use crate::access::audit::Witness;
use crate::access::passkey::Asked;
use crate::access::{self, Attempts, Refusals};
use crate::clock::Timestamp;
use crate::dns;
use crate::ip::Prefix;
use crate::jail::{Jails, Order, Readers, Receipt, Refusal, ReportBatch};
use crate::report;
use crate::source;
use crate::store::{self, AuditRow, ReaderPool, Store, Transaction};

/// The daemon as the handlers see it.
pub type Steered = Arc<dyn Control>;

/// One source and who reads it.
#[derive(Clone, Debug)]
pub struct SourceView {
    /// The source as `logpath` names it.
    pub path: Arc<str>,
    /// The jails that read it.
    pub jails: Vec<Arc<str>>,
    /// What it has read, and what is wrong with it.
    pub counters: Arc<source::Counters>,
}

/// Questions of one kind that failures wait for outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideView {
    /// Which kind.
    pub kind: &'static str,
    /// How many were asked.
    pub asked: u64,
    /// How many had no answer: unknown hosts, commands that failed.
    pub failed: u64,
    /// How many found no room, so that their failures were not counted.
    pub dropped: u64,
    /// How many wait now.
    pub waiting: u64,
}

/// The hub that this server reports to, and how that went since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubView {
    /// Where it is.
    pub url: String,
    /// Rows that it counted.
    pub accepted: u64,
    /// Rows that it knew.
    pub duplicate: u64,
    /// Rows that it did not want.
    pub refused: u64,
    /// When it confirmed rows last.
    pub last_sent: Option<Timestamp>,
    /// Why it does not now.
    pub problem: Option<String>,
}

/// A data set of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSetView {
    /// The zone's name.
    pub zone: String,
    /// Its type and files.
    pub title: String,
    /// How many entries are served of it.
    pub entries: usize,
    /// When they were read; `None`: its files could never be read.
    pub loaded: Option<Timestamp>,
    /// How often reading its files failed.
    pub failures: u64,
    /// Why what is served is not what its files say now.
    pub problem: Option<String>,
}

/// Whether the daemon does all of its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why not, one line each; empty is healthy.
    pub problems: Vec<String>,
    /// What a person should look at although the daemon goes on, one line each: logs and data sets that are missing or
    /// can't be read, a certificate that can't be read or ends soon.
    pub warnings: Vec<String>,
    /// Listings by reports that are held back until a person looks at them.
    pub held: usize,
}

/// What those are told of it who do not see what it is.
pub(super) const VEILED: &str = "the daemon does not do all of its work";

impl Health {
    /// It, or for those who do not see all only whether the daemon does its work.
    pub(super) fn seen(self, sees_all: bool) -> Self {
        if sees_all {
            return self;
        }
        let problems = self.problems.first().map(|_| VEILED.to_owned());
        Self { problems: problems.into_iter().collect(), ..Self::default() }
    }

    /// What a person should look at, what is held back included.
    pub(super) fn all_warnings(&self) -> Vec<String> {
        let held = (self.held > 0).then(|| {
            format!(
                "{} listings by reports are held back: `banzone reporter held` shows them, `release` and `discard` settle them",
                self.held
            )
        });
        self.warnings.iter().cloned().chain(held).collect()
    }
}

/// Why an order or a question was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database can't take it now; it is done as soon as it can.
    #[error("the order waits for the database: {0}")]
    Pending(String),
    /// The database can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The database can't take a change now.
    #[error("the database takes no changes now: {0}; look whether this one was made before you try again")]
    Busy(String),
    /// The daemon is about to stop.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Why a configuration was not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadFailed {
    /// For these reasons, a line each; nothing has changed.
    #[error("the configuration is refused; the one before stays in force")]
    Refused(Vec<String>),
    /// All but this could be done, a line each.
    #[error("a part of the configuration is not in force, the rest is")]
    Incomplete(Vec<String>),
}

impl ReloadFailed {
    /// What went wrong, a line each.
    pub fn lines(self) -> Vec<String> {
        match self {
            Self::Refused(errors) | Self::Incomplete(errors) => errors,
        }
    }
}

/// Looks at the jails and what they read with, from inside the thread that owns them.
pub type Look = Box<dyn FnOnce(&Jails, &Readers) + Send>;

/// Changes the database, from inside the thread that owns it.
pub type Write = Box<dyn FnOnce(&mut Store) + Send>;

/// What the daemon offers to the API.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Carries out an order. When it returns, its effects are durable and published.
    async fn order(&self, order: Order) -> Result<usize, Failed>;

    /// Counts what another server reports. When it returns, that is durable and published.
    async fn report(&self, batch: ReportBatch) -> Result<Receipt, Failed>;

    /// Lets `look` see the jails between two batches of lines.
    async fn look(&self, look: Look) -> Result<(), Failed>;

    /// Lets `write` change the database between two works of the pipeline. When it returns, that is done.
    async fn write(&self, write: Write) -> Result<(), Failed>;

    /// Reads the configuration again and takes it over; what of it takes a restart comes back, a line each.
    async fn reload(&self) -> Result<Vec<String>, ReloadFailed>;

    /// The sources as they are read now.
    fn sources(&self) -> Vec<SourceView>;

    /// What failures wait for outside, by kind.
    fn outside(&self) -> Vec<OutsideView>;

    /// The hub that is reported to, if there is one.
    fn hub(&self) -> Option<HubView>;

    /// The zones in service, and what DNS has answered and dropped.
    fn dns(&self) -> &dns::Service;

    /// The data sets of the zones.
    fn data_sets(&self) -> Vec<DataSetView>;

    /// Whether all is well.
    fn health(&self) -> Health;

    /// The number of the last change that is durable and published, as it grows.
    fn changed(&self) -> tokio::sync::watch::Receiver<u64>;

    /// Whether it stops, and whoever waits had better ask again later.
    fn stopping(&self) -> tokio::sync::watch::Receiver<bool>;

    /// Until when the certificate of the encrypted DNS servers holds, if there is one.
    fn certificate_until(&self) -> Option<Timestamp>;

    /// What the pages for everybody are told.
    fn public(&self) -> Arc<PublicSettings>;

    /// Where the database is.
    fn database(&self) -> PathBuf;

    /// Views of it, for look-ups beside the writer.
    fn readers(&self) -> Arc<ReaderPool>;

    /// How users are let in.
    fn sign_in(&self) -> access::Settings;

    /// How often somebody has tried to be let in.
    fn attempts(&self) -> &Attempts;

    /// What the audit log must hold.
    fn witness(&self) -> &Arc<Witness>;

    /// How often somebody was refused something.
    fn refusals(&self) -> &Refusals;

    /// What browsers were asked for, and have yet to show.
    fn passkeys(&self) -> &Asked;

    /// What it was told about itself.
    fn settings(&self) -> DaemonSettings;

    /// To whom addresses belong, as far as reports can tell. Blocks.
    fn geo(&self) -> Arc<report::Geo>;

    /// When the daemon started.
    fn started(&self) -> Timestamp;

    /// The time.
    fn now(&self) -> Timestamp;
}

/// So many look something up in the database at a time.
static READING: Semaphore = Semaphore::const_new(16);

/// So many of those who ask are looked up at a time.
static IDENTIFYING: Semaphore = Semaphore::const_new(8);

impl dyn Control {
    /// What `look` finds in the jails.
    pub(super) async fn see<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Jails) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        self.see_all(move |jails, _| look(jails)).await
    }

    /// What `look` finds in the jails and what they read with.
    pub(super) async fn see_all<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Jails, &Readers) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        let (send, receive) = tokio::sync::oneshot::channel();
        self.look(Box::new(move |jails, readers| {
            // Whoever asked may have gone away.
            let _ = send.send(look(jails, readers));
        }))
        .await?;
        receive.await.map_err(|_| Failed::Stopping)
    }

    /// Up to `most` prefixes of each jail that bans any, and how many it bans.
    pub async fn some_banned(&self, most: usize) -> Result<Vec<(Arc<str>, usize, Vec<Prefix>)>, Failed> {
        self.see(move |jails| jails.some_banned(most)).await
    }

    /// What `change` gives once all it has changed is durable, and nothing is changed if it gives an error. It is not for what
    /// the jails own: that takes an [`Order`]. If the request that is being answered is one for the audit log, its entry is
    /// written with the change.
    pub(super) async fn change<T: Send + 'static, E: From<store::Error> + Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, Failed> {
        let (entry, now) = (audit::unwritten(), self.now());
        let change = move |changes: &Transaction<'_>| {
            let changed = change(changes)?;
            let row = entry.map(|event| access::audit::record(changes, &event, now)).transpose()?;
            Ok((changed, row))
        };
        let (send, receive) = tokio::sync::oneshot::channel();
        self.write(Box::new(move |store| {
            // Whoever asked may have gone away.
            let _ = send.send(store.write(change));
        }))
        .await?;
        let done = receive.await.map_err(|_| Failed::Stopping)?;
        let done: Result<(T, Option<AuditRow>), E> = done;
        match done {
            Ok((changed, row)) => {
                audit::written(self, row).await;
                Ok(Ok(changed))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// What `read` finds in the database, on a thread that may wait for the disk.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&store::Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Failed> {
        self.read_in(&READING, read).await
    }

    /// The same for finding out who asks, which must not wait behind what others look up.
    pub(super) async fn read_who<T: Send + 'static>(
        &self,
        read: impl FnOnce(&store::Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Failed> {
        self.read_in(&IDENTIFYING, read).await
    }

    /// The same for what has a turn of its own, which ends with it.
    pub(super) async fn read_in_turn<T: Send + 'static>(
        &self,
        turn: Turn,
        read: impl FnOnce(&store::Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Failed> {
        let read = move |reader: &store::Reader| {
            let _turn = turn;
            read(reader)
        };
        self.read(read).await
    }

    async fn read_in<T: Send + 'static>(
        &self,
        places: &'static Semaphore,
        read: impl FnOnce(&store::Reader) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Failed> {
        let (readers, turn) = (self.readers(), turns::turn(places).await?);
        Ok(turns::work(turn, move || readers.read(read)).await??)
    }
}
