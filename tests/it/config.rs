//! Configurations, right and wrong: every error is found, with its place.

use std::fs;
use std::path::Path;
use std::time::Duration;

use banzone::config::{self, Config};
use banzone::jail::{BanTime, MANUAL};
use banzone::source::Start;
use banzone::zone::{Rate, Secrets};

/// A zone and a jail with nothing wrong, to add errors to.
const ZONE: &str = "origin = 'bl.example.'\nns = ['ns.example.']\n[[publish]]\njails = ['*']\n";
const JAIL: &str = "[jail.postfix-sasl]\nlogpath = '/var/log/mail.log'\n";

/// Writes `files` to a folder and loads `banzone.toml` of it; errors are shown with paths inside the folder.
fn load(files: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let inside = format!("{}/", folder.path().display());
    config::load(&folder.path().join("banzone.toml"))
        .map_err(|errors| errors.to_string().replace(&inside, ""))
}

/// Checks that `files` fail with exactly one error for each of `expected`, which it begins with or contains.
#[track_caller]
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let errors = load(files).expect_err("the configuration is wrong");
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{errors}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "expected: {expected}\nfound: {errors}");
    }
}

#[track_caller]
fn check(main: &str, expected: &[&str]) {
    check_files(&[("banzone.toml", main)], expected);
}

/// One jail with `keys`.
#[track_caller]
fn check_jail(keys: &str, expected: &[&str]) {
    check(&format!("{JAIL}{keys}"), expected);
}

/// One zone file instead of [`ZONE`].
#[track_caller]
fn check_zone(zone: &str, expected: &[&str]) {
    check_files(&[("banzone.toml", "zones = 'z.toml'"), ("z.toml", zone)], expected);
}

#[test]
fn pages_for_everybody_need_a_zone_and_a_contact_that_is_one() {
    check(
        "[public]\nlisten = '127.0.0.1:80'",
        &["banzone.toml:2:10: public.listen: no zone is shown: give those that everybody may see a `policy`"],
    );
    check(
        "public.removal = { manual = '0s' }",
        &["1:29: public.removal.manual: write \"never\", \"always\", or a duration such as \"7d\""],
    );
    check_jail("\n[public.removal]\npostfix-sals = '7d'", &["there is no jail `postfix-sals`"]);
    check(
        "public.contact = 'javascript:x@y'",
        &["1:18: public.contact: `javascript:x@y` is no address: write a mail"],
    );
}

