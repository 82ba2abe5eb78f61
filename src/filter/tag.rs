//! Tags: `<HOST>`, `<F-USER>` and the like in a pattern become regular expressions.
//!
//! In comes a pattern as written; out goes the source of a regular expression, which remembers for each of its
//! bytes where in the written pattern it came from, so that an error points at what the author wrote.

use std::ops::Range;

use super::address;
use super::source::Source;

/// What stands in the text of a line before the program's own message, with `DAEMON` for the program's name.
///
/// It holds on to the start of the text, and a host name cannot end in a colon: so whatever a client gets logged
/// further on in a line never passes for the prefix of another program. The first form is that of RFC 5424
/// (priority, version, host, program, process, message id, structured data), the second that of everything else:
/// priority or facility, host, facility, `program[pid]:`.
const PREFIX: &str = concat!(
    r"(?-xU:\A(?:\[\])?[ \t]*(?:",
    r"<[0-9]{1,3}>[0-9]{1,2}[ \t]+(?:-[ \t]+)?HOST[ \t]+(?:DAEMON)[ \t]+[!-~]+[ \t]+[!-~]+[ \t]+SD",
    r"|(?:<[0-9a-z.]+>[ \t]*)?(?:HOST[ \t]+)?(?:[a-z]+[0-7]?\.[a-z]+[ \t]+)?(?:DAEMON)(?:\[[0-9]+\])?:",
    r")[ \t]*)",
);

/// A host name or address of the machine that wrote the line.
const HOST: &str = r"[0-9A-Za-z_.:/@-]*[0-9A-Za-z_.-]";

/// Structured data of RFC 5424, section 6.3, and the byte order mark that may follow it (section 6.4).
const STRUCTURED_DATA: &str = r#"(?:-|(?:\[(?:[^\]\\]|\\.)*\])+)(?:[ \t]+\x{FEFF}?|\z)"#;

/// A program's name where the filter names none.
const ANY_DAEMON: &str = r"[^ \t:\[\]]+";

/// The group names that tags make: the first is bare, the others are numbered, as no two may be the same.
pub(super) const ADDRESS: &str = "address";
pub(super) const USER: &str = "user";

/// The regular expression of the tag `<PREFIX>`, for programs whose name matches `daemon`.
pub(super) fn prefix(daemon: Option<&str>) -> String {
    PREFIX
        .replace("SD", STRUCTURED_DATA)
        .replace("HOST", HOST)
        .replace("DAEMON", daemon.unwrap_or(ANY_DAEMON))
}

/// A pattern whose tags are replaced.
#[derive(Default)]
pub(super) struct Expanded {
    /// The regular expression.
    pub(super) source: Source,
    /// How many address tags there are.
    pub(super) addresses: usize,
    users: usize,
    /// Where the `<F-USER>` stand that are not closed yet.
    open: Vec<Range<usize>>,
}

/// What is wrong with a tag.
#[derive(Debug)]
pub(super) struct TagError {
    pub(super) span: Range<usize>,
    pub(super) reason: String,
    pub(super) remedy: String,
}

/// Replaces the tags of `pattern`; `prefix` is what `<PREFIX>` stands for.
pub(super) fn expand(pattern: &str, prefix: &str) -> Result<Expanded, TagError> {
    let mut expanded = Expanded::default();
    let mut copied = 0;
    for span in tags(pattern) {
        expanded.source.copy(pattern, copied..span.start);
        copied = span.end;
        expanded.replace(pattern, span, prefix)?;
    }
    expanded.source.copy(pattern, copied..pattern.len());
    match expanded.open.pop() {
        None => Ok(expanded),
        Some(span) => Err(TagError {
            span,
            reason: "<F-USER> is not closed".to_owned(),
            remedy: "write </F-USER> behind the user, or <F-USER/> for a word".to_owned(),
        }),
    }
}

impl Expanded {
    fn replace(&mut self, pattern: &str, span: Range<usize>, prefix: &str) -> Result<(), TagError> {
        let regex = match &pattern[span.clone()] {
            "<HOST>" | "<ADDR>" => self.address(address::any),
            "<IP4>" => self.address(address::v4),
            "<IP6>" => self.address(address::v6),
            "<PREFIX>" => prefix.to_owned(),
            "<F-USER/>" => format!("{}\\S*)", self.user()),
            "<F-USER>" => {
                self.open.push(span.clone());
                self.user()
            }
            "</F-USER>" if self.open.pop().is_some() => ")".to_owned(),
            tag => return Err(unknown(tag, span)),
        };
        self.source.push(&regex, span);
        Ok(())
    }

    fn address(&mut self, form: fn(&str) -> String) -> String {
        self.addresses += 1;
        self.keep_wildcard_off_address();
        form(&numbered(ADDRESS, self.addresses))
    }

    /// `.*` before an address would take all it can of it, and `2001:db8:1::5` is still an address when cut down to
    /// `1::5`: so it first tries to end in a character that no address has.
    fn keep_wildcard_off_address(&mut self) {
        let Some(before) = [".*", ".+"].iter().find_map(|any| self.source.regex.strip_suffix(any)) else {
            return;
        };
        let escapes = before.bytes().rev().take_while(|&byte| byte == b'\\').count();
        if escapes % 2 == 0 {
            let any = self.source.regex.split_off(before.len());
            let optional = if any == ".*" { "?" } else { "" };
            let delimited = format!("(?:(?:.*[^0-9A-Fa-f:.]){optional}|{any})");
            self.source.regex.push_str(&delimited);
        }
    }

