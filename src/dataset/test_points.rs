//! The test points of a data set (RFC 5782, section 5), which are listed whatever its files say.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::builder::Reading;
use super::types::{Lists, builder, lists};
use super::{DataSet, Options};
use crate::ip::TEST_POINT_V4;

/// A data set of the test points of one of this type whose entries have the code and the text of `options`: 127.0.0.2 and, if
/// the code is 127.0.0.N, that address; the name `test` for domains.
pub fn test_points(kind: &str, options: &Options) -> Option<Arc<dyn DataSet>> {
    match lists(kind)? {
        Lists::Addresses => {
            let is_point = matches!(options.code.octets(), [127, 0, 0, last] if last > 2);
            let points = [Some(TEST_POINT_V4), Some(options.code).filter(|_| is_point)];
            Some(read(
                "ip4trie",
                points.into_iter().flatten().map(|point: Ipv4Addr| point.to_string()),
                options,
            ))
        }
        Lists::Domains => Some(read("dnset", ["test".to_owned()], options)),
        Lists::Records => None,
    }
}

fn read(kind: &str, entries: impl IntoIterator<Item = String>, options: &Options) -> Arc<dyn DataSet> {
    let mut builder = builder(kind).expect("the type is in the table");
    let mut reading = Reading::new(options);
    for entry in entries {
        builder.entry(entry.as_bytes(), &mut reading).expect("addresses and names are entries");
    }
    builder.finish(reading.finish(options.default_ttl)).into()
}
