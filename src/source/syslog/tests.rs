//! What is received comes out as lines once, over restarts and full files, and what hinders it is shown.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::source::Start;

/// A listener on a socket, and whoever sends to it.
struct World {
    folder: TempDir,
    path: String,
    kept: Vec<Position>,
}

impl World {
    fn new(path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = path.replace("FOLDER", &folder.path().display().to_string());
        Self { folder, path, kept: Vec::new() }
    }

    fn open(&self) -> Syslog {
        let settings = Settings { path: self.path.as_str().into(), start: Start::Tail, horizon: None };
        Syslog::open(&settings, &self.folder.path().join("spool"), self.kept.clone()).unwrap()
    }

    /// Reads until there are so many lines, without their times, and commits them.
    fn read(&mut self, source: &mut Syslog, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let Some(batch) = source.read(Duration::from_secs(10)).unwrap() else {
                panic!("{} of {count} lines: {:?}", lines.len(), source.counters().problems());
            };
            lines.extend(batch.lines().map(|line| String::from_utf8_lossy(line).into_owned()));
            self.commit(&batch);
        }
        lines.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    fn commit(&mut self, batch: &Batch) {
        for position in &batch.positions {
            let same = |kept: &Position| (kept.device, kept.inode) == (position.device, position.inode);
            self.kept.retain(|kept| !same(kept));
            if !position.finished {
                self.kept.push(position.clone());
            }
        }
        batch.receipt.confirm();
    }
}

/// A port that was free a moment ago.
fn free(scheme: &str) -> (String, u16) {
    let port = match scheme {
        "tcp" => TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
        _ => UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
    };
    (format!("syslog:{scheme}://127.0.0.1:{port}"), port)
}

#[test]
fn datagrams_are_messages() {
    let (path, port) = free("udp");
    let mut world = World::new(&path);
    let mut source = world.open();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in
        ["<34>Nov 22 08:04:12 mail su: one", "<34>1 - - su 5 - - two\nforged", " \n", "<34>su: three"]
    {
        sender.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
    }
    let expected = ["mail su: one", "127.0.0.1 su[5]: two#012forged", "127.0.0.1 su: three"];
    assert_eq!(world.read(&mut source, 3), expected);
}

#[test]
fn a_unix_socket_takes_what_programs_log() {
    let mut world = World::new("syslog:unix://FOLDER/log");
    let socket = world.folder.path().join("log");
    for number in 0..2 {
        // What a process left that was killed is in the way of nobody.
        if number == 1 {
            drop(UnixDatagram::bind(&socket).unwrap());
        }
        let mut source = world.open();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"<34>Nov 22 08:04:12 su[5]: x", &socket).unwrap();
        assert_eq!(world.read(&mut source, 1), ["localhost su[5]: x"]);
        drop(source);
        assert!(!socket.exists());
    }
}

#[test]
fn connections_bring_messages_in_both_framings() {
    let (path, port) = free("tcp");
    let mut world = World::new(&path);
    let mut source = world.open();
    let mut counted = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut lines = TcpStream::connect(("127.0.0.1", port)).unwrap();
    counted.write_all(b"12 <34>su: a\nb 12 <34>").unwrap();
    assert_eq!(world.read(&mut source, 1), ["127.0.0.1 su: a#012b "]);
    lines.write_all(b"<34>su: c\n<34>su: end").unwrap();
    assert_eq!(world.read(&mut source, 1), ["127.0.0.1 su: c"]);
    // What has no end yet ends with the connection.
    drop(lines);
    assert_eq!(world.read(&mut source, 1), ["127.0.0.1 su: end"]);
}

#[test]
fn what_was_received_is_read_once_over_restarts() {
    let (path, port) = free("tcp");
    let mut world = World::new(&path);
    let mut expected = Vec::new();
    let mut found = Vec::new();
    for life in 0..3 {
        let mut source = world.open();
        let mut sender = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // More than a file holds, so that some are full.
        let padding = "x".repeat(1000);
        let lines: Vec<String> = (0..10_000).map(|number| format!("su: {life} {number} {padding}")).collect();
        let text: String = lines.iter().map(|line| format!("<1>{line}\n")).collect();
        sender.write_all(text.as_bytes()).unwrap();
        drop(sender);
        expected.extend(lines);
        if life == 1 {
            // What is read but not committed comes again.
            while source.read(Duration::from_millis(100)).unwrap().is_some() {}
        } else {
            let left = expected.len() - found.len();
            found.extend(world.read(&mut source, left));
        }
    }
    assert!(found.iter().map(|line| line.strip_prefix("127.0.0.1 ").unwrap()).eq(&expected));
    let mut source = world.open();
    assert!(source.read(Duration::from_millis(100)).unwrap().is_none_or(|batch| batch.is_empty()));
    source.tidy().unwrap();
    assert!(source.folder.full_files().unwrap().is_empty());
}

#[test]
fn nothing_is_let_go_of_before_it_is_committed() {
    let (path, port) = free("tcp");
    let mut world = World::new(&path);
    let mut source = world.open();
    let mut sender = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let text = format!("<1>su: {}\n", "x".repeat(1000)).repeat(10_000);
    sender.write_all(text.as_bytes()).unwrap();
    let (mut batches, mut lines) = (Vec::new(), 0);
    while lines < 10_000 {
        let batch = source.read(Duration::from_secs(10)).unwrap().unwrap();
        lines += batch.len();
        batches.push(batch);
    }
    source.tidy().unwrap();
    assert_eq!(source.folder.full_files().unwrap().len(), 1);
    batches.iter().for_each(|batch| world.commit(batch));
    source.tidy().unwrap();
    assert_eq!(source.folder.full_files().unwrap().len(), 0);
}

#[test]
fn what_hinders_listening_is_shown() {
    let (path, port) = free("tcp");
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let world = World::new(&path);
    let source = world.open();
    let problem = source.counters().problems()[Path::new(&path)].clone();
    assert!(problem.contains("another program uses this port"), "{problem}");
    drop((source, taken));
    assert!(world.open().counters().problems().is_empty());
    let world = World::new("syslog:unix://FOLDER/none/log");
    let problems = world.open().counters().problems();
    assert!(problems[Path::new(&world.path)].contains("make the folder"), "{problems:?}");
    let world = World::new("syslog:unix://FOLDER/log");
    let file = world.folder.path().join("log");
    fs::write(&file, "no socket").unwrap();
    let problems = world.open().counters().problems();
    assert!(problems[Path::new(&world.path)].contains("it is no socket"), "{problems:?}");
    assert_eq!(fs::read_to_string(file).unwrap(), "no socket");
}

#[test]
fn without_a_place_for_it_nothing_is_received() {
    let (path, _) = free("udp");
    let settings = Settings { path: path.as_str().into(), start: Start::Tail, horizon: None };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Syslog::open(&settings, &file, Vec::new()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("set `spool` in [store]"), "{error}");
}
