//! `banzone rbldnsd`: serves data files in rbldnsd's place, with its command line.

mod options;

use std::io::Write;

use anyhow::{Result, bail};

use super::serve::start_log;
use super::{Exit, Global};
use crate::config::Log;
use crate::daemon::data_files;

/// The name of the command, and of rbldnsd's program.
pub(super) const NAME: &str = "rbldnsd";

/// The options, each at the start of a line.
const HELP: &str = "\
banzone in rbldnsd's place: serves data files as DNS blocklists, over UDP and TCP

Usage: banzone rbldnsd [options] zone...

A zone is name:type:file,file...; several with one name are put together. Types:
ip4set ip4trie ip4tset ip6trie ip6tset dnset dnhash generic combined acl aclkey.
An acl or aclkey may be without a name: it is for all zones.

-b address/port  listen there; may be given several times
-4               listen on IPv4 addresses only
-6               listen on IPv6 addresses only
-n               stay in the foreground, which is always so
-t def:min:max   time to live of records without one, and bounds of others [35m]
-c seconds       how often files are looked at, 0 is never; SIGHUP has them read at once [60]
-e               take networks with host bits, and clear them
-w folder        where the files are
-r folder        the folder that paths begin in
-u user          who to become, if started as root [rbldns]
-l [+]file       a line there for each query; + writes each at once, - is standard output;
                 SIGHUP opens the file anew
-s [+]file       figures of each zone there, every -c seconds and at the end; + since the
                 line before, not since the start. SIGUSR1 has a line written there and to the
                 log at once, SIGUSR2 too, and counting begins anew
-p file          the number of the process there
-f -q -C -a -v   taken; answers are minimal, go on while files are read, and hide the version
-A -d            taken, without effect
-h               this text
";

/// Serve data files in rbldnsd's place, with its options
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// rbldnsd's options and zones; -h lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
    words: Vec<String>,
}

impl Args {
    /// With what stands behind the name, as it stands there.
    pub(super) fn with_words(self, words: Vec<String>) -> Self {
        Self { words: self.words.into_iter().chain(words).collect() }
    }

    /// Serves until it is told to stop.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> Result<Exit> {
        match options::read(&self.words) {
            Ok(options::Asked::Help) => write!(out, "{HELP}")?,
            Ok(options::Asked::Serve(settings, notes)) => {
                notes.iter().for_each(|note| global.note(note));
                start_log(Log::default())?;
                data_files::run(&settings)?;
            }
            Err(problem) => bail!(problem),
        }
        Ok(Exit::Done)
    }
}
