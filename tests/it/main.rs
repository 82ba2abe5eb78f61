//! The one integration-test binary; each module is one area.

#![allow(clippy::unwrap_used, reason = "a failed expectation is what fails a test")]

mod access;
mod answers;
mod changes;
mod cli;
mod config;
mod confined;
mod datasets;
mod encrypted;
mod env;
mod fail2ban;
mod filters;
mod flood;
mod hostile;
mod hub;
mod journal;
mod kill;
mod lists;
mod lookups;
mod model;
mod operation;
mod oracle;
mod outside;
mod pages;
mod passkeys;
mod peers;
mod public;
mod rbldnsd;
mod reload;
mod reports;
mod seen;
mod sign_in;
mod statements;
mod statuses;
mod syslog;
mod tidy;
