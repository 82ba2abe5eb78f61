//! Any log, read once from head to end and compared with a plain way to say what its lines are; then the same for the
//! bytes that a compressed log holds.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::LazyLock;

use banzone::source::{BATCH_BYTES, BATCH_LINES, LINE_BYTES, read_once};
use libfuzzer_sys::fuzz_target;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Lines are only cut in long logs, so that the input is repeated: once for each unit of its first byte.
const REPEAT: usize = 16;

/// A file in memory of this process; it is left behind, as a fuzzer ends without warning.
static PATH: LazyLock<PathBuf> =
    LazyLock::new(|| PathBuf::from(format!("/dev/shm/banzone-fuzz-log-{}", process::id())));

fuzz_target!(|input: &[u8]| {
    let Some((times, text)) = input.split_first() else {
        return;
    };
    let log = text.repeat(1 + usize::from(*times) * REPEAT);
    fs::write(&*PATH, &log).expect("room in /dev/shm");
    let mut lines = Vec::new();
    for batch in read_once(&PATH).expect("a file that is there") {
        let Ok(batch) = batch else {
            assert!(log.starts_with(&GZIP), "a plain file that cannot be read");
            return;
        };
        assert!(!batch.is_empty() && batch.len() <= BATCH_LINES && batch.positions.is_empty());
        let bytes: usize = batch.lines().map(<[u8]>::len).sum();
        assert!(bytes <= BATCH_BYTES, "{bytes} bytes in a batch");
        lines.extend(batch.lines().map(<[u8]>::to_vec));
    }
    if !log.starts_with(&GZIP) {
        assert!(lines.iter().map(Vec::as_slice).eq(plain(&log)));
    }
});

/// The lines of a log: what stands before newlines, and what is left, without a carriage return at the end, cut.
fn plain(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    let log = log.strip_suffix(b"\n").map(|log| (log, true)).unwrap_or((log, !log.is_empty()));
    log.0.split(|byte| *byte == b'\n').take(if log.1 { usize::MAX } else { 0 }).map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        &line[..line.len().min(LINE_BYTES)]
    })
}
