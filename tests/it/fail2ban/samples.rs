//! The filters and sample logs of Debian's package `fail2ban` through `banzone test-filter`: every filter, every set of
//! options, every line, held against what fail2ban's own test expects of itself.
//!
//! Nothing is copied: filters and samples are read where the package has them. A table of all filters goes to standard
//! error. The variable `BANZONE_SAMPLES_PROGRAM` puts another program with the same interface in banzone's place, to
//! try the test itself.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::{env, io, thread};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use tempfile::TempDir;

use super::{CONFIG, TESTS, is_installed};
use plan::{Plan, Run, Sample};

/// The time that fail2ban's test takes for now, and its zone.
const NOW: &str = "2005-08-14T10:00:00Z";
const ZONE: &str = "CET-01CEST-02,M3.5.0,M10.5.0";

#[test]
fn every_sample_of_fail2ban_is_understood() {
    if !is_installed() {
        return;
    }
    let tree = Tree::new();
    let filters = tree.filters();
    let plans: BTreeMap<&str, Plan> =
        filters.keys().map(|name| (name.as_str(), plan::read(&tree.logs(), name))).collect();
    assert_nothing_is_left_out(&tree.logs(), &plans);
    let scores = Mutex::new(BTreeMap::new());
    let queue = Mutex::new(filters.iter());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while let Some((name, file)) = { queue.lock().unwrap().next() } {
                    let score = score(file, &plans[name.as_str()]);
                    scores.lock().unwrap().insert(name.as_str(), score);
                }
            });
        }
    });
    report(&scores.into_inner().unwrap());
}

/// The package's configuration and test files, joined to the tree from which the package was built: two filters of the
/// tests include one of the configuration by its place in that tree.
struct Tree {
    folder: TempDir,
}

