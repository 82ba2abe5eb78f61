//! Patterns for texts of ASCII, which nearly all logs are, as steps that are taken one by one.
//!
//! In comes the structure of a pattern, out goes a [`Program`]. It tries what Python tries, in the same order, and sees by
//! the next byte which ways lead nowhere. It knows what is usual in failregexes. Other patterns, and texts that take too
//! many steps, are for the engines of the libraries, which take several times as long and always come to an end.

use memchr::memmem::Finder;

use super::node::{Assertion, Greed, Look, Node, Repeat};
use super::parser::Parsed;
use super::set::{First, Set};
use super::walk::{GaveUp, Spans, Walk};
use super::{Flags, Texts};

/// A pattern of more steps than this is left to the engines.
const MOST_STEPS: usize = 4000;

/// So often may a part be looked at: parts that are repeated are looked at again for each round.
const MOST_VISITS: usize = 20_000;

/// The number of a step.
pub(super) type At = usize;

/// The step that ends a pattern.
const END: At = 0;

/// A pattern as steps.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) entry: At,
    start: Start,
    /// How many groups there are, with the whole match.
    pub(super) groups: usize,
}

/// Where a match can begin.
#[derive(Debug)]
enum Start {
    /// Where the text begins.
    Text,
    /// Where this literal stands.
    Literal(Box<Finder<'static>>),
    /// Where this stands.
    First(First),
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// These bytes stand here.
    Literal { bytes: Box<[u8]>, next: At },
    /// One byte of a set stands here.
    One { set: Set, next: At },
    /// Bytes of a set stand here.
    Run { run: Run, next: At },
    /// One way or the other, the first one first, and what each of them begins with.
    Either { ways: [At; 2], firsts: [First; 2] },
    /// A group begins or ends here.
    Note { slot: usize, next: At },
    /// This is so here.
    Assert { place: Place, next: At },
    /// What is at `inner` fits, or does not, so many bytes before here.
    Look { inner: At, back: usize, wanted: bool, next: At },
    /// The end of the pattern, or of what is looked for.
    End,
}

/// Bytes of a set, from `least` to `most` of them.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) set: Set,
    /// For each byte there is whether the set has it.
    pub(super) table: Box<[bool; 256]>,
    pub(super) least: usize,
    pub(super) most: usize,
    /// As few of them as will do.
    pub(super) lazy: bool,
    /// Everything but the line feed is in the set.
    pub(super) to_line_end: bool,
    /// What can stand behind them.
    pub(super) behind: First,
    /// Nothing of that is in the set: so there is only one place where they can end.
    pub(super) ends_surely: bool,
    /// Where to look for that, if it is a literal.
    pub(super) mark: Option<Mark>,
}

/// The rarest byte of a literal, and where in it it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) byte: u8,
    pub(super) offset: usize,
}

impl Mark {
    fn of(literal: &[u8]) -> Option<Self> {
        let rarest = literal.iter().enumerate().min_by_key(|(_, byte)| frequency(**byte))?;
        Some(Self { byte: *rarest.1, offset: rarest.0 })
    }
}

/// How frequent a byte is in logs, roughly.
fn frequency(byte: u8) -> u8 {
    match byte {
        b' ' | b'a'..=b'z' => 3,
        b'0'..=b'9' | b'.' | b':' | b'-' | b'=' => 2,
        b'A'..=b'Z' => 1,
        _ => 0,
    }
}

/// A place between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    /// The end of the text, or before the line feed that ends it.
    LastLineEnd,
    WordBoundary,
    NoWordBoundary,
}

impl Program {
    /// The steps of a pattern; none if there is something in it that they do not know.
    pub(super) fn new(parsed: &Parsed, texts: Texts) -> Option<Self> {
        let mut compiler = Compiler { steps: vec![Step::End], visits: 0, texts };
        let last = compiler.push(Step::Note { slot: 1, next: END })?;
        let entry = compiler.node(&parsed.node, Context { flags: parsed.flags, group: 1 }, last)?;
        let start = Start::of(&compiler, entry);
        Some(Self { steps: compiler.steps, entry, start, groups: 1 + parsed.node.groups() })
    }

    /// Whether a text that lacks the literal at its start is told at once.
    pub(super) fn begins_with_literal(&self) -> bool {
        let mut at = self.entry;
        while let Step::Note { next, .. } | Step::Assert { next, .. } = &self.steps[at] {
            at = *next;
        }
        !matches!(self.start, Start::First(_)) && matches!(self.steps[at], Step::Literal { .. })
    }

