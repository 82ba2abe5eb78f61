//! The rules of the house, as data: who may import whom, and what every source file has.

use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of this crate each module may name. A stage sees what stands to its left, and the vocabulary.
const IMPORTS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("ip", &[]),
    ("sys", &[]),
    ("source", &["clock", "sys"]),
    ("filter", &["ip", "clock"]),
    // A jail's settings name the sources it reads; the sources themselves stay out of sight.
    ("jail", &["filter", "source", "ip", "clock"]),
    ("store", &["jail", "source", "ip", "clock"]),
    ("dataset", &["ip", "clock", "sys"]),
    ("list", &["store", "dataset", "ip", "clock"]),
    ("zone", &["list", "dataset", "ip", "clock"]),
    ("dns", &["zone", "list", "ip", "clock", "sys"]),
    ("access", &["store", "ip", "clock"]),
    ("hub", &["jail", "store", "ip", "clock"]),
    ("report", &["store", "list", "ip", "clock"]),
    (
        "http",
        &[
            "access", "hub", "report", "source", "filter", "jail", "store", "list", "zone", "dns", "ip",
            "clock", "sys",
        ],
    ),
    (
        "config",
        &[
            "source", "filter", "jail", "store", "dataset", "list", "zone", "dns", "access", "hub", "report",
            "http", "ip", "clock",
        ],
    ),
    (
        "daemon",
        &[
            "source", "filter", "jail", "store", "dataset", "list", "zone", "dns", "access", "hub", "report",
            "http", "config", "ip", "clock", "sys",
        ],
    ),
    (
        "cli",
        &[
            "source", "filter", "jail", "store", "dataset", "list", "zone", "dns", "access", "hub", "report",
            "http", "config", "daemon", "ip", "clock", "sys",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Stages that do no I/O, start no thread and read no clock.
const PURE: &[&str] = &["ip", "filter", "jail", "dataset", "list", "zone"];

/// What a pure stage never names.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "tokio",
    "SystemTime",
    "Instant",
    "rusqlite",
];

/// What nobody writes outside tests.
const BANNED: &[&str] = &["TODO", "FIXME", "XXX", "#[ignore", "todo!(", "unimplemented!("];

/// A longer function is hard to take in at a glance.
const LONGEST_FUNCTION: usize = 60;

/// A longer file is more than one room.
const LONGEST_FILE: usize = 600;

struct SourceFile {
    path: PathBuf,
    module: String,
    /// The text up to the unit tests, which follow their own rules.
    code: String,
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    files.into_iter().map(|path| read(&root.join("src"), path)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(root: &Path, path: PathBuf) -> SourceFile {
    let text = fs::read_to_string(&path).unwrap();
    let is_test = path.ends_with("tests.rs") || path.parent().is_some_and(|folder| folder.ends_with("tests"));
    let code = if is_test {
        ""
    } else {
        // Only what opens the tests at the end: `#[cfg(test)] mod tests;` may stand before the code.
        text.split("\n#[cfg(test)]\nmod tests {").next().unwrap()
    };
    let inside = path.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    SourceFile { module: first.trim_end_matches(".rs").to_owned(), code: code.to_owned(), path }
}

/// Runs `check` over every line of code that is no comment and reports all findings at once.
fn check_lines(rule: &str, mut check: impl FnMut(&SourceFile, &str) -> Option<String>) {
    let mut findings = Vec::new();
    for file in sources() {
        for (number, line) in file.code.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            if let Some(finding) = check(&file, code) {
                findings.push(format!("{}:{}: {finding}", file.path.display(), number + 1));
            }
        }
    }
    assert!(findings.is_empty(), "{rule}\n{}", findings.join("\n"));
}

/// The modules a line names by `crate::` or `banzone::`.
fn named_modules(line: &str) -> Vec<&str> {
    let starts = line.match_indices("crate::").map(|(at, word)| at + word.len());
    let starts = starts.chain(line.match_indices("banzone::").map(|(at, word)| at + word.len()));
    starts
        .map(|start| {
            let rest = &line[start..];
            &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn modules_import_only_what_stands_to_their_left() {
    check_lines(
        "a stage imports the stage to its left and the vocabulary (docs/ARCHITECTURE.md)",
        |file, line| {
            let allowed = IMPORTS.iter().find(|(module, _)| *module == file.module);
            let Some((module, allowed)) = allowed else {
                return Some(format!("module `{}` is not in the table of imports", file.module));
            };
            let wrong = named_modules(line).into_iter().find(|name| {
                IMPORTS.iter().any(|(module, _)| module == name) && name != module && !allowed.contains(name)
            })?;
            Some(format!("`{module}` may not name `{wrong}`"))
        },
    );
}

#[test]
fn pure_stages_do_no_io() {
    check_lines("pure stages take `now` and data as arguments", |file, line| {
        if !PURE.contains(&file.module.as_str()) {
            return None;
        }
        let name = IMPURE.iter().find(|name| line.contains(*name))?;
        Some(format!("`{}` names `{name}`", file.module))
    });
}

#[test]
fn unsafe_code_stays_in_sys() {
    check_lines("`unsafe` belongs into `sys`", |file, line| {
        let named = line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        (named && file.module != "sys").then(|| "unsafe".to_owned())
    });
}

#[test]
fn nothing_is_left_for_later() {
    let mut findings = Vec::new();
    for file in sources() {
        for word in BANNED {
            if file.code.contains(word) {
                findings.push(format!("{}: {word}", file.path.display()));
            }
        }
    }
    assert!(findings.is_empty(), "finish it or leave it out\n{}", findings.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in sources() {
        let text = fs::read_to_string(&file.path).unwrap();
        assert!(text.starts_with("//!"), "{}: open the file with `//!`", file.path.display());
    }
}

#[test]
fn files_and_functions_stay_short() {
    let mut findings = Vec::new();
    for file in sources() {
        let lines: Vec<&str> = file.code.lines().collect();
        if lines.len() > LONGEST_FILE {
            findings.push(format!("{}: {} lines", file.path.display(), lines.len()));
        }
        for (start, length) in functions(&lines) {
            if length > LONGEST_FUNCTION {
                findings.push(format!("{}:{}: a function of {length} lines", file.path.display(), start + 1));
            }
        }
    }
    assert!(findings.is_empty(), "split it\n{}", findings.join("\n"));
}

/// Where each function begins and how many lines it has; formatted code closes one at its own indentation.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let opens = |line: &str| {
        let code = line.trim_start();
        let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe "];
        let mut code = code;
        while let Some(rest) = words.iter().find_map(|word| code.strip_prefix(word)) {
            code = rest;
        }
        // What only says that there is a function has no body.
        code.starts_with("fn ") && !code.ends_with(';')
    };
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| opens(line)) {
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| *line == close);
        found.push((start, end.map_or(1, |length| length + 1)));
    }
    found
}

/// Files that have to do with secrets: what somebody shows is compared there with what is kept.
const SECRETIVE: &[&str] = &[
    "src/access/passkey.rs",
    "src/access/password.rs",
    "src/access/second.rs",
    "src/access/session.rs",
    "src/access/token.rs",
    "src/access/user.rs",
    "src/http/gate.rs",
    "src/http/routes.rs",
    "src/http/session.rs",
];

/// What is called by these names is a secret, or follows from one.
const SECRETS: &[&str] =
    &["secret", "hash", "csrf", "cookie", "password", "code", "kept", "shown", "challenge"];

/// Comparisons of them whose time may tell.
const HARMLESS: &[(&str, &str)] = &[
    ("*check == checksum(id, secret)", "whoever shows it has all that the checksum is made of"),
    ("row.password != kept", "what the database has with what it had"),
    ("shown, now)? != *session.user", "the name of a user whose signature is right"),
    (".ct_eq(", "it is so"),
];

/// The time of a comparison must not tell how much of a guess is right: `subtle` compares, or a crate that does so.
#[test]
fn secrets_are_compared_in_constant_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for file in SECRETIVE {
        let file = read(&root.join("src"), root.join(file));
        for (line, text) in file.code.lines().enumerate() {
            let compares = text.contains("==") || text.contains("!=");
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let names_one = words.into_iter().any(|word| SECRETS.contains(&word));
            if compares && names_one && !HARMLESS.iter().any(|(harmless, _)| text.contains(harmless)) {
                wrong.push(format!("{}:{}: {}", file.path.display(), line + 1, text.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "compare with `ct_eq`, or say why not:\n{}", wrong.join("\n"));
}
