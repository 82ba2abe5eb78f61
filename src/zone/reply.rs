//! Writes replies: the query's header and question, records behind them, EDNS last.

use super::options::Told;
use super::query::{DNSSEC_OK, Flags, HEADER, OPT_SIZE, Opt, TYPE_OPT};

/// The largest reply to a client that says nothing of its size (RFC 1035, section 4.2.1).
const PLAIN_UDP: usize = 512;

/// The largest reply over UDP: it passes everywhere without fragments (RFC 9715, section 3.2).
pub(super) const LARGEST_UDP: u16 = 1232;

/// The largest message with a length of 16 bits (RFC 1035, section 4.2.2).
const LARGEST_TCP: usize = 65_535;

pub(super) const CLASS_IN: u16 = 1;

const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;

/// A reply that records are added to.
pub(super) trait Sections {
    /// Adds a record to the answer section. One whose like is there has no place beside it (RFC 2181, section 5). All records of an
    /// answer have the question's name and one type, so that only their data tells them apart.
    fn answer(&mut self, kind: u16, ttl: u32, write: impl FnOnce(&mut Vec<u8>));

    /// Adds a record to the authority section; its name stands at `owner` in the question.
    fn authority(&mut self, owner: u16, kind: u16, ttl: u32, write: impl FnOnce(&mut Vec<u8>));

    /// Whether all fits so far; if not, more is of no use.
    fn fits(&self) -> bool;
}

/// A reply in the making.
pub(super) struct Reply<'a> {
    out: &'a mut Vec<u8>,
    /// Those of the query.
    flags: Flags,
    /// The flags of the query's OPT, and what goes into that of the reply.
    opt: Option<(u16, &'a Told<'a>)>,
    /// The class of its records.
    class: u16,
    /// The octets that records and question may take.
    limit: usize,
    /// Where the question ends.
    question: usize,
    counts: [u16; 4],
    /// The least time to live of the answers so far, if there are any.
    ttl: u32,
    /// Whether they have several.
    ttls_differ: bool,
}

impl<'a> Reply<'a> {
    /// A reply with nothing but a header, for queries of which no more is understood.
    pub(super) fn bare(query: &[u8], flags: Flags, out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(&query[..HEADER]);
        Self::new(flags, HEADER, 0, PLAIN_UDP, out)
    }

    /// The same with EDNS, for queries without a question.
    pub(super) fn with_edns(self, opt: Opt, told: &'a Told<'a>) -> Self {
        Self { opt: Some((opt.flags, told)), ..self }
    }

    /// A reply to the question that ends at `question`, which is repeated octet for octet.
    pub(super) fn to(
        query: &[u8],
        flags: Flags,
        question: usize,
        opt: Option<Opt>,
        told: &'a Told<'a>,
        over_tcp: bool,
        out: &'a mut Vec<u8>,
    ) -> Self {
        out.extend_from_slice(&query[..question]);
        let room = if over_tcp { LARGEST_TCP } else { udp_size(opt) };
        let limit = room - opt.map_or(0, |_| OPT_SIZE + told.len());
        let opt = opt.map(|opt| (opt.flags, told));
        Self { opt, ..Self::new(flags, question, 1, limit, out) }
    }

    fn new(flags: Flags, question: usize, questions: u16, limit: usize, out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            flags,
            opt: None,
            class: CLASS_IN,
            limit,
            question,
            counts: [questions, 0, 0, 0],
            ttl: 0,
            ttls_differ: false,
        }
    }

    /// The records that are added from now on are of this class.
    pub(super) fn set_class(&mut self, class: u16) {
        self.class = class;
    }

    /// Makes what was added at `start` an answer beside those of before.
    fn join(&mut self, start: usize, ttl: u32) {
        self.ttls_differ |= ttl != self.ttl;
        self.ttl = self.ttl.min(ttl);
        let (earlier, added) = self.out[self.question..].split_at(start - self.question);
        if has_record(earlier, added) {
            self.out.truncate(start);
        } else {
            self.counts[1] = self.counts[1].saturating_add(1);
        }
    }

    /// Whether there is an answer.
    pub(super) fn has_answer(&self) -> bool {
        self.counts[1] > 0
    }

    /// Where the records begin.
    pub(super) fn records_begin(&self) -> usize {
        self.question
    }

    /// Ends the reply; whether it had to be truncated. `rcode` has up to 12 bits, the upper ones for EDNS only.
    pub(super) fn finish(&mut self, rcode: u16, authoritative: bool) -> bool {
        let truncated = !self.fits();
        if truncated {
            self.drop_records();
        } else if self.ttls_differ {
            self.level_ttls();
        }
        if let Some((flags, told)) = self.opt {
            write_opt(flags, rcode, told.len() as u16, self.out);
            told.write(self.out);
            self.counts[3] = 1;
        }
        let mut flags = reply_flags(self.flags, rcode, authoritative);
        if truncated {
            flags |= TRUNCATED;
        }
        write_header(flags, self.counts, self.out);
        truncated
    }

    /// An answer without all its records is no answer (RFC 2181, section 9).
    #[cold]
    fn drop_records(&mut self) {
        self.out.truncate(self.question);
        self.counts = [1, 0, 0, 0];
    }

    /// The records of an answer have one time to live (RFC 2181, section 5.2), wherever each comes from: the least.
    #[cold]
    fn level_ttls(&mut self) {
        let mut rest = &mut self.out[self.question..];
        for _ in 0..self.counts[1] {
            rest[TTL_AT..LENGTH_AT].copy_from_slice(&self.ttl.to_be_bytes());
            let length = u16::from_be_bytes([rest[LENGTH_AT], rest[LENGTH_AT + 1]]);
            rest = &mut rest[RECORD_HEAD + usize::from(length)..];
        }
    }
}

