//! systemd's export format (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>). In come bytes in pieces of any size, out come
//! entries of which no more is kept than a line needs, however large they are.
//!
//! A field stands in a line of its own, or, if there are control characters in it, with its length in front: so a
//! newline in a message never begins a field or an entry.

use crate::clock::Timestamp;
use crate::source::LINE_BYTES;

/// A name may have 64 bytes; what is longer is none.
const NAME_BYTES: usize = 256;

/// The largest field journald takes is 768 MiB.
const LARGEST_FIELD: u64 = 1 << 30;

/// A cursor has some 150 bytes.
const CURSOR_BYTES: usize = 1024;

/// Later than the year 9999 in microseconds: no such time was ever measured.
const LATEST: u64 = 253_402_300_800_000_000;

/// The fields that are asked for, besides those that stand in every entry.
pub(super) const FIELDS: &str = "MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,SYSLOG_PID,_PID,\
    _SOURCE_REALTIME_TIMESTAMP,_SOURCE_MONOTONIC_TIMESTAMP";

/// This is not the export format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal is not in the export format ({0})")]
pub struct Malformed(&'static str);

/// What is known of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the journal.
    pub cursor: String,
    /// When journald received it, in microseconds.
    pub received: u64,
    received_monotonic: Option<Vec<u8>>,
    sent: Option<Vec<u8>>,
    sent_monotonic: Option<Vec<u8>>,
    host: Option<Vec<u8>>,
    identifier: Option<Vec<u8>>,
    command: Option<Vec<u8>>,
    syslog_pid: Option<Vec<u8>>,
    pid: Option<Vec<u8>>,
    message: Option<Vec<u8>>,
    cut: bool,
}

/// Reads entries.
#[derive(Debug, Default)]
pub struct Export {
    state: State,
    /// What is kept of the line being read.
    line: Vec<u8>,
    /// There was more of it than is kept.
    cut: bool,
    entry: Entry,
    /// The entry has a field.
    begun: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In a line.
    #[default]
    Line,
    /// Behind the name of a field: of its size so many bytes were read, with this value.
    Size(u32, u64),
    /// Of the data of a field so many bytes are to come. The line is its name, up to the given length, and then the data.
    Data(usize, u64),
    /// At the newline behind the data.
    End(usize),
}

