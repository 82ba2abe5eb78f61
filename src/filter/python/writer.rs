//! From the structure of a pattern to the syntax of the `regex` and `fancy-regex` crates.

use super::class::{Alphabet, literal, write_ascii};
use super::node::{Assertion, Greed, Look, Node, Repeat};
use super::parser::Parsed;
use super::{Flags, Texts};

/// A pattern written out.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) source: String,
    /// It has parts that only an engine with backtracking understands.
    pub(super) backtracks: bool,
}

/// Writes a pattern so that it finds the same in texts of this alphabet.
pub(super) fn exactly(parsed: &Parsed, texts: Texts, alphabet: Alphabet) -> Written {
    let writer = Writer { texts, alphabet, ..Writer::default() };
    let written = writer.clone().write(parsed);
    // The engine with backtracking has no words of ASCII, and does not need them.
    if written.backtracks { Writer { backtracks: true, ..writer }.write(parsed) } else { written }
}

/// Writes a pattern that any engine understands and that finds at least the same: look-around is left out, and a
/// group's text may be any text when it comes again.
pub(super) fn loosely(parsed: &Parsed, alphabet: Alphabet) -> String {
    Writer { loose: true, alphabet, ..Writer::default() }.write(parsed).source
}

#[derive(Clone, Debug)]
struct Writer {
    out: String,
    /// Those in force here.
    flags: Flags,
    texts: Texts,
    alphabet: Alphabet,
    /// Whether it is enough to find at least the same.
    loose: bool,
    backtracks: bool,
}

impl Default for Writer {
    fn default() -> Self {
        let (flags, texts) = (Flags::default(), Texts::default());
        Self {
            out: String::new(),
            flags,
            texts,
            alphabet: Alphabet::Unicode,
            loose: false,
            backtracks: false,
        }
    }
}

impl Writer {
    fn write(mut self, parsed: &Parsed) -> Written {
        self.flagged(parsed.flags, &parsed.node);
        Written { source: self.out, backtracks: self.backtracks }
    }

    fn any(&mut self) {
        let (dot_all, alphabet) = (self.flags.dot_all, self.alphabet);
        match alphabet {
            Alphabet::Unicode => self.push(if dot_all { "(?s:.)" } else { "." }),
            Alphabet::Ascii => self.push(&write_ascii(|character| dot_all || character != '\n')),
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Literal(character) => self.push(&literal(*character)),
            Node::Any => self.any(),
            Node::Class(class) => self.push(&class.write(self.alphabet, self.flags.ignore_case)),
            Node::Shorthand(shorthand) => self.push(&shorthand.write(self.alphabet)),
            Node::Assertion(assertion) => self.assertion(*assertion),
            Node::Concat(parts) => parts.iter().for_each(|part| self.node(part)),
            Node::Alternation(branches) => self.alternation(branches),
            Node::Repeat(repeat) => self.repeat(repeat),
            Node::Capture { name, inner, .. } => self.capture(name.as_deref(), inner),
            Node::Group(inner) => self.enclosed("(?:", inner),
            Node::Flagged(flags, inner) => self.flagged(*flags, inner),
            Node::Look { look, inner } => self.look(*look, inner),
            Node::Atomic(inner) => self.atomic(inner),
            Node::Backreference(group) => self.backreference(*group),
            Node::Conditional { group, yes, no } => self.conditional(*group, yes, no),
        }
    }

    fn enclosed(&mut self, open: &str, inner: &Node) {
        self.push(open);
        self.node(inner);
        self.push(")");
    }

    fn alternation(&mut self, branches: &[Node]) {
        for (number, branch) in branches.iter().enumerate() {
            if number > 0 {
                self.push("|");
            }
            self.node(branch);
        }
    }

    fn capture(&mut self, name: Option<&str>, inner: &Node) {
        match name {
            _ if self.loose => self.enclosed("(?:", inner),
            Some(name) => self.enclosed(&format!("(?P<{name}>"), inner),
            None => self.enclosed("(", inner),
        }
    }

    fn assertion(&mut self, assertion: Assertion) {
        let text = match assertion {
            Assertion::LineStart if self.flags.multi_line => "(?m:^)",
            Assertion::LineStart | Assertion::TextStart => r"\A",
            // Python's `$` also matches before the line feed that ends a text. Where there is no other, that is the same
            // as at the end of a line.
            Assertion::LineEnd if self.flags.multi_line || self.texts == Texts::OneLine => "(?m:$)",
            Assertion::LineEnd => {
                self.backtracks = true;
                r"(?=\n?\z)"
            }
            Assertion::TextEnd => r"\z",
            Assertion::WordBoundary | Assertion::NoWordBoundary if self.flags.ascii => {
                return self.ascii_boundary(assertion == Assertion::WordBoundary);
            }
            Assertion::WordBoundary if self.alphabet == Alphabet::Ascii && !self.backtracks => r"(?-u:\b)",
            Assertion::WordBoundary => r"\b",
            Assertion::NoWordBoundary => r"\B",
        };
        self.push(text);
    }

