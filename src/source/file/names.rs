//! The names log rotation gives: `mail.log.1`, `mail.log-20261122`, `mail.log.old`, `mail-20261122.log`. In comes a
//! path, out comes the log it was rotated from.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Files with these endings hold no text.
const COMPRESSED: &[&str] = &["gz", "bz2", "xz", "zst", "lz4", "lzma", "Z", "zip"];

/// Whether the name says that the file is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| COMPRESSED.iter().any(|known| ending == *known))
}

/// The log that `path` was rotated from, the one with the shortest name where several would do; `is_log` knows them.
pub(super) fn rotated_from(path: &Path, is_log: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    (1..name.len())
        .filter(|at| matches!(name[*at], b'.' | b'-' | b'_'))
        .filter_map(|at| original(&name[..at], &name[at..]))
        .map(|original| path.with_file_name(OsStr::from_bytes(&original)))
        .find(|original| is_log(original))
}

/// Sorts rotated files that were last written to at the same instant, older ones first: by number downwards
/// (`mail.log.2`, `mail.log.1`), by date upwards.
pub(super) fn age(path: &Path) -> impl Ord + '_ {
    let name = path.as_os_str().as_bytes();
    let number = |part: &[u8]| match part {
        [b'0'..=b'9', ..] if part.len() <= 4 => std::str::from_utf8(part).ok()?.parse::<u16>().ok(),
        _ => None,
    };
    let last = name.rsplit(|byte| *byte == b'.').find_map(number);
    (Reverse(last), name)
}

/// The name before rotation, if `rest` is what rotation appends to it or puts before its ending.
fn original(stem: &[u8], rest: &[u8]) -> Option<Vec<u8>> {
    if is_rotation(rest) {
        return Some(stem.to_owned());
    }
    let (middle, ending) = rest.split_at(memchr::memrchr(b'.', rest)?);
    (is_rotation(middle) && ending.len() > 1).then(|| [stem, ending].concat())
}

/// Whether this is `.old` or a separator and then a number, date or time.
fn is_rotation(rest: &[u8]) -> bool {
    let mark = rest.get(1..).unwrap_or_default();
    let counts = |byte: &u8| byte.is_ascii_digit() || b"-_.:+T".contains(byte);
    mark == b"old" || (mark.first().is_some_and(u8::is_ascii_digit) && mark.iter().all(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_is_told_by_the_name() {
        let logs = ["/l/mail.log", "/l/mail", "/l/host-10.0.0.1"];
        let check = |name: &str, expected: Option<&str>| {
            let path = Path::new("/l").join(name);
            let found = rotated_from(&path, |log| logs.iter().any(|known| log == Path::new(known)));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{name}");
        };
        for rotated in [
            "mail.log.1",
            "mail.log.10",
            "mail.log-20261122",
            "mail.log-2026-11-22T10:00:00",
            "mail.log.1-1795334652",
            "mail.log.old",
            "mail-20261122.log",
            "mail.1.log",
        ] {
            check(rotated, Some("/l/mail.log"));
        }
        check("mail.1", Some("/l/mail"));
        check("host-10.0.0.1.1", Some("/l/host-10.0.0.1"));
        for other in
            ["mail.log", "mail", "mail.err", "mail.log.gz", "mail.logs.1", "maillog.1", "mail.log.save"]
        {
            check(other, None);
        }
    }

    #[test]
    fn names_tell_which_is_older() {
        for (older, younger) in [
            ("/l/mail.log.2", "/l/mail.log.1"),
            ("/l/mail.log.10", "/l/mail.log.9"),
            ("/l/mail.10.log", "/l/mail.9.log"),
            ("/l/mail.log-20261121", "/l/mail.log-20261122"),
            ("/l/mail-2026-11-21.log", "/l/mail-2026-11-22.log"),
        ] {
            assert!(age(Path::new(older)) < age(Path::new(younger)), "{older} {younger}");
        }
    }

    #[test]
    fn compressed_files_are_told_by_the_name() {
        assert!(is_compressed(Path::new("/l/mail.log.2.gz")));
        assert!(!is_compressed(Path::new("/l/mail.log.2")));
    }
}