impl Export {
    /// Reads up to the end of the next entry, and takes what was read from `input`. `None`: the input is used up.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Entry>, Malformed> {
        while !input.is_empty() {
            match self.state {
                State::Line => {
                    if self.line(input) && self.end_of_line()? {
                        return self.finish().map(Some);
                    }
                }
                State::Size(read, size) => self.size(input, read, size)?,
                State::Data(name, left) => self.data(input, name, left),
                State::End(name) => self.end(input, name)?,
            }
        }
        Ok(None)
    }

    /// Reads on in a line. Whether its end was found.
    fn line(&mut self, input: &mut &[u8]) -> bool {
        let newline = memchr::memchr(b'\n', input);
        let part = &input[..newline.unwrap_or(input.len())];
        self.keep(part, NAME_BYTES + LINE_BYTES);
        *input = &input[(part.len() + usize::from(newline.is_some())).min(input.len())..];
        newline.is_some()
    }

    fn keep(&mut self, part: &[u8], most: usize) {
        let room = most.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(&part[..room]);
        self.cut |= room < part.len();
    }

    /// Whether the line ends an entry.
    fn end_of_line(&mut self) -> Result<bool, Malformed> {
        if self.line.is_empty() {
            return Ok(self.begun);
        }
        match memchr::memchr(b'=', &self.line) {
            Some(name) => self.field(name, name + 1)?,
            None if self.line.len() <= NAME_BYTES => self.state = State::Size(0, 0),
            None => return Err(Malformed("a field has no name")),
        }
        Ok(false)
    }

    /// Reads on in the size of a field, 64 bits with the least byte first.
    fn size(&mut self, input: &mut &[u8], read: u32, size: u64) -> Result<(), Malformed> {
        let Some((byte, rest)) = input.split_first() else {
            return Ok(());
        };
        *input = rest;
        let size = size | u64::from(*byte) << (8 * read);
        self.state = match read + 1 {
            8 if size > LARGEST_FIELD => return Err(Malformed("a field is too large")),
            8 => State::Data(self.line.len(), size),
            read => State::Size(read, size),
        };
        Ok(())
    }

    fn data(&mut self, input: &mut &[u8], name: usize, left: u64) {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (part, rest) = input.split_at(part);
        *input = rest;
        self.keep(part, name + LINE_BYTES);
        let left = left - part.len() as u64;
        self.state = if left == 0 { State::End(name) } else { State::Data(name, left) };
    }

    fn end(&mut self, input: &mut &[u8], name: usize) -> Result<(), Malformed> {
        *input = input.strip_prefix(b"\n").ok_or(Malformed("a field does not end where its size says"))?;
        self.state = State::Line;
        self.field(name, name)
    }

    /// Takes the field in the line: up to `name` its name, from `value` its value.
    fn field(&mut self, name: usize, value: usize) -> Result<(), Malformed> {
        self.begun = true;
        let (name, value) = (&self.line[..name], &self.line[value..]);
        let cut = self.cut;
        match name {
            b"__CURSOR" => self.entry.cursor = cursor(value)?,
            b"__REALTIME_TIMESTAMP" => self.entry.received = micros(value).unwrap_or(0),
            b"MESSAGE" => self.entry.add_message(value, cut),
            // Of several values a sender gave, the first one counts.
            _ => {
                if let Some(slot) = self.entry.slot(name) {
                    slot.get_or_insert_with(|| value.to_vec());
                }
            }
        }
        self.line.clear();
        self.cut = false;
        Ok(())
    }

    fn finish(&mut self) -> Result<Entry, Malformed> {
        self.begun = false;
        let entry = std::mem::take(&mut self.entry);
        if entry.cursor.is_empty() {
            return Err(Malformed("an entry has no cursor"));
        }
        Ok(entry)
    }
}

/// A cursor becomes an argument: it is short, and text.
fn cursor(value: &[u8]) -> Result<String, Malformed> {
    let text = str::from_utf8(value).ok().filter(|text| text.len() <= CURSOR_BYTES && !text.contains('\0'));
    text.map(str::to_owned).ok_or(Malformed("a cursor is no text"))
}

fn micros(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.parse().ok().filter(|micros| *micros < LATEST)
}

