//! `<name>` in values: the options of a filter go in, the same with every tag replaced that names another option come
//! out. Tags that name none stay: they are for the regular expressions.

use std::collections::{HashMap, HashSet};

use super::super::error::{Error, Errors};
use super::parser::Options;
use super::text::Text;

/// fail2ban gives up when one tag was replaced in one value more often than this.
const MOST: u32 = 25;

/// So many bytes may all replacements together produce; it bounds what tags cost that name each other again and again.
const LONGEST: usize = 16 << 20;

/// Replaces the tags in all `options` until none is left that names one of them, or one that `find` knows. Options and
/// tags in `skipped` are left alone.
pub(super) fn substitute(
    options: &Options,
    skipped: &HashSet<String>,
    find: impl FnMut(&str) -> Result<Option<Text>, Errors>,
) -> Result<Options, Errors> {
    let mut substitution = Substitution { options: options.clone(), skipped, find, left: LONGEST };
    let mut counts: HashMap<String, Counts> = HashMap::new();
    let mut done: HashSet<String> = HashSet::new();
    loop {
        let mut again = false;
        for name in options.keys() {
            if skipped.contains(name) || done.contains(name) {
                continue;
            }
            let before = substitution.options[name].clone();
            let mut counted = counts.get(name).cloned().unwrap_or_default();
            let value = substitution.value(name, &before, &mut counted)?;
            if value.as_str() != before.as_str() && next_tag(value.as_str(), 0).is_some() {
                counts.insert(name.clone(), counted);
                again = true;
            }
            if !value.as_str().contains('<') {
                done.insert(name.clone());
            }
            substitution.options.insert(name.clone(), value);
        }
        if !again {
            return Ok(substitution.options);
        }
    }
}

/// How often each tag was replaced in one value.
type Counts = HashMap<String, u32>;

struct Substitution<'a, F> {
    options: Options,
    skipped: &'a HashSet<String>,
    find: F,
    left: usize,
}

impl<F: FnMut(&str) -> Result<Option<Text>, Errors>> Substitution<'_, F> {
    /// `value` of the option `name` with its tags replaced, each as often as it may be.
    fn value(&mut self, name: &str, value: &Text, counts: &mut Counts) -> Result<Text, Errors> {
        let mut value = value.clone();
        let mut from = 0;
        while let Some((start, tag)) = next_tag(value.as_str(), from) {
            let end = start + tag.len() + 2;
            if self.skipped.contains(tag) {
                from = end;
                continue;
            }
            if tag == name || counts.get(tag).is_some_and(|count| *count > MOST) {
                let message = format!("{name}: `<{tag}>` is part of its own value: name another option");
                return Err(Error { place: value.place_at(start).clone(), message }.into());
            }
            let found = match self.options.get(tag) {
                Some(found) => Some(found.clone()),
                None => (self.find)(tag)?,
            };
            match found {
                Some(with) => {
                    *counts.entry(tag.to_owned()).or_default() += 1;
                    value = self.replaced(name, &value, &format!("<{tag}>"), &with)?;
                    from = start;
                }
                None => from = end,
            }
        }
        Ok(value)
    }

    fn replaced(&mut self, name: &str, value: &Text, tag: &str, with: &Text) -> Result<Text, Error> {
        let uses = value.as_str().matches(tag).count();
        let length = value.as_str().len() + uses.saturating_mul(with.as_str().len());
        let Some(left) = self.left.checked_sub(length) else {
            let message = format!("{name}: grows too long when `{tag}` is replaced: use fewer tags");
            return Err(Error { place: value.place().clone(), message });
        };
        self.left = left;
        Ok(value.replace(tag, with))
    }
}

/// The first tag from `from` on: where it begins, and its name.
fn next_tag(text: &str, from: usize) -> Option<(usize, &str)> {
    let mut open = None;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match (byte, open) {
            (b'<', _) => open = Some(at),
            (b'>', Some(start)) if at > start + 1 => return Some((start, &text[start + 1..at])),
            (b'>' | b' ', _) => open = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::error::Place;
    use super::*;

    fn check(options: &[(&str, &str)], expected: &str) {
        let place = Place::file(Path::new("f"));
        let text = |value: &str| Text::new(value, &place);
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        let skipped = HashSet::from(["host".to_owned()]);
        let find = |tag: &str| Ok((tag == "else/where").then(|| text("there")));
        let shown = match substitute(&options, &skipped, find) {
            Ok(options) => options["a"].as_str().to_owned(),
            Err(errors) => errors.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn tags_are_replaced_until_none_is_left() {
        check(&[("a", "<b>_<b>"), ("b", "3")], "3_3");
        check(&[("a", "<m-<b>>"), ("b", "x"), ("m-x", "<c>"), ("c", "4")], "4");
        check(&[("a", "<HOST> < b><><b c><host>"), ("b", "3")], "<HOST> < b><><b c><host>");
        check(&[("a", "<lt_<b>/where>, <else/<c>>"), ("b", "no"), ("c", "where")], "<lt_no/where>, there");
        check(&[("a", "(?P<x>\\d)<<b>"), ("b", "b>"), ("x", "9")], "(?P9\\d)b>");
    }

    #[test]
    fn circles_end() {
        check(&[("a", "<a>")], "f: a: `<a>` is part of its own value: name another option");
        check(
            &[("a", "<b>"), ("b", "<c>"), ("c", "<b>")],
            "f: a: `<b>` is part of its own value: name another option",
        );
        let doubling: Vec<_> = (0..26)
            .map(|n| (((b'a' + n) as char).to_string(), format!("<{0}><{0}>", (b'b' + n) as char)))
            .collect();
        let mut doubling: Vec<_> = doubling.iter().map(|(name, value)| (&**name, &**value)).collect();
        doubling.push(("{", "0123456789"));
        check(&doubling, "f: a: grows too long when `<u>` is replaced: use fewer tags");
    }
}
