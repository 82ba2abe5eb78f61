//! What an entry answers: a code and a text.
//!
//! `:127.0.0.9:text` names both, `:9:text` too, `:9` the code alone, and anything else is a text. In a text `$` stands for
//! what is listed, `$0` to `$9` for texts that the file gives, `$$` for a dollar sign.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::condition::Condition;
use super::ranges::Id;
use super::{Options, syntax};

/// The longest text as it is answered: one character-string (RFC 1035, section 3.3).
pub(super) const LONGEST_TEXT: usize = 255;

/// A code and a text as a file has them. Equal ones are kept once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Written {
    pub(super) code: Ipv4Addr,
    pub(super) text: Option<Box<[u8]>>,
    pub(super) condition: Condition,
}

impl Written {
    /// The value of entries without one where the file names none either.
    pub(super) fn of(options: &Options) -> Self {
        let text = options.text.as_deref().map(|text| text.as_bytes().into());
        Self { code: options.code, text, condition: Condition::default() }
    }

    /// Reads what stands behind the key of an entry. `default` is the value of entries that have none.
    pub(super) fn read(text: &[u8], default: &Self) -> Result<Self, &'static str> {
        match text.trim_ascii() {
            [] | [b'#' | b';', ..] => Ok(default.clone()),
            [b':', value @ ..] => read_with_code(value, default),
            text => Ok(Self { text: Some(text.into()), ..default.clone() }),
        }
    }
}

fn read_with_code(value: &[u8], default: &Written) -> Result<Written, &'static str> {
    let end = value.iter().position(|byte| *byte == b':');
    let code = read_code(value[..end.unwrap_or(value.len())].trim_ascii());
    let code =
        code.ok_or("its code is neither an IPv4 address such as 127.0.0.2 nor a number from 1 to 255")?;
    let text = match end {
        None => default.text.clone(),
        Some(end) => Some(value[end + 1..].trim_ascii()).filter(|text| !text.is_empty()).map(Box::from),
    };
    Ok(Written { code, text, condition: default.condition })
}

fn read_code(text: &[u8]) -> Option<Ipv4Addr> {
    if let Some(number) = syntax::number(text) {
        return u8::try_from(number).ok().filter(|last| *last > 0).map(|last| Ipv4Addr::new(127, 0, 0, last));
    }
    let code: Ipv4Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!code.is_unspecified()).then_some(code)
}

/// The values of a data set while it is read.
#[derive(Debug, Default)]
pub(super) struct Interning {
    ids: HashMap<Written, Id>,
    all: Vec<Written>,
}

impl Interning {
    /// The number of a value.
    pub(super) fn id(&mut self, value: Written) -> Id {
        let next = Id::try_from(self.all.len()).expect("a file has less than 4 G lines");
        *self.ids.entry(value).or_insert_with_key(|value| {
            self.all.push(value.clone());
            next
        })
    }

    /// The values as they are answered, each at its number.
    pub(super) fn finish(self, texts: &Texts) -> Box<[Value]> {
        self.all
            .into_iter()
            .map(|value| Value {
                code: value.code,
                text: texts.compile(value.text.as_deref()),
                condition: value.condition,
            })
            .collect()
    }
}

/// What the texts of a data set have in common: `$0` to `$9`, and `$=`, the text around all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    variables: [Option<Box<[u8]>>; 10],
    around: Option<Box<[u8]>>,
}

impl Texts {
    /// Takes down `$name text`. The first of a name counts.
    pub(super) fn set(&mut self, name: u8, text: &[u8]) {
        let place = match name {
            b'0'..=b'9' => &mut self.variables[usize::from(name - b'0')],
            _ => &mut self.around,
        };
        place.get_or_insert_with(|| text.into());
    }

    fn compile(&self, text: Option<&[u8]>) -> Option<Text> {
        let mut compiled = Compiled::default();
        match (&self.around, text) {
            (None, None) => return None,
            (_, Some([b'=', text @ ..])) => compiled.add(text, self, Inner::None),
            (Some(around), Some(text)) => compiled.add(around, self, Inner::Text(text)),
            (Some(around), None) => compiled.add(around, self, Inner::Subject),
            (None, Some(text)) => compiled.add(text, self, Inner::None),
        }
        Some(compiled.finish())
    }
}

/// What `$=` stands for.
#[derive(Clone, Copy)]
enum Inner<'t> {
    /// Nothing: there it is what is listed, and an equals sign.
    None,
    /// A text, as it is: nothing is put into it.
    Text(&'t [u8]),
    /// What is listed, where there is no text.
    Subject,
}

/// What an entry answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) code: Ipv4Addr,
    pub(super) text: Option<Text>,
    pub(super) condition: Condition,
}

/// A text in which what is listed has yet to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Box<[Part]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<[u8]>),
    /// What is listed.
    Subject,
}

impl Text {
    /// A text without anything to be put in.
    pub(super) fn plain(text: &[u8]) -> Self {
        Self([Part::Literal(text.into())].into())
    }

