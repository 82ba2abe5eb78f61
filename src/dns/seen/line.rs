//! A line of the query log, in the form that rbldnsd gives it and its readers know:
//! `1795334286 192.0.2.53 4.3.2.1.bl.example A IN: NOERROR/1/52`, which is when, who, what, and the reply: how many answers, and
//! how many octets. What strangers send is escaped, so that a line is a line.

use std::fmt::Write;
use std::net::IpAddr;

use crate::clock::Timestamp;

/// A name of full length, type and class (RFC 1035, section 4.1.2).
pub(super) const LONGEST_QUESTION: usize = 255 + 4;

/// The types from 0 on, by the names that rbldnsd has for them.
#[rustfmt::skip]
const TYPES: [&str; 42] = [
    "INVALID", "A", "NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "NULL", "WKS", "PTR", "HINFO", "MINFO", "MX", "TXT",
    "RP", "AFSDB", "X25", "ISDN", "RT", "NSAP", "NSAP_PTR", "SIG", "KEY", "PX", "GPOS", "AAAA", "LOC", "NXT", "EID", "NIMLOC",
    "SRV", "ATMA", "NAPTR", "KX", "CERT", "A6", "DNAME", "SINK", "OPT",
];

/// Those from 250 on.
const META_TYPES: [&str; 7] = ["TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY", "ZXFR"];

const FIRST_META_TYPE: usize = 250;

/// What is left of a query, without memory of its own.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) time: Timestamp,
    pub(super) client: IpAddr,
    /// Name, type and class as they were sent.
    pub(super) question: [u8; LONGEST_QUESTION],
    /// How long that is.
    pub(super) length: usize,
    pub(super) rcode: u16,
    pub(super) answers: u16,
    /// The octets of the reply.
    pub(super) size: usize,
}

impl Line {
    /// Appends the line to `text`.
    pub(super) fn render(&self, text: &mut String) {
        let Some((name, [kind_high, kind_low, class_high, class_low])) =
            self.question[..self.length].split_last_chunk()
        else {
            return;
        };
        let number = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
        let put = write!(text, "{} {} ", self.time.as_secs(), self.client.to_canonical())
            .and_then(|()| write_name(name, text))
            .and_then(|()| write_type(number(kind_high, kind_low), text))
            .and_then(|()| write_class(number(class_high, class_low), text))
            .and_then(|()| write_rcode(self.rcode, text))
            .and_then(|()| writeln!(text, "/{}/{}", self.answers, self.size));
        put.expect("writing to memory does not fail");
    }
}

/// The labels with dots between them, as in a zone file (RFC 1035, section 5.1).
fn write_name(mut name: &[u8], text: &mut String) -> std::fmt::Result {
    let start = text.len();
    while let Some((length @ 1.., rest)) = name.split_first() {
        let (label, rest) = rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]));
        if text.len() > start {
            text.push('.');
        }
        label.iter().try_for_each(|octet| write_octet(*octet, text))?;
        name = rest;
    }
    text.push_str(if text.len() == start { ". " } else { " " });
    Ok(())
}

fn write_octet(octet: u8, text: &mut String) -> std::fmt::Result {
    match octet {
        b'"' | b'$' | b'.' | b';' | b'@' | b'\\' => write!(text, "\\{}", char::from(octet)),
        b'!'..=b'~' => text.write_char(char::from(octet)),
        _ => write!(text, "\\{octet:03}"),
    }
}

fn write_type(kind: u16, text: &mut String) -> std::fmt::Result {
    let number = usize::from(kind);
    let meta = || META_TYPES.get(number.checked_sub(FIRST_META_TYPE)?);
    match TYPES.get(number).or_else(meta) {
        Some(name) => write!(text, "{name} "),
        None => write!(text, "type{kind} "),
    }
}

fn write_class(class: u16, text: &mut String) -> std::fmt::Result {
    match class {
        0 => text.write_str("INVALID: "),
        1 => text.write_str("IN: "),
        3 => text.write_str("CH: "),
        4 => text.write_str("HS: "),
        255 => text.write_str("ANY: "),
        _ => write!(text, "class{class}: "),
    }
}

fn write_rcode(rcode: u16, text: &mut String) -> std::fmt::Result {
    let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMPL", "REFUSED"];
    match names.get(usize::from(rcode)) {
        Some(name) => text.write_str(name),
        None => write!(text, "rcode{rcode}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: &str, name: &[&[u8]], kind: u16, class: u16, rcode: u16, expected: &str) {
        let mut asked = Vec::new();
        for label in name {
            asked.push(label.len() as u8);
            asked.extend(*label);
        }
        asked.push(0);
        asked.extend(kind.to_be_bytes());
        asked.extend(class.to_be_bytes());
        let mut question = [0; LONGEST_QUESTION];
        question[..asked.len()].copy_from_slice(&asked);
        let (time, client) = (Timestamp::from_secs(1_000_000), client.parse().unwrap());
        let mut text = String::new();
        Line { time, client, question, length: asked.len(), rcode, answers: 1, size: 52 }.render(&mut text);
        assert_eq!(text, format!("1000000 {expected}/1/52\n"));
    }

    #[test]
    fn a_line_has_the_form_that_its_readers_know() {
        let name: [&[u8]; 6] = [b"4", b"3", b"2", b"1", b"BL", b"example"];
        check("192.0.2.53", &name, 1, 1, 0, "192.0.2.53 4.3.2.1.BL.example A IN: NOERROR");
        check("::ffff:192.0.2.53", &[], 2, 3, 5, "192.0.2.53 . NS CH: REFUSED");
        check("2001:db8::1", &[b"x"], 65, 2, 4, "2001:db8::1 x type65 class2: NOTIMPL");
        check("2001:db8::1", &[b"x"], 255, 255, 16, "2001:db8::1 x ANY ANY: rcode16");
    }

    #[test]
    fn a_line_is_a_line_whatever_the_name() {
        check(
            "192.0.2.53",
            &[b"a\nb c", b"\\.\"$;@", b"\x1b\x7f\xff"],
            16,
            1,
            3,
            "192.0.2.53 a\\010b\\032c.\\\\\\.\\\"\\$\\;\\@.\\027\\127\\255 TXT IN: NXDOMAIN",
        );
        let longest = [b'x'; 63];
        let name: [&[u8]; 4] = [&longest, &longest, &longest, &longest[..61]];
        let shown = name.map(|label| std::str::from_utf8(label).unwrap()).join(".");
        check("192.0.2.53", &name, 1, 1, 0, &format!("192.0.2.53 {shown} A IN: NOERROR"));
    }
}
