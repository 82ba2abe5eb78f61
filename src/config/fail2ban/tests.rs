//! Small folders of fail2ban's configuration, and what is made of them.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::filter::UseDns;
use crate::jail::BanTime;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Errors or notices as `jail.conf:3: message`.
fn show(errors: &[Error], folder: &TempDir) -> Vec<String> {
    let prefix = format!("{}/", folder.path().display());
    errors.iter().map(|error| error.to_string().replace(&prefix, "")).collect()
}

fn jails(files: &[(&str, &str)]) -> (Result<Jails, Vec<String>>, TempDir) {
    let folder = folder(files);
    let mut directory = Directory::new(folder.path());
    directory.journal = false;
    (directory.jails().map_err(|errors| show(&errors.0, &folder)), folder)
}

fn one_jail(options: &str) -> Result<Settings, Vec<String>> {
    let text = format!("[web]\nenabled = true\nfilter = f\nlogpath = /nowhere/log\n{options}");
    let files = [("jail.local", &*text), ("filter.d/f.conf", "[Definition]\nfailregex = ^a <HOST>\n")];
    jails(&files).0.map(|mut jails| jails.enabled.remove(0))
}

/// The failregexes of filter `f`, which one per line is what most tests look at.
fn check_filter(files: &[(&str, &str)], written: &str, expected: &[&str]) {
    let folder = folder(files);
    let loaded = Directory::new(folder.path()).filter(written, &[], false);
    let found = loaded.map_or_else(|errors| show(&errors.0, &folder), |loaded| loaded.settings.failregex);
    assert_eq!(found, expected, "{written}: {files:?}");
}

#[test]
fn later_files_win_and_earlier_values_stay_known() {
    let files = [
        ("filter.d/f.conf", "[Definition]\nx = conf\nfailregex = %(x)s\n"),
        ("filter.d/f.d/b.conf", "[Definition]\nx = %(known/x)s+b\n"),
        ("filter.d/f.d/a.conf", "[Definition]\nx = a\n"),
        ("filter.d/f.d/.c.conf", "[Definition]\nx = hidden\n"),
        ("filter.d/f.local", "[Definition]\nfailregex = %(known/failregex)s\n  local\n"),
        ("filter.d/f.d/z.local", "[Definition]\ny = 1\n"),
    ];
    check_filter(&files, "f", &["a+b", "local"]);
    let files = [
        (
            "filter.d/f.conf",
            "[INCLUDES]\nbefore = one.conf\n  two.conf\nafter = over.local\n[Definition]\nfailregex = %(a)s%(b)s\n",
        ),
        ("filter.d/one.conf", "[DEFAULT]\na = 1\nb = 1\n"),
        ("filter.d/two.conf", "[DEFAULT]\nb = 2\n"),
        ("filter.d/two.local", "[DEFAULT]\nb = 3\n"),
    ];
    check_filter(&files, "f", &["13"]);
}

#[test]
fn values_name_others() {
    let definition = "[DEFAULT]\nd = D\ne = E\n[other]\ne = O\n[Definition]\nx = 1\n";
    for (failregex, expected) in [
        ("%(x)s%(X)s", "11"),
        ("100%% %(d)s", "100% D"),
        ("%(other/e)s %(default/e)s %(other/d)s", "O E D"),
        ("%(__name__)s", "Definition"),
        ("<x> <other/e> <default/e> <HOST>", "1 O E <HOST>"),
        (
            "%(no)s",
            "filter.d/f.conf:8: [Definition] failregex: there is no option `no` for `%(no)s`: set it, or remove it here",
        ),
        (
            "%(none/x)s",
            "filter.d/f.conf:8: [Definition] failregex: there is no option `none/x` for `%(none/x)s`: set it, or remove it here",
        ),
        (
            "5%",
            "filter.d/f.conf:8: [Definition] failregex: `%` stands alone: write `%%` for a percent sign, or `%(name)s` for a value",
        ),
        (
            "%(x",
            "filter.d/f.conf:8: [Definition] failregex: `%(` begins no name: write `%(name)s`, or `%%` for a percent sign",
        ),
        (
            "%(failregex)s",
            "filter.d/f.conf:8: [Definition] failregex: names go on in names more than 10 times: is it its own value?",
        ),
    ] {
        let text = format!("{definition}failregex = {failregex}\n");
        check_filter(&[("filter.d/f.conf", &text)], "f", &[expected]);
    }
}

