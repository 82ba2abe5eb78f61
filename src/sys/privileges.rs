//! From root to an ordinary user, with no way back.
//!
//! Under systemd the service starts as its own user. Started as root it binds its ports first and then calls
//! [`drop_to`]: what reads log lines and packets from strangers must not be root.

use std::ffi::CString;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setresgid, setresuid, setuid};

/// Why the privileges are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No account has this name.
    #[error(
        "there is no user `{0}`: create it with `systemd-sysusers` or `adduser --system --group {0}`, or name another one"
    )]
    NoSuchUser(String),
    /// The name is root's by another name.
    #[error("user `{0}` is root: name a user without privileges")]
    StillRoot(String),
    /// The system refused a step.
    #[error("cannot become user `{user}` ({step}): {source}")]
    Refused {
        /// Who to become.
        user: String,
        /// The system call.
        step: &'static str,
        /// What the system said.
        source: Errno,
    },
    /// All steps succeeded, and yet root can be had again.
    #[error(
        "became user `{0}`, but root could be regained: this kernel or sandbox cannot be trusted, start as `{0}` instead"
    )]
    Regained(String),
    /// A directory could not be made or handed over.
    #[error("cannot prepare directory {path}: {source}; create it and give it to user `{user}`")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Who should own it.
        user: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether this process may do anything.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Becomes `user` for good: its groups, its group, its user, in that order, then tries to come back and must fail.
///
/// Holds for all threads of the process. Changing the user from root to another drops all capabilities.
pub fn drop_to(user: &str) -> Result<(), Error> {
    let account = find(user)?;
    let (uid, gid) = (account.uid, account.gid);
    let refused = |step| move |source| Error::Refused { user: user.to_owned(), step, source };
    let name = CString::new(user).map_err(|_| Error::NoSuchUser(user.to_owned()))?;
    initgroups(&name, gid).map_err(refused("initgroups"))?;
    setresgid(gid, gid, gid).map_err(refused("setresgid"))?;
    setresuid(uid, uid, uid).map_err(refused("setresuid"))?;
    let back = setuid(Uid::from_raw(0)).is_ok() || setgid(Gid::from_raw(0)).is_ok();
    if back {
        return Err(Error::Regained(user.to_owned()));
    }
    Ok(())
}

/// Whether there is such a user, and it is not root.
pub fn check_user(user: &str) -> Result<(), Error> {
    find(user).map(drop)
}

/// Makes sure that `path` is a directory. One that is made here belongs to `user`, or to who runs this, and is closed to
/// others (mode 0750); its parents are made too. One that is there is left as it is: it may be shared with others.
///
/// Call it before [`drop_to`].
pub fn prepare_directory(path: &Path, user: Option<&str>) -> Result<(), Error> {
    let account = user.map(find).transpose()?;
    make_directory(path, account.as_ref()).map_err(|source| Error::Directory {
        path: path.to_owned(),
        user: user.unwrap_or("that runs banzone").to_owned(),
        source,
    })
}

fn make_directory(path: &Path, account: Option<&User>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    DirBuilder::new().mode(0o750).create(path)?;
    let Some(account) = account else {
        return Ok(());
    };
    // Whoever may write to the parent may have put something else in its place meanwhile.
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
        .open(path)?;
    fchown(&directory, Some(account.uid.as_raw()), Some(account.gid.as_raw()))
}

/// Closes the files that this process makes from here on to others, and to its group for writing.
pub fn close_new_files() {
    umask(Mode::S_IWGRP | Mode::S_IRWXO);
}

fn find(user: &str) -> Result<User, Error> {
    let account = User::from_name(user).map_err(|source| Error::Refused {
        user: user.to_owned(),
        step: "getpwnam",
        source,
    })?;
    let account = account.ok_or_else(|| Error::NoSuchUser(user.to_owned()))?;
    if account.uid.is_root() {
        return Err(Error::StillRoot(user.to_owned()));
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getegid, getgroups};
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    /// Set in the child that gives up its privileges.
    const CHILD: &str = "BANZONE_TEST_PRIVILEGES";

    /// Dropping cannot be undone, so it happens in this test run again in a child.
    #[test]
    fn root_is_left_for_good() {
        if std::env::var_os(CHILD).is_some() {
            drop_to("nobody").unwrap();
            let nobody = User::from_name("nobody").unwrap().unwrap();
            assert_eq!((geteuid(), getegid()), (nobody.uid, nobody.gid));
            assert!(getgroups().unwrap().iter().all(|group| group.as_raw() != 0));
            assert!(fs::File::open("/etc/shadow").is_err());
            assert!(matches!(drop_to("daemon"), Err(Error::Refused { .. })));
            return;
        }
        if !is_root() {
            return;
        }
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sys::privileges::tests::root_is_left_for_good"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }

    #[test]
    fn an_unknown_user_and_root_are_refused_by_name() {
        let unknown = drop_to("nosuchuser").unwrap_err().to_string();
        assert!(unknown.contains("`nosuchuser`"), "{unknown}");
        assert!(matches!(drop_to("root"), Err(Error::StillRoot(_))));
        assert!(matches!(drop_to("a\0b"), Err(Error::NoSuchUser(_))));
    }

    #[test]
    fn only_a_directory_made_here_is_handed_over() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib/banzone");
        prepare_directory(&path, Some("nobody")).unwrap();
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let made = fs::metadata(&path).unwrap();
        assert_eq!((made.uid(), made.gid()), (nobody.uid.as_raw(), nobody.gid.as_raw()));
        assert_eq!(made.mode() & 0o777, 0o750);
        let shared = folder.path().join("lib");
        let before = fs::metadata(&shared).unwrap();
        prepare_directory(&shared, Some("nobody")).unwrap();
        let after = fs::metadata(&shared).unwrap();
        assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));

        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = prepare_directory(&file, Some("nobody")).unwrap_err().to_string();
        assert!(refused.contains("file"), "{refused}");
    }
}
