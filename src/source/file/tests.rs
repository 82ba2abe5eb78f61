//! Tests of the file source: what servers and logrotate do to logs, and what must come out.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use super::*;
use crate::source::{BATCH_LINES, Fingerprint, LINE_BYTES};

/// A folder with logs, a source that reads them, and what a store would keep.
struct World {
    folder: TempDir,
    settings: Settings,
    polling: bool,
    source: Option<FileSource>,
    committed: HashMap<(u64, u64), Position>,
    lines: Vec<String>,
}

impl World {
    fn new(pattern: &str, start: Start) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(pattern);
        Self {
            settings: Settings { path: path.to_str().unwrap().into(), start, horizon: None },
            folder,
            polling: false,
            source: None,
            committed: HashMap::new(),
            lines: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) -> File {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_and_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        File::options().write(true).open(self.path(from)).unwrap().set_len(0).unwrap();
    }

    fn source(&mut self) -> &mut FileSource {
        let kept = self.committed.values().cloned().collect();
        self.source.get_or_insert_with(|| {
            let watch = if self.polling { Watch::polling() } else { Watch::new() };
            FileSource::new(&self.settings, kept, watch).unwrap()
        })
    }

    /// The process dies: only what was committed is left.
    fn kill(&mut self) {
        self.source = None;
    }

    fn next(&mut self) -> Option<Batch> {
        self.source().read(Duration::ZERO).unwrap()
    }

    fn commit(&mut self, batch: &Batch) {
        self.lines.extend(batch.lines().map(|line| String::from_utf8_lossy(line).into_owned()));
        for position in &batch.positions {
            let key = (position.device, position.inode);
            if position.finished {
                self.committed.remove(&key);
            } else {
                self.committed.insert(key, position.clone());
            }
        }
    }

    /// Reads and commits all there is, and returns the new lines.
    fn read(&mut self) -> Vec<String> {
        while let Some(batch) = self.next() {
            self.commit(&batch);
        }
        std::mem::take(&mut self.lines)
    }

    #[track_caller]
    fn expect(&mut self, lines: &[&str]) {
        assert_eq!(self.read(), lines);
    }

    fn problem(&mut self, name: &str) -> String {
        let path = self.path(name);
        self.source().counters().problems().remove(&path).unwrap_or_default()
    }
}

#[test]
fn the_first_start_begins_where_it_is_told() {
    for (start, expected) in [(Start::Head, &["one", "two"][..]), (Start::Tail, &[])] {
        let mut world = World::new("mail.log", start);
        world.append("mail.log", "one\ntwo\nthr");
        world.expect(expected);
        world.append("mail.log", "ee\n");
        world.expect(&["three"]);
    }
}

#[test]
fn later_files_are_read_from_their_head() {
    for pattern in ["mail.log", "*.log"] {
        let mut world = World::new(pattern, Start::Tail);
        world.expect(&[]);
        world.append("mail.log", "one\n");
        world.expect(&["one"]);

        let mut world = World::new(pattern, Start::Tail);
        world.expect(&[]);
        world.kill();
        world.append("mail.log", "while dead\n");
        world.expect(&["while dead"]);
    }
}

#[test]
fn lines_written_while_dead_are_not_missed_after_a_start_at_the_tail() {
    let mut world = World::new("mail.log", Start::Tail);
    world.append("mail.log", "old\n");
    world.expect(&[]);
    world.kill();
    world.append("mail.log", "while dead\n");
    world.expect(&["while dead"]);
}

#[test]
fn only_lines_behind_the_end_are_live() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "old\n");
    let batch = world.next().unwrap();
    assert!(!batch.live && batch.len() == 1);
    world.append("mail.log", "new\n");
    assert!(world.next().unwrap().live);
    world.kill();
    assert!(!world.next().unwrap().live);
}

