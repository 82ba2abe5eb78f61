//! Queries that are read and not answered yet. While others are read, what the answer takes comes from memory, which takes
//! longer than all the rest.

use super::admission::Refused;
use super::lookup::{TYPE_NS, TYPE_SOA};
use super::ordinary::Ordinary;
use super::query::{Header, Question};
use super::{Moment, Zone, Zones};
use crate::clock::Timestamp;
use crate::dataset::{Action, KeyAcl};
use crate::ip::{Reversed, read_reversed};

/// A query that is read as far as its question goes. It is large, and the next query can be read into it.
#[derive(Default)]
pub struct Pending {
    /// What it is if it is an ordinary one, of which no more is read: all that follows is then of a query before.
    pub(super) ordinary: Option<Ordinary>,
    /// Its header, if it is long enough for one.
    pub(super) header: Option<Header>,
    question: Question,
    /// Whether it is a query with a question that can be read.
    has_question: bool,
    /// The index of the zone the question belongs to, and how many labels it has before the origin.
    pub(super) zone: Option<(usize, usize)>,
    /// What they are. A zone whose keys have quotas says so only when it answers, as that counts as using the key
    /// ([`below_with_quota`]).
    pub(super) below: Option<Below>,
}

impl Pending {
    /// Reads the question of `query`, and has fetched what there is for it.
    pub fn read(&mut self, moment: &Moment<'_>, query: &[u8]) {
        self.ordinary = Ordinary::read(query, moment);
        if self.ordinary.is_none() {
            self.read_all(moment, query);
        }
    }

    /// Reads it as one that is not ordinary.
    pub(super) fn read_all(&mut self, moment: &Moment<'_>, query: &[u8]) {
        (self.zone, self.below) = (None, None);
        self.header = Header::read(query);
        let header = self.header.filter(|header| header.flags.ask());
        self.has_question =
            header.is_some_and(|header| header.read_question(query, &mut self.question).is_ok());
        if self.has_question {
            self.zone = moment.zones.find(&self.question);
            self.look_below(moment);
        }
    }

    /// Its question, if there is one.
    pub(super) fn question(&self) -> Option<&Question> {
        self.has_question.then_some(&self.question)
    }

    fn look_below(&mut self, moment: &Moment<'_>) {
        let (zones, question) = (moment.zones, &self.question);
        let Some((index, origin)) = self.zone else { return };
        let zone = &zones.zones()[index];
        if zone.keys().is_none() {
            let below = match zone.key_acl() {
                Some(keys) => Below::with_key_of(keys, zone, question, origin, zones),
                None => Below::new(zone, question, origin),
            };
            self.below = Some(below);
            if let Some(Reversed::Address(address)) = below.reversed {
                moment.published[index].prefetch(address);
            }
        }
    }
}

/// What stands before the origin, and before the key and the name of the sublist there.
#[derive(Clone, Copy)]
pub(super) struct Below {
    /// How many labels.
    pub(super) labels: usize,
    /// The sublist that is asked alone.
    pub(super) sublist: Option<u16>,
    /// What the labels mean as a reversed address.
    pub(super) reversed: Option<Reversed>,
    /// Whether a key stands there that is known.
    pub(super) has_key: bool,
    /// What the list of keys says of who asks.
    pub(super) action: Action,
}

impl Below {
    /// Of the first `labels`, which stand before the origin or the key.
    fn new(zone: &Zone, question: &Question, labels: usize) -> Self {
        let sublist = zone.sublists().find(question.labels(labels));
        let labels = labels - usize::from(sublist.is_some());
        let reversed = read_reversed(question.labels(labels).iter());
        Self { labels, sublist, reversed, has_key: false, action: Action::Pass }
    }

    /// The same where `keys` say what who asks gets. What resolvers ask for on their way is there for everybody, but has no
    /// listings.
    fn with_key_of(keys: &KeyAcl, zone: &Zone, question: &Question, origin: usize, zones: &Zones) -> Self {
        let key = question.labels(origin).last().and_then(|label| keys.action(label));
        let is_open =
            || leads_to_a_zone(question, origin, zones) || matches!(question.kind, TYPE_SOA | TYPE_NS);
        let action = match key.unwrap_or_else(|| keys.default_action()) {
            Action::Refuse | Action::Ignore if is_open() => Action::Empty,
            action => action,
        };
        let labels = origin - usize::from(key.is_some());
        Self { has_key: key.is_some(), action, ..Self::new(zone, question, labels) }
    }
}

/// What stands before the key, which counts as used where a listing could be the answer. The zone itself and the names that
/// lead to a zone in it are there without a key: resolvers ask for them on their way (RFC 9156).
pub(super) fn below_with_quota(
    zone: &Zone,
    question: &Question,
    origin: usize,
    zones: &Zones,
    now: Timestamp,
) -> Result<Below, Refused> {
    let Some(keys) = zone.keys() else {
        return Ok(Below::new(zone, question, origin));
    };
    let label = question.labels(origin).last();
    let Some(label) = label.filter(|_| !leads_to_a_zone(question, origin, zones)) else {
        return Ok(Below::new(zone, question, origin));
    };
    let key = keys.find(label, now)?;
    let below = Below::new(zone, question, origin - 1);
    if !matches!(below.reversed, Some(Reversed::Partial { .. })) {
        keys.spend(key, now)?;
    }
    Ok(Below { has_key: true, ..below })
}

/// Whether the question is for the zone itself, or for a name between it and a zone in it.
fn leads_to_a_zone(question: &Question, origin: usize, zones: &Zones) -> bool {
    origin == 0 || zones.is_between(question.name_from(0))
}
