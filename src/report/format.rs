//! The formats of a report. A new one is a file with a function, and two lines here.

use std::str::FromStr;

use super::{Figures, csv, html, markdown, text};

/// How figures are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// One file with all it needs, to be looked at or mailed.
    Html,
    /// Markdown, with tables.
    Markdown,
    /// A row for each figure, for spreadsheets.
    Csv,
    /// The figures themselves.
    Json,
}

/// Every format by its name.
const FORMATS: [(&str, Format); 5] = [
    ("text", Format::Text),
    ("html", Format::Html),
    ("md", Format::Markdown),
    ("csv", Format::Csv),
    ("json", Format::Json),
];

impl Format {
    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|(name, _)| *name)
    }

    /// `figures` in this format.
    pub fn write(self, figures: &Figures) -> String {
        match self {
            Self::Text => text::write(figures),
            Self::Html => html::write(figures),
            Self::Markdown => markdown::write(figures),
            Self::Csv => csv::write(figures),
            Self::Json => {
                let json = serde_json::to_string_pretty(figures);
                json.expect("figures are numbers and strings") + "\n"
            }
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format);
        found.ok_or_else(|| format!("there are: {}", Self::names().collect::<Vec<_>>().join(", ")))
    }
}
