//! A `journalctl` that is running: what it prints comes out in pieces; what it complains of is kept for whoever asks why it
//! ended. It ends with its owner: it is killed when that is dropped, and when this process dies its output breaks.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::source::batch::READ_BYTES;
use crate::sys::watch::readable;

/// A program whose output has ended is about to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Of its complaints the last so many bytes are kept.
const COMPLAINT_BYTES: usize = 1024;

/// A running program.
pub(super) struct Running {
    child: Child,
    output: ChildStdout,
    errors: Option<ChildStderr>,
    complaints: Vec<u8>,
    piece: Vec<u8>,
    /// Up to here the piece was used.
    used: usize,
}

/// What is there to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Something.
    Output,
    /// Nothing so far.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Running {
    /// Starts `program`, without a shell.
    pub(super) fn start(program: &OsStr, arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let errors = child.stderr.take();
        Ok(Self { child, output, errors, complaints: Vec::new(), piece: Vec::new(), used: 0 })
    }

    /// What was printed but not used yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.piece[self.used..]
    }

    /// So much of it is left.
    pub(super) fn leave(&mut self, left: usize) {
        self.used = self.piece.len() - left;
    }

    /// Waits for output, when there is none left.
    pub(super) fn hear(&mut self, wait: Duration) -> io::Result<Heard> {
        if !self.unread().is_empty() {
            return Ok(Heard::Output);
        }
        self.hear_complaints();
        if !readable(self.output.as_fd(), wait)? {
            return Ok(Heard::Nothing);
        }
        self.piece.resize(READ_BYTES, 0);
        let got = self.output.read(&mut self.piece);
        self.piece.truncate(got.as_ref().map_or(0, |got| *got));
        self.used = 0;
        match got {
            Ok(0) => Ok(Heard::End),
            Ok(_) => Ok(Heard::Output),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Heard::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Takes what it complains of, so that it never has to wait for that.
    fn hear_complaints(&mut self) {
        let mut piece = [0; COMPLAINT_BYTES];
        while let Some(errors) = &mut self.errors {
            if !readable(errors.as_fd(), Duration::ZERO).unwrap_or(false) {
                return;
            }
            match errors.read(&mut piece) {
                Ok(got) if got > 0 => self.complaints.extend_from_slice(&piece[..got]),
                _ => self.errors = None,
            }
            let old = self.complaints.len().saturating_sub(COMPLAINT_BYTES);
            self.complaints.drain(..old);
        }
    }

    /// Ends it if it does not end by itself, and says how it ended and the last thing it complained of.
    pub(super) fn end(&mut self) -> (io::Result<ExitStatus>, String) {
        let begin = Instant::now();
        while begin.elapsed() < FAREWELL && matches!(self.child.try_wait(), Ok(None)) {
            self.hear_complaints();
            thread::sleep(Duration::from_millis(5));
        }
        // One that has ended cannot be killed, which is fine.
        let _ = self.child.kill();
        let status = self.child.wait();
        self.hear_complaints();
        let complaints = String::from_utf8_lossy(&self.complaints);
        let last = complaints.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        (status, last.chars().filter(|letter| !letter.is_control()).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