#[test]
fn a_file_that_appears_is_old_until_it_was_read_to_its_end() {
    let mut world = World::new("*.log", Start::Head);
    world.append("a.log", "old\n");
    assert!(!world.next().unwrap().live);
    world.append("a.log", "new\n");
    world.append("b.log", "restored from a backup\n");
    let batches = [world.next().unwrap(), world.next().unwrap()];
    let mut told = batches.each_ref().map(|batch| (batch.live, batch.lines().next().unwrap()));
    told.sort();
    assert_eq!(told, [(false, &b"restored from a backup"[..]), (true, &b"new"[..])]);
    world.append("b.log", "new\n");
    assert!(world.next().unwrap().live);
}

#[test]
fn missing_and_unfit_files_are_reported() {
    let mut world = World::new("mail*", Start::Head);
    fs::create_dir(world.path("mail.d")).unwrap();
    nix::unistd::mkfifo(&world.path("mail.fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.append("mail.1.gz", "not text\n");
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    assert!(world.problem("mail.d").contains("not a regular file"));
    assert!(world.problem("mail.fifo").contains("not a regular file"));
    assert_eq!(world.source().counters().followed(), [world.path("mail.log")]);

    let mut world = World::new("absent/mail.log", Start::Head);
    world.expect(&[]);
    assert!(world.problem("absent/mail.log").contains("waiting"));
    fs::create_dir(world.path("absent")).unwrap();
    world.append("absent/mail.log", "one\n");
    world.source().next_look = Instant::now();
    world.expect(&["one"]);
    assert_eq!(world.problem("absent/mail.log"), "");
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Runs as a user whom permissions hinder, which root is not. It concerns this thread only.
fn without_privilege(test: impl FnOnce() + Send) {
    let as_nobody = move || {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        test();
    };
    std::thread::scope(|scope| scope.spawn(as_nobody).join().unwrap());
}

#[test]
fn permission_is_waited_for() {
    // The file, or the folder it is in, cannot be read at first; what was there at the first start stays unread.
    for (hindered, mode, start, expected) in [
        ("", 0o755, Start::Tail, &["new"][..]),
        ("mail.log", 0o666, Start::Tail, &["new"]),
        ("mail.log", 0o666, Start::Head, &["old", "new"]),
    ] {
        let mut world = World::new("mail.log", start);
        world.append("mail.log", "old\n");
        allow(world.folder.path(), 0o755);
        allow(&world.path(hindered), 0);
        without_privilege(|| {
            world.expect(&[]);
            assert!(world.problem("mail.log").contains("permission denied"));
        });
        allow(&world.path(hindered), mode);
        allow(&world.path("mail.log"), 0o666);
        without_privilege(|| {
            world.source().next_look = Instant::now();
            let mut lines = world.read();
            world.append("mail.log", "new\n");
            lines.extend(world.read());
            assert_eq!(lines, expected, "{hindered}");
            assert_eq!(world.problem("mail.log"), "");
        });
    }
}

#[test]
fn files_out_of_sight_for_a_while_are_not_forgotten() {
    for pattern in ["mail.log", "*.log"] {
        let mut world = World::new(pattern, Start::Head);
        let mut log = world.append("mail.log", "one\n");
        world.append("mail.log.1", "older\n");
        let folder = world.folder.path().to_owned();
        allow(&folder, 0o755);
        without_privilege(|| world.expect(&["one"]));
        world.kill();
        allow(&folder, 0);
        without_privilege(|| {
            world.source().grace = Duration::ZERO;
            for _ in 0..3 {
                world.source().next_look = Instant::now();
                world.expect(&[]);
            }
        });
        allow(&folder, 0o755);
        log.write_all(b"two\n").unwrap();
        world.source().next_look = Instant::now();
        world.expect(&["two"]);
    }
}

#[test]
fn a_malformed_glob_is_refused() {
    let settings = Settings { path: "/var/log/[mail.log".into(), start: Start::Head, horizon: None };
    let error = open(&settings, Vec::new()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("/var/log/[mail.log: not a valid pattern"), "{error}");
}

#[test]
fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
    for pattern in ["mail.log", "*.log", "mail.log*"] {
        let mut world = World::new(pattern, Start::Head);
        let mut old = world.append("mail.log", "one\n");
        world.expect(&["one"]);
        old.write_all(b"two\n").unwrap();
        world.rename("mail.log", "mail.log.1");
        old.write_all(b"three\n").unwrap();
        world.append("mail.log", "four\n");
        world.expect(&["two", "three", "four"]);
        old.write_all(b"late\n").unwrap();
        world.expect(&["late"]);
        assert_eq!(world.source().counters().rotations.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}

#[test]
fn rotations_while_dead_are_caught_up_in_order() {
    for (pattern, names) in [
        ("mail.log", ["mail.log.3", "mail.log.2", "mail.log.1"]),
        ("mail.log*", ["mail.log.3", "mail.log.2", "mail.log.1"]),
        ("mail.*", ["mail-20261120.log", "mail-20261121.log", "mail-20261122.log"]),
        ("mail.log", ["mail.log-20261120", "mail.log-20261121", "mail.log-20261122"]),
    ] {
        let mut world = World::new(pattern, Start::Tail);
        world.append("mail.log.9", "long ago\n");
        world.append("mail.log", "before\n");
        world.expect(&[]);
        world.append("mail.log", "zero\n");
        world.expect(&["zero"]);
        world.kill();
        world.append("mail.log", "one\n");
        world.rename("mail.log", names[0]);
        for (text, name) in [("two\n", names[1]), ("three\n", names[2])] {
            world.append("mail.log", text);
            world.rename("mail.log", name);
        }
        world.append("mail.log", "four\n");
        world.expect(&["one", "two", "three", "four"]);
        world.kill();
        world.expect(&[]);
    }
}

#[test]
fn a_file_rotated_while_empty_is_followed() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    world.rename("mail.log", "mail.log.2");
    let mut middle = world.append("mail.log", "");
    world.rename("mail.log", "mail.log.1");
    world.append("mail.log", "three\n");
    world.expect(&["three"]);
    middle.write_all(b"two\n").unwrap();
    world.source().next_look = Instant::now();
    world.expect(&["two"]);
}

#[test]
fn a_rest_without_newline_is_handed_on_when_the_old_file_stays_quiet() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\ntwo");
    world.expect(&["one"]);
    world.rename("mail.log", "mail.log.1");
    world.append("mail.log", "three\n");
    world.expect(&["three"]);
    world.source().grace = Duration::ZERO;
    world.expect(&["two"]);
    assert_eq!(world.source().counters().followed().len(), 2);
    world.source().next_look = Instant::now();
    world.expect(&[]);
    assert_eq!(world.source().counters().followed(), [world.path("mail.log")]);
    // Its row stays as long as the file does, so that it is never taken for a new one.
    assert_eq!(world.committed.len(), 3);
    world.append("mail.log.1", "-late\n");
    world.source().next_look = Instant::now();
    world.expect(&["-late"]);
    fs::remove_file(world.path("mail.log.1")).unwrap();
    for _ in 0..3 {
        world.source().next_look = Instant::now();
        world.expect(&[]);
    }
    assert_eq!(world.committed.len(), 2);
}

#[test]
fn a_removed_file_is_read_to_its_end() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    let mut old = world.append("mail.log", "two\n");
    fs::remove_file(world.path("mail.log")).unwrap();
    old.write_all(b"three\n").unwrap();
    world.expect(&["two", "three"]);
    world.append("mail.log", "four\n");
    world.expect(&["four"]);
}

#[test]
fn a_file_replaced_by_another_is_read_to_its_end_before_that() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    world.append("mail.log", "two\n");
    world.append("mail.new", "three\n");
    world.rename("mail.new", "mail.log");
    world.expect(&["two", "three"]);
}

