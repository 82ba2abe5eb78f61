//! banzone turns the logs of servers into a DNS blocklist.
//!
//! It reads log lines, finds failed logins and abuse in them, counts failures into bans, keeps the bans in
//! SQLite, and answers DNSBL queries for them from memory. The modules stand in the order of the flow, and each
//! imports only what stands to its left and the vocabulary:
//!
//! ```text
//! source → filter → jail → store → list → zone → dns
//!                           dataset ↗
//! ```
//!
//! * [`source`] reads log files and hands on batches of complete lines with the position behind them.
//! * [`filter`] finds the date of a line and, by failregexes, the failure in it: address, time, user.
//! * [`jail`] counts failures into bans, and takes orders (ban, unban, allow). It is pure: `now` is an argument.
//! * [`store`] commits positions, counts and bans in one SQLite transaction per batch.
//! * [`hub`] reads what other servers report, and reports to others.
//! * [`dataset`] reads static lists in rbldnsd's file formats.
//! * [`list`] holds the published prefixes of each zone in memory, for readers that take no lock.
//! * [`zone`] answers a DNS query from a list: bytes in, bytes out.
//! * [`dns`] carries queries and answers over UDP, TCP, TLS, HTTPS and QUIC.
//!
//! On the store stand [`access`], which says who may do what, and [`report`], which turns the rows by hour and day into
//! figures, tables and charts.
//!
//! The vocabulary every stage may use is [`ip`] (prefixes and reversed names), [`clock`] (the only reader of the
//! time) and [`sys`] (the only place for system calls). On top sit [`http`] (API, health, metrics, pages for everybody),
//! [`config`] (the TOML files, turned into the settings of each stage), [`daemon`] (threads, signals, reload) and
//! [`cli`] (one file per subcommand).

#![warn(missing_docs)]

// The vocabulary.
pub mod clock;
pub mod ip;
pub mod sys;

// The stages in the order of the flow; the empty lines keep rustfmt from sorting them.
pub mod source;

pub mod filter;

pub mod jail;

pub mod store;

pub mod hub;

pub mod dataset;

pub mod list;

pub mod zone;

pub mod dns;

// The service, on the store.
pub mod access;

pub mod report;

// On top.
pub mod http;

pub mod config;

pub mod daemon;

pub mod cli;
