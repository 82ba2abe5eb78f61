//! One message of a stranger (RFC 3164, RFC 5424, and what programs make of them) becomes one line in the form of a syslog
//! file: `2026-11-22T08:04:12.123456+01:00 host ident[pid]: message`.
//!
//! Whatever is in the message stays in its line: control characters are written as rsyslog writes them, `#012` for a
//! newline. All other bytes stay as they are.

use crate::clock::Timestamp;

/// What is kept of a message, which no UDP datagram exceeds.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// A name in DNS is no longer.
const HOST_BYTES: usize = 255;

/// How long a word in front of a message can be to be the name of a program.
const IDENT_BYTES: usize = 128;

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `Nov 22 08:04:12`
const SHORT_TIME: usize = 15;

/// Appends the line for `message`, with its newline. `arrived` stands in the place of a time without a year or a zone,
/// and `sender` in that of a missing host.
pub fn write_line(message: &[u8], arrived: Timestamp, sender: &str, out: &mut Vec<u8>) {
    let message = without_end(message);
    let message = &message[..message.len().min(MESSAGE_BYTES)];
    let text = priority(message).unwrap_or(message);
    match text.strip_prefix(b"1 ").and_then(Parts::new) {
        Some(parts) => parts.write(arrived, sender, out),
        None => write_plain(text, arrived, sender, out),
    }
    out.push(b'\n');
}

/// Newlines and zeros at the end belong to the framing.
fn without_end(mut message: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | b'\0'] = message {
        message = rest;
    }
    message
}

/// What follows `<PRI>`.
fn priority(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    rest[digits..].strip_prefix(b">")
}

/// The parts of a message of RFC 5424, section 6.
struct Parts<'a> {
    time: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    program: Option<&'a [u8]>,
    process: Option<&'a [u8]>,
    text: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Reads what follows the version. `None`: it is not of that form.
    fn new(text: &'a [u8]) -> Option<Self> {
        let (time, rest) = word(text)?;
        let (host, rest) = word(rest)?;
        let (program, rest) = word(rest)?;
        let (process, rest) = word(rest)?;
        let (_, rest) = word(rest)?;
        let text = structured_data(rest)?;
        let text = text.strip_prefix(b" ").unwrap_or(text);
        let given = |part: &'a [u8]| (part != b"-").then_some(part);
        Some(Self {
            time: full_time(time).then_some(time),
            host: given(host).filter(|host| is_host(host)),
            program: given(program),
            process: given(process),
            text: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
        })
    }

    fn write(&self, arrived: Timestamp, sender: &str, out: &mut Vec<u8>) {
        write_head(self.time, arrived, self.host, sender, out);
        if let Some(program) = self.program {
            escape(program, out);
            if let Some(process) = self.process {
                out.push(b'[');
                escape(process, out);
                out.push(b']');
            }
            out.extend_from_slice(b": ");
        }
        escape(self.text, out);
    }
}

/// The first word, and what follows the space behind it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', text)?;
    (space > 0).then(|| (&text[..space], &text[space + 1..]))
}

/// What follows the structured data (RFC 5424 section 6.3): `-`, or elements in brackets whose values are quoted.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return (rest.is_empty() || rest[0] == b' ').then_some(rest);
    }
    let (mut inside, mut quoted, mut at) = (false, false, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' if inside => quoted = !quoted,
            b'[' if !inside => inside = true,
            b']' if inside && !quoted => inside = false,
            _ if !inside => break,
            _ => {}
        }
        at += 1;
    }
    let rest = text.get(at..)?;
    (!inside && at > 0 && (rest.is_empty() || rest[0] == b' ')).then_some(rest)
}

/// A message of RFC 3164, or of none: a time and a host may stand in front, and whatever follows stays as it is.
fn write_plain(text: &[u8], arrived: Timestamp, sender: &str, out: &mut Vec<u8>) {
    let (time, rest) = plain_time(text);
    // Programs on the same host leave theirs out; without a time there is no place for it.
    let host = match word(rest) {
        Some((host, rest)) if time.is_some() && is_host(host) => Some((host, rest)),
        _ => None,
    };
    let (host, rest) = host.map_or((None, rest), |(host, rest)| (Some(host), rest));
    write_head(time.flatten(), arrived, host, sender, out);
    escape(rest, out);
}

/// The time in front, if there is one, and what follows it. The inner `None` is a time that is not complete.
fn plain_time(text: &[u8]) -> (Option<Option<&[u8]>>, &[u8]) {
    match text.split_at_checked(SHORT_TIME) {
        Some((time, [b' ', rest @ ..])) if is_short_time(time) => return (Some(None), rest),
        _ => {}
    }
    match word(text) {
        Some((time, rest)) if full_time(time) => (Some(Some(time)), rest),
        _ => (None, text),
    }
}

/// Whether this is a time as in `Nov 22 08:04:12` (RFC 3164 section 4.1.2).
fn is_short_time(text: &[u8]) -> bool {
    let shape = text.iter().zip(b"Mon 00 00:00:00").skip(3).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit() || *byte == b' ',
        shape => byte == shape,
    });
    text.len() == SHORT_TIME && shape && MONTHS.contains(&&text[..3])
}

/// Whether this is a time of RFC 3339: with a date, and a zone.
fn full_time(text: &[u8]) -> bool {
    let is_full = |text: &str| text.contains('T') && text.parse::<jiff::Timestamp>().is_ok();
    text.len() <= 40 && str::from_utf8(text).is_ok_and(is_full)
}