#[test]
fn a_truncated_file_is_read_from_its_head() {
    for text in ["2\n", "two, and longer than before\n"] {
        let mut world = World::new("mail.log", Start::Head);
        world.append("mail.log", "one\n");
        world.expect(&["one"]);
        fs::write(world.path("mail.log"), text).unwrap();
        world.expect(&[text.trim_end()]);
        world.kill();
        fs::write(world.path("mail.log"), "three, and longer than all before\n").unwrap();
        world.expect(&["three, and longer than all before"]);
    }
}

#[test]
fn what_was_not_read_before_a_truncation_is_read_from_the_copy() {
    for pattern in ["mail.log", "mail.log*"] {
        for dead in [false, true] {
            let mut world = World::new(pattern, Start::Head);
            world.append("mail.log", "one\n");
            world.expect(&["one"]);
            if dead {
                world.kill();
            }
            world.append("mail.log", "two\n");
            world.copy_and_truncate("mail.log", "mail.log.1");
            world.append("mail.log", "three\n");
            world.expect(&["two", "three"]);
            if dead {
                world.kill();
            }
            world.append("mail.log", "four\n");
            world.rename("mail.log.1", "mail.log.2");
            world.copy_and_truncate("mail.log", "mail.log.1");
            world.expect(&["four"]);
            world.append("mail.log", "five\n");
            world.expect(&["five"]);
        }
    }
}

