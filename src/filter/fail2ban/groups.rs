//! The named groups of a match, and what they mean.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::filter::python::{Captures, Pattern};
use crate::filter::{UseDns, Who, address};
use crate::ip::Prefix;

/// One of these tells who failed; the first that is there does.
pub(super) const IDENTIFIERS: &[&str] = &["fid", "ip4", "ip6", "dns"];

/// In a prefregex: what the failregexes see. It is no value.
pub(super) const CONTENT: &str = "content";

/// The group of a tag, by the tag's name in lower case.
pub(super) fn group_of(tag: &str) -> &str {
    match tag {
        "id" => "fid",
        "port" => "fport",
        other => other,
    }
}

/// The groups of a pattern: their numbers, and those that stand in for others.
#[derive(Debug)]
pub(super) struct Names {
    numbers: Vec<(usize, Box<str>)>,
    /// `alt_user_1` gives its value to `user` where that has none.
    alternatives: Vec<(Box<str>, Box<str>)>,
    /// `tuple_id_1` adds its value to that of `fid`.
    tuples: Vec<(Box<str>, Box<str>)>,
}

impl Names {
    /// Those of `pattern`.
    pub(super) fn of(pattern: &Pattern) -> Self {
        let numbers = pattern.names().filter(|(_, name)| *name != CONTENT);
        let numbers = numbers.map(|(number, name)| (number, name.into())).collect();
        let standing_in = |prefix: &str| {
            let mut found: Vec<(Box<str>, Box<str>)> = pattern
                .names()
                .filter_map(|(_, name)| Some((name.into(), group_of(target(name, prefix)?).into())))
                .collect();
            found.sort();
            found
        };
        Self { numbers, alternatives: standing_in("alt_"), tuples: standing_in("tuple_") }
    }

    /// Whether one of the groups is called so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.numbers.iter().any(|(_, known)| **known == *name)
    }

    /// What the groups matched in `text`.
    pub(super) fn read<'a>(&'a self, captures: &Captures<'_>, text: &'a str) -> Groups<'a> {
        let matched = |(number, name): &'a (usize, Box<str>)| {
            Some((Cow::Borrowed(&**name), Cow::Borrowed(&text[captures.span(*number)?])))
        };
        let mut groups = Groups(self.numbers.iter().filter_map(matched).collect());
        for (from, to) in &self.alternatives {
            if let Some(value) = groups.filled(from).map(str::to_owned)
                && groups.filled(to).is_none()
            {
                groups.set(&**to, value);
            }
        }
        for (from, to) in &self.tuples {
            let parts = [groups.get(to), groups.get(from)];
            let joined = parts.map(Option::unwrap_or_default).join(", ");
            groups.set(&**to, joined);
        }
        groups
    }
}

/// The group that `name` stands in for: `user` for `alt_user`, `alt_user_1` and `alt_user1`.
fn target<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    let target = name.strip_prefix(prefix)?;
    let unnumbered = target.trim_end_matches(|c: char| c.is_ascii_digit());
    Some(unnumbered.strip_suffix('_').filter(|_| unnumbered.len() < target.len()).unwrap_or(unnumbered))
}

/// The values of groups that took part in a match, by the names of the groups. They are few.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Groups<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Groups<'a> {
    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| *known == name)
    }

    /// They by themselves, to outlast the text.
    pub(super) fn into_owned(self) -> Groups<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Groups(self.0.into_iter().map(|(name, value)| (owned(name), owned(value))).collect())
    }

    /// The value of a group.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.place(name).map(|place| &*self.0[place].1)
    }

    /// The value of a group that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Gives a group a value.
    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.place(&name) {
            Some(place) => self.0[place].1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes a group out, with its value.
    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        self.place(name).map(|place| self.0.swap_remove(place).1)
    }

    /// Puts the values of `other` in the place of those here.
    pub(super) fn update(&mut self, other: Self) {
        if self.0.is_empty() {
            return *self = other;
        }
        other.0.into_iter().for_each(|(name, value)| self.set(name, value));
    }

    /// Who failed; none if that is not known yet.
    pub(super) fn who(&self, use_dns: UseDns) -> Option<Who> {
        let fid = self.get("fid");
        let Some(address) = self.get("ip4").or_else(|| self.get("ip6")) else {
            return match self.get("dns") {
                Some(name) => Some(named(name, use_dns)),
                None => fid.map(identified),
            };
        };
        let found = prefix(address, self.get("cidr"));
        let by_address = found.map_or_else(|| Who::Id(address.to_owned()), Who::Prefix);
        match fid.filter(|fid| *fid != address).map(identified) {
            // An identification of the filter's own counts if it is one that can be listed.
            Some(Who::Prefix(prefix)) => Some(Who::Prefix(prefix)),
            _ => Some(by_address),
        }
    }
}

fn prefix(address: &str, length: Option<&str>) -> Option<Prefix> {
    let address = address::plain(address)?;
    match length {
        Some(length) => Prefix::new(address, length.parse().ok()?),
        None => Some(Prefix::host(address)),
    }
}

fn named(name: &str, use_dns: UseDns) -> Who {
    match (name.parse(), use_dns) {
        (Ok(address), _) => Who::Prefix(Prefix::host(address)),
        (Err(_), UseDns::Yes | UseDns::Warn) => Who::Name(name.to_owned()),
        (Err(_), UseDns::No | UseDns::Raw) => Who::Id(name.to_owned()),
    }
}

/// An identification may be an address or a network, in brackets or not.
fn identified(id: &str) -> Who {
    let bare = id.strip_prefix('[').and_then(|id| id.strip_suffix(']')).unwrap_or(id);
    let (address, length) = match bare.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (bare, None),
    };
    prefix(address, length).map_or_else(|| Who::Id(id.to_owned()), Who::Prefix)
}
