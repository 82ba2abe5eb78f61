//! Data sets as typed become those of a zone's settings.

use std::time::Duration;

use super::error::{At, Report, did_you_mean};
use super::file;
use super::load::resolve_absolute;
use crate::dataset::{self, Options, is_type, type_names};
use crate::zone::StaticList;

/// What publish rules fill in has these names; in the text of a data set `$` alone stands for what is listed.
const NAMES_OF_TEMPLATES: [&str; 7] = ["$ip", "$prefix", "$jail", "$since", "$until", "$code", "$zone"];

/// The data sets of a zone, as far as they are right.
pub(super) fn lists(written: &[file::DataSet], report: &Report) -> Vec<StaticList> {
    written.iter().filter_map(|set| list(set, report)).collect()
}

fn list(written: &file::DataSet, report: &Report) -> Option<StaticList> {
    let kind = written.kind.as_ref()?;
    if !is_type(&kind.value) {
        let (hint, known) =
            (did_you_mean(&kind.value, type_names()), type_names().collect::<Vec<_>>().join(", "));
        report.add(&kind.place, format!("dataset.type: `{}` is none of {known}{hint}", kind.value));
    }
    let path = |file: &At<String>| resolve_absolute(&file.place.file, &file.value);
    let settings = dataset::Settings {
        kind: kind.value.clone(),
        files: written.files.iter().map(path).collect(),
        options: options(written, report),
    };
    if settings.is_for_askers() {
        refuse_values(written, kind, report);
    }
    let allow_reserved = Some(written.allow_reserved.iter().copied().collect());
    Some(StaticList { settings, allow_reserved, sublist: written.name.clone() })
}

fn options(written: &file::DataSet, report: &Report) -> Options {
    let default = Options::default();
    Options {
        code: written.code.unwrap_or(default.code),
        text: written.text.as_ref().and_then(|text| checked_text(text, report)),
        default_ttl: written.ttl.map(seconds),
        clear_host_bits: written.clear_host_bits,
        ..default
    }
}

/// A text that a data file could have. The empty one is none, as in a publish rule.
fn checked_text(text: &At<String>, report: &Report) -> Option<String> {
    let value = text.value.as_str();
    if let Some(name) = NAMES_OF_TEMPLATES.iter().find(|name| value.contains(**name)) {
        let message = format!(
            "dataset.text: `{name}` is for publish rules: write $ for what is listed, $$ for a dollar sign"
        );
        report.add(&text.place, message);
    }
    if value.contains(char::is_control) {
        report.add(&text.place, "dataset.text: a text has no control characters: write it in one line");
    }
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// A list of who may ask lists no addresses.
fn refuse_values(written: &file::DataSet, kind: &At<String>, report: &Report) {
    let lists =
        [written.code.is_some(), written.text.is_some(), written.ttl.is_some(), written.name.is_some()];
    if lists.contains(&true) {
        let message = format!(
            "dataset.type: an {} says who may ask: it has no `code`, `text`, `ttl` or `name`",
            kind.value
        );
        report.add(&kind.place, message);
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
