//! From the text of a pattern to its structure, by the rules of Python's `re` (documentation of the module, section
//! "Regular Expression Syntax").

use super::class::{Class, Item, Shorthand};
use super::node::{Assertion, Greed, Look, Node, Repeat};
use super::{Flags, PythonError};

/// Groups nest no deeper than this, so that nobody's pattern exhausts the stack.
const DEEPEST: usize = 100;

/// A pattern that was understood.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) node: Node,
    /// The flags in force for all of it.
    pub(super) flags: Flags,
}

/// Parses a pattern. A flag such as `(?i)` holds for all of the pattern, wherever in it it stands.
pub(super) fn parse(pattern: &str, flags: Flags) -> Result<Parsed, PythonError> {
    let mut flags = flags;
    loop {
        let mut parser = Parser::new(pattern, flags);
        let node = parser.whole()?;
        if parser.global == flags {
            return Ok(Parsed { node, flags });
        }
        flags = parser.global;
    }
}

/// How far the pattern has been read.
struct Parser<'p> {
    pattern: &'p str,
    at: usize,
    /// Those that hold for all of it, as far as known.
    global: Flags,
    /// Those in force here.
    flags: Flags,
    /// The name of each group, by number; the first is the whole match.
    groups: Vec<Option<String>>,
    /// The groups that are not closed yet.
    open: Vec<usize>,
    depth: usize,
    /// The last of the groups that a conditional asks about, and where: it may stand further behind.
    asked: Option<(usize, usize)>,
}

type Parse<T> = Result<T, PythonError>;

impl<'p> Parser<'p> {
    fn new(pattern: &'p str, flags: Flags) -> Self {
        let groups = vec![None];
        Self { pattern, at: 0, global: flags, flags, groups, open: Vec::new(), depth: 0, asked: None }
    }

    fn whole(&mut self) -> Parse<Node> {
        let node = self.alternation()?;
        if self.peek().is_some() {
            return Err(self.error(self.at, "this parenthesis closes nothing"));
        }
        match self.asked {
            Some((group, at)) if group >= self.groups.len() => {
                self.at = self.pattern.len();
                Err(self.error(at, "there is no such group"))
            }
            _ => Ok(node),
        }
    }

    fn error(&self, from: usize, reason: impl Into<String>) -> PythonError {
        let to = self.at.max(from + 1).min(self.pattern.len());
        PythonError { span: from.min(to)..to, reason: reason.into() }
    }

