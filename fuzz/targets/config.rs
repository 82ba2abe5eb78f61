//! Any configuration. The input is the text of the files, with a zero byte between: `banzone.toml`, an included file of
//! jails, a zone, a filter.
//!
//! Reading ends with what can be run, or with errors that say where and what.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::LazyLock;

use banzone::clock::Timestamp;
use banzone::config::{self, Config, Errors};
use banzone::jail::Readers;
use banzone::zone::{Zone, Zones};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 4] = ["banzone.toml", "jails.d/own.toml", "zones/own.toml", "filters/own.toml"];

/// A folder in memory of this process; it is left behind, as a fuzzer ends without warning.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(format!("/dev/shm/banzone-fuzz-config-{}", process::id()));
    for file in FILES {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room in /dev/shm");
    }
    folder
});

fuzz_target!(|input: &[u8]| {
    let mut texts = input.splitn(FILES.len(), |byte| *byte == 0);
    for file in FILES {
        let path = FOLDER.join(file);
        match texts.next() {
            // A pattern of file names must not wander through this machine.
            Some(text) if leaves_folder(text) => return,
            Some(text) => fs::write(path, text).expect("room in /dev/shm"),
            None => drop(fs::remove_file(path)),
        }
    }
    match config::load(&FOLDER.join(FILES[0])) {
        Ok(config) => check(config),
        Err(errors) => check_errors(&errors),
    }
});

fn leaves_folder(text: &[u8]) -> bool {
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    // Also written as an escape.
    has(b"/dev")
        || has(b"/proc")
        || has(b"/sys")
        || has(b"..")
        || has(b"**")
        || has(b"\"/")
        || has(b"'/")
        || has(b"\\")
}

/// What loads can be run.
fn check(config: Config) {
    Readers::new(&config.jails, Timestamp::default()).expect("filters that compile");
    let zones = config.zones.into_iter().map(|zone| Zone::new(zone).expect("a sound zone"));
    Zones::new(zones.collect()).expect("zones that go together");
    assert!(config.files.iter().all(|file| file.exists()));
}

fn check_errors(errors: &Errors) {
    assert!(!errors.0.is_empty());
    for error in &errors.0 {
        assert!(!error.message.is_empty());
        let place = &error.place;
        if place.line == 0 {
            continue;
        }
        let text = fs::read(&place.file).expect("an error in a file that there is");
        let text = String::from_utf8_lossy(&text);
        let line = text.split('\n').nth(place.line as usize - 1).expect("an error in a line that there is");
        assert!(place.column as usize <= line.chars().count() + 1, "{error} is behind {line:?}");
    }
}
