//! How the running daemon is asked and steered: the far end of the control API.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use super::acme::Issuing;
use super::certificate::Renewals;
use super::data_files::{self, Data, Shrinking};
use super::outside::Outside;
use super::pipeline::Input;
use super::reporting::Reporting;
use super::sources::{Sources, stop_all};
use super::writer::{self, Trouble};
use crate::access::audit::Witness;
use crate::access::passkey::Asked;
use crate::access::{self, Attempts, Refusals};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::dns;
use crate::http::api::DaemonSettings;
use crate::http::{
    Control, DataSetView, Failed, Health, HubView, Look, OutsideView, PublicSettings, ReloadFailed,
    SourceView, Write,
};
use crate::jail::{Order, Receipt, ReportBatch};
use crate::report;
use crate::store::ReaderPool;

/// How long somebody who gave an order waits before they are told that it waits for the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether a channel has room again.
const POLL: Duration = Duration::from_millis(10);

/// The ends of the channels, and what can be seen from outside.
pub(super) struct Steering {
    /// The main file of the configuration.
    pub(super) path: PathBuf,
    pub(super) started: Timestamp,
    pub(super) clock: Clock,
    /// Gone once the daemon stops.
    pub(super) pipeline: Mutex<Option<SyncSender<Input>>>,
    pub(super) writer: Mutex<Option<SyncSender<writer::Input>>>,
    pub(super) sources: Mutex<Sources>,
    pub(super) outside: Arc<Outside>,
    pub(super) service: Arc<dns::Service>,
    /// The number of the last change that is published.
    pub(super) changed: watch::Receiver<u64>,
    /// Whether no more requests are taken.
    pub(super) stopping: watch::Sender<bool>,
    pub(super) trouble: Arc<Trouble>,
    /// How many listings by reports wait for a person.
    pub(super) held: Arc<AtomicUsize>,
    pub(super) reporting: Arc<Reporting>,
    pub(super) certificates: Renewals,
    /// Views of the database for look-ups.
    pub(super) readers: Arc<ReaderPool>,
    /// To whom addresses belong.
    pub(super) geo: report::KeptGeo,
    /// How it goes with the certificate that somebody issues.
    pub(super) issuing: Arc<Issuing>,
    pub(super) attempts: Attempts,
    pub(super) passkeys: Asked,
    pub(super) witness: Arc<Witness>,
    pub(super) refusals: Refusals,
    /// The configuration in force.
    pub(super) running: Mutex<Config>,
    /// The data sets of the zones in service.
    pub(super) data: Mutex<Data>,
    /// Held while a reload is under way, or the files of data sets are read.
    pub(super) reloading: Arc<tokio::sync::Mutex<()>>,
}

/// The value behind a lock; a thread that panicked with it has not left it half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Steering {
    /// Hands an input to the pipeline; gives up if there is no room for as long as anybody wants to wait.
    pub(super) async fn send(&self, input: Input) -> Result<(), Failed> {
        let sender = lock(&self.pipeline).clone().ok_or(Failed::Stopping)?;
        self.in_time(send_when_free(sender, input)).await
    }

    /// Waits for `answer`, but not longer than anybody wants to.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.unwrap_or_else(|_| Err(Failed::Pending(self.why_so_long())))
    }

    fn why_so_long(&self) -> String {
        self.trouble.get().unwrap_or_else(|| "it has much to write".to_owned())
    }

    /// Lets the sources end, and closes the channels behind them.
    pub(super) fn close(&self) {
        let all = lock(&self.sources).take(|_| true);
        stop_all(all);
        self.outside.stop();
        *lock(&self.pipeline) = None;
        *lock(&self.writer) = None;
    }

    /// Says in the log what is wrong with the sources.
    pub(super) fn tell_problems(&self) {
        lock(&self.sources).tell_problems();
    }

    /// Reads the data sets whose files have changed, and answers from them.
    pub(super) fn look_at_data_files(&self) {
        let mut data = lock(&self.data).clone();
        if data.look(Shrinking::Refused, self.clock.now()) {
            data_files::serve(&self.service, &data);
        }
        *lock(&self.data) = data;
    }

    /// Whether a source's thread has ended by itself.
    pub(super) fn any_source_dead(&self) -> bool {
        lock(&self.sources).any_dead()
    }

    /// What a person should look at although the daemon goes on.
    fn warnings(&self) -> Vec<String> {
        let views = data_files::views(&lock(&self.data), self.clock.now());
        let of_sets =
            views.into_iter().filter_map(|view| Some(format!("zone {}: {}", view.zone, view.problem?)));
        let of_certificates = self.certificates.problems(self.clock.now());
        let all = lock(&self.sources).problems().into_iter().chain(of_sets).chain(of_certificates);
        all.chain(self.reporting.problem()).chain(self.issuing.problem()).collect()
    }

    /// Where the control socket is.
    pub(super) fn control_path(&self) -> PathBuf {
        lock(&self.running).http.control.clone()
    }
}

