//! Any data file. The first byte of the input is the type, the text up to a zero byte is the file, the rest is a name.
//!
//! Reading ends with a data set, however many of its lines are wrong; what is asked of it has an answer that fits into a message.

#![no_main]

use banzone::clock::Timestamp;
use banzone::dataset::{self, Asked, Data, LabelBuf, Options, Records, Source};
use banzone::ip::read_reversed;
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 9] =
    ["ip4set", "ip4trie", "ip4tset", "ip6trie", "ip6tset", "dnset", "generic", "combined", "dnhash"];

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let source = Source { name: "file", bytes: parts.next().unwrap_or_default() };
    let name = parts.next().unwrap_or_default();
    let _ = dataset::load_acl(&[source], &Options::default());
    let _ = dataset::load_aclkey(&[source], &Options::default());
    let kind = TYPES[usize::from(*kind) % TYPES.len()];
    let Ok(loaded) = dataset::load(kind, &[source], &Options::default(), NOW) else { return };
    let name: LabelBuf = name.split(|byte| *byte == b'.').filter(|label| !label.is_empty()).collect();
    let asked = Asked::new(name.labels(), read_reversed(name.labels().iter())).at(NOW);
    let mut records = Records::new();
    let found = loaded.set.find(&asked, &mut records);
    assert!(found || records.is_empty(), "records of a name that is not there");
    let _ = loaded.set.has_below(&asked);
    for record in &records {
        if let Data::Text(text, subject) = &record.data {
            let mut out = Vec::new();
            subject.write(text, &mut out);
            assert!(out.len() <= 255, "a text that is no character-string");
        }
    }
});
