//! rbldnsd's command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::daemon::data_files::{Set, Settings, StatisticsSettings};
use crate::dataset::{self, Options};
use crate::dns::QueryLogSettings;
use crate::zone::StaticList;

/// Options with something behind them.
const WITH_VALUE: &str = "urwtcblsxXpF";

/// Options by themselves.
const ALONE: &str = "neqf46vaAdCh";

/// The port where none is given.
const PORT: &str = "53";

/// The time to live where none is given.
const TTL: u32 = 35 * 60;

/// How often files are looked at where that is not given.
const CHECK: u32 = 60;

/// Who to become where that is not given.
const USER: &str = "rbldns";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To serve, and notes on what has no effect.
    Serve(Box<Settings>, Vec<String>),
    /// To be told the options.
    Help,
}

/// Options as they stand on the command line.
#[derive(Default)]
struct Given {
    values: Vec<(char, String)>,
    words: Vec<String>,
}

/// Reads a command line.
pub(super) fn read(words: &[String]) -> Result<Asked, String> {
    let given = Given::read(words)?;
    if given.has('h') {
        return Ok(Asked::Help);
    }
    let folder = given.folder();
    let (ttl, bounds) = given.ttl()?;
    let options = Options { clear_host_bits: given.has('e'), ttl: bounds, ..Options::default() };
    let check = seconds(given.last('c').unwrap_or(&format!("{CHECK}s")))?;
    let user = given.last('u').unwrap_or(USER);
    let settings = Settings {
        listen: given.listen()?,
        user: user.split(':').next().unwrap_or(user).to_owned(),
        sets: given.sets(&folder, &options)?,
        ttl: Duration::from_secs(ttl.into()),
        check: (check > 0).then(|| Duration::from_secs(check.into())),
        options,
        query_log: given.last('l').map(|written| query_log(written, &folder)),
        statistics: given.last('s').map(|written| statistics(written, &folder)),
        pid_file: given.last('p').map(PathBuf::from),
    };
    Ok(Asked::Serve(Box::new(settings), given.notes()))
}

impl Given {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut given = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") => given.words.extend(words.by_ref().cloned()),
                Some(letters) if !letters.is_empty() => given.read_letters(letters, &mut words)?,
                _ => given.words.push(word.clone()),
            }
        }
        Ok(given)
    }

    /// Letters may stand together, and what an option takes may stand right behind it.
    fn read_letters<'a>(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let behind = &letters[at + letter.len_utf8()..];
            if ALONE.contains(letter) {
                self.values.push((letter, String::new()));
            } else if WITH_VALUE.contains(letter) {
                let mut next = || words.next().cloned();
                let value = if behind.is_empty() { next() } else { Some(behind.to_owned()) };
                self.values
                    .push((letter, value.ok_or_else(|| format!("-{letter} needs something behind it"))?));
                return Ok(());
            } else {
                return Err(format!("there is no option -{letter}; -h lists them"));
            }
        }
        Ok(())
    }

    fn has(&self, letter: char) -> bool {
        self.values.iter().any(|(known, _)| *known == letter)
    }

    fn all(&self, letter: char) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(known, _)| *known == letter).map(|(_, value)| value.as_str())
    }

    fn last(&self, letter: char) -> Option<&str> {
        self.all(letter).last()
    }

    fn listen(&self) -> Result<Vec<SocketAddr>, String> {
        let mut listen = Vec::new();
        for written in self.all('b') {
            let (host, port) = written.split_once('/').unwrap_or((written, PORT));
            let port: u16 = port.parse().map_err(|_| format!("-b {written}: {port} is no port"))?;
            let found = (host, port).to_socket_addrs().map_err(|error| format!("-b {written}: {error}"))?;
            listen.extend(found.filter(|address| self.is_family(address)));
        }
        listen.sort();
        listen.dedup();
        if listen.is_empty() {
            Err("there is no address to listen on: give one with -b address/port".to_owned())
        } else {
            Ok(listen)
        }
    }

    fn is_family(&self, address: &SocketAddr) -> bool {
        (address.is_ipv4() || !self.has('4')) && (address.is_ipv6() || !self.has('6'))
    }

    /// The default time to live, and the bounds of others.
    fn ttl(&self) -> Result<(u32, (u32, u32)), String> {
        let mut parts = self.last('t').unwrap_or_default().split(':');
        let mut next = |default| match parts.next() {
            None | Some("") => Ok(default),
            Some(written) => seconds(written),
        };
        Ok((next(TTL)?.max(1), (next(0)?, next(u32::MAX)?)))
    }

    /// Where the files are: below the root that is given, in the folder that is given.
    fn folder(&self) -> Folder {
        let root = self.last('r').map(PathBuf::from);
        let inside = self.last('w').map_or_else(PathBuf::new, PathBuf::from);
        Folder { root, inside }
    }

    fn sets(&self, folder: &Folder, options: &Options) -> Result<Vec<Set>, String> {
        let sets = self.words.iter().map(|word| set(word, folder, options));
        let sets: Vec<Set> = sets.collect::<Result<_, _>>()?;
        if sets.is_empty() {
            Err("there is no zone: write name:type:file,file...".to_owned())
        } else {
            Ok(sets)
        }
    }

    /// What is said of options that are taken and do nothing.
    fn notes(&self) -> Vec<String> {
        let note = |letter: char, text: &str| self.has(letter).then(|| format!("-{letter}: {text}"));
        let notes = [
            note(
                'r',
                "files are looked for below this folder, but it does not become the root; a service manager can do that",
            ),
            note('A', "name servers are told only to those who ask for them"),
            note('x', "there are no extensions"),
            note('d', "zones are not dumped"),
            (!self.has('n')).then(|| "this stays in the foreground, as with -n".to_owned()),
        ];
        notes.into_iter().flatten().collect()
    }
}

