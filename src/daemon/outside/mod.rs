//! What failures need from outside before they can be counted: the addresses of host names, and the answers of commands.
//!
//! ```text
//! pipeline thread ─asks─> queue ─> worker threads ─answers─> pipeline thread
//! ```
//!
//! The pipeline never waits for any of this: a queue that is full takes no more, and what it did not take is counted as
//! dropped. Threads are started when something is asked for the first time. A failure that waits here is not in the
//! database: a crash loses it, and so does a stop that its answer does not come before.

mod cache;
mod command;
mod hosts;
mod spared;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::pipeline::Input;
use super::steering::lock;
use crate::clock::{Clock, Timestamp};
use crate::http::OutsideView;
use crate::ip::Prefix;
use crate::jail::{Answer, Ask, IgnoreCommand, Question, Settings};
use cache::Cache;
use command::Tags;
use hosts::Hosts;
pub(super) use hosts::{Resolve, System};
use spared::{Keeper, Rules};

/// So many failures wait in each queue.
const QUEUE: usize = 1000;

/// So many threads work on each queue: so many names are looked up at a time, and so many commands run.
const WORKERS: usize = 4;

/// How long a command may take: as long as fail2ban lets it.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// How long the start and a reload wait until all names in `ignoreip` are looked up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a stop waits for answers.
const GRACE: Duration = Duration::from_secs(5);

/// How often is looked whether the last answers have come.
const POLL: Duration = Duration::from_millis(10);

/// So many messages of one kind in a minute; the others are left out.
const MESSAGES: u32 = 10;

/// The answers of a command that are remembered, and the command that gave them.
type Answers = (Arc<IgnoreCommand>, Cache<String, bool>);

/// Everything that is asked outside.
pub(super) struct Outside {
    names: Queue,
    commands: Queue,
    hosts: Hosts,
    /// By jail.
    answers: Mutex<HashMap<Arc<str>, Answers>>,
    /// Where the answers go; gone once the daemon stops.
    pipeline: Mutex<Option<SyncSender<Input>>>,
    /// Where new rules for who never fails go, once there are any.
    keeper: Mutex<Option<SyncSender<Rules>>>,
    stopping: AtomicBool,
    clock: Clock,
    said: Mutex<Said>,
}

impl Outside {
    /// Nothing is asked yet. `pipeline` is where the answers go.
    pub(super) fn new(resolver: Box<dyn Resolve>, clock: Clock, pipeline: SyncSender<Input>) -> Arc<Self> {
        Arc::new(Self {
            names: Queue::new("host name"),
            commands: Queue::new("ignore_command"),
            hosts: Hosts::new(resolver, clock.clone()),
            answers: Mutex::default(),
            pipeline: Mutex::new(Some(pipeline)),
            keeper: Mutex::default(),
            stopping: AtomicBool::new(false),
            clock,
            said: Mutex::default(),
        })
    }

    /// Takes a question without waiting; the answer comes to the pipeline.
    pub(super) fn ask(self: &Arc<Self>, ask: Ask) {
        let queue = match ask.question {
            Question::Addresses { .. } => &self.names,
            Question::Excused { .. } => &self.commands,
        };
        queue.started.call_once(|| self.start_workers(&ask.question));
        if !queue.push(ask) && self.may_say("dropped") {
            warn!("a failure is not counted: too many others wait for their {} already", queue.kind);
        }
    }

    fn start_workers(self: &Arc<Self>, question: &Question) {
        let queue: fn(&Self) -> &Queue = match question {
            Question::Addresses { .. } => |outside| &outside.names,
            Question::Excused { .. } => |outside| &outside.commands,
        };
        for _ in 0..WORKERS {
            let outside = Arc::clone(self);
            let worker = thread::Builder::new().name("outside".to_owned());
            if let Err(failed) = worker.spawn(move || outside.work(queue(&outside))) {
                error!("no thread for questions: {failed}; the limit on threads may be too low");
            }
        }
    }

    fn work(&self, queue: &Queue) {
        while let Some(ask) = queue.next() {
            let answer = self.answer(&ask, queue);
            let is_taken = answer.is_none_or(|answer| self.send(Input::Answered(Box::new(ask), answer)));
            queue.done();
            if !is_taken {
                return;
            }
        }
    }

