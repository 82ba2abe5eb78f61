//! The labels of a name where they stand in it, so that nothing has to be copied to ask for the name.

/// Labels of a name, from left to right and without the root's.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The name as it stands in a message (RFC 1035, section 3.1), in small letters.
    wire: &'a [u8],
    /// Where the length octet of each label is in `wire`.
    starts: &'a [u8],
}

impl<'a> Labels<'a> {
    /// The labels of `wire` whose length octets are at `starts`.
    pub fn new(wire: &'a [u8], starts: &'a [u8]) -> Self {
        Self { wire, starts }
    }

    /// Each label, without its length.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone {
        self.starts.iter().map(move |start| {
            let (length, rest) = self.wire[usize::from(*start)..].split_first().expect("labels begin inside");
            &rest[..usize::from(*length)]
        })
    }

    /// The last one.
    pub fn last(self) -> Option<&'a [u8]> {
        self.iter().next_back()
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.starts.is_empty()
    }

    /// The first `count`, at most all of them.
    pub fn first(self, count: usize) -> Self {
        Self { starts: &self.starts[..count], ..self }
    }

    /// Those behind the first `count`, at most all of them.
    pub fn behind(self, count: usize) -> Self {
        Self { starts: &self.starts[count..], ..self }
    }
}

/// Labels that come from somewhere else than a message.
#[derive(Clone, Debug, Default)]
pub struct LabelBuf {
    wire: Vec<u8>,
    starts: Vec<u8>,
}

impl LabelBuf {
    /// The labels.
    pub fn labels(&self) -> Labels<'_> {
        Labels::new(&self.wire, &self.starts)
    }
}

/// As many of them, in small letters, as a name has room for (RFC 1035, section 2.3.4).
impl<'a> FromIterator<&'a [u8]> for LabelBuf {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(labels: I) -> Self {
        let mut name = Self::default();
        for label in labels {
            let (Ok(start), Ok(length)) = (u8::try_from(name.wire.len()), u8::try_from(label.len())) else {
                break;
            };
            name.starts.push(start);
            name.wire.push(length);
            name.wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        name
    }
}