/// Where files are.
struct Folder {
    root: Option<PathBuf>,
    inside: PathBuf,
}

impl Folder {
    fn path(&self, file: &str) -> PathBuf {
        let path = self.inside.join(file);
        match &self.root {
            None => path,
            Some(root) => root.join(without_root(&path)),
        }
    }
}

/// `[+]file`, where `-` is standard output and `+` has every line written at once.
fn query_log(written: &str, folder: &Folder) -> QueryLogSettings {
    let (is_flushed, file) = with_plus(written);
    let path = (file != "-").then(|| folder.path(file));
    QueryLogSettings { path, sample: 1, is_flushed }
}

/// `[+]file`, where `+` has each line count from the one before.
fn statistics(written: &str, folder: &Folder) -> StatisticsSettings {
    let (is_delta, file) = with_plus(written);
    StatisticsSettings { path: folder.path(file), is_delta }
}

fn with_plus(written: &str) -> (bool, &str) {
    written.strip_prefix('+').map_or((false, written), |file| (true, file))
}

fn without_root(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::RootDir)).collect()
}

/// `name:type:file,file...`. Without a name it is for all zones.
fn set(word: &str, folder: &Folder, options: &Options) -> Result<Set, String> {
    let mut parts = word.splitn(3, ':');
    let (Some(name), Some(kind), Some(files)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("{word}: write name:type:file,file..."));
    };
    let origin = match name {
        "" => None,
        name => Some(name.parse().map_err(|error| format!("{word}: {error}"))?),
    };
    let files: Vec<PathBuf> =
        files.split(',').filter(|file| !file.is_empty()).map(|file| folder.path(file)).collect();
    if files.is_empty() {
        return Err(format!("{word}: there is no file"));
    }
    let settings = dataset::Settings { kind: kind.to_owned(), files, options: options.clone() };
    Ok(Set { origin, list: StaticList { settings, allow_reserved: None, sublist: None } })
}

/// A number of seconds, or one with a unit behind it.
fn seconds(written: &str) -> Result<u32, String> {
    dataset::seconds(written.as_bytes())
        .ok_or_else(|| format!("{written} is no time: write a number, and s, m, h, d or w behind it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line: &str) -> Result<Settings, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match read(&words)? {
            Asked::Serve(settings, _) => Ok(*settings),
            Asked::Help => Err("help".to_owned()),
        }
    }

    #[test]
    fn options_are_written_as_for_rbldnsd() {
        let read =
            settings("-n -b 127.0.0.1/5300 -b::1/53 -t 1h:60:1d -c0 -e bl.example:ip4set:one,two :acl:acl")
                .unwrap();
        let listen: Vec<String> = read.listen.iter().map(SocketAddr::to_string).collect();
        assert_eq!(listen, ["127.0.0.1:5300", "[::1]:53"]);
        assert_eq!((read.ttl.as_secs(), read.check, read.options.ttl), (3600, None, (60, 86_400)));
        assert!(read.options.clear_host_bits);
        assert_eq!(read.sets[0].list.settings.files, [PathBuf::from("one"), PathBuf::from("two")]);
        assert_eq!((read.sets[1].origin.clone(), &*read.sets[1].list.settings.kind), (None, "acl"));
        let read = settings("-nr/var/lib -w /rbldns -b 127.0.0.1 bl.example:ip4set:/data/x,y").unwrap();
        assert_eq!(
            read.sets[0].list.settings.files,
            [PathBuf::from("/var/lib/data/x"), PathBuf::from("/var/lib/rbldns/y")]
        );
        assert_eq!(
            (read.ttl.as_secs(), read.check, &*read.user),
            (2100, Some(Duration::from_secs(60)), "rbldns")
        );
        let read = settings("-w /d -l+log -s stats -p /run/x.pid -b 127.0.0.1 x.example:ip4set:f").unwrap();
        let log = QueryLogSettings { path: Some("/d/log".into()), sample: 1, is_flushed: true };
        let statistics = StatisticsSettings { path: "/d/stats".into(), is_delta: false };
        assert_eq!((read.query_log, read.statistics), (Some(log), Some(statistics)));
        assert_eq!(read.pid_file, Some("/run/x.pid".into()));
        let read = settings("-l - -s +stats -b 127.0.0.1 x.example:ip4set:f").unwrap();
        assert_eq!(read.query_log, Some(QueryLogSettings { path: None, sample: 1, is_flushed: false }));
        assert!(read.statistics.unwrap().is_delta);
        assert_eq!(settings("-4 -b localhost/53 x.example:ip4set:f").unwrap().listen.len(), 1);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, expected) in [
            ("-n", "there is no address"),
            ("-b 127.0.0.1", "there is no zone"),
            ("-b 127.0.0.1/x z.example:ip4set:f", "is no port"),
            ("-b 127.0.0.1 z.example", "write name:type:file"),
            ("-b 127.0.0.1 z.example:ip4set:", "there is no file"),
            ("-Z", "there is no option -Z"),
            ("-b", "needs something"),
            ("-t soon -b 127.0.0.1 z.example:ip4set:f", "is no time"),
            ("-h", "help"),
        ] {
            let error = settings(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