    /// Where the groups first match in `text`, which is of ASCII, from byte `from` on.
    pub(super) fn find(&self, text: &str, from: usize) -> Result<Option<Spans>, GaveUp> {
        let mut walk = Walk::new(self, text.as_bytes());
        let mut from = from;
        while let Some(start) = self.start.next(text.as_bytes(), from) {
            if walk.succeeds(start)? {
                return Ok(Some(walk.into_spans()));
            }
            from = start + 1;
        }
        Ok(None)
    }
}

impl Start {
    fn of(compiler: &Compiler, entry: At) -> Self {
        let entry = compiler.behind_notes(entry);
        match &compiler.steps[entry] {
            Step::Assert { place: Place::TextStart, .. } => Self::Text,
            Step::Literal { bytes, .. } => Self::Literal(Box::new(Finder::new(bytes).into_owned())),
            _ => Self::First(compiler.first(entry)),
        }
    }

    /// The first place from byte `from` on where a match can begin.
    fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        match self {
            Self::Text => (from == 0).then_some(0),
            Self::Literal(finder) => Some(from + finder.find(text.get(from..)?)?),
            Self::First(first) => (from..=text.len()).find(|&at| first.is_at(text, at)),
        }
    }
}

/// Steps being put together, from the end of a pattern to its start.
struct Compiler {
    steps: Vec<Step>,
    visits: usize,
    texts: Texts,
}

/// What is in force at some part of a pattern.
#[derive(Clone, Copy)]
struct Context {
    flags: Flags,
    /// The number of the next group to be opened.
    group: usize,
}

impl Context {
    /// What is in force behind a part.
    fn behind(self, part: &Node) -> Self {
        Self { group: self.group + part.groups(), ..self }
    }
}

impl Compiler {
    fn push(&mut self, step: Step) -> Option<At> {
        self.steps.push(step);
        (self.steps.len() <= MOST_STEPS).then(|| self.steps.len() - 1)
    }

    /// The steps of a part, and then those at `next`: where they begin.
    fn node(&mut self, node: &Node, context: Context, next: At) -> Option<At> {
        self.visits += 1;
        if self.visits > MOST_VISITS {
            return None;
        }
        if let Some(set) = self.set(node, context.flags) {
            return self.push(Step::One { set, next });
        }
        match node {
            Node::Concat(parts) => self.concat(parts, context, next),
            Node::Alternation(branches) => self.alternation(branches, context, next),
            Node::Repeat(repeat) => self.repeat(repeat, context, next),
            Node::Capture { inner, .. } => self.capture(inner, context, next),
            Node::Group(inner) => self.node(inner, context, next),
            Node::Flagged(flags, inner) => self.node(inner, Context { flags: *flags, ..context }, next),
            Node::Assertion(assertion) => {
                let place = self.place(*assertion, context.flags);
                self.push(Step::Assert { place, next })
            }
            Node::Look { look, inner } => self.look(*look, inner, context, next),
            _ => None,
        }
    }

    /// The bytes that a part stands for, if it is always one byte.
    fn set(&self, node: &Node, flags: Flags) -> Option<Set> {
        Some(match node {
            Node::Literal(character) if flags.ignore_case => {
                // Some of the others are the other case of a letter of ASCII.
                character.is_ascii().then(|| Set::of(|other| other.eq_ignore_ascii_case(character)))?
            }
            Node::Literal(character) => Set::of(|other| other == *character),
            Node::Any => Set::of(|character| flags.dot_all || character != '\n'),
            Node::Class(class) => Set::of(|character| class.has(character, flags.ignore_case)),
            Node::Shorthand(shorthand) => Set::of(|character| shorthand.has(character)),
            Node::Group(inner) => self.set(inner, flags)?,
            Node::Flagged(flags, inner) => self.set(inner, *flags)?,
            Node::Concat(parts) if parts.len() == 1 => self.set(&parts[0], flags)?,
            _ => return None,
        })
    }

