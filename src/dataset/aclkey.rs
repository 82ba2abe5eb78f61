//! `aclkey`: what who asks gets, by the key in the question: the label right before the origin of the zone, which is no part of
//! what is asked for. The Rspamd fork of rbldnsd has it. A line is a key and what it gets; `:refuse` or the like alone is what
//! keys get behind which nothing stands, and at the end those that no line has, and questions without a key.

use std::fmt;

use foldhash::{HashMap, HashMapExt};

use super::Options;
use super::action::{Action, Actions, Building, load_actions};
use super::builder::Problem;
use super::loading::{Error, Loaded, Source};
use super::ranges::Id;
use super::syntax::ends_key;

/// The name of this type, which is no type of data sets.
pub const ACLKEY: &str = "aclkey";

/// A key is a label (RFC 1035, section 2.3.4).
const LONGEST_KEY: usize = 63;

/// Keys and what they get.
pub struct KeyAcl {
    /// In small letters, to the number of an action.
    keys: HashMap<Box<[u8]>, Id>,
    default: Action,
    actions: Actions,
}

/// Nobody finds keys in a log.
impl fmt::Debug for KeyAcl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyAcl").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl KeyAcl {
    /// The list in whose place this stands cannot be read: as nobody knows the keys, there are none.
    pub fn refusing_all() -> Self {
        let (keys, actions) = (HashMap::new(), Actions::new(Vec::new(), Vec::new()));
        Self { keys, default: Action::Refuse, actions }
    }

    /// What this label, in small letters, gets; `None`: it is no key.
    pub fn action(&self, label: &[u8]) -> Option<Action> {
        self.keys.get(label).map(|id| self.actions.get(*id))
    }

    /// What is got without a key.
    pub fn default_action(&self) -> Action {
        self.default
    }

    /// What stands behind [`Action::List`].
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Reads the files of a list of keys. The last line of a key counts.
pub fn load_aclkey(files: &[Source<'_>], options: &Options) -> Result<Loaded<KeyAcl>, Error> {
    let mut keys = HashMap::new();
    let loaded = load_actions(files, options, |entry, building| {
        let (key, action) = read(entry, building)?;
        keys.insert(key, action);
        Ok(())
    })?;
    Ok(loaded.map(|(actions, default)| KeyAcl { keys, default, actions }))
}

/// A key and the number of its action.
fn read(entry: &[u8], building: &mut Building) -> Result<(Box<[u8]>, Id), Problem> {
    let is_end = |at: &usize| entry[*at] == b'=' || ends_key(&entry[*at..]);
    let end = (0..entry.len()).find(is_end).unwrap_or(entry.len());
    let (key, rest) = entry.split_at(end);
    if key.is_empty() || key.len() > LONGEST_KEY || key.contains(&b'.') {
        return Err("it begins with no key: write one label of a name".into());
    }
    Ok((key.to_ascii_lowercase().into(), building.action(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Records, Tally};

    fn load(text: &str) -> Loaded<KeyAcl> {
        let source = Source { name: "keys", bytes: text.as_bytes() };
        load_aclkey(&[source], &Options::default()).unwrap()
    }

    #[test]
    fn a_key_has_what_its_line_says() {
        let Loaded { set: keys, findings, .. } = load(
            "$NS 1d ns.example\n$TTL 77\n:refuse\nsecret :empty\nOther\nquiet =ignore\nlisted:4:no, $\nglued=accept\n\
             secret :pass # again\na.b :pass\n",
        );
        for (key, expected) in [
            ("secret", Some(Action::Pass)),
            ("other", Some(Action::Refuse)),
            ("quiet", Some(Action::Ignore)),
            ("listed", Some(Action::List(0))),
            ("glued", Some(Action::Pass)),
            ("unknown", None),
        ] {
            assert_eq!(keys.action(key.as_bytes()), expected, "{key}");
        }
        assert_eq!((keys.default_action(), keys.len()), (Action::Refuse, 5));
        assert_eq!(findings.files, [Tally { entries: 6, wrong: 1 }]);
        assert_eq!(findings.warnings[0].line, 10);
        let mut records = Records::new();
        keys.actions().records(0, "192.0.2.1".parse().unwrap(), &mut records);
        assert_eq!(records.iter().map(|record| record.ttl).collect::<Vec<_>>(), [Some(77); 2]);
        assert!(!format!("{keys:?}").contains("secret"));
    }

    #[test]
    fn the_last_line_without_a_key_is_for_those_without_one() {
        for (text, expected) in [
            ("", Action::Ignore),
            ("secret :pass\n", Action::Ignore),
            (":pass\nsecret :refuse\n", Action::Pass),
            (":refuse\nsecret\n:pass\n", Action::Pass),
            (":127.0.0.9:get a key\n", Action::List(0)),
        ] {
            assert_eq!(load(text).set.default_action(), expected, "{text}");
        }
        assert_eq!(KeyAcl::refusing_all().default_action(), Action::Refuse);
        assert_eq!(load(":refuse\nsecret\n:pass\n").set.action(b"secret"), Some(Action::Refuse));
    }
}
