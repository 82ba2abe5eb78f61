//! The systemd journal, read through `journalctl`. In come a query and the cursor that was kept; out come batches of
//! lines in the form of syslog, each with its time, and the cursor of the last entry of each batch.
//!
//! First `journalctl` is asked for the newest entry: what was written up to that one is caught up with. Then another
//! one follows the journal from the cursor on, and is started again whenever it ends.

mod child;
mod export;
mod query;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::child::{Heard, Running};
use self::query::Query;
use super::{Batch, Counters, Error, LogSource, Opened, Position, Settings, Start};

pub use export::{Entry, Export, Malformed};
pub(super) use query::{is_journal, matches};

const PROGRAM: &str = "journalctl";

/// The pause until a program that failed is started again.
const RETRY: Duration = Duration::from_secs(5);

/// How long the first question is waited for when the source is opened: what is logged from then on is new.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// No journal is older: systemd itself is not.
const OLDEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Lines that waited longer than this until they could be read were not written now.
const STALL: Duration = Duration::from_secs(30);

/// Whether the path says what is wanted of which journal.
pub(super) fn check(path: &str) -> Result<(), Error> {
    parse(path).map(|_| ())
}

fn parse(path: &str) -> Result<Query, Error> {
    Query::parse(path).map_err(|reason| Error::Path { path: path.to_owned(), reason })
}

/// Opens the journal behind the cursor that was kept.
pub(super) fn open(settings: &Settings, kept: Vec<Position>) -> Opened {
    let mut journal = Journal::new(settings, &kept, PROGRAM.into())?;
    journal.settle(FIRST_ANSWER);
    Ok(Box::new(journal))
}

/// The entries of a query.
struct Journal {
    source: Arc<str>,
    query: Query,
    program: OsString,
    start: Start,
    /// What is older than this matters to nobody.
    horizon: Option<Duration>,
    place: Place,
    /// The place changed since it was last handed on.
    moved: bool,
    phase: Phase,
    export: Export,
    /// Entries up to this one were there before it was followed.
    newest: Option<Entry>,
    /// All that came so far was read.
    drained: bool,
    /// When it was last read.
    left: Instant,
    counters: Arc<Counters>,
}

/// How far it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Never yet.
    Unknown,
    /// From its oldest entry on everything is still to be read.
    Beginning,
    /// Up to the entry with this cursor.
    Behind(String),
}

/// What is going on.
enum Phase {
    /// Nothing until then.
    Pause(Instant),
    /// It is asked for its newest entry.
    Asking(Running),
    /// Its entries are read. The first may be the one at the cursor, which was handed on before.
    Following(Running, Option<String>),
}

impl LogSource for Journal {
    fn read(&mut self, wait: Duration) -> Result<Option<Batch>, Error> {
        self.drained &= self.left.elapsed() <= STALL;
        let batch = self.next_batch(wait);
        self.left = Instant::now();
        Ok(batch)
    }

    fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }
}

impl Journal {
    fn new(settings: &Settings, kept: &[Position], program: OsString) -> Result<Self, Error> {
        let marker = kept.iter().find(|position| position.is_marker());
        let place = match marker.map(|marker| marker.path.to_string_lossy().into_owned()) {
            None => Place::Unknown,
            Some(cursor) if cursor.is_empty() => Place::Beginning,
            Some(cursor) => Place::Behind(cursor),
        };
        Ok(Self {
            source: settings.path.clone(),
            query: parse(&settings.path)?,
            program,
            start: settings.start,
            horizon: settings.horizon,
            place,
            moved: false,
            phase: Phase::Pause(Instant::now()),
            export: Export::default(),
            newest: None,
            drained: true,
            left: Instant::now(),
            counters: Arc::default(),
        })
    }

    /// Waits until it knows where to begin, but not for ever.
    fn settle(&mut self, wait: Duration) {
        let begin = Instant::now();
        if self.place == Place::Unknown {
            self.ask();
        }
        while matches!(self.phase, Phase::Asking(_)) && begin.elapsed() < wait {
            self.listen(wait.saturating_sub(begin.elapsed()));
        }
    }

