//! Who gets answers, and which: what lists of clients say of one, and what becomes of who gets none.

use std::net::IpAddr;

use crate::dataset::{Acl, Action, Actions};

/// Why a client gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A list of clients says so.
    Client,
    /// The name has no key, or one that is not known or has expired.
    Key,
    /// The key has been used as often as it may be.
    Quota,
}

/// A client that gets no answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) why: Refusal,
    /// It is not even told.
    pub(super) silently: bool,
}

/// What is listed for a client.
#[derive(Clone, Copy)]
pub(super) enum ListedFor<'a> {
    /// What the zone lists.
    Zone,
    /// Nothing.
    Nobody,
    /// Every address, with the records of this number.
    Everybody(&'a Actions, u32),
}

/// What a client gets. The first list that has something to say counts.
pub(super) fn by_client<'a>(lists: [Option<&'a Acl>; 2], client: IpAddr) -> Result<ListedFor<'a>, Refused> {
    let refused = |silently| Err(Refused { why: Refusal::Client, silently });
    for acl in lists.into_iter().flatten() {
        return match acl.action(client) {
            Action::Pass => continue,
            Action::Refuse => refused(false),
            Action::Ignore => refused(true),
            Action::Empty => Ok(ListedFor::Nobody),
            Action::List(value) => Ok(ListedFor::Everybody(acl.actions(), value)),
        };
    }
    Ok(ListedFor::Zone)
}