/// Whether this can be the name or address of a host, and is not that of a program: `ident:` or `ident[pid]:`.
fn is_host(word: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:/%".contains(byte);
    (1..=HOST_BYTES).contains(&word.len()) && word.iter().all(allowed) && !is_ident(word)
}

fn is_ident(word: &[u8]) -> bool {
    word.ends_with(b":") && !word.ends_with(b"::") && word.len() <= IDENT_BYTES
}

fn write_head(time: Option<&[u8]>, arrived: Timestamp, host: Option<&[u8]>, sender: &str, out: &mut Vec<u8>) {
    match time {
        Some(time) => out.extend_from_slice(time),
        None => out.extend_from_slice(arrival(arrived).as_bytes()),
    }
    out.push(b' ');
    out.extend_from_slice(host.unwrap_or(sender.as_bytes()));
    out.push(b' ');
}

/// RFC 3339 in UTC with milliseconds.
fn arrival(arrived: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(arrived.as_millis()).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            0..0x20 | 0x7f => {
                let digit = |shift: u32| b'0' + ((byte >> shift) & 7);
                out.extend_from_slice(&[b'#', digit(6), digit(3), digit(0)]);
            }
            _ => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &[u8], expected: &str) {
        let mut out = Vec::new();
        write_line(message, Timestamp::from_millis(1_795_334_652_123), "192.0.2.9", &mut out);
        let found = String::from_utf8_lossy(&out).replace("2026-11-22T08:04:12.123+00:00", "NOW");
        assert_eq!(found, format!("{expected}\n"), "{}", String::from_utf8_lossy(message));
    }

    #[test]
    fn rfc_3164() {
        check(b"<34>Nov 22 08:04:12 mail sshd[71]: Failed  password", "NOW mail sshd[71]: Failed  password");
        check(b"<34>Nov  2 08:04:12 2001:db8::1 su: x", "NOW 2001:db8::1 su: x");
        check(b"<34>Nov 22 08:04:12 sshd[71]: no host", "NOW 192.0.2.9 sshd[71]: no host");
        check(b"<34>Nov 22 08:04:12 su: no host", "NOW 192.0.2.9 su: no host");
        check(b"<34>su[5]: no time", "NOW 192.0.2.9 su[5]: no time");
        check(b"<34>only a text", "NOW 192.0.2.9 only a text");
        check(b"no priority", "NOW 192.0.2.9 no priority");
        check(b"<1234>no priority", "NOW 192.0.2.9 <1234>no priority");
        check(b"<>x", "NOW 192.0.2.9 <>x");
        check(b"", "NOW 192.0.2.9 ");
        check(b"<34>Nov 22 08:04:12", "NOW 192.0.2.9 Nov 22 08:04:12");
        check(b"<34>Nox 22 08:04:12 mail su: x", "NOW 192.0.2.9 Nox 22 08:04:12 mail su: x");
    }

    #[test]
    fn a_full_time_is_kept() {
        let time = "2026-11-22T09:04:12.123456+01:00";
        check(format!("<34>{time} mail su: x").as_bytes(), &format!("{time} mail su: x"));
        check(format!("<34>1 {time} mail su - - - x").as_bytes(), &format!("{time} mail su: x"));
        check(b"<34>1 2026-11-22T08:04:12Z mail su - - - x", "2026-11-22T08:04:12Z mail su: x");
        for odd in ["-", "2026-13-22T08:04:12Z", "2026-11-22T08:04:12", "yesterday"] {
            check(format!("<34>1 {odd} mail su - - - x").as_bytes(), "NOW mail su: x");
        }
    }

    #[test]
    fn rfc_5424() {
        check(b"<165>1 - mail smtpd 71 ID47 - \xef\xbb\xbfFailed", "NOW mail smtpd[71]: Failed");
        check(b"<165>1 - - - - - - Failed", "NOW 192.0.2.9 Failed");
        check(b"<165>1 - - - 71 - -", "NOW 192.0.2.9 ");
        check(b"<165>1 - mail smtpd - - [a@1 b=\"c] \\\" d\" e=\"\"][f] Failed", "NOW mail smtpd: Failed");
        check(b"<165>1 - mail smtpd - - [a b=\"c\"]", "NOW mail smtpd: ");
        check(b"<165>1 - ma\xffil smtpd - - - x", "NOW 192.0.2.9 smtpd: x");
        // What is not of its form stays as it is.
        check(b"<165>1 - mail smtpd - - [a b=\"c\" x", "NOW 192.0.2.9 1 - mail smtpd - - [a b=\"c\" x");
        check(b"<165>1 - mail", "NOW 192.0.2.9 1 - mail");
    }

    #[test]
    fn a_message_is_one_line() {
        check(b"<1>su: a\nb\0c\td\x1b\x7f\r\n\0", "NOW 192.0.2.9 su: a#012b#000c#011d#033#177");
        check(b"<1>1 - m\nx su\n 7\n - - a\n", "NOW 192.0.2.9 su#012[7#012]: a");
        check(b"<1>Nov 22 08:04:12 m\nx su: y", "NOW 192.0.2.9 m#012x su: y");
        let mut out = Vec::new();
        write_line(b"\xff\xfe", Timestamp::default(), "h", &mut out);
        assert!(out.ends_with(b" h \xff\xfe\n"));
    }
}
