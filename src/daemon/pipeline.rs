//! The thread that owns the jails: lines, orders and time come in, work for the writer goes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use tokio::sync::oneshot;

use super::costly::Costly;
use super::outside::Outside;
use super::writer::{self, Commission};
use crate::clock::Clock;
use crate::filter::Pace;
use crate::http::{Failed, Look};
use crate::hub;
use crate::ip::PrefixSet;
use crate::jail::{self, Ask, Effects, Jails, Lines, Order, Readers, ReportBatch};
use crate::source::{Batch, Receipt};
use crate::store::{Outgoing, Work};

/// Inputs that wait until the thread gets to them. Batches are up to a MiB each, so this bounds the memory as well.
pub(super) const QUEUE: usize = 16;

/// The longest the thread sleeps, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Lines that waited longer than this are no longer of now: the database could not be written for a while.
const STALE: Duration = Duration::from_secs(30);

/// While a log is caught up with, so many failures and changes may be written at once: they take memory, whereas lines that
/// do not fail leave nothing to write.
const GATHERED_EFFECTS: usize = 128 * 1024;

/// As many questions may come of them.
const GATHERED_ASKS: usize = 500;

/// So long is waited for more of them.
const GATHERING: Duration = Duration::from_millis(20);

/// After so long they are written all the same: bans and orders must not wait for costly patterns.
const LONGEST_GATHERING: Duration = Duration::from_millis(500);

/// What the thread is told.
pub(super) enum Input {
    /// Lines of a log.
    Lines(Batch),
    /// An order; the answer comes once its effects are durable and published.
    Order(Order, Answer),
    /// What another server reports; the receipt comes once it is durable and published.
    Reports(Box<ReportBatch>, oneshot::Sender<Result<jail::Receipt, Failed>>),
    /// Somebody wants to see the jails.
    Look(Look),
    /// What was found out outside for a failure.
    Answered(Box<Ask>, jail::Answer),
    /// What never fails in each jail besides what the configuration says.
    Learned(BTreeMap<Arc<str>, PrefixSet>),
    /// A new configuration; what was read and counted stays. The answer comes once all that came before is durable.
    Reconfigure(Box<Reconfiguration>, Answer),
}

/// Where the answer goes once everything up to here is durable and published: how much was changed.
pub(super) type Answer = oneshot::Sender<Result<usize, Failed>>;

/// What a reload changes in the jails.
pub(super) struct Reconfiguration {
    /// The jails.
    pub(super) jails: Vec<jail::Settings>,
    /// Their filters.
    pub(super) readers: Readers,
    /// What is never banned.
    pub(super) allow: PrefixSet,
    /// The addresses of this host.
    pub(super) own: PrefixSet,
    /// What is reported to a hub.
    pub(super) hub: Option<hub::Settings>,
}

/// The state of the thread.
pub(super) struct Pipeline {
    /// All jails.
    pub(super) jails: Jails,
    /// Their filters by source.
    pub(super) readers: Readers,
    /// The time.
    pub(super) clock: Clock,
    /// Where the work goes.
    pub(super) writer: SyncSender<writer::Input>,
    /// Where questions go.
    pub(super) outside: Arc<Outside>,
    /// What the log was told of costly patterns.
    pub(super) costly: Costly,
    /// How many listings by reports wait for a person.
    pub(super) held: Arc<AtomicUsize>,
    /// What is reported to a hub, if there is one.
    pub(super) hub: Option<hub::Settings>,
}

impl Pipeline {
    /// Works until every sender of `inputs` is gone, or the writer is.
    pub(super) fn run(mut self, inputs: &Receiver<Input>) {
        let mut next = None;
        loop {
            let input = match next.take().map_or_else(|| inputs.recv_timeout(self.sleep()), Ok) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.step(input, inputs, &mut next).is_none() {
                return;
            }
        }
    }

    /// How long until something ends by itself.
    fn sleep(&self) -> Duration {
        let next = self.jails.next_expiry();
        next.map_or(LONGEST_SLEEP, |next| next.since(self.clock.now()).min(LONGEST_SLEEP))
    }

    /// Takes one input, or lets time pass. An input that was found behind lines goes to `next`. `None` when the writer is
    /// gone.
    fn step(
        &mut self,
        input: Option<Input>,
        inputs: &Receiver<Input>,
        next: &mut Option<Input>,
    ) -> Option<()> {
        let (mut work, mut receipts) = (Work::default(), Vec::new());
        self.jails.expire(self.clock.now(), &mut work.effects);
        let reply = match input {
            None => None,
            Some(Input::Lines(batch)) => {
                receipts = self.gather(batch, inputs, next, &mut work);
                None
            }
            Some(Input::Order(order, reply)) => self.order(&order, reply, &mut work.effects),
            Some(Input::Reports(batch, reply)) => self.report(&batch, reply, &mut work.effects),
            Some(Input::Answered(ask, answer)) => {
                self.jails.answered(&ask, &answer, self.clock.now(), &mut work.effects);
                None
            }
            Some(Input::Learned(learned)) => {
                self.jails.learn(learned);
                None
            }
            Some(Input::Look(look)) => {
                look(&self.jails, &self.readers);
                None
            }
            Some(Input::Reconfigure(new, reply)) => {
                self.jails.reconfigure(new.jails, new.allow, new.own);
                let before = std::mem::replace(&mut self.readers, new.readers);
                self.readers.take_over(before);
                self.costly = Costly::default();
                self.hub = new.hub;
                Some(writer::Reply::new(reply, 0))
            }
        };
        self.held.store(self.jails.held_listings().len(), Ordering::Relaxed);
        let now = self.clock.now();
        self.costly.look(now, || self.readers.exhausted());
        self.hand_on(work, reply, receipts)
    }

