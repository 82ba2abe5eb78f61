//! Bringing what is known of the files up to date with what is there: which file has moved, which is new and where to
//! begin in it, which was truncated and where its rest was copied to, which is gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::listing::{self, Found, Identity, Listing, Modified, explain};
use super::names::age;
use super::record::{Record, last_line_start, read_head};
use super::{FileSource, LOOK_INTERVAL, MAX_OPEN};
use crate::source::{Fingerprint, Start};

/// What became of the file that was known under the name of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It is not there, or was truncated.
    Gone,
    /// It was renamed, and last written to at this time.
    Moved(Modified),
    /// It is still there.
    Stands,
}

/// A file that no longer is what it was: what was still to be read of it may be in a copy.
struct Lost {
    path: PathBuf,
    offset: u64,
    fingerprint: Fingerprint,
}

/// Where to begin in a file not known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Head,
    /// Behind the last complete line.
    Tail,
    /// Nothing of it is to be read, but it is known from now on.
    End,
    /// Not yet: it is empty, or a copy being made.
    Later,
}

/// What one look at the file system says about the files known so far.
#[derive(Default)]
struct Look {
    fates: HashMap<PathBuf, Fate>,
    lost: Vec<Lost>,
    unknown: Vec<Found>,
    problems: BTreeMap<PathBuf, String>,
}

impl FileSource {
    /// Looks at the file system and draws the conclusions.
    pub(super) fn look(&mut self, now: Instant) {
        let names = self.records.iter().map(|record| (record.path.clone(), record.identity));
        let known: HashMap<PathBuf, Identity> = names.collect();
        let Some(listing) = self.list_watched(&known) else {
            // Files are being renamed at this very moment, so the next look is due at once.
            return;
        };
        self.next_look = now + LOOK_INTERVAL;
        if !self.started {
            self.unopened = listing.denied;
        }
        let mut look = Look { problems: listing.problems, ..Look::default() };
        self.revisit(listing.files, &listing.unsure, &mut look, now);
        self.find_copies(&mut look, now);
        for found in std::mem::take(&mut look.unknown) {
            self.meet(&found, &mut look, now);
        }
        self.started = true;
        self.drop_missing(now);
        self.records.sort_by(|one, other| order(one).cmp(&order(other)));
        self.report(look.problems);
    }

    /// Lists folders that are watched already, so that nothing happens unnoticed between listing and watching.
    fn list_watched(&mut self, known: &HashMap<PathBuf, Identity>) -> Option<Listing> {
        let listing = self.pattern.list(known)?;
        for folder in &listing.folders {
            self.watch.directory(folder);
        }
        if listing.folders.is_subset(&self.folders) {
            return Some(listing);
        }
        self.folders.clone_from(&listing.folders);
        self.pattern.list(known)
    }

    /// Finds the known files again, under whatever name.
    fn revisit(&mut self, files: Vec<Found>, unsure: &BTreeSet<PathBuf>, look: &mut Look, now: Instant) {
        let mut places = HashMap::new();
        for (index, record) in self.records.iter_mut().enumerate() {
            places.insert(record.identity, index);
            look.fates.insert(record.path.clone(), Fate::Gone);
            if !unsure.iter().any(|folder| record.path.starts_with(folder)) {
                record.missing.get_or_insert(now);
            }
        }
        // The last is the log written to most recently: it must be among those that can be open.
        for mut found in files.into_iter().rev() {
            self.adopt_device(&found, &mut places);
            let known = places.remove(&found.identity);
            found.was_empty = known.is_some_and(|index| self.records[index].was_empty());
            if known.is_none_or(|index| !self.recognise(index, &found, look, now)) {
                look.unknown.push(found);
            }
        }
        for record in self.records.iter_mut().filter(|record| record.missing.is_some()) {
            // Removed or moved elsewhere, but perhaps still written to: an open file is asked.
            record.is_log = false;
            if let Some(tail) = &mut record.tail {
                tail.ready = true;
            }
        }
        self.records.retain(|record| !record.replaced);
    }

    /// Some file systems get another device number at each mount; the inode and the first bytes stay.
    fn adopt_device(&mut self, found: &Found, places: &mut HashMap<Identity, usize>) {
        let is_unseen = |record: &Record| record.modified.is_none() && record.fingerprint.length > 0;
        if places.contains_key(&found.identity) || !self.records.iter().any(is_unseen) {
            return;
        }
        let same = |record: &Record| is_unseen(record) && record.identity.inode == found.identity.inode;
        let Some(index) = self.records.iter().position(same) else {
            return;
        };
        let head = listing::open(&found.path).and_then(|file| read_head(&file));
        let record = &mut self.records[index];
        if head.is_ok_and(|head| record.fingerprint.matches(&head)) {
            places.remove(&record.identity);
            self.gone.push(record.position(&self.source, true));
            record.identity = found.identity;
            record.changed = true;
            places.insert(found.identity, index);
        }
    }

