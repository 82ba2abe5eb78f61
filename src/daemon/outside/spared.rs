//! Who never fails by `ignoreip`, where that is not written in the configuration itself: the addresses of host names, looked
//! up again and again, and files, read again when they change. What can't be found out now stays as it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::super::pipeline::Input;
use super::Outside;
use crate::ip::{Prefix, PrefixSet};
use crate::jail::Settings;

/// How often is looked whether a file has changed.
const FILES_EVERY: Duration = Duration::from_secs(5);

/// How often names are looked up.
const NAMES_EVERY: Duration = Duration::from_secs(5 * 60);

/// While many names are looked up, what is known so far is handed on this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Larger files are no lists of addresses.
const LARGEST: u64 = 4 << 20;

/// What never fails, by jail.
pub(super) type Learned = BTreeMap<Arc<str>, PrefixSet>;

/// Who never fails in one jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    jail: Arc<str>,
    names: Vec<String>,
    files: Vec<PathBuf>,
}

/// The rules of all jails that have any.
pub(super) fn rules(jails: &[Settings]) -> Vec<Rule> {
    let rule = |jail: &Settings| Rule {
        jail: Arc::clone(&jail.name),
        names: jail.ignore_names.clone(),
        files: jail.ignore_files.clone(),
    };
    let rules = jails.iter().map(rule);
    rules.filter(|rule| !rule.names.is_empty() || !rule.files.is_empty()).collect()
}

/// New rules, and whom to tell once all is known.
pub(super) type Rules = (Vec<Rule>, SyncSender<()>);

/// What a file was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    seconds: i64,
    nanoseconds: i64,
    size: u64,
    inode: u64,
}

/// What is known of a name or of a file, and what was wrong with it last.
#[derive(Debug, Default)]
struct Known {
    prefixes: Vec<Prefix>,
    stamp: Option<Stamp>,
    trouble: Option<String>,
}

/// The state of the thread.
pub(super) struct Keeper {
    outside: Arc<Outside>,
    rules: Vec<Rule>,
    names: HashMap<String, Known>,
    files: HashMap<PathBuf, Known>,
    told: Learned,
    names_due: Instant,
}

impl Keeper {
    pub(super) fn new(outside: Arc<Outside>) -> Self {
        Self {
            outside,
            rules: Vec::new(),
            names: HashMap::new(),
            files: HashMap::new(),
            told: Learned::new(),
            names_due: Instant::now() + NAMES_EVERY,
        }
    }

