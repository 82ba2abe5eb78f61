//! The reply to an ordinary question. It is written as any [`Reply`](crate::zone::reply::Reply) is, and less is kept in mind of it.

use crate::zone::outcome::Rcode;
use crate::zone::query::{Flags, HEADER, Opt};
use crate::zone::reply::{
    CLASS_IN, LARGEST_UDP, Sections, has_record, reply_flags, udp_size, write_header, write_opt, write_record,
};

/// A reply whose records are written one behind the other, and never changed. What cannot be made so is no ordinary reply.
pub(super) struct Plain<'a> {
    out: &'a mut Vec<u8>,
    /// Where the question ends.
    question: usize,
    answers: u16,
    authorities: u16,
    /// The time to live of the first of them.
    ttl: u32,
    /// Whether they differ by their data and by nothing else, as the records of an answer must.
    are_a_set: bool,
}

impl<'a> Plain<'a> {
    /// A reply to `question`, a query up to the end of its question, which is repeated octet for octet.
    #[inline]
    pub(super) fn to(question: &[u8], out: &'a mut Vec<u8>) -> Self {
        out.clear();
        out.extend_from_slice(question);
        Self { out, question: question.len(), answers: 0, authorities: 0, ttl: 0, are_a_set: true }
    }

    /// Whether there is an answer.
    pub(super) fn has_answer(&self) -> bool {
        self.answers > 0
    }

    /// Looks whether what was added at `start` is an answer beside those of before.
    #[cold]
    fn compare(&mut self, start: usize, ttl: u32) {
        let (earlier, added) = self.out[self.question..].split_at(start - self.question);
        self.are_a_set &= ttl == self.ttl && !has_record(earlier, added);
    }

    /// Ends the reply to a query with these flags, and this EDNS; `None` if it is no ordinary one.
    #[inline]
    pub(super) fn finish(self, flags: Flags, opt: Option<Opt>, rcode: Rcode) -> Option<()> {
        let rcode = rcode as u16;
        if let Some(opt) = opt {
            write_opt(opt.flags, rcode, 0, self.out);
        }
        if !self.are_a_set || self.out.len() > udp_size(opt) {
            return None;
        }
        let counts = [1, self.answers, self.authorities, u16::from(opt.is_some())];
        write_header(reply_flags(flags, rcode, true), counts, self.out);
        Some(())
    }
}

impl Sections for Plain<'_> {
    #[inline]
    fn answer(&mut self, kind: u16, ttl: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        write_record(HEADER as u16, [kind, CLASS_IN], ttl, self.out, write);
        if self.answers == 0 {
            self.ttl = ttl;
        } else {
            self.compare(start, ttl);
        }
        self.answers += 1;
    }

    #[inline]
    fn authority(&mut self, owner: u16, kind: u16, ttl: u32, write: impl FnOnce(&mut Vec<u8>)) {
        write_record(owner, [kind, CLASS_IN], ttl, self.out, write);
        self.authorities += 1;
    }

    fn fits(&self) -> bool {
        self.out.len() <= usize::from(LARGEST_UDP)
    }
}
