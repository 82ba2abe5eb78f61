//! The statistics file: a line now and then with what each zone was asked, in rbldnsd's form,
//! `time zone:queries:positive:nxdomain:received:sent ... *:...`, where a time alone marks where counting begins anew.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use tracing::{info, warn};

use crate::clock::Timestamp;
use crate::dns::{Counts, ZoneCounts};
use crate::sys::append;

/// The name for all zones together, and what belongs to none.
const ALL: &str = "*";

/// Where figures go, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatisticsSettings {
    /// The file, to which lines are appended.
    pub path: PathBuf,
    /// Whether a line has what came since the one before, not since the start.
    pub is_delta: bool,
}

/// Writes the lines.
pub(super) struct Statistics {
    /// `None`: there is no file, and figures are only shown to who asks.
    settings: Option<StatisticsSettings>,
    /// What was counted before counting began anew.
    base: Vec<Figures>,
    /// What the last line in the file was made of.
    before: Vec<Figures>,
    fails: bool,
}

/// The figures of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figures {
    zone: String,
    /// Queries, NOERROR, NXDOMAIN, octets received and sent.
    numbers: [u64; 5],
}

impl Figures {
    fn of(counts: &ZoneCounts) -> Self {
        let replies = |rcode: &str| {
            let counted = counts.replies.iter().filter(|reply| rcode.is_empty() || reply.rcode == rcode);
            counted.map(|reply| reply.count).sum()
        };
        let origin = counts.origin.as_deref().unwrap_or(ALL);
        Self {
            zone: origin.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(origin).to_owned(),
            numbers: [replies(""), replies("NOERROR"), replies("NXDOMAIN"), counts.received, counts.sent],
        }
    }

    /// Every zone, and the sum of all at the end.
    fn of_all(counts: &Counts) -> Vec<Self> {
        let mut figures: Vec<Self> = counts.zones.iter().map(Self::of).collect();
        let sum = |number: usize| figures.iter().map(|zone| zone.numbers[number]).sum();
        let all = Self { zone: ALL.to_owned(), numbers: std::array::from_fn(sum) };
        figures.retain(|zone| zone.zone != ALL);
        figures.push(all);
        figures
    }

    /// What came since `before`.
    fn since(&self, before: &[Self]) -> Self {
        let numbers =
            before.iter().find(|known| known.zone == self.zone).map_or([0; 5], |known| known.numbers);
        let difference = |number: usize| self.numbers[number].saturating_sub(numbers[number]);
        Self { zone: self.zone.clone(), numbers: std::array::from_fn(difference) }
    }
}

impl Statistics {
    /// Begins at `now`.
    pub(super) fn start(settings: Option<StatisticsSettings>, now: Timestamp) -> io::Result<Self> {
        let statistics = Self { settings, base: Vec::new(), before: Vec::new(), fails: false };
        statistics.append(&mark(now))?;
        Ok(statistics)
    }

    /// Writes a line.
    pub(super) fn tick(&mut self, counts: &Counts, now: Timestamp) {
        let line = self.line(counts, now);
        self.tell(&line);
    }

    /// Writes a line, and says in the log what was counted in all.
    pub(super) fn show(&mut self, counts: &Counts, now: Timestamp) {
        info!("{}", text(&self.figures(counts), now).trim_end());
        self.tick(counts, now);
    }

    /// The same, and counting begins anew.
    pub(super) fn reset(&mut self, counts: &Counts, now: Timestamp) {
        self.show(counts, now);
        self.base = Figures::of_all(counts);
        self.before = Vec::new();
        self.tell(&mark(now));
    }

    /// Writes the last line, and that counting ends.
    pub(super) fn end(mut self, counts: &Counts, now: Timestamp) {
        let line = self.line(counts, now) + &mark(now);
        self.tell(&line);
    }

    fn figures(&self, counts: &Counts) -> Vec<Figures> {
        Figures::of_all(counts).iter().map(|zone| zone.since(&self.base)).collect()
    }

    fn line(&mut self, counts: &Counts, now: Timestamp) -> String {
        let figures = self.figures(counts);
        let line = match &self.settings {
            Some(settings) if settings.is_delta => {
                text(&figures.iter().map(|zone| zone.since(&self.before)).collect::<Vec<_>>(), now)
            }
            _ => text(&figures, now),
        };
        self.before = figures;
        line
    }

    /// Answers go on whether or not there is room for figures.
    fn tell(&mut self, lines: &str) {
        let written = self.append(lines);
        if let Err(error) = &written
            && !self.fails
        {
            warn!("{error}");
        }
        self.fails = written.is_err();
    }

    fn append(&self, lines: &str) -> io::Result<()> {
        let Some(StatisticsSettings { path, .. }) = &self.settings else { return Ok(()) };
        append::open(path).and_then(|mut file| file.write_all(lines.as_bytes())).map_err(|error| {
            let message = format!("cannot write the statistics file {}: {error}", path.display());
            io::Error::new(error.kind(), message)
        })
    }
}

/// Where counting begins or ends.
fn mark(now: Timestamp) -> String {
    format!("{}\n", now.as_secs())
}

fn text(figures: &[Figures], now: Timestamp) -> String {
    let mut line = now.as_secs().to_string();
    for Figures { zone, numbers: [queries, positive, negative, received, sent] } in figures {
        // Writing to a string cannot fail.
        let _ = write!(line, " {zone}:{queries}:{positive}:{negative}:{received}:{sent}");
    }
    line + "\n"
}