    fn next_batch(&mut self, wait: Duration) -> Option<Batch> {
        let begin = Instant::now();
        loop {
            let left = wait.saturating_sub(begin.elapsed());
            let batch = match &self.phase {
                Phase::Pause(until) => {
                    let pause = until.saturating_duration_since(Instant::now());
                    if pause.is_zero() {
                        self.ask();
                    } else {
                        thread::sleep(pause.min(left));
                    }
                    None
                }
                Phase::Asking(_) => {
                    self.listen(left);
                    None
                }
                Phase::Following(..) => self.follow(left),
            };
            if batch.is_some() || wait <= begin.elapsed() {
                return batch;
            }
        }
    }

    /// Starts to ask for the newest entry.
    fn ask(&mut self) {
        self.newest = None;
        let since =
            if self.start == Start::Head || self.place != Place::Unknown { self.since() } else { None };
        let how = ["--lines=1"].into_iter().chain(since.as_deref());
        if let Some(asking) = self.run(&how.collect::<Vec<_>>()) {
            self.phase = Phase::Asking(asking);
        }
    }

    /// Leaves out what matters to nobody, unless it goes on from a cursor.
    fn since(&self) -> Option<String> {
        if matches!(self.place, Place::Behind(_)) {
            return None;
        }
        let horizon = self.horizon?.min(OLDEST);
        Some(format!("--since=-{}s", horizon.as_secs() + 1))
    }

    /// Starts the program for the query, or says why that is not possible and pauses.
    fn run(&mut self, how: &[&str]) -> Option<Running> {
        let (journal, matches) = self.query.arguments();
        // `--merge` keeps the entries of earlier boots in, which `--follow` would leave out.
        let fields = format!("--output-fields={}", export::FIELDS);
        let fixed = ["--output=export", "--all", "--no-pager", "--quiet", "--merge", &fields];
        let mut arguments: Vec<String> =
            fixed.iter().chain(how).map(|&argument| argument.to_owned()).collect();
        arguments.extend_from_slice(journal);
        arguments.push("--".to_owned());
        arguments.extend(matches.map(str::to_owned));
        self.export = Export::default();
        match Running::start(&self.program, &arguments) {
            Ok(running) => Some(running),
            Err(error) => {
                self.pause(unstarted(&error));
                None
            }
        }
    }

    fn pause(&mut self, problem: String) {
        self.phase = Phase::Pause(Instant::now() + RETRY);
        self.counters.set_followed(Vec::new());
        self.counters.set_problems([(Path::new(&*self.source).to_owned(), problem)].into());
    }

    /// Listens for the newest entry; once it is known, follows from where reading is to go on.
    fn listen(&mut self, wait: Duration) {
        let Phase::Asking(running) = &mut self.phase else { return };
        let ended = match hear_entries(running, &mut self.export, wait, |entry| {
            self.newest = Some(entry);
            true
        }) {
            Ok(Heard::End) => running.end(),
            Ok(_) => return,
            Err(problem) => return self.pause(problem),
        };
        match ended {
            (Ok(status), _) if status.success() => self.begin(),
            (status, complaint) => self.pause(explain(status, &complaint)),
        }
    }

    /// Follows from where reading is to go on.
    fn begin(&mut self) {
        if self.place == Place::Unknown {
            self.place = match &self.newest {
                Some(newest) if self.start == Start::Tail => Place::Behind(newest.cursor.clone()),
                _ => Place::Beginning,
            };
            self.moved = true;
        }
        let cursor = match &self.place {
            Place::Behind(cursor) => Some(cursor.clone()),
            _ => None,
        };
        if self.newest.as_ref().map(|newest| &newest.cursor) == cursor.as_ref() {
            self.newest = None;
        }
        // The entry at the cursor is asked for too: if it is gone, what comes first is the entry after it.
        let from = cursor.as_ref().map(|cursor| format!("--cursor={cursor}")).or_else(|| self.since());
        let how = ["--follow", "--no-tail"].into_iter().chain(from.as_deref());
        if let Some(following) = self.run(&how.collect::<Vec<_>>()) {
            self.phase = Phase::Following(following, cursor);
            self.counters.set_followed(vec![Path::new(&*self.source).to_owned()]);
            self.counters.set_problems([].into());
        }
    }

