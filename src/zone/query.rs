//! Reads queries: header, the one question, and EDNS. Nothing here allocates.

use super::name::{LONGEST_LABEL, LONGEST_NAME};
use super::options::Asked;
use crate::dataset::{Labels, NAME_SPACE};

/// The size of a header (RFC 1035, section 4.1.1).
pub(super) const HEADER: usize = 12;

/// Octets that are made lower case at once.
const BLOCK: usize = 16;

/// Labels of a name of full length, one octet each.
const MOST_LABELS: usize = LONGEST_NAME / 2;

/// OPT, the record that carries EDNS (RFC 6891, section 6.1.1).
pub(super) const TYPE_OPT: u16 = 41;

/// The size of OPT without options.
pub(super) const OPT_SIZE: usize = 11;

/// Set in OPT by who understands DNSSEC; a reply repeats it (RFC 3225, section 3).
pub(super) const DNSSEC_OK: u16 = 0x8000;

/// The opcode of a query (RFC 1035, section 4.1.1).
pub(super) const OPCODE_QUERY: u8 = 0;

/// The second word of a header.
#[derive(Clone, Copy)]
pub(super) struct Flags(pub(super) u16);

impl Flags {
    /// Those of a message, if it is long enough to have any.
    #[inline]
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let [_, _, flags @ ..] = *message.first_chunk::<4>()?;
        Some(Self(u16::from_be_bytes(flags)))
    }

    pub(super) fn is_response(self) -> bool {
        self.0 & 0x8000 != 0
    }

    pub(super) fn opcode(self) -> u8 {
        ((self.0 >> 11) & 0xf) as u8
    }

    /// Whether they are those of a query, and not of a response or of another kind of message.
    pub(super) fn ask(self) -> bool {
        !self.is_response() && self.opcode() == OPCODE_QUERY
    }
}

/// A header that was there in full.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) flags: Flags,
    /// The entries of the question, answer, authority and additional section, as the header has it.
    counts: [u16; 4],
}

/// A question that was there in full.
pub(super) struct Question {
    /// The name in wire form, lower case, and behind it what is left of others.
    name: [u8; NAME_SPACE],
    length: usize,
    /// Where each label's length octet is in `name`.
    starts: [u8; MOST_LABELS],
    labels: usize,
    pub(super) kind: u16,
    pub(super) class: u16,
    /// Where it ends in the packet.
    pub(super) end: usize,
}

/// What a client says by EDNS.
#[derive(Clone, Copy)]
pub(super) struct Edns<'a> {
    pub(super) opt: Opt,
    pub(super) version: u8,
    /// Its options that mean something here.
    pub(super) asked: Asked<'a>,
}

/// What of EDNS a reply has to know.
#[derive(Clone, Copy)]
pub(super) struct Opt {
    /// The largest reply the client takes over UDP.
    pub(super) size: u16,
    /// The flags, of which a reply repeats [`DNSSEC_OK`].
    pub(super) flags: u16,
}

impl Opt {
    /// Reads OPT if it is of version 0 and has no options (RFC 6891, section 6.1.2).
    pub(super) fn bare(opt: &[u8; OPT_SIZE]) -> Option<Self> {
        let [0, 0, 41, size @ .., _rcode, 0, flag, flags, 0, 0] = *opt else { return None };
        let (size, flags) = (u16::from_be_bytes(size), u16::from_be_bytes([flag, flags]));
        Some(Self { size, flags })
    }
}

/// The packet is not what its header says, or nothing a query may be.
pub(super) struct Malformed;

impl Header {
    /// Reads the header; `None` if the packet is too short to have one.
    pub(super) fn read(query: &[u8]) -> Option<Self> {
        let words: &[u8; HEADER] = query.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([words[at], words[at + 1]]);
        Some(Self { flags: Flags(word(2)), counts: [word(4), word(6), word(8), word(10)] })
    }

    /// Reads the question into `question`, as it is too large to be moved about.
    pub(super) fn read_question(self, query: &[u8], question: &mut Question) -> Result<(), Malformed> {
        // More than one question has no meaning (RFC 9619, section 4); none has no use.
        if self.counts[0] != 1 {
            return Err(Malformed);
        }
        Rest { packet: query, at: HEADER }.question(question)
    }

    /// Reads what follows the question, up to the last octet.
    pub(super) fn read_behind<'a>(
        self,
        query: &'a [u8],
        question: &Question,
    ) -> Result<Option<Edns<'a>>, Malformed> {
        let mut rest = Rest { packet: query, at: question.end };
        let edns = self.read_records(&mut rest)?;
        if rest.at != query.len() {
            return Err(Malformed);
        }
        Ok(edns)
    }

    /// The EDNS of a query that has no question. Such a one may ask for a cookie (RFC 7873, section 5.4).
    pub(super) fn read_without_question(self, query: &[u8]) -> Option<Edns<'_>> {
        let mut rest = Rest { packet: query, at: HEADER };
        let edns = self.read_records(&mut rest).ok()??;
        (self.counts[0] == 0 && rest.at == query.len()).then_some(edns)
    }

    /// Walks over the records and finds EDNS among the additional ones. A query has no use for others, save IXFR for
    /// an SOA (RFC 1995, section 3) and TSIG, but they are no mistake.
    fn read_records<'a>(self, rest: &mut Rest<'a>) -> Result<Option<Edns<'a>>, Malformed> {
        let mut edns = None;
        let [_, answers, authority, additional] = self.counts;
        for _ in 0..u32::from(answers) + u32::from(authority) {
            if rest.record()?.kind == TYPE_OPT {
                return Err(Malformed);
            }
        }
        for _ in 0..additional {
            let record = rest.record()?;
            // One OPT at most (RFC 6891, section 6.1.1).
            if record.kind == TYPE_OPT && edns.replace(record.edns()?).is_some() {
                return Err(Malformed);
            }
        }
        Ok(edns)
    }
}

