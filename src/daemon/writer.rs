//! The thread that owns the database: commits work and publishes what has become durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tracing::{debug, error, info};

use super::reporting::Reporting;
use crate::clock::{Clock, Timestamp};
use crate::dns;
use crate::http::{Failed, Write};
use crate::ip::PrefixSet;
use crate::jail::{BanTable, Change, EndCause, Origin};
use crate::list::Publisher;
use crate::source::Receipt;
use crate::store::{Error, Recorded, Store, Work};
use crate::zone::Zones;

/// Works that wait for the database.
pub(super) const QUEUE: usize = 64;

/// As many works share one transaction when they come faster than the disk.
const MAX_GROUP: usize = 64;

/// How often old rows are deleted and pages given back.
const HOUSEKEEPING: Duration = Duration::from_secs(600);

/// The wait between attempts when the database can't be written: it doubles from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Tells whoever waits for a commit what came of it.
pub(super) struct Reply(Box<dyn FnOnce() + Send>);

impl Reply {
    /// Sends `outcome` once it is durable and published.
    pub(super) fn new<T: Send + 'static>(to: oneshot::Sender<Result<T, Failed>>, outcome: T) -> Self {
        Self(Box::new(move || {
            // Whoever asked may have gone away.
            let _ = to.send(Ok(outcome));
        }))
    }
}

/// What the thread is told.
pub(super) enum Input {
    /// Commit and publish this, and confirm it.
    Commit(Box<Commission>, Option<Reply>, Vec<Receipt>),
    /// Write something else, in a transaction of its own; skipped if nobody waits for it any more.
    Write(Write, oneshot::Sender<()>),
    /// Go on with another configuration; the answer comes once its zones are in service.
    Reconfigure(Box<Reconfiguration>, oneshot::Sender<Result<(), Error>>),
}

/// What is committed, and published then.
pub(super) struct Commission {
    /// What to write.
    pub(super) work: Work,
    /// The bans in force after it, if they changed.
    pub(super) bans: Option<BanTable>,
}

/// What a reload changes in what is kept and published.
pub(super) struct Reconfiguration {
    /// The zones, their lists still empty.
    pub(super) zones: Arc<Zones>,
    /// What is never published.
    pub(super) never: PrefixSet,
    /// Retention times.
    pub(super) store: crate::store::Settings,
}

/// What hinders the writer; empty when nothing does.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// What it is, in words with a remedy.
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// The state of the thread.
pub(super) struct Writer {
    /// The database.
    pub(super) store: Store,
    /// The lists in the making.
    pub(super) publisher: Publisher,
    /// The zones in service.
    pub(super) service: Arc<dns::Service>,
    /// The time.
    pub(super) clock: Clock,
    /// What hinders it, for health.
    pub(super) trouble: Arc<Trouble>,
    /// Told the number of the last change that is published.
    pub(super) changed: watch::Sender<u64>,
    /// Who is told of what is to be reported.
    pub(super) reporting: Option<Arc<Reporting>>,
    /// Says that the daemon is about to end, and that waiting for the database has no point any more.
    pub(super) stopping: Arc<AtomicBool>,
}

