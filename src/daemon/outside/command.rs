//! The command that excuses a failure: its tags filled in, and the shell that runs it. What a stranger wrote into a log never
//! becomes part of what the shell reads: it goes into variables.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::ip::Prefix;
use crate::jail::{Ask, Question};

/// All lines together as one variable; the system takes up to 128 KiB (execve(2)).
const LONGEST_VALUE: usize = 100 * 1024;

/// How often is looked whether a command has ended: soon at first, then less often.
const SOONEST: Duration = Duration::from_millis(1);
const LATEST: Duration = Duration::from_millis(50);

/// What tags stand for in the command and in the key of its cache.
pub(super) struct Tags<'a> {
    pub(super) ask: &'a Ask,
    pub(super) prefix: Prefix,
    /// Finds the name of the host.
    pub(super) host: &'a dyn Fn() -> Option<String>,
}

impl Tags<'_> {
    /// What `<tag>` stands for; `None` if that is not a tag.
    fn value(&self, tag: &str) -> Option<String> {
        let address = self.prefix.address();
        Some(match tag {
            "ip" | "fid" => self.prefix.to_string(),
            "family" => if self.prefix.is_ipv4() { "inet4" } else { "inet6" }.to_owned(),
            "ip-rev" => crate::ip::write_reversed(address) + ".",
            // What Python makes of no name: an argument would be missing otherwise.
            "ip-host" => (self.host)().unwrap_or_else(|| "None".to_owned()),
            "time" => format!("{:?}", self.ask.time.as_millis() as f64 / 1000.0),
            "failures" | "ipfailures" | "ipjailfailures" => "1".to_owned(),
            "bancount" | "restored" => "0".to_owned(),
            "matches" | "ipmatches" | "ipjailmatches" => {
                let lines = self.ask.lines.join("\n");
                lines[..lines.floor_char_boundary(LONGEST_VALUE)].to_owned()
            }
            "br" => "\n".to_owned(),
            "sp" => " ".to_owned(),
            "F-USER" => self.ask.user.clone().unwrap_or_default(),
            _ if is_of_filter(tag) => String::new(),
            _ => return None,
        })
    }

    /// `template` with its tags filled in, as plain text.
    pub(super) fn fill(&self, template: &str) -> String {
        fill(template, |tag| self.value(tag))
    }

    /// `command` for the shell, with its tags filled in, and the variables it needs.
    pub(super) fn script(&self, command: &str) -> Script {
        let mut variables = Vec::new();
        let text = fill(command, |tag| {
            // The environment can't hold zeros.
            let value = self.value(tag)?.replace('\0', "");
            if value.chars().all(is_plain) || matches!(tag, "br" | "sp") {
                return Some(value);
            }
            let name = format!("tag_{}", tag.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
            let used = format!("${{{name}}}");
            variables.push((name, value));
            Some(used)
        });
        Script { text, variables }
    }
}

/// The words of a question: whoever asks about the same in the same words gets the same answer. A command whose answers are
/// remembered is asked in those of its key.
pub(super) fn wording(ask: &Ask) -> String {
    match &ask.question {
        Question::Addresses { .. } => String::new(),
        Question::Excused { prefix, command } => {
            let template = command.cache.as_ref().map_or(&command.command, |cache| &cache.key);
            // The name belongs to the address, and is not looked up for this.
            Tags { ask, prefix: *prefix, host: &|| None }.fill(template)
        }
    }
}

/// The tags that filters name as they like: `<F-...>`.
fn is_of_filter(tag: &str) -> bool {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
    tag.strip_prefix("F-").is_some_and(|name| !name.is_empty() && name.chars().all(is_part))
}

/// What means nothing to a shell wherever it stands.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:,@%+/ ".contains(c)
}

/// Replaces every `<tag>` that `value` knows. What a tag stands for is not searched for tags.
fn fill(template: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('<') {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let end = after[1..].find(['<', '>', ' ']).map(|end| end + 1);
        let tag = end.filter(|end| after[*end..].starts_with('>')).map(|end| &after[1..end]);
        match tag.and_then(|tag| Some((tag, value(tag)?))) {
            Some((tag, value)) => {
                filled.push_str(&value);
                rest = &after[tag.len() + 2..];
            }
            None => {
                filled.push('<');
                rest = &after[1..];
            }
        }
    }
    filled + rest
}

/// A command ready to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    text: String,
    variables: Vec<(String, String)>,
}

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("it could not be started: {0}")]
    NotStarted(#[from] io::Error),
    #[error("it was ended after {} seconds", .0.as_secs())]
    TooSlow(Duration),
    #[error("it ended with {0}, which is neither 0 (excused) nor 1")]
    Failed(i32),
    #[error("it was killed by signal {0}")]
    Killed(i32),
    #[error("the daemon is stopping")]
    Stopping,
}

