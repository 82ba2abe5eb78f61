//! Any bytes as what a syslog connection brings: read in pieces they are the same messages as at once. Each message is one
//! line without control characters, that begins with a time and a host.

#![no_main]

use banzone::clock::Timestamp;
use banzone::source::{Frames, MESSAGE_BYTES, write_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = messages(input, input.len().max(1));
    assert_eq!(whole, messages(input, 1 + input.len() / 7));
    for message in whole.iter().map(Vec::as_slice).chain([input]) {
        check(message);
    }
    // Lengths in front hold whatever the messages are.
    let message = [b"<1>", &input[..input.len().min(MESSAGE_BYTES - 3)]].concat();
    let counted = [format!("{} ", message.len()).as_bytes(), &message].concat();
    assert_eq!(messages(&counted.repeat(3), 1 + input.len() / 3), [message.clone(), message.clone(), message]);
});

fn messages(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    bytes.chunks(size).for_each(|piece| frames.feed(piece, |message| found.push(message.to_vec())));
    frames.finish(|message| found.push(message.to_vec()));
    found
}

fn check(message: &[u8]) {
    let mut line = Vec::new();
    write_line(message, Timestamp::from_secs(1_795_334_652), "192.0.2.9", &mut line);
    let text = line.strip_suffix(b"\n").expect("a line ends");
    assert!(text.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f));
    let mut words = text.split(|byte| *byte == b' ');
    let time = words.next().and_then(|time| str::from_utf8(time).ok()).expect("a line begins with a time");
    assert!(time.starts_with("2026-11-22T") || message.windows(time.len()).any(|part| part == time.as_bytes()));
    assert!(words.next().is_some_and(|host| !host.is_empty()));
}
