//! fail2ban's tags: `<HOST>`, `<F-USER>...</F-USER>` and the like in a pattern become named groups.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::super::source::Source;
use crate::filter::UseDns;

/// The shape of an IPv4 address; whether its octets are in range shows when it is read.
const V4: &str = r"(?:\d{1,3}\.){3}\d{1,3}";

/// The shape of an IPv6 address. What stands before the last colon is a colon too.
const V6: &str = "(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|:)";

/// A tag, or a flag that opens a group.
static SPECIAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"</?[A-Za-z0-9_\-]+/?>|\((?:\?:)?\(\?(?P<flags>[a-z]+)\)")
        .expect("the pattern is well-formed")
});

/// Replaces the tags of `pattern`. What is no tag of fail2ban's stays as it is.
///
/// `((?i)...)` becomes `(?i:...)`: where Python would have the flag hold everywhere, fail2ban has it hold in the group.
pub(super) fn expand(pattern: &str, use_dns: UseDns) -> Source {
    let mut source = Source::default();
    let mut tags = Tags { use_dns, ..Tags::default() };
    let mut copied = 0;
    for found in SPECIAL.captures_iter(pattern) {
        let span = found.get_match().range();
        let replaced = match found.name("flags") {
            Some(_) if pattern[..span.start].ends_with('\\') => None,
            Some(flags) => Some(format!("(?{}:", flags.as_str())),
            None => tags.replace(&pattern[span.start + 1..span.end - 1]),
        };
        if let Some(replaced) = replaced {
            source.copy(pattern, copied..span.start);
            copied = span.end;
            source.push(&replaced, span);
        }
    }
    source.copy(pattern, copied..pattern.len());
    source
}

#[derive(Default)]
struct Tags {
    use_dns: UseDns,
    /// The tags that were opened.
    opened: HashSet<String>,
    skipped: usize,
}

impl Tags {
    /// What stands for a tag of this name, if it is one.
    fn replace(&mut self, name: &str) -> Option<String> {
        let v4 = format!("(?:::f{{4,6}}:)?(?P<ip4>{V4})");
        let v6 = format!("(?P<ip6>{V6})");
        let address = format!(r"\[?(?:{v4}|{v6})\]?");
        const DNS: &str = r"(?P<dns>[\w\-.^_]*\w)";
        const CIDR: &str = r"(?P<cidr>\d+)";
        Some(match name {
            "HOST" if self.use_dns == UseDns::No => address,
            "HOST" => format!("(?:{address}|{DNS})"),
            "ADDR" | "F-ADDR/" => address,
            "IP4" | "F-IP4/" => v4,
            "IP6" | "F-IP6/" => v6,
            "DNS" | "F-DNS/" => DNS.to_owned(),
            "CIDR" | "F-CIDR/" => CIDR.to_owned(),
            "SUBNET" | "F-SUBNET/" => format!(r"\[?(?:{v4}|{v6})(?:/{CIDR})?\]?"),
            "F-ID/" => r"(?P<fid>\S+)".to_owned(),
            "F-PORT/" => r"(?P<fport>\w+)".to_owned(),
            "SKIPLINES" => self.skiplines(),
            _ => return self.named(name),
        })
    }

    fn skiplines(&mut self) -> String {
        let number = self.skipped;
        self.skipped += 1;
        format!(r"\n(?P<skiplines{number}>(?:(?:.*\n)*?))")
    }

    /// `F-NAME` opens a group of its name, `/F-NAME` closes it.
    fn named(&mut self, name: &str) -> Option<String> {
        let tag = name.trim_start_matches('/').strip_prefix("F-")?;
        let letters = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if tag.is_empty() || !tag.chars().all(letters) {
            return None;
        }
        if name.starts_with('/') {
            return self.opened.contains(tag).then(|| ")".to_owned());
        }
        self.opened.insert(tag.to_owned());
        Some(format!("(?P<{}>", super::groups::group_of(&tag.to_ascii_lowercase())))
    }
}
