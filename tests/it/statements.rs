//! No statement of SQL runs through a whole table that grows. Every one that stands in the source is found there and given to
//! SQLite, which says how it would run it; so nobody has to think of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use banzone::clock::Timestamp;
use banzone::store::{Settings, Store};
use rusqlite::Connection;
use syn::parse::Parser;
use syn::visit::{self, Visit};
use tempfile::TempDir;

/// Tables that hold no more than the configuration, or an administrator, names.
const SMALL: &[(&str, &str)] = &[
    ("about", "one row"),
    ("allowlist", "the entries of administrators"),
    ("audit_anchor", "one row"),
    ("jails", "the configuration names them"),
    ("positions", "the files that are followed"),
    ("reporters", "the servers that administrators let report"),
    ("spool_state", "one row"),
    ("tokens", "what administrators made, for 90 days after its end"),
    ("users", "the people whom administrators let in"),
];

/// Statements that run through all of a table, by their beginning, and why they may.
const WHOLE: &[(&str, &str)] = &[
    ("SELECT name, address, length, count, since, forget FROM offenders", "a start needs all of them"),
    (
        "SELECT name, address, length, first, last, retry, failures, lines FROM counters",
        "a start needs all of them",
    ),
    ("SELECT source, name, key, value FROM filter_states", "a start needs all of them"),
    ("SELECT * FROM held_listings", "a start needs all of them"),
    ("SELECT name, key, fingerprint, at, report_keys.accepted", "a start needs all of them"),
    ("SELECT name, spool, sequence, at FROM report_spools", "a start needs all of them"),
    (
        "SELECT number, address, length, jails.name, at, failures, is_ban FROM spool",
        "along the key to its limit",
    ),
    ("SELECT number, hash FROM audit_anchor UNION ALL", "along the key to its limit"),
    ("SELECT number FROM audit ORDER BY number LIMIT 1", "along the key to its limit"),
    ("SELECT count(*) FROM removal_requests WHERE decided IS NULL", "few may wait at a time"),
];

/// What a statement begins with.
const VERBS: [&str; 6] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "WITH "];

/// The files whose statements are not for our tables as they are.
const ELSEWHERE: &[(&str, &str)] = &[
    ("bans.rs", "put together for each query, and looked at there"),
    ("fail2ban.rs", "the database of fail2ban"),
    ("schema.rs", "the tables as they come to be"),
];

/// What the source says: constants, other strings, and how often each constant is named by itself.
#[derive(Default)]
struct Found {
    constants: BTreeMap<String, String>,
    texts: BTreeSet<String>,
    named: BTreeMap<String, usize>,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_const(&mut self, constant: &'ast syn::ItemConst) {
        match &*constant.expr {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                self.constants.insert(constant.ident.to_string(), text.value());
            }
            _ => visit::visit_item_const(self, constant),
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.insert(text.value());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(last) = path.segments.last() {
            *self.named.entry(last.ident.to_string()).or_default() += 1;
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    /// Of macros such as `format!` and `vec!` the arguments.
    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let arguments = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = arguments.parse2(called.tokens.clone()) {
            // What was parsed here does not live as long as the file.
            let mut inside = Self::default();
            arguments.iter().for_each(|argument| inside.visit_expr(argument));
            self.texts.extend(inside.texts);
            inside.named.into_iter().for_each(|(name, times)| *self.named.entry(name).or_default() += times);
        }
    }
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Every statement in the source, with its file.
fn statements() -> Vec<(String, String)> {
    let mut files = Vec::new();
    source_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files.retain(|file| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_code = name.ends_with(".rs") && name != "tests.rs";
        let is_ours = !ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == name);
        is_code && is_ours && fs::read_to_string(file).unwrap().contains("rusqlite")
    });
    let of_file = |file: &PathBuf| {
        let mut found = Found::default();
        found.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
        (file.display().to_string(), found)
    };
    let found: Vec<(String, Found)> = files.iter().map(of_file).collect();
    let mut constants = BTreeMap::new();
    for (_, file) in &found {
        constants.extend(file.constants.clone());
    }
    let is_named = |name: &str| found.iter().any(|(_, file)| file.named.contains_key(name));
    let mut statements = Vec::new();
    for (file, found) in &found {
        // A constant that stands in others only is a part of theirs.
        let whole = found.constants.iter().filter(|(name, _)| is_named(name)).map(|(_, text)| text);
        for text in whole.chain(&found.texts) {
            // A name means what it means in its own file.
            let text = filled(&filled(text, &found.constants), &constants);
            if VERBS.iter().any(|verb| text.trim_start().starts_with(verb)) {
                statements.push((file.clone(), text));
            }
        }
    }
    statements
}

/// `text` with the constants that it names in braces.
fn filled(text: &str, constants: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in constants {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

/// The tables that a statement runs through, each whole.
fn scanned(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    // Nothing is run, but every parameter must have a value.
    let values = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3))?;
    let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>()?;
    Ok(steps.into_iter().filter_map(|step| Some(step.strip_prefix("SCAN ")?.to_owned())).collect())
}

#[test]
fn no_statement_runs_through_a_table_that_grows() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("banzone.db");
    let retention = Duration::from_secs(86_400);
    let settings =
        Settings { path: path.clone(), evidence_retention: retention, history_retention: retention };
    drop(Store::open(&settings, Timestamp::from_secs(1)).unwrap());
    let connection = Connection::open(&path).unwrap();
    let statements = statements();
    assert!(statements.len() > 60, "statements are looked for where they are: {}", statements.len());
    let (mut wrong, mut excused) = (Vec::new(), BTreeSet::new());
    for (file, sql) in &statements {
        let short = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let steps = match scanned(&connection, sql) {
            Ok(steps) => steps,
            Err(error) => {
                wrong
                    .push(format!("{file}: `{short}` cannot be read; put it together of constants: {error}"));
                continue;
            }
        };
        let is_small = |step: &str| SMALL.iter().any(|(table, _)| step.split(' ').next() == Some(table));
        let large: Vec<&String> =
            steps.iter().filter(|step| !is_small(step) && *step != "CONSTANT ROW").collect();
        match WHOLE.iter().position(|(beginning, _)| short.starts_with(beginning)) {
            Some(place) if !large.is_empty() => _ = excused.insert(place),
            _ if large.is_empty() => {}
            _ => wrong.push(format!("{file}: `{short}` runs through {large:?}: give it an index")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused = WHOLE.iter().enumerate().filter(|(place, _)| !excused.contains(place));
    let unused: Vec<&str> = unused.map(|(_, (beginning, _))| *beginning).collect();
    assert!(unused.is_empty(), "these do not run through a table, or are gone: {unused:?}");
}