    /// The entries that come within `wait`.
    fn follow(&mut self, wait: Duration) -> Option<Batch> {
        let mut batch = Batch::new(self.source.clone(), self.is_live());
        // What is to be handed on anyway waits for nothing.
        let mut wait = if self.moved { Duration::ZERO } else { wait };
        let mut bytes = 0;
        let ended = loop {
            let heard = self.hear(&mut batch, wait, &mut bytes);
            self.drained |= matches!(heard, Ok(Heard::Nothing));
            match heard {
                Ok(Heard::Output) if batch.is_full() || batch.live != self.is_live() => break None,
                Ok(Heard::Output) => wait = Duration::ZERO,
                Ok(Heard::Nothing) => break None,
                Ok(Heard::End) => break Some(self.ended()),
                Err(problem) => break Some(problem),
            }
        };
        if let Some(problem) = ended {
            self.pause(problem);
        }
        self.counters.count(&batch, bytes);
        if std::mem::take(&mut self.moved) {
            batch.positions.push(self.position());
        }
        (!batch.positions.is_empty()).then_some(batch)
    }

    fn is_live(&self) -> bool {
        self.newest.is_none() && self.drained
    }

    /// Takes entries into the batch until that is full, or until what follows is no longer to be caught up with.
    fn hear(&mut self, batch: &mut Batch, wait: Duration, bytes: &mut u64) -> Result<Heard, String> {
        let Phase::Following(running, first) = &mut self.phase else {
            return Ok(Heard::Nothing);
        };
        let (place, newest, moved) = (&mut self.place, &mut self.newest, &mut self.moved);
        hear_entries(running, &mut self.export, wait, |entry| {
            let handed_on = first.take().is_some_and(|cursor| cursor == entry.cursor);
            if !handed_on {
                let from = batch.text().len();
                batch.push_timed(entry.time(), |text| entry.write_line(text));
                *bytes += (batch.text().len() - from) as u64;
                *moved = true;
            }
            let caught_up = newest
                .as_ref()
                .is_some_and(|newest| newest.cursor == entry.cursor || newest.received < entry.received);
            *place = Place::Behind(entry.cursor);
            if caught_up {
                *newest = None;
            }
            !caught_up && !batch.is_full()
        })
    }

    fn ended(&mut self) -> String {
        match &mut self.phase {
            Phase::Following(running, _) => {
                let (status, complaint) = running.end();
                explain(status, &complaint)
            }
            _ => String::new(),
        }
    }

    fn position(&self) -> Position {
        let cursor = match &self.place {
            Place::Behind(cursor) => cursor.as_str(),
            _ => "",
        };
        Position::marker(&self.source, cursor.into())
    }
}

/// Hands the entries that come within `wait` to `each`, until it says that it is enough.
fn hear_entries(
    running: &mut Running,
    export: &mut Export,
    wait: Duration,
    mut each: impl FnMut(Entry) -> bool,
) -> Result<Heard, String> {
    let heard = running
        .hear(wait)
        .map_err(|error| format!("{PROGRAM} cannot be read ({error}); starting it again"))?;
    let mut piece = running.unread();
    let mut go_on = true;
    while go_on && !piece.is_empty() {
        match export.next(&mut piece) {
            Ok(Some(entry)) => go_on = each(entry),
            Ok(None) => {}
            Err(malformed) => {
                return Err(format!(
                    "{malformed}; starting {PROGRAM} again, is it that of systemd 236 or later?"
                ));
            }
        }
    }
    let left = piece.len();
    running.leave(left);
    Ok(heard)
}

fn unstarted(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no {PROGRAM}: install systemd, or name the log files in `logpath` instead")
        }
        _ => format!("{PROGRAM} cannot be started ({error}); will try again"),
    }
}

