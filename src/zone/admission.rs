//! Who gets answers, and which: what lists of clients and of keys say of one, and what becomes of who gets none.

use std::net::IpAddr;
use std::sync::Arc;

use crate::dataset::{Acl, Action, Actions, KeyAcl};

/// The lists that say what who asks a zone gets. The first that has something to say counts.
#[derive(Clone, Debug, Default)]
pub struct AccessLists {
    /// By the address of who asks.
    pub clients: Option<Arc<Acl>>,
    /// By the key in the question.
    pub keys: Option<Arc<KeyAcl>>,
}

/// Why a client gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A list of clients says so.
    Client,
    /// The name has no key, or one that is not known, has expired or gets no answers.
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

impl<'a> ListedFor<'a> {
    fn by(action: Action, actions: &'a Actions, why: Refusal) -> Result<Self, Refused> {
        match action {
            Action::Pass => Ok(Self::Zone),
            Action::Refuse => Err(Refused { why, silently: false }),
            Action::Ignore => Err(Refused { why, silently: true }),
            Action::Empty => Ok(Self::Nobody),
            Action::List(value) => Ok(Self::Everybody(actions, value)),
        }
    }

    /// The same, or what `action` of the list of keys says where no list of clients had something to say.
    pub(super) fn or_by_key(self, keys: Option<&'a KeyAcl>, action: Action) -> Result<Self, Refused> {
        match (self, keys) {
            (Self::Zone, Some(keys)) => Self::by(action, keys.actions(), Refusal::Key),
            _ => Ok(self),
        }
    }
}

/// What a client gets. The first list that has something to say counts.
pub(super) fn by_client<'a>(lists: [Option<&'a Acl>; 2], client: IpAddr) -> Result<ListedFor<'a>, Refused> {
    for acl in lists.into_iter().flatten() {
        match ListedFor::by(acl.action(client), acl.actions(), Refusal::Client)? {
            ListedFor::Zone => {}
            listed => return Ok(listed),
        }
    }
    Ok(ListedFor::Zone)
}