impl Sections for Reply<'_> {
    fn answer(&mut self, kind: u16, ttl: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        write_record(HEADER as u16, [kind, self.class], ttl, self.out, write);
        if self.has_answer() {
            self.join(start, ttl);
        } else {
            (self.ttl, self.counts[1]) = (ttl, 1);
        }
    }

    fn authority(&mut self, owner: u16, kind: u16, ttl: u32, write: impl FnOnce(&mut Vec<u8>)) {
        write_record(owner, [kind, self.class], ttl, self.out, write);
        self.counts[2] += 1;
    }

    fn fits(&self) -> bool {
        self.out.len() <= self.limit
    }
}

/// Appends a record of this type and class, whose name stands at `owner` in the message and whose data is what `write` appends.
#[inline]
pub(super) fn write_record(
    owner: u16,
    [kind, class]: [u16; 2],
    ttl: u32,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let mut head = [0; RECORD_HEAD];
    head[..2].copy_from_slice(&(0xc000 | owner).to_be_bytes());
    head[2..4].copy_from_slice(&kind.to_be_bytes());
    head[4..TTL_AT].copy_from_slice(&class.to_be_bytes());
    head[TTL_AT..LENGTH_AT].copy_from_slice(&ttl.to_be_bytes());
    out.extend_from_slice(&head);
    let start = out.len();
    write(out);
    let length = (out.len() - start) as u16;
    out[start - 2..start].copy_from_slice(&length.to_be_bytes());
}

/// Appends OPT up to its options, which take `length` octets. Every query with OPT gets OPT back (RFC 6891, section 7), with the size
/// that this server takes.
#[inline]
pub(super) fn write_opt(flags: u16, rcode: u16, length: u16, out: &mut Vec<u8>) {
    let mut opt = [0; OPT_SIZE];
    opt[1..3].copy_from_slice(&TYPE_OPT.to_be_bytes());
    opt[3..5].copy_from_slice(&LARGEST_UDP.to_be_bytes());
    opt[5] = (rcode >> 4) as u8;
    opt[7..9].copy_from_slice(&(flags & DNSSEC_OK).to_be_bytes());
    opt[9..].copy_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&opt);
}

/// The flags of a reply to a query with these. Opcode and RD are the query's; RA, Z, AD and CD are 0 (RFC 1035, section 4.1.1;
/// RFC 4035, section 3.1.6).
#[inline]
pub(super) fn reply_flags(query: Flags, rcode: u16, authoritative: bool) -> u16 {
    let authoritative = if authoritative { AUTHORITATIVE } else { 0 };
    RESPONSE | query.0 & (OPCODE | RECURSION_DESIRED) | rcode & 0xf | authoritative
}

/// Writes flags and counts into the header of a message.
#[inline]
pub(super) fn write_header(flags: u16, counts: [u16; 4], message: &mut [u8]) {
    let header: &mut [u8; HEADER] = message.first_chunk_mut().expect("a reply begins with a header");
    header[2..4].copy_from_slice(&flags.to_be_bytes());
    for (place, count) in header[4..].as_chunks_mut().0.iter_mut().zip(counts) {
        *place = count.to_be_bytes();
    }
}

/// Takes everything out of a reply to a question but the question and EDNS, and says that it is truncated: who gets it
/// comes again by TCP (RFC 7766, section 5).
pub fn truncate(reply: &mut Vec<u8>) {
    let question = question_end(reply);
    let [answers, authority] = [6, 8].map(|at| u16::from_be_bytes([reply[at], reply[at + 1]]));
    let count = usize::from(answers) + usize::from(authority);
    let taken: usize = records(&reply[question..]).take(count).map(|data| RECORD_HEAD + data.len()).sum();
    reply.drain(question..question + taken);
    reply[6..10].fill(0);
    reply[2] |= (TRUNCATED >> 8) as u8;
}

/// Where the question of a reply of ours ends, if it has one.
fn question_end(reply: &[u8]) -> usize {
    let mut at = HEADER;
    if reply[4..6] == [0, 0] {
        return at;
    }
    while reply[at] != 0 {
        at += 1 + usize::from(reply[at]);
    }
    // The root, type and class.
    at + 5
}

/// The client's size within bounds (RFC 6891, section 6.2.3 and 6.2.5).
pub(super) fn udp_size(opt: Option<Opt>) -> usize {
    opt.map_or(PLAIN_UDP, |opt| usize::from(opt.size.min(LARGEST_UDP)).max(PLAIN_UDP))
}

/// Pointer, type, class, time to live and length of a record as written here.
const RECORD_HEAD: usize = 12;

/// Where its time to live is in that.
const TTL_AT: usize = 6;

/// Where its length is.
const LENGTH_AT: usize = 10;

/// Whether the data of the record `added` is that of one of those that are `written`.
pub(super) fn has_record(written: &[u8], added: &[u8]) -> bool {
    records(written).any(|data| data == &added[RECORD_HEAD..])
}

/// The data of each record in `written`.
fn records(mut written: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u16::from_be_bytes([*written.get(LENGTH_AT)?, *written.get(LENGTH_AT + 1)?]);
        let (record, rest) = written.split_at_checked(RECORD_HEAD + usize::from(length))?;
        written = rest;
        Some(&record[RECORD_HEAD..])
    })
}

/// Writes one character-string: its length, then the text (RFC 1035, section 3.3).
pub(super) fn write_text(out: &mut Vec<u8>, render: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    render(out);
    out[start] = (out.len() - start - 1) as u8;
}