    fn peek(&self) -> Option<char> {
        self.pattern[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.pattern[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'p str {
        let rest = &self.pattern[self.at..];
        let taken = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// The text up to `end`, which is passed over.
    fn until(&mut self, from: usize, end: char) -> Parse<&'p str> {
        let text = self.take_while(|c| c != end);
        match self.next() {
            Some(_) => Ok(text),
            None => Err(self.error(from, format!("`{end}` is missing"))),
        }
    }

    /// Everything that nests goes through here.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(self.at, "groups are nested too deeply"));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn alternation(&mut self) -> Parse<Node> {
        self.nested(|parser| {
            let mut branches = vec![parser.concat()?];
            while parser.take("|") {
                branches.push(parser.concat()?);
            }
            Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Alternation(branches) })
        })
    }

    fn concat(&mut self) -> Parse<Node> {
        let mut parts = Vec::new();
        loop {
            self.pass_over_comments()?;
            if matches!(self.peek(), None | Some('|' | ')')) {
                return Ok(Node::Concat(parts));
            }
            let start = self.at;
            let Some(item) = self.item()? else { continue };
            parts.push(self.repeated(item, start)?);
        }
    }

    fn pass_over_comments(&mut self) -> Parse<()> {
        loop {
            let start = self.at;
            if self.take("(?#") {
                self.until(start, ')')?;
            } else if self.flags.verbose {
                self.take_while(|c| " \t\n\r\u{b}\u{c}".contains(c));
                if self.take("#") {
                    self.take_while(|c| c != '\n');
                }
            }
            if self.at == start {
                return Ok(());
            }
        }
    }

    /// One item without its repetition; none for what matches nothing.
    fn item(&mut self) -> Parse<Option<Node>> {
        let start = self.at;
        let Some(character) = self.next() else { return Ok(None) };
        Ok(Some(match character {
            '.' => Node::Any,
            '^' => Node::Assertion(Assertion::LineStart),
            '$' => Node::Assertion(Assertion::LineEnd),
            '[' => Node::Class(self.class(start)?),
            '\\' => self.escape(start)?,
            '(' => return self.group(start),
            '*' | '+' | '?' => return Err(self.error(start, "there is nothing to repeat")),
            '{' if self.counts(start).is_some() => {
                return Err(self.error(start, "there is nothing to repeat"));
            }
            _ => Node::Literal(character),
        }))
    }

    /// `item` with the repetition behind it.
    fn repeated(&mut self, item: Node, start: usize) -> Parse<Node> {
        self.pass_over_comments()?;
        let Some((least, most)) = self.quantifier()? else {
            return Ok(item);
        };
        if matches!(item, Node::Assertion(_)) {
            return Err(self.error(start, "there is nothing to repeat"));
        }
        let greed = match () {
            () if self.take("?") => Greed::Lazy,
            () if self.take("+") => Greed::Possessive,
            () => Greed::Greedy,
        };
        let behind = self.at;
        if self.quantifier()?.is_some() {
            return Err(self.error(behind, "a repetition cannot be repeated; put it in a group"));
        }
        Ok(Node::Repeat(Repeat { inner: Box::new(item), least, most, greed }))
    }

    fn quantifier(&mut self) -> Parse<Option<(u32, Option<u32>)>> {
        let start = self.at;
        Ok(match self.peek() {
            Some('*') => self.next().map(|_| (0, None)),
            Some('+') => self.next().map(|_| (1, None)),
            Some('?') => self.next().map(|_| (0, Some(1))),
            Some('{') => {
                self.next();
                let Some((least, most)) = self.counts(start) else {
                    self.at = start;
                    return Ok(None);
                };
                if most.is_some_and(|most| most < least) {
                    return Err(self.error(start, "the least count is larger than the most"));
                }
                Some((least, most))
            }
            _ => None,
        })
    }

    /// `2}`, `2,}`, `,3}` or `2,3}` behind a brace; anything else means the brace itself, and nothing is taken.
    fn counts(&mut self, start: usize) -> Option<(u32, Option<u32>)> {
        let behind_brace = start + 1;
        let digit = |c: char| c.is_ascii_digit();
        let least = self.take_while(digit);
        let comma = self.take(",");
        let most = if comma { self.take_while(digit) } else { least };
        let closed = self.take("}");
        if !closed || (!comma && least.is_empty()) {
            self.at = behind_brace;
            return None;
        }
        let count = |digits: &str| digits.parse().unwrap_or(u32::MAX);
        let least = if least.is_empty() { 0 } else { count(least) };
        Some((least, (!most.is_empty()).then(|| count(most))))
    }

    fn class(&mut self, start: usize) -> Parse<Class> {
        let negated = self.take("^");
        let mut items = Vec::new();
        loop {
            if !items.is_empty() && self.take("]") {
                return Ok(Class { negated, items });
            }
            let first = self.class_item(start)?;
            let hyphen = self.at;
            if !self.take("-") {
                items.push(first);
                continue;
            }
            if self.take("]") {
                items.extend([first, Item::Range('-', '-')]);
                return Ok(Class { negated, items });
            }
            match (first, self.class_item(start)?) {
                (Item::Range(first, _), Item::Range(last, _)) if first <= last => {
                    items.push(Item::Range(first, last));
                }
                _ => {
                    return Err(
                        self.error(hyphen, "this is no range of characters; write `\\-` for the hyphen")
                    );
                }
            }
        }
    }

    fn class_item(&mut self, class: usize) -> Parse<Item> {
        let start = self.at;
        match self.next() {
            None => Err(self.error(class, "this bracket is not closed")),
            Some('\\') => self.class_escape(start),
            Some(character) => Ok(Item::Range(character, character)),
        }
    }

    fn class_escape(&mut self, start: usize) -> Parse<Item> {
        let Some(letter) = self.peek() else {
            return Err(self.error(start, "nothing stands behind the backslash"));
        };
        if let Some(shorthand) = Shorthand::of(letter, self.flags.ascii) {
            self.next();
            return Ok(Item::Shorthand(shorthand));
        }
        if letter == 'b' {
            self.next();
            return Ok(Item::Range('\u{8}', '\u{8}'));
        }
        let character = match letter {
            '0'..='7' => self.octal(start, 3)?,
            '8' | '9' => return Err(self.error(start, "there is no such escape")),
            _ => self.character_escape(start)?,
        };
        Ok(Item::Range(character, character))
    }

    fn escape(&mut self, start: usize) -> Parse<Node> {
        let Some(letter) = self.peek() else {
            return Err(self.error(start, "nothing stands behind the backslash"));
        };
        let assertion = match letter {
            'A' => Assertion::TextStart,
            'Z' => Assertion::TextEnd,
            'b' => Assertion::WordBoundary,
            'B' => Assertion::NoWordBoundary,
            '0' => return Ok(Node::Literal(self.octal(start, 3)?)),
            '1'..='9' => return self.numbered(start),
            _ => {
                return match Shorthand::of(letter, self.flags.ascii) {
                    Some(shorthand) => {
                        self.next();
                        Ok(Node::Shorthand(shorthand))
                    }
                    None => Ok(Node::Literal(self.character_escape(start)?)),
                };
            }
        };
        self.next();
        Ok(Node::Assertion(assertion))
    }

    /// `\12` is a group, `\123` a character by its octal number.
    fn numbered(&mut self, start: usize) -> Parse<Node> {
        let digits = self.pattern[self.at..].bytes().take(3);
        if digits.clone().count() == 3 && digits.clone().all(|digit| (b'0'..=b'7').contains(&digit)) {
            return Ok(Node::Literal(self.octal(start, 3)?));
        }
        let length = digits.take(2).take_while(u8::is_ascii_digit).count();
        let number = &self.pattern[self.at..self.at + length];
        self.at += length;
        let group = number.parse().unwrap_or(usize::MAX);
        self.referable(start, group).map(Node::Backreference)
    }

    fn octal(&mut self, start: usize, most: usize) -> Parse<char> {
        let digits = self.pattern[self.at..].bytes().take(most);
        let digits = digits.take_while(|digit| (b'0'..=b'7').contains(digit)).count();
        let number = u32::from_str_radix(&self.pattern[self.at..self.at + digits], 8).unwrap_or(u32::MAX);
        self.at += digits;
        let character = char::from_u32(number).filter(|_| number <= 0o377);
        character.ok_or_else(|| self.error(start, "there is no character of this number"))
    }

    /// An escape that stands for one character.
    fn character_escape(&mut self, start: usize) -> Parse<char> {
        let letter = self.next().expect("the caller has seen a character");
        Ok(match letter {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => self.hexadecimal(start, 2)?,
            'u' => self.hexadecimal(start, 4)?,
            'U' => self.hexadecimal(start, 8)?,
            _ if letter.is_ascii_alphanumeric() => {
                return Err(self.error(start, format!("there is no escape `\\{letter}`")));
            }
            _ => letter,
        })
    }

    fn hexadecimal(&mut self, start: usize, length: usize) -> Parse<char> {
        let digits = self.pattern.get(self.at..self.at + length);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let character = number.and_then(char::from_u32);
        if character.is_some() {
            self.at += length;
        }
        character.ok_or_else(|| self.error(start, format!("{length} hexadecimal digits are expected here")))
    }

    fn referable(&self, start: usize, group: usize) -> Parse<usize> {
        if group == 0 || group >= self.groups.len() {
            return Err(self.error(start, "there is no such group"));
        }
        if self.open.contains(&group) {
            return Err(self.error(start, "this group is not closed yet"));
        }
        Ok(group)
    }

    fn named(&self, start: usize, name: &str) -> Parse<usize> {
        let found = self.groups.iter().position(|group| group.as_deref() == Some(name));
        found.ok_or_else(|| self.error(start, format!("there is no group `{name}`")))
    }

    /// What stands in parentheses; none for flags that hold for all of the pattern.
    fn group(&mut self, start: usize) -> Parse<Option<Node>> {
        if !self.take("?") {
            return self.capture(start, None).map(Some);
        }
        let looks =
            [("<=", Look::Behind), ("<!", Look::NotBehind), ("=", Look::Ahead), ("!", Look::NotAhead)];
        if let Some((_, look)) = looks.into_iter().find(|(sign, _)| self.take(sign)) {
            let inner = self.inside(start)?;
            return Ok(Some(Node::Look { look, inner }));
        }
        match self.peek() {
            Some('P') => self.python_group(start).map(Some),
            Some(':') => {
                self.next();
                Ok(Some(Node::Group(self.inside(start)?)))
            }
            Some('>') => {
                self.next();
                Ok(Some(Node::Atomic(self.inside(start)?)))
            }
            Some('(') => self.conditional(start).map(Some),
            _ => self.flags(start),
        }
    }

    /// Up to the closing parenthesis, which is passed over.
    fn inside(&mut self, start: usize) -> Parse<Box<Node>> {
        let flags = self.flags;
        let node = self.alternation()?;
        self.flags = flags;
        if self.take(")") {
            Ok(Box::new(node))
        } else {
            Err(self.error(start, "this parenthesis is not closed"))
        }
    }

    fn capture(&mut self, start: usize, name: Option<String>) -> Parse<Node> {
        let number = self.groups.len();
        self.groups.push(name.clone());
        self.open.push(number);
        let inner = self.inside(start)?;
        self.open.pop();
        Ok(Node::Capture { name, inner })
    }

    /// `(?P<name>...)` or `(?P=name)`.
    fn python_group(&mut self, start: usize) -> Parse<Node> {
        if self.take("P=") {
            let name = self.until(start, ')')?;
            let group = self.named(start, name)?;
            return self.referable(start, group).map(Node::Backreference);
        }
        if !self.take("P<") {
            return Err(self.error(start, "there is no such kind of group"));
        }
        let name = self.until(start, '>')?;
        if !is_identifier(name) {
            return Err(self.error(start, format!("`{name}` cannot be the name of a group")));
        }
        if self.groups.iter().any(|group| group.as_deref() == Some(name)) {
            return Err(self.error(start, format!("there are two groups `{name}`")));
        }
        self.capture(start, Some(name.to_owned()))
    }

    fn conditional(&mut self, start: usize) -> Parse<Node> {
        self.next();
        let name = self.until(start, ')')?;
        let group = match name.parse() {
            Ok(number) if number >= self.groups.len() => number,
            Ok(number) => self.referable(start, number)?,
            Err(_) => self.named(start, name).and_then(|group| self.referable(start, group))?,
        };
        self.asked = self.asked.max(Some((group, start)));
        let flags = self.flags;
        let (yes, no) = self.nested(|parser| {
            let yes = parser.concat()?;
            let no = if parser.take("|") { parser.concat()? } else { Node::Concat(Vec::new()) };
            Ok((Box::new(yes), Box::new(no)))
        })?;
        self.flags = flags;
        match self.next() {
            Some(')') => Ok(Node::Conditional { group, yes, no }),
            _ => Err(self.error(start, "a condition has two branches and is closed by a parenthesis")),
        }
    }

    /// `(?i)` or `(?i-m:...)`.
    fn flags(&mut self, start: usize) -> Parse<Option<Node>> {
        let on = self.take_while(|c| c.is_ascii_alphabetic());
        let off = if self.take("-") { self.take_while(|c| c.is_ascii_alphabetic()) } else { "" };
        let mut here = self.flags;
        let known = on.chars().all(|flag| set(&mut here, flag, true))
            && off.chars().all(|flag| !"au".contains(flag) && set(&mut here, flag, false));
        if !known || (on.is_empty() && off.is_empty()) {
            return Err(self.error(start, "there is no such kind of group"));
        }
        if off.is_empty() && self.take(")") {
            for flag in on.chars() {
                set(&mut self.global, flag, true);
            }
            return Ok(None);
        }
        if !self.take(":") {
            return Err(self.error(start, "these flags are not closed"));
        }
        let outside = std::mem::replace(&mut self.flags, here);
        let inner = self.inside(start)?;
        self.flags = outside;
        Ok(Some(Node::Flagged(here, inner)))
    }
}

/// Sets a flag by its letter; false if there is none of this letter.
fn set(flags: &mut Flags, letter: char, on: bool) -> bool {
    let flag = match letter {
        'i' => &mut flags.ignore_case,
        'm' => &mut flags.multi_line,
        's' => &mut flags.dot_all,
        'x' => &mut flags.verbose,
        'a' => &mut flags.ascii,
        // Unicode is what all patterns are in that do not say otherwise.
        'u' => {
            flags.ascii = false;
            return true;
        }
        _ => return false,
    };
    *flag = on;
    true
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
}
