//! A query and its reply, as far as they are looked at.

use crate::clock::Timestamp;
use crate::zone::Subject;

/// The size of a header (RFC 1035, section 4.1.1).
const HEADER: usize = 12;

/// Where a reply says how many answers it has.
const ANSWERS: usize = 6;

/// The size of an A record: pointer, type, class, time to live, length, and the four octets.
pub(super) const RECORD: usize = 16;

/// A query and its reply.
pub(super) struct Exchange<'a> {
    pub(super) now: Timestamp,
    pub(super) query: &'a [u8],
    pub(super) reply: &'a [u8],
    /// Where the question ends, in both.
    pub(super) records: usize,
    pub(super) subject: &'a Subject,
}

impl<'a> Exchange<'a> {
    /// Name, type and class; `None` if there is no question that could be read.
    pub(super) fn question(&self) -> Option<&'a [u8]> {
        self.query.get(HEADER..self.records).filter(|question| !question.is_empty())
    }

    /// How many answers the reply has.
    pub(super) fn answer_count(&self) -> u16 {
        match self.reply.get(ANSWERS..) {
            Some([high, low, ..]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        }
    }

    /// The answers, which are A records.
    pub(super) fn codes(&self) -> impl Iterator<Item = &'a [u8; RECORD]> {
        let records = self.reply.get(self.records..).unwrap_or_default();
        records.as_chunks().0.iter().take(self.answer_count().into())
    }
}
