//! Any packet to the DNS server. The first byte of the input says how the packet comes, the rest is the packet.
//!
//! Whatever it is, there is no panic, and the reply is the one that `tests/it/model` works out with hickory-proto.

#![no_main]

use banzone::zone::Transport;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the property test uses more of it")]
#[path = "../../tests/it/model/mod.rs"]
mod model;

fuzz_target!(|input: &[u8]| {
    if let Some((choice, query)) = input.split_first() {
        let transport = if choice & 1 == 0 { Transport::Udp } else { Transport::Tcp };
        model::check(query, transport);
    }
});
