//! The web pages as a browser gets them: who sees which, forms that lead back, and what a hostile text becomes.

use std::process::Command;

use banzone::http::PAGES;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::access::{ROLES, ask, audit, daemon};
use super::env::{Daemon, Env, Response, failure, until};
use super::hub::report;
use super::sign_in::{Browser, PASSWORD, add};

/// Nobody must have a second factor.
const LAX: &str = "[http]\nlisten = '127.0.0.1:0'\n[sign_in]\nsecond_factor = []\n";

/// What browsers send for a page and for its forms.
const HTML: &str = "Accept: text/html\r\nSec-Fetch-Site: same-origin\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Every page and form, and who may: `v`iewers, `o`perators, `a`dmins, `r`eporters, and those who are `n`obody.
const MATRIX: &[(&str, &str)] = &[
    ("get /", ".voa."),
    ("get /sign-in", "nvoar"),
    ("post /sign-in", "nvoar"),
    ("post /sign-out", ".voar"),
    ("get /verify", ".voar"),
    ("post /verify", ".voar"),
    ("get /account", ".voar"),
    ("post /account/password", ".voar"),
    ("post /account/totp", ".voar"),
    ("post /account/totp/confirm", ".voar"),
    ("post /account/totp/remove", ".voar"),
    ("post /account/passkey/remove", ".voar"),
    ("post /account/session/end", ".voar"),
    ("get /bans", ".voa."),
    ("post /bans", "..oa."),
    ("post /bans/end", "..oa."),
    ("get /ip", ".voa."),
    ("get /ip/{address}", ".voa."),
    ("get /network", ".voa."),
    ("get /networks", ".voa."),
    ("get /jails", ".voa."),
    ("get /jails/{jail}", ".voa."),
    ("post /try", ".voa."),
    ("get /reporters", ".voa."),
    ("post /reporters", "...a."),
    ("get /held", ".voa."),
    ("post /held", "..oa."),
    ("get /allow", ".voa."),
    ("post /allow", "..oa."),
    ("post /allow/remove", "..oa."),
    ("get /zones", ".voa."),
    ("get /requests", "..oa."),
    ("post /requests", "..oa."),
    ("get /users", "...a."),
    ("post /users", "...a."),
    ("post /users/change", "...a."),
    ("get /tokens", "...a."),
    ("post /tokens", "...a."),
    ("post /tokens/rotate", "...a."),
    ("post /tokens/revoke", "...a."),
    ("get /audit", "...a."),
    ("get /audit/verify", "...a."),
    ("get /health", ".voa."),
];

fn page(daemon: &Daemon, request: &str, headers: &str, body: &str) -> Response {
    let (method, path) = request.split_once(' ').unwrap();
    ask(daemon.http(), &format!("{} {path}", method.to_uppercase()), &format!("{HTML}{FORM}{headers}"), body)
}

