//! `reporter`: those who report to this hub, and what of their reports is held back.

use std::io::Write;

use super::client::segment;
use super::{Exit, Global};
use crate::http::api::{Ended, Held, HeldListing, HeldQuery, NewReporter, Reporter, Reporters};
use crate::ip::Prefix;

/// Show and steer those who report to this hub
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List the organisations that report
    List,
    /// Say what the votes of an organisation weigh
    Trust {
        /// The organisation
        name: String,
        /// 0 counts for nothing; the default is in the configuration
        weight: f64,
    },
    /// Take nothing from an organisation any more, and take back all it said
    CutOff {
        /// The organisation
        name: String,
    },
    /// Let an organisation report again that was cut off
    Admit {
        /// The organisation
        name: String,
    },
    /// Take back all that an organisation said; it may go on reporting
    Withdraw {
        /// The organisation
        name: String,
    },
    /// List what the guard holds back
    Held,
    /// Put listings in force that the guard holds back
    Release(Chosen),
    /// Forget listings that the guard holds back, and the votes for them
    Discard(Chosen),
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Chosen {
    /// Those inside this address or network
    prefix: Option<Prefix>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Chosen {
    fn query(&self) -> HeldQuery {
        HeldQuery { prefix: self.prefix, all: self.all }
    }
}

impl Args {
    /// Does it and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.action {
            Action::List => {
                let rows = |answer: &Reporters| answer.reporters.iter().map(reporter_row).collect::<Vec<_>>();
                let answer: Reporters = global.client()?.pages("/reporters", &(), None, usize::MAX)?;
                global.rows(&answer, REPORTER_COLUMNS, &rows(&answer), out)?;
            }
            Action::Trust { name, weight } => {
                change(&name, &NewReporter { trust: Some(weight), cut_off: None }, global, out)?;
            }
            Action::CutOff { name } => change(&name, &cut_off(true), global, out)?,
            Action::Admit { name } => change(&name, &cut_off(false), global, out)?,
            Action::Withdraw { name } => {
                let path = format!("/reporters/{}/votes", segment(&name));
                let answer = global.client()?.delete(&path, &())?;
                ended(
                    answer,
                    &format!("the votes of {name} are taken back; listings ended by that"),
                    global,
                    out,
                )?;
            }
            Action::Held => {
                let answer: Held = global.client()?.pages("/held", &(), None, usize::MAX)?;
                let rows: Vec<_> = answer.held.iter().map(held_row).collect();
                global.rows(&answer, HELD_COLUMNS, &rows, out)?;
            }
            Action::Release(chosen) => {
                let path = format!("/held/release?{}", serde_urlencoded::to_string(chosen.query())?);
                let answer = global.client()?.post(&path, &())?;
                ended(answer, "listings put in force", global, out)?;
            }
            Action::Discard(chosen) => {
                let answer = global.client()?.delete("/held", &chosen.query())?;
                ended(answer, "listings forgotten", global, out)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn cut_off(cut_off: bool) -> NewReporter {
    NewReporter { trust: None, cut_off: Some(cut_off) }
}

fn change(name: &str, change: &NewReporter, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Reporter = global.client()?.patch(&format!("/reporters/{}", segment(name)), change)?;
    let changed = answer.listings_changed.unwrap_or(0);
    let state = answer
        .cut_off
        .map_or_else(|| format!("weighs {}", answer.trust), |since| format!("is cut off since {since}"));
    global.done(&answer, &format!("{name} {state}; listings begun or ended by that: {changed}"), out)
}

fn ended(answer: Ended, words: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    global.done(&answer, &format!("{words}: {}", answer.ended), out)
}

const REPORTER_COLUMNS: [&str; 8] =
    ["REPORTER", "TRUST", "VOTES", "ACCEPTED", "DUPLICATE", "REFUSED", "LAST SEEN", "CUT OFF"];

fn reporter_row(reporter: &Reporter) -> [String; 8] {
    let time =
        |time: Option<crate::clock::Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    [
        reporter.name.clone(),
        reporter.trust.to_string(),
        reporter.votes.to_string(),
        reporter.accepted.to_string(),
        reporter.duplicate.to_string(),
        reporter.refused.to_string(),
        time(reporter.last_seen),
        time(reporter.cut_off),
    ]
}

const HELD_COLUMNS: [&str; 5] = ["PREFIX", "SINCE", "UNTIL", "REASON", "VOTES"];

fn held_row(held: &HeldListing) -> [String; 5] {
    let reason = match held.reason {
        crate::jail::HoldReason::Growth => "growth",
        crate::jail::HoldReason::Allowlisted => "allowlisted",
    };
    let votes: Vec<&str> = held.votes.iter().map(|vote| vote.reporter.as_str()).collect();
    [
        held.prefix.to_string(),
        held.since.to_string(),
        held.until.to_string(),
        reason.to_owned(),
        votes.join(","),
    ]
}
