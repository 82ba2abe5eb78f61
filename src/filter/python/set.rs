//! Sets of bytes of ASCII, one bit each.

/// Bytes of ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set([u64; 2]);

/// What a part of a pattern can begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) set: Set,
    /// It may also stand at the end of a text.
    pub(super) end: bool,
}

impl Set {
    /// The characters of ASCII that belong to it.
    pub(super) fn of(belongs: impl Fn(char) -> bool) -> Self {
        let bits = |from: u8| {
            let bytes = (from..from + 64).filter(|&byte| belongs(char::from(byte)));
            bytes.fold(0, |bits, byte| bits | 1 << (byte - from))
        };
        Self([bits(0), bits(64)])
    }

    /// This byte alone, which is of ASCII.
    pub(super) fn only(byte: u8) -> Self {
        let mut bits = [0; 2];
        bits[usize::from(byte >> 6) & 1] = 1 << (byte & 63);
        Self(bits)
    }

    /// Whether it has this byte, which is of ASCII.
    #[inline]
    pub(super) fn has(self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6) & 1] >> (byte & 63) & 1 != 0
    }

    /// For each byte there is whether it has it, which is told faster then.
    pub(super) fn table(self) -> Box<[bool; 256]> {
        Box::new(std::array::from_fn(|byte| byte < 128 && self.has(byte as u8)))
    }

    fn or(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    fn overlaps(self, other: Self) -> bool {
        (self.0[0] & other.0[0]) | (self.0[1] & other.0[1]) != 0
    }
}

impl First {
    /// Anything, or nothing.
    pub(super) const ANY: Self = Self { set: Set([u64::MAX; 2]), end: true };

    /// A byte of this set.
    pub(super) fn of(set: Set) -> Self {
        Self { set, end: false }
    }

    /// What one or the other can begin with.
    pub(super) fn or(self, other: Self) -> Self {
        Self { set: self.set.or(other.set), end: self.end || other.end }
    }

    /// Whether it can stand inside of a run of bytes of `set`.
    pub(super) fn is_within(self, set: Set) -> bool {
        self.set.overlaps(set)
    }

    /// Whether it can stand in `text` at byte `at`.
    #[inline]
    pub(super) fn is_at(self, text: &[u8], at: usize) -> bool {
        text.get(at).map_or(self.end, |byte| self.set.has(*byte))
    }
}
