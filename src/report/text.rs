//! A report for a terminal.

use std::fmt::Write as _;

use super::tables::{change, number};
use super::{Figures, Table, tables};

/// Writes it; whoever shows it on a terminal escapes what controls one.
pub(super) fn write(figures: &Figures) -> String {
    let mut text = format!("{}\n", title(figures));
    for note in &figures.notes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "Note: {note}");
    }
    for table in tables(figures) {
        write_table(&mut text, &table);
    }
    text
}

/// What the report is about, in a sentence.
pub(super) fn title(figures: &Figures) -> String {
    let jail = figures.jail.as_ref().map_or_else(String::new, |jail| format!(" of jail {jail}"));
    let so_far = if figures.is_over { "" } else { " so far" };
    format!("Report{jail} for {}{so_far}, compared with {}", figures.period, figures.before)
}

fn write_table(text: &mut String, table: &Table) {
    let rows: Vec<Vec<String>> = cells(table);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let _ = writeln!(text, "\n{}", table.title);
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // The numbers stand to the right; names and notes, the first and the last, to the left.
            let _ = match column {
                0 => write!(line, "  {cell:width$}"),
                _ if column + 1 == columns => write!(line, "  {cell}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// The head, the rows and the others: name, each number with its change, note.
fn cells(table: &Table) -> Vec<Vec<String>> {
    let measures = table.measures.iter().flat_map(|measure| [measure.to_lowercase(), String::new()]);
    let head = [table.named.to_lowercase()].into_iter().chain(measures).chain([String::new()]);
    let mut rows = vec![head.collect()];
    for row in &table.rows {
        let counts = row.counts.iter().flat_map(|count| [number(count.now), change(*count)]);
        rows.push([row.name.clone()].into_iter().chain(counts).chain([row.note.clone()]).collect());
    }
    if table.others > 0 {
        let empty = (0..2 * table.measures.len()).map(|_| String::new());
        rows.push(["others".to_owned(), number(table.others)].into_iter().chain(empty).collect());
    }
    rows
}
