//! Texts of TXT records: fixed text with `$` variables.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::ip::Prefix;

/// The longest character-string (RFC 1035, section 3.3). Mail servers hand the first one of a TXT on and no more, so a
/// text is one.
pub const LONGEST_TEXT: usize = 255;

/// `255.255.255.255`, and a dot.
const LONGEST_IPV4: usize = 16;

/// What `$until` says of a ban without an end: "banned until further notice".
const NO_END: &str = "further notice";

/// A TXT template: text in which `$ip`, `$prefix`, `$jail`, `$since`, `$until`, `$code` and `$zone` stand for what is
/// answered, and `$$` for a dollar sign. The empty template stands for no TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Ip,
    Prefix,
    Jail,
    Since,
    Until,
    Code,
    Zone,
}

const VARIABLES: &[(&str, Variable)] = &[
    ("ip", Variable::Ip),
    ("prefix", Variable::Prefix),
    ("jail", Variable::Jail),
    ("since", Variable::Since),
    ("until", Variable::Until),
    ("code", Variable::Code),
    ("zone", Variable::Zone),
];

/// What the variables of a template stand for in one answer.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// `$ip`: the address that was asked for.
    pub ip: IpAddr,
    /// `$prefix`: what is listed, the address or a network around it.
    pub prefix: Prefix,
    /// `$jail`: who listed it.
    pub jail: &'a str,
    /// `$since`: RFC 3339 in UTC.
    pub since: Timestamp,
    /// `$until`: RFC 3339 in UTC, or "further notice".
    pub until: Option<Timestamp>,
    /// `$code`: the A record.
    pub code: Ipv4Addr,
    /// `$zone`: the origin without its last dot.
    pub zone: &'a str,
}

/// What was written is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTemplateError {
    /// A `$` with an unknown word or none behind it.
    #[error(
        "unknown variable `${0}`: use $ip $prefix $jail $since $until $code $zone, and $$ for a dollar sign"
    )]
    UnknownVariable(String),
    /// The text would always be cut.
    #[error("{0} characters of fixed text, more than the 255 of a TXT record: shorten it")]
    TooLong(usize),
}

impl Template {
    /// Whether it stands for no TXT record.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the text to `out`: at most 255 bytes, each a printable ASCII character. Mail servers put it into a
    /// line of SMTP, so control characters become spaces and what is not ASCII becomes `?`.
    pub fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        let mut text = Text { end: out.len() + LONGEST_TEXT, out };
        for part in &self.0 {
            // A full text refuses the rest, which is how it is cut.
            if text.write(part, values).is_err() {
                break;
            }
        }
    }
}

/// The end of a packet as a place to write text to.
struct Text<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl Text<'_> {
    fn write(&mut self, part: &Part, values: &Values<'_>) -> fmt::Result {
        match part {
            Part::Text(text) => self.write_str(text),
            Part::Variable(variable) => self.write_variable(*variable, values),
        }
    }

    fn write_variable(&mut self, variable: Variable, values: &Values<'_>) -> fmt::Result {
        match variable {
            Variable::Ip => self.write_address(values.ip),
            Variable::Prefix => write!(self, "{}", values.prefix),
            Variable::Jail => self.write_str(values.jail),
            Variable::Since => write!(self, "{}", values.since),
            Variable::Until => match values.until {
                Some(until) => write!(self, "{until}"),
                None => self.write_str(NO_END),
            },
            Variable::Code => write!(self, "{}", values.code),
            Variable::Zone => self.write_str(values.zone),
        }
    }

    /// IPv4 is in most texts, and what writes everything would take longer for it than for all the rest.
    fn write_address(&mut self, address: IpAddr) -> fmt::Result {
        let IpAddr::V4(address) = address else { return write!(self, "{address}") };
        let mut shown = SmallVec::<[u8; LONGEST_IPV4]>::new();
        for octet in address.octets() {
            if octet >= 100 {
                shown.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                shown.push(b'0' + octet / 10 % 10);
            }
            shown.extend([b'0' + octet % 10, b'.']);
        }
        shown.pop();
        self.write_printable(&shown)
    }

    /// Adds as much as fits, and says whether that is all.
    fn write_printable(&mut self, text: &[u8]) -> fmt::Result {
        let fits = text.len().min(self.end - self.out.len());
        self.out.extend_from_slice(&text[..fits]);
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|c| matches!(c, b' '..=b'~')) {
            return self.write_printable(text.as_bytes());
        }
        for c in text.chars() {
            if self.out.len() == self.end {
                return Err(fmt::Error);
            }
            self.out.push(match c {
                ' '..='~' => c as u8,
                c if c.is_control() => b' ',
                _ => b'?',
            });
        }
        Ok(())
    }
}

