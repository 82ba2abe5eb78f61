//! What was found, in the layout of fail2ban-regex.

use std::io::{self, Write};
use std::time::Duration;

use crate::cli::hits::{self, Hits};
use crate::cli::printable::printable;
use crate::clock::Timestamp;
use crate::filter::{Settings, Verdict};

/// So many lines are shown of each kind unless all are asked for.
const SHOWN_LINES: usize = 20;

/// Which lines are shown.
#[derive(Clone, Copy, clap::Args)]
pub struct Print {
    /// Show the matched lines
    #[arg(long)]
    print_all_matched: bool,
    /// Show all missed lines, however many
    #[arg(long, conflicts_with = "print_no_missed")]
    print_all_missed: bool,
    /// Show all ignored lines, however many
    #[arg(long, conflicts_with = "print_no_ignored")]
    print_all_ignored: bool,
    /// Show no missed lines
    #[arg(long)]
    print_no_missed: bool,
    /// Show no ignored lines
    #[arg(long)]
    print_no_ignored: bool,
}

/// Lines of one kind: all are counted, some are kept.
struct Kept {
    what: &'static str,
    count: usize,
    most: usize,
    lines: Vec<String>,
}

impl Kept {
    fn new(what: &'static str, all: bool, none: bool) -> Self {
        let most = match (all, none) {
            (_, true) => 0,
            (true, _) => usize::MAX,
            _ => SHOWN_LINES,
        };
        Self { what, count: 0, most, lines: Vec::new() }
    }

    fn add(&mut self, line: &str) {
        self.count += 1;
        if self.lines.len() < self.most {
            self.lines.push(line.to_owned());
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.count == 0 || self.most == 0 {
            return Ok(());
        }
        let (what, count) = (self.what, self.count);
        if count > self.most {
            let option = what.to_lowercase();
            return writeln!(
                out,
                "{what} line(s): too many to print.  Use --print-all-{option} to print all {count} lines"
            );
        }
        writeln!(out, "|- {what} line(s):")?;
        self.lines.iter().try_for_each(|line| writeln!(out, "|  {}", printable(line)))?;
        writeln!(out, "`-")
    }
}

/// No hits of these patterns.
fn none(patterns: &[String]) -> Vec<Hits> {
    let none = |pattern: &String| Hits { pattern: pattern.clone(), count: 0, found: Vec::new() };
    patterns.iter().map(none).collect()
}

/// Everything that was found.
pub(super) struct Report {
    verbose: bool,
    lines: usize,
    failregex: Vec<Hits>,
    ignoreregex: Vec<Hits>,
    matched: Kept,
    ignored: Kept,
    missed: Kept,
}

impl Report {
    /// Nothing yet. A verbose one shows every pattern, and every address below it.
    pub(super) fn new(filter: &Settings, verbose: bool, print: Print) -> Self {
        Self {
            verbose,
            lines: 0,
            failregex: none(&filter.failregex),
            ignoreregex: none(&filter.ignoreregex),
            matched: Kept::new("Matched", print.print_all_matched, !print.print_all_matched),
            ignored: Kept::new("Ignored", print.print_all_ignored, print.print_no_ignored),
            missed: Kept::new("Missed", print.print_all_missed, print.print_no_missed),
        }
    }

    /// Takes down what was found in `line`.
    pub(super) fn add(&mut self, line: &str, verdict: Verdict<'_>, time: Timestamp) {
        self.lines += 1;
        let (kept, hits, failure) = match verdict {
            Verdict::Miss => return self.missed.add(line),
            Verdict::Ignored { failure, ignoreregex } => {
                (&mut self.ignored, &mut self.ignoreregex[ignoreregex], failure)
            }
            // As fail2ban-regex counts them.
            Verdict::Noted { failregex } => (&mut self.ignored, &mut self.failregex[failregex], None),
            Verdict::Pending { failregex } => (&mut self.matched, &mut self.failregex[failregex], None),
            Verdict::Failure(failure) => {
                let kept = if failure.excused { &mut self.ignored } else { &mut self.matched };
                (kept, &mut self.failregex[failure.failregex], Some(failure))
            }
        };
        kept.add(line);
        hits.count += 1;
        if let Some(failure) = failure.filter(|_| self.verbose) {
            hits.found.push(format!("{}  {time}", failure.who));
        }
    }

    /// Writes it all, with how often each format of `dates` was found. `used` says what was tested on what.
    pub(super) fn write(
        &self,
        dates: Option<Vec<(&str, u64)>>,
        used: &[(&str, &str)],
        elapsed: Duration,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        writeln!(out, "\nRunning tests\n=============\n")?;
        for (kind, shown) in used {
            writeln!(out, "Use {kind:>16} : {}", printable(shown))?;
        }
        writeln!(out, "\n\nResults\n=======\n")?;
        hits::write("Failregex", &self.failregex, self.verbose, out)?;
        hits::write("Ignoreregex", &self.ignoreregex, self.verbose, out)?;
        write_dates(dates, out)?;
        writeln!(
            out,
            "Lines: {} lines, {} ignored, {} matched, {} missed",
            self.lines, self.ignored.count, self.matched.count, self.missed.count
        )?;
        writeln!(out, "[processed in {:.2} sec]\n", elapsed.as_secs_f64())?;
        [&self.matched, &self.ignored, &self.missed].into_iter().try_for_each(|kept| kept.write(out))
    }
}

fn write_dates(dates: Option<Vec<(&str, u64)>>, out: &mut dyn Write) -> io::Result<()> {
    let Some(mut hits) = dates else {
        return Ok(());
    };
    writeln!(out, "Date template hits:")?;
    hits.retain(|(_, hits)| *hits > 0);
    if !hits.is_empty() {
        writeln!(out, "|- [# of hits] date format")?;
        hits.iter().try_for_each(|(name, hits)| writeln!(out, "|  [{hits}] {name}"))?;
        writeln!(out, "`-")?;
    }
    writeln!(out)
}
