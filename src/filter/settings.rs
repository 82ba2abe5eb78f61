//! What a filter file says, before it is compiled.

/// A filter as written: patterns with tags still in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its name, which is the file's name without the extension.
    pub name: String,
    /// Whose filter it is: the language of its patterns and the rules by which lines are matched.
    pub dialect: Dialect,
    /// A regular expression for the program name in a syslog prefix; what the tag `<PREFIX>` matches.
    pub daemon: Option<String>,
    /// What a line must match before the failregexes see it, or the part of it that its tag `<F-CONTENT>` matched.
    /// Only in [`Dialect::Fail2ban`].
    pub prefregex: Option<String>,
    /// A line that one of these matches is a failure.
    pub failregex: Vec<String>,
    /// A failure whose line one of these matches is none.
    pub ignoreregex: Vec<String>,
    /// How many of the last lines the patterns see at once, joined by line feeds; 0 means 1. Only in
    /// [`Dialect::Fail2ban`].
    pub maxlines: usize,
    /// Names of date formats, or patterns in `strftime` form; empty: every known format.
    pub datepattern: Vec<String>,
    /// The zone of dates that carry none: `UTC`, `+02:00`, `Europe/Zurich`; absent: that of the machine.
    pub timezone: Option<String>,
    /// What a host name in the place of an address is worth. Only in [`Dialect::Fail2ban`].
    pub use_dns: UseDns,
}

/// The language of a filter's patterns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// banzone's own filters: the syntax of the `regex` crate, addresses are whole or none, dates stand at the start.
    #[default]
    Banzone,
    /// fail2ban's: Python's syntax, and its rules for dates, tags and failures that stretch over several lines.
    Fail2ban,
}

/// fail2ban's `usedns`: what a host name in the place of an address is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UseDns {
    /// It is looked up, and its addresses failed.
    Yes,
    /// The same, and it is worth a message.
    #[default]
    Warn,
    /// Nothing: `<HOST>` matches addresses only, and what `<DNS>` matches is never looked up.
    No,
    /// It is an identification like any other, and never looked up.
    Raw,
}