/// The same for whoever has signed in with `browser`.
fn own(browser: &Browser<'_>, request: &str, body: &str) -> Response {
    page(browser.daemon, request, &format!("Cookie: {}\r\n", browser.cookie), body)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn every_page_is_for_those_it_is_for() {
    let known: Vec<String> = PAGES.iter().map(|page| format!("{} {}", page.method, page.path)).collect();
    assert_eq!(known, MATRIX.iter().map(|(page, _)| *page).collect::<Vec<_>>());
    let (env, daemon) = daemon(LAX);
    let mut wrong = Vec::new();
    for (column, role) in ROLES.iter().enumerate() {
        let browser = (column > 0).then(|| {
            add(&env, role, role);
            Browser::sign_in(&daemon, role, None)
        });
        for (page_of, admitted) in MATRIX.iter().filter(|(page, _)| *page != "post /sign-out") {
            let request = page_of.replace("{address}", "192.0.2.1").replace("{jail}", "postfix-sasl");
            let csrf = browser.as_ref().map_or("", |browser| browser.csrf.as_str());
            let body = format!("csrf={csrf}");
            let answer = match &browser {
                Some(browser) => own(browser, &request, &body),
                None => page(&daemon, &request, "", &body),
            };
            let is_admitted = admitted.as_bytes()[column] != b'.';
            let is_as_told = match (is_admitted, browser.is_some()) {
                (true, _) => {
                    ![401, 403].contains(&answer.status)
                        || ["post /sign-in", "post /verify"].contains(page_of)
                }
                (false, true) => answer.status == 403,
                (false, false) => {
                    answer.status == 303
                        && header(&answer, "location").is_some_and(|to| to.starts_with("/sign-in?next="))
                }
            };
            let is_safe = header(&answer, "content-security-policy")
                .is_some_and(|policy| policy.starts_with("default-src 'none'"));
            let is_kept = header(&answer, "cache-control") != Some("no-store");
            if !is_as_told || answer.status >= 500 || !is_safe || is_kept {
                wrong.push(format!("{page_of} by {role}: {} {}", answer.status, answer.head));
            }
            if let Some(browser) =
                browser.as_ref().filter(|_| page_of.starts_with("post ") && *page_of != "post /sign-in")
            {
                let status = own(browser, &request, "csrf=x").status;
                if status != 403 {
                    wrong.push(format!("{page_of} by {role} without a token: {status}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a page has what it loads from, by the ending of that.
fn loaded<'a>(page: &'a str, ending: &str) -> &'a str {
    page.split('"').find(|part| part.starts_with('/') && part.ends_with(ending)).expect("it loads something")
}

#[test]
fn what_pages_load_is_kept_as_long_as_it_is_the_same() {
    let (_env, daemon) = daemon(
        "[http]
listen = '127.0.0.1:0'
[sign_in]
origin = 'http://localhost:8053'
",
    );
    let shown = page(&daemon, "get /sign-in", "", "").body;
    for (ending, kind) in [(".css", "text/css; charset=utf-8"), (".js", "text/javascript; charset=utf-8")] {
        let path = loaded(&shown, ending);
        let answer = page(&daemon, &format!("get {path}"), "", "");
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(header(&answer, "content-type"), Some(kind));
        assert_eq!(header(&answer, "cache-control"), Some("public, max-age=31536000, immutable"));
        let (name, hash) = path.trim_end_matches(ending).rsplit_once('.').unwrap();
        let digest = Sha256::digest(answer.body.as_bytes());
        assert_eq!(hash, &data_encoding::HEXLOWER.encode(&digest)[..16]);
        // What another release has is not taken for ours.
        assert_eq!(page(&daemon, &format!("get {name}.0123456789abcdef{ending}"), "", "").status, 404);
    }
}

#[test]
fn whoever_signs_in_comes_to_where_they_wanted() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    for (next, expected) in [
        ("/bans?jail=postfix-sasl", "/bans?jail=postfix-sasl"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
    ] {
        let form = [("user", "alice"), ("password", "correct horse battery"), ("next", next), ("code", "")];
        let body = serde_urlencoded::to_string(form).unwrap();
        let answer = page(&daemon, "post /sign-in", "", &body);
        assert_eq!((answer.status, header(&answer, "location")), (303, Some(expected)), "{next}");
        assert!(header(&answer, "set-cookie").unwrap().starts_with("__Host-banzone="));
    }
    let answer = page(&daemon, "post /sign-in", "", "user=alice&password=wrong&next=/");
    assert!(answer.status == 401 && answer.body.contains("The name, the password or the code is wrong."));
    assert!(answer.body.contains("value=\"alice\"") && header(&answer, "set-cookie").is_none());
    let other_site = "Sec-Fetch-Site: cross-site\r\n";
    let request = "POST /sign-in";
    let headers = format!("Accept: text/html\r\n{FORM}{other_site}");
    assert_eq!(ask(daemon.http(), request, &headers, "user=alice&password=x").status, 403);
}

#[test]
fn a_ban_is_made_seen_and_ended_by_forms() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let hostile = "<script>alert(1)</script>";
    let fields = [
        ("csrf", alice.csrf.as_str()),
        ("prefix", " 198.51.100.7 "),
        ("jail", "postfix-sasl"),
        ("hours", "2"),
        ("reason", hostile),
    ];
    let answer = own(&alice, "post /bans", &serde_urlencoded::to_string(fields).unwrap());
    assert_eq!((answer.status, header(&answer, "location")), (303, Some("/ip/198.51.100.7")));
    let shown = own(&alice, "get /ip/198.51.100.7", "").body;
    assert!(
        shown.contains("by user alice") && shown.contains("&#60;script&#62;") && !shown.contains(hostile),
        "{shown}"
    );
    let list = own(&alice, "get /bans?jail=postfix-sasl", "").body;
    assert!(
        list.contains("href=\"/ip/198.51.100.7\"") && list.contains("value=\"postfix-sasl 198.51.100.7\""),
        "{list}"
    );
    let ended = format!("csrf={}&ban=postfix-sasl+198.51.100.7&back=/bans", alice.csrf);
    let answer = own(&alice, "post /bans/end", &ended);
    assert_eq!((answer.status, header(&answer, "location")), (303, Some("/bans")));
    assert!(own(&alice, "get /bans", "").body.contains("Nobody is banned"));
    let history = own(&alice, "get /bans?history=1", "").body;
    assert!(history.contains("by user alice") && history.contains("198.51.100.7"), "{history}");
    let written = audit(&env);
    let made = written.iter().find(|entry| entry["action"] == "POST /bans").unwrap();
    assert!(made["detail"].as_str().unwrap().contains("hours=2"), "{made}");
    assert!(!json!(written).to_string().contains(&alice.csrf));
}

/// The jails that the form of a page at `path` makes bans in.
fn offered(browser: &Browser<'_>, path: &str) -> Vec<String> {
    let page = own(browser, &format!("get {path}"), "").body;
    let Some((_, form)) = page.split_once("<form method=\"post\" action=\"/bans\"") else {
        return Vec::new();
    };
    let options = form.split("</form>").next().unwrap().split("<option>").skip(1);
    options.map(|option| option.split('<').next().unwrap().to_owned()).collect()
}

#[test]
fn bans_are_offered_where_they_can_be_made() {
    let (env, daemon) = daemon(&format!("{LAX}[jail.shared]\nreports = true\n"));
    for (name, role, jails) in [
        ("alice", "operator", None),
        ("bob", "operator", Some(["shared", "other"].as_slice())),
        ("carol", "operator", Some(["planned"].as_slice())),
        ("dave", "viewer", None),
    ] {
        let user = json!({ "name": name, "role": role, "password": PASSWORD, "jails": jails });
        env.request("POST", "/api/v1/users", &user.to_string()).json();
    }
    for (name, expected) in [
        ("alice", ["manual", "other", "postfix-sasl"].as_slice()),
        ("bob", &["other"]),
        ("carol", &[]),
        ("dave", &[]),
    ] {
        let browser = Browser::sign_in(&daemon, name, None);
        for path in ["/bans", "/ip/198.51.100.7"] {
            assert_eq!(offered(&browser, path), expected, "{name} {path}");
        }
        for jail in expected {
            let ban = form(&browser, &[("prefix", "198.51.100.7"), ("jail", jail)]);
            assert_eq!(own(&browser, "post /bans", &ban).status, 303, "{name} {jail}");
        }
    }
}

#[test]
fn whoever_only_reports_is_led_to_their_account_alone() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "reporter");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let account = own(&alice, "get /account", "").body;
    let links = account.split("href=\"/").skip(1).map(|link| link.split('"').next().unwrap());
    let led: Vec<&str> =
        links.filter(|link| own(&alice, &format!("get /{link}"), "").status != 200).collect();
    assert_eq!(led, Vec::<&str>::new(), "{account}");
    assert!(!account.contains("action=\"/ip\""), "{account}");
}

#[test]
fn many_bans_end_only_for_whoever_has_shown_who_they_are() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    for address in ["198.51.100.1", "198.51.100.2"] {
        env.ban(&json!({ "prefix": address, "jail": "postfix-sasl" }).to_string()).json();
    }
    let alice = Browser::sign_in(&daemon, "alice", None);
    let both = format!("csrf={}&ban=postfix-sasl+198.51.100.1&ban=postfix-sasl+198.51.100.2", alice.csrf);
    // A session that has just begun has shown it.
    assert_eq!(own(&alice, "post /bans/end", &both).status, 303);
    assert!(own(&alice, "get /bans", "").body.contains("Nobody is banned"));
    assert_eq!(own(&alice, "post /bans/end", &format!("csrf={}", alice.csrf)).status, 422);
    assert_eq!(own(&alice, "post /bans/end", &format!("csrf={}&ban=nonsense", alice.csrf)).status, 422);
}

#[test]
fn whoever_must_have_a_second_factor_sees_their_account_alone() {
    let (env, daemon) = daemon("[http]\nlisten = '127.0.0.1:0'\n");
    add(&env, "root", "admin");
    let root = Browser::sign_in(&daemon, "root", None);
    let answer = own(&root, "get /", "");
    assert_eq!((answer.status, header(&answer, "location")), (303, Some("/account")));
    let account = own(&root, "get /account", "").body;
    assert!(account.contains("Your role takes a second factor"));
    let begun = own(&root, "post /account/totp", &format!("csrf={}", root.csrf)).body;
    assert!(begun.contains("data:image/svg+xml;base64,"), "{begun}");
    let wrong = own(&root, "post /account/totp/confirm", &format!("csrf={}&code=000000", root.csrf));
    assert!(wrong.status == 422 && wrong.body.contains("the code is wrong"), "{}", wrong.body);
}

/// The form with these fields, and the token of the session.
fn form(browser: &Browser<'_>, fields: &[(&str, &str)]) -> String {
    let token = [("csrf", browser.csrf.as_str())];
    serde_urlencoded::to_string([&token[..], fields].concat()).unwrap()
}

#[test]
fn administrators_add_change_and_remove_by_forms() {
    let (env, daemon) = daemon(LAX);
    add(&env, "root", "admin");
    let root = Browser::sign_in(&daemon, "root", None);
    let send =
        |path: &str, fields: &[(&str, &str)]| own(&root, &format!("post {path}"), &form(&root, fields));
    let bob = [
        ("name", "bob"),
        ("password", "another long password"),
        ("role", "operator"),
        ("jails", "postfix-sasl other"),
    ];
    assert_eq!(send("/users", &bob).status, 303);
    let users = own(&root, "get /users", "").body;
    assert!(users.contains("bob") && users.contains("jails: postfix-sasl, other"), "{users}");
    assert_eq!(send("/users/change", &[("name", "bob"), ("act", "disable")]).status, 303);
    assert!(own(&root, "get /users", "").body.contains("kept out"));
    assert_eq!(send("/users/change", &[("name", "bob"), ("act", "dance")]).status, 422);
    assert_eq!(send("/users/change", &[("name", "bob"), ("act", "remove")]).status, 303);
    let made = send("/tokens", &[("name", "grafana"), ("role", "viewer"), ("days", "30")]);
    let secret = made.body.split("<pre class=\"card\">").nth(1).unwrap().split('<').next().unwrap();
    let bearer = format!("Authorization: Bearer {secret}\r\n");
    assert_eq!(ask(daemon.http(), "GET /api/v1/status", &bearer, "").status, 200);
    let tokens = own(&root, "get /tokens", "").body;
    assert!(tokens.contains("grafana") && !tokens.contains(secret), "{tokens}");
    assert_eq!(send("/tokens/revoke", &[("id", &secret[3..11])]).status, 303);
    assert_eq!(ask(daemon.http(), "GET /api/v1/status", &bearer, "").status, 401);
    let log = own(&root, "get /audit", "").body;
    assert!(log.contains("POST /users") && !log.contains("another long"), "{log}");
}

#[test]
fn browsers_keep_nothing_of_the_api() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "viewer");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let answer = own(&alice, "get /api/v1/bans", "");
    assert_eq!((answer.status, header(&answer, "cache-control")), (200, Some("no-store")));
    assert_eq!(header(&answer, "etag"), None);
}

