//! `report`: figures of some days, compared with those before.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use super::printable::printable;
use super::{Exit, Global};
use crate::clock::Clock;
use crate::http::api::FiguresQuery;
use crate::report::{Day, Figures, Format, Length, Period};

/// Report on a day, a week or a month, compared with the one before
#[derive(clap::Args)]
pub struct Args {
    /// The last one that is over; days are those of UTC, weeks begin on Monday
    #[arg(short, long, value_enum, default_value = "day")]
    period: Named,
    /// Instead of that from this day on
    #[arg(long, value_name = "DAY", conflicts_with = "period")]
    since: Option<Day>,
    /// With --since: up to the beginning of this day; without it up to now
    #[arg(long, value_name = "DAY", requires = "since")]
    until: Option<Day>,
    /// Only of this jail
    #[arg(short, long)]
    jail: Option<String>,
    /// At most so many rows of each kind
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// text, html (one file that can be mailed), md, csv or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A period that has a name.
#[derive(Clone, Copy, ValueEnum)]
enum Named {
    Day,
    Week,
    Month,
}

impl Args {
    /// Asks and writes.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let period = self.period(Day::of(Clock::System.now()))?;
        let query =
            FiguresQuery { from: period.from, until: period.until, jail: self.jail, top: Some(self.top) };
        let figures: Figures = global.client()?.get("/figures", &query)?;
        let format = if global.json { Format::Json } else { self.format };
        let mut report = format.write(&figures);
        if let Some(path) = self.output {
            fs::write(&path, report).with_context(|| path.display().to_string())?;
            return Ok(Exit::Done);
        }
        if format == Format::Text {
            report = report.lines().map(|line| printable(line).into_owned() + "\n").collect();
        }
        write!(out, "{report}")?;
        Ok(Exit::Done)
    }

    fn period(&self, today: Day) -> anyhow::Result<Period> {
        let Some(since) = self.since else {
            let length = match self.period {
                Named::Day => Length::Day,
                Named::Week => Length::Week,
                Named::Month => Length::Month,
            };
            return Ok(Period::last(length, today));
        };
        Ok(Period::new(since, self.until.unwrap_or_else(|| today.plus(1)))?)
    }
}