impl Writer {
    /// Works until every sender of `inputs` is gone; what they sent is committed by then.
    pub(super) fn run(mut self, inputs: &Receiver<Input>) {
        let mut next_housekeeping = self.clock.now();
        loop {
            match inputs.recv_timeout(next_housekeeping.since(self.clock.now())) {
                Ok(input) => {
                    if self.take(input, inputs).is_none() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.keep_answers(),
            }
            if self.clock.now() >= next_housekeeping {
                let pause = if self.keep_house() { Duration::ZERO } else { HOUSEKEEPING };
                next_housekeeping = self.clock.now() + pause;
            }
        }
    }

    /// Takes `first` and what else waits, as one transaction. `None` if it had to be given up.
    fn take(&mut self, first: Input, inputs: &Receiver<Input>) -> Option<()> {
        let (mut works, mut replies, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
        let mut latest = None;
        let mut next = Some(first);
        while let Some(input) = next {
            match input {
                Input::Commit(commission, reply, done) => {
                    let Commission { work, bans } = *commission;
                    works.push(work);
                    latest = bans.or(latest);
                    receipts.extend(done);
                    replies.extend(reply);
                }
                Input::Write(write, done) => {
                    // In the order in which they came.
                    self.commit(&works, latest.take(), std::mem::take(&mut replies))?;
                    works.clear();
                    if !done.is_closed() {
                        write(&mut self.store);
                        let _ = done.send(());
                    }
                }
                Input::Reconfigure(new, done) => {
                    self.commit(&works, latest.take(), std::mem::take(&mut replies))?;
                    works.clear();
                    // Whoever asked may have gone away.
                    let _ = done.send(self.reconfigure(*new));
                }
            }
            next = if works.len() < MAX_GROUP { inputs.try_recv().ok() } else { None };
        }
        self.commit(&works, latest, replies)?;
        receipts.iter().for_each(Receipt::confirm);
        Some(())
    }

    /// Commits, publishes, and only then tells whoever waits. `bans` are those in force after the works, if they changed.
    fn commit(&mut self, works: &[Work], bans: Option<BanTable>, replies: Vec<Reply>) -> Option<()> {
        if works.is_empty() {
            return Some(());
        }
        let recorded = self.commit_at_last(works)?;
        self.publisher.apply_all(&recorded, bans, self.clock.now());
        recorded.iter().for_each(tell);
        if let Some(last) = recorded.last() {
            self.changed.send_replace(last.number);
        }
        if let Some(reporting) = &self.reporting
            && works.iter().any(|work| !work.outgoing.rows.is_empty())
        {
            reporting.wake();
        }
        for Reply(tell) in replies {
            tell();
        }
        Some(())
    }

    /// Tries until the database takes it, whatever the error: ending the process would end the answers, which go on from
    /// what is published. `None` when told to stop meanwhile; then nothing of it was committed, and the lines are read
    /// again at the next start.
    fn commit_at_last(&mut self, works: &[Work]) -> Option<Vec<Recorded>> {
        let mut wait = RETRY.0;
        loop {
            let failed = match self.store.commit(works) {
                Ok(recorded) => {
                    if self.trouble.get().is_some() {
                        info!("the database can be written again");
                        self.trouble.set(None);
                    }
                    return Some(recorded);
                }
                Err(failed) => failed.to_string(),
            };
            if self.trouble.get().as_ref() != Some(&failed) {
                error!("{failed}");
                self.trouble.set(Some(failed));
            }
            if self.stopping.load(Ordering::Relaxed) {
                error!(
                    "stopping with lines that could not be committed; they are read again at the next start"
                );
                return None;
            }
            thread::sleep(wait);
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Fills the lists of the new zones from the database, and answers from them only then.
    fn reconfigure(&mut self, new: Reconfiguration) -> Result<(), Error> {
        let bans = self.publisher.bans().clone();
        self.publisher = publisher(&self.store, &new.zones, new.never, bans, &self.clock)?;
        self.store.reconfigure(&new.store);
        self.service.replace(new.zones);
        Ok(())
    }

    /// Keeps what DNS has answered, and deletes some old rows; whether there are more, for which it comes back between two
    /// works.
    fn keep_house(&mut self) -> bool {
        self.keep_answers();
        self.store.retain(self.clock.now()).unwrap_or_else(|failed| {
            error!("old rows could not be deleted: {failed}");
            false
        })
    }

    /// Adds to the figures how often each listing was the answer since the last time.
    fn keep_answers(&mut self) {
        let dns::Answers { listings, total } = self.service.take_answers();
        if total == 0 {
            return;
        }
        if let Err(failed) = self.store.asked(&listings, total, self.clock.now()) {
            error!("the figures lack {total} answers of DNS, as they could not be written: {failed}");
        }
    }
}

/// A publisher of `zones` that has published `bans`, as the last change in the database left them.
pub(super) fn publisher(
    store: &Store,
    zones: &Zones,
    never: PrefixSet,
    bans: BanTable,
    clock: &Clock,
) -> Result<Publisher, Error> {
    // Serials count in 32 bits and wrap (RFC 1982).
    let mut publisher = Publisher::new(Arc::clone(zones.lists()), store.serial_base() as u32, never);
    publisher.start(bans, store.allowlist()?, store.last_number(), clock.now());
    Ok(publisher)
}

fn how_long(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "for good".to_owned(), |until| format!("until {until}"))
}

/// Says in the log what an administrator looks for there.
fn tell(recorded: &Recorded) {
    match &recorded.change {
        Change::Banned(ban) => {
            let why = match &ban.origin {
                Origin::Log => format!("{} failures", ban.failures),
                Origin::Escalation => "enough of its hosts are banned".to_owned(),
                Origin::Order(by) => format!("ordered by {by}"),
                Origin::Reports => "enough organisations report it".to_owned(),
            };
            info!(jail = &*ban.jail, ip = %ban.prefix, "ban {}: {why}", how_long(ban.until));
        }
        Change::Extended { prefix, jail, until, .. } => {
            // Whoever goes on failing while banned would fill the log.
            debug!(jail = &**jail, ip = %prefix, "ban prolonged {}", how_long(*until));
        }
        Change::Unbanned { prefix, jail, cause, .. } => {
            let why = match cause {
                EndCause::Expired => "its time is up".to_owned(),
                EndCause::Order(by) => format!("ordered by {by}"),
                EndCause::Allowed => "allowlisted".to_owned(),
                EndCause::Withdrawn(by) => format!("too little is left without the reports of {by}"),
            };
            info!(jail = &**jail, ip = %prefix, "unban: {why}");
        }
        Change::Allowed(allow) => info!(ip = %allow.prefix, "allowlisted: {}", allow.note),
        Change::Disallowed { prefix, .. } => info!(ip = %prefix, "no longer allowlisted"),
    }
}