#[test]
fn a_network_is_looked_up_by_whoever_is_confined() {
    let (env, daemon) = daemon(LAX);
    for (prefix, jail) in
        [("198.51.100.1", "postfix-sasl"), ("198.51.100.0/24", "other"), ("198.51.100.2", "other")]
    {
        env.ban(&json!({ "prefix": prefix, "jail": jail }).to_string()).json();
    }
    let user =
        json!({ "name": "own", "role": "viewer", "password": "correct horse battery", "jails": ["other"] });
    env.request("POST", "/api/v1/users", &user.to_string()).json();
    let own_pages = Browser::sign_in(&daemon, "own", None);
    let found = own(&own_pages, "get /ip?q=198.51.100.0/25", "");
    assert_eq!((found.status, header(&found, "location")), (303, Some("/network?prefix=198.51.100.0%2F25")));
    let network = own(&own_pages, "get /network?prefix=198.51.100.0%2F25", "").body;
    assert!(network.contains("198.51.100.0/24") && network.contains("jail=other"), "{network}");
    assert!(!network.contains("postfix-sasl"), "{network}");
    // Where a jail must be named, it is their own.
    for path in ["/", "/networks", "/bans", "/bans?history=1&within=198.51.100.0%2F24"] {
        let page = own(&own_pages, &format!("get {path}"), "");
        assert_eq!((page.status, page.body.contains("postfix-sasl")), (200, false), "{path}");
    }
    let others = own(&own_pages, "get /bans?jail=postfix-sasl", "");
    assert_eq!(others.status, 403);
}

