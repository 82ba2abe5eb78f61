//! The syntax of one file, as Python's `configparser` reads it for fail2ban: text goes in, sections with the place of
//! every value come out, or every line that is wrong.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::error::{Error, Errors, Place};
use super::text::Text;

/// Options by name, in the order in which they were first written.
pub(super) type Options = IndexMap<String, Text>;

/// The section whose options hold in all others.
pub(super) const DEFAULT: &str = "DEFAULT";

/// What a file says, or several files together.
#[derive(Clone, Debug, Default)]
pub(super) struct Sections {
    /// `[DEFAULT]`
    pub defaults: Options,
    /// All others, in the order in which they were first opened.
    pub named: IndexMap<String, Section>,
}

/// `[NAME]`
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Where it was first opened.
    pub place: Place,
    /// Without those of `[DEFAULT]`.
    pub options: Options,
}

/// What Python takes for a space: Unicode's white space, and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// The name of an option as it is compared.
pub(super) fn option_name(written: &str) -> String {
    written.to_lowercase()
}

/// Reads `text`; `file` is its name in places.
pub(super) fn parse(file: &Path, text: &str) -> Result<Sections, Errors> {
    let mut parser = Parser::new(file);
    // Python reads all three kinds of line ends as one.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, line) in text.split('\n').enumerate() {
        parser.place.line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        parser.line(line);
    }
    parser.finish()
}

struct Parser {
    place: Place,
    sections: Sections,
    /// The section that is open; absent before the first header.
    section: Option<String>,
    /// The option whose value may go on.
    value: Option<Value>,
    /// How deep the line of the last header or option was indented.
    indent: usize,
    seen_sections: BTreeSet<String>,
    seen_options: BTreeSet<(String, String)>,
    errors: Vec<Error>,
}

struct Value {
    option: String,
    first: (String, Place),
    more: Vec<(String, Place)>,
}