#[test]
fn a_copy_being_made_is_left_alone() {
    for pattern in ["mail.log", "mail.log*"] {
        let mut world = World::new(pattern, Start::Head);
        let log = world.append("mail.log", "one\n");
        world.expect(&["one"]);
        world.append("mail.log", "two\n");
        world.append("mail.log.1", "");
        world.expect(&["two"]);
        world.append("mail.log.1", "one\ntw");
        world.expect(&[]);
        world.append("mail.log.1", "o\nthree\n");
        world.expect(&[]);
        world.append("mail.log", "three\n");
        log.set_len(0).unwrap();
        world.expect(&["three"]);
        world.append("mail.log", "four\n");
        world.expect(&["four"]);
    }
}

#[test]
fn a_log_copied_and_truncated_before_it_was_read_is_not_lost() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "");
    world.expect(&[]);
    world.append("mail.log", "one\n");
    world.copy_and_truncate("mail.log", "mail.log.1");
    world.expect(&["one"]);
}

#[test]
fn unpacked_old_logs_are_not_read() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    for text in ["", "long ago\n", "and more\n"] {
        world.append("mail.log.7", text);
        world.source().next_look = Instant::now();
        world.expect(&[]);
    }
    world.rename("mail.log", "mail.log.1");
    world.append("mail.log", "two\n");
    world.expect(&["two"]);
    world.kill();
    world.expect(&[]);
}

#[test]
fn another_file_with_the_same_inode_number_is_another_file() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    world.kill();
    // What a reused inode looks like: the number is known, the start is another.
    for position in world.committed.values_mut().filter(|position| position.inode != 0) {
        position.fingerprint = Fingerprint::of(b"four");
    }
    world.expect(&["one"]);
    world.kill();
    world.expect(&[]);
}

#[test]
fn a_file_system_may_get_another_device_number() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    world.expect(&["one"]);
    world.kill();
    let kept = std::mem::take(&mut world.committed);
    for (_, mut position) in kept {
        position.device = if position.inode == 0 { 0 } else { 424_242 };
        world.committed.insert((position.device, position.inode), position);
    }
    world.append("mail.log", "two\n");
    world.expect(&["two"]);
    assert!(world.committed.values().all(|position| position.device != 424_242));
}

#[test]
fn one_file_under_two_names_is_read_once() {
    let mut world = World::new("mail*", Start::Head);
    world.append("mail.log", "one\n");
    fs::hard_link(world.path("mail.log"), world.path("mail.link")).unwrap();
    std::os::unix::fs::symlink(world.path("mail.log"), world.path("mail.symlink")).unwrap();
    world.expect(&["one"]);
    world.append("mail.log", "two\n");
    world.expect(&["two"]);
    assert!(world.next().is_none());
}

#[test]
fn any_bytes_make_a_line() {
    let mut world = World::new("mail.log", Start::Head);
    fs::write(world.path("mail.log"), b"nul \0\xff\r\n\n\r\nlast\n").unwrap();
    let batch = world.next().unwrap();
    let lines: Vec<&[u8]> = batch.lines().collect();
    assert_eq!(lines, [b"nul \0\xff".as_slice(), b"", b"", b"last"]);
}

