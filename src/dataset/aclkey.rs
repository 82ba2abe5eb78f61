//! `aclkey`: what who asks gets, by the key in the question: the label right before the origin of the zone, which is no part of
//! what is asked for. The Rspamd fork of rbldnsd has it. A line is a key and what it gets; `:refuse` or the like alone is what
//! keys get behind which nothing stands, and at the end of the files those that no line has, and questions without a key.

use std::collections::HashMap;
use std::net::IpAddr;

use super::action::Action;
use super::answer::{Records, Subject};
use super::builder::{Problem, Reading};
use super::loading::{Error, Findings, Loaded, Source, read_lines};
use super::syntax::{Line, ends_key};
use super::value::Value;
use super::{Header, Options};

/// Keys and what they get.
#[derive(Debug)]
pub struct Keys {
    actions: HashMap<Box<[u8]>, Action>,
    default: Action,
    values: Box<[Value]>,
}

impl Keys {
    /// What who shows this key gets, in small letters; `None` is no key at all.
    pub fn action(&self, key: Option<&[u8]>) -> Action {
        key.and_then(|key| self.actions.get(key)).copied().unwrap_or(self.default)
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &[u8]) -> bool {
        self.actions.contains_key(key)
    }

    /// Adds the records that stand for every name where the action is [`Action::List`] with this number.
    pub fn records<'a>(&'a self, value: u32, client: IpAddr, records: &mut Records<'a>) {
        self.values[value as usize].add(None, Subject::Address(client), records);
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}

/// Reads the files of a list of keys.
pub fn load_keys(files: &[Source<'_>], options: &Options) -> Result<Loaded<Keys>, Error> {
    let mut building =
        Building { reading: Reading::new(options), default: Action::Ignore, actions: HashMap::new() };
    let mut findings = Findings::default();
    for file in files {
        read_lines(file, &mut findings, |line| building.line(line))?;
    }
    let Building { reading, default, actions } = building;
    let keys = Keys { actions, default, values: reading.finish(None).values };
    Ok(Loaded { set: keys, header: Header::default(), findings })
}

/// A list of keys on its way from files.
struct Building {
    reading: Reading,
    default: Action,
    actions: HashMap<Box<[u8]>, Action>,
}

impl Building {
    fn line(&mut self, line: Line<'_>) -> Result<(), Problem> {
        match line {
            // What else may stand here says something of a zone, and this is none.
            Line::Special { name, rest } => drop(self.reading.special(name, rest)?),
            Line::Entry(default @ [b':' | b'=', ..]) => {
                self.default = Action::read(default, self.default, &mut self.reading)?;
            }
            Line::Entry(entry) => self.entry(entry)?,
        }
        Ok(())
    }

    /// The first line of a key counts.
    fn entry(&mut self, entry: &[u8]) -> Result<(), Problem> {
        let end = (0..entry.len()).find(|at| ends_key(&entry[*at..])).unwrap_or(entry.len());
        let (key, rest) = entry.split_at(end);
        if key.is_empty() || key.len() > LONGEST_KEY || key.contains(&b'.') {
            return Err("it begins with no key: write one label of a name".into());
        }
        let action = Action::read(rest, self.default, &mut self.reading)?;
        self.actions.entry(key.to_ascii_lowercase().into()).or_insert(action);
        Ok(())
    }
}

/// A key is a label (RFC 1035, section 2.3.4).
const LONGEST_KEY: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_what_its_line_says() {
        let text = b"$NS 1d ns.example\n:refuse\nsecret :pass\nOther\nquiet :ignore\nlisted :4:no, $\nsecret :empty\na.b :pass\n";
        let source = Source { name: "keys", bytes: text };
        let Loaded { set: keys, findings, .. } = load_keys(&[source], &Options::default()).unwrap();
        for (key, expected) in [
            (Some("secret"), Action::Pass),
            (Some("other"), Action::Refuse),
            (Some("quiet"), Action::Ignore),
            (Some("listed"), Action::List(0)),
            (Some("unknown"), Action::Refuse),
            (None, Action::Refuse),
        ] {
            assert_eq!(keys.action(key.map(str::as_bytes)), expected, "{key:?}");
        }
        assert_eq!((keys.len(), findings.wrong(), findings.warnings[0].line), (4, 1, 8));
        assert!(keys.has(b"quiet") && !keys.has(b"unknown"));
        let mut records = Records::new();
        keys.records(0, "192.0.2.1".parse().unwrap(), &mut records);
        assert_eq!(records.len(), 2);
        let empty = load_keys(&[], &Options::default()).unwrap().set;
        assert_eq!((empty.action(None), empty.is_empty()), (Action::Ignore, true));
    }
}
