//! Tells when files grow and directories change: inotify, or the passing of time where that is not to be had.
//! In come the files and directories to watch, out comes what may have changed. Events are hints only: they can
//! be lost (queue overflow, network file systems), so whoever waits here also looks for himself now and then.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::statfs;

/// How often to look where no event comes: often enough for a ban to bite early, at no measurable cost.
pub const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Room for about a thousand events of one read; more are fetched by the next.
const EVENT_BUFFER: usize = 32 * 1024;

/// One watched file, as named in [`Changes::files`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileWatch(WatchDescriptor);

/// What may have changed since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// No event is reliable: look at everything.
    pub everything: bool,
    /// In some watched directory a name was made, moved or removed.
    pub directories: bool,
    /// These files were written to or truncated.
    pub files: Vec<FileWatch>,
}

/// Watches files and directories.
pub struct Watch {
    /// Absent where the system has no inotify instance left.
    inotify: Option<Inotify>,
    /// Something is on a file system that sends no events, or over the limit of watches.
    unreliable: bool,
    buffer: Vec<u8>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// Uses inotify, and polls where that fails (`fs.inotify.max_user_instances` reached, no such system call).
    pub fn new() -> Self {
        Self { inotify: Inotify::init().ok(), unreliable: false, buffer: vec![0; EVENT_BUFFER] }
    }

    /// Never uses inotify.
    pub fn polling() -> Self {
        Self { inotify: None, ..Self::new() }
    }

    /// Whether changes are found by looking again and again.
    pub fn is_polling(&self) -> bool {
        self.unreliable || self.inotify.is_none()
    }

    /// Reports names made, moved and removed in `path`. Calling it again is cheap, and needed after the directory
    /// itself was replaced.
    pub fn directory(&mut self, path: &Path) {
        let Some(inotify) = &self.inotify else { return };
        let names = WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE;
        let added = inotify.watches().add(path, names | WatchMask::ONLYDIR);
        self.unreliable |=
            added.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) || is_remote(path);
    }

    /// Reports writes to this open file, whatever its name is by now.
    pub fn file(&mut self, file: &File) -> Option<FileWatch> {
        let inotify = self.inotify.as_ref()?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let added = inotify.watches().add(path, WatchMask::MODIFY).ok();
        self.unreliable |= added.is_none();
        added.map(FileWatch)
    }

    /// No longer reports writes to a file.
    pub fn forget(&mut self, watch: FileWatch) {
        if let Some(inotify) = &self.inotify {
            // A watch whose file is deleted has ended by itself.
            let _ = inotify.watches().remove(watch.0);
        }
    }

    /// Waits up to `timeout` for a change. It may return early without one.
    pub fn wait(&mut self, timeout: Duration) -> Changes {
        let polled = self.is_polling();
        let timeout = if polled { timeout.min(POLL_INTERVAL) } else { timeout };
        let mut changes = match &mut self.inotify {
            Some(inotify) => wait_for_events(inotify, timeout, &mut self.buffer),
            None => {
                std::thread::sleep(timeout);
                Changes::default()
            }
        };
        changes.everything |= polled;
        changes
    }
}

/// Waits up to `timeout` until `file` can be read without blocking or has come to its end.
pub fn readable(file: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let mut set = [PollFd::new(file, PollFlags::POLLIN)];
    // Rounded up: a wait of less than a millisecond must not become a busy loop.
    let millis = timeout.as_micros().div_ceil(1000);
    let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
    match poll(&mut set, timeout) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits up to `timeout` until one of `files` can be read without blocking or has come to its end, and says which.
pub fn readable_of(files: &[BorrowedFd<'_>], timeout: Duration) -> io::Result<Vec<bool>> {
    let mut set: Vec<PollFd<'_>> = files.iter().map(|file| PollFd::new(*file, PollFlags::POLLIN)).collect();
    let timeout = PollTimeout::try_from(timeout.as_millis()).unwrap_or(PollTimeout::MAX);
    match poll(&mut set, timeout) {
        Ok(_) => Ok(set.iter().map(|one| one.any().unwrap_or(true)).collect()),
        Err(nix::errno::Errno::EINTR) => Ok(vec![false; files.len()]),
        Err(error) => Err(error.into()),
    }
}

fn wait_for_events(inotify: &mut Inotify, timeout: Duration, buffer: &mut [u8]) -> Changes {
    let mut changes = Changes::default();
    match readable(inotify.as_fd(), timeout) {
        Ok(true) => drain(inotify, buffer, &mut changes),
        Ok(false) => {}
        Err(_) => {
            std::thread::sleep(POLL_INTERVAL.min(timeout));
            changes.everything = true;
        }
    }
    changes
}

fn drain(inotify: &mut Inotify, buffer: &mut [u8], changes: &mut Changes) {
    let Ok(events) = inotify.read_events(buffer) else {
        return;
    };
    for event in events {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            changes.everything = true;
        } else if event.mask.contains(EventMask::MODIFY) {
            let file = FileWatch(event.wd);
            if !changes.files.contains(&file) {
                changes.files.push(file);
            }
        } else if !event.mask.contains(EventMask::IGNORED) {
            changes.directories = true;
        }
    }
}

/// The magic numbers of file systems that others can write to without this machine's kernel knowing: 9P, AFS, Ceph,
/// CIFS, Coda, FUSE, NCP, NFS, SMB, SMB2 (statfs(2)).
const REMOTE: &[u32] = &[
    0x0102_1997,
    0x5346_414f,
    0x00c3_6400,
    0xff53_4d42,
    0x7375_7245,
    0x6573_5546,
    0x0000_564c,
    0x0000_6969,
    0x0000_517b,
    0xfe53_4d42,
];

fn is_remote(path: &Path) -> bool {
    statfs::statfs(path).is_ok_and(|system| REMOTE.contains(&(system.filesystem_type().0 as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn writes_and_new_names_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let mut file = File::create(&path).unwrap();
        let mut watch = Watch::new();
        assert!(!watch.is_polling());
        watch.directory(folder.path());
        let known = watch.file(&file).unwrap();
        assert_eq!(watch.wait(Duration::ZERO), Changes::default());

        file.write_all(b"line\n").unwrap();
        let changes = watch.wait(Duration::ZERO);
        assert_eq!((changes.directories, changes.files), (false, vec![known.clone()]));

        fs::rename(&path, folder.path().join("mail.log.1")).unwrap();
        assert!(watch.wait(Duration::ZERO).directories);
        file.set_len(0).unwrap();
        assert_eq!(watch.wait(Duration::ZERO).files, vec![known.clone()]);

        watch.forget(known);
        file.write_all(b"line\n").unwrap();
        assert_eq!(watch.wait(Duration::ZERO), Changes::default());
    }

    #[test]
    fn without_inotify_everything_may_have_changed() {
        let mut watch = Watch::polling();
        assert!(watch.is_polling());
        assert!(watch.wait(Duration::ZERO).everything);
    }
}
