//! What a file of sample lines asks for: which lines go through which filter with which options, and what must come out.
//!
//! The notation is that of fail2ban's own test: comments with JSON in them stand before the lines. In: the names and
//! texts of sample files. Out: [`Run`]s. Whatever this module does not know ends the test, so that nothing is passed over.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Where a sample stands: the file and the number of its line, from 1.
pub type Place = (String, usize);

/// One line for the filter, and what must come out.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where the line stands.
    pub place: Place,
    /// The line without its end.
    pub line: Vec<u8>,
    /// The expectation; empty where none is written, which is that of a line that does not match.
    pub expected: Map<String, Value>,
}

impl Sample {
    /// Whether the line must be a failure.
    pub fn must_match(&self) -> bool {
        match self.expected.get("match") {
            None => false,
            Some(Value::Bool(must)) => *must,
            Some(other) => panic!("{:?}: \"match\" is {other}", self.place),
        }
    }
}

/// The lines that go through one filter with one set of options, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Options of the filter, sorted by their names.
    pub options: Vec<(String, String)>,
    /// The lines.
    pub samples: Vec<Sample>,
}

impl Run {
    /// Lines of the journal carry no dates.
    pub fn is_journal(&self) -> bool {
        self.options.iter().any(|(key, value)| key == "logtype" && value == "journal")
    }
}

/// Everything that one filter has to show.
#[derive(Debug, Default)]
pub struct Plan {
    /// One for each set of options.
    pub runs: Vec<Run>,
    /// Where expectations stand that some run uses.
    pub used: BTreeSet<Place>,
}

/// Reads the plan for the filter `name` from `folder`.
pub fn read(folder: &Path, name: &str) -> Plan {
    let mut reader = Reader { name, plan: Plan::default(), common: Map::new(), current: Vec::new() };
    let mut files = vec![name.to_owned()];
    let mut next = 0;
    while let Some(file) = files.get(next).cloned() {
        next += 1;
        reader.file(folder, &file, &mut files);
    }
    reader.plan
}

/// Where every expectation of a file stands.
pub fn expectations(folder: &Path, file: &str) -> BTreeSet<Place> {
    let text = fs::read(folder.join(file)).unwrap();
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let expected = lines.filter(|(_, line)| matches!(directive(line), Some(("failJSON", _))));
    // The sample is the line below.
    expected.map(|(index, _)| (file.to_owned(), index + 2)).collect()
}

/// A set of options as written, those of the test's own (`test.…`) among them.
type Options = Map<String, Value>;

struct Reader<'a> {
    name: &'a str,
    plan: Plan,
    /// Options of all sets that follow.
    common: Options,
    /// The runs that take the lines, with their options as written. It stays from file to file.
    current: Vec<(usize, Options)>,
}

