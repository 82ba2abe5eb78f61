//! A report in Markdown with tables (GitHub Flavored Markdown, section 4.10).

use std::fmt::Write as _;

use super::tables::{change, number};
use super::text::title;
use super::{Figures, Table, tables};

/// Writes it.
pub(super) fn write(figures: &Figures) -> String {
    let mut text = format!("# {}\n", escaped(&title(figures)));
    for note in &figures.notes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n> {}", escaped(note));
    }
    for table in tables(figures) {
        write_table(&mut text, &table);
    }
    text
}

fn write_table(text: &mut String, table: &Table) {
    let measures: String = table.measures.iter().map(|measure| format!(" {measure} | Change |")).collect();
    let _ = writeln!(text, "\n## {}\n\n| {} |{measures} |", table.title, table.named);
    let _ = writeln!(text, "|---|{}---|", "---:|---:|".repeat(table.measures.len()));
    for row in &table.rows {
        let counts = row.counts.iter().map(|count| format!(" {} | {} |", number(count.now), change(*count)));
        let counts: String = counts.collect();
        let _ = writeln!(text, "| {} |{counts} {} |", escaped(&row.name), escaped(&row.note));
    }
    if table.others > 0 {
        let empty = " |".repeat(2 * table.measures.len() - 1);
        let _ = writeln!(text, "| others | {} |{empty} |", number(table.others));
    }
}

/// Text that means nothing but itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // A line ends a row.
            _ if letter.is_control() => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '!' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escaped("a|b\n[x](y) <b>"), r"a\|b \[x\](y) \<b\>");
    }
}