impl Parser {
    fn new(file: &Path) -> Self {
        Self {
            place: Place { file: Arc::from(file), line: 0, column: 0 },
            sections: Sections::default(),
            section: None,
            value: None,
            indent: 0,
            seen_sections: BTreeSet::new(),
            seen_options: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let comment = comment_start(line);
        let content = line[..comment.unwrap_or(line.len())].trim_matches(is_space);
        if content.is_empty() {
            // An empty line belongs to the value if another line of it follows; a comment does not.
            if let Some(value) = self.value.as_mut().filter(|_| comment.is_none()) {
                value.more.push((String::new(), self.place.clone()));
            }
            return;
        }
        let indent = line.chars().take_while(|c| is_space(*c)).count();
        if let Some(value) = self.value.as_mut().filter(|_| indent > self.indent) {
            value.more.push((content.to_owned(), self.place.clone()));
            return;
        }
        self.indent = indent;
        match header(content) {
            Some(name) => self.open(name),
            None if self.section.is_none() => {
                self.error(format!(
                    "`{content}` stands before the first section: write [Definition] or [jail-name] above it"
                ));
            }
            None => self.option(content),
        }
    }

    fn open(&mut self, name: &str) {
        self.close_value();
        self.section = Some(name.to_owned());
        if name == DEFAULT {
            return;
        }
        if !self.seen_sections.insert(name.to_owned()) {
            self.error(format!("section [{name}] is already in this file: put the two together"));
        }
        let section = Section { place: self.place.clone(), options: Options::new() };
        self.sections.named.entry(name.to_owned()).or_insert(section);
    }

    fn option(&mut self, content: &str) {
        let Some((name, value)) = content.split_once(['=', ':']) else {
            self.error(format!(
                "`{content}` is no option: write NAME = VALUE, or indent what belongs to the line above"
            ));
            return;
        };
        let name = option_name(name.trim_end_matches(is_space));
        if name.is_empty() {
            self.error(format!("`{content}` has no name: write NAME = VALUE"));
            return;
        }
        let section = self.section.clone().unwrap_or_default();
        if !self.seen_options.insert((section.clone(), name.clone())) {
            self.error(format!("`{name}` is already set in [{section}] of this file: remove one of the two"));
        }
        self.close_value();
        let first = (value.trim_matches(is_space).to_owned(), self.place.clone());
        self.value = Some(Value { option: name, first, more: Vec::new() });
    }

    fn close_value(&mut self) {
        let Some(Value { option, mut first, mut more }) = self.value.take() else {
            return;
        };
        while more.last().is_some_and(|(line, _)| line.is_empty()) {
            more.pop();
        }
        // All lines but the first are stripped already.
        first.0.truncate(first.0.trim_end_matches(is_space).len());
        let name = self.section.as_deref().unwrap_or(DEFAULT);
        let options = match self.sections.named.get_mut(name) {
            Some(section) if name != DEFAULT => &mut section.options,
            _ => &mut self.sections.defaults,
        };
        options.insert(option, Text::of_lines(first, more));
    }

    fn error(&mut self, message: String) {
        self.errors.push(Error { place: self.place.clone(), message });
    }

    fn finish(mut self) -> Result<Sections, Errors> {
        self.close_value();
        if self.errors.is_empty() { Ok(self.sections) } else { Err(Errors(self.errors)) }
    }
}

/// Where a comment begins: a whole line with `#` or `;`, or a `;` behind a space.
fn comment_start(line: &str) -> Option<usize> {
    if line.trim_start_matches(is_space).starts_with(['#', ';']) {
        return Some(0);
    }
    let behind_space = |at: &usize| line[..*at].ends_with(is_space);
    line.match_indices(';').map(|(at, _)| at).find(behind_space)
}

/// The name in a header; whatever follows its last bracket does not count.
fn header(content: &str) -> Option<&str> {
    let (name, _) = content.strip_prefix('[')?.rsplit_once(']')?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        let sections = match parse(Path::new("f"), text) {
            Ok(sections) => sections,
            Err(errors) => return errors.to_string(),
        };
        let mut shown = String::new();
        let default = Section { place: Place::file(Path::new("f")), options: sections.defaults };
        for (name, section) in [(DEFAULT.to_owned(), default)].into_iter().chain(sections.named) {
            for (option, value) in section.options {
                let lines: Vec<_> =
                    value.lines().map(|(line, place)| format!("{}:{line}", place.line)).collect();
                shown.push_str(&format!("{name}.{option}={} ", lines.join("|")));
            }
        }
        shown.trim_end().to_owned()
    }

    #[test]
    fn files_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("[A]\nName = x", "A.name=2:x"),
            ("[A]\na: b = c", "A.a=2:b = c"),
            ("[A]\na =\n b\n\tc", "A.a=2:|3:b|4:c"),
            ("[A]\na = b\n\n c\n\n\n[B]\nd=e", "A.a=2:b|3:|4:c B.d=8:e"),
            ("[A]\na = b\n# no\n  ; no\n c ; no\n d;e #f", "A.a=2:b|5:c|6:d;e #f"),
            ("[A]\na = ; no", "A.a=2:"),
            ("[A] x\r\na = b\rc = d", "A.a=2:b A.c=3:d"),
            ("[a]b]\nc = d", "a]b.c=2:d"),
            ("[DEFAULT]\na = 1\n[DEFAULT]\nb = 2", "DEFAULT.a=2:1 DEFAULT.b=4:2"),
            ("  [A]\n  a = 1\n  b = 2\n    c = 3", "A.a=2:1 A.b=3:2|4:c = 3"),
            ("[A]\n\u{a0}a = 1\u{2003};c", "A.a=2:1"),
        ] {
            assert_eq!(show(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("a = 1", "f:1: `a = 1` stands before the first section"),
            ("[A]\nb", "f:2: `b` is no option"),
            ("[A]\n= 1", "f:2: `= 1` has no name"),
            ("[A]\na = 1\nA = 2", "f:3: `a` is already set in [A]"),
            ("[A]\na = 1\n[A]", "f:3: section [A] is already in this file"),
            ("\u{feff}[A]\na = 1", "f:1: `\u{feff}[A]` stands before the first section"),
        ] {
            let shown = show(text);
            assert!(shown.starts_with(expected), "{shown}");
        }
        assert_eq!(show("[A]\nb\nc\n[B]\nd").lines().count(), 3);
    }
}
