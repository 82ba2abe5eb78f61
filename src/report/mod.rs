//! Reports: the rows by hour and day become figures, and figures become text, HTML, Markdown, CSV or JSON.
//!
//! [`gather()`] reads the [`Figures`] of a [`Period`] and of the one before it; [`tables()`] puts them into the same tables for
//! every [`Format`]. Where an address belongs is looked up in files on this machine ([`Geo`]), and unknown without them.
//! User names are masked before they are figures.

mod chart;
mod csv;
mod figures;
mod format;
mod gather;
mod geo;
mod html;
mod markdown;
mod mask;
mod period;
mod ranking;
mod settings;
mod tables;
mod text;

pub use figures::{
    CategoryFigures, Compared, Course, Figures, JailFigures, ListingFigures, Ranked, Top, Totals, Wait,
};
pub use format::Format;
pub use gather::{Asked, Publishing, gather};
pub use geo::{Geo, KeptGeo};
pub use html::piece;
pub use mask::without_names;
pub use period::{Day, Length, ParseDayError, Period, PeriodError};
pub use settings::Settings;
pub use tables::{Row, Table, change, number, tables};
