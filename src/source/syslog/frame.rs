//! Messages on a TCP connection (RFC 6587). In come bytes in pieces of any size, out come messages; of one that is too long
//! the rest is skipped.
//!
//! A sender may put the length in front of each message, or a newline behind it. Which it is shows at the beginning of
//! each: `LENGTH SP <` or anything else.

use super::message::MESSAGE_BYTES;

/// More digits than these are no length.
const MOST_DIGITS: usize = 9;

/// Takes the messages out of a stream.
#[derive(Debug, Default)]
pub struct Frames {
    /// The beginning of a message.
    pending: Vec<u8>,
    /// Of the message in front so many bytes are known to contain no newline.
    scanned: usize,
    /// What follows is the rest of a message that was too long.
    skipping: Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Skip {
    #[default]
    Nothing,
    /// So many bytes.
    Bytes(usize),
    /// Up to a newline.
    Line,
}

/// How the message in front ends.
enum Frame {
    /// With the newline at this place.
    Line(usize),
    /// It begins there, and has so many bytes.
    Counted(usize, usize),
    /// That can't be told yet.
    Open,
}

impl Frames {
    /// Takes a piece, and hands on each message that is complete.
    pub fn feed(&mut self, piece: &[u8], mut each: impl FnMut(&[u8])) {
        let mut piece = self.skip(piece);
        // Held against the bound piece by piece, so that one large piece costs no more than many small ones.
        while !piece.is_empty() {
            let (part, rest) = piece.split_at(piece.len().min(MESSAGE_BYTES));
            self.pending.extend_from_slice(part);
            self.take(&mut each);
            piece = self.skip(rest);
        }
    }

    /// The stream has ended: what is left is a message as well.
    pub fn finish(&mut self, each: impl FnOnce(&[u8])) {
        let rest = std::mem::take(self).pending;
        if !rest.is_empty() {
            each(&rest);
        }
    }

    fn skip<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let (skipped, skipping) = match self.skipping {
            Skip::Nothing => (0, Skip::Nothing),
            Skip::Bytes(left) if left > piece.len() => (piece.len(), Skip::Bytes(left - piece.len())),
            Skip::Bytes(left) => (left, Skip::Nothing),
            Skip::Line => match memchr::memchr(b'\n', piece) {
                Some(newline) => (newline + 1, Skip::Nothing),
                None => (piece.len(), Skip::Line),
            },
        };
        self.skipping = skipping;
        &piece[skipped..]
    }

    /// Takes the complete messages of what is pending, and the beginning of one that is too long.
    fn take(&mut self, each: &mut impl FnMut(&[u8])) {
        let mut used = 0;
        while used < self.pending.len() {
            let pending = &self.pending[used..];
            match frame(pending, self.scanned) {
                Frame::Line(newline) => {
                    each(&pending[..newline.min(MESSAGE_BYTES)]);
                    used += newline + 1;
                }
                Frame::Counted(begin, length) if pending.len() >= begin + length => {
                    each(&pending[begin..begin + length.min(MESSAGE_BYTES)]);
                    used += begin + length;
                }
                Frame::Counted(begin, length)
                    if length > MESSAGE_BYTES && pending.len() >= begin + MESSAGE_BYTES =>
                {
                    each(&pending[begin..begin + MESSAGE_BYTES]);
                    self.skipping = Skip::Bytes(begin + length - pending.len());
                    used = self.pending.len();
                }
                Frame::Open if pending.len() > MESSAGE_BYTES => {
                    each(&pending[..MESSAGE_BYTES]);
                    self.skipping = Skip::Line;
                    used = self.pending.len();
                }
                Frame::Open => {
                    self.scanned = pending.len();
                    break;
                }
                Frame::Counted(..) => break,
            }
            self.scanned = 0;
        }
        self.pending.drain(..used);
    }
}

/// How the message in front ends; up to `scanned` there is no newline.
fn frame(pending: &[u8], scanned: usize) -> Frame {
    let digits = pending.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=MOST_DIGITS).contains(&digits) && pending[0] != b'0' {
        match &pending[digits..] {
            [] | [b' '] => return Frame::Open,
            [b' ', b'<', ..] => {
                let length =
                    pending[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
                return Frame::Counted(digits + 1, length);
            }
            _ => {}
        }
    }
    match memchr::memchr(b'\n', &pending[scanned..]) {
        Some(newline) => Frame::Line(scanned + newline),
        None => Frame::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&[u8]]) {
        for size in [1, 2, 5, bytes.len()] {
            let mut frames = Frames::default();
            let mut found: Vec<Vec<u8>> = Vec::new();
            bytes.chunks(size).for_each(|piece| frames.feed(piece, |message| found.push(message.to_vec())));
            frames.finish(|message| found.push(message.to_vec()));
            assert!(found.iter().eq(expected), "pieces of {size}: {} messages", found.len());
        }
    }

    #[test]
    fn both_framings_are_understood_even_mixed() {
        check(b"<1>one\n<2>two\n", &[b"<1>one", b"<2>two"]);
        check(b"6 <1>one7 <2>two\n6 <3>end", &[b"<1>one", b"<2>two\n", b"<3>end"]);
        check(b"8 <1>o\nne\n<2>two\n", &[b"<1>o\nne\n", b"<2>two"]);
        check(b"<1>no end", &[b"<1>no end"]);
        check(b"20 <1>cut off", &[b"20 <1>cut off"]);
        check(b"\n\n<1>x\r\n", &[b"", b"", b"<1>x\r"]);
    }

    #[test]
    fn what_only_looks_like_a_length_is_text() {
        check(
            b"2026 was\n07 <1>x\n1234567890 <1>x\n5\n",
            &[b"2026 was", b"07 <1>x", b"1234567890 <1>x", b"5"],
        );
    }

    #[test]
    fn long_messages_are_cut_and_cost_no_memory() {
        let long = [b"<1>".as_slice(), &vec![b'x'; 3 * MESSAGE_BYTES]].concat();
        let cut = &long[..MESSAGE_BYTES];
        let counted = [format!("{} ", long.len()).as_bytes(), &long, b"<2>end\n"].concat();
        let line = [&long, b"\n<2>end\n".as_slice()].concat();
        for bytes in [counted, line] {
            for size in [1000, 70_000, bytes.len()] {
                let (mut frames, mut found) = (Frames::default(), Vec::new());
                for piece in bytes.chunks(size) {
                    frames.feed(piece, |message| found.push(message.to_vec()));
                    assert!(frames.pending.len() <= 2 * MESSAGE_BYTES);
                }
                assert!(found.iter().eq([cut, b"<2>end"]), "{} messages", found.len());
            }
        }
    }
}