    /// Takes over the present name and time of a known file, and opens it if there may be something to read. False:
    /// it is not the file it was.
    fn recognise(&mut self, index: usize, found: &Found, look: &mut Look, now: Instant) -> bool {
        let record = &mut self.records[index];
        if record.ignored {
            record.advance(found.size);
        }
        if found.was_empty && found.base.is_some() && found.size > 0 {
            // The inode alone does not tell it from a copy, which often gets the inode of a file just removed.
            self.forget(index);
            return false;
        }
        let written = record.modified != Some(found.modified) || record.size != found.size;
        let same = !record.is_truncated() && (!written || self.examine(index, found, look, now));
        if same {
            self.update(index, found, look, written);
        } else {
            self.lose(index, look);
        }
        same
    }

    /// Looks into a file that was written to. False: it is not the file it was.
    fn examine(&mut self, index: usize, found: &Found, look: &mut Look, now: Instant) -> bool {
        let examined = match self.records[index].is_open() {
            true => self.records[index].is_whole(),
            false => self.reopen(index, found, look, now),
        };
        // Without a time it is examined again at the next look.
        self.records[index].modified = examined.is_ok().then_some(found.modified);
        if let Err(error) = &examined
            && found.matched
        {
            look.problems.insert(found.path.clone(), explain(error));
        }
        examined.unwrap_or(true)
    }

    fn reopen(&mut self, index: usize, found: &Found, look: &mut Look, now: Instant) -> io::Result<bool> {
        self.make_room(look)?;
        let (file, head) = open_found(found)?;
        let record = &mut self.records[index];
        if found.size < record.offset || !record.is_known_by(&head) {
            return Ok(false);
        }
        if found.base.is_none() || found.size > record.offset {
            let watch = self.watch.file(&file);
            self.records[index].wake(file, watch, now);
        }
        Ok(true)
    }

    fn update(&mut self, index: usize, found: &Found, look: &mut Look, written: bool) {
        let record = &mut self.records[index];
        let moved = record.path != found.path;
        let fate = if moved { Fate::Moved(found.modified) } else { Fate::Stands };
        let known = look.fates.entry(record.path.clone()).or_insert(fate);
        *known = fate.max(*known);
        if moved && found.base.as_ref() == Some(&record.path) {
            self.counters.rotations.fetch_add(1, Relaxed);
        }
        record.path.clone_from(&found.path);
        record.changed |= moved;
        record.size = found.size;
        record.is_log = found.base.is_none();
        record.missing = None;
        if let Some(tail) = &mut record.tail {
            tail.ready |= written;
        }
    }

    /// Forgets a file whose identity now means other content.
    fn lose(&mut self, index: usize, look: &mut Look) {
        let record = &self.records[index];
        look.lost.push(Lost {
            path: record.path.clone(),
            offset: record.offset,
            fingerprint: record.fingerprint,
        });
        self.forget(index);
        self.counters.rotations.fetch_add(1, Relaxed);
    }

    fn forget(&mut self, index: usize) {
        self.close(index);
        let record = &mut self.records[index];
        record.replaced = true;
        self.gone.push(record.position(&self.source, true));
    }

    /// What was not yet read of a truncated log is in the copy made before: that is read on from the same place.
    fn find_copies(&mut self, look: &mut Look, now: Instant) {
        for lost in std::mem::take(&mut look.lost) {
            let is_copy = |found: &Found| {
                let rotated = found.base.as_ref() == Some(&lost.path) && found.size >= lost.offset;
                rotated && lost.fingerprint.length > 0 && starts_as(found, lost.fingerprint)
            };
            let Some(index) = look.unknown.iter().position(is_copy) else {
                continue;
            };
            let copy = look.unknown.remove(index);
            self.follow(&copy, lost.offset, look, now);
            look.fates.insert(lost.path, Fate::Moved(copy.modified));
        }
    }

    /// Begins with a file not known before.
    fn meet(&mut self, found: &Found, look: &mut Look, now: Instant) {
        let begin = self.begin(found, look);
        let offset = match begin {
            Begin::Later => return,
            Begin::Head => 0,
            Begin::End => found.size,
            Begin::Tail => last_line(found).unwrap_or(found.size),
        };
        self.follow(found, offset, look, now);
        if let Some(record) = self.records.last_mut() {
            record.ignored = self.started && begin == Begin::End;
        }
    }

    fn begin(&self, found: &Found, look: &Look) -> Begin {
        let log = found.base.as_ref().unwrap_or(&found.path);
        let first = !self.started || self.unopened.contains(log);
        match &found.base {
            _ if first && !found.matched && found.size == 0 => Begin::Later,
            _ if first && !found.matched => Begin::End,
            _ if first && self.start == Start::Tail => Begin::Tail,
            Some(log) if !first => self.begin_rotated(found, log, look),
            _ => Begin::Head,
        }
    }