    /// Works until whoever gives the rules is gone.
    pub(super) fn run(mut self, rules: &Receiver<Rules>) {
        loop {
            match rules.recv_timeout(FILES_EVERY) {
                Ok((rules, done)) => {
                    self.rules = rules;
                    self.read_files();
                    self.tell();
                    self.look_up_names();
                    // Nobody waits any more if it took too long.
                    let _ = done.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.read_files();
                    self.tell();
                    if Instant::now() >= self.names_due {
                        self.look_up_names();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look_up_names(&mut self) {
        let wanted: BTreeSet<&String> = self.rules.iter().flat_map(|rule| &rule.names).collect();
        self.names.retain(|name, _| wanted.contains(name));
        let wanted: Vec<String> = wanted.into_iter().cloned().collect();
        let mut told = Instant::now();
        for name in wanted {
            let found = self.outside.hosts.look_up(&name);
            let known = self.names.entry(name.clone()).or_default();
            match found {
                Ok(prefixes) => known.take(&name, prefixes),
                Err(failed) => known.fail(&name, &failed),
            }
            if told.elapsed() >= TOLD_EVERY {
                self.tell();
                told = Instant::now();
            }
        }
        self.tell();
        self.names_due = Instant::now() + NAMES_EVERY;
    }

    fn read_files(&mut self) {
        let wanted: BTreeSet<PathBuf> = self.rules.iter().flat_map(|rule| rule.files.clone()).collect();
        self.files.retain(|path, _| wanted.contains(path));
        for path in wanted {
            let known = self.files.entry(path.clone()).or_default();
            let shown = path.display().to_string();
            match read_if_changed(&path, known.stamp) {
                Ok(None) => {}
                Ok(Some((stamp, text))) => {
                    known.stamp = Some(stamp);
                    let (prefixes, wrong) = parse(&text);
                    known.take(&shown, prefixes);
                    if let Some((line, word)) = wrong {
                        warn!("{shown}:{line}: `{word}` is left out: it is no address and no network");
                    }
                }
                Err(failed) => known.fail(&shown, &failed),
            }
        }
    }

    /// Hands on what is known if that has changed.
    fn tell(&mut self) {
        let learned: Learned =
            self.rules.iter().map(|rule| (Arc::clone(&rule.jail), self.spared_by(rule))).collect();
        if learned != self.told {
            self.outside.send(Input::Learned(learned.clone()));
            self.told = learned;
        }
    }

    fn spared_by(&self, rule: &Rule) -> PrefixSet {
        let names = rule.names.iter().filter_map(|name| self.names.get(name));
        let files = rule.files.iter().filter_map(|path| self.files.get(path));
        names.chain(files).flat_map(|known| known.prefixes.iter().copied()).collect()
    }
}

impl Known {
    fn take(&mut self, what: &str, prefixes: Vec<Prefix>) {
        if self.trouble.take().is_some() {
            info!("{what}: is known again");
        }
        self.prefixes = prefixes;
    }

    /// Keeps what was known. The same trouble is told once.
    fn fail(&mut self, what: &str, failed: &io::Error) {
        let trouble = failed.to_string();
        if self.trouble.as_ref() != Some(&trouble) {
            let kept = self.prefixes.len();
            warn!(
                "{what}: `ignoreip` names it, and it can't be read or looked up: {trouble}; {kept} entries stay"
            );
            self.trouble = Some(trouble);
        }
        self.stamp = None;
    }
}

fn read_if_changed(path: &Path, before: Option<Stamp>) -> io::Result<Option<(Stamp, String)>> {
    let file = fs::metadata(path)?;
    if !file.is_file() {
        // Whatever else it is, reading it might never end.
        return Err(io::Error::other("it is not a plain file"));
    }
    let stamp =
        Stamp { seconds: file.mtime(), nanoseconds: file.mtime_nsec(), size: file.size(), inode: file.ino() };
    if before == Some(stamp) {
        return Ok(None);
    }
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(Some((stamp, String::from_utf8_lossy(&text).into_owned())))
}

/// The addresses and networks of a file, between blanks, commas and line feeds; `#` begins a comment. And the first thing
/// that is none, with its line.
fn parse(text: &str) -> (Vec<Prefix>, Option<(usize, &str)>) {
    let mut prefixes = Vec::new();
    let mut wrong = None;
    for (number, line) in text.lines().enumerate() {
        let entries = line.split(['#', ';']).next().unwrap_or_default();
        let words = entries.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        for word in words {
            match word.parse() {
                Ok(prefix) => prefixes.push(prefix),
                Err(_) => wrong = wrong.or(Some((number + 1, word))),
            }
        }
    }
    (prefixes, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_addresses_networks_and_comments() {
        let text =
            "# office\n192.0.2.1\n198.51.100.0/24, 2001:db8::/32 # both\n\n; 203.0.113.9\nnobody 192.0.2.2\n";
        let (prefixes, wrong) = parse(text);
        let shown: Vec<String> = prefixes.iter().map(Prefix::to_string).collect();
        assert_eq!(shown, ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32", "192.0.2.2"]);
        assert_eq!(wrong, Some((6, "nobody")));
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spared");
        assert!(read_if_changed(&path, None).is_err());
        fs::write(&path, "192.0.2.1").unwrap();
        let (stamp, text) = read_if_changed(&path, None).unwrap().unwrap();
        assert_eq!(text, "192.0.2.1");
        assert!(read_if_changed(&path, Some(stamp)).unwrap().is_none());
        fs::write(&path, "192.0.2.17").unwrap();
        assert!(read_if_changed(&path, Some(stamp)).unwrap().is_some());
        assert!(read_if_changed(folder.path(), None).is_err(), "a folder is no file");
    }
}