    /// The engines have no word for this one in common.
    fn ascii_boundary(&mut self, wanted: bool) {
        if self.loose {
            return;
        }
        self.backtracks = true;
        let (one, other) = if wanted { ("!", "=") } else { ("=", "!") };
        let word = "[0-9A-Za-z_])";
        self.push(&format!("(?:(?<={word}(?{one}{word}|(?<!{word}(?{other}{word})"));
    }

    fn repeat(&mut self, repeat: &Repeat) {
        match repeat.most {
            Some(0) => self.never(&repeat.inner),
            _ if only_looks(&repeat.inner) => self.once(repeat),
            _ => self.counted(repeat),
        }
    }

    /// What is repeated no times still numbers its groups, which the engines would leave out.
    fn never(&mut self, inner: &Node) {
        self.push(r"(?:|[^\s\S]");
        self.enclosed("(?:", inner);
        self.push(")");
    }

    /// The engines do not repeat what only looks around. Looking twice sees the same.
    fn once(&mut self, repeat: &Repeat) {
        match (repeat.least, repeat.greed) {
            (1.., _) => self.enclosed("(?:", &repeat.inner),
            (0, Greed::Lazy) => self.enclosed("(?:|", &repeat.inner),
            (0, Greed::Greedy | Greed::Possessive) => {
                self.backtracks |= repeat.greed == Greed::Possessive;
                self.push(if repeat.greed == Greed::Possessive { self.atomic_open() } else { "(?:" });
                self.node(&repeat.inner);
                self.push("|)");
            }
        }
    }

    fn counted(&mut self, repeat: &Repeat) {
        match &*repeat.inner {
            inner @ (Node::Literal(_) | Node::Any | Node::Class(_) | Node::Shorthand(_)) => self.node(inner),
            // Python goes back into no round of these, also where the next one fails.
            inner if repeat.greed == Greed::Possessive => self.enclosed(self.atomic_open(), inner),
            inner => self.enclosed("(?:", inner),
        }
        let count = match (repeat.least, repeat.most) {
            (0, None) => "*".to_owned(),
            (1, None) => "+".to_owned(),
            (0, Some(1)) => "?".to_owned(),
            (least, None) => format!("{{{least},}}"),
            (least, Some(most)) if least == most => format!("{{{least}}}"),
            (least, Some(most)) => format!("{{{least},{most}}}"),
        };
        self.push(&count);
        match repeat.greed {
            Greed::Greedy => {}
            Greed::Lazy => self.push("?"),
            Greed::Possessive if self.loose => {}
            Greed::Possessive => {
                self.backtracks = true;
                self.push("+");
            }
        }
    }

    fn flagged(&mut self, flags: Flags, inner: &Node) {
        let outside = std::mem::replace(&mut self.flags, flags);
        let open = match (outside.ignore_case, flags.ignore_case) {
            (false, true) => "(?i:",
            (true, false) => "(?-i:",
            _ => "(?:",
        };
        self.enclosed(open, inner);
        self.flags = outside;
    }

    fn look(&mut self, look: Look, inner: &Node) {
        if self.loose {
            return;
        }
        self.backtracks = true;
        let open = match look {
            Look::Ahead => "(?=",
            Look::NotAhead => "(?!",
            Look::Behind => "(?<=",
            Look::NotBehind => "(?<!",
        };
        self.enclosed(open, inner);
    }

    fn atomic(&mut self, inner: &Node) {
        self.backtracks = true;
        self.enclosed(self.atomic_open(), inner);
    }

    fn atomic_open(&self) -> &'static str {
        if self.loose { "(?:" } else { "(?>" }
    }

    fn backreference(&mut self, group: usize) {
        self.backtracks = true;
        self.push(&if self.loose { "(?s:.*)".to_owned() } else { format!("(?:\\{group})") });
    }

    fn conditional(&mut self, group: usize, yes: &Node, no: &Node) {
        // Without branches it would be taken for a test of the group.
        if is_empty(yes) && is_empty(no) {
            return;
        }
        self.backtracks = true;
        self.push(&if self.loose { "(?:".to_owned() } else { format!("(?({group})") });
        self.node(yes);
        self.push("|");
        self.node(no);
        self.push(")");
    }
}

/// Whether a part is nothing but look-around, or nothing at all.
fn only_looks(node: &Node) -> bool {
    match node {
        Node::Look { .. } => true,
        Node::Concat(parts) => parts.iter().all(only_looks),
        Node::Group(inner) | Node::Flagged(_, inner) => only_looks(inner),
        _ => is_empty(node),
    }
}

/// Whether a part has no content.
fn is_empty(node: &Node) -> bool {
    match node {
        Node::Concat(parts) => parts.iter().all(is_empty),
        Node::Group(inner) | Node::Flagged(_, inner) => is_empty(inner),
        Node::Conditional { yes, no, .. } => is_empty(yes) && is_empty(no),
        _ => false,
    }
}