#[test]
fn a_query_log_needs_a_path() {
    let missing = "banzone.toml:1:17: dns.query_log: `path` is missing";
    check("dns.query_log = {}", &[missing]);
    check("[dns.query_log]\npath = 'q'\nsample = 0", &["dns.query_log.sample: 0 is not between"]);
    check(
        "dns.query_log.path = ''",
        &["banzone.toml:1:22: dns.query_log.path: the path is empty: write one"],
    );
    check(
        "store.path = 'lib/b'\ndns.query_log.path = './lib/b'",
        &["lib/b` is the database: name another file"],
    );
    check(
        "store.path = ''\ncontrol.socket = ''",
        &["banzone.toml:1:14: store.path: the path is empty", "banzone.toml:2:18: control.socket: the path"],
    );
    let seeing = |text| load(&[("banzone.toml", text)]).unwrap().seeing;
    assert_eq!(seeing("").query_log, None);
    assert!(seeing("").count_addresses && !seeing("[dns]\ncount_addresses = false").count_addresses);
    let log = seeing("[dns]\nquery_log = { path = '/q', sample = 9 }").query_log.unwrap();
    assert_eq!((log.path.unwrap().as_path(), log.sample), (Path::new("/q"), 9));
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_name() {
    check(
        "[dns]\nlisen = '127.0.0.1:53'",
        &["banzone.toml:2:1: unknown key `dns.lisen`; did you mean `listen`?"],
    );
    check("[databse]", &["banzone.toml:1:2: unknown key `databse`; the keys here are `include`, `zones`, "]);
    check(
        "dns.foo = 1",
        &["banzone.toml:1:5: unknown key `dns.foo`; the keys here are `listen`, `threads`, "],
    );
    check("quux = 1", &["banzone.toml:1:1: unknown key `quux`"]);
    check_jail(
        "maxretries = 3",
        &["banzone.toml:3:1: unknown key `jail.postfix-sasl.maxretries`; did you mean `maxretry`?"],
    );
    check_jail(
        "escalate = { host = 3 }",
        &["banzone.toml:3:14: unknown key `jail.postfix-sasl.escalate.host`; did you mean `hosts`?"],
    );
    check_files(
        &[("banzone.toml", "include = 'jails.d/*.toml'"), ("jails.d/a.toml", "[dns]\nthreads = 1")],
        &["jails.d/a.toml:1:2: unknown key `dns`"],
    );
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    check("include = 5", &["banzone.toml:1:11: include: expected a string, found a whole number"]);
    check(
        "[dns]\nlisten = 'localhost:53'",
        &["banzone.toml:2:10: dns.listen: `localhost:53` is not an address with a port such as"],
    );
    check(
        "[dns]\nlisten = []",
        &["banzone.toml:2:10: dns.listen: the list is empty: write listen = [\"0.0.0.0:53\", "],
    );
    check("[dns]\nthreads = 0", &["banzone.toml:2:11: dns.threads: 0 is not between 1 and 1024"]);
    check("[log]\nlevel = 'loud'", &["banzone.toml:2:9: log.level: `loud` is not one of \"error\""]);
    check("dns = 1", &["banzone.toml:1:7: dns: expected a table, found a whole number"]);
    check("[zone]\norigin = 'bl.example.'", &["banzone.toml:1:1: zone: expected a list, found a table"]);
    check("[jail]\nx = 1", &["banzone.toml:2:5: jail.x: expected a table, found a whole number"]);
    check_jail(
        "findtime = '10x'",
        &[
            "banzone.toml:3:12: jail.postfix-sasl.findtime: `x` is no unit of time: use s, m, h, d, w, mo or y",
        ],
    );
    check_jail(
        "findtime = true",
        &[
            "banzone.toml:3:12: jail.postfix-sasl.findtime: expected a duration such as \"10m\", found true or false",
        ],
    );
    check_jail("findtime = 0", &["findtime: 0 bans nobody"]);
    check_jail("bantime = '-5m'", &["bantime: `-5m` is no duration: write it like \"10m\""]);
    check_jail(
        "bantime = 'often'",
        &["banzone.toml:3:11: jail.postfix-sasl.bantime: `often` is no duration"],
    );
    check_jail("maxretry = 0", &["banzone.toml:3:12: jail.postfix-sasl.maxretry: 0 is not between 1 and"]);
    check_jail("maxretry = '5'", &["maxretry: expected a whole number, found a string"]);
    check_jail(
        "ignoreip = ['192.0.2.0/24', '192.0.2.0/33']",
        &["banzone.toml:3:29: jail.postfix-sasl.ignoreip: `192.0.2.0/33` is no address or network"],
    );
    check_jail("ignoreip = 'mx/example'", &["`mx/example` is no address or network: write 192.0.2.1"]);
    check_jail("ignoreip = '192.0.2.300'", &["`192.0.2.300` is no address or network"]);
    check_jail("ignore_cache = { keys = 1 }", &["unknown key `jail.postfix-sasl.ignore_cache.keys`"]);
    check_jail("encoding = 'klingon'", &["encoding: `klingon` is no known encoding: write utf-8"]);
    check_jail("encoding = 'utf-16'", &["encoding: no lines can be found in `utf-16`"]);
    check_jail(
        "counts_bans = true",
        &["jail `postfix-sasl` counts the bans of other jails and reads nothing"],
    );
    check_jail(
        "increment = { formula = 'ban.Time * ban.Size' }",
        &["increment.formula: column 12: `ban.Size` is not known here: allowed are numbers, ban.Time"],
    );
    check_jail(
        "increment = { factor = -1 }",
        &["banzone.toml:3:24: jail.postfix-sasl.increment.factor: -1 is not above 0"],
    );
}

#[test]
fn what_the_system_cannot_do_is_refused() {
    let long = "x".repeat(100);
    check(
        &format!("[control]\nsocket = '/run/banzone/{long}'"),
        &["banzone.toml:2:10: control.socket: `/run/banzone/xxx"],
    );
}

#[test]
fn every_address_serves_one_thing() {
    const FILES: &str = "certificate = 'c.pem'\nkey = 'k.pem'\n";
    check(
        "[dns]\nlisten = ['127.0.0.1:53', '[::1]:53', '127.0.0.1:53']",
        &["banzone.toml:2:39: dns.listen: 127.0.0.1:53 is taken by dns.listen: choose another port"],
    );
    check(
        &format!("[dns.tls]\n{FILES}dot = '127.0.0.1:853'\ndoh = '127.0.0.1:853'\ndoq = '127.0.0.1:853'"),
        &["banzone.toml:5:7: dns.tls.doh: 127.0.0.1:853 is taken by dns.tls.dot: choose another port"],
    );
    check(
        &format!("[dns]\nlisten = '127.0.0.1:53'\n[dns.tls]\n{FILES}doq = '127.0.0.1:53'"),
        &["banzone.toml:6:7: dns.tls.doq: 127.0.0.1:53 is taken by dns.listen: choose another port"],
    );
    check(
        "[dns]\nlisten = '127.0.0.1:53'\n[http]\nlisten = '127.0.0.1:53'",
        &["banzone.toml:4:10: http.listen: 127.0.0.1:53 is taken by dns.listen: choose another port"],
    );
    check(
        "[http]\nlisten = '127.0.0.1:80'\n[public]\nlisten = '127.0.0.1:80'\n[[zone]]\norigin = 'a.'\nns = 'b.'\npolicy = ''\n[[zone.publish]]\njails = '*'",
        &["banzone.toml:4:10: public.listen: 127.0.0.1:80 is taken by http.listen: choose another port"],
    );
    check(
        "[dns]\nlisten = ['127.0.0.1:53', '[::1]:53', '0.0.0.0:53', '0.0.0.0:54']",
        &[
            "banzone.toml:2:39: dns.listen: 0.0.0.0:53 is taken by 127.0.0.1:53 of dns.listen: choose another port",
        ],
    );
    check(
        &format!("[http]\nlisten = '127.0.0.1:53'\n[dns.tls]\n{FILES}doq = '[::]:53'"),
        &[
            "banzone.toml:2:10: http.listen: 127.0.0.1:53 is taken by 0.0.0.0:53 of the default of dns.listen: choose another",
            "banzone.toml:6:7: dns.tls.doq: [::]:53 is taken by the default of dns.listen: choose another port",
        ],
    );
}

#[test]
fn what_encrypts_has_a_certificate_and_an_address() {
    check(
        "[http]\nlisten = '127.0.0.1:8053'\nkey = 'k.pem'",
        &["banzone.toml:1:1: http: `certificate` and `key` belong together: write both, or neither"],
    );
    check(
        "[sign_in]\nsecond_factor = ['root']\nidle_timeout = '10s'",
        &[
            "banzone.toml:2:18: sign_in.second_factor: `root` is no",
            "banzone.toml:3:16: sign_in.idle_timeout: write a duration from \"1m\" to \"90d\"",
        ],
    );
    check(
        "[http]\nproxies = ['somewhere']",
        &["banzone.toml:2:12: http.proxies: `somewhere` is no address or network"],
    );
    check(
        "[dns.tls]\ndot = '127.0.0.1:853'",
        &["banzone.toml:1:1: dns.tls: there is no certificate: write certificate = "],
    );
    check(
        "[dns.tls]\ndot = '127.0.0.1:853'\nacme = true",
        &["banzone.toml:3:8: dns.tls.acme: `[acme]` is missing: write it, with its `names`"],
    );
    check(
        "[http]\ncertificate = 'c.pem'\nkey = 'k.pem'\nacme = true",
        &[
            "banzone.toml:1:1: http: `acme` stands for `certificate` and `key`: write it, or those two",
            "banzone.toml:4:8: http.acme: `[acme]` is missing: write it, with its `names`",
        ],
    );
    check(
        "[acme]\nnames = ['hub.example']\ndirectory = 'http://ca.example'\ncontact = 'me@hub.example'",
        &[
            "banzone.toml:2:10: acme.names: `hub.example.` is in none of the zones, so that nobody",
            "banzone.toml:3:13: acme.directory: `http://ca.example` does not begin with https://",
            "banzone.toml:4:11: acme.contact: write \"mailto:me@hub.example\"",
        ],
    );
    check("[acme]\nnames = []", &["banzone.toml:2:9: acme.names: the list is empty: write names = "]);
    check(
        "[dns.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'",
        &["banzone.toml:1:1: dns.tls: nothing is served: write an address such as dot = "],
    );
    check(
        "[dns.tls]\ncertificate = 'c.pem'\nkey = 'k.pem'\ndoh = '127.0.0.1:443'\ndoh_path = 'dns query'",
        &["banzone.toml:5:12: dns.tls.doh_path: `dns query` is not the path of a URL: write one such as"],
    );
    check(
        "[dns]\nidle_timeout = 0\nconnections = 0",
        &[
            "banzone.toml:2:16: dns.idle_timeout: write a duration from \"1s\" to \"10m\"",
            "banzone.toml:3:15: dns.connections: 0 is not between 1 and 65535",
        ],
    );
}

#[test]
fn networks_to_escalate_to_are_wider_than_what_is_counted() {
    let narrow = "banzone.toml:3:12: escalate.ipv6 = 64 is no wider than what is counted, ipv6_prefix = 64";
    check_jail("escalate = { ipv6 = 64 }\nipv6_prefix = 64", &[narrow]);
    check_jail("escalate = { ipv4 = 32 }", &["escalate.ipv4: 32 is not between 8 and 31"]);
    check_jail("escalate = { hosts = 1 }", &["escalate.hosts: 1 is not between 2 and"]);
    check(
        &format!("[defaults]\nescalate = {{ ipv6 = 56 }}\n{JAIL}ipv6_prefix = 48"),
        &["banzone.toml:2:12: escalate.ipv6 = 56 is no wider than what is counted, ipv6_prefix = 48"],
    );
}

#[test]
fn jails_read_something_by_a_known_filter() {
    check("[jail.postfix-sasl]", &["banzone.toml:1:1: jail `postfix-sasl` reads nothing: write logpath ="]);
    check("[jail.postfix-sasl]\nlogpath = []", &["banzone.toml:1:1: jail `postfix-sasl` reads nothing"]);
    check_jail(
        "filter = 'postfix-sals'",
        &[
            "banzone.toml:3:10: filter `postfix-sals` is unknown (searched: the filters in the program); did you mean `postfix-sasl`?",
        ],
    );
    check(
        "filters = ['here', 'there']\n[jail.mine]\nlogpath = '/x'",
        &[
            "banzone.toml:2:7: filter `mine` is unknown (searched: here which does not exist, there which does not exist, the filters",
        ],
    );
    check_jail("filter = './mine.toml'", &["banzone.toml:3:10: cannot read `./mine.toml`: No such file"]);
    check(
        "[jail.'a b']\nlogpath = '/x'\nfilter = 'postfix-sasl'",
        &["banzone.toml:1:7: `a b` cannot be the name of a jail"],
    );
    check(
        "[jail.postfix-sasl]\nlogpath = '/var/log/[.log'",
        &["banzone.toml:2:11: logpath: `/var/log/[.log` is no pattern"],
    );
}

/// A line that is read twice counts twice.
#[test]
fn a_jail_reads_a_file_once() {
    let jail =
        |name: &str, logpath: &str| format!("[jail.{name}]\nfilter = 'postfix-sasl'\nlogpath = {logpath}\n");
    let check_logpath = |logpath: &str, expected: &str| check(&jail("a", logpath), &[expected]);
    check_logpath(
        "['/x/a.log', '/x/./a.log']",
        "banzone.toml:3:24: logpath: `/x/./a.log` is named twice: name it once",
    );
    check_logpath(
        "'journal:sshd'",
        "banzone.toml:3:11: logpath: journal:sshd: `sshd` is no match: write FIELD=VALUE",
    );
    check_logpath("'syslog:514'", "banzone.toml:3:11: logpath: syslog:514: write syslog:udp://ADDRESS:PORT");
    check_logpath("['-', '-']", "banzone.toml:3:17: logpath: `-` is named twice");
    check_logpath("['/x/*', '/x/*']", "banzone.toml:3:20: logpath: `/x/*` is named twice");
    let through =
        "logpath: `/x/a.log` is read through `/x/*.log` already, and its lines would count twice: remove";
    check_logpath("['/x/a.log', '/x/*.log']", &format!("banzone.toml:3:12: {through}"));
    check_logpath("['/x/*.log', '/x/a.log']", &format!("banzone.toml:3:24: {through}"));
    for different in ["['/x/a.log', '/x/b.log']", "['/x/*', '/x/y/a.log']", "['-', '/x/*.log', '/x/*.txt']"] {
        load(&[("banzone.toml", &jail("a", different))]).unwrap();
    }
    let two = jail("a", "'/x/a.log'") + &jail("b", "['/x/*.log']");
    load(&[("banzone.toml", &two)]).unwrap();
}

/// Every filter is compiled, and what is wrong is shown where it stands.
#[test]
fn filters_compile() {
    let check_filter = |filter: &str, expected: &[&str]| {
        let main = format!("filters = '.'\n{JAIL}filter = 'mine'");
        check_files(&[("banzone.toml", &main), ("mine.toml", filter)], expected);
    };
    check_filter(
        "failregex = [\n  '^a <HOST>$',\n  '^b(<HOST>$',\n]",
        &["mine.toml:3:3: failregex 2: unclosed group"],
    );
    check_filter(
        "failregex = ['^no address$']",
        &["mine.toml:1:14: failregex 1: it has no address; put <HOST> where"],
    );
    check_filter(
        "failregex = '<HOST>'\ntimezone = 'Mars/Olympus'\nignoreregex = '['",
        &["mine.toml:2:12: timezone: ", "mine.toml:3:15: ignoreregex 1: "],
    );
    check_filter("failregex = []", &["mine.toml:1:13: failregex: the list is empty"]);
    check_filter(
        "failregexp = '<HOST>'",
        &[
            "mine.toml:1:1: `failregex` is missing",
            "mine.toml:1:1: unknown key `failregexp`; did you mean `failregex`?",
        ],
    );
}

#[test]
fn a_jail_is_defined_once() {
    check_files(
        &[("banzone.toml", &format!("include = 'j/*.toml'\n{JAIL}")), ("j/a.toml", JAIL)],
        &["j/a.toml:1:1: jail `postfix-sasl` is already defined in banzone.toml:2:1: rename one of them"],
    );
    check(
        &format!("{JAIL}{JAIL}"),
        &[
            "banzone.toml:3:7: this is no TOML: duplicate key",
            "banzone.toml:4:1: this is no TOML: duplicate key",
        ],
    );
}

#[test]
fn named_files_exist() {
    check_files(&[], &["banzone.toml: cannot read `banzone.toml`: No such file"]);
    check(
        "include = ['jails.d/*.toml', 'more.toml']",
        &["banzone.toml:1:30: cannot read `more.toml`: No such file"],
    );
    check("zones = 'zones/bl.toml'", &["banzone.toml:1:9: cannot read `zones/bl.toml`: No such file"]);
}

#[test]
fn zones_publish_jails_that_exist_under_codes_that_list() {
    let publish = |rule: &str| format!("origin = 'bl.example.'\nns = 'ns.example.'\n[[publish]]\n{rule}");
    check_zone(
        &publish("jails = ['postfix']"),
        &["z.toml:4:10: jails: there is no jail `postfix`; the jails are `manual`"],
    );
    check_zone(
        &publish("jails = '*'\ncode = '127.0.0.1'"),
        &["z.toml:1:10: zone `bl.example.`: code 127.0.0.1 is outside 127.0.0.2 to 127.255.255.255: mail"],
    );
    check_zone(
        &publish("jails = '*'\ncode = '192.0.2.1'"),
        &["z.toml:1:10: zone `bl.example.`: code 192.0.2.1 is outside 127.0.0.2 to"],
    );
    check_zone(
        &publish("jails = '*'\ncode = '127.0.0'"),
        &["publish.code: `127.0.0` is not an IPv4 address"],
    );
    check_zone(
        &publish("jails = '*'\n[[publish]]\njails = '*'"),
        &["z.toml:1:10: zone `bl.example.`: jail `*` stands in two publish rules: leave it in one"],
    );
    check_zone(
        &publish("jails = []"),
        &["z.toml:1:10: zone `bl.example.`: the publish rule with code 127.0.0.2 names no jail: name some"],
    );
    check_zone(
        "origin = 'bl.example.'\nns = 'ns.example.'",
        &["z.toml:1:10: zone `bl.example.`: publishes nothing: add a [[publish]] with"],
    );
    check_zone(
        "ns = 'ns.example.'\n[[publish]]\njails = '*'",
        &["z.toml:1:1: `origin` is missing: write origin = \"bl.example.\""],
    );
    check_zone(
        "origin = 'bl.example.'\nns = []\n[[publish]]\njails = '*'",
        &["z.toml:1:10: zone `bl.example.`: no name server: name at least one in `ns`"],
    );
    check_zone(
        &format!("ttl = '70y'\n{ZONE}"),
        &["z.toml:2:10: zone `bl.example.`: `ttl` is not between 1 second and 68 years: choose"],
    );
    check_zone(
        &format!("negative_ttl = 0\n{ZONE}"),
        &["z.toml:2:10: zone `bl.example.`: `negative_ttl` is not between 1 second"],
    );
    let label = "a".repeat(63);
    check_zone(
        &ZONE.replace("bl.", &format!("{label}.{label}.{label}.")),
        &["the origin is too long to stand behind a reversed IPv6 address: use at most"],
    );
    // What cannot be read is not called missing.
    check_zone(
        "origin = 'bl.example.'\nns = '!'\n[[publish]]\njails = 5",
        &["z.toml:2:6: ns: `!` is no domain name", "z.toml:4:9: publish.jails: expected a string"],
    );
    check_zone(
        &format!("contact = 'a.b@example'\n{ZONE}"),
        &["z.toml:1:11: contact: `a.b@example` has a dot"],
    );
}

#[test]
fn data_sets_have_a_known_type_and_files() {
    let with = |keys: &str| format!("origin = 'bl.example.'\nns = 'ns.example.'\n[[dataset]]\n{keys}");
    let right = with("type = 'dnset'\nfiles = ['a', '/b']\ncode = '127.0.0.9'\ntext = 'about $'\nttl = '1h'");
    let config = load(&[("banzone.toml", "zones = 'z.toml'"), ("z.toml", &right)]).unwrap();
    let settings = &config.zones[0].data_sets[0].settings;
    assert!(settings.files[0].is_absolute() && settings.files[0].ends_with("a"));
    assert_eq!(settings.files[1], Path::new("/b"));
    assert_eq!(
        (settings.options.default_ttl, settings.options.text.as_deref()),
        (Some(3600), Some("about $"))
    );
    check_zone(&with("files = 'a'"), &["z.toml:3:1: dataset: `type` is missing: write type = \"ip4trie\""]);
    check_zone(&with("type = 'dnset'"), &["z.toml:3:1: dataset: `files` is missing"]);
    check_zone(&with("type = 'dnset'\nfiles = []"), &["z.toml:5:9: dataset.files: the list is empty"]);
    check_zone(
        &with("type = 'ip4tree'\nfiles = 'a'"),
        &["z.toml:4:8: dataset.type: `ip4tree` is none of ip4set, ip4trie"],
    );
    check_zone(
        &with("type = 'dnset'\nfiles = 'a'\ntext = '$ip is bad'"),
        &["z.toml:6:8: dataset.text: `$ip` is for publish rules: write $ for what is listed"],
    );
    check_zone(&with("type = 'dnset'\nfiles = 'a'\ntext = \"a\\nb\""), &["a text has no control characters"]);
    check_zone(
        &with("type = 'dnset'\nfiles = 'a'\ncode = '127.0.0.1'"),
        &["zone `bl.example.`: code 127.0.0.1 is outside 127.0.0.2 to"],
    );
    check_zone(
        &with("type = 'dnset'\nfiles = 'a'\nttl = 0"),
        &["zone `bl.example.`: `dataset.ttl` is not between 1 second"],
    );
    let acl = "type = 'acl'\nfiles = 'clients'";
    check_zone(&with(acl), &["zone `bl.example.`: publishes nothing: add a [[publish]] with"]);
    let both = format!("{ZONE}[[dataset]]\n{acl}\n");
    check_zone(&format!("{both}code = '127.0.0.9'"), &["z.toml:6:8: dataset.type: an acl says who may ask"]);
    check_zone(&format!("{both}[[dataset]]\n{acl}"), &["zone `bl.example.`: has two lists of clients"]);
    let access = "[[access]]\nclients = '192.0.2.1'\naction = 'pass'";
    check_zone(&format!("{both}{access}"), &["zone `bl.example.`: has two lists of clients"]);
    let keys = "type = 'aclkey'\nfiles = 'keys'";
    check_zone(&with(keys), &["zone `bl.example.`: publishes nothing: add a [[publish]] with"]);
    let both = format!("{ZONE}[[dataset]]\n{keys}\n");
    check_zone(&format!("{both}text = 'x'"), &["z.toml:6:8: dataset.type: an aclkey says who may ask"]);
    check_zone(&format!("{both}[[dataset]]\n{keys}"), &["zone `bl.example.`: has two lists of keys"]);
    let key = "[[key]]\nname = 'one'\nkey = '0123456789abcdef'";
    check_zone(&format!("{both}{key}"), &["zone `bl.example.`: has two lists of keys"]);
}

#[test]
fn sublists_have_names_that_no_address_has() {
    let named = |name: &str| format!("{ZONE}name = '{name}'\n");
    let config = load(&[("banzone.toml", "zones = 'z.toml'"), ("z.toml", &named("SASL"))]).unwrap();
    let sublist = config.zones[0].publish[0].sublist.as_ref();
    assert_eq!(sublist.map(ToString::to_string).as_deref(), Some("sasl"));
    for (name, problem) in [("25", "it could be a part"), ("f", "use 2 to 63"), ("a.b", "use letters")] {
        let expected =
            format!("z.toml:5:8: publish.name: `{name}` cannot be the name of a sublist: {problem}");
        check_zone(&named(name), &[&expected]);
    }
    let set = "[[dataset]]\ntype = 'dnset'\nfiles = 'a'\nname = '7'\n";
    check_zone(&format!("{ZONE}{set}"), &["z.toml:8:8: dataset.name: `7` cannot be the name of a sublist"]);
    let inner = ZONE.replace("bl.", "sasl.bl.");
    check_files(
        &[("banzone.toml", "zones = '?.toml'"), ("a.toml", &named("sasl")), ("b.toml", &inner)],
        &["b.toml:1:10: zone `sasl.bl.example.`: stands inside the sublist `sasl` of zone bl.example."],
    );
}

/// Zones may be nested, but not where the addresses of the outer one stand.
#[test]
fn a_question_belongs_to_one_zone() {
    let zones = |origins: &[&str]| {
        let zone = |origin: &&str| "[[zone]]\n".to_owned() + &ZONE.replace("bl.example.", origin) + "\n";
        let main: String = origins.iter().map(zone).collect();
        main.replace("[[publish]]", "[[zone.publish]]")
    };
    let check_zones = |origins: &[&str], expected: &[&str]| check(&zones(origins), expected);
    let files = ["a.toml", "b.toml"].map(|file| (file, ZONE));
    check_files(
        &[("banzone.toml", "zones = '?.toml'"), files[0], files[1]],
        &["b.toml:1:10: zone `bl.example.`: "],
    );
    let twice = "banzone.toml has the same origin: change one of the two";
    check_zones(&["bl.example.", "x.example.", "BL.example"], &[twice]);
    let inside = "stands where zone bl.example. has reversed addresses: put a label";
    check_zones(
        &["2.bl.example.", "bl.example.", "bl.example.", "a.x.f.bl.example."],
        &[
            &format!("banzone.toml:2:10: zone `2.bl.example.`: {inside}"),
            "banzone.toml:14:10: zone `bl.example.`: ",
            &format!("banzone.toml:20:10: zone `a.x.f.bl.example.`: {inside}"),
        ],
    );
    for sound in [["x.bl.example.", "bl.example."], ["bl.example.", "xbl.example."]] {
        let config = load(&[("banzone.toml", &zones(&sound))]).unwrap();
        assert_eq!(config.zones.len(), 2);
    }
}

#[test]
fn a_network_of_clients_gets_one_thing() {
    check_zone(
        &format!("{ZONE}[[access]]\nclients = '192.0.2.0/24'\n[[access]]\naction = 'allow'"),
        &[
            "z.toml:5:1: access: `action` is missing: write action = \"refuse\"",
            "z.toml:7:1: access: `clients` is missing: write clients = [\"192.0.2.0/24\"]",
            "z.toml:8:10: access.action: `allow` is not one of \"pass\" \"refuse\"",
        ],
    );
    check_zone(
        &format!("{ZONE}[[access]]\nclients = ['::/0', '0.0.0.0/0', '::/0']\naction = 'empty'\ntext = 'x'"),
        &[
            "z.toml:5:1: access: ::/0 is named twice",
            "z.toml:8:8: access.text: only action = \"list\" has one: remove it",
        ],
    );
    let list = format!("{ZONE}[[access]]\nclients = '192.0.2.1'\naction = 'list'\n");
    check_zone(&list, &["z.toml:5:1: access: `code` is missing: write code = \"127.0.0.9\""]);
    check_zone(
        &format!("{list}code = '127.0.0.1'\ntext = '$ip'"),
        &[
            "z.toml:8:8: access.code: 127.0.0.1 is outside 127.0.0.2 to 127.255.255.255",
            "z.toml:9:8: access.text: use $client for the address of the client",
        ],
    );
    check(
        "[[dns.access]]\nclient = '192.0.2.1'\naction = 'ignore'",
        &[
            "banzone.toml:1:1: dns.access: `clients` is missing",
            "banzone.toml:2:1: unknown key `dns.access.client`; did you mean `clients`?",
        ],
    );
}

#[test]
fn limits_of_replies_limit_something() {
    check(
        "[dns.rate_limit]\nslip = 11",
        &["banzone.toml:2:8: dns.rate_limit.slip: 11 is not between 0 and 10"],
    );
    check("[dns]\nrate_limit = {}", &["banzone.toml:2:14: dns.rate_limit: limits nothing: write"]);
    check(
        "[dns.rate_limit]\nresponses_per_second = 100001\nexempt = 'mx'",
        &[
            "responses_per_second: 100001 is not between 1 and 100000",
            "exempt: `mx` is no address or network",
        ],
    );
    let config =
        load(&[("banzone.toml", "[dns.rate_limit]\nerrors_per_second = 5\nexempt = '192.0.2.0/24'")]);
    let limit = config.unwrap().rate_limit.unwrap();
    assert_eq!((limit.responses, limit.errors, limit.slip), (None, Some(Rate::new(5)), 2));
    assert!(limit.exempt.contains("192.0.2.1".parse().unwrap()));
}

#[test]
fn a_server_has_a_name_and_secrets_that_are_not_repeated() {
    check("[dns]\nnsid = ''", &["banzone.toml:2:8: dns.nsid: `` has not 1 to 64 printable characters"]);
    for wrong in [
        "00112233445566778899aabbccddeef",
        "00112233445566778899aabbccddeefg",
        "+0112233445566778899aabbccddeeff",
    ] {
        let errors = load(&[("banzone.toml", &format!("[dns]\ncookie_secret = '{wrong}'"))]).unwrap_err();
        assert!(errors.contains("dns.cookie_secret: this is not 32 hexadecimal digits"), "{errors}");
        assert!(!errors.contains(wrong), "{errors}");
    }
    check("[dns]\ncookie_secret = []", &["banzone.toml:2:17: dns.cookie_secret: the list is empty: write"]);
    let two =
        "[dns]\ncookie_secret = ['00112233445566778899aabbccddeeff', 'FF112233445566778899AABBCCDDEEFF']";
    let config = load(&[("banzone.toml", two)]).unwrap();
    assert!(matches!(config.server.cookies, Some(Secrets::Shared { ref others, .. }) if others.len() == 1));
    assert!(!format!("{config:?}").to_lowercase().contains("aabbcc"));
}

/// A zone with a key.
const KEYED: &str = "[[key]]\nname = 'one'\nkey = '0123456789abcdef'\n";

#[test]
fn keys_are_long_and_there_once() {
    check_zone(
        &format!("{ZONE}[[key]]\nname = 'one two'\nkey = 'tooshort'\nqueries_per_day = 0\nexpires = 'soon'"),
        &[
            "z.toml:6:8: key.name: the name of a key has 1 to 64 letters",
            "z.toml:7:7: key.key: a key has 16 to 63 small letters and digits",
            "z.toml:8:19: key.queries_per_day: 0 is not between 1 and 1000000000000",
            "z.toml:9:11: key.expires: this is no date such as \"2027-01-31\"",
        ],
    );
    check_zone(
        &format!("{ZONE}{KEYED}{KEYED}"),
        &[
            "z.toml:8:1: zone `bl.example.`: two keys are called `one`: rename one of the two; the first is z.toml:5:1",
        ],
    );
    check_zone(
        &format!("{ZONE}{KEYED}{}", KEYED.replace("one", "two")),
        &["z.toml:8:1: zone `bl.example.`: the keys `two` and `one` are the same"],
    );
    check_zone(
        &ZONE.replace("[[publish]]", "key_refusal = 'ignore'\n[[publish]]"),
        &["z.toml:3:15: key_refusal: the zone has no keys"],
    );
    let inner = ZONE.replace("bl.example", "0123456789abcdef.bl.example");
    check_files(
        &[
            ("banzone.toml", "zones = ['z.toml', 'y.toml']"),
            ("z.toml", &format!("{ZONE}{KEYED}")),
            ("y.toml", &inner),
        ],
        &["y.toml:1:10: zone `0123456789abcdef.bl.example.`: stands where zone bl.example. has a key"],
    );
}

#[test]
fn keys_stand_in_files_too() {
    let zone = ZONE.replace("[[publish]]", "key_files = 'keys.txt'\n[[publish]]");
    let keys = |keys: &str| {
        load(&[
            ("banzone.toml", "zones = 'z.toml'"),
            ("z.toml", &format!("{zone}{KEYED}")),
            ("keys.txt", keys),
        ])
    };
    let right = "# customers\n\n two fedcba9876543210 queries_per_day=10 expires=2027-01-31 # paid\n\
                 three fedcba98765432100 queries_per_second=5\n";
    let config = keys(right).unwrap();
    let [zone] = &config.zones[..] else { panic!("one zone") };
    let known = zone.admission.keys.as_ref().unwrap();
    let names: Vec<&str> = known.keys.iter().map(|key| &*key.name).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert_eq!(known.keys[1].per_day, Some(10));
    assert_eq!(known.keys[1].expires.unwrap().to_string(), "2027-01-31T00:00:00Z");
    assert_eq!(known.keys[2].per_second, Some(Rate::new(5)));
    assert!(config.files.iter().any(|file| file.ends_with("keys.txt")));
    let twice = keys("two fedcba9876543210\n\nthree fedcba9876543210\n").unwrap_err();
    let expected =
        "keys.txt:3: zone `bl.example.`: the keys `three` and `two` are the same: make another one";
    assert!(twice.starts_with(expected) && twice.ends_with("; the first is keys.txt:1"), "{twice}");
    let wrong = "two\ntwo FEDCBA9876543210\ntwo fedcba9876543210 quota=1\ntwo fedcba9876543210 queries_per_day=x\n\
                 two fedcba9876543210 queries_per_day=1 queries_per_day=2\n";
    let errors = keys(wrong).unwrap_err();
    let expected = [
        "keys.txt:1: a line is a name and a key: NAME KEY",
        "keys.txt:2: a key has 16 to 63 small letters and digits",
        "keys.txt:3: behind a name and a key stand",
        "keys.txt:4: queries_per_day is a number between 1 and",
        "keys.txt:5: the same limit stands twice in the line",
    ];
    assert_eq!(errors.lines().count(), expected.len(), "{errors}");
    for (line, expected) in errors.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
        assert!(!line.to_lowercase().contains("fedcba"), "{line}");
    }
}

