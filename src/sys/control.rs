//! The Unix socket the command line speaks to: who may open it is who may give orders.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Uid, User};
use socket2::{Domain, SockAddr, Socket, Type};

/// Owner and group may give orders, others may not.
const MODE: u32 = 0o660;

/// Commands waiting to be let in; they are few.
const BACKLOG: i32 = 64;

/// When a process is killed just as it starts a program, its sockets live on until that program runs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody answers there.
    #[error("{0} is in use: another banzone is running; stop it, or set another `control.socket`")]
    InUse(PathBuf),
    /// Something else has this name.
    #[error("{0} exists and is no socket: move it away, or set another `control.socket`")]
    NoSocket(PathBuf),
    /// The system refused.
    #[error("cannot listen on {path}: {source}; its directory must exist and be writable")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on `path` with mode 0660. A socket nobody listens on any more, left by a crash, is removed first.
///
/// It belongs to the user and group of this process, so bind it after the privileges are dropped.
pub fn bind(path: &Path) -> Result<UnixListener, Error> {
    let refused = |source| Error::Refused { path: path.to_owned(), source };
    let begin = Instant::now();
    while let Err(failed) = remove_stale(path) {
        if !matches!(failed, Error::InUse(_)) || begin.elapsed() >= PATIENCE {
            return Err(failed);
        }
        thread::sleep(PATIENCE / 50);
    }
    listen(path).map_err(refused)
}

/// The mode is set before anybody can be let in.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

/// Who is at the other end, for the audit: the user's name, or `uid 1234` for a user without one.
pub fn peer_name(stream: &impl AsFd) -> io::Result<String> {
    let uid = Uid::from_raw(getsockopt(stream, sockopt::PeerCredentials)?.uid());
    let name = User::from_uid(uid)?.map(|user| user.name);
    Ok(name.unwrap_or_else(|| format!("uid {uid}")))
}

fn remove_stale(path: &Path) -> Result<(), Error> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(Error::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|source| Error::Refused { path: path.to_owned(), source })
        }
        _ => Err(Error::InUse(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_group_may_connect_and_are_known_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);

        let _client = UnixStream::connect(&path).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let me = User::from_uid(Uid::effective()).unwrap().unwrap();
        assert_eq!(peer_name(&stream).unwrap(), me.name);
    }

    #[test]
    fn only_a_socket_nobody_listens_on_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let first = bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(Error::InUse(_))));
        drop(first);
        assert!(path.exists());
        drop(bind(&path).unwrap());

        let file = folder.path().join("file");
        fs::write(&file, "precious").unwrap();
        assert!(matches!(bind(&file), Err(Error::NoSocket(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");

        let nowhere = folder.path().join("missing/control.sock");
        let message = bind(&nowhere).unwrap_err().to_string();
        assert!(message.contains("missing/control.sock"), "{message}");
    }
}