    fn concat(&mut self, parts: &[Node], context: Context, next: At) -> Option<At> {
        let contexts: Vec<Context> = parts
            .iter()
            .scan(context, |context, part| Some(std::mem::replace(context, context.behind(part))))
            .collect();
        let (mut next, mut end) = (next, parts.len());
        while end > 0 {
            let literal = literal_before(&parts[..end], context.flags);
            if literal.len() > 1 {
                end -= literal.len();
                next = self.push(Step::Literal { bytes: literal.into(), next })?;
            } else {
                end -= 1;
                next = self.node(&parts[end], contexts[end], next)?;
            }
        }
        Some(next)
    }

    fn alternation(&mut self, branches: &[Node], context: Context, next: At) -> Option<At> {
        let mut context = context;
        let mut entries = Vec::new();
        for branch in branches {
            entries.push(self.node(branch, context, next)?);
            context = context.behind(branch);
        }
        let last = entries.pop()?;
        entries.into_iter().rev().try_fold(last, |second, first| self.either([first, second]))
    }

    fn either(&mut self, ways: [At; 2]) -> Option<At> {
        let firsts = ways.map(|way| self.first(way));
        self.push(Step::Either { ways, firsts })
    }

    fn capture(&mut self, inner: &Node, context: Context, next: At) -> Option<At> {
        let slot = 2 * context.group;
        let end = self.push(Step::Note { slot: slot + 1, next })?;
        let inner = self.node(inner, Context { group: context.group + 1, ..context }, end)?;
        self.push(Step::Note { slot, next: inner })
    }

    fn repeat(&mut self, repeat: &Repeat, context: Context, next: At) -> Option<At> {
        let Repeat { inner, least, most, greed } = repeat;
        if *greed == Greed::Possessive {
            return None;
        }
        if let Some(set) = self.set(inner, context.flags) {
            let run = self.run(set, repeat, next)?;
            return self.push(Step::Run { run, next });
        }
        // What may be empty is another matter where it is repeated: no two engines agree on it.
        if *most != Some(0) && (*least, *most) != (0, Some(1)) && may_be_empty(inner) {
            return None;
        }
        self.rounds(repeat, context, next)
    }

    /// A repetition of bytes of `set`, with the steps at `next` behind it.
    fn run(&self, set: Set, repeat: &Repeat, next: At) -> Option<Run> {
        let behind = self.first(next);
        Some(Run {
            set,
            table: set.table(),
            least: usize::try_from(repeat.least).ok()?,
            most: repeat.most.map_or(Ok(usize::MAX), usize::try_from).ok()?,
            lazy: repeat.greed == Greed::Lazy,
            to_line_end: set == Set::of(|character| character != '\n'),
            behind,
            ends_surely: !behind.is_within(set),
            mark: self.mark(next),
        })
    }

    /// A repetition of anything, round by round.
    fn rounds(&mut self, repeat: &Repeat, context: Context, next: At) -> Option<At> {
        let Repeat { inner, least, most, greed } = repeat;
        let lazy = *greed == Greed::Lazy;
        let order = |inner: At, behind: At| if lazy { [behind, inner] } else { [inner, behind] };
        let mut entry = next;
        match most {
            None => entry = self.endless(inner, context, next, order)?,
            Some(most) => {
                for _ in *least..*most {
                    let inner = self.node(inner, context, entry)?;
                    entry = self.either(order(inner, next))?;
                }
            }
        }
        (0..*least).try_fold(entry, |entry, _| self.node(inner, context, entry))
    }

    /// A loop: its first step is also what follows each round.
    fn endless(
        &mut self,
        inner: &Node,
        context: Context,
        next: At,
        order: impl Fn(At, At) -> [At; 2],
    ) -> Option<At> {
        let entry = self.push(Step::Either { ways: [next; 2], firsts: [First::ANY; 2] })?;
        let inner = self.node(inner, context, entry)?;
        let ways = order(inner, next);
        self.steps[entry] = Step::Either { ways, firsts: ways.map(|way| self.first(way)) };
        Some(entry)
    }

    fn place(&self, assertion: Assertion, flags: Flags) -> Place {
        match assertion {
            Assertion::LineStart if flags.multi_line => Place::LineStart,
            Assertion::LineStart | Assertion::TextStart => Place::TextStart,
            Assertion::LineEnd if flags.multi_line || self.texts == Texts::OneLine => Place::LineEnd,
            Assertion::LineEnd => Place::LastLineEnd,
            Assertion::TextEnd => Place::TextEnd,
            Assertion::WordBoundary => Place::WordBoundary,
            Assertion::NoWordBoundary => Place::NoWordBoundary,
        }
    }