    /// A text in which `$` and `subject` stand for what is listed, and `$$` for a dollar sign; `None` if there is any other `$`.
    pub(super) fn with_subject(written: &str, subject: &str) -> Option<Self> {
        let mut compiled = Compiled::default();
        let mut parts = written.split('$');
        compiled.literal.extend_from_slice(parts.next()?.as_bytes());
        while let Some(part) = parts.next() {
            if part.is_empty() {
                compiled.literal.push(b'$');
                compiled.literal.extend_from_slice(parts.next()?.as_bytes());
            } else {
                compiled.add_subject();
                compiled.literal.extend_from_slice(part.strip_prefix(subject)?.as_bytes());
            }
        }
        Some(compiled.finish())
    }

    /// Appends the text with `subject` as what is listed; it is cut to the length of a character-string.
    pub fn render(&self, subject: &[u8], out: &mut Vec<u8>) {
        let end = out.len() + LONGEST_TEXT;
        for part in &self.0 {
            out.extend_from_slice(match part {
                Part::Literal(text) => text,
                Part::Subject => subject,
            });
        }
        out.truncate(end);
    }
}

#[derive(Default)]
struct Compiled {
    parts: Vec<Part>,
    literal: Vec<u8>,
}

impl Compiled {
    /// Adds a text.
    fn add(&mut self, mut text: &[u8], texts: &Texts, inner: Inner<'_>) {
        while let Some(at) = text.iter().position(|byte| *byte == b'$') {
            self.literal.extend_from_slice(&text[..at]);
            text = self.add_variable(&text[at + 1..], texts, inner);
        }
        self.literal.extend_from_slice(text);
    }

    /// Adds what a dollar sign and `behind` it stand for, and gives back the rest.
    fn add_variable<'t>(&mut self, behind: &'t [u8], texts: &Texts, inner: Inner<'_>) -> &'t [u8] {
        let Some((first, rest)) = behind.split_first() else {
            self.add_subject();
            return behind;
        };
        match (first, inner) {
            (b'$', _) => self.literal.push(b'$'),
            (b'0'..=b'9', _) => match &texts.variables[usize::from(first - b'0')] {
                Some(text) => self.literal.extend_from_slice(text),
                None => self.literal.extend_from_slice(&[b'$', *first]),
            },
            (b'=', Inner::Text(inner)) => self.literal.extend_from_slice(inner),
            (b'=', Inner::Subject) => self.add_subject(),
            _ => {
                self.add_subject();
                return behind;
            }
        }
        rest
    }

    fn add_subject(&mut self) {
        self.end_literal();
        self.parts.push(Part::Subject);
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.parts.push(Part::Literal(std::mem::take(&mut self.literal).into()));
        }
    }

    fn finish(mut self) -> Text {
        self.end_literal();
        Text(self.parts.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, Option<&str>), ()>) {
        let default = Written {
            code: Ipv4Addr::new(127, 0, 0, 7),
            text: Some(Box::from(&b"default"[..])),
            condition: Condition::default(),
        };
        let read = Written::read(text.as_bytes(), &default);
        let shown = read.map(|value| {
            (value.code.to_string(), value.text.map(|text| String::from_utf8_lossy(&text).into_owned()))
        });
        let expected = expected.map(|(code, text)| (code.to_owned(), text.map(str::to_owned)));
        assert_eq!(shown.map_err(drop), expected, "{text}");
    }

    #[test]
    fn a_value_is_a_code_a_text_or_both() {
        check("", Ok(("127.0.0.7", Some("default"))));
        check(" # comment", Ok(("127.0.0.7", Some("default"))));
        check(" own text: of it", Ok(("127.0.0.7", Some("own text: of it"))));
        check(":6", Ok(("127.0.0.6", Some("default"))));
        check(":6:", Ok(("127.0.0.6", None)));
        check(":127.0.1.9: text", Ok(("127.0.1.9", Some("text"))));
        for wrong in [":300:", ":0.0.0.0:", ":x:text", ":0:", "::"] {
            check(wrong, Err(()));
        }
    }

    #[test]
    fn texts_are_put_together() {
        let mut texts = Texts::default();
        texts.set(b'1', b"one");
        texts.set(b'1', b"another");
        let render = |texts: &Texts, text: Option<&str>| {
            let mut out = Vec::new();
            texts.compile(text.map(str::as_bytes))?.render(b"192.0.2.1", &mut out);
            Some(String::from_utf8(out).unwrap())
        };
        for (text, expected) in [
            ("$ is listed", "192.0.2.1 is listed"),
            ("$$5 and $1, $2", "$5 and one, $2"),
            ("ends in $", "ends in 192.0.2.1"),
            ("$=", "192.0.2.1="),
            ("=plain $", "plain 192.0.2.1"),
        ] {
            assert_eq!(render(&texts, Some(text)).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(render(&texts, None), None);
        texts.set(b'=', b"<$= $1>");
        assert_eq!(render(&texts, Some("in $")).as_deref(), Some("<in $ one>"));
        assert_eq!(render(&texts, Some("=out $")).as_deref(), Some("out 192.0.2.1"));
        assert_eq!(render(&texts, None).as_deref(), Some("<192.0.2.1 one>"));
        assert_eq!(render(&Texts::default(), Some(&"x".repeat(300))).unwrap().len(), LONGEST_TEXT);
    }
}
