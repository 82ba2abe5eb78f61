//! Files that say where addresses belong: the first 16 bytes are an address, the rest is the file.
//!
//! Whatever is in them, there is an answer; countries of a text are two letters.

#![no_main]

use std::net::{IpAddr, Ipv6Addr};

use banzone::report::Geo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((address, file)) = input.split_first_chunk::<16>() else { return };
    let address = IpAddr::from(Ipv6Addr::from(*address)).to_canonical();
    let Ok(geo) = Geo::from_bytes(file) else { return };
    let country = geo.country(address);
    let is_text = str::from_utf8(file).is_ok();
    if let Some(country) = country.filter(|_| is_text) {
        assert!(country.len() == 2 && country.bytes().all(|letter| letter.is_ascii_uppercase()), "{country}");
    }
    let _ = geo.system(address);
});