#[test]
fn broken_toml_is_refused() {
    check("[dns", &["banzone.toml:1:5: this is no TOML: "]);
    check("a = 'b", &["banzone.toml:1:7: this is no TOML: invalid literal string"]);
    // Jails of a file that cannot be read are not called missing.
    check_files(
        &[
            ("banzone.toml", "include = 'j.toml'\nzones = 'z.toml'"),
            ("j.toml", "[jail.a]\n="),
            ("z.toml", &ZONE.replace('*', "a")),
        ],
        &["j.toml:2:1: this is no TOML: ", "j.toml:2:2: this is no TOML: "],
    );
    let large = " ".repeat(5 << 20);
    check(&large, &["banzone.toml: cannot read `banzone.toml`: it is larger than 4 MiB"]);
}

#[test]
fn all_errors_of_all_files_are_found_at_once() {
    check_files(
        &[
            (
                "banzone.toml",
                "include = 'jails.d/*.toml'\nzones = 'z.toml'\n[dns]\nlisten = ['x']\n[log]\nformat = 'xml'\n",
            ),
            ("jails.d/a.toml", "[jail.a]\nlogpath = '/x'\nmaxretry = 0\nfindtime = 'x'\n"),
            ("z.toml", "origin = 'bl.example.'\nns = 'ns.example.'\nttl = 'x'\n[[publish]]\njails = 'b'\n"),
        ],
        &[
            "banzone.toml:4:11: dns.listen: ",
            "banzone.toml:6:10: log.format: ",
            "jails.d/a.toml:1:7: filter `a` is unknown",
            "jails.d/a.toml:3:12: jail.a.maxretry: ",
            "jails.d/a.toml:4:12: jail.a.findtime: ",
            "z.toml:3:7: ttl: ",
            "z.toml:5:9: jails: there is no jail `b`",
        ],
    );
}