    fn user(&mut self) -> String {
        self.users += 1;
        format!("(?P<{}>", numbered(USER, self.users))
    }
}

fn numbered(name: &str, number: usize) -> String {
    match number {
        1 => name.to_owned(),
        _ => format!("{name}{number}"),
    }
}

/// Whether a tag made a group of this name.
pub(super) fn is_numbered(group: &str, name: &str) -> bool {
    group.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn unknown(tag: &str, span: Range<usize>) -> TagError {
    let upper = tag.to_ascii_uppercase();
    let remedy = if upper != tag && is_known(&upper) {
        format!("write {upper}")
    } else if tag == "</F-USER>" {
        "write <F-USER> before the user".to_owned()
    } else {
        format!(
            "the tags are <HOST>, <ADDR>, <IP4>, <IP6>, <F-USER>...</F-USER>, <F-USER/> and <PREFIX>; \
             for the text itself write [<]{}",
            &tag[1..]
        )
    };
    let reason = match tag {
        "</F-USER>" => format!("{tag} closes nothing"),
        _ => format!("there is no tag {tag}"),
    };
    TagError { span, reason, remedy }
}

fn is_known(tag: &str) -> bool {
    let known = ["<HOST>", "<ADDR>", "<IP4>", "<IP6>", "<PREFIX>"];
    known.contains(&tag) || is_user(tag)
}

fn is_user(tag: &str) -> bool {
    ["<F-USER>", "</F-USER>", "<F-USER/>"].contains(&tag)
}

/// Where the tags of `pattern` stand: known names in any case, and whatever else is written like a tag.
fn tags(pattern: &str) -> Vec<Range<usize>> {
    let bytes = pattern.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'<' if !names_a_group(&pattern.as_bytes()[..at]) => {
                let length = tag_length(&bytes[at..]);
                if length > 0 && looks_like_a_tag(&bytes[at..at + length]) {
                    found.push(at..at + length);
                }
                at += length.max(1);
            }
            _ => at += 1,
        }
    }
    found
}

fn names_a_group(before: &[u8]) -> bool {
    before.ends_with(b"(?P") || before.ends_with(b"(?")
}

/// The length of what is written `<NAME>`, `</NAME>` or `<NAME/>` at the start of `bytes`, else 0.
fn tag_length(bytes: &[u8]) -> usize {
    let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-/".contains(byte);
    let name = bytes[1..].iter().take_while(inside).count();
    match bytes.get(name + 1) {
        Some(b'>') if name > 0 => name + 2,
        _ => 0,
    }
}

fn looks_like_a_tag(tag: &[u8]) -> bool {
    let upper = tag.to_ascii_uppercase();
    let starts_with_letter =
        tag.iter().find(|byte| !b"</".contains(byte)).is_some_and(u8::is_ascii_alphabetic);
    std::str::from_utf8(&upper).is_ok_and(is_known) || (starts_with_letter && upper == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(pattern: &str) -> (String, String) {
        let error = expand(pattern, "").err().unwrap();
        (pattern[error.span].to_owned(), error.remedy)
    }

    #[test]
    fn text_that_only_resembles_a_tag_is_left_alone() {
        for pattern in
            [r"from=<>", r"(?P<NAME>x)", r"(?<NAME>x)", r"\<HOST>", "<a b>", "<[^>]*>", "<é>", "<", r"\"]
        {
            let expanded = expand(pattern, "");
            assert_eq!(expanded.unwrap().source.regex, pattern);
        }
    }

    #[test]
    fn groups_are_numbered() {
        let expanded = expand("<F-USER/> <F-USER>x</F-USER>|<HOST> <IP6>", "").unwrap();
        assert!(expanded.source.regex.starts_with(r"(?P<user>\S*) (?P<user2>x)|"));
        assert!(expanded.source.regex.contains("<address>") && expanded.source.regex.contains("<address2>"));
        assert_eq!(expanded.addresses, 2);
    }

    #[test]
    fn wrong_tags_are_named() {
        assert_eq!(failure("a <host> b"), ("<host>".into(), "write <HOST>".into()));
        assert_eq!(failure("<SKIPLINES>").0, "<SKIPLINES>");
        assert!(failure("<UNKNOWN>").1.contains("[<]UNKNOWN>"));
        assert!(failure("x</F-USER>").1.contains("<F-USER> before"));
        assert!(failure("<F-USER>x").1.contains("</F-USER> behind"));
    }

    #[test]
    fn bytes_lead_back_to_what_was_written() {
        let pattern = "ab<PREFIX>cd";
        let expanded = expand(pattern, "12345678901234567890").unwrap();
        let at = expanded.source.regex.find("cd").unwrap();
        assert_eq!(&pattern[expanded.source.written(at..at + 1)], "c");
        assert_eq!(&pattern[expanded.source.written(5..7)], "<PREFIX>");
        assert_eq!(expanded.source.written(0..2).start, 0);
    }
}
