//! Failures that wait for answers of one kind, by what they ask about: a host name, or an address in a jail. Whoever fails
//! again and again has one turn among the others, and what is asked in the same words is asked once for all who wait.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};

use super::command::wording;
use crate::daemon::steering::lock;
use crate::http::OutsideView;
use crate::ip::Prefix;
use crate::jail::{Ask, Question};

/// So many names or addresses wait in a queue.
pub(super) const TOPICS: usize = 10_000;

/// So many failures wait for each of them: more than make a ban anywhere.
pub(super) const ASKS: usize = 100;

/// All failures of a queue together; each is up to 200 KB.
const BYTES: usize = 64 << 20;

/// What a failure takes besides its texts.
const OVERHEAD: usize = 256;

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Topic {
    Host(String),
    Address(Arc<str>, Prefix),
}

impl Topic {
    fn of(ask: &Ask) -> Self {
        match &ask.question {
            Question::Addresses { name, .. } => Self::Host(name.to_ascii_lowercase()),
            Question::Excused { prefix, .. } => Self::Address(Arc::clone(&ask.jail), *prefix),
        }
    }
}

/// A failure that waits.
struct Waiter {
    ask: Ask,
    wording: String,
}

impl Waiter {
    fn size(&self) -> usize {
        OVERHEAD + self.wording.len() + self.ask.lines.iter().map(String::len).sum::<usize>()
    }
}

/// Failures that wait for the same answer; never none.
pub(super) struct Group {
    topic: Topic,
    waiters: Vec<Waiter>,
}

impl Group {
    /// The one that came first, which asks for all.
    pub(super) fn first(&self) -> &Ask {
        &self.waiters.first().expect("a group is never empty").ask
    }

    /// All of them in order.
    pub(super) fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.waiters.iter().map(|waiter| &waiter.ask)
    }

    fn size(&self) -> usize {
        self.waiters.iter().map(Waiter::size).sum()
    }
}

/// Failures that wait for answers of one kind.
pub(super) struct Queue {
    pub(super) kind: &'static str,
    pub(super) started: Once,
    waiting: Mutex<Waiting>,
    news: Condvar,
    asked: AtomicU64,
    dropped: AtomicU64,
    /// How many questions had no answer.
    pub(super) failed: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    /// Also topics that are being asked about: what comes meanwhile waits until that is done.
    topics: HashMap<Topic, VecDeque<Waiter>>,
    /// Whose turn comes when.
    turns: VecDeque<Topic>,
    /// Failures that wait or are being asked about, and their size.
    count: usize,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(super) fn new(kind: &'static str) -> Self {
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
    pub(super) fn push(&self, ask: Ask) -> bool {
        self.asked.fetch_add(1, Relaxed);
        let waiter = Waiter { wording: wording(&ask), ask };
        let is_taken = lock(&self.waiting).push(waiter);
        if is_taken {
            self.news.notify_one();
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
        is_taken
    }

    /// Waits for the next ones; none once the queue is closed. [`Queue::done`] says that they are dealt with.
    pub(super) fn next(&self) -> Option<Group> {
        let nothing = |waiting: &mut Waiting| waiting.turns.is_empty() && !waiting.closed;
        let waiting = self.news.wait_while(lock(&self.waiting), nothing);
        waiting.unwrap_or_else(PoisonError::into_inner).next()
    }

    pub(super) fn done(&self, group: &Group) {
        if lock(&self.waiting).done(group) {
            self.news.notify_one();
        }
    }

    pub(super) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        let given_up: usize = waiting.topics.drain().map(|(_, waiters)| waiters.len()).sum();
        waiting.count -= given_up;
        waiting.turns.clear();
        waiting.closed = true;
        self.news.notify_all();
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.waiting).count
    }

    pub(super) fn view(&self) -> OutsideView {
        OutsideView {
            kind: self.kind,
            asked: self.asked.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            waiting: self.waiting() as u64,
        }
    }
}

impl Waiting {
    fn push(&mut self, waiter: Waiter) -> bool {
        let (topic, size) = (Topic::of(&waiter.ask), waiter.size());
        let has_room = match self.topics.get(&topic) {
            Some(waiters) => waiters.len() < ASKS,
            None => self.topics.len() < TOPICS,
        };
        if self.closed || !has_room || self.bytes + size > BYTES {
            return false;
        }
        if !self.topics.contains_key(&topic) {
            self.turns.push_back(topic.clone());
        }
        self.topics.entry(topic).or_default().push_back(waiter);
        (self.count, self.bytes) = (self.count + 1, self.bytes + size);
        true
    }

    /// Of whoever has the next turn, all that ask in the words of the first.
    fn next(&mut self) -> Option<Group> {
        let topic = self.turns.pop_front()?;
        let waiters = self.topics.get_mut(&topic)?;
        let first = waiters.front()?.wording.clone();
        let (same, others): (Vec<_>, Vec<_>) = waiters.drain(..).partition(|waiter| waiter.wording == first);
        *waiters = others.into();
        Some(Group { topic, waiters: same })
    }

    /// Lets those have a turn that wait for the same topic; false if there are none.
    fn done(&mut self, group: &Group) -> bool {
        self.count -= group.waiters.len();
        self.bytes -= group.size();
        let is_wanted = self.topics.get(&group.topic).is_some_and(|waiters| !waiters.is_empty());
        if is_wanted {
            self.turns.push_back(group.topic.clone());
        } else {
            self.topics.remove(&group.topic);
        }
        is_wanted
    }
}
