//! Rows for people and for programs.

use std::io::{self, IsTerminal, Write};

use super::printable::printable;

/// Writes rows below `head`: in columns on a terminal, else separated by tabs and without the head. Control characters are
/// escaped.
pub(super) fn write<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows: Vec<_> =
        rows.iter().map(|row| row.each_ref().map(|cell| printable(cell).into_owned())).collect();
    if !io::stdout().is_terminal() {
        return rows.iter().try_for_each(|row| writeln!(out, "{}", row.join("\t")));
    }
    let head = head.map(str::to_owned);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().chain([&head]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    });
    for row in [&head].into_iter().chain(&rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn cells_hold_no_control_characters() {
        let mut out = Vec::new();
        write(["NOTE"], &[["a\tb\u{1b}[2J".to_owned()]], &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.ends_with("a\\x09b\\x1b[2J\n"), "{out:?}");
    }
}
