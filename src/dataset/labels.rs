//! The labels of a name where they stand in it, so that nothing has to be copied to ask for the name.

/// Room for a name of full length, which has 255 octets (RFC 1035, section 2.3.4): an octet can say where a label begins.
pub const NAME_SPACE: usize = 256;

/// Labels of a name, from left to right and without the root's.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The name as it stands in a message (RFC 1035, section 3.1), in small letters.
    wire: &'a [u8; NAME_SPACE],
    /// Where the length octet of each label is in `wire`.
    starts: &'a [u8],
}

impl<'a> Labels<'a> {
    /// The labels of `wire` whose length octets are at `starts`.
    pub fn new(wire: &'a [u8; NAME_SPACE], starts: &'a [u8]) -> Self {
        Self { wire, starts }
    }

    /// Each label, without its length.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone {
        self.starts.iter().map(move |start| {
            let start = usize::from(*start);
            let length = usize::from(self.wire[start]);
            &self.wire[start + 1..][..length]
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
#[derive(Clone, Debug)]
pub struct LabelBuf {
    wire: [u8; NAME_SPACE],
    starts: Vec<u8>,
}

impl LabelBuf {
    /// The labels.
    pub fn labels(&self) -> Labels<'_> {
        Labels::new(&self.wire, &self.starts)
    }
}

/// As many of them, in small letters, as there is room for.
impl<'a> FromIterator<&'a [u8]> for LabelBuf {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(labels: I) -> Self {
        let mut name = Self { wire: [0; NAME_SPACE], starts: Vec::new() };
        let mut room = &mut name.wire[..];
        for label in labels {
            let start = NAME_SPACE - room.len();
            let (Ok(start), Ok(length)) = (u8::try_from(start), u8::try_from(label.len())) else { break };
            let Some((place, rest)) = room.split_at_mut_checked(1 + label.len()) else { break };
            name.starts.push(start);
            place[0] = length;
            place[1..].copy_from_slice(label);
            place[1..].make_ascii_lowercase();
            room = rest;
        }
        name
    }
}
