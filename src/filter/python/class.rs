//! Sets of characters: `[a-z]`, `\w`.

/// The characters of the texts that a pattern is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// All there are.
    Unicode,
    /// Those of ASCII, of which nearly all logs are: the engines are many times smaller then, and faster.
    Ascii,
}

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
    pub(super) fn write(self, alphabet: Alphabet) -> String {
        match alphabet {
            Alphabet::Unicode => format!("[{}{}]", if self.negated { "^" } else { "" }, self.content()),
            Alphabet::Ascii => write_ascii(|character| self.has(character)),
        }
    }

    /// Whether it has this character of ASCII.
    pub(super) fn has(self, character: char) -> bool {
        let separates = ('\x1c'..='\x1f').contains(&character);
        let has = match self.set {
            Set::Digit => character.is_ascii_digit(),
            Set::Word => character.is_ascii_alphanumeric() || character == '_',
            Set::Space => {
                ('\t'..='\r').contains(&character) || character == ' ' || (separates && !self.ascii)
            }
        };
        has != self.negated
    }
}

impl Class {
    /// It in the syntax of the `regex` crate.
    pub(super) fn write(&self, alphabet: Alphabet, ignore_case: bool) -> String {
        if alphabet == Alphabet::Ascii {
            return write_ascii(|character| self.has(character, ignore_case));
        }
        let items: String = self.items.iter().map(Item::write).collect();
        format!("[{}{items}]", if self.negated { "^" } else { "" })
    }

    /// Whether it has this character of ASCII.
    pub(super) fn has(&self, character: char, ignore_case: bool) -> bool {
        let (small, large) = (character.to_ascii_lowercase(), character.to_ascii_uppercase());
        // Two letters have a third form: the long s and the sign for kelvin.
        let third = match small {
            's' => '\u{17f}',
            'k' => '\u{212a}',
            _ => small,
        };
        let cases = [character, small, large, third];
        let cases = if ignore_case { &cases[..] } else { &cases[..1] };
        let has = cases.iter().any(|character| self.items.iter().any(|item| item.has(*character)));
        has != self.negated
    }
}

/// The characters of ASCII that belong to a set, as a set of its own. That it has none of the others does not matter to a
/// text of ASCII.
pub(super) fn write_ascii(belongs: impl Fn(char) -> bool) -> String {
    let mut written = String::new();
    let mut from = 0u8;
    while from < 0x80 {
        let length = (from..0x80).take_while(|&byte| belongs(char::from(byte))).count() as u8;
        match length {
            0 => {}
            1 => written += &format!("\\x{from:02x}"),
            _ => written += &format!("\\x{from:02x}-\\x{:02x}", from + length - 1),
        }
        from += length + 1;
    }
    if written.is_empty() { r"[^\x00-\x7f]".to_owned() } else { format!("[{written}]") }
}

impl Item {
    fn has(&self, character: char) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&character),
            Self::Shorthand(shorthand) => shorthand.has(character),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Range(first, last) if first == last => literal(*first),
            Self::Range(first, last) => format!("{}-{}", literal(*first), literal(*last)),
            Self::Shorthand(shorthand) if shorthand.negated => shorthand.write(Alphabet::Unicode),
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
