//! One ban in 13 bytes, and which bans fit.

use super::{Held, JailId};
use crate::clock::Timestamp;

/// The shortest IPv4 network that is packed: its first 16 bits say where it stands.
pub(super) const SHORTEST: u8 = 16;

/// The longest.
pub(super) const LONGEST: u8 = 32;

/// Bits for the number of the jail.
const JAIL_BITS: u32 = 11;

/// Bytes of a time.
const TIME: usize = 5;

/// The first instant that can be packed, 2020-01-01; the last is 34 years later.
const EPOCH: i64 = 1_577_836_800_000;

/// Stands for a ban without an end.
const NEVER: u64 = (1 << (8 * TIME)) - 1;

/// Length and jail, beginning, end and number of a ban; the network stands beside it. Bytes, since with numbers it would
/// be 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed([u8; 3 + 2 * TIME]);

/// Length and jail in one number, which orders by length, then jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head(u16);

impl Head {
    /// `None` for a length or a jail that cannot be packed.
    pub(super) fn new(length: u8, jail: JailId) -> Option<Self> {
        let fits = (SHORTEST..=LONGEST).contains(&length) && jail.0 < 1 << JAIL_BITS;
        fits.then(|| Self(u16::from(length - SHORTEST) << JAIL_BITS | jail.0 as u16))
    }

    /// The number of fixed bits.
    pub(super) fn length(self) -> u8 {
        (self.0 >> JAIL_BITS) as u8 + SHORTEST
    }

    fn jail(self) -> JailId {
        JailId((self.0 & ((1 << JAIL_BITS) - 1)).into())
    }
}

impl Packed {
    /// `None` if something of it does not fit; that is rare, and such bans are kept elsewhere.
    pub(super) fn new(head: Head, held: &Held) -> Option<Self> {
        let until = held.until.map_or(Some(NEVER), pack_time)?;
        let mut packed = [0; 3 + 2 * TIME];
        packed[..2].copy_from_slice(&head.0.to_be_bytes());
        packed[2] = u8::try_from(held.count).ok()?;
        packed[3..3 + TIME].copy_from_slice(&pack_time(held.since)?.to_be_bytes()[8 - TIME..]);
        packed[3 + TIME..].copy_from_slice(&until.to_be_bytes()[8 - TIME..]);
        Some(Self(packed))
    }

    pub(super) fn head(self) -> Head {
        Head(u16::from_be_bytes([self.0[0], self.0[1]]))
    }

    pub(super) fn held(self) -> Held {
        let [_, _, count, a, b, c, d, e, v, w, x, y, z] = self.0;
        let time = |bytes: [u8; TIME]| {
            let [a, b, c, d, e] = bytes;
            u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
        };
        let timestamp = |packed: u64| Timestamp::from_millis(EPOCH + packed.cast_signed());
        let until = Some(time([v, w, x, y, z])).filter(|until| *until != NEVER);
        Held {
            jail: self.head().jail(),
            since: timestamp(time([a, b, c, d, e])),
            until: until.map(timestamp),
            count: count.into(),
        }
    }
}

fn pack_time(time: Timestamp) -> Option<u64> {
    let millis = u64::try_from(time.as_millis().checked_sub(EPOCH)?).ok()?;
    (millis < NEVER).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(jail: u32, since: i64, until: Option<i64>, count: u32) -> Held {
        let at = |millis| Timestamp::from_millis(EPOCH + millis);
        Held { jail: JailId(jail), since: at(since), until: until.map(at), count }
    }

    #[test]
    fn what_fits_comes_back_the_same() {
        let last = NEVER.cast_signed() - 1;
        for (length, held) in [
            (32, held(0, 0, None, 1)),
            (16, held(2047, 1, Some(0), 255)),
            (24, held(7, last, Some(last), 0)),
            (31, held(1, 123_456_789, Some(987_654_321), 17)),
        ] {
            let head = Head::new(length, held.jail).unwrap();
            let packed = Packed::new(head, &held).unwrap();
            assert_eq!((packed.head(), packed.head().length(), packed.held()), (head, length, held));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (length, jail) in [(15, 0), (33, 0), (24, 2048)] {
            assert_eq!(Head::new(length, JailId(jail)), None, "{length} {jail}");
        }
        let head = Head::new(32, JailId(0)).unwrap();
        let beyond = NEVER.cast_signed();
        for held in [
            held(0, -1, None, 1),
            held(0, beyond, None, 1),
            held(0, 0, Some(-1), 1),
            held(0, 0, Some(beyond), 1),
            held(0, 0, None, 256),
        ] {
            assert_eq!(Packed::new(head, &held), None, "{held:?}");
        }
    }

    #[test]
    fn heads_order_by_length_first() {
        let head = |length, jail| Head::new(length, JailId(jail)).unwrap();
        assert!(head(16, 2047) < head(17, 0));
        assert!(head(32, 3) < head(32, 4));
    }
}
