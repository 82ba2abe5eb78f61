//! The types of data sets by their names.

use super::builder::Builder;
use super::{acl, aclkey, combined, dnset, generic, ip4set, ip4trie, ip4tset, ip6trie, ip6tset};

/// What a type lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    Addresses,
    Domains,
    /// Records as they are written, or several data sets: what is listed in them is for their files to say.
    Records,
}

/// Begins a data set.
type New = fn() -> Box<dyn Builder>;

/// The types of data sets by their names, with what they list.
const TYPES: &[(&str, Lists, New)] = &[
    ("ip4set", Lists::Addresses, || Box::new(ip4set::Ip4Set::default())),
    ("ip4trie", Lists::Addresses, || Box::new(ip4trie::Ip4Trie::default())),
    ("ip4tset", Lists::Addresses, || Box::new(ip4tset::Ip4TSet::default())),
    ("ip6trie", Lists::Addresses, || Box::new(ip6trie::Ip6Trie::default())),
    ("ip6tset", Lists::Addresses, || Box::new(ip6tset::Ip6TSet::default())),
    ("dnset", Lists::Domains, || Box::new(dnset::Building::default())),
    ("dnhash", Lists::Domains, || Box::new(dnset::Building::on_condition())),
    ("generic", Lists::Records, || Box::new(generic::Building::default())),
    ("combined", Lists::Records, || Box::new(combined::Building::default())),
];

/// A builder for a type; `None`: there is no such type.
pub(super) fn builder(kind: &str) -> Option<Box<dyn Builder>> {
    TYPES.iter().find(|(name, ..)| *name == kind).map(|(.., new)| new())
}

/// What a type lists.
pub(super) fn lists(kind: &str) -> Option<Lists> {
    TYPES.iter().find(|(name, ..)| *name == kind).map(|(_, lists, _)| *lists)
}

/// The names of all types, those that list nothing last.
pub fn type_names() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, ..)| *name).chain([acl::ACL, aclkey::ACLKEY])
}

/// Whether there is a type of this name.
pub fn is_type(kind: &str) -> bool {
    type_names().any(|name| name == kind)
}
