//! What people and other programs ask of the jails, and why it may be refused.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::BanTime;
use crate::clock::Timestamp;
use crate::ip::Prefix;

/// The jail of bans that were ordered without naming one. It reads no log.
pub const MANUAL: &str = "manual";

/// A change asked for from outside. It takes the same way as everything found in a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Ban a prefix; one that is banned already is only ever banned longer.
    Ban(BanOrder),
    /// End the bans inside a prefix, and forget its failures.
    Unban {
        /// What to free; absent: everything.
        prefix: Option<Prefix>,
        /// By which jail; absent: all of them.
        jail: Option<Arc<str>>,
        /// Who asks.
        by: String,
        /// Whether earlier bans are forgotten as well, so that the next one is as short as a first one.
        forgive: bool,
    },
    /// Put a prefix on the allowlist. Bans inside it end.
    Allow {
        /// What is never to be banned or published.
        prefix: Prefix,
        /// Why.
        note: String,
        /// Who answers for it.
        owner: String,
        /// Until when; absent: for good.
        until: Option<Timestamp>,
    },
    /// Take a prefix off the allowlist.
    Disallow {
        /// The entry.
        prefix: Prefix,
    },
    /// Count failures of a prefix as if a log had shown them.
    Fail {
        /// Who failed.
        prefix: Prefix,
        /// In which jail.
        jail: Arc<str>,
        /// What shows it, a line for each failure; without any it is one failure.
        lines: Vec<String>,
        /// Who asks.
        by: String,
    },
    /// Let a jail go on with another setting, until the configuration is read again or the program starts anew.
    Adjust {
        /// Which jail.
        jail: Arc<str>,
        /// What changes.
        adjustment: Adjustment,
    },
    /// Take over a ban that another program made.
    TakeOver(KnownBan),
    /// Do something about an organisation that reports.
    Reporter {
        /// Which.
        name: Arc<str>,
        /// What.
        order: ReporterOrder,
    },
    /// Put listings in force that are held back.
    Release {
        /// Those inside this; absent: all.
        prefix: Option<Prefix>,
    },
    /// Forget listings that are held back, and the votes for them.
    Discard {
        /// Those inside this; absent: all.
        prefix: Option<Prefix>,
    },
}

/// What is done about an organisation that reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReporterOrder {
    /// Its votes weigh this from now on, those that it has as well. 0 to [`MAX_TRUST`].
    Trust(f64),
    /// Nothing is taken from it any more, and its votes are taken back.
    CutOff,
    /// It may report again.
    Admit,
    /// Its votes are taken back.
    Withdraw,
}

/// The most that anybody is trusted; beside it the others would not count.
pub const MAX_TRUST: f64 = 1000.0;

/// A setting of a jail that can change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// How long a first ban lasts; those in force stay as they are.
    BanTime(BanTime),
    /// Failures further apart than this do not add up.
    FindTime(Duration),
    /// This many failures make a ban.
    MaxRetry(NonZeroU32),
    /// How many lines are kept as evidence for a ban.
    MaxMatches(usize),
    /// Whether the host's own addresses never fail here.
    IgnoreSelf(bool),
    /// These never fail here; bans in force stay as they are.
    Ignore(Vec<Prefix>),
    /// This one may fail again.
    Unignore(Prefix),
}

/// A ban that another program made, in force or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBan {
    /// What is banned.
    pub prefix: Prefix,
    /// In the name of which jail here.
    pub jail: Arc<str>,
    /// The time of the last failure.
    pub since: Timestamp,
    /// How long it lasts from there; absent: the jail's bantime.
    pub time: Option<BanTime>,
    /// 1 for the first ban of this prefix.
    pub count: u32,
    /// How many failures led to it.
    pub failures: u32,
    /// The lines that led to it, oldest first.
    pub evidence: Vec<String>,
    /// Who asks.
    pub by: String,
}

/// An order to ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanOrder {
    /// What to ban.
    pub prefix: Prefix,
    /// By which jail; [`MANUAL`] takes those that nobody else should.
    pub jail: Arc<str>,
    /// From when on its time counts; absent: from now on.
    pub since: Option<Timestamp>,
    /// For how long; absent: the jail's bantime.
    pub time: Option<BanTime>,
    /// Why; kept as evidence.
    pub reason: Option<String>,
    /// Who asks.
    pub by: String,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such jail.
    #[error("there is no jail `{name}`; there are: {known}")]
    UnknownJail {
        /// The name asked for.
        name: Arc<str>,
        /// The names there are.
        known: String,
    },
    /// The allowlist or an ignoreip covers it.
    #[error("{prefix} is allowlisted by {entry}; remove that entry first")]
    Allowlisted {
        /// What was to be banned.
        prefix: Prefix,
        /// Where it stands.
        entry: String,
    },
    /// Nobody's address on the internet.
    #[error(
        "{prefix} overlaps {range} ({purpose}), which is never listed; name it in `allow_reserved` of the jail if you must"
    )]
    Reserved {
        /// What was to be banned.
        prefix: Prefix,
        /// The reserved range.
        range: Prefix,
        /// What the range is for.
        purpose: &'static str,
    },
    /// A slip of the keyboard, more likely than not (RFC 6471, section 3.4).
    #[error(
        "{0} is too wide: the widest that can be banned, allowed or looked up are /8 for IPv4 and /16 for IPv6"
    )]
    TooWide(Prefix),
    /// No such entry.
    #[error("{0} is not on the allowlist")]
    NotAllowed(Prefix),
    /// Nothing can be allowed twice over by mistake; but the list has an end.
    #[error("the allowlist is full ({0} entries); put networks on it instead of single addresses")]
    AllowlistFull(usize),
    /// A jail's list has an end as well.
    #[error(
        "the jail `{0}` ignores {1} addresses and networks already; put networks on its list instead of single addresses"
    )]
    IgnoresFull(Arc<str>, usize),
    /// No such entry.
    #[error(
        "{prefix} is no entry of the ignore list of the jail `{jail}`; adjoining entries of the configuration are one: `fail2ban-client get {jail} ignoreip` lists them"
    )]
    NotIgnored {
        /// What was to be taken off it.
        prefix: Prefix,
        /// The jail.
        jail: Arc<str>,
    },
    /// Reports go nowhere.
    #[error("this banzone takes no reports: give a jail `reports = true` in its configuration")]
    NoReports,
    /// Whoever is cut off is not listened to.
    #[error("the reporter `{0}` is cut off: `banzone reporter admit {0}` lets it report again")]
    CutOff(Arc<str>),
    /// No such organisation.
    #[error("there is no reporter `{0}`; `banzone reporter list` shows them")]
    UnknownReporter(Arc<str>),
    /// The list of organisations has an end.
    #[error("there are {0} reporters already, and no more are taken")]
    TooManyReporters(usize),
    /// One name for two things.
    #[error("the Idempotency-Key `{0}` was used for another request: choose a new one for each")]
    KeyReused(Arc<str>),
    /// Nobody holds it back.
    #[error("no listing inside {0} is held back; `banzone reporter held` shows those that are")]
    NotHeld(Prefix),
    /// What is listed there is what reporters agree on.
    #[error("the jail `{0}` lists what its reporters agree on; use the jail `manual` instead")]
    ListsByReports(Arc<str>),
}