    /// Hands something to the pipeline; waits as long as that is busy. False if it is gone.
    fn send(&self, input: Input) -> bool {
        let pipeline = lock(&self.pipeline).clone();
        pipeline.is_some_and(|pipeline| pipeline.send(input).is_ok())
    }

    /// Finds the answer; there is none if the daemon stops meanwhile.
    fn answer(&self, ask: &Ask, queue: &Queue) -> Option<Answer> {
        match &ask.question {
            Question::Addresses { name, tell } => {
                let known = self.hosts.addresses(name);
                if known.addresses.is_empty() && known.is_new {
                    queue.failed.fetch_add(1, Relaxed);
                }
                if *tell && known.is_new && self.may_say("looked up") {
                    tell_of_name(ask, name, &known.addresses);
                }
                Some(Answer::Addresses(known.addresses))
            }
            Question::Excused { prefix, command } => {
                self.is_excused(ask, *prefix, command, queue).map(Answer::Excused)
            }
        }
    }

    /// What the command says, or said before. A command that fails excuses nobody.
    fn is_excused(
        &self,
        ask: &Ask,
        prefix: Prefix,
        command: &Arc<IgnoreCommand>,
        queue: &Queue,
    ) -> Option<bool> {
        let tags = Tags { ask, prefix, host: &|| self.hosts.name(prefix.address()) };
        let key = command.cache.as_ref().map(|cache| tags.fill(&cache.key));
        if let Some(answer) = key.as_ref().and_then(|key| self.remembered(&ask.jail, command, key)) {
            return Some(answer);
        }
        let answer = match tags.script(&command.command).run(COMMAND_TIME, &self.stopping) {
            Ok(answer) => answer,
            Err(command::Unanswered::Stopping) => return None,
            Err(failed) => {
                queue.failed.fetch_add(1, Relaxed);
                if self.may_say("failed") {
                    error!(jail = &*ask.jail, "ignore_command did not answer for {prefix}: {failed}");
                }
                false
            }
        };
        if let Some(key) = key {
            self.remember(&ask.jail, command, key, answer);
        }
        Some(answer)
    }

    fn remembered(&self, jail: &Arc<str>, command: &Arc<IgnoreCommand>, key: &String) -> Option<bool> {
        let answers = lock(&self.answers);
        let (of, cache) = answers.get(jail)?;
        if of == command { cache.get(key, self.clock.now()) } else { None }
    }

    fn remember(&self, jail: &Arc<str>, command: &Arc<IgnoreCommand>, key: String, answer: bool) {
        let Some(settings) = &command.cache else { return };
        let new = || (Arc::clone(command), Cache::new(settings.max_count, settings.max_time));
        let mut answers = lock(&self.answers);
        let held = answers.entry(Arc::clone(jail)).or_insert_with(new);
        if held.0 != *command {
            // The answers of another command are worth nothing.
            *held = new();
        }
        held.1.set(key, answer, self.clock.now());
    }

