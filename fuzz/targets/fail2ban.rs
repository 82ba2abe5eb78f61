//! Any configuration of fail2ban's. The input is the text of the files, with a zero byte between; `DIR` stands for the
//! folder they are in.
//!
//! Reading ends with jails that can be run, or with errors that say where and what.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::LazyLock;

use banzone::clock::Timestamp;
use banzone::config::Errors;
use banzone::config::fail2ban::Directory;
use banzone::jail::Readers;
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 7] = [
    "jail.conf",
    "filter.d/own.conf",
    "jail.local",
    "filter.d/own.local",
    "filter.d/common.conf",
    "jail.d/own.conf",
    "mail.log",
];

/// A folder in memory of this process; it is left behind, as a fuzzer ends without warning.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(format!("/dev/shm/banzone-fuzz-fail2ban-{}", process::id()));
    for file in FILES {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room in /dev/shm");
    }
    folder
});

fuzz_target!(|input: &str| {
    let mut texts = input.splitn(FILES.len(), '\0');
    for file in FILES {
        let path = FOLDER.join(file);
        match texts.next() {
            // A pattern of file names must not wander through this machine.
            Some(text) if leaves_folder(text) => return,
            Some(text) => {
                let text = text.replace("DIR/", &format!("{}/", FOLDER.display()));
                fs::write(path, text).expect("room in /dev/shm");
            }
            None => drop(fs::remove_file(path)),
        }
    }
    let directory = Directory::new(FOLDER.as_path());
    match directory.jails() {
        Ok(jails) => {
            assert!(jails.names.len() >= jails.enabled.len());
            Readers::new(&jails.enabled, Timestamp::default()).expect("filters that compile");
        }
        Err(errors) => check_errors(&errors),
    }
    if let Err(errors) = directory.filter("own", &[], false) {
        check_errors(&errors);
    }
});

fn leaves_folder(text: &str) -> bool {
    text.contains("..") || text.contains("**") || text.replace("DIR/", "").contains('/')
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
        // Lines end as Python ends them.
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").split('\n').count();
        assert!(place.line as usize <= lines, "{error} is behind the {lines} lines");
    }
}
