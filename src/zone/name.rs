//! Domain names as the configuration writes them and as the wire carries them.

use std::fmt;
use std::str::FromStr;

/// The longest label (RFC 1035, section 2.3.4).
pub(super) const LONGEST_LABEL: usize = 63;

/// The longest name, length octets and the root's among them (RFC 1035, section 2.3.4).
pub(super) const LONGEST_NAME: usize = 255;

/// A domain name in wire form, lower case, never the root.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

/// What was written is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` is no domain name: {problem}")]
pub struct ParseNameError {
    written: String,
    problem: &'static str,
}

impl Name {
    /// Length octets and labels, the root's zero octet at the end.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from left to right, without the root's.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &[u8]> + Clone {
        // A name has at most 127 labels; their starts are found once so that they can be read from both ends.
        let mut starts = Vec::new();
        let mut at = 0;
        while self.0[at] != 0 {
            starts.push(at);
            at += 1 + usize::from(self.0[at]);
        }
        (starts.into_iter()).map(|start| &self.0[start + 1..][..usize::from(self.0[start])])
    }

    /// The name without its first label, unless that leaves the root.
    pub fn parent(&self) -> Option<Self> {
        let rest = &self.0[1 + usize::from(self.0[0])..];
        (rest.len() > 1).then(|| Self(rest.into()))
    }

    /// The labels before `origin`, if this name stands below it.
    pub fn labels_below<'a>(&'a self, origin: &Self) -> Option<Vec<&'a [u8]>> {
        let labels: Vec<&[u8]> = self.labels().collect();
        let above = labels.len().checked_sub(origin.labels().count())?;
        (above > 0 && labels[above..].iter().copied().eq(origin.labels())).then(|| labels[..above].to_vec())
    }
}

/// Reads `bl.example` or `bl.example.`, in any case.
impl FromStr for Name {
    type Err = ParseNameError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        read(written).map(Self).map_err(|problem| ParseNameError { written: written.to_owned(), problem })
    }
}

fn read(written: &str) -> Result<Box<[u8]>, &'static str> {
    let mut wire = Vec::with_capacity(written.len() + 2);
    for label in written.strip_suffix('.').unwrap_or(written).split('.') {
        if label.is_empty() {
            return Err("write labels with single dots between them, such as bl.example.");
        }
        if label.len() > LONGEST_LABEL {
            return Err("a label has at most 63 characters");
        }
        if !label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_') {
            return Err("use letters, digits, hyphens and underscores; write international names as xn--...");
        }
        wire.push(label.len() as u8);
        wire.extend(label.bytes().map(|c| c.to_ascii_lowercase()));
    }
    wire.push(0);
    if wire.len() > LONGEST_NAME {
        return Err("a name has at most 253 characters");
    }
    Ok(wire.into())
}

/// With a dot at the end: `bl.example.`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.labels() {
            write!(f, "{}.", String::from_utf8_lossy(label))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: Option<&str>) {
        let name = written.parse::<Name>().ok();
        assert_eq!(name.map(|name| name.to_string()).as_deref(), expected, "{written}");
    }

    #[test]
    fn names_have_one_form() {
        check("bl.example.", Some("bl.example."));
        check("BL.Example", Some("bl.example."));
        check("_x.xn--bl-a.example", Some("_x.xn--bl-a.example."));
        for wrong in
            ["", ".", "..", "bl..example", ".bl.example", "bl.example..", "b l.example", "bä.example"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn names_are_bounded() {
        let label = "a".repeat(63);
        check(&label, Some(&format!("{label}.")));
        check(&format!("{label}a"), None);
        let longest = format!("{label}.{label}.{label}.{}.", &label[..61]);
        check(&longest, Some(&longest));
        check(&format!("{label}.{label}.{label}.{}", &label[..62]), None);
    }

    #[test]
    fn labels_below_an_origin() {
        let name: Name = "a.b.bl.example".parse().unwrap();
        let below = |origin: &str| name.labels_below(&origin.parse().unwrap()).map(|labels| labels.len());
        assert_eq!(below("bl.example"), Some(2));
        assert_eq!(below("example"), Some(3));
        assert_eq!(below("a.b.bl.example"), None);
        assert_eq!(below("l.example"), None);
        assert_eq!(name.parent().unwrap().to_string(), "b.bl.example.");
        assert_eq!("example".parse::<Name>().unwrap().parent(), None);
    }
}
