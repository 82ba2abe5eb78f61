//! Pages that are tables with a form or two: what stands in them is said here, and one template shows it.

use askama::Template;
use axum::response::Response;

use super::forms::query;
use super::frame::Frame;
use crate::access::Principal;
use crate::http::api::Limit;

/// A page of tables and forms.
#[derive(Template)]
#[template(path = "pages/listing.html")]
pub(super) struct Listing {
    pub(super) frame: Frame,
    path: &'static str,
    /// What is chosen of it, which the pages behind it keep.
    chosen: Vec<(&'static str, String)>,
    pub(super) title: String,
    /// What is to be said first, a paragraph each, and whether it is bad.
    pub(super) notes: Vec<(String, bool)>,
    pub(super) tables: Vec<Table>,
    pub(super) forms: Vec<Form>,
    /// Where else one may go: what is said of it, and its path.
    pub(super) links: Vec<(String, String)>,
    /// Where it goes on.
    pub(super) next: Option<String>,
}

impl Listing {
    /// An empty one at `path`, for `principal`.
    pub(super) fn new(principal: &Principal, path: &'static str, title: impl Into<String>) -> Self {
        let frame = Frame::of(principal, path);
        let (notes, tables, forms, links) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (chosen, title) = (Vec::new(), title.into());
        Self { frame, path, chosen, title, notes, tables, forms, links, next: None }
    }

    /// Only a part is shown, which the query says in this field.
    pub(super) fn is_of(&mut self, name: &'static str, value: Option<impl ToString>) {
        self.chosen.extend(value.map(|value| (name, value.to_string())));
    }

    /// The page behind it begins at this place, if there is one, and is as long.
    pub(super) fn goes_on(&mut self, limit: Option<Limit>, after: Option<String>) {
        self.is_of("limit", limit.map(Limit::rows));
        let Some(after) = after else { return };
        self.is_of("after", Some(after));
        self.next = Some(format!("{}?{}", self.path, query(&self.chosen)));
    }

    pub(super) fn show(&self) -> Response {
        super::page(self)
    }
}

/// A table.
pub(super) struct Table {
    /// Empty where the title of the page says it.
    pub(super) title: &'static str,
    pub(super) heads: &'static [&'static str],
    pub(super) rows: Vec<Vec<Cell>>,
    /// What is said when there are no rows.
    pub(super) empty: &'static str,
}

/// A cell of a table.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Smaller, below it.
    pub(super) note: String,
    pub(super) link: Option<String>,
    pub(super) is_number: bool,
    pub(super) is_code: bool,
    pub(super) acts: Vec<Act>,
}

impl Cell {
    /// Words.
    pub(super) fn text(text: impl ToString) -> Self {
        Self { text: text.to_string(), ..Self::default() }
    }

    /// A number.
    pub(super) fn number(number: impl Into<u64>) -> Self {
        Self { text: crate::report::number(number.into()), is_number: true, ..Self::default() }
    }

    /// What programs read.
    pub(super) fn code(text: impl ToString) -> Self {
        Self { is_code: true, ..Self::text(text) }
    }

    /// What can be done with the row.
    pub(super) fn acts(acts: Vec<Act>) -> Self {
        Self { acts, ..Self::default() }
    }

    pub(super) fn note(self, note: impl ToString) -> Self {
        Self { note: note.to_string(), ..self }
    }

    pub(super) fn link(self, link: String) -> Self {
        Self { link: Some(link), ..self }
    }
}

/// A button that does something with a row.
pub(super) struct Act {
    pub(super) path: &'static str,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) label: &'static str,
}

/// A form.
pub(super) struct Form {
    pub(super) title: &'static str,
    pub(super) path: &'static str,
    pub(super) fields: Vec<Field>,
    pub(super) button: &'static str,
    pub(super) is_open: bool,
}

/// A field of a form.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
}

/// What is typed into a field.
pub(super) enum Kind {
    Text,
    Password,
    Number,
    Lines(String),
    /// One of these; the first unless another is chosen.
    Choice(Vec<String>, String),
}

impl Field {
    pub(super) fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, hint: "", kind, is_required: false }
    }

    pub(super) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }
}