#[test]
fn values_that_name_each_other_again_and_again_end() {
    let mut text = String::from("[Definition]\na0 = 1234567890\n");
    for level in 1..10 {
        let before = format!("%(a{})s", level - 1).repeat(20);
        text.push_str(&format!("a{level} = {before}\n"));
    }
    text.push_str("failregex = %(a9)s\n");
    let folder = folder(&[("filter.d/f.conf", &text)]);
    let errors = Directory::new(folder.path()).filter("f", &[], false).unwrap_err();
    assert!(errors.to_string().contains("becomes longer than a megabyte"), "{errors}");
}

#[test]
fn files_that_include_each_other_are_an_error() {
    let circle = "the files include each other in a circle";
    for files in [
        vec![("filter.d/f.conf", "[INCLUDES]\nbefore = f.conf\n[Definition]\nfailregex = a\n")],
        vec![("filter.d/f.conf", "[INCLUDES]\nbefore = ../filter.d/f.conf\n")],
        vec![
            ("filter.d/f.conf", "[INCLUDES]\nafter = g.conf\n"),
            ("filter.d/g.conf", "[INCLUDES]\nbefore = f.conf\n"),
        ],
        vec![("filter.d/f.conf", "[Definition]\n"), ("filter.d/f.local", "[INCLUDES]\nbefore = f.conf\n")],
    ] {
        let folder = folder(&files);
        let errors = Directory::new(folder.path()).filter("f", &[], false).unwrap_err();
        assert!(errors.to_string().contains(circle), "{errors}");
    }
    let doubling: Vec<_> = (0..12)
        .map(|n| {
            (format!("filter.d/f{n}.conf"), format!("[INCLUDES]\nbefore = f{0}.conf\n  f{0}.conf\n", n + 1))
        })
        .chain([("filter.d/f12.conf".to_owned(), "[Definition]\n".to_owned())])
        .collect();
    let doubling: Vec<_> = doubling.iter().map(|(name, text)| (&**name, &**text)).collect();
    let folder = folder(&doubling);
    let errors = Directory::new(folder.path()).filter("f0", &[], false).unwrap_err();
    assert!(errors.to_string().contains("more than 1000 files"), "{errors}");
}

#[test]
fn options_in_brackets_win() {
    let text = "[Definition]\nfailregex = <m-<mode>> %(mode)s\nm-a = A\nm-b = B\nmode = a\n\
                [Init]\nmode = b\nextra = 1\n[Init?family=inet6]\nextra = 2\n";
    let files = [("filter.d/f.conf", text)];
    check_filter(&files, "f", &["B a"]);
    check_filter(&files, "f[mode=a]", &["A a"]);
    check_filter(&files, "f[mode='c']", &["<m-c> c"]);
    check_filter(&files, "f[failregex=x]", &["x"]);
    check_filter(&files, "f[mode]", &["filter.d: `mode` is not of the form OPTION=VALUE"]);
    let logtype = [("filter.d/f.conf", "[Definition]\nfailregex = <logtype>\n")];
    check_filter(&logtype, "f", &["file"]);
    check_filter(&logtype, "f[logtype=short]", &["short"]);
    let defined = [("filter.d/f.conf", "[Definition]\nfailregex = <logtype>\nlogtype = own\n")];
    check_filter(&defined, "f", &["own"]);
}

#[test]
fn one_file_is_a_filter_with_all_its_parts() {
    let folder = folder(&[
        (
            "f.conf",
            "[INCLUDES]\nbefore = c.conf\n[Definition]\nprefregex = ^p <F-CONTENT>.+</F-CONTENT>\nfailregex = %(__x)s <k> <logtype>\n  b\nignoreregex =\n  i\nmaxlines = 3\ndatepattern = A\n\n  B\njournalmatch = U=1 + U=2\n  V=3\nusedns = No\n",
        ),
        ("f.local", "[Definition]\nignoreregex = j\n"),
        ("c.conf", "[DEFAULT]\n__x = a\n"),
    ]);
    let path = folder.path().join("f.conf");
    let loaded = filter_file(&path, &[("k".into(), "v".into())], true).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.prefregex.as_deref(), Some("^p <F-CONTENT>.+</F-CONTENT>"));
    assert_eq!(settings.failregex, ["a v journal", "b"]);
    assert_eq!(settings.ignoreregex, ["j"]);
    assert_eq!((settings.maxlines, settings.use_dns), (3, UseDns::No));
    assert_eq!(settings.datepattern, ["A", "B"]);
    assert_eq!(loaded.journalmatch, ["U=1 + U=2", "V=3"]);
    let line = |place: crate::filter::Place| {
        loaded.place(place).to_string().replace(path.parent().unwrap().to_str().unwrap(), "")
    };
    assert_eq!(line(crate::filter::Place::Failregex(1)), "/f.conf:6");
    assert_eq!(line(crate::filter::Place::Ignoreregex(0)), "/f.local:2");
}