#[test]
fn a_jail_says_more_than_the_defaults() {
    let main = "
        [defaults]
        findtime = '1h'
        bantime = 600
        ignoreip = '192.0.2.0/24'
        increment = true
        escalate = { hosts = 3 }
        [jail.postfix-sasl]
        logpath = ['/var/log/mail.log', 'mail/*.log', '-']
        start = 'head'
        findtime = '1d'
        ignoreip = ['198.51.100.7']
        escalate = false
        [jail.off]
        enabled = false
        filter = 'not even there'
    ";
    let config = load(&[("banzone.toml", main)]).unwrap();
    let [manual, jail] = &config.jails[..] else { panic!("one jail is enabled") };
    assert_eq!(&*manual.name, MANUAL);
    assert_eq!(&*jail.name, "postfix-sasl");
    assert_eq!(jail.filter.name, "postfix-sasl");
    assert_eq!(jail.findtime, Duration::from_secs(86_400));
    assert_eq!(jail.bantime, BanTime::For(Duration::from_secs(600)));
    assert_eq!((jail.maxretry, jail.ipv6_prefix, jail.ignore_self), (5, 128, true));
    assert_eq!(jail.escalate, None);
    assert!(jail.increment.is_some());
    assert!(
        jail.ignore.contains("192.0.2.1".parse().unwrap())
            && jail.ignore.contains("198.51.100.7".parse().unwrap())
    );
    assert!(
        config.allow.contains("192.0.2.1".parse().unwrap())
            && !config.allow.contains("198.51.100.7".parse().unwrap())
    );
    let paths: Vec<_> = jail.sources.iter().map(|source| (&*source.path, source.start)).collect();
    assert_eq!(paths[0], ("/var/log/mail.log", Start::Head));
    assert!(paths[1].0.starts_with('/') && paths[1].0.ends_with("/mail/*.log"), "{}", paths[1].0);
    assert_eq!(paths[2].0, "-");
}