    /// Reads a batch, and while a log is being caught up with those that come behind it: what changes with every one of
    /// them is written once.
    fn gather(
        &mut self,
        mut batch: Batch,
        inputs: &Receiver<Input>,
        next: &mut Option<Input>,
        work: &mut Work,
    ) -> Vec<Receipt> {
        let (begun, mut receipts) = (self.clock.now(), Vec::new());
        loop {
            self.lines(&batch, &mut work.effects);
            work.positions.append(&mut batch.positions);
            receipts.push(batch.receipt);
            let is_enough = self.jails.unfinished() + work.effects.changes.len() >= GATHERED_EFFECTS
                || work.effects.asks.len() >= GATHERED_ASKS
                || self.clock.now().since(begun) >= LONGEST_GATHERING;
            if batch.live || is_enough {
                return receipts;
            }
            match inputs.recv_timeout(GATHERING) {
                Ok(Input::Lines(more)) => batch = more,
                other => {
                    *next = other.ok();
                    return receipts;
                }
            }
        }
    }

    fn lines(&mut self, batch: &Batch, effects: &mut Effects) {
        let Self { jails, readers, clock, .. } = self;
        let pace = Pace::Following { now: clock.now(), live: batch.live && batch.read.elapsed() < STALE };
        let Some(reader) = readers.get_mut(&batch.source) else {
            return;
        };
        let lines = Lines { text: batch.text(), spans: batch.spans(), times: batch.times() };
        reader.read(lines, pace, |jail, found, now| jails.found(jail, found, now, effects));
    }

    /// Carries the order out, or says at once why not.
    fn order(&mut self, order: &Order, reply: Answer, effects: &mut Effects) -> Option<writer::Reply> {
        match self.jails.order(order, self.clock.now(), effects) {
            Ok(changed) => Some(writer::Reply::new(reply, changed)),
            Err(refusal) => {
                // Whoever asked may have gone away.
                let _ = reply.send(Err(refusal.into()));
                None
            }
        }
    }

    /// Counts what another server reports, or says at once why not.
    fn report(
        &mut self,
        batch: &ReportBatch,
        reply: oneshot::Sender<Result<jail::Receipt, Failed>>,
        effects: &mut Effects,
    ) -> Option<writer::Reply> {
        match self.jails.report(batch, self.clock.now(), effects) {
            Ok(receipt) => Some(writer::Reply::new(reply, receipt)),
            Err(refusal) => {
                // Whoever reported may have gone away.
                let _ = reply.send(Err(refusal.into()));
                None
            }
        }
    }

    /// Sends the work on; waits when the writer is behind, and with it the sources.
    fn hand_on(
        &mut self,
        mut work: Work,
        reply: Option<writer::Reply>,
        receipts: Vec<Receipt>,
    ) -> Option<()> {
        self.jails.finish(&mut work.effects);
        work.remembered = self.readers.finish();
        if let Some(hub) = &self.hub {
            let rows = hub::outgoing(&work.effects, &hub.jails);
            work.outgoing = Outgoing { rows, limit: hub.max_spooled };
        }
        let asks = std::mem::take(&mut work.effects.asks);
        asks.into_iter().for_each(|ask| self.outside.ask(ask));
        if work.is_empty() && reply.is_none() {
            return Some(());
        }
        let bans = (!work.effects.changes.is_empty()).then(|| self.jails.bans().clone());
        let commission = Box::new(Commission { work, bans });
        self.writer.send(writer::Input::Commit(commission, reply, receipts)).ok()
    }
}

/// The sources, and the jails that read each. What is older than the findtime of all of them counts in none.
pub(super) fn jails_by_source(jails: &[jail::Settings]) -> Vec<(crate::source::Settings, Vec<Arc<str>>)> {
    let mut sources: Vec<(crate::source::Settings, Vec<Arc<str>>)> = Vec::new();
    for jail in jails {
        for source in &jail.sources {
            let horizon = Some(jail.findtime);
            match sources.iter_mut().find(|(known, _)| known.path == source.path) {
                Some((known, readers)) => {
                    known.horizon = known.horizon.max(horizon);
                    readers.push(Arc::clone(&jail.name));
                }
                None => {
                    let source = crate::source::Settings { horizon, ..source.clone() };
                    sources.push((source, vec![Arc::clone(&jail.name)]));
                }
            }
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Settings, Start};

    #[test]
    fn the_longest_findtime_says_what_of_a_source_matters() {
        let source = |path: &str| Settings { path: path.into(), start: Start::Head, horizon: None };
        let jail = |seconds, path| jail::Settings {
            findtime: Duration::from_secs(seconds),
            sources: vec![source(path)],
            ..jail::Settings::plain("sasl")
        };
        let found = jails_by_source(&[jail(600, "a"), jail(3600, "a"), jail(60, "a"), jail(7, "b")]);
        let found = found.iter().map(|(source, jails)| (source.horizon.unwrap().as_secs(), jails.len()));
        assert_eq!(found.collect::<Vec<_>>(), [(3600, 3), (7, 1)]);
    }
}
