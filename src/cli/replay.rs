//! `replay`: a log through the jails with the log's own clock, to see what would be banned.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Exit, Global};
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Config};
use crate::filter::Pace;
use crate::http::api;
use crate::ip::PrefixSet;
use crate::jail::{self, Answer, Change, Effects, Jails, Lines, Question, Readers};
use crate::source::{self, Batch, Start, read_once};

/// What the jails read instead of their own logs.
const SOURCE: &str = "replay";

/// The random part of ban times is the same in every replay.
const SEED: u64 = 0;

/// Show the bans that the jails would make of old logs, by the logs' own clock
#[derive(clap::Args)]
pub struct Args {
    /// Logs in the order in which they were written; gzip is understood, `-` is standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Only this jail; may be given several times
    #[arg(short, long = "jail", value_name = "JAIL")]
    jails: Vec<String>,
    /// When the logs ended, for dates without a year; without it the time each file was last written
    #[arg(long, value_name = "TIME")]
    now: Option<jiff::Timestamp>,
}

impl Args {
    /// Reads every log and prints each ban as it comes.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> Result<Exit> {
        let config = config::load(&global.config)?;
        let mut jails = self.chosen(&config)?;
        if !global.json {
            // Only there the lines are shown that led to a ban.
            jails.iter_mut().for_each(|jail| jail.max_matches = 0);
        }
        let mut replay = Replay::new(&jails, config.allow, global.json, out)?;
        for log in &self.logs {
            replay.log(log, self.ended(log)?, !global.quiet)?;
        }
        let exhausted = replay.readers.exhausted();
        let failures = replay.jails.total_failed();
        let Totals { lines, bans, names, commands } = replay.totals;
        global.note(&format!("{lines} lines, {failures} failures, {bans} bans"));
        if names > 0 {
            global.note(&format!("{names} failures by host name are left out: no name was looked up"));
        }
        if commands > 0 {
            global.note(&format!("{commands} failures were counted without asking `ignore_command`"));
        }
        for jail::Exhausted { jail, pattern, lines } in exhausted {
            global.note(&format!("jail {jail}: {pattern} was stopped on {lines} lines, as it takes too many steps there; simplify it"));
        }
        // The process is about to end, and all of its memory at once.
        std::mem::forget((replay.readers, replay.jails));
        Ok(Exit::Done)
    }

    fn chosen(&self, config: &Config) -> Result<Vec<jail::Settings>> {
        let mut jails = config.jails.clone();
        for name in &self.jails {
            if !jails.iter().any(|jail| *jail.name == **name) {
                let known: Vec<&str> = jails.iter().map(|jail| &*jail.name).collect();
                bail!("there is no jail `{name}`; there are: {}", known.join(", "));
            }
        }
        jails.retain(|jail| self.jails.is_empty() || self.jails.iter().any(|name| *jail.name == **name));
        // A jail without sources takes bans by hand only, or those of the others.
        jails.retain(|jail| !jail.sources.is_empty() || jail.counts_bans);
        for jail in jails.iter_mut().filter(|jail| !jail.sources.is_empty()) {
            jail.sources = vec![source::Settings { path: SOURCE.into(), start: Start::Head, horizon: None }];
        }
        Ok(jails)
    }

    fn ended(&self, log: &Path) -> Result<Timestamp> {
        if let Some(now) = self.now {
            return Ok(Timestamp::from_millis(now.as_millisecond()));
        }
        if log == Path::new("-") {
            return Ok(Clock::System.now());
        }
        let file = std::fs::metadata(log).with_context(|| log.display().to_string())?;
        let written = file.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Timestamp::default() + written)
    }
}

#[derive(Clone, Copy, Default)]
struct Totals {
    lines: u64,
    bans: u64,
    /// Failures by host name, which are not counted.
    names: u64,
    /// Failures that a command might have excused.
    commands: u64,
}

impl Totals {
    /// Answers what would be asked outside: the world is not that of the log any more.
    fn answer(&mut self, jails: &mut Jails, now: Timestamp, effects: &mut Effects) {
        while let Some(ask) = effects.asks.pop() {
            match ask.question {
                Question::Addresses { .. } => self.names += 1,
                Question::Excused { .. } => {
                    self.commands += 1;
                    jails.answered(&ask, &Answer::Excused(false), now, effects);
                }
            }
        }
    }
}

/// The jails on their way through the logs.
struct Replay<'a> {
    readers: Readers,
    jails: Jails,
    json: bool,
    out: &'a mut dyn Write,
    totals: Totals,
}

impl<'a> Replay<'a> {
    fn new(
        settings: &[jail::Settings],
        allow: PrefixSet,
        json: bool,
        out: &'a mut dyn Write,
    ) -> Result<Self> {
        let readers = Readers::new(settings, Clock::System.now())?;
        // The addresses of this machine say nothing about the one that wrote the log.
        let jails = Jails::new(settings.to_vec(), allow, PrefixSet::default(), SEED);
        Ok(Self { readers, jails, json, out, totals: Totals::default() })
    }

    fn log(&mut self, path: &Path, before: Timestamp, show_progress: bool) -> Result<()> {
        let mut log = read_once(path)?;
        let progress = progress(log.bytes_total().filter(|_| show_progress));
        while let Some(batch) = log.next() {
            let batch = batch?;
            let mut effects = Effects::default();
            self.totals.lines += batch.len() as u64;
            self.read(&batch, before, &mut effects);
            self.report(&effects.changes)?;
            self.jails.finish_without_commit();
            self.readers.finish();
            progress.set_position(log.bytes_read());
            log.take_back(batch);
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn read(&mut self, batch: &Batch, before: Timestamp, effects: &mut Effects) {
        let Self { readers, jails, totals, .. } = self;
        let Some(reader) = readers.get_mut(SOURCE) else { return };
        let lines = Lines { text: batch.text(), spans: batch.spans(), times: &[] };
        reader.read(lines, Pace::Replaying { before }, |jail, found, now| {
            jails.expire(now, effects);
            jails.found(jail, found, now, effects);
            totals.answer(jails, now, effects);
        });
    }

    fn report(&mut self, changes: &[Change]) -> Result<()> {
        for change in changes {
            let Change::Banned(ban) = change else { continue };
            self.totals.bans += 1;
            if self.json {
                serde_json::to_writer(&mut *self.out, &api::Ban::from(ban)).map_err(std::io::Error::from)?;
                writeln!(self.out)?;
                continue;
            }
            let until = ban.until.map_or_else(|| "ever".to_owned(), |until| until.to_string());
            let (since, jail, prefix, failures) = (ban.since, &ban.jail, ban.prefix, ban.failures);
            writeln!(
                self.out,
                "{since} {jail} bans {prefix} until {until} ({failures} failures, ban {})",
                ban.count
            )?;
        }
        Ok(())
    }
}

/// A bar on standard error, if somebody looks at it.
fn progress(total: Option<u64>) -> ProgressBar {
    let Some(total) = total.filter(|_| std::io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    ProgressBar::new(total).with_style(style.expect("the template is well-formed"))
}
