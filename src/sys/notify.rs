//! What the service manager is told: ready, reloading, stopping, alive (sd_notify). Without one it is all quiet.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// The service answers queries.
pub fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// The configuration is being read again; [`ready`] must follow, whether or not it was good.
///
/// Carries the monotonic time, without which systemd 253 and newer take the reload for failed.
pub fn reloading() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
}

/// A line for `systemctl status`. Line breaks become spaces: they would begin another message.
pub fn status(text: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Status(&text.replace(['\n', '\r'], " "))])
}

/// The service is about to end.
pub fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// The service is alive; due within every [`watchdog_interval`].
pub fn alive() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}

/// How often to call [`alive`]: half of what the service manager waits, if it watches this process at all.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    /// Set in the child that plays the service.
    const CHILD: &str = "BANZONE_TEST_NOTIFY";

    fn service() {
        reloading().unwrap();
        status("two\nlines").unwrap();
        ready().unwrap();
        alive().unwrap();
        stopping().unwrap();
        assert_eq!(watchdog_interval(), Some(Duration::from_secs(15)));
    }

    /// The environment belongs to the whole process, so the service is this test run again in a child.
    #[test]
    fn the_service_manager_hears_every_state() {
        if std::env::var_os(CHILD).is_some() {
            return service();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sys::notify::tests::the_service_manager_hears_every_state"])
            .env(CHILD, "1")
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "30000000")
            .env_remove("WATCHDOG_PID")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));

        let mut buffer = [0; 256];
        let mut next = || {
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(next(), "STATUS=two lines\n");
        assert_eq!(next(), "READY=1\n");
        assert_eq!(next(), "WATCHDOG=1\n");
        assert_eq!(next(), "STOPPING=1\n");
    }

    #[test]
    fn without_a_service_manager_nothing_happens() {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            ready().unwrap();
            status("nobody listens").unwrap();
        }
    }
}
