//! Files to which lines are appended, which must never keep anybody waiting.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Opens `path` to append to it; it is made if it is not there. What would keep a writer waiting until somebody reads, such as a
/// FIFO, is refused.
pub fn open(path: &Path) -> io::Result<File> {
    check(path)?;
    // What is there now may not be what was looked at: opening a FIFO waits for a reader without this.
    let flags = OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().append(true).create(true).custom_flags(flags).open(path)?;
    check_kind(&file.metadata()?)?;
    Ok(file)
}

/// Standard output by itself: whoever waits for somebody to read it holds no lock that others wait for, as the program does at
/// its end.
pub fn standard_output() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Whether `path` can be opened as far as that is seen from outside: what it is, and whether its folder is there. Nothing is
/// made.
pub fn check(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) => check_kind(&found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_folder(path),
        Err(error) => Err(error),
    }
}

fn check_kind(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_file() || kind.is_char_device() {
        return Ok(());
    }
    let message = format!("it is a {}, not a file or a device such as /dev/null", name(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "folder"
    } else if kind.is_fifo() {
        "FIFO"
    } else if kind.is_socket() {
        "socket"
    } else {
        "block device"
    }
}

fn check_folder(path: &Path) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    let message = format!("there is no folder {}", folder.display());
    Err(io::Error::new(io::ErrorKind::NotFound, message))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn files_and_devices_are_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for line in ["one\n", "two\n"] {
            open(&path).unwrap().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        open(Path::new("/dev/null")).unwrap().write_all(b"x").unwrap();
        check(&folder.path().join("new")).unwrap();
        assert!(!folder.path().join("new").exists());
    }

    #[test]
    fn nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        // Also with somebody who reads.
        let _reader =
            OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&fifo).unwrap();
        let refused = |path: &Path| open(path).unwrap_err().to_string();
        assert_eq!(refused(&fifo), "it is a FIFO, not a file or a device such as /dev/null");
        assert_eq!(refused(folder.path()), "it is a folder, not a file or a device such as /dev/null");
        let nowhere = folder.path().join("no/log");
        assert_eq!(refused(&nowhere), format!("there is no folder {}/no", folder.path().display()));
    }
}
