//! `test-filter`: what a filter finds in a log. fail2ban-regex's job.

mod report;
mod subject;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::{Exit, Global};
use crate::clock::{Clock, Timestamp};
use crate::filter::{Trial, Tried, Verdict};
use crate::source::read_once;

use report::{Print, Report};

/// Show what a filter finds in a log or in a line
#[derive(clap::Args)]
#[command(after_help = "Lines that are empty or begin with # are passed over. \
    With --json, one object is printed for each line of the log.")]
pub struct Args {
    /// A log file, `-` for standard input, or a line itself
    #[arg(value_name = "LOG|LINE")]
    log: String,
    /// The name of a filter, the path of a filter file, or a failregex
    #[arg(value_name = "FILTER|REGEX", required_unless_present = "filter_file")]
    filter: Option<String>,
    /// An ignoreregex, instead of those of the filter
    #[arg(value_name = "IGNOREREGEX")]
    ignoreregex: Option<String>,
    /// A filter file, instead of FILTER
    #[arg(long, value_name = "FILE", conflicts_with_all = ["filter", "ignoreregex"])]
    filter_file: Option<PathBuf>,
    /// An option of a fail2ban filter, such as mode=aggressive; may be given several times
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = parse_option)]
    options: Vec<(String, String)>,
    /// The failregex typed, and the ignoreregex, are written for fail2ban: in Python's syntax, with its tags
    #[arg(long, conflicts_with_all = ["filter_file", "options"])]
    fail2ban: bool,
    /// The time to take for now, such as 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<Timestamp>,
    /// The zone of dates that name none: UTC, +02:00, Europe/Zurich
    #[arg(long, alias = "TZ", value_name = "ZONE")]
    timezone: Option<String>,
    /// Lines come from the journal: they begin with the host's name and count for now
    #[arg(long)]
    journal: bool,
    /// Report addresses as logged; names are never resolved, so that nothing changes
    #[arg(long, hide = true)]
    raw: bool,
    /// Show every pattern, and below it the addresses and times it found
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    print: Print,
}

fn parse_time(written: &str) -> Result<Timestamp, jiff::Error> {
    let time: jiff::Timestamp = written.parse()?;
    Ok(Timestamp::from_millis(time.as_millisecond()))
}

fn parse_option(written: &str) -> Result<(String, String), String> {
    let (name, value) = written.split_once('=').ok_or("write it as KEY=VALUE, such as mode=aggressive")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

impl Args {
    /// Reads the lines and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let subject = subject::find(&self, global)?;
        let now = self.now.unwrap_or_else(|| Clock::System.now());
        let mut settings = subject.settings;
        settings.timezone = self.timezone.clone().or(settings.timezone);
        // Lines of the journal have no dates.
        let mut trial = Trial::new(&settings, now)?.of_time(self.journal.then_some(now));
        if global.json {
            self.print_objects(&mut trial, out)?;
        } else {
            let started = Instant::now();
            let mut report = Report::new(&settings, self.verbose, self.print);
            self.for_each_line(|line| {
                if !is_passed_over(line) {
                    let (verdict, time) =
                        trial.line(line).map_or((Verdict::Miss, None), |tried| (tried.verdict, tried.time));
                    report.add(line, verdict, time.unwrap_or(now));
                }
                Ok(())
            })?;
            let log = if self.is_file() { "log file" } else { "single line" };
            let used = [(subject.kind, &*subject.shown), (log, &self.log)];
            report.write(trial.dates(), &used, started.elapsed(), out)?;
        }
        for (place, count) in trial.filter().exhausted() {
            global.note(&format!(
                "warning: {place} was stopped {count} times, as it takes too many steps in such lines: what it would \
                 have found is not known"
            ));
        }
        Ok(Exit::Done)
    }

    fn print_objects(&self, trial: &mut Trial, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut number = 0u64;
        self.for_each_line(|line| {
            number += 1;
            let tried = if is_passed_over(line) { None } else { trial.line(line) };
            let tried = tried.unwrap_or(Tried { verdict: Verdict::Miss, time: None, matching: Vec::new() });
            Ok(writeln!(out, "{}", object(number, tried))?)
        })
    }

    fn is_file(&self) -> bool {
        self.log == "-" || Path::new(&self.log).is_file()
    }

    /// Bytes that are no UTF-8 become replacement characters.
    fn for_each_line(&self, mut each: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if !self.is_file() {
            return self.log.lines().try_for_each(each);
        }
        for batch in read_once(Path::new(&self.log))? {
            batch?.lines().try_for_each(|line| each(&String::from_utf8_lossy(line)))?;
        }
        Ok(())
    }
}

/// Comments of sample logs, and nothing at all.
fn is_passed_over(line: &str) -> bool {
    line.starts_with('#') || line.trim().is_empty()
}

/// Why a line that a failregex matches may count for nothing.
const EXCUSED: &str = "no failure by itself";

fn object(line: u64, Tried { verdict, time, matching }: Tried) -> serde_json::Value {
    let failregex = match &verdict {
        Verdict::Noted { failregex } | Verdict::Pending { failregex } => Some(*failregex),
        Verdict::Failure(failure) | Verdict::Ignored { failure: Some(failure), .. } => {
            Some(failure.failregex)
        }
        Verdict::Miss | Verdict::Ignored { failure: None, .. } => None,
    };
    let (outcome, reason, failure) = match verdict {
        Verdict::Miss => ("miss", None, None),
        Verdict::Ignored { failure, .. } => ("ignored", Some("ignoreregex"), failure),
        Verdict::Noted { .. } => ("ignored", Some(EXCUSED), None),
        Verdict::Pending { .. } => ("ignored", Some("not known whose failure"), None),
        Verdict::Failure(failure) if failure.excused => ("ignored", Some(EXCUSED), Some(failure)),
        Verdict::Failure(failure) => ("match", None, Some(failure)),
    };
    let failure = failure.as_ref();
    json!({
        "line": line,
        "outcome": outcome,
        "reason": reason,
        "ip": failure.map(|failure| failure.who.to_string()),
        "time": time.map(|time| time.to_string()),
        "user": failure.and_then(|failure| failure.user.as_deref()),
        "users": failure.map(|failure| &failure.users),
        "attempts": failure.map(|failure| failure.earlier.len() + 1),
        "failregex": failregex.map(|index| index + 1),
        "matching": matching.iter().map(|index| index + 1).collect::<Vec<_>>(),
    })
}