/// Nothing yet, to be read into.
impl Default for Question {
    fn default() -> Self {
        Self {
            name: [0; NAME_SPACE],
            length: 0,
            starts: [0; MOST_LABELS],
            labels: 0,
            kind: 0,
            class: 0,
            end: 0,
        }
    }
}

impl Question {
    /// How many labels the name has, without the root's.
    pub(super) fn depth(&self) -> usize {
        self.labels
    }

    /// The name without its first `skipped` labels, at most all of them.
    pub(super) fn name_from(&self, skipped: usize) -> &[u8] {
        &self.name[self.start(skipped)..self.length]
    }

    /// Where that name stands in the packet, for a pointer to it (RFC 1035, section 4.1.4).
    pub(super) fn offset(&self, skipped: usize) -> u16 {
        (HEADER + self.start(skipped)) as u16
    }

    /// The first `count` labels.
    pub(super) fn labels(&self, count: usize) -> Labels<'_> {
        Labels::new(&self.name, &self.starts[..count])
    }

    fn start(&self, label: usize) -> usize {
        if label < self.labels { usize::from(self.starts[label]) } else { self.length - 1 }
    }
}

/// One record, with what OPT needs of it.
struct Record<'a> {
    at_root: bool,
    kind: u16,
    class: u16,
    ttl: [u8; 4],
    data: &'a [u8],
}

impl<'a> Record<'a> {
    /// What it says as OPT (RFC 6891, section 6.1.2 and 6.1.3). What options mean to other versions is not known.
    fn edns(&self) -> Result<Edns<'a>, Malformed> {
        if !self.at_root {
            return Err(Malformed);
        }
        let [_, version, flags @ ..] = self.ttl;
        let mut asked = Asked::default();
        let mut options = Rest { packet: self.data, at: 0 };
        while options.at < self.data.len() {
            let code = options.word()?;
            let length = options.word()?;
            let data = options.take(usize::from(length))?;
            if version == 0 {
                asked.add(code, data).ok_or(Malformed)?;
            }
        }
        Ok(Edns { opt: Opt { size: self.class, flags: u16::from_be_bytes(flags) }, version, asked })
    }
}

/// What of a packet is not read yet.
struct Rest<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.packet.get(self.at..self.at + length).ok_or(Malformed)?;
        self.at += length;
        Ok(taken)
    }

    fn octet(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u16, Malformed> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn question(&mut self, question: &mut Question) -> Result<(), Malformed> {
        self.name(question)?;
        question.kind = self.word()?;
        question.class = self.word()?;
        question.end = self.at;
        Ok(())
    }

    /// Reads the name of a question. A pointer has nothing to point to there, and other label types are obsolete
    /// (RFC 6891, section 5), so that every octet over 63 is wrong.
    fn name(&mut self, question: &mut Question) -> Result<(), Malformed> {
        let packet = &self.packet[self.at..];
        let mut at = 0;
        question.labels = 0;
        loop {
            let length = usize::from(*packet.get(at).ok_or(Malformed)?);
            if length == 0 {
                break;
            }
            if length > LONGEST_LABEL {
                return Err(Malformed);
            }
            *question.starts.get_mut(question.labels).ok_or(Malformed)? = at as u8;
            question.labels += 1;
            at += 1 + length;
        }
        let name = self.take(at + 1)?;
        question.length = name.len();
        question.name[..LONGEST_NAME].get_mut(..name.len()).ok_or(Malformed)?.copy_from_slice(name);
        // The lengths among them are too small to be letters.
        for block in &mut question.name.as_chunks_mut::<BLOCK>().0[..name.len().div_ceil(BLOCK)] {
            block.make_ascii_lowercase();
        }
        Ok(())
    }

    fn record(&mut self) -> Result<Record<'a>, Malformed> {
        let at_root = self.skip_name()?;
        let kind = self.word()?;
        let class = self.word()?;
        let ttl = self.take(4)?.try_into().map_err(|_| Malformed)?;
        let length = self.word()?;
        let data = self.take(usize::from(length))?;
        Ok(Record { at_root, kind, class, ttl, data })
    }

    /// Walks over the name of a record; whether it is the root. A pointer ends it and is not followed.
    fn skip_name(&mut self) -> Result<bool, Malformed> {
        let begin = self.at;
        loop {
            match self.octet()? {
                0 => return Ok(self.at == begin + 1),
                length @ 1..=63 => self.take(usize::from(length))?,
                0xc0.. => {
                    self.octet()?;
                    return Ok(false);
                }
                _ => return Err(Malformed),
            };
            // The root's octet is still to come.
            if self.at - begin >= LONGEST_NAME {
                return Err(Malformed);
            }
        }
    }
}
