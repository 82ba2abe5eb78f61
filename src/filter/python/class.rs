//! Sets of characters: `[a-z]`, `\w`.

/// `\d`, `\w`, `\s` and their opposites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shorthand {
    pub(super) set: Set,
    /// Everything else.
    pub(super) negated: bool,
    /// No more than ASCII has of it.
    pub(super) ascii: bool,
}

/// What a shorthand stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Digit,
    Word,
    Space,
}

/// A set in brackets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    pub(super) negated: bool,
    pub(super) items: Vec<Item>,
}

/// A part of a set in brackets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Range(char, char),
    Shorthand(Shorthand),
}

impl Shorthand {
    /// The one that this letter behind a backslash stands for.
    pub(super) fn of(letter: char, ascii: bool) -> Option<Self> {
        let set = match letter.to_ascii_lowercase() {
            'd' => Set::Digit,
            'w' => Set::Word,
            's' => Set::Space,
            _ => return None,
        };
        Some(Self { set, negated: letter.is_ascii_uppercase(), ascii })
    }

    /// What stands for it inside of brackets.
    ///
    /// Python's words are letters and numbers of every kind and no marks, and its white space has the four separators
    /// of ASCII: neither is what the `regex` crate calls so.
    fn content(self) -> &'static str {
        match (self.set, self.ascii) {
            (Set::Digit, false) => r"\p{Nd}",
            (Set::Word, false) => r"\p{L}\p{N}_",
            (Set::Space, false) => r"\s\x1c-\x1f",
            (Set::Digit, true) => "0-9",
            (Set::Word, true) => "0-9A-Za-z_",
            (Set::Space, true) => r"\t-\r ",
        }
    }

    /// It as a set of its own.
    pub(super) fn write(self) -> String {
        format!("[{}{}]", if self.negated { "^" } else { "" }, self.content())
    }
}

impl Class {
    /// It in the syntax of the `regex` crate.
    pub(super) fn write(&self) -> String {
        let items: String = self.items.iter().map(Item::write).collect();
        format!("[{}{items}]", if self.negated { "^" } else { "" })
    }
}

impl Item {
    fn write(&self) -> String {
        match self {
            Self::Range(first, last) if first == last => literal(*first),
            Self::Range(first, last) => format!("{}-{}", literal(*first), literal(*last)),
            Self::Shorthand(shorthand) if shorthand.negated => shorthand.write(),
            Self::Shorthand(shorthand) => shorthand.content().to_owned(),
        }
    }
}

/// A character that means itself, inside of brackets and outside.
pub(super) fn literal(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        _ if character.is_ascii_control() || character == '\u{7f}' => {
            format!("\\x{:02x}", u32::from(character))
        }
        _ if r"\.+*?()|[]{}^$&-~#".contains(character) => format!("\\{character}"),
        _ => character.to_string(),
    }
}
