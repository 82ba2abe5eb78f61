//! Addresses as every stage speaks of them: prefixes, sets of prefixes, the reversed names of the DNS, and the
//! ranges that are never listed.
//!
//! An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address, everywhere.

mod octet;
mod prefix;
mod reserved;
mod reverse;
mod set;

pub use octet::read_octet;
pub use prefix::{ParsePrefixError, Prefix};
pub use reserved::{TEST_POINT_V4, reserved};
pub use reverse::{Reversed, leading_nibbles, read_reversed, write_reversed};
pub use set::PrefixSet;