impl Script {
    /// Runs the script and tells whether it excuses the failure. It gets no longer than `limit`, and not beyond `stop`.
    pub(super) fn run(&self, limit: Duration, stop: &AtomicBool) -> Result<bool, Unanswered> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(&self.text)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, so that what it starts ends with it.
            .process_group(0)
            .spawn()?;
        let status = wait(&mut child, limit, stop);
        if status.is_err() {
            end(&mut child);
        }
        let status = status?;
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            Some(code) => Err(Unanswered::Failed(code)),
            None => Err(Unanswered::Killed(status.signal().unwrap_or_default())),
        }
    }
}

fn wait(child: &mut Child, limit: Duration, stop: &AtomicBool) -> Result<ExitStatus, Unanswered> {
    let begin = Instant::now();
    let mut pause = SOONEST;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begin.elapsed() >= limit {
            return Err(Unanswered::TooSlow(limit));
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Unanswered::Stopping);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LATEST);
    }
}

/// Kills the command with all it started, and takes note of its end.
fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // It may have ended just now.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Timestamp;
    use crate::jail::{IgnoreCommand, Question};

    fn ask(user: &str, line: &str) -> Ask {
        let command = Arc::new(IgnoreCommand { command: String::new(), cache: None });
        Ask {
            jail: "sasl".into(),
            question: Question::Excused { prefix: "192.0.2.1".parse().unwrap(), command },
            time: Timestamp::from_millis(1_795_334_652_500),
            user: Some(user.to_owned()),
            lines: vec!["before".to_owned(), line.to_owned()],
        }
    }

    fn with_tags<T>(ask: &Ask, prefix: &str, look: impl FnOnce(&Tags<'_>) -> T) -> T {
        let host = || Some("host.example".to_owned());
        look(&Tags { ask, prefix: prefix.parse().unwrap(), host: &host })
    }

    #[test]
    fn tags_stand_for_what_is_known_of_a_failure() {
        let cases = [
            ("<ip> <fid> <family>", "192.0.2.1 192.0.2.1 inet4"),
            ("<ip-rev><ip-host>", "1.2.0.192.host.example"),
            ("<F-USER>@<ip-host>", "joe@host.example"),
            ("<time>,<failures>,<F-OTHER>.", "1795334652.5,1,."),
            ("<matches>", "before\nline"),
            ("a < b > <unknown> <<ip>> <ip", "a < b > <unknown> <192.0.2.1> <ip"),
        ];
        for (template, expected) in cases {
            let filled = with_tags(&ask("joe", "line"), "192.0.2.1", |tags| tags.fill(template));
            assert_eq!(filled, expected, "{template}");
        }
        let ipv6 = with_tags(&ask("joe", "line"), "2001:db8::1", |tags| tags.fill("<ip> <family>"));
        assert_eq!(ipv6, "2001:db8::1 inet6");
        let nested = with_tags(&ask("<ip>", "line"), "192.0.2.1", |tags| tags.fill("<F-USER>"));
        assert_eq!(nested, "<ip>", "what a stranger wrote is not searched for tags");
    }

    #[test]
    fn what_strangers_write_is_never_read_by_the_shell() {
        let never = AtomicBool::new(false);
        let run = |user: &str, command: &str| {
            with_tags(&ask(user, "line"), "192.0.2.1", |tags| tags.script(command))
                .run(Duration::from_secs(60), &never)
        };
        let users = [
            "$(exit 7)",
            "`exit 7`",
            "; exit 7",
            "& exit 7",
            "| exit 7",
            "\nexit 7\n",
            "'; exit 7; '",
            "\"; exit 7; \"",
            "${x:=y}",
            "*",
            "~",
            "#",
            "!",
            "a\0b",
            "\\",
            "<ip>",
            "é",
            "a=b",
        ];
        for user in users {
            let expected = user.replace('\0', "");
            let script = "test \"<F-USER>\" = \"$expected\" && test \"$#\" = 0";
            let mut script = with_tags(&ask(user, "line"), "192.0.2.1", |tags| tags.script(script));
            script.variables.push(("expected".to_owned(), expected));
            assert!(matches!(script.run(Duration::from_secs(60), &never), Ok(true)), "{user:?}");
        }
        assert!(matches!(run("joe", "test <F-USER> = joe"), Ok(true)));
        assert!(matches!(run("joe", "exit 1"), Ok(false)));
        assert!(matches!(run("joe", "exit 3"), Err(Unanswered::Failed(3))));
        assert!(matches!(run("joe", "kill -9 $$"), Err(Unanswered::Killed(9))));
    }

    #[test]
    fn a_command_ends_in_time_with_all_it_started() {
        let script = Script { text: "sleep 600 & sleep 600".to_owned(), variables: Vec::new() };
        let (never, at_once) = (AtomicBool::new(false), AtomicBool::new(true));
        let slow = script.run(Duration::from_millis(20), &never);
        assert!(matches!(slow, Err(Unanswered::TooSlow(_))), "{slow:?}");
        assert!(matches!(script.run(Duration::from_secs(600), &at_once), Err(Unanswered::Stopping)));
    }
}
