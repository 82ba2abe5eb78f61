//! What a filter file says, before it is compiled.

/// A filter as written: patterns with tags still in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its name, which is the file's name without the extension.
    pub name: String,
    /// A regular expression for the program name in a syslog prefix; what the tag `<PREFIX>` matches.
    pub daemon: Option<String>,
    /// A line that one of these matches is a failure.
    pub failregex: Vec<String>,
    /// A failure whose line one of these matches is none.
    pub ignoreregex: Vec<String>,
    /// Names of date formats, or patterns in `strftime` form; empty: every known format.
    pub datepattern: Vec<String>,
    /// The zone of dates that carry none: `UTC`, `+02:00`, `Europe/Zurich`; absent: that of the machine.
    pub timezone: Option<String>,
}