impl FromStr for Template {
    type Err = ParseTemplateError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = written;
        while !rest.is_empty() {
            let (part, after) = match rest.strip_prefix('$') {
                None => split_text(rest),
                Some(after) => split_variable(after)?,
            };
            parts.push(part);
            rest = after;
        }
        check_length(&parts)?;
        Ok(Self(parts))
    }
}

fn split_text(rest: &str) -> (Part, &str) {
    let (text, after) = rest.split_at(rest.find('$').unwrap_or(rest.len()));
    (Part::Text(text.to_owned()), after)
}

/// Splits off what stands behind a dollar sign.
fn split_variable(rest: &str) -> Result<(Part, &str), ParseTemplateError> {
    if let Some(after) = rest.strip_prefix('$') {
        return Ok((Part::Text("$".to_owned()), after));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
    let known = VARIABLES.iter().find(|(name, _)| *name == word);
    let (_, variable) = known.ok_or_else(|| ParseTemplateError::UnknownVariable(word.to_owned()))?;
    Ok((Part::Variable(*variable), after))
}

fn check_length(parts: &[Part]) -> Result<(), ParseTemplateError> {
    let fixed = parts.iter().map(|part| match part {
        Part::Text(text) => text.chars().count(),
        Part::Variable(_) => 0,
    });
    match fixed.sum() {
        length if length > LONGEST_TEXT => Err(ParseTemplateError::TooLong(length)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(written: &str, jail: &str, until: Option<Timestamp>) -> String {
        let values = Values {
            ip: "192.0.2.7".parse().unwrap(),
            prefix: "192.0.2.0/24".parse().unwrap(),
            jail,
            since: Timestamp::from_secs(1_795_334_652),
            until,
            code: Ipv4Addr::new(127, 0, 0, 4),
            zone: "bl.example",
        };
        let mut out = b"before".to_vec();
        written.parse::<Template>().unwrap().render(&values, &mut out);
        String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
    }

    #[test]
    fn every_octet_is_written_as_everybody_writes_it() {
        let written: Template = "$ip".parse().unwrap();
        for octet in 0..=255 {
            let ip = IpAddr::from([octet, 255 - octet, 100, octet]);
            let (prefix, code) = (Prefix::host(ip), Ipv4Addr::LOCALHOST);
            let (since, until) = (Timestamp::default(), None);
            let mut out = Vec::new();
            written.render(&Values { ip, prefix, jail: "", since, until, code, zone: "" }, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), ip.to_string());
        }
    }

    #[test]
    fn variables_are_filled_in() {
        for (written, expected) in [
            ("", ""),
            ("listed", "listed"),
            ("$ip in $prefix", "192.0.2.7 in 192.0.2.0/24"),
            ("https://$zone/ip/$ip?code=$code", "https://bl.example/ip/192.0.2.7?code=127.0.0.4"),
            ("$jail: $since to $until.", "imap: 2026-11-22T08:04:12Z to further notice."),
            ("$$ip costs $$", "$ip costs $"),
        ] {
            assert_eq!(render(written, "imap", None), expected, "{written}");
        }
        let until = Some(Timestamp::from_secs(1_795_334_653));
        assert_eq!(render("until $until", "imap", until), "until 2026-11-22T08:04:13Z");
    }

    #[test]
    fn a_text_is_one_printable_line() {
        assert_eq!(render("a\r\nb\u{7f}\u{85}$jail\t", "ä€\n", None), "a  b  ??  ");
    }

    #[test]
    fn a_text_is_cut_at_255_bytes() {
        let long = "€".repeat(300);
        assert_eq!(render("$jail", &long, None), "?".repeat(255));
        assert_eq!(render(&"x".repeat(255), "", None).len(), 255);
        assert_eq!(render(&format!("{}$ip", "x".repeat(250)), "", None), format!("{}192.0", "x".repeat(250)));
    }

    #[test]
    fn mistakes_are_named() {
        for (written, expected) in [
            ("$user", ParseTemplateError::UnknownVariable("user".to_owned())),
            ("$ips", ParseTemplateError::UnknownVariable("ips".to_owned())),
            ("100$", ParseTemplateError::UnknownVariable(String::new())),
            (&"x".repeat(256), ParseTemplateError::TooLong(256)),
        ] {
            assert_eq!(written.parse::<Template>(), Err(expected), "{written}");
        }
    }
}