/// What it means that the program has ended.
fn explain(status: io::Result<ExitStatus>, complaint: &str) -> String {
    let how = match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    if complaint.contains("ermission") {
        return format!(
            "{PROGRAM}: {complaint}; let banzone's user read the journal (add it to the group `systemd-journal`)"
        );
    }
    match complaint {
        "" => format!("{PROGRAM} has ended ({how}); starting it again"),
        complaint => format!("{PROGRAM} has ended ({how}: {complaint}); starting it again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// Instead of the program: prints what a file says, for the question or for what follows.
    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new() -> Self {
            let fake = Self(tempfile::tempdir().unwrap());
            let folder = fake.0.path().display().to_string();
            let script = format!(
                "#!/bin/sh\ncd {folder}\necho \"$*\" >>asked\ncase \"$*\" in *--follow*) . ./follow;; *) . ./newest;; esac\n"
            );
            fs::write(fake.program(), script).unwrap();
            fs::set_permissions(fake.program(), PermissionsExt::from_mode(0o700)).unwrap();
            fake
        }

        fn program(&self) -> PathBuf {
            self.0.path().join("journalctl")
        }

        /// A source that hears these entries and then what `last` prints.
        fn open(
            &self,
            newest: &str,
            follow: &[&str],
            last: &str,
            start: Start,
            kept: &[Position],
        ) -> Journal {
            let print = |names: &[&str]| names.iter().map(|name| printed(name)).collect::<String>();
            let newest = if newest.is_empty() { String::new() } else { print(&[newest]) };
            fs::write(self.0.path().join("newest"), newest).unwrap();
            fs::write(self.0.path().join("follow"), print(follow) + last).unwrap();
            let horizon = Some(Duration::from_secs(600));
            let settings = Settings { path: "journal:_COMM=x".into(), start, horizon };
            let mut journal = Journal::new(&settings, kept, self.program().into()).unwrap();
            journal.settle(FIRST_ANSWER);
            journal
        }

        fn asked(&self) -> String {
            fs::read_to_string(self.0.path().join("asked")).unwrap()
        }
    }

    /// Prints an entry of this name, a number, at that second.
    fn printed(name: &str) -> String {
        format!("printf '__CURSOR=c{name}\\n__REALTIME_TIMESTAMP={name}000000\\nMESSAGE=m{name}\\n\\n'\n")
    }

    /// All that comes until something is wrong: the lines that are not live, those that are, and the last cursor.
    fn read(journal: &mut Journal) -> (Vec<String>, Vec<String>, Option<PathBuf>) {
        let (mut old, mut live, mut cursor) = (Vec::new(), Vec::new(), None);
        while journal.counters.problems().is_empty() {
            let Some(batch) = journal.read(Duration::from_millis(20)).unwrap() else {
                continue;
            };
            let lines = if batch.live { &mut live } else { &mut old };
            for (line, time) in batch.lines().zip(batch.times()) {
                let line = String::from_utf8_lossy(line).into_owned();
                assert_eq!(format!("m{}", time.as_secs()), line);
                lines.push(line);
            }
            assert!(batch.positions.len() == 1 && batch.positions[0].is_marker());
            cursor = Some(batch.positions[0].path.clone());
        }
        (old, live, cursor)
    }

    #[track_caller]
    fn check(mut journal: Journal, old: &[&str], live: &[&str], cursor: Option<&str>) {
        let expected = (old.iter().copied(), live.iter().copied(), cursor.map(PathBuf::from));
        let found = read(&mut journal);
        assert!(found.0.iter().eq(expected.0) && found.1.iter().eq(expected.1), "{found:?}");
        assert_eq!(found.2, expected.2);
    }

    #[test]
    fn the_first_start_is_at_the_newest_or_the_oldest_entry() {
        let fake = Fake::new();
        check(fake.open("3", &["3", "4"], "", Start::Tail, &[]), &[], &["m4"], Some("c4"));
        let asked = fake.asked();
        assert!(asked.contains("--lines=1 --system -- _COMM=x\n"), "{asked}");
        assert!(asked.contains("--follow --no-tail --cursor=c3 --system -- _COMM=x\n"), "{asked}");
        check(fake.open("3", &["2", "3", "4"], "", Start::Head, &[]), &["m2", "m3"], &["m4"], Some("c4"));
        check(fake.open("", &["1"], "", Start::Tail, &[]), &[], &["m1"], Some("c1"));
        check(fake.open("", &[], "", Start::Tail, &[]), &[], &[], Some(""));
    }

    #[test]
    fn what_matters_to_nobody_is_not_asked_for() {
        let asked = |start, kept: &[Position]| {
            let fake = Fake::new();
            read(&mut fake.open("3", &["3", "4"], "", start, kept));
            let asked = fake.asked();
            asked.lines().map(|line| line.contains("--since=-601s")).collect::<Vec<_>>()
        };
        let kept = |cursor: &str| [Position::marker(&"journal:_COMM=x".into(), cursor.into())];
        // The newest entry, and those to follow.
        assert_eq!(asked(Start::Head, &[]), [true, true]);
        assert_eq!(asked(Start::Tail, &[]), [false, false], "behind the newest, however old it is");
        assert_eq!(asked(Start::Head, &kept("c3")), [false, false]);
        assert_eq!(asked(Start::Tail, &kept("")), [true, true]);
    }

    #[test]
    fn it_goes_on_behind_the_kept_cursor() {
        let fake = Fake::new();
        let kept = |cursor: &str| [Position::marker(&"journal:_COMM=x".into(), cursor.into())];
        let after = ["2", "3", "4"];
        check(fake.open("3", &after, "", Start::Tail, &kept("c2")), &["m3"], &["m4"], Some("c4"));
        // It is gone: what comes first was not read yet.
        check(fake.open("3", &after, "", Start::Tail, &kept("c1")), &["m2", "m3"], &["m4"], Some("c4"));
        // So is the one that was the newest.
        check(fake.open("3", &["4", "5"], "", Start::Tail, &kept("c1")), &["m4"], &["m5"], Some("c5"));
        check(fake.open("2", &["2", "3"], "", Start::Tail, &kept("c2")), &[], &["m3"], Some("c3"));
        check(fake.open("3", &["1", "3"], "", Start::Tail, &kept("")), &["m1", "m3"], &[], Some("c3"));
    }

    #[test]
    fn why_it_ended_is_told_and_it_is_not_started_at_once() {
        let fake = Fake::new();
        let check = |last: &str, expected: &str| {
            let mut journal = fake.open("", &["1"], last, Start::Tail, &[]);
            assert_eq!(read(&mut journal).1, ["m1"]);
            let problems = journal.counters.problems();
            let problem = &problems[Path::new("journal:_COMM=x")];
            assert!(problem.contains(expected), "{problem}");
            let times = fake.asked().lines().count();
            assert!(journal.read(Duration::from_millis(10)).unwrap().is_none());
            assert_eq!(fake.asked().lines().count(), times);
        };
        check("exit 3", "journalctl has ended (exit status: 3); starting it again");
        check("echo one >&2; echo two >&2; exit 1", "(exit status: 1: two); starting");
        check("echo 'Permission denied' >&2; exit 1", "add it to the group `systemd-journal`");
        check("echo MESSAGE=x; echo; exec sleep 1000", "export format");
    }

    #[test]
    fn without_the_program_it_says_so() {
        let settings = Settings { path: "journal:".into(), start: Start::Tail, horizon: None };
        let mut journal = Journal::new(&settings, &[], "/nonexistent/journalctl".into()).unwrap();
        journal.settle(FIRST_ANSWER);
        assert!(journal.read(Duration::ZERO).unwrap().is_none());
        assert!(
            journal.counters.problems()[Path::new("journal:")].starts_with("there is no journalctl: install")
        );
    }

    #[test]
    fn the_program_ends_with_the_source() {
        let fake = Fake::new();
        let mut journal = fake.open("", &["1"], "echo $$ >pid; exec sleep 1000", Start::Tail, &[]);
        while journal.read(Duration::from_secs(5)).unwrap().is_none() {}
        let pid = fake.0.path().join("pid");
        let pid = loop {
            match fs::read_to_string(&pid) {
                Ok(pid) if pid.ends_with('\n') => break pid,
                _ => thread::yield_now(),
            }
        };
        let process = Path::new("/proc").join(pid.trim());
        assert!(process.exists());
        drop(journal);
        assert!(!process.exists());
    }
}