#[test]
fn the_jail_of_bans_by_hand_reads_nothing() {
    check(
        "[jail.manual]\nlogpath = '/x'",
        &[
            "banzone.toml:1:1: jail `manual` is that of bans by hand and reads nothing: remove filter and logpath",
        ],
    );
    let config = load(&[("banzone.toml", "[jail.manual]\nbantime = '1w'")]).unwrap();
    assert_eq!(config.jails[0].bantime, BanTime::For(Duration::from_secs(604_800)));
    assert!(config.jails[0].sources.is_empty());
    assert!(load(&[("banzone.toml", "[jail.manual]\nenabled = false")]).unwrap().jails.is_empty());
}

#[test]
fn one_jail_takes_reports_and_does_nothing_else() {
    for (main, expected) in [
        (
            "[jail.a]\nreports = true\n[jail.b]\nreports = {}",
            "4:11: jail `b`: the jail `a` takes the reports already",
        ),
        ("[jail.manual]\nreports = true", "2:11: jail `manual` has bans of its own"),
        ("[jail.a]\nreports = true\ncounts_bans = true", "2:11: jail `a` has bans of its own"),
        (
            "[jail.a]\nreports = true\nlogpath = '/x'",
            "1:1: jail `a` lists what other servers report and reads nothing",
        ),
        (
            "[jail.a]\nreports = { threshold = 0 }",
            "2:25: jail.a.reports.threshold: 0 is not between 0.001 and 1000",
        ),
        (
            "[jail.a]\nreports = { half_life = '10s' }",
            "2:25: jail.a.reports.half_life: a half-life is between 1 minute",
        ),
        (
            "[jail.a]\nreports = { guard = { share = -1 } }",
            "2:31: jail.a.reports.guard.share: -1 is not between",
        ),
    ] {
        check(main, &[&format!("banzone.toml:{expected}")]);
    }
    let config = load(&[(
        "banzone.toml",
        "[jail.a]\nreports = { trust = 2 }\n[jail.b]\nreports = false\nlogpath = '/x'\nfilter = 'sshd'",
    )]);
    let config = config.unwrap();
    let trust = |jail: &banzone::jail::Settings| jail.reports.map(|reports| reports.trust);
    assert_eq!(config.jails.iter().map(trust).collect::<Vec<_>>(), [Some(2.0), None, None]);
    assert_eq!(config.jails[0].ipv6_prefix, 64);
}