#[test]
fn jails_say_what_they_mean() {
    let jail = one_jail(
        "maxretry = 0\nfindtime = 1d12h\nbantime = 1h\nbantime.increment = yes\nbantime.factor = 1/2\n\
         bantime.maxtime = 5w\nbantime.rndtime = 10m\nbantime.formula = ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor\n\
         ignoreip = 192.0.2.1, 198.51.100.0/255.255.255.0 2001:db8::/32\n  host.example [2001:db8::1] file:/etc/own\n\
         ignorecommand = /bin/x <ip>\nignorecache = key=\"<ip>\", max-count=7, max-time=1m\nignoreself = off\n\
         usedns = raw\nlogencoding = latin-1\nlogtimezone = UTC+0200\nmaxmatches = 1_0\nfailregex = %(known/failregex)s\n  ^b <HOST>\n",
    )
    .unwrap();
    assert_eq!((jail.maxretry, jail.findtime.as_secs(), jail.max_matches), (1, 129_600, 10));
    assert_eq!(jail.bantime, BanTime::For(std::time::Duration::from_secs(3600)));
    let increment = jail.increment.unwrap();
    assert_eq!((increment.factor, increment.max_time.unwrap().as_secs()), (0.5, 5 * 604_800));
    assert_eq!(increment.random_time.as_secs(), 600);
    let ignored: Vec<_> = jail.ignore.iter().map(|prefix| prefix.to_string()).collect();
    assert_eq!(ignored, ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"]);
    assert_eq!(
        (jail.ignore_names, jail.ignore_files),
        (vec!["host.example".into()], vec!["/etc/own".into()])
    );
    let cache = jail.ignore_command.unwrap().cache.unwrap();
    assert_eq!((&*cache.key, cache.max_count, cache.max_time.as_secs()), ("<ip>", 7, 60));
    assert!(!jail.ignore_self);
    assert_eq!(jail.encoding.map(|encoding| encoding.name()), Some("windows-1252"));
    assert_eq!(jail.filter.failregex, ["^a <HOST>", "^b <HOST>"]);
    assert_eq!((jail.filter.timezone.as_deref(), jail.filter.use_dns), (Some("UTC+0200"), UseDns::Raw));
    let defaults = one_jail("").unwrap();
    assert_eq!((defaults.maxretry, defaults.findtime.as_secs(), defaults.max_matches), (3, 600, 5));
    assert_eq!(one_jail("bantime = -1\n").unwrap().bantime, BanTime::Permanent);
}

#[test]
fn what_cannot_be_honoured_is_named() {
    for (option, expected) in [
        ("findtime = 1x", "findtime: `1x` is no time: `x` is no unit of time: use s, m, h, d, w, mo or y"),
        ("findtime = 0", "findtime: no failure counts in no time: write findtime = 10m"),
        ("bantime = -2", "bantime: it ends before it begins: write -1 for a ban without an end"),
        ("maxlines = 0", "maxlines: `0` is not a number from 1 to 1000: write maxlines = 10"),
        ("backend = dbus", "backend: `dbus` is unknown: use auto, pyinotify, gamin, polling or systemd"),
        (
            "ignoreip = 192.0.2.0/33",
            "ignoreip: `192.0.2.0/33` is no network: write 192.0.2.0/24, 192.0.2.0/255.255.255.0 or 2001:db8::/32",
        ),
        ("logencoding = cp437", "logencoding: `cp437` is no known encoding: write utf-8 or iso-8859-1"),
        ("logencoding = utf-16", "logencoding: no lines can be found in `utf-16`: convert the log to UTF-8"),
        (
            "bantime.increment = 1\nbantime.factor = __import__('os')",
            "bantime.factor: column 12: `'` cannot stand in a formula: allowed are numbers, ban.Time, ban.Count, banFactor, \
             the operators of Python, `x if condition else y`, min, max, abs, int, float, round, pow, and functions \
             and constants of math",
        ),
        (
            "bantime.increment = 1\nbantime.formula = ban.Time * open(1)",
            "bantime.formula: column 12: `open` is not known here: allowed are numbers, ban.Time, ban.Count, banFactor, \
             the operators of Python, `x if condition else y`, min, max, abs, int, float, round, pow, and functions \
             and constants of math",
        ),
        (
            "ignorecommand = x\nignorecache = max-count=1",
            "ignorecache: `key` is missing: write key=\"<ip>\", max-count=100, max-time=5m",
        ),
    ] {
        let line = 4 + option.lines().count();
        assert_eq!(one_jail(option).unwrap_err(), [format!("jail.local:{line}: {expected}")], "{option}");
    }
    let (found, _folder) = jails(&[(
        "jail.d/x.conf",
        "[a]\nenabled = 1\nlogpath = /x sideways\nfailregex = a\n[b]\nenabled = %(no)s\n",
    )]);
    assert_eq!(
        found.unwrap_err(),
        [
            "jail.d/x.conf:3: logpath: `sideways` behind `/x` is neither head nor tail: remove it",
            "jail.d/x.conf:6: [b] enabled: there is no option `no` for `%(no)s`: set it, or remove it here",
        ]
    );
    assert_eq!(jails(&[]).0.unwrap_err().len(), 1);
}

#[test]
fn numbers_that_are_none_leave_the_default() {
    let options =
        "[web]\nenabled = 1\nfilter = f\nlogpath = /nowhere/log\nmaxretry = many\nmaxmatches = 5.5\n";
    let files =
        [("jail.local", options), ("filter.d/f.conf", "[Definition]\nfailregex = ^a <HOST>\nmaxlines = x\n")];
    let (found, folder) = jails(&files);
    let found = found.unwrap();
    let web = &found.enabled[0];
    assert_eq!((web.maxretry, web.max_matches, web.filter.maxlines), (3, 5, 1));
    let expected = [
        "filter.d/f.conf:3: maxlines: `x` is no whole number, so the default holds, as in fail2ban: write maxlines = 5",
        "jail.local:5: maxretry: `many` is no whole number, so the default holds, as in fail2ban: write maxretry = 5",
        "jail.local:6: maxmatches: `5.5` is no whole number, so the default holds, as in fail2ban: write maxmatches = 5",
    ];
    assert_eq!(show(&found.notices, &folder), expected);
}

#[test]
fn jails_read_what_their_backend_says() {
    let files = |options: &str, filter: &str| {
        let text = format!("[web]\nenabled = true\nfilter = f\n{options}\n");
        let filter = format!("[Definition]\nfailregex = <logtype> <HOST>\n{filter}\n");
        let folder = folder(&[("jail.conf", &text), ("filter.d/f.conf", &filter), ("there.log", "")]);
        let mut directory = Directory::new(folder.path());
        directory.journal = true;
        let found = directory.jails().unwrap();
        let sources = found.enabled.iter().flat_map(|jail| &jail.sources);
        let sources: Vec<_> = sources.map(|source| format!("{} {:?}", source.path, source.start)).collect();
        let logtype = found.enabled.first().map(|jail| jail.filter.failregex.join(","));
        (sources.join(", "), logtype)
    };
    for (options, filter, sources, logtype) in [
        (
            "logpath = /nowhere/a tail\n /nowhere/*.log\n /nowhere/a.log head",
            "bantime.formula: column 12: `open` is not known here: allowed are numbers, ban.Time, ban.Count, banFactor, \
             the operators of Python, `x if condition else y`, min, max, abs, int, float, round, pow, and functions \
             and constants of math",
            "/nowhere/a Tail, /nowhere/*.log Head",
            Some("file"),
        ),
        ("logpath = /nowhere/**/a", "", "/nowhere/*/a Head", Some("file")),
        (
            "backend = systemd\nlogpath = /x",
            "journalmatch = U=1 +\n V=2",
            "journal:U=1 + + V=2 Head",
            Some("journal"),
        ),
        (
            "backend = systemd[namespace=x, journalfiles=\"/a,/b\"]",
            "journalmatch = U=1",
            "journal[namespace=x,journalfiles=\"/a,/b\"]:U=1 Head",
            Some("journal"),
        ),
        ("logpath = /nowhere/a", "journalmatch = U=1", "journal:U=1 Head", Some("journal")),
        ("logpath = /nowhere/a\nbackend = polling", "journalmatch = U=1", "/nowhere/a Head", Some("file")),
        (
            "logpath = /nowhere/a\nsystemd_if_nologs = no",
            "journalmatch = U=1",
            "/nowhere/a Head",
            Some("file"),
        ),
        ("logpath = /nowhere/a\njournalmatch =", "journalmatch = U=1", "/nowhere/a Head", Some("file")),
        ("logpath = /nowhere/a\nskip_if_nologs = true", "", "", None),
    ] {
        let found = files(options, filter);
        assert_eq!(
            found,
            (sources.to_owned(), logtype.map(|logtype| format!("{logtype} <HOST>"))),
            "{options}"
        );
    }
}

#[test]
fn what_has_no_effect_is_noticed_once() {
    let (found, folder) = jails(&[
        (
            "jail.conf",
            "[INCLUDES]\nbefore = none.conf\n[DEFAULT]\nbanaction = x\naction = %(banaction)s[n=%(token)s]\nport = 1\nunused = 1\n[a]\nport = 2\nlogpath = /a\n[b]\nport = 3\n",
        ),
        (
            "jail.local",
            "[DEFAULT]\nenabled = true\ntoken = 1\nmaxrety = 3\ndestemail = root@example.com\nlogpath = /a\n[a]\nfilter = f\nport = 2\n[b]\nfilter = f\nport = 2\n[c]\nfilter = missing\n[recidive]\nfilter = recidive\n",
        ),
        ("fail2ban.local", "[Definition]\nallowipv6 = auto\n"),
        ("filter.d/f.conf", "[Definition]\nfailregex = a <HOST>\n"),
        ("filter.d/recidive.conf", "[Definition]\nfailregex = a <HOST>\n"),
    ]);
    let found = found.unwrap();
    let names: Vec<_> = found.enabled.iter().map(|jail| (&*jail.name, jail.counts_bans)).collect();
    assert_eq!(names, [("a", false), ("b", false), ("recidive", true)]);
    let notices = show(&found.notices, &folder);
    let starts = [
        "fail2ban.local:2: `allowipv6` is accepted and ignored",
        "jail.conf: accepted and ignored: `action`, `banaction`, `port` (banzone publishes",
        "jail.conf:2: before: there is no file",
        "jail.local:4: `maxrety` is no option of jails, and no enabled jail uses it; did you mean `maxretry`?",
        "jail.local:5: `destemail` is accepted and ignored: banzone sends no mail",
        "jail.local:9: `port` is accepted and ignored: banzone publishes",
        "jail.local:14: jail `c` is left out, as fail2ban does: filter: there is no `missing.conf`",
        "jail.local:15: jail `recidive` counts the bans of the other jails",
    ];
    assert_eq!(notices.len(), starts.len(), "{notices:#?}");
    for (notice, start) in notices.iter().zip(starts) {
        assert!(notice.starts_with(start), "{notice}");
    }
}

#[test]
fn an_id_beside_an_address_is_noticed() {
    let jail = "[web]\nenabled = true\nfilter = f\nlogpath = /a\n";
    let notice = "it has an `<F-ID>` beside an address; an id that is no address cannot be listed";
    for (filter, expected) in [
        ("failregex = ^a <F-ID>\\S+</F-ID> <HOST>\n", Some("filter.d/f.conf:2: failregex 1: ")),
        ("failregex = ^a <HOST>\n  ^b <F-ID>\\S+</F-ID> <ADDR>\n", Some("filter.d/f.conf:3: failregex 2: ")),
        (
            "prefregex = ^<HOST> <F-CONTENT>.+</F-CONTENT>\nfailregex = ^<F-ID>\\S+</F-ID>\n",
            Some("filter.d/f.conf:3: failregex 1: "),
        ),
        ("failregex = ^a <F-ID>\\S+</F-ID>\n  ^a <HOST>\n", None),
    ] {
        let filter = format!("[Definition]\n{filter}");
        let (found, folder) = jails(&[("jail.local", jail), ("filter.d/f.conf", &filter)]);
        let notices = show(&found.unwrap().notices, &folder);
        let about: Vec<_> = notices.iter().filter(|text| text.contains(notice)).collect();
        assert_eq!(about.len(), usize::from(expected.is_some()), "{filter}: {notices:?}");
        assert!(about.iter().all(|text| text.starts_with(expected.unwrap())), "{notices:?}");
    }
}