#[test]
fn the_audit_page_is_one_page_and_the_chain_is_verified_when_asked() {
    let (env, daemon) = daemon(LAX);
    add(&env, "root", "admin");
    let root = Browser::sign_in(&daemon, "root", None);
    for octet in 1..=3 {
        let entry = form(&root, &[("prefix", &format!("192.0.2.{octet}")), ("note", "ours")]);
        assert_eq!(own(&root, "post /allow", &entry).status, 303);
    }
    // Somebody changes an entry behind our back: only whoever verifies finds out.
    let change =
        "DROP TRIGGER audit_is_append_only; UPDATE audit SET detail = 'x' WHERE action = 'POST /allow'";
    env.database().execute_batch(change).unwrap();
    let first = own(&root, "get /audit?who=user+root&limit=2", "").body;
    assert!(first.contains("Only what user root did.") && !first.contains("was changed"), "{first}");
    let next = "/audit?who=user+root&#38;limit=2&#38;after=";
    assert!(first.contains(next), "{first}");
    let next = first.split("href=\"").find(|part| part.starts_with(next)).unwrap().split('"').next().unwrap();
    let second = own(&root, &format!("get {}", next.replace("&#38;", "&")), "").body;
    assert!(second.contains("POST /allow") && !second.contains("POST /api/v1/users"), "{second}");
    let all = own(&root, "get /audit", "").body;
    assert!(all.contains("POST /api/v1/users") && all.contains("href=\"/audit/verify\""), "{all}");
    assert!(all.contains("href=\"/audit?who=user+root\""), "{all}");
    let verified = own(&root, "get /audit/verify", "").body;
    assert!(verified.contains("class=\"wrong\">Entry ") && verified.contains("was changed"), "{verified}");
}

