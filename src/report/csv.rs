//! A report for spreadsheets: a row for each figure, so that every table has the same columns (RFC 4180).

use ::csv::{Terminator, WriterBuilder};

use super::{Compared, Day, Figures, tables};
use crate::clock::Timestamp;

const HEAD: [&str; 6] = ["table", "name", "note", "measure", "now", "before"];

/// Writes it.
pub(super) fn write(figures: &Figures) -> String {
    let mut out = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let mut row = |cells: [&str; 6]| {
        let cells = cells.map(|cell| harmless(cell).into_owned());
        out.write_record(cells).expect("memory takes every row, and all have six cells");
    };
    row(HEAD);
    let period = figures.period.to_string();
    row(["period", "days", "", "", &period, &figures.before.to_string()]);
    for table in tables(figures) {
        for line in &table.rows {
            for (measure, Compared { now, before }) in table.measures.iter().zip(&line.counts) {
                row([table.id, &line.name, &line.note, measure, &now.to_string(), &before.to_string()]);
            }
        }
        if table.others > 0 {
            row([table.id, "others", "", table.measures[0], &table.others.to_string(), ""]);
        }
    }
    for (measure, steps) in [("Failures", &figures.course.failures), ("Bans", &figures.course.bans)] {
        for (place, Compared { now, before }) in steps.iter().enumerate() {
            let start = step_start(figures, place).to_string();
            row(["course", &start, "", measure, &now.to_string(), &before.to_string()]);
        }
    }
    let bytes = out.into_inner().expect("memory takes all of it");
    String::from_utf8(bytes).expect("it is made of text")
}

/// When a step of the course begins.
fn step_start(figures: &Figures, place: usize) -> Timestamp {
    let from: Day = figures.period.from;
    from.start() + std::time::Duration::from_secs(figures.course.step * place as u64)
}

/// A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe before it (OWASP, "CSV Injection").
fn harmless(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_cell_is_no_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-1", "'-1"),
            ("\t=1", "'\t=1"),
            ("192.0.2.1", "192.0.2.1"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), written);
        }
    }
}