#[test]
fn endless_lines_are_cut_and_cost_no_memory() {
    let mut world = World::new("mail.log", Start::Head);
    world.append("mail.log", "one\n");
    let piece = "x".repeat(LINE_BYTES);
    for _ in 0..40 {
        world.append("mail.log", &piece);
    }
    world.expect(&["one"]);
    world.append("mail.log", "end\ntwo\n");
    let lines = world.read();
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES, 3]);
    assert!(lines == [piece.as_str(), "two"]);
    assert_eq!(world.source().counters().cut_lines.load(std::sync::atomic::Ordering::Relaxed), 1);
    world.kill();
    world.expect(&[]);
}

#[test]
fn batches_are_bounded_and_lose_nothing() {
    let mut world = World::new("*.log", Start::Head);
    let text: String = (0..40_000).map(|number| format!("{number}\n")).collect();
    world.append("a.log", &text);
    world.append("b.log", &text);
    let mut count = 0;
    while let Some(batch) = world.next() {
        assert!(batch.len() <= BATCH_LINES);
        count += batch.len();
    }
    assert_eq!(count, 80_000);
    assert_eq!(
        world.source().counters().bytes.load(std::sync::atomic::Ordering::Relaxed),
        2 * text.len() as u64
    );
}

#[test]
fn too_many_files_are_reported_and_the_newest_read() {
    let mut world = World::new("*.log", Start::Tail);
    for number in 0..MAX_OPEN + 10 {
        world.append(&format!("{number}.log"), "");
    }
    world.append("newest.log", "old\n");
    world.expect(&[]);
    assert_eq!(world.source().counters().followed().len(), MAX_OPEN);
    let problems = world.source().counters().problems();
    assert!(problems.values().any(|problem| problem.contains("narrow the pattern")), "{problems:?}");
    world.append("newest.log", "one\n");
    world.expect(&["one"]);
}

#[test]
fn polling_finds_the_same() {
    let mut world = World::new("mail.log", Start::Head);
    world.polling = true;
    let mut old = world.append("mail.log", "one\n");
    world.expect(&["one"]);
    old.write_all(b"two\n").unwrap();
    world.rename("mail.log", "mail.log.1");
    world.append("mail.log", "three\n");
    world.expect(&["two", "three"]);
    old.write_all(b"late\n").unwrap();
    world.expect(&["late"]);
}