#[test]
fn a_chain_that_is_whole_is_said_to_be() {
    let (env, daemon) = daemon(LAX);
    add(&env, "root", "admin");
    let root = Browser::sign_in(&daemon, "root", None);
    let verified = own(&root, "get /audit/verify", "").body;
    let last = audit(&env).pop().unwrap();
    let expected = format!(
        "{0} entries, none changed or missing. The last: {0}:{1}",
        last["number"],
        last["hash"].as_str().unwrap()
    );
    assert!(verified.contains(&expected), "{expected} {verified}");
}

/// The cells of the row of a table in which `name` stands.
fn cells(page: &str, name: &str) -> Vec<String> {
    let row = page.split("<tr>").find(|row| row.contains(name)).unwrap_or_else(|| panic!("{name}: {page}"));
    let texts = row.split("<td").skip(1).map(|cell| {
        let within = cell.split("<span>").nth(1).unwrap().split("</span>").next().unwrap();
        within.split('<').map(|part| part.rsplit('>').next().unwrap()).collect::<Vec<_>>().join(" ")
    });
    texts.map(|text| text.trim().to_owned()).collect()
}

#[test]
fn a_jails_page_says_how_often_each_pattern_matched() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "viewer");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let log = env.log("mail.log");
    ["198.51.100.1", "198.51.100.2", "198.51.100.3"].iter().for_each(|one| log.append(&failure(one)));
    log.append(&failure("198.51.100.4").replace(": x\n", ": generic failure\n"));
    log.append("no date and nothing to find\n");
    let hits = || env.get("/api/v1/jails/postfix-sasl").json()["hits"].clone();
    until("all lines are read", || hits()["lines"] == 5);
    let hits = hits();
    let counts = |kind: &str| -> Vec<u64> {
        hits[kind].as_array().unwrap().iter().map(|one| one["hits"].as_u64().unwrap()).collect()
    };
    assert_eq!((counts("failregex"), counts("ignoreregex")), (vec![3, 0], vec![1]), "{hits}");
    assert!(hits["failregex"][0]["last"].is_string() && hits["failregex"][1].get("last").is_none(), "{hits}");
    let all = own(&alice, "get /jails", "").body;
    assert_eq!(cells(&all, "/jails/postfix%2Dsasl")[..3], ["postfix-sasl", "5", "3 60.0 %"]);
    let one = own(&alice, "get /jails/postfix-sasl", "").body;
    assert!(one.contains("Filter postfix-sasl. What its patterns matched is counted since 20"), "{one}");
    assert_eq!(cells(&one, "SASL .+? authentication")[1..4], ["1", "3", "100.0 %"]);
    assert_eq!(cells(&one, "AUTH command rate limit")[1..], ["2", "0", "0.0 %", "never"]);
    assert_eq!(cells(&one, "(?:generic failure|")[1..4], ["1", "1", "100.0 %"]);
    assert!(one.contains("<option selected>postfix-sasl</option>"), "{one}");
    assert!(own(&alice, "get /jails/manual", "").body.contains("This jail reads no log."));
    assert_eq!(own(&alice, "get /jails/none", "").status, 404);
    let mut command = Command::new(env!("CARGO_BIN_EXE_banzone"));
    command.args(["status", "postfix-sasl", "--hits", "--config"]).arg(env.config());
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(shown.contains("Filter postfix-sasl: 5 lines since 20"), "{shown}");
    assert!(shown.contains("Failregex: 3 total") && shown.contains("|   1) [3] <PREFIX>warning"), "{shown}");
    assert!(
        shown.contains("|   2) [0] <PREFIX>warning: AUTH") && shown.contains("|      last at 20"),
        "{shown}"
    );
}

