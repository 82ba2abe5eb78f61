//! `test-filter`: what a filter finds in a log. fail2ban-regex's job.

mod report;
mod subject;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use serde_json::json;

use super::{Exit, Global};
use crate::clock::{Clock, Timestamp};
use crate::filter::{Dates, Filter, Verdict, cut, line_time};
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
    /// An option of the filter; banzone's own filters have none
    #[arg(long = "option", value_name = "KEY=VALUE")]
    options: Vec<String>,
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

impl Args {
    /// Reads the lines and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        if let Some(option) = self.options.first() {
            bail!("unknown option `{option}`: banzone's own filters have no options");
        }
        let subject = subject::find(&self, global)?;
        let filter = Filter::compile(&subject.settings)?;
        let timezone = self.timezone.as_deref().or(subject.settings.timezone.as_deref());
        let dates = Dates::new(&subject.settings.datepattern, timezone)?;
        let mut run = Run {
            dates: (!self.journal).then_some(dates),
            now: self.now.unwrap_or_else(|| Clock::System.now()),
            filter,
            last: None,
        };
        if global.json {
            self.print_objects(&mut run, out)?;
        } else {
            let started = Instant::now();
            let mut report = Report::new(&run.filter, self.verbose, self.print);
            self.fill(&mut run, &mut report)?;
            let log = if self.is_file() { "log file" } else { "single line" };
            let used = [(subject.kind, &*subject.shown), (log, &self.log)];
            report.write(&run, &used, started.elapsed(), out)?;
        }
        Ok(Exit::Done)
    }

    fn fill(&self, run: &mut Run, report: &mut Report) -> anyhow::Result<()> {
        let mut scratch = String::new();
        self.for_each_line(|line| {
            if !is_passed_over(line) {
                let (verdict, time, _) = run.line(line, &mut scratch);
                report.add(line, verdict, time);
            }
            Ok(())
        })
    }

    fn print_objects(&self, run: &mut Run, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut scratch = String::new();
        let mut number = 0u64;
        self.for_each_line(|line| {
            number += 1;
            let (verdict, time) = if is_passed_over(line) {
                (Verdict::Miss, None)
            } else {
                let (verdict, time, dated) = run.line(line, &mut scratch);
                let counts = dated || verdict != Verdict::Miss;
                (verdict, counts.then_some(time))
            };
            Ok(writeln!(out, "{}", object(number, verdict, time))?)
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

/// One filter on its way through the lines of a log.
struct Run {
    filter: Filter,
    /// Absent: the lines have no dates.
    dates: Option<Dates>,
    now: Timestamp,
    /// The time of the line before.
    last: Option<Timestamp>,
}

impl Run {
    /// What the filter says of `line`, and the line's time and date.
    fn line<'t>(&mut self, line: &'t str, scratch: &'t mut String) -> (Verdict<'t>, Timestamp, bool) {
        let date = self.dates.as_mut().and_then(|dates| dates.find(line, self.now));
        let time = line_time(date.as_ref().map(|date| date.time), self.last, self.now, false);
        self.last = Some(time);
        let text = match &date {
            Some(date) => cut(line, &date.span, scratch),
            None => line,
        };
        (self.filter.check(text), time, date.is_some())
    }
}

/// Comments of sample logs, and nothing at all.
fn is_passed_over(line: &str) -> bool {
    line.starts_with('#') || line.trim().is_empty()
}

fn object(line: u64, verdict: Verdict<'_>, time: Option<Timestamp>) -> serde_json::Value {
    let (outcome, reason, failure) = match verdict {
        Verdict::Miss => ("miss", None, None),
        Verdict::Ignored { failure, .. } => ("ignored", Some("ignoreregex"), failure),
        Verdict::Noted { .. } => ("ignored", Some("no failure by itself"), None),
        Verdict::Pending { .. } => ("ignored", Some("not known whose failure"), None),
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
        "failregex": failure.map(|failure| failure.failregex + 1),
    })
}