#[test]
fn a_hub_has_a_place_a_token_and_jails_that_exist() {
    let hub = |keys: &str| format!("{JAIL}[jail.shared]\nreports = true\n[hub]\n{keys}");
    let (url, token) = ("url = 'https://hub.example'", "token = 'bz_x'");
    let line = hub("").lines().count() + 1;
    for (keys, expected) in [
        (String::new(), format!("{}:1: hub: `url` is missing: write url = ", line - 1)),
        (url.to_owned(), format!("{}:1: hub: write either token_file = ", line - 1)),
        (
            format!("{url}\n{token}\ntoken_file = 'x'"),
            format!("{}:1: hub: write either token_file = ", line - 1),
        ),
        (
            format!("{token}\nurl = 'http://hub.example'"),
            format!("{}:7: hub.url: `http://hub.example` would have", line + 1),
        ),
        (
            format!("{url}\n{token}\njails = ['shared']"),
            format!("{}:10: hub.jails: `shared` lists what others", line + 2),
        ),
        (
            format!("{url}\n{token}\njails = 'sasl'"),
            format!("{}:9: hub.jails: there is no jail `sasl`", line + 2),
        ),
        (format!("{url}\n{token}\nmax_spooled = 0"), format!("{}:15: hub.max_spooled: 0 is not", line + 2)),
    ] {
        check(&hub(&keys), &[&format!("banzone.toml:{expected}")]);
    }
    let config = load(&[("banzone.toml", &hub(&format!("{url}\n{token}")))]).unwrap();
    let settings = config.hub.unwrap();
    assert_eq!(settings.jails.iter().map(|jail| &**jail).collect::<Vec<_>>(), ["postfix-sasl"]);
    assert!(!format!("{settings:?}").contains("bz_x"), "a token is a secret");
}