/// From the filters of the tests it is so far up to the folder that holds the configuration.
const DEPTH: usize = 7;

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(CONFIG, folder.path().join("config")).unwrap();
        let tree = Self { folder };
        fs::create_dir_all(tree.own()).unwrap();
        for file in names_in(&Path::new(TESTS).join("config/filter.d")) {
            fs::copy(Path::new(TESTS).join("config/filter.d").join(&file), tree.own().join(&file)).unwrap();
        }
        tree
    }

    /// The filters that the package has for its tests only.
    fn own(&self) -> PathBuf {
        let above = (3..=DEPTH).map(|level| level.to_string());
        let folder = above.fold(self.folder.path().to_owned(), |folder, level| folder.join(level));
        folder.join("config/filter.d")
    }

    fn logs(&self) -> PathBuf {
        Path::new(TESTS).join("files/logs")
    }

    /// Every filter that fail2ban's own test covers, and its file.
    fn filters(&self) -> BTreeMap<String, PathBuf> {
        let stock = Path::new(CONFIG).join("filter.d");
        let shipped = names_in(&stock).into_iter().filter(|name| !name.ends_with("common.conf"));
        let own = names_in(&self.own()).into_iter().filter(|name| name.starts_with("zzz-"));
        let shipped = shipped.map(|name| (stock.join(&name), name));
        let files = shipped.chain(own.map(|name| (self.own().join(&name), name)));
        files.filter_map(|(path, name)| Some((name.strip_suffix(".conf")?.to_owned(), path))).collect()
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Every expectation in every file of samples is used, and every filter has lines that must match.
fn assert_nothing_is_left_out(logs: &Path, plans: &BTreeMap<&str, Plan>) {
    let files = names_in(logs).into_iter().filter(|name| logs.join(name).is_file());
    let written: BTreeSet<_> = files.flat_map(|file| plan::expectations(logs, &file)).collect();
    let used: BTreeSet<_> = plans.values().flat_map(|plan| &plan.used).cloned().collect();
    let unused: Vec<_> = written.difference(&used).collect();
    assert!(unused.is_empty(), "no filter takes the samples {unused:?}");
    for (name, plan) in plans {
        let matching = plan.runs.iter().flat_map(|run| &run.samples).filter(|sample| sample.must_match());
        assert!(matching.count() > 0, "{name} has no sample that must match");
    }
}

/// How one filter did.
#[derive(Default)]
struct Score {
    options: usize,
    patterns: usize,
    /// Lines that must match, and how many did with everything that is expected.
    must: (usize, usize),
    /// Lines that must not match, and how many did not.
    must_not: (usize, usize),
    findings: Vec<String>,
}

/// Takes all samples of one filter through the program.
fn score(file: &Path, plan: &Plan) -> Score {
    let mut score = Score { options: plan.runs.len(), ..Score::default() };
    let mut hit = HashSet::new();
    let mut unhit = Vec::new();
    for run in &plan.runs {
        let context = format!("{} {:?}", file.display(), run.options);
        match answers(file, run) {
            Ok((answers, patterns)) => {
                score.patterns += patterns.len();
                let hits = score.hold(&context, run, &answers);
                hit.extend(hits.iter().filter_map(|number| patterns.get(number - 1).cloned()));
                let missing = patterns.into_iter().enumerate();
                let missing = missing.filter(|(index, _)| !hits.contains(&(index + 1)));
                unhit.extend(missing.map(|(index, pattern)| (context.clone(), index + 1, pattern)));
            }
            Err(finding) => {
                // One finding stands for all of them.
                for sample in &run.samples {
                    let counts = if sample.must_match() { &mut score.must } else { &mut score.must_not };
                    counts.0 += 1;
                }
                score.findings.push(format!("{context}: {finding}"));
            }
        }
    }
    // A pattern that several sets of options share needs a sample in one of them only.
    unhit.retain(|(_, _, pattern)| !hit.contains(pattern));
    let unhit = unhit.into_iter();
    score
        .findings
        .extend(unhit.map(|(context, number, text)| format!("{context}: no sample hits {number}) {text}")));
    score
}

impl Score {
    /// Holds the answers against what is expected, and returns which failregexes were hit.
    fn hold(&mut self, context: &str, run: &Run, answers: &[Value]) -> BTreeSet<usize> {
        let mut hits = BTreeSet::new();
        for (sample, answer) in run.samples.iter().zip(answers) {
            let wrong = differences(sample, answer);
            let counts = if sample.must_match() { &mut self.must } else { &mut self.must_not };
            counts.0 += 1;
            counts.1 += usize::from(wrong.is_empty());
            if !wrong.is_empty() {
                let (file, number) = &sample.place;
                let line = String::from_utf8_lossy(&sample.line);
                self.findings.push(format!("{context} {file}:{number}: {}\n    {line}", wrong.join(", ")));
            }
            let matching = answer["matching"].as_array().into_iter().flatten().chain([&answer["failregex"]]);
            hits.extend(matching.filter_map(|number| usize::try_from(number.as_u64()?).ok()));
        }
        hits
    }
}

/// What the program says of each line, and the patterns that it tried.
fn answers(file: &Path, run: &Run) -> Result<(Vec<Value>, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let text: Vec<u8> = run.samples.iter().flat_map(|sample| [&sample.line[..], b"\n"].concat()).collect();
    fs::write(&log, text).unwrap();
    let objects = output(file, run, &log, "--json")?;
    let answers: Vec<Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = answers.iter().filter_map(|answer| answer["line"].as_u64()).collect();
    if !numbers.iter().copied().eq(1..=run.samples.len() as u64) {
        return Err(format!("{} lines, but objects for {numbers:?}", run.samples.len()));
    }
    Ok((answers, patterns(&output(file, run, &log, "--verbose")?)))
}

fn output(file: &Path, run: &Run, log: &Path, form: &str) -> Result<String, String> {
    let program =
        env::var("BANZONE_SAMPLES_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_banzone").to_owned());
    let mut command = Command::new(program);
    command.env("TZ", ZONE).args(["test-filter", form, "--raw", "--now", NOW]).arg("--filter-file").arg(file);
    for (key, value) in &run.options {
        command.arg("--option").arg(format!("{key}={value}"));
    }
    if run.is_journal() {
        command.arg("--journal");
    }
    let output = command.arg(log).output().unwrap();
    if !output.status.success() {
        return Err(format!("{} {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// The failregexes in the report of a verbose run: `|   1) [3] ^Failed …`.
fn patterns(report: &str) -> Vec<String> {
    let lines = report.lines().skip_while(|line| !line.starts_with("Failregex:"));
    let lines = lines.take_while(|line| *line != "`-").filter_map(|line| line.strip_prefix("|  "));
    lines.filter_map(|line| Some(line.split_once(") [")?.1.split_once("] ")?.1.to_owned())).collect()
}

/// What of an answer is not as it must be.
fn differences(sample: &Sample, answer: &Value) -> Vec<String> {
    let matched = answer["outcome"] == "match";
    match (sample.must_match(), matched) {
        (false, false) => return Vec::new(),
        (true, false) => return vec!["must match".to_owned()],
        (false, true) => return vec![format!("must not match: {answer}")],
        (true, true) => {}
    }
    let expected = sample.expected.iter();
    let wrong = expected.filter(|(key, value)| !agrees(key, value, answer));
    wrong.map(|(key, value)| format!("{key} must be {value}: {answer}")).collect()
}

/// Whether one key of an expectation holds. Kinds of addresses are told by their look.
fn agrees(key: &str, expected: &Value, answer: &Value) -> bool {
    let ip = answer["ip"].as_str().unwrap_or_default();
    match key {
        "match" | "desc" | "constraint" => true,
        "host" => is_same(expected.as_str().unwrap(), ip),
        "ip4" | "ip6" | "dns" => {
            let found = Value::from(ip);
            *expected == if kind(ip) == key { found } else { Value::Null }
        }
        "time" => expected.is_null() || instant(answer["time"].as_str()) == Some(local(expected)),
        "user" => expected.as_str() == Some(answer["user"].as_str().unwrap_or_default()),
        "users" => sorted(expected) == sorted(&answer["users"]),
        "attempts" => *expected == answer["attempts"],
        other => panic!("{:?} is expected, which this test does not know", other),
    }
}

/// As text, or as an address that can be written in several ways.
fn is_same(one: &str, other: &str) -> bool {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    one == other || (address(one).is_some() && address(one) == address(other))
}

fn kind(ip: &str) -> &'static str {
    match ip.parse() {
        Ok(IpAddr::V4(_)) => "ip4",
        Ok(IpAddr::V6(_)) => "ip6",
        Err(_) => "dns",
    }
}

fn instant(written: Option<&str>) -> Option<jiff::Timestamp> {
    written?.parse().ok()
}

/// A time as expectations have it: without a zone, some with a fraction, some with a day of one digit.
fn local(expected: &Value) -> jiff::Timestamp {
    let time = DateTime::strptime("%Y-%m-%dT%H:%M:%S%.f", expected.as_str().unwrap());
    let time = time.unwrap_or_else(|error| panic!("{expected}: {error}"));
    TimeZone::posix(ZONE).unwrap().to_timestamp(time).unwrap()
}

fn sorted(users: &Value) -> Vec<&str> {
    let mut users: Vec<_> = users.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    users.sort_unstable();
    users
}

/// Prints the table, past the test harness, which shows no output of a test that passes; fails where something is wrong.
fn report(scores: &BTreeMap<&str, Score>) {
    let mut table = format!("{:28} options patterns  must match    must not\n", "filter");
    let mut total = Score::default();
    for (name, score) in scores {
        row(&mut table, name, score);
        total.options += score.options;
        total.patterns += score.patterns;
        for (sum, part) in [(&mut total.must, score.must), (&mut total.must_not, score.must_not)] {
            *sum = (sum.0 + part.0, sum.1 + part.1);
        }
    }
    row(&mut table, &format!("{} filters", scores.len()), &total);
    io::stderr().write_all(table.as_bytes()).unwrap();
    let findings: Vec<_> = scores.values().flat_map(|score| &score.findings).map(String::as_str).collect();
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n"));
}

fn row(table: &mut String, name: &str, score: &Score) {
    let of = |(all, right): (usize, usize)| format!("{right}/{all}");
    let (must, must_not) = (of(score.must), of(score.must_not));
    writeln!(table, "{name:28} {:7} {:8} {must:>11} {must_not:>11}", score.options, score.patterns).unwrap();
}