    fn look(&mut self, look: Look, inner: &Node, context: Context, next: At) -> Option<At> {
        if inner.groups() > 0 {
            return None;
        }
        let back = match look {
            Look::Ahead | Look::NotAhead => 0,
            Look::Behind | Look::NotBehind => width(inner)?,
        };
        let wanted = matches!(look, Look::Ahead | Look::Behind);
        let inner = self.node(inner, context, END)?;
        self.push(Step::Look { inner, back, wanted, next })
    }

    /// The first step from `at` on that is more than a group's.
    fn behind_notes(&self, at: At) -> At {
        let mut at = at;
        while let Step::Note { next, .. } = &self.steps[at] {
            at = *next;
        }
        at
    }

    /// The mark of the literal that the steps at `at` begin with.
    fn mark(&self, at: At) -> Option<Mark> {
        match &self.steps[self.behind_notes(at)] {
            Step::Literal { bytes, .. } => Mark::of(bytes),
            _ => None,
        }
    }

    /// What has to stand where the steps at `at` begin, if they are to lead anywhere.
    fn first(&self, at: At) -> First {
        let mut at = at;
        while let Step::Note { next, .. }
        | Step::Look { next, .. }
        | Step::Assert {
            place: Place::TextStart | Place::LineStart | Place::WordBoundary | Place::NoWordBoundary,
            next,
        } = &self.steps[at]
        {
            at = *next;
        }
        match &self.steps[at] {
            Step::Literal { bytes, .. } => First::of(Set::only(bytes[0])),
            Step::One { set, .. } => First::of(*set),
            Step::Run { run, .. } if run.least > 0 => First::of(run.set),
            Step::Run { run, .. } => First::of(run.set).or(run.behind),
            Step::Either { firsts: [first, second], .. } => first.or(*second),
            Step::Assert { place: Place::TextEnd, .. } => First { set: Set::default(), end: true },
            Step::Assert { place: Place::LineEnd | Place::LastLineEnd, .. } => {
                First { set: Set::only(b'\n'), end: true }
            }
            _ => First::ANY,
        }
    }
}

/// The literal characters at the end of `parts`.
fn literal_before(parts: &[Node], flags: Flags) -> Vec<u8> {
    let byte = |part: &Node| match part {
        Node::Literal(character) if character.is_ascii() && !flags.ignore_case => {
            u8::try_from(*character).ok()
        }
        _ => None,
    };
    let mut bytes: Vec<u8> = parts.iter().rev().map_while(byte).collect();
    bytes.reverse();
    bytes
}

/// Whether a part may match without taking a byte.
fn may_be_empty(node: &Node) -> bool {
    match node {
        Node::Literal(_) | Node::Any | Node::Class(_) | Node::Shorthand(_) => false,
        Node::Alternation(branches) => branches.iter().any(may_be_empty),
        Node::Repeat(repeat) => repeat.least == 0 || may_be_empty(&repeat.inner),
        Node::Look { .. } | Node::Assertion(_) | Node::Backreference(_) => true,
        Node::Concat(_) | Node::Capture { .. } | Node::Group(_) | Node::Flagged(..) | Node::Atomic(_) => {
            node.parts().all(may_be_empty)
        }
        Node::Conditional { yes, no, .. } => may_be_empty(yes) || may_be_empty(no),
    }
}

/// How many bytes a part takes, where that is always the same.
fn width(node: &Node) -> Option<usize> {
    match node {
        Node::Literal(_) | Node::Any | Node::Class(_) | Node::Shorthand(_) => Some(1),
        Node::Assertion(_) | Node::Look { .. } => Some(0),
        Node::Alternation(branches) => {
            let mut widths = branches.iter().map(width);
            let first = widths.next()??;
            widths.all(|width| width == Some(first)).then_some(first)
        }
        Node::Repeat(repeat) if repeat.most == Some(repeat.least) => {
            width(&repeat.inner)?.checked_mul(usize::try_from(repeat.least).ok()?)
        }
        Node::Concat(_) | Node::Capture { .. } | Node::Group(_) | Node::Flagged(..) | Node::Atomic(_) => {
            node.parts().map(width).try_fold(0usize, |sum, width| sum.checked_add(width?))
        }
        Node::Repeat(_) | Node::Backreference(_) | Node::Conditional { .. } => None,
    }
}