#[test]
fn a_filter_in_a_folder_wins_over_the_one_in_the_program() {
    let own = "failregex = ['^own <HOST>$']";
    let main = format!("filters = 'filters'\n{JAIL}");
    let config = load(&[("banzone.toml", &main), ("filters/postfix-sasl.toml", own)]).unwrap();
    assert_eq!(config.jails[1].filter.failregex, ["^own <HOST>$"]);
    let named = config.files.iter().any(|file| file.ends_with("filters/postfix-sasl.toml"));
    assert!(named, "{:?}", config.files);
}

#[test]
fn an_empty_configuration_has_sane_defaults() {
    let config = load(&[("banzone.toml", "zones = 'z.toml'"), ("z.toml", ZONE)]).unwrap();
    assert_eq!(config.store.path, Path::new("/var/lib/banzone/banzone.db"));
    assert_eq!(config.spool, Path::new("/var/lib/banzone/spool"));
    assert_eq!(config.http.control, Path::new(config::DEFAULT_SOCKET));
    assert_eq!(config.http.listen, None);
    assert_eq!(config.dns.listen.len(), 2);
    assert!(config.dns.threads > 0);
    let [zone] = &config.zones[..] else { panic!("one zone") };
    assert_eq!(zone.contact.to_string(), "hostmaster.bl.example.");
    assert_eq!(zone.publish[0].code.to_string(), "127.0.0.2");
    assert_eq!(zone.ttl, Duration::from_secs(300));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn shipped_files_are_right() {
    for (name, jails) in [("banzone.toml", 2), ("quickstart.toml", 2)] {
        let config = config::load(&root().join("config").join(name));
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(config.jails.len() >= jails && !config.zones.is_empty(), "{name}");
    }
}

#[test]
fn who_never_fails_is_kept_apart_by_kind() {
    let main = "
[defaults]
ignoreip = ['192.0.2.0/24', 'office.example', 'file:all.txt']
ignore_command = 'defaults <ip>'
ignore_cache = { key = '<F-USER>' }
[jail.one]
filter = 'postfix-sasl'
logpath = '/var/log/mail.log'
ignoreip = ['198.51.100.1', 'home.example', 'file:/etc/one.txt']
encoding = 'utf-8'
[jail.two]
filter = 'postfix-sasl'
logpath = '/var/log/mail.log'
ignore_command = ''
[jail.three]
counts_bans = true
";
    let config = load(&[("banzone.toml", main)]).unwrap();
    let [_, one, three, two] = &config.jails[..] else { panic!("{:?}", config.jails) };
    assert_eq!(config.allow.iter().count(), 1);
    assert_eq!(one.ignore_names, ["home.example", "office.example"]);
    assert_eq!(one.ignore_files[0], Path::new("/etc/one.txt"));
    assert!(one.ignore_files[1].ends_with("all.txt") && one.ignore_files[1].is_absolute());
    assert_eq!(one.ignore.iter().count(), 2);
    assert_eq!(one.encoding, None);
    let command = one.ignore_command.as_ref().unwrap();
    assert_eq!(command.command, "defaults <ip>");
    let cache = command.cache.as_ref().unwrap();
    assert_eq!((&*cache.key, cache.max_count, cache.max_time), ("<F-USER>", 100, Duration::from_secs(300)));
    assert_eq!(two.ignore_command, None);
    assert!(three.counts_bans && three.sources.is_empty());
}

#[test]
fn every_shipped_filter_is_in_the_program() {
    let entries = fs::read_dir(root().join("filters")).unwrap();
    let filters = config::Filters::new(Vec::new());
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(filters.names(), files, "add the file to the table of src/config/shipped.rs");
    for name in &files {
        filters.find(name).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

/// The annotated files and the manual cannot fall behind the program.
#[test]
fn every_key_is_annotated_and_in_the_manual() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let annotated =
        read("config/banzone.toml") + &read("zones/bl.example.toml") + &read("filters/postfix-sasl.toml");
    let manual = read("docs/configuration.md");
    for (section, keys) in config::keys::ALL {
        for key in *keys {
            let is_key = |line: &str| {
                let line = line.trim_start_matches(['#', ' ', '[']);
                line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', ']', '.']))
                    || line.contains(&format!("{key} = "))
                    || line.ends_with(&format!(".{key}]"))
            };
            let in_filter_only = *section == "filters/NAME.toml" && *key != "failregex";
            assert!(
                in_filter_only || annotated.lines().any(is_key),
                "{section} {key}: annotate it in config/ or zones/"
            );
            assert!(
                manual.contains(&format!("`{key}`")),
                "{section} {key}: describe it in docs/configuration.md"
            );
        }
    }
}
