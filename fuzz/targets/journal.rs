//! Any bytes as what `journalctl` prints: read in pieces they say what they say at once. Then entries whose messages are
//! any bytes, written as the format wants it: they come back, one line each.

#![no_main]

use banzone::source::{Entry, Export, LINE_BYTES, Malformed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = read(input, input.len().max(1));
    assert_eq!(whole, read(input, 1 + input.len() / 7));
    for entry in whole.iter().flatten() {
        line(entry);
    }
    let messages: Vec<&[u8]> = input.split(|byte| *byte == 0xff).collect();
    let journal: Vec<u8> = messages.iter().flat_map(|message| written(message)).collect();
    let entries = read(&journal, 1 + input.len() / 3).expect("the format was kept");
    assert_eq!(entries.len(), messages.len());
    for (entry, message) in entries.iter().zip(messages) {
        if message.len() <= LINE_BYTES {
            let message = message.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\\n"[..]);
            assert_eq!(line(entry), message);
        }
    }
});

fn read(bytes: &[u8], size: usize) -> Result<Vec<Entry>, Malformed> {
    let mut export = Export::default();
    let mut entries = Vec::new();
    for mut piece in bytes.chunks(size) {
        while let Some(entry) = export.next(&mut piece)? {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn line(entry: &Entry) -> Vec<u8> {
    let mut line = Vec::new();
    entry.write_line(&mut line);
    let _ = entry.time().to_string();
    assert!(!line.contains(&b'\n'));
    line
}

fn written(message: &[u8]) -> Vec<u8> {
    let size = (message.len() as u64).to_le_bytes();
    [b"__CURSOR=x\n__REALTIME_TIMESTAMP=1\nMESSAGE\n", size.as_slice(), message, b"\n\n"].concat()
}
