//! Data sets: static lists in the text formats of rbldnsd.
//!
//! In come the bytes of files and the name of a type ([`load`]); out go a [`DataSet`] that can be asked, what the files say of
//! their zone ([`Header`]), and a [`Warning`] for each line that is wrong. A wrong line is left out, the others count. Pure:
//! who reads the files, and when, is for others to say.

mod acl;
mod aclkey;
mod action;
mod addresses;
mod answer;
mod builder;
mod combined;
mod condition;
mod dnset;
mod generic;
mod header;
mod ip4;
mod ip4set;
mod ip4trie;
mod ip4tset;
mod ip6trie;
mod ip6tset;
mod labels;
mod loading;
mod names;
mod ranges;
mod settings;
mod sorted;
mod syntax;
mod test_points;
mod types;
mod value;

use std::fmt::Debug;
use std::net::IpAddr;

pub use acl::{ACL, Acl, ClientText, Clients, ParseClientTextError, Treatment, load_acl};
pub use aclkey::{ACLKEY, KeyAcl, load_aclkey};
pub use action::{Action, Actions};
pub use answer::{Asked, Data, Record, Records};
pub use header::{Header, Soa};
pub use labels::{LabelBuf, Labels, NAME_SPACE};
pub use loading::{Error, Findings, Loaded, Source, Tally, Warning, load};
pub use settings::{Options, Settings};
pub use syntax::seconds;
pub use test_points::test_points;
pub use types::{is_type, type_names};

/// A list that can be asked for names.
pub trait DataSet: Send + Sync + Debug {
    /// Adds what it has for a name to `records`, and says whether it has the name at all, even without records.
    fn find<'a>(&'a self, asked: &Asked<'a>, records: &mut Records<'a>) -> bool;

    /// Whether it is a list that could have this name: one of addresses, or of names.
    fn could_have(&self, asked: &Asked<'_>) -> bool;

    /// Has what is looked at for `address` fetched from memory, if that takes long.
    fn prefetch(&self, _address: IpAddr) {}

    /// Whether it has any name below the one that is asked for (RFC 4592, section 2.2.2). What is excluded does not count.
    fn has_below(&self, asked: &Asked<'_>) -> bool;

    /// Whether it looks at nothing of a name but the address that it stands for: neither at its labels nor at what is below or above it.
    /// Then it can be asked by [`Asked::of_address`], which has no labels.
    fn is_of_addresses(&self) -> bool {
        false
    }

    /// Whether it answers those too for whom nothing is listed ([`Action::Empty`]): its records are no listings.
    fn is_for_everybody(&self) -> bool {
        false
    }

    /// How many entries it has.
    fn len(&self) -> usize;

    /// Whether it has no entry.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