    /// Finds out who never fails in `jails` by names and files, now and from now on. Returns once all is known, or after
    /// a while: then the rest follows.
    pub(super) fn learn(self: &Arc<Self>, jails: &[Settings]) {
        let rules = spared::rules(jails);
        let is_empty = rules.is_empty();
        if is_empty && lock(&self.keeper).is_none() {
            return;
        }
        let keeper = lock(&self.keeper).get_or_insert_with(|| self.start_keeper()).clone();
        let (done, is_done) = sync_channel(1);
        if keeper.try_send((rules, done)).is_err() {
            warn!("`ignoreip` is still being looked up as it was before: reload once more");
            return;
        }
        if !is_empty && is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            warn!(
                "host names in `ignoreip` are still being looked up after {} seconds; until they are known their \
                 addresses can be banned",
                PATIENCE.as_secs()
            );
        }
    }

    fn start_keeper(self: &Arc<Self>) -> SyncSender<Rules> {
        /// Reloads that may wait.
        const RELOADS: usize = 4;
        let (give, rules) = sync_channel(RELOADS);
        let keeper = Keeper::new(Arc::clone(self));
        let thread = thread::Builder::new().name("ignoreip".to_owned());
        if let Err(failed) = thread.spawn(move || keeper.run(&rules)) {
            error!("no thread for names in `ignoreip`: {failed}; the limit on threads may be too low");
        }
        give
    }

    /// Waits for the answers that come soon, and ends everything else. No sender to the pipeline is left behind.
    pub(super) fn stop(&self) {
        *lock(&self.keeper) = None;
        if !self.settle() {
            let lost = self.waiting();
            warn!("{lost} failures waited for an answer from outside and are not counted");
        }
        self.stopping.store(true, Relaxed);
        self.names.close();
        self.commands.close();
        *lock(&self.pipeline) = None;
    }

    /// Waits until the pipeline has seen all lines and answers, and nothing is asked any more. False if that takes too long.
    fn settle(&self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < GRACE {
            // An answer may lead to another question, once the pipeline has seen it.
            if self.waiting() == 0
                && self.pass_pipeline(GRACE.saturating_sub(begin.elapsed()))
                && self.waiting() == 0
            {
                return true;
            }
            thread::sleep(POLL);
        }
        self.waiting() == 0
    }

    /// Waits until the pipeline has taken everything that it was sent before now.
    fn pass_pipeline(&self, patience: Duration) -> bool {
        let (pass, passed) = sync_channel(1);
        let look = Input::Look(Box::new(move |_, _| {
            let _ = pass.send(());
        }));
        self.send(look) && passed.recv_timeout(patience).is_ok()
    }

    fn waiting(&self) -> usize {
        self.names.waiting() + self.commands.waiting()
    }

    /// What has been asked, for metrics and for people.
    pub(super) fn views(&self) -> Vec<OutsideView> {
        [&self.names, &self.commands].map(Queue::view).into()
    }

    /// Whether one more message of this kind is not too many.
    fn may_say(&self, kind: &'static str) -> bool {
        lock(&self.said).one_more(kind, self.clock.now())
    }
}

fn tell_of_name(ask: &Ask, name: &str, addresses: &[Prefix]) {
    let shown: Vec<String> = addresses.iter().map(Prefix::to_string).collect();
    let shown = if shown.is_empty() { "no address".to_owned() } else { shown.join(", ") };
    warn!(jail = &*ask.jail, name, "a host name in a log was looked up: {shown}");
}

/// Failures that wait for answers of one kind.
struct Queue {
    kind: &'static str,
    started: Once,
    waiting: Mutex<Waiting>,
    news: Condvar,
    asked: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    asks: VecDeque<Ask>,
    /// How many are being worked on.
    busy: usize,
    closed: bool,
}

impl Queue {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            started: Once::new(),
            waiting: Mutex::default(),
            news: Condvar::new(),
            asked: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Puts one more behind the others; false if there is no room.
    fn push(&self, ask: Ask) -> bool {
        self.asked.fetch_add(1, Relaxed);
        let mut waiting = lock(&self.waiting);
        let has_room = waiting.asks.len() < QUEUE && !waiting.closed;
        if has_room {
            waiting.asks.push_back(ask);
            self.news.notify_one();
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
        has_room
    }

    /// Waits for the next one; none once the queue is closed. [`Queue::done`] says that it is dealt with.
    fn next(&self) -> Option<Ask> {
        let nothing = |waiting: &mut Waiting| waiting.asks.is_empty() && !waiting.closed;
        let waiting = self.news.wait_while(lock(&self.waiting), nothing);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let ask = waiting.asks.pop_front()?;
        waiting.busy += 1;
        Some(ask)
    }

    fn done(&self) {
        lock(&self.waiting).busy -= 1;
    }

    fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.asks.clear();
        waiting.closed = true;
        self.news.notify_all();
    }

    fn waiting(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.asks.len() + waiting.busy
    }

    fn view(&self) -> OutsideView {
        OutsideView {
            kind: self.kind,
            asked: self.asked.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            waiting: self.waiting() as u64,
        }
    }
}

/// How much was said in this minute, by the kind of message.
#[derive(Default)]
struct Said(HashMap<&'static str, (Timestamp, u32)>);

impl Said {
    fn one_more(&mut self, kind: &'static str, now: Timestamp) -> bool {
        let (since, count) = self.0.entry(kind).or_insert((now, 0));
        if now < *since || now.since(*since) >= Duration::from_secs(60) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MESSAGES
    }
}

#[cfg(test)]
mod tests;
