//! A report as one HTML file: style and charts are in it, scripts and references to anything outside are not. And what of it
//! stands in a page of the web server, with its style apart.

use askama::Template;

use super::chart::{Chart, charts};
use super::tables::{change, number, up_to};
use super::text::title;
use super::{Compared, Figures, Table, Wait, tables};

/// Writes it.
pub(super) fn write(figures: &Figures) -> String {
    let tables = tables(figures);
    let page = Page {
        title: title(figures),
        figures,
        tiles: tiles(figures),
        charts: charts(figures),
        tables: shown(&tables, no_link),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().expect("strings take all that is written")
}

/// Tiles, charts and tables as a piece of HTML, for a page that has `templates/report/style.css`. `link` says where a row of a table leads, by the id
/// of the table and the name of the row.
pub fn piece(figures: &Figures, link: impl Fn(&str, &str) -> Option<String>) -> String {
    let tables = tables(figures);
    let piece =
        Piece { figures, tiles: tiles(figures), charts: charts(figures), tables: shown(&tables, link) };
    piece.render().expect("strings take all that is written")
}

fn no_link(_: &str, _: &str) -> Option<String> {
    None
}

fn shown(tables: &[Table], link: impl Fn(&str, &str) -> Option<String>) -> Vec<Shown<'_>> {
    tables.iter().filter(|table| table.id != "totals").map(|table| Shown::of(table, &link)).collect()
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page<'a> {
    title: String,
    figures: &'a Figures,
    tiles: Vec<Tile>,
    charts: [Chart; 2],
    tables: Vec<Shown<'a>>,
    version: &'static str,
}

#[derive(Template)]
#[template(path = "report/figures.html")]
struct Piece<'a> {
    figures: &'a Figures,
    tiles: Vec<Tile>,
    charts: [Chart; 2],
    tables: Vec<Shown<'a>>,
}

/// A figure that stands by itself.
struct Tile {
    title: &'static str,
    value: String,
    note: String,
}

fn tiles(figures: &Figures) -> Vec<Tile> {
    let totals = &figures.totals;
    let compared = |title, count: Compared| Tile { title, value: number(count.now), note: change(count) };
    let tile = |title, value, note: &str| Tile { title, value, note: note.to_owned() };
    let again = percent(totals.again.now, totals.bans.now);
    vec![
        compared("Failures", totals.failures),
        compared("New bans", totals.bans),
        tile("Banned again", again, "of the new bans"),
        compared("Connections stopped", totals.answers),
        tile("Time to ban", half(&figures.waits), "half of them, since the first failure"),
    ]
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.0} %", part as f64 / whole as f64 * 100.0) }
}

/// How long it takes at most until half of the bans are there.
fn half(waits: &[Wait]) -> String {
    let all: u64 = waits.iter().map(|wait| wait.bans.now).sum();
    let mut sum = 0;
    let middle = waits.iter().find(|wait| {
        sum += wait.bans.now;
        sum > 0 && sum * 2 >= all
    });
    middle.map_or_else(|| "–".to_owned(), |wait| up_to(wait.seconds))
}

/// A table as the page shows it.
struct Shown<'a> {
    table: &'a Table,
    rows: Vec<ShownRow<'a>>,
    others: String,
    has_notes: bool,
}

struct ShownRow<'a> {
    name: &'a str,
    link: Option<String>,
    note: &'a str,
    /// Of the largest of the first measure, from 0 to 100.
    share: u64,
    counts: Vec<(String, String)>,
}

impl<'a> Shown<'a> {
    fn of(table: &'a Table, link: impl Fn(&str, &str) -> Option<String>) -> Self {
        let first = |counts: &[Compared]| counts.first().map_or(0, |count| count.now);
        let largest = table.rows.iter().map(|row| first(&row.counts)).max().unwrap_or(0);
        let row = |row: &'a super::Row| ShownRow {
            name: &row.name,
            link: link(table.id, &row.name),
            note: &row.note,
            share: (first(&row.counts) as f64 / largest.max(1) as f64 * 100.0).round() as u64,
            counts: row.counts.iter().map(|count| (number(count.now), change(*count))).collect(),
        };
        Self {
            table,
            rows: table.rows.iter().map(row).collect(),
            others: if table.others > 0 { number(table.others) } else { String::new() },
            has_notes: table.rows.iter().any(|row| !row.note.is_empty()),
        }
    }
}