    /// Files that were rotated before they were ever seen are read whole. Others that appear beside a log are copies
    /// of it, or old ones that somebody unpacks.
    fn begin_rotated(&self, found: &Found, log: &Path, look: &Look) -> Begin {
        let other = if found.matched || found.was_empty { Begin::Head } else { Begin::End };
        match look.fates.get(log) {
            Some(Fate::Stands) => match self.kinship(found, log) {
                Kinship::Copy => Begin::Later,
                Kinship::Heir => Begin::Head,
                Kinship::Other => other,
            },
            Some(Fate::Moved(modified)) if found.modified < *modified => other,
            _ => Begin::Head,
        }
    }

    fn kinship(&self, found: &Found, log: &Path) -> Kinship {
        let is_log = |record: &&Record| record.path == log && !record.replaced && record.missing.is_none();
        match self.records.iter().find(is_log) {
            _ if found.size == 0 => Kinship::Copy,
            Some(record) => kinship(record, found),
            None => Kinship::Other,
        }
    }

    /// Begins to follow a file at an offset. One that cannot be opened is remembered as well: by the next look it may
    /// have another name.
    fn follow(&mut self, found: &Found, offset: u64, look: &mut Look, now: Instant) {
        self.records.push(Record::new(found, offset));
        self.examine(self.records.len() - 1, found, look, now);
    }

    fn make_room(&self, look: &mut Look) -> io::Result<()> {
        let open = self.records.iter().filter(|record| record.is_open()).count();
        if open < MAX_OPEN {
            return Ok(());
        }
        let problem = format!("more than {MAX_OPEN} files are written to; narrow the pattern");
        look.problems.insert(self.source.as_ref().into(), problem);
        Err(io::Error::other("too many files are open"))
    }

    /// A closed file that is gone for good, and not only because its file system is not mounted, is forgotten.
    fn drop_missing(&mut self, now: Instant) {
        let Self { records, gone, source, grace, .. } = self;
        records.retain(|record| {
            let long = |since: Instant| now.saturating_duration_since(since) >= *grace;
            let keep = record.is_open() || !record.missing.is_some_and(long) || !is_mounted(record);
            if !keep {
                gone.push(record.position(source, true));
            }
            keep
        });
    }

    fn report(&mut self, problems: BTreeMap<PathBuf, String>) {
        let records = &self.records;
        self.unopened.retain(|path| records.iter().all(|record| record.path != *path));
        let lag = records.iter().map(|record| record.size.saturating_sub(record.offset)).sum();
        self.counters.lag.store(lag, Relaxed);
        let open = records.iter().filter(|record| record.is_open());
        self.counters.set_followed(open.map(|record| record.path.clone()).collect());
        self.counters.set_problems(problems);
    }
}

/// How a file with a rotated name relates to the log still in its place.
enum Kinship {
    /// It starts the same, or is still empty: it is a copy, and the log will be truncated.
    Copy,
    /// The log was written, copied and truncated before anything of it was read.
    Heir,
    /// It has nothing to do with it.
    Other,
}

fn kinship(log: &Record, found: &Found) -> Kinship {
    let Ok((_, head)) = open_found(found) else {
        return Kinship::Copy;
    };
    let live = log.head().unwrap_or_default();
    let shared = live.len().min(head.len());
    let alike = shared > 0 && live[..shared] == head[..shared];
    match log.offset {
        0 if alike => Kinship::Copy,
        0 => Kinship::Heir,
        _ if alike || log.fingerprint.matches(&head) => Kinship::Copy,
        _ => Kinship::Other,
    }
}

/// The same order as that of a listing.
fn order(record: &Record) -> impl Ord + '_ {
    (record.is_log, record.modified, age(&record.path))
}

/// Opens the file that was found, not one that has taken its name since.
fn open_found(found: &Found) -> io::Result<(File, Vec<u8>)> {
    let file = listing::open(&found.path)?;
    if Identity::of(&file.metadata()?) != found.identity {
        return Err(io::Error::other("it is just being renamed"));
    }
    let head = read_head(&file)?;
    Ok((file, head))
}

fn last_line(found: &Found) -> io::Result<u64> {
    let (file, _) = open_found(found)?;
    last_line_start(&file, found.size)
}

fn starts_as(found: &Found, fingerprint: Fingerprint) -> bool {
    open_found(found).is_ok_and(|(_, head)| fingerprint.matches(&head))
}

fn is_mounted(record: &Record) -> bool {
    let folder = record.path.parent().map(fs::metadata);
    folder.is_some_and(|folder| folder.is_ok_and(|folder| folder.dev() == record.identity.device))
}
