//! The thread that reports to a hub: it sends what is spooled, again until the hub has confirmed it, and then has it deleted.
//! Nobody waits for it: when the hub is away, the spool grows, and nothing else happens.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::{info, warn};

use super::steering::{Steering, lock};
use super::writer;
use crate::http::{Failed, HubView};
use crate::hub::{Backoff, Client, Confirmed, MAX_BATCH, SendError, Settings};
use crate::store::{self, Reader, Waiting};

/// What comes in such a while is sent together.
const GATHERING: Duration = Duration::from_secs(1);

/// So often is looked for rows although nobody said that there are new ones.
const LOOK: Duration = Duration::from_secs(60);

/// What reporting is told, and how it goes.
pub(super) struct Reporting {
    /// To whom; `None`: to nobody.
    settings: Mutex<Option<Settings>>,
    state: Mutex<State>,
    wake: SyncSender<()>,
}

/// How it goes, since the start.
#[derive(Clone, Debug, Default)]
struct State {
    confirmed: Confirmed,
    last_sent: Option<crate::clock::Timestamp>,
    problem: Option<String>,
}

impl Reporting {
    /// Reporting that has not begun; the thread takes the receiver.
    pub(super) fn new(settings: Option<Settings>) -> (Arc<Self>, Receiver<()>) {
        let (wake, woken) = sync_channel(1);
        (Arc::new(Self { settings: Mutex::new(settings), state: Mutex::default(), wake }), woken)
    }

    /// Says that there are new rows.
    pub(super) fn wake(&self) {
        // If it is full, it is awake.
        let _ = self.wake.try_send(());
    }

    /// Reports to somebody else from now on.
    pub(super) fn reconfigure(&self, settings: Option<Settings>) {
        let mut current = lock(&self.settings);
        if *current != settings {
            *current = settings;
            lock(&self.state).problem = None;
        }
        self.wake();
    }

    /// How it goes; `None` where nothing is reported.
    pub(super) fn view(&self) -> Option<HubView> {
        let url = lock(&self.settings).as_ref()?.url.clone();
        let State { confirmed, last_sent, problem } = lock(&self.state).clone();
        let Confirmed { accepted, duplicate, refused, .. } = confirmed;
        Some(HubView { url, accepted, duplicate, refused, last_sent, problem })
    }

    /// What a person should look at.
    pub(super) fn problem(&self) -> Option<String> {
        let HubView { url, problem, .. } = self.view()?;
        problem.map(|problem| format!("nothing is reported to {url}: {problem}"))
    }
}

/// Reports until the daemon stops.
pub(super) fn run(reporting: &Reporting, woken: &Receiver<()>, daemon: &Weak<Steering>) {
    let (mut backoff, mut client) = (Backoff::default(), None);
    loop {
        thread::sleep(GATHERING);
        let _ = woken.try_recv();
        let Some(daemon) = daemon.upgrade() else { return };
        let sent = send_all(reporting, &daemon, &mut client);
        drop(daemon);
        let pause = match sent {
            Ok(()) => {
                backoff.reset();
                woken.recv_timeout(LOOK)
            }
            Err(error) => {
                reporting.failed(&error);
                client = None;
                reporting.rest(woken, backoff.wait(&error, rand::random()))
            }
        };
        if pause == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// Sends all that waits.
fn send_all(
    reporting: &Reporting,
    daemon: &Arc<Steering>,
    client: &mut Option<(Settings, Client)>,
) -> Result<(), SendError> {
    loop {
        let Some(settings) = lock(&reporting.settings).clone() else { return Ok(()) };
        let Some(waiting) = read(daemon).map_err(|error| SendError::Local(error.to_string()))? else {
            return Ok(());
        };
        let client = match client {
            Some((of, client)) if *of == settings => client,
            _ => {
                let new = Client::new(&settings)?;
                &client.insert((settings, new)).1
            }
        };
        let confirmed = client.send(&waiting)?;
        let local = |error: Failed| SendError::Local(error.to_string());
        if confirmed.is_ahead_of(&waiting) {
            warn!(
                "the hub knows rows of this spool that are not here: is the database from a backup? The spool starts anew"
            );
            write(daemon, |transaction| transaction.rename_spool()).map_err(local)?;
            continue;
        }
        let last = waiting.last();
        write(daemon, move |transaction| transaction.confirm_spooled(last)).map_err(local)?;
        reporting.confirmed(confirmed, daemon.clock.now());
        if waiting.rows.len() < MAX_BATCH {
            return Ok(());
        }
    }
}

fn read(daemon: &Steering) -> Result<Option<Waiting>, store::Error> {
    let path = lock(&daemon.running).store.path.clone();
    Reader::open(&path)?.spooled(MAX_BATCH)
}

/// Has something changed in the database, by the thread that owns it.
fn write(
    daemon: &Steering,
    change: impl FnOnce(&store::Transaction<'_>) -> Result<(), store::Error> + Send + 'static,
) -> Result<(), Failed> {
    let writer = lock(&daemon.writer).clone().ok_or(Failed::Stopping)?;
    let (done, written) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let write = move |store: &mut store::Store| {
        let _ = tell.send(store.write(change));
    };
    writer.send(writer::Input::Write(Box::new(write), done)).map_err(|_| Failed::Stopping)?;
    drop(writer);
    written.blocking_recv().map_err(|_| Failed::Stopping)?;
    Ok(told.blocking_recv().map_err(|_| Failed::Stopping)??)
}

impl Reporting {
    /// Lets time pass, whatever is new meanwhile, unless the hub is another one.
    fn rest(&self, woken: &Receiver<()>, time: Duration) -> Result<(), RecvTimeoutError> {
        let (begun, before) = (Instant::now(), lock(&self.settings).clone());
        while let Some(left) = time.checked_sub(begun.elapsed()) {
            match woken.recv_timeout(left) {
                Ok(()) if *lock(&self.settings) == before => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                other => return other,
            }
        }
        Ok(())
    }

    fn confirmed(&self, confirmed: Confirmed, now: crate::clock::Timestamp) {
        let mut state = lock(&self.state);
        let all = &mut state.confirmed;
        all.accepted += confirmed.accepted;
        all.duplicate += confirmed.duplicate;
        all.refused += confirmed.refused;
        state.last_sent = Some(now);
        if state.problem.take().is_some() {
            info!("the hub takes reports again");
        }
    }

    fn failed(&self, error: &SendError) {
        let problem = error.to_string();
        let mut state = lock(&self.state);
        if state.problem.as_ref() != Some(&problem) {
            warn!("{problem}; what is to be reported waits");
            state.problem = Some(problem);
        }
    }
}