impl Entry {
    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        Some(match name {
            b"__MONOTONIC_TIMESTAMP" => &mut self.received_monotonic,
            b"_SOURCE_REALTIME_TIMESTAMP" => &mut self.sent,
            b"_SOURCE_MONOTONIC_TIMESTAMP" => &mut self.sent_monotonic,
            b"_HOSTNAME" => &mut self.host,
            b"SYSLOG_IDENTIFIER" => &mut self.identifier,
            b"_COMM" => &mut self.command,
            b"SYSLOG_PID" => &mut self.syslog_pid,
            b"_PID" => &mut self.pid,
            _ => return None,
        })
    }

    /// Several messages are one, with spaces between them.
    fn add_message(&mut self, value: &[u8], cut: bool) {
        let message = match &mut self.message {
            None => self.message.insert(Vec::new()),
            Some(message) => {
                message.push(b' ');
                message
            }
        };
        let room = LINE_BYTES.saturating_sub(message.len()).min(value.len());
        message.extend_from_slice(&value[..room]);
        self.cut |= cut || room < value.len();
    }

    /// When it was written: as the sender's kernel noted it, else when journald received it.
    pub fn time(&self) -> Timestamp {
        let sent = self.sent.as_deref().and_then(micros);
        Timestamp::from_millis((sent.unwrap_or(self.received) / 1000).cast_signed())
    }

    /// Writes the line that fail2ban makes of an entry: `HOST IDENTIFIER[PID]: MESSAGE`, with `\n` in two characters for
    /// every newline. False: a part of the message is missing, as it was too long.
    pub fn write_line(&self, out: &mut Vec<u8>) -> bool {
        if let Some(host) = given(&self.host) {
            escape(host, out);
            out.push(b' ');
        }
        if let Some(identifier) = given(&self.identifier).or_else(|| given(&self.command)) {
            escape(identifier, out);
            let pid = number(&self.syslog_pid).or_else(|| number(&self.pid));
            if let Some(pid) = pid {
                out.push(b'[');
                escape(pid, out);
                out.push(b']');
            }
            out.extend_from_slice(b": ");
            if identifier == b"kernel" && pid.is_none() {
                self.write_uptime(out);
            }
        }
        escape(self.message.as_deref().unwrap_or_default(), out);
        !self.cut
    }

    /// The kernel's lines bear the seconds since it was started.
    fn write_uptime(&self, out: &mut Vec<u8>) {
        let uptime = self.sent_monotonic.as_deref().and_then(micros);
        let uptime = uptime.or_else(|| self.received_monotonic.as_deref().and_then(micros)).unwrap_or(0);
        let (seconds, micros) = (uptime / 1_000_000, uptime % 1_000_000);
        out.extend_from_slice(format!("[{seconds:5}.{micros:06}] ").as_bytes());
    }
}

/// An empty field is none.
fn given(field: &Option<Vec<u8>>) -> Option<&[u8]> {
    field.as_deref().filter(|value| !value.is_empty())
}

