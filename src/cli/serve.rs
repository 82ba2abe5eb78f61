//! `banzone serve`: runs the daemon, and says what it lists once the logs there are have been read.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use super::{Exit, Global};
use crate::config::{self, Log, LogFormat};
use crate::daemon;
use crate::dns;
use crate::http::Steered;
use crate::ip::{Prefix, write_reversed};

/// Replaces the configured level by `tracing`'s directives, such as `banzone::source=debug`.
const LOG_VARIABLE: &str = "BANZONE_LOG";

/// How often is looked whether the logs have been read to their end, and how many times at the most.
const LOOK: (Duration, u32) = (Duration::from_millis(100), 300);

/// The summary names this many addresses of each jail.
const NAMED: usize = 5;

/// Run the daemon: read the logs, ban, answer DNS
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    /// Runs the daemon until it is told to stop.
    pub(super) fn run(self, global: &Global, _out: &mut dyn Write) -> Result<Exit> {
        let config = config::load(&global.config)?;
        start_log(config.log)?;
        for notice in &config.notices {
            tracing::info!("{notice}");
        }
        let origin = config.zones.first().map(|zone| zone.origin.to_string());
        daemon::run(&global.config, config, |reached, daemon| {
            let server = reached.dns.first().copied();
            tokio::spawn(async move {
                if caught_up(&daemon).await {
                    // Whoever started it may have closed the output.
                    let _ = summarize(&daemon, server, origin.as_deref()).await;
                }
            });
        })?;
        Ok(Exit::Done)
    }
}

/// Begins to write messages to standard error.
pub(super) fn start_log(log: Log) -> Result<()> {
    let level = log.level.name();
    let libraries = dns::LIBRARY_LOG_TARGETS.map(|target| format!("{target}=error")).join(",");
    let directives = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| format!("{level},{libraries}"));
    let filter = EnvFilter::try_new(directives)?;
    let colored = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colored);
    match log.format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        // The journal has a clock of its own.
        LogFormat::Text if std::env::var_os("JOURNAL_STREAM").is_some() => {
            builder.without_time().with_target(false).init();
        }
        LogFormat::Text => builder.with_target(false).init(),
    }
    Ok(())
}

/// Waits until what the logs hold has been read, committed and published; false if that takes too long.
async fn caught_up(daemon: &Steered) -> bool {
    let mut before = None;
    for _ in 0..LOOK.1 {
        tokio::time::sleep(LOOK.0).await;
        let sources = daemon.sources();
        let behind: u64 = sources.iter().map(|source| source.counters.lag.load(Relaxed)).sum();
        let lines: u64 = sources.iter().map(|source| source.counters.lines.load(Relaxed)).sum();
        let zones = daemon.dns().zones();
        let listed: usize =
            (0..zones.zones().len()).map(|zone| zones.lists().latest()[zone].list.len()).sum();
        let now = Some((behind, lines, listed));
        if behind == 0 && now == before {
            return true;
        }
        before = now;
    }
    false
}

async fn summarize(daemon: &Steered, server: Option<SocketAddr>, origin: Option<&str>) -> Result<()> {
    let banned = daemon.some_banned(NAMED).await?;
    let mut out = std::io::stdout().lock();
    for (jail, count, prefixes) in &banned {
        let named: Vec<String> = prefixes.iter().map(Prefix::to_string).collect();
        let more = if *count > NAMED { ", ..." } else { "" };
        writeln!(out, "{jail} lists {count}: {}{more}", named.join(", "))?;
    }
    let first = banned.iter().flat_map(|(_, _, prefixes)| prefixes).next();
    if let (Some(server), Some(origin), Some(prefix)) = (server, origin, first) {
        let name = write_reversed(prefix.address());
        writeln!(out, "Ask for one: dig @{} -p {} {name}.{origin} ANY +short", server.ip(), server.port())?;
        writeln!(out, "and its text: dig @{} -p {} {name}.{origin} TXT +short", server.ip(), server.port())?;
    }
    Ok(out.flush()?)
}
