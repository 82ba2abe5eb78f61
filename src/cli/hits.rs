//! How often patterns matched, in the layout of fail2ban-regex.

use std::io::{self, Write};

use super::printable::printable;

/// A pattern and what it found.
pub(super) struct Hits {
    pub(super) pattern: String,
    pub(super) count: u64,
    /// Addresses and times, if they are asked for.
    pub(super) found: Vec<String>,
}

/// Writes those of one kind: those with hits, or `all`.
pub(super) fn write(title: &str, hits: &[Hits], all: bool, out: &mut dyn Write) -> io::Result<()> {
    let total: u64 = hits.iter().map(|hits| hits.count).sum();
    writeln!(out, "{title}: {total} total")?;
    let shown = |hits: &Hits| hits.count > 0 || all;
    if hits.iter().any(shown) {
        writeln!(out, "|-  #) [# of hits] regular expression")?;
        for (number, hits) in hits.iter().enumerate().filter(|(_, hits)| shown(hits)) {
            writeln!(out, "|  {:2}) [{}] {}", number + 1, hits.count, printable(&hits.pattern))?;
            hits.found.iter().try_for_each(|found| writeln!(out, "|      {found}"))?;
        }
        writeln!(out, "`-")?;
    }
    writeln!(out)
}