#[test]
fn a_filter_is_tried_and_nothing_is_counted() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "viewer");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let lines = "2026-11-28T08:00:00+00:00 mx postfix/smtpd[1]: warning: unknown[198.51.100.9]: SASL LOGIN authentication failed: <b>x</b>\n\
        2026-11-28T08:00:01+00:00 mx postfix/smtpd[1]: connect from unknown[198.51.100.9]";
    let fields = form(&alice, &[("jail", "postfix-sasl"), ("lines", lines)]);
    let tried = own(&alice, "post /try", &fields).body;
    assert!(
        tried.contains("failure by failregex") && tried.contains("nothing") && !tried.contains("<b>x"),
        "{tried}"
    );
    assert_eq!(own(&alice, "post /try", &form(&alice, &[("jail", "none"), ("lines", "x")])).status, 404);
    // The jail of bans by hand has no filter.
    assert_eq!(own(&alice, "post /try", &form(&alice, &[("jail", "manual"), ("lines", "x")])).status, 422);
    let offered = own(&alice, "get /jails", "").body;
    assert!(
        offered.contains("<option>other</option><option>postfix-sasl</option>")
            && !offered.contains("<option>manual"),
        "{offered}"
    );
    assert!(
        env.get("/api/v1/jails").json()["jails"]
            .as_array()
            .unwrap()
            .iter()
            .all(|jail| jail["total_failed"] == 0)
    );
}

