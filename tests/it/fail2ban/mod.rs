//! What banzone takes over from fail2ban: its filters and samples, its configuration, its bans, its client's words.
//!
//! Much of it is asked of fail2ban itself, Debian's package, which is read in place. Where it is missing those tests say
//! so and pass, unless the variable `BANZONE_PEERS` is `required`.

mod bans;
mod hostile;
mod readers;
mod samples;
mod server;
mod sets;
mod together;

use std::fs;
use std::path::Path;

use crate::peers;

/// Where the package has its configuration.
const CONFIG: &str = "/etc/fail2ban";

/// Where it has its tests.
const TESTS: &str = "/usr/lib/python3/dist-packages/fail2ban/tests";

/// Whether the package is there with all that the tests use of it.
fn is_installed() -> bool {
    let parts = ["/usr/bin/fail2ban-server", "/etc/fail2ban/jail.conf", TESTS];
    peers::present("fail2ban", parts.iter().all(|part| Path::new(part).exists()), "fail2ban")
}

/// Copies the files of a folder into another.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&from, &to);
        } else if from.is_file() {
            fs::copy(from, to).unwrap();
        }
    }
}
