//! The pages for everybody, as a browser asks for them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use nix::sys::signal::Signal;

use super::env::{DEADLINE, Daemon, Env, SASL, until};

/// Two zones, of which one is shown.
const ZONES: &str = "
[public]
listen = '127.0.0.1:0'
proxies = '127.0.0.1'
contact = 'postmaster@bl.example'
removal = { '*' = 'never', postfix-sasl = '7d' }

[[zone]]
origin = 'bl.example.'
ns = 'ns.bl.example.'
policy = '''
Who fails to sign in is listed for an hour.

<b>Nobody</b> has to pay.
'''
[[zone.publish]]
jails = '*'
code = '127.0.0.4'
text = '$ip by $jail'

[[zone]]
origin = 'private.example.'
ns = 'ns.bl.example.'
[[zone.publish]]
jails = '*'
code = '127.0.0.9'
";

struct Site {
    env: Env,
    daemon: Daemon,
}

impl Site {
    fn start() -> Self {
        let env = Env::new(SASL);
        env.configure(&format!("{SASL}{ZONES}"));
        env.log("mail.log").append("");
        let daemon = env.start();
        Self { env, daemon }
    }

    fn address(&self) -> SocketAddr {
        let messages = self.daemon.messages();
        let (_, behind) = messages.split_once("public=Some(127.0.0.1:").expect("it says where the pages are");
        let port = behind.split_once(')').unwrap().0.parse().unwrap();
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Head and body of the answer to a client at `client`, behind the proxy that the test is.
    #[track_caller]
    fn get(&self, path: &str, client: &str) -> (String, String) {
        self.ask("GET", path, client, "\r\n")
    }

    /// The status of the answer to a form that `client` sends.
    #[track_caller]
    fn post(&self, path: &str, client: &str, header: &str) -> String {
        let (head, _) = self.ask("POST", path, client, &format!("{header}\r\n"));
        head.split(' ').nth(1).unwrap().to_owned()
    }

    /// Sends a form with these fields, URL-encoded.
    #[track_caller]
    fn send(&self, path: &str, client: &str, fields: &str) -> (String, String) {
        let length = fields.len();
        let kind = "application/x-www-form-urlencoded";
        self.ask(
            "POST",
            path,
            client,
            &format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{fields}"),
        )
    }

    /// `rest`: more headers, the line that ends them, and the body.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, client: &str, rest: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!("{method} {path} HTTP/1.0\r\nHost: bl.example\r\nX-Forwarded-For: {client}\r\n");
        write!(stream, "{head}{rest}").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    /// The body of an answer with this status.
    #[track_caller]
    fn page(&self, status: u16, path: &str) -> String {
        let (head, body) = self.get(path, "198.51.100.7");
        assert!(head.starts_with(&format!("http/1.0 {status} ")), "{path}: {head}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{path}: {head}");
        body
    }
}

#[test]
fn everybody_sees_what_is_listed_and_why() {
    let site = Site::start();
    assert_eq!(site.env.ban(r#"{"prefix":"198.51.100.0/24","jail":"postfix-sasl"}"#).status, 200);
    let home = site.page(200, "/");
    assert!(home.contains("198.51.100.7") && home.contains(">listed<"), "{home}");
    let listed = site.page(200, "/ip/198.51.100.7");
    for part in
        ["bl.example", "198.51.100.0/24", "postfix-sasl", "198.51.100.7 by postfix-sasl", "127.0.0.4", "own"]
    {
        assert!(listed.contains(part), "`{part}` is missing in: {listed}");
    }
    assert!(!listed.contains("private.example") && !listed.contains("127.0.0.9"), "{listed}");
    let free = site.page(200, "/ip/2001:db8::7");
    assert!(free.contains("Not listed") && !free.contains("own address"), "{free}");
    let mapped = site.page(200, "/ip/::ffff:198.51.100.7");
    assert!(mapped.contains("<code>198.51.100.7</code>"), "{mapped}");
}

#[test]
fn a_search_leads_to_the_address() {
    let site = Site::start();
    let (head, _) = site.get("/?q=+2001:db8::7+", "198.51.100.7");
    assert!(head.contains(" 303 ") && head.contains("location: /ip/2001:db8::7"), "{head}");
    for path in ["/?q=%3Cscript%3E", "/ip/%3Cscript%3E"] {
        let (_, page) = site.get(path, "198.51.100.7");
        assert!(page.contains("is no address") && !page.contains("<script>"), "{page}");
    }
    site.page(404, "/ip/%3Cscript%3E");
    site.page(422, "/?q=x");
    site.page(404, "/nowhere");
}

#[test]
fn the_policy_of_a_zone_is_shown_and_follows_the_configuration() {
    let site = Site::start();
    let policy = site.page(200, "/zone/BL.example.");
    assert!(policy.contains("<p>Who fails to sign in is listed for an hour.</p>"), "{policy}");
    assert!(!policy.contains("<b>"), "{policy}");
    assert!(policy.contains("mailto:postmaster@bl.example"), "{policy}");
    site.page(404, "/zone/private.example");
    site.env.configure(&format!("{SASL}{}", ZONES.replace("an hour", "two hours")));
    site.daemon.signal(Signal::SIGHUP);
    until("the new policy is shown", || site.page(200, "/zone/bl.example").contains("two hours"));
}

#[test]
fn who_is_listed_can_come_off_once_in_a_while() {
    let site = Site::start();
    let ban = r#"{"prefix":"198.51.100.7","jail":"postfix-sasl"}"#;
    assert_eq!(site.env.ban(ban).status, 200);
    let path = "/ip/198.51.100.7/removal";
    assert!(site.page(200, "/ip/198.51.100.7").contains("Take my address off"));
    let (_, elsewhere) = site.get("/ip/198.51.100.7", "203.0.113.5");
    assert!(!elsewhere.contains("Take my address off"), "{elsewhere}");
    assert_eq!(site.post(path, "203.0.113.5", ""), "403");
    assert_eq!(site.post(path, "198.51.100.7", "Sec-Fetch-Site: cross-site\r\n"), "403");
    assert_eq!(site.post(path, "198.51.100.7", "Origin: http://evil.example\r\n"), "403");
    assert_eq!(site.post(path, "nonsense", ""), "400");
    assert!(site.daemon.lists("198.51.100.7"));
    assert_eq!(site.post(path, "198.51.100.7", "Sec-Fetch-Site: same-origin\r\n"), "303");
    assert!(!site.daemon.lists("198.51.100.7"));
    assert_eq!(site.post(path, "198.51.100.7", ""), "409");
    assert_eq!(site.env.ban(ban).status, 200);
    let again = site.page(200, "/ip/198.51.100.7");
    assert!(again.contains("again from") && !again.contains("Take my address off"), "{again}");
    assert_eq!(site.post(path, "198.51.100.7", ""), "409");
    assert!(site.daemon.lists("198.51.100.7"));
}

#[test]
fn networks_and_other_jails_take_a_letter() {
    let site = Site::start();
    for ban in [
        r#"{"prefix":"198.51.100.0/24","jail":"postfix-sasl"}"#,
        r#"{"prefix":"198.51.100.7","jail":"manual"}"#,
    ] {
        assert_eq!(site.env.ban(ban).status, 200);
    }
    let page = site.page(200, "/ip/198.51.100.7");
    assert!(page.contains("Ask for removal") && !page.contains("Take my address off"), "{page}");
    assert_eq!(site.post("/ip/198.51.100.7/removal", "198.51.100.7", ""), "409");
    assert!(site.daemon.lists("198.51.100.7"));
}

#[test]
fn others_ask_and_an_operator_decides() {
    let site = Site::start();
    let ban = r#"{"prefix":"198.51.100.7","jail":"manual"}"#;
    assert_eq!(site.env.ban(ban).status, 200);
    let path = "/ip/198.51.100.7/request";
    let fields =
        "contact=postmaster%40mail.example&statement=A+user%27s+password+was+guessed.%0AIt+is+changed.";
    let status = |path: &str, client: &str, fields: &str| {
        let (head, _) = site.send(path, client, fields);
        head.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status(path, "203.0.113.5", "contact=me&statement=x"), "422");
    assert_eq!(status("/ip/198.51.100.8/request", "203.0.113.5", fields), "409");
    assert_eq!(status(path, "203.0.113.5", fields), "200");
    assert_eq!(status(path, "203.0.113.5", fields), "409");
    assert!(site.page(200, "/ip/198.51.100.7").contains("waits for an answer"));

    let waiting = site.env.get("/api/v1/requests").json()["requests"].clone();
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
    assert_eq!(waiting[0]["contact"], "postmaster@mail.example");
    assert_eq!(waiting[0]["statement"], "A user's password was guessed.\nIt is changed.");
    assert_eq!(waiting[0]["source"], "203.0.113.0/24");
    let number = waiting[0]["number"].to_string();
    let decide = |body: &str| site.env.request("POST", &format!("/api/v1/requests/{number}"), body);
    assert!(site.daemon.lists("198.51.100.7"));
    let decided = decide(r#"{"granted": true, "note": "they answered"}"#).json();
    assert_eq!(
        (&decided["ended"], &decided["request"]["decision"]["note"]),
        (&1.into(), &"they answered".into())
    );
    assert!(!site.daemon.lists("198.51.100.7"));
    assert_eq!(decide(r#"{"granted": false}"#).status, 409);
    assert_eq!(site.env.request("POST", "/api/v1/requests/99", r#"{"granted": false}"#).status, 404);
    assert_eq!(site.env.get("/api/v1/requests").json()["requests"], serde_json::json!([]));
    assert_eq!(site.env.get("/api/v1/requests?decided=1").json()["requests"][0]["decision"]["granted"], true);
}

#[test]
fn one_network_has_room_for_a_few_requests() {
    let site = Site::start();
    assert_eq!(site.env.ban(r#"{"prefix":"198.51.100.0/24","jail":"manual"}"#).status, 200);
    let ask = |address: u8, client: &str| {
        let path = format!("/ip/198.51.100.{address}/request");
        let (head, _) = site.send(&path, client, "contact=a%40b.example&statement=x");
        head.split(' ').nth(1).unwrap().to_owned()
    };
    let asked: Vec<_> = (1..=6).map(|address| ask(address, &format!("203.0.113.{address}"))).collect();
    assert_eq!(asked, ["200", "200", "200", "200", "200", "429"]);
    assert_eq!(ask(6, "192.0.2.1"), "200");
}

#[test]
fn a_request_that_waits_too_long_is_told() {
    let site = Site::start();
    assert_eq!(site.env.ban(r#"{"prefix":"198.51.100.7","jail":"manual"}"#).status, 200);
    site.send("/ip/198.51.100.7/request", "203.0.113.5", "contact=a%40b.example&statement=x");
    assert_eq!(site.env.get("/readyz").body, "ok\n");
    let database = site.env.database();
    assert_eq!(database.execute("UPDATE removal_requests SET asked = asked - 2 * 86400000", []).unwrap(), 1);
    let ready = site.env.get("/readyz");
    assert!(ready.status == 200 && ready.body.contains("warning: request 1 waits since"), "{}", ready.body);
}