#[test]
fn the_overview_counts_what_a_hub_holds_back() {
    let env = Env::new("");
    env.configure(&format!("{LAX}[jail.shared]\nreports = {{ guard = {{ least = 1 }} }}"));
    let daemon = env.start();
    add(&env, "alice", "operator");
    let bob = json!({ "name": "bob", "role": "viewer", "password": PASSWORD, "jails": ["shared"] });
    env.request("POST", "/api/v1/users", &bob.to_string()).json();
    let (alice, bob) = (Browser::sign_in(&daemon, "alice", None), Browser::sign_in(&daemon, "bob", None));
    let overview = || own(&alice, "get /", "").body;
    assert!(!overview().contains("held back"));
    for organisation in ["one", "two"] {
        report(&env, organisation, &["198.51.100.7", "198.51.100.8", "198.51.100.9"]);
    }
    let link = "2 listings that others report are held back. <a href=\"/reporters\">";
    assert!(
        overview().contains(link) && !own(&bob, "get /", "").body.contains("held back"),
        "{}",
        overview()
    );
    let release = form(&alice, &[("prefix", "198.51.100.8"), ("act", "release")]);
    assert_eq!(own(&alice, "post /held", &release).status, 303);
    assert!(overview().contains("1 listing that others report is held back."), "{}", overview());
    let discard = form(&alice, &[("prefix", "198.51.100.9"), ("act", "discard")]);
    assert_eq!(own(&alice, "post /held", &discard).status, 303);
    assert!(!overview().contains("held back"), "{}", overview());
}

#[test]
fn the_allowlist_is_kept_by_forms() {
    let (env, daemon) = daemon(LAX);
    add(&env, "alice", "operator");
    let alice = Browser::sign_in(&daemon, "alice", None);
    let entry = form(
        &alice,
        &[("prefix", "192.0.2.0/28"), ("note", "our <relays>"), ("owner", "bob"), ("days", "7")],
    );
    assert_eq!(own(&alice, "post /allow", &entry).status, 303);
    let list = own(&alice, "get /allow", "").body;
    assert!(
        list.contains("192.0.2.0/28") && list.contains("our &#60;relays&#62;") && list.contains("6 d"),
        "{list}"
    );
    assert!(list.contains(">bob<"), "{list}");
    let entry = form(&alice, &[("prefix", "192.0.2.64/28"), ("note", "office")]);
    assert_eq!(own(&alice, "post /allow", &entry).status, 303);
    let kept = env.get("/api/v1/allow").json();
    assert_eq!(kept["allow"][1]["owner"], "user alice", "{kept}");
    assert_eq!(own(&alice, "post /allow/remove", &form(&alice, &[("prefix", "192.0.2.0/28")])).status, 303);
    assert!(!own(&alice, "get /allow", "").body.contains("192.0.2.0/28"));
}