impl Reader<'_> {
    fn file(&mut self, folder: &Path, file: &str, files: &mut Vec<String>) {
        let text = fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut lines = text.split(|byte| *byte == b'\n').enumerate();
        let mut skipping = false;
        while let Some((index, line)) = lines.next() {
            let Some((kind, value)) = directive(line) else {
                if !skipping && !is_comment(line) {
                    self.sample((file.to_owned(), index + 1), line, Map::new());
                }
                continue;
            };
            match (kind, value) {
                ("fileOptions", Value::Object(options)) => self.common = options,
                ("filterOptions", Value::Object(options)) => skipping = !self.choose(vec![options]),
                ("filterOptions", Value::Array(sets)) => {
                    skipping = !self.choose(sets.into_iter().map(object).collect());
                }
                ("addFILE", Value::String(other)) => files.push(other),
                ("failJSON", Value::Object(expected)) => {
                    let (index, line) = lines.next().expect("a line below its expectation");
                    if !skipping {
                        self.sample((file.to_owned(), index + 1), line, expected);
                    }
                }
                (kind, value) => panic!("{file}:{}: {kind} {value}", index + 1),
            }
        }
    }

    /// Sends the lines that follow to runs with these options; false if a condition leaves them out. As in fail2ban the
    /// last condition of a list decides.
    fn choose(&mut self, sets: Vec<Options>) -> bool {
        let mut holds = true;
        self.current.clear();
        for set in sets {
            let mut options = self.common.clone();
            options.extend(set);
            if let Some(condition) = options.get("test.condition") {
                holds = self.evaluate(condition, &options);
            }
            if holds {
                let run = self.run(&options);
                self.current.push((run, options));
            }
        }
        holds
    }

    /// The run with these options.
    fn run(&mut self, options: &Options) -> usize {
        for key in options.keys().filter(|key| key.starts_with("test.")) {
            assert!(["test.condition", "test.prefix-line"].contains(&key.as_str()), "unknown: {key}");
        }
        let own = options.iter().filter(|(key, _)| !key.starts_with("test."));
        let options: Vec<_> = own.map(|(key, value)| (key.clone(), text(value).to_owned())).collect();
        if let Some(at) = self.plan.runs.iter().position(|run| run.options == options) {
            return at;
        }
        self.plan.runs.push(Run { options, samples: Vec::new() });
        self.plan.runs.len() - 1
    }

    fn sample(&mut self, place: Place, line: &[u8], expected: Map<String, Value>) {
        if self.current.is_empty() {
            self.choose(vec![Map::new()]);
        }
        for (run, options) in &self.current {
            if let Some(constraint) = expected.get("constraint")
                && !self.evaluate(constraint, options)
            {
                continue;
            }
            let prefix = options.get("test.prefix-line").map_or("", text);
            let line = [prefix.as_bytes(), line.trim_suffix_of(b"\r")].concat();
            let sample = Sample { place: place.clone(), line, expected: expected.clone() };
            self.plan.runs[*run].samples.push(sample);
            self.plan.used.insert(place.clone());
        }
    }

    /// The value of `name == 'x'`, `opts.get('key') == 'x'` or the same with `!=`.
    fn evaluate(&self, expression: &Value, options: &Options) -> bool {
        let expression = text(expression);
        let compared =
            |operator| expression.split_once(operator).map(|(left, right)| (left.trim(), right.trim()));
        let (left, right, wanted) = match (compared("=="), compared("!=")) {
            (Some((left, right)), None) => (left, right, true),
            (None, Some((left, right))) => (left, right, false),
            _ => panic!("unknown expression: {expression}"),
        };
        let left = match left.strip_prefix("opts.get(").and_then(|rest| rest.strip_suffix(')')) {
            Some(key) => options.get(quoted(key)).map(text),
            None if left == "name" => Some(self.name),
            None => panic!("unknown expression: {expression}"),
        };
        (left == Some(quoted(right))) == wanted
    }
}

/// Trims bytes from the end of a line.
trait TrimSuffix {
    fn trim_suffix_of(&self, bytes: &[u8]) -> &[u8];
}

impl TrimSuffix for [u8] {
    fn trim_suffix_of(&self, bytes: &[u8]) -> &[u8] {
        let end = self.iter().rposition(|byte| !bytes.contains(byte)).map_or(0, |last| last + 1);
        &self[..end]
    }
}

/// What stands between single quotes, where there is neither a quote nor an escape.
fn quoted(literal: &str) -> &str {
    let inner = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    match inner.filter(|inner| !inner.contains(['\'', '\\'])) {
        Some(inner) => inner,
        None => panic!("no string in quotes: {literal}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn object(value: Value) -> Options {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no set of options"),
    }
}

/// `# failJSON: {…}` and its like.
fn directive(line: &[u8]) -> Option<(&'static str, Value)> {
    let line = std::str::from_utf8(line).ok()?;
    let comment = line.strip_prefix('#')?.trim_start_matches('#');
    let comment = comment.strip_prefix(' ').unwrap_or(comment);
    let (name, value) = comment.split_once(':')?;
    let kinds = ["failJSON", "fileOptions", "filterOptions", "addFILE"];
    let kind = kinds.into_iter().find(|kind| *kind == name)?;
    let value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{error}: {line}"));
    Some((kind, value))
}

/// Neither a sample nor a directive.
fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.trim_ascii().is_empty()
}

#[test]
fn conditions_are_evaluated_or_refused() {
    let reader = Reader { name: "one", plan: Plan::default(), common: Map::new(), current: Vec::new() };
    let options = object(serde_json::json!({ "mode": "normal" }));
    let evaluate = |expression: &str| reader.evaluate(&Value::from(expression), &options);
    assert!(evaluate("name == 'one'") && evaluate("name=='one'") && !evaluate("name != 'one'"));
    assert!(evaluate("opts.get('mode') == 'normal'") && evaluate("opts.get('logtype') != 'journal'"));
    for unknown in
        ["name", "name in ('one',)", "other == 'one'", "name == 'one' and name != 'two'", "name == one"]
    {
        assert!(std::panic::catch_unwind(|| evaluate(unknown)).is_err(), "{unknown}");
    }
}