#[test]
fn a_write_ends_the_wait() {
    let mut world = World::new("mail.log", Start::Head);
    let mut log = world.append("mail.log", "");
    world.expect(&[]);
    let mut source = world.source.take().unwrap();
    let begin = Instant::now();
    let reader = std::thread::spawn(move || source.read(Duration::from_secs(30)).unwrap().unwrap().len());
    log.write_all(b"one\n").unwrap();
    assert_eq!(reader.join().unwrap(), 1);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// How logs are rotated in a run of the stress test.
#[derive(Clone, Copy, Debug)]
enum Rotation {
    Numbers,
    Dates,
    Copies,
}

/// A writer that numbers its lines.
struct Writer {
    rotation: Rotation,
    log: File,
    next: u64,
    rotations: usize,
}

impl Writer {
    fn new(world: &World, rotation: Rotation) -> Self {
        Self { rotation, log: world.append("mail.log", ""), next: 0, rotations: 0 }
    }

    fn write(&mut self, random: &mut StdRng) {
        for _ in 0..random.random_range(1..20) {
            let line = format!("line number {}\n", self.next);
            self.next += 1;
            // Now and then in two pieces.
            let middle = random.random_range(0..line.len());
            self.log.write_all(&line.as_bytes()[..middle]).unwrap();
            self.log.write_all(&line.as_bytes()[middle..]).unwrap();
        }
    }

    fn rotate(&mut self, folder: &Path, random: &mut StdRng) {
        self.rotations += 1;
        let name = |number: usize| folder.join(format!("mail.log.{number}"));
        let log = folder.join("mail.log");
        if !matches!(self.rotation, Rotation::Dates) {
            for number in (1..self.rotations).rev().filter(|number| name(*number).exists()) {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
        }
        match self.rotation {
            Rotation::Numbers => fs::rename(&log, name(1)).unwrap(),
            Rotation::Dates => {
                let dated = format!("mail.log-{:08}", 20_260_000 + self.rotations);
                fs::rename(&log, folder.join(dated)).unwrap();
            }
            Rotation::Copies => {
                fs::copy(&log, name(1)).unwrap();
                self.log.set_len(0).unwrap();
                return;
            }
        }
        if random.random_bool(0.3) {
            self.write(random);
        }
        self.log = OpenOptions::new().append(true).create(true).open(&log).unwrap();
    }
}

/// Removes rotated files whose lines are all committed, half of them by compressing: their inode numbers come back.
fn expire(world: &World, random: &mut StdRng) {
    let committed: HashSet<&str> = world.lines.iter().map(String::as_str).collect();
    for entry in fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "mail.log" || name.ends_with(".gz") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        if text.lines().all(|line| committed.contains(line)) {
            if random.random_bool(0.5) {
                fs::write(path.with_file_name(format!("{name}.gz")), b"compressed").unwrap();
            }
            fs::remove_file(&path).unwrap();
        }
    }
}

fn expect_each_once(world: &World, count: u64, context: &str) {
    let mut numbers: Vec<u64> =
        world.lines.iter().map(|line| line.strip_prefix("line number ").unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    let wrong = numbers.iter().zip(0..).find(|(number, expected)| **number != *expected);
    assert_eq!((wrong, numbers.len() as u64), (None, count), "{context}");
}

/// The steps of writer and reader in a random but repeatable order, with the process dying between any two of them.
fn stress(seed: u64, pattern: &str, rotation: Rotation) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::new(pattern, Start::Head);
    // Closing inotify takes the kernel milliseconds, so most runs go without.
    world.polling = !seed.is_multiple_of(8);
    let mut writer = Writer::new(&world, rotation);
    // What was rotated before the first start is none of its business.
    world.expect(&[]);
    for _ in 0..200 {
        match random.random_range(0..100) {
            0..40 => writer.write(&mut random),
            40..55 => writer.rotate(world.folder.path(), &mut random),
            55..62 => world.kill(),
            62..65 => expire(&world, &mut random),
            65..72 => {
                // Read, but killed before the commit.
                world.next();
                world.kill();
            }
            _ => {
                if let Some(batch) = world.next() {
                    world.commit(&batch);
                }
            }
        }
    }
    while let Some(batch) = world.next() {
        world.commit(&batch);
    }
    expect_each_once(&world, writer.next, &format!("{seed} {pattern} {rotation:?}"));
}

#[test]
fn every_line_is_counted_once_whatever_happens() {
    for seed in 0..6 {
        for rotation in [Rotation::Numbers, Rotation::Dates, Rotation::Copies] {
            for pattern in ["mail.log", "mail.log*"] {
                stress(seed, pattern, rotation);
            }
        }
    }
}

/// The same with a writer that does not wait for the reader.
#[test]
fn every_line_is_counted_once_while_logs_are_rotated() {
    for (seed, pattern, rotation) in [
        (1, "mail.log", Rotation::Numbers),
        (2, "mail.log", Rotation::Dates),
        (3, "mail.log*", Rotation::Numbers),
        (4, "*.log", Rotation::Numbers),
    ] {
        let mut world = World::new(pattern, Start::Head);
        let mut writer = Writer::new(&world, rotation);
        world.expect(&[]);
        let folder = world.folder.path().to_owned();
        let thread = std::thread::spawn(move || {
            let mut random = StdRng::seed_from_u64(seed);
            for _ in 0..1500 {
                writer.write(&mut random);
                if random.random_bool(0.03) {
                    writer.rotate(&folder, &mut random);
                }
            }
            writer.next
        });
        let mut random = StdRng::seed_from_u64(seed);
        let mut done = false;
        loop {
            match world.next() {
                Some(batch) if random.random_bool(0.8) => world.commit(&batch),
                Some(_) => world.kill(),
                None if done => break,
                None => done = thread.is_finished(),
            }
            if random.random_bool(0.05) {
                world.kill();
                done = false;
            }
        }
        expect_each_once(&world, thread.join().unwrap(), &format!("{seed} {pattern} {rotation:?}"));
    }
}