/// Sends without a thread of its own, which would be stuck as long as the channel is.
pub(super) async fn send_when_free<T>(sender: SyncSender<T>, mut input: T) -> Result<(), Failed> {
    loop {
        input = match sender.try_send(input) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(input)) => input,
            Err(TrySendError::Disconnected(_)) => return Err(Failed::Stopping),
        };
        tokio::time::sleep(POLL).await;
    }
}

#[async_trait]
impl Control for Arc<Steering> {
    async fn order(&self, order: Order) -> Result<usize, Failed> {
        let (reply, answer) = oneshot::channel();
        self.send(Input::Order(order, reply)).await?;
        self.in_time(async { answer.await.unwrap_or(Err(Failed::Stopping)) }).await
    }

    async fn report(&self, batch: ReportBatch) -> Result<Receipt, Failed> {
        let (reply, answer) = oneshot::channel();
        self.send(Input::Reports(Box::new(batch), reply)).await?;
        self.in_time(async { answer.await.unwrap_or(Err(Failed::Stopping)) }).await
    }

    async fn look(&self, look: Look) -> Result<(), Failed> {
        self.send(Input::Look(look)).await
    }

    async fn write(&self, write: Write) -> Result<(), Failed> {
        let writer = lock(&self.writer).clone().ok_or(Failed::Stopping)?;
        let (done, written) = oneshot::channel();
        let write = async {
            send_when_free(writer, writer::Input::Write(write, done)).await?;
            written.await.map_err(|_| Failed::Stopping)
        };
        let written = tokio::time::timeout(PATIENCE, write).await;
        written.unwrap_or_else(|_| Err(Failed::Busy(self.why_so_long())))
    }

    async fn reload(&self) -> Result<Vec<String>, ReloadFailed> {
        // A task of its own: whoever asked may go away, and half a reload is worse than none.
        let steering = Self::clone(self);
        let reload = tokio::spawn(async move {
            let _one_at_a_time = steering.reloading.lock().await;
            super::reload::reload(&steering).await
        });
        reload.await.unwrap_or_else(|failed| Err(ReloadFailed::Incomplete(vec![failed.to_string()])))
    }

    fn sources(&self) -> Vec<SourceView> {
        lock(&self.sources).views()
    }

    fn outside(&self) -> Vec<OutsideView> {
        self.outside.views()
    }

    fn hub(&self) -> Option<HubView> {
        self.reporting.view()
    }

    fn dns(&self) -> &dns::Service {
        &self.service
    }

    fn health(&self) -> Health {
        Health {
            problems: self.trouble.get().into_iter().collect(),
            warnings: self.warnings(),
            held: self.held.load(Ordering::Relaxed),
        }
    }

    fn data_sets(&self) -> Vec<DataSetView> {
        data_files::views(&lock(&self.data), self.clock.now())
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    fn certificate_until(&self) -> Option<Timestamp> {
        self.certificates.dns.until()
    }

    fn public(&self) -> Arc<PublicSettings> {
        Arc::clone(&lock(&self.running).public)
    }

    fn database(&self) -> PathBuf {
        lock(&self.running).store.path.clone()
    }

    fn readers(&self) -> Arc<ReaderPool> {
        Arc::clone(&self.readers)
    }

    fn sign_in(&self) -> access::Settings {
        lock(&self.running).sign_in.clone()
    }

    fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    fn witness(&self) -> &Arc<Witness> {
        &self.witness
    }

    fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    fn passkeys(&self) -> &Asked {
        &self.passkeys
    }

    fn settings(&self) -> DaemonSettings {
        let running = lock(&self.running);
        DaemonSettings {
            database: running.store.path.display().to_string(),
            history_retention: running.store.history_retention.as_secs(),
            max_matches: running.jails.iter().map(|jail| jail.max_matches).max().unwrap_or(0),
            log_level: running.log.level.name().to_owned(),
        }
    }

    fn geo(&self) -> Arc<report::Geo> {
        let settings = lock(&self.running).report.clone();
        self.geo.get(&settings)
    }

    fn started(&self) -> Timestamp {
        self.started
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
