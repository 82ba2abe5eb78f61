//! Names below a zone, in an order in which a name stands right before all names below it.

use smallvec::SmallVec;

use super::answer::Asked;

/// A name in that order: its labels from right to left, each behind its length.
pub(super) type Key = Box<[u8]>;

/// The same of a name that is asked for, which few are too long for.
type AskedKey = SmallVec<[u8; 128]>;

/// The longest label (RFC 1035, section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// The key of labels from left to right.
pub(super) fn key(labels: impl DoubleEndedIterator<Item = impl AsRef<[u8]>>) -> AskedKey {
    let mut key = AskedKey::new();
    for label in labels.rev() {
        let label = label.as_ref();
        key.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        key.extend_from_slice(label);
    }
    key
}

/// The labels of a name as it is written, in small letters; `None` if it is none. A dot may stand at its end; `@` is no label.
pub(super) fn labels(written: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let written = written.strip_suffix(b".").unwrap_or(written);
    if written == b"@" {
        return Some(Vec::new());
    }
    let is_label = |label: &[u8]| (1..=LONGEST_LABEL).contains(&label.len());
    let labels = written.split(|byte| *byte == b'.');
    labels.map(|label| is_label(label).then(|| label.to_ascii_lowercase().into())).collect()
}

/// A name as it stands in a message (RFC 1035, section 3.1); `None` if what is written is none.
pub(super) fn wire(written: &[u8]) -> Option<Box<[u8]>> {
    let mut wire = Vec::new();
    for label in labels(written)? {
        wire.push(u8::try_from(label.len()).ok()?);
        wire.extend_from_slice(&label);
    }
    wire.push(0);
    (wire.len() <= LONGEST_NAME).then(|| wire.into())
}

/// Whether what is written is the name of a host, as those that answer for a zone have: letters, digits, hyphens and underscores.
pub(super) fn is_host(written: &[u8]) -> bool {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.".contains(octet);
    written.iter().all(is_plain) && wire(written).is_some()
}

/// The longest name (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;

/// Something for each of some names.
#[derive(Debug)]
pub(super) struct Names<T>(Box<[(Key, T)]>);

impl<T> Names<T> {
    /// These names; of equal ones the things are put together.
    pub(super) fn new(mut all: Vec<(Key, T)>, mut add: impl FnMut(&mut T, T)) -> Self {
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut names: Vec<(Key, T)> = Vec::with_capacity(all.len());
        for (key, thing) in all {
            match names.last_mut() {
                Some((before, things)) if *before == key => add(things, thing),
                _ => names.push((key, thing)),
            }
        }
        Self(names.into())
    }

    /// What there is for a name.
    pub(super) fn get(&self, key: &[u8]) -> Option<&T> {
        let place = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        Some(&self.0[place].1)
    }

    /// Every name, itself and below, that is in `asked`.
    pub(super) fn within(&self, asked: &Asked<'_>) -> impl Iterator<Item = (&[u8], &T)> {
        let top = key(asked.labels());
        let begin = self.0.partition_point(|(known, _)| **known < *top);
        self.0[begin..]
            .iter()
            .map(|(key, thing)| (&**key, thing))
            .take_while(move |(known, _)| known.starts_with(&top))
    }
}