/// A process number as it is printed, without zeros in front; 0 is none. What is no number stays as it is.
fn number(field: &Option<Vec<u8>>) -> Option<&[u8]> {
    let value = given(field)?;
    if !value.iter().all(u8::is_ascii_digit) {
        return Some(value);
    }
    let first = value.iter().position(|digit| *digit != b'0')?;
    Some(&value[first..])
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for (number, part) in text.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\\n");
        }
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Entry>, Malformed> {
        let mut export = Export::default();
        let mut entries = Vec::new();
        for mut piece in bytes.chunks(piece) {
            while let Some(entry) = export.next(&mut piece)? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// An entry of `fields`, those with a newline in binary form.
    fn entry(fields: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795334652123456\n".to_vec();
        for (name, value) in fields {
            out.extend_from_slice(name.as_bytes());
            if value.contains(&b'\n') {
                out.push(b'\n');
                out.extend_from_slice(&(value.len() as u64).to_le_bytes());
            } else {
                out.push(b'=');
            }
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        out.push(b'\n');
        out
    }

    #[track_caller]
    fn check(fields: &[(&str, &[u8])], expected: &[u8]) {
        let bytes = entry(fields).repeat(2);
        for piece in [1, 7, bytes.len()] {
            let entries = read(&bytes, piece).unwrap();
            assert_eq!(entries.len(), 2, "{fields:?} in pieces of {piece}");
            for entry in entries {
                let mut line = Vec::new();
                assert!(entry.write_line(&mut line));
                assert_eq!(line, expected, "{}", String::from_utf8_lossy(&line));
                assert_eq!(entry.cursor, "s=1;i=2");
            }
        }
    }

    #[test]
    fn a_line_has_the_form_of_syslog() {
        let (host, ident) = (("_HOSTNAME", b"mail".as_slice()), ("SYSLOG_IDENTIFIER", b"sshd".as_slice()));
        let message = ("MESSAGE", b"Failed =password=".as_slice());
        check(&[host, ident, ("_PID", b"71"), message], b"mail sshd[71]: Failed =password=");
        check(
            &[message, ("SYSLOG_PID", b"0072"), ("_PID", b"71"), ident, host],
            b"mail sshd[72]: Failed =password=",
        );
        check(
            &[host, ident, ("SYSLOG_PID", b"0"), ("_PID", b"71"), message],
            b"mail sshd[71]: Failed =password=",
        );
        check(&[host, ident, ("SYSLOG_PID", b"7x"), message], b"mail sshd[7x]: Failed =password=");
        check(&[host, ("_COMM", b"smtpd"), message], b"mail smtpd: Failed =password=");
        check(
            &[host, ("SYSLOG_IDENTIFIER", b""), ("_COMM", b"smtpd"), message],
            b"mail smtpd: Failed =password=",
        );
        check(&[host, ("_PID", b"71"), message], b"mail Failed =password=");
        check(&[message], b"Failed =password=");
        check(&[host, ident], b"mail sshd: ");
        check(&[host, ident, message, ("MESSAGE", b"two")], b"mail sshd: Failed =password= two");
        check(&[host, ident, ("MESSAGE", b"\xff\0end\r")], b"mail sshd: \xff\0end\r");
    }

    #[test]
    fn a_newline_forges_nothing() {
        let forged = b"x\nMESSAGE=y\n\n__CURSOR=z\n".as_slice();
        check(&[("MESSAGE", forged)], b"x\\nMESSAGE=y\\n\\n__CURSOR=z\\n");
        check(&[("SYSLOG_IDENTIFIER", b"a\nb"), ("OTHER", forged)], b"a\\nb: ");
    }

    #[test]
    fn the_kernels_lines_bear_its_time() {
        let kernel = ("SYSLOG_IDENTIFIER", b"kernel".as_slice());
        let (received, sent) = (
            ("__MONOTONIC_TIMESTAMP", b"12500000".as_slice()),
            ("_SOURCE_MONOTONIC_TIMESTAMP", b"1234567890123".as_slice()),
        );
        check(&[kernel, received, ("MESSAGE", b"x")], b"kernel: [   12.500000] x");
        check(&[kernel, received, sent, ("MESSAGE", b"x")], b"kernel: [1234567.890123] x");
        check(&[kernel, ("_PID", b"5"), received, ("MESSAGE", b"x")], b"kernel[5]: x");
    }

    #[test]
    fn the_senders_time_comes_first() {
        let time = |fields: &[(&str, &[u8])]| read(&entry(fields), 100).unwrap()[0].time().as_millis();
        assert_eq!(time(&[]), 1_795_334_652_123);
        assert_eq!(time(&[("_SOURCE_REALTIME_TIMESTAMP", b"1795334650999999")]), 1_795_334_650_999);
        for odd in [b"x".as_slice(), b"", b"-1", b"999999999999999999999", b"18446744073709551615"] {
            assert_eq!(time(&[("_SOURCE_REALTIME_TIMESTAMP", odd)]), 1_795_334_652_123, "{odd:?}");
        }
    }

    #[test]
    fn large_fields_cost_no_memory() {
        for newline in [b"".as_slice(), b"\n"] {
            let large = [newline, &vec![b'x'; 3 * LINE_BYTES]].concat();
            let entries =
                read(&entry(&[("MESSAGE", &large), ("OTHER", &large), ("_HOSTNAME", b"h")]), 1000).unwrap();
            let mut line = Vec::new();
            assert!(!entries[0].write_line(&mut line));
            assert!(line.starts_with(b"h ") && line.len() <= LINE_BYTES + NAME_BYTES + 10, "{}", line.len());
        }
    }

    #[test]
    fn what_is_no_export_is_an_error() {
        let check = |bytes: &[u8], expected: &str| {
            let error = read(bytes, 3).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(b"MESSAGE=x\n\n", "no cursor");
        check(b"MESSAGE\n\x01\0\0\0\0\0\0\0xy\n", "does not end");
        check(b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff", "too large");
        check(&[&[b'x'; NAME_BYTES + 1], b"\n".as_slice()].concat(), "no name");
        check(b"__CURSOR=\xff\n\n", "no text");
        assert_eq!(read(b"\n\n\n__CURSOR=x\n", 2), Ok(Vec::new()));
    }
}
