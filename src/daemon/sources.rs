//! One thread for each source: reads, and hands batches to the pipeline.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{error, info, warn};

use super::pipeline::Input;
use crate::http::SourceView;
use crate::source::{self, Counters, LogSource, Position};

/// How long a source waits for lines before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a source that can't be read is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// The sources being read.
#[derive(Default)]
pub(super) struct Sources {
    running: HashMap<Arc<str>, Running>,
}

/// One source.
pub(super) struct Running {
    jails: Vec<Arc<str>>,
    counters: Arc<Counters>,
    told: Told,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Sources {
    /// Counts a source among those being read.
    pub(super) fn insert(&mut self, path: Arc<str>, running: Running) {
        self.running.insert(path, running);
    }

    /// Says which jails read `path`; false if it is not being read.
    pub(super) fn reassign(&mut self, path: &str, jails: &[Arc<str>]) -> bool {
        let Some(running) = self.running.get_mut(path) else {
            return false;
        };
        running.jails = jails.to_vec();
        true
    }

    /// Takes out the sources that are not to be read any more, for [`stop_all`].
    pub(super) fn take(&mut self, unwanted: impl Fn(&str) -> bool) -> Vec<Running> {
        let taken = self.running.extract_if(|path, _| unwanted(path));
        taken.map(|(_, running)| running).collect()
    }

    /// What is being read, in order.
    pub(super) fn views(&self) -> Vec<SourceView> {
        let view = |(path, running): (&Arc<str>, &Running)| SourceView {
            path: Arc::clone(path),
            jails: running.jails.clone(),
            counters: Arc::clone(&running.counters),
        };
        let mut views: Vec<SourceView> = self.running.iter().map(view).collect();
        views.sort_by(|a, b| a.path.cmp(&b.path));
        views
    }

    /// What is wrong with the files, one line each.
    pub(super) fn problems(&self) -> Vec<String> {
        let problems = self.running.values().flat_map(|running| running.counters.problems());
        let mut lines: Vec<String> = problems.map(|(path, problem)| told(&path, &problem)).collect();
        lines.sort();
        lines
    }

    /// Says in the log what is wrong with the files; to be called now and then.
    pub(super) fn tell_problems(&mut self) {
        for running in self.running.values_mut() {
            running.told.look(running.counters.problems());
        }
    }

    /// Whether a thread has ended that should not have.
    pub(super) fn any_dead(&self) -> bool {
        self.running
            .values()
            .any(|running| running.thread.is_finished() && !running.stop.load(Ordering::Relaxed))
    }
}

impl Running {
    /// Starts reading `settings` for `jails`, from the positions `kept`. What is received waits in the folder `spool`.
    pub(super) fn start(
        settings: &source::Settings,
        spool: &Path,
        jails: Vec<Arc<str>>,
        kept: Vec<Position>,
        pipeline: SyncSender<Input>,
    ) -> Result<Self, StartError> {
        let source = source::open(settings, spool, kept)?;
        let counters = source.counters();
        let stop = Arc::new(AtomicBool::new(false));
        let path = Arc::clone(&settings.path);
        let reading = Reading { path, source, stop: Arc::clone(&stop), pipeline };
        let thread = thread::Builder::new().name("source".to_owned()).spawn(move || reading.run())?;
        Ok(Self { jails, counters, told: Told::default(), stop, thread })
    }
}

/// Stops reading these; what was read is handed on before this returns. That may take until the pipeline has room, so no
/// lock is held meanwhile.
pub(super) fn stop_all(sources: Vec<Running>) {
    for running in &sources {
        running.stop.store(true, Ordering::Relaxed);
    }
    for running in sources {
        let _ = running.thread.join();
    }
}

/// What the log was told of the problems of one source.
#[derive(Default)]
struct Told {
    /// The problems at the last look.
    seen: BTreeMap<PathBuf, String>,
    told: BTreeMap<PathBuf, String>,
}

impl Told {
    /// Says what has been wrong since the look before: while it is rotated, a log is missing for a moment.
    fn look(&mut self, problems: BTreeMap<PathBuf, String>) {
        for (path, problem) in &problems {
            if self.seen.get(path) == Some(problem) && self.told.get(path) != Some(problem) {
                warn!("{}", told(path, problem));
                self.told.insert(path.clone(), problem.clone());
            }
        }
        let mended = self.told.extract_if(.., |path, _| !problems.contains_key(path));
        mended.for_each(|(path, _)| info!("{}: is all right now", path.display()));
        self.seen = problems;
    }
}

fn told(path: &Path, problem: &str) -> String {
    format!("{}: {problem}", path.display())
}

/// Why a source is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// It can't be.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// There can't be another thread.
    #[error("no thread for reading logs: {0}; the limit on threads may be too low")]
    Thread(#[from] io::Error),
}

/// The state of one thread.
struct Reading {
    path: Arc<str>,
    source: Box<dyn LogSource>,
    stop: Arc<AtomicBool>,
    pipeline: SyncSender<Input>,
}

impl Reading {
    fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            if self.step(PATIENCE).is_none() {
                return;
            }
        }
        if !self.source.ended() {
            // What was written just before; if it is more than a batch, the rest is for the next start.
            self.step(Duration::ZERO);
        }
    }

    /// Hands on what comes within `wait`. `None` when the pipeline is gone.
    fn step(&mut self, wait: Duration) -> Option<()> {
        match self.source.read(wait) {
            Ok(Some(batch)) => return self.pipeline.send(Input::Lines(batch)).ok(),
            Ok(None) if self.source.ended() => {
                info!(source = &*self.path, "the source has ended");
                self.wait_for_stop();
            }
            Ok(None) => {}
            Err(failed) => {
                error!("{failed}");
                self.rest();
            }
        }
        Some(())
    }

    /// Waits a while, but not longer than until told to stop.
    fn rest(&self) {
        for _ in 0..RETRY.as_millis() / PATIENCE.as_millis() {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            thread::sleep(PATIENCE);
        }
    }

    fn wait_for_stop(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            thread::sleep(PATIENCE);
        }
    }
}
