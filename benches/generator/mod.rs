//! The log of a busy server, the same one for the same seed: benchmarks read it for its speed, tests for what is found.
//!
//! In: kinds of lines, how dates are written, from where attacks come. Out: text.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use banzone::clock::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How often a kind comes up beside the others, and its lines. In braces stands what differs from time to time.
pub type Kind = (u32, &'static str);

/// How dates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// `Nov 20 06:00:04`, in UTC.
    Rfc3164,
    /// `2026-11-20T06:00:04.340000+00:00`
    Iso,
}

/// How many addresses attacks come from: IPv6 networks, and hosts in each of them and in each of three IPv4 networks.
#[derive(Clone, Copy, Debug)]
pub struct Bots {
    /// IPv6 networks.
    pub networks: u32,
    /// Hosts in each network, at most 254.
    pub hosts: u32,
}

impl Bots {
    /// As many as a busy server sees.
    pub const MANY: Self = Self { networks: 20_000, hosts: 254 };
}

/// Others are the customers, who never fail more than once in a while.
const CLIENTS: Bots = Bots { networks: 2_000, hosts: 254 };

/// Writes lines.
pub struct Generator {
    kinds: &'static [Kind],
    stamp: Stamp,
    bots: Bots,
    random: SmallRng,
}

impl Generator {
    /// Lines of these kinds.
    pub fn new(kinds: &'static [Kind], stamp: Stamp, bots: Bots, seed: u64) -> Self {
        Self { kinds, stamp, bots, random: SmallRng::seed_from_u64(seed) }
    }

    /// Appends one kind, which may be several lines, and tells how many.
    pub fn append(&mut self, now: Timestamp, text: &mut String) -> Result<usize, fmt::Error> {
        let kind = self.choose();
        let values = Values::draw(self.bots, &mut self.random);
        let mut lines = 0;
        for line in kind.split('\n') {
            write!(text, "{} mail ", self.stamp.write(now))?;
            values.fill(text, line)?;
            text.push('\n');
            lines += 1;
        }
        Ok(lines)
    }

    fn choose(&mut self) -> &'static str {
        let total: u32 = self.kinds.iter().map(|(often, _)| often).sum();
        let mut chosen = self.random.random_range(0..total);
        for (often, kind) in self.kinds {
            match chosen.checked_sub(*often) {
                Some(rest) => chosen = rest,
                None => return kind,
            }
        }
        unreachable!("what is chosen is below the total")
    }

    /// Writes a log of at least so many lines that begins at `start`, `step` apart on average, and tells when it ends.
    pub fn write_log(
        &mut self,
        path: &Path,
        lines: usize,
        start: Timestamp,
        step: Duration,
    ) -> Result<Timestamp, Box<dyn Error>> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let mut text = String::new();
        let mut now = start;
        let mut written = 0;
        while written < lines {
            text.clear();
            let some = self.append(now, &mut text)?;
            out.write_all(text.as_bytes())?;
            written += some;
            now = now + step * u32::try_from(some)? * self.random.random_range(0..200) / 100;
        }
        out.flush()?;
        Ok(now)
    }
}

impl Stamp {
    /// The time, written so.
    pub fn write(self, now: Timestamp) -> String {
        match self {
            Self::Rfc3164 => {
                let time = jiff::Timestamp::from_millisecond(now.as_millis())
                    .expect("a time within years of four digits");
                time.strftime("%b %e %H:%M:%S").to_string()
            }
            Self::Iso => {
                let (seconds, micros) = (now.to_string(), now.as_millis().rem_euclid(1000) * 1000);
                format!("{}.{micros:06}+00:00", &seconds[..19])
            }
        }
    }
}

/// What stands in the place of the braces, the same in all lines of a kind.
struct Values {
    pid: u32,
    port: u32,
    n: u32,
    queue: u64,
    user: &'static str,
    client: String,
    bot: String,
}

const USERS: [&str; 8] = ["info", "admin", "sales", "anna", "office", "test", "bob", "postmaster"];

impl Values {
    fn draw(bots: Bots, random: &mut SmallRng) -> Self {
        Self {
            pid: random.random_range(2000..9000),
            port: random.random_range(1024..65_536),
            n: random.random_range(1..100_000),
            queue: random.random_range(0..1u64 << 36),
            user: USERS[random.random_range(0..USERS.len())],
            client: address(0, CLIENTS, random),
            bot: address(1, bots, random),
        }
    }

    fn fill(&self, text: &mut String, line: &str) -> fmt::Result {
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or(fmt::Error)?;
            text.push_str(before);
            rest = behind;
            match name {
                "pid" => write!(text, "{}", self.pid)?,
                "port" => write!(text, "{}", self.port)?,
                "n" => write!(text, "{}", self.n)?,
                "queue" => write!(text, "4{:09X}", self.queue)?,
                "user" => text.push_str(self.user),
                "client" => text.push_str(&self.client),
                "bot" => text.push_str(&self.bot),
                _ => return Err(fmt::Error),
            }
        }
        text.push_str(rest);
        Ok(())
    }
}

/// An address for documentation: in two of three cases IPv4.
fn address(site: u32, bots: Bots, random: &mut SmallRng) -> String {
    let host = random.random_range(1..=bots.hosts);
    match random.random_range(0..6) {
        0 | 1 => format!("2001:db8:{site:x}:{:x}::{host:x}", random.random_range(0..bots.networks)),
        2 => format!("192.0.2.{host}"),
        3 => format!("198.51.100.{host}"),
        _ => format!("203.0.113.{host}"),
    }
}

/// What a mail server writes; one line in ten is a failed login.
pub const MAIL: &[Kind] = &[
    (120, "postfix/smtpd[{pid}]: connect from mx{n}.example.net[{client}]"),
    (80, "postfix/smtpd[{pid}]: connect from unknown[{bot}]"),
    (
        75,
        "postfix/smtpd[{pid}]: disconnect from mx{n}.example.net[{client}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7",
    ),
    (75, "postfix/smtpd[{pid}]: disconnect from unknown[{bot}] ehlo=1 auth=0/1 quit=1 commands=2/3"),
    (45, "postfix/smtpd[{pid}]: {queue}: client=mx{n}.example.net[{client}]"),
    (
        20,
        "postfix/smtpd[{pid}]: Anonymous TLS connection established from mx{n}.example.net[{client}]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    ),
    (
        10,
        "postfix/submission/smtpd[{pid}]: {queue}: client=unknown[{client}], sasl_method=PLAIN, sasl_username={user}@example.com",
    ),
    (10, "postfix/smtpd[{pid}]: lost connection after AUTH from unknown[{bot}]"),
    (
        5,
        "postfix/smtpd[{pid}]: warning: hostname host{n}.example.org does not resolve to address {bot}: Name or service not known",
    ),
    (50, "postfix/cleanup[{pid}]: {queue}: message-id=<{queue}.{n}@example.net>"),
    (50, "postfix/qmgr[1187]: {queue}: from=<{user}@example.net>, size={n}, nrcpt=1 (queue active)"),
    (50, "postfix/qmgr[1187]: {queue}: removed"),
    (
        40,
        "postfix/lmtp[{pid}]: {queue}: to=<{user}@example.com>, relay=mail.example.com[private/dovecot-lmtp], delay=0.4, delays=0.2/0/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 <{user}@example.com> {queue} Saved)",
    ),
    (
        30,
        "postfix/smtp[{pid}]: {queue}: to=<{user}@example.org>, relay=mx.example.org[{client}]:25, delay=1.3, delays=0.1/0/0.6/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {queue})",
    ),
    (
        10,
        "postfix/smtp[{pid}]: {queue}: to=<{user}@example.org>, relay=none, delay=30, delays=0.1/0/30/0, dsn=4.4.1, status=deferred (connect to mx.example.org[{client}]:25: Connection timed out)",
    ),
    (5, "postfix/anvil[{pid}]: statistics: max connection rate 4/60s for (smtp:{bot}) at Nov 20 08:04:12"),
    (
        60,
        "dovecot: imap-login: Login: user=<{user}@example.com>, method=PLAIN, rip={client}, lip=192.0.2.25, mpid={n}, TLS, session=<{queue}>",
    ),
    (
        40,
        "dovecot: imap({user}@example.com)<{n}><{queue}>: Disconnected: Logged out in=283 out=1204 deleted=0 expunged=0 trashed=0",
    ),
    (
        15,
        "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={bot}, lip=192.0.2.25, TLS, session=<{queue}>",
    ),
    (40, "postfix/postscreen[1402]: CONNECT from [{bot}]:{port} to [192.0.2.25]:25"),
    (20, "postfix/postscreen[1402]: PASS OLD [{client}]:{port}"),
    (10, "postfix/postscreen[1402]: PREGREET 14 after 0.08 from [{bot}]:{port}: EHLO example.com\\r\\n"),
    (10, "postfix/postscreen[1402]: HANGUP after 0.3 from [{bot}]:{port} in tests before SMTP handshake"),
    (
        95,
        "postfix/smtpd[{pid}]: warning: unknown[{bot}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={user}",
    ),
    (
        5,
        "postfix/submission/smtpd[{pid}]: warning: unknown[{bot}]: SASL PLAIN authentication failed: UGFzc3dvcmQ6, sasl_username={user}@example.com",
    ),
    (5, "postfix/smtpd[{pid}]: improper command pipelining after EHLO from unknown[{bot}]: QUIT\\r\\n"),
    (
        15,
        "postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{bot}]: 554 5.7.1 <{user}@example.org>: Relay access denied; from=<{user}@example.net> to=<{user}@example.org> proto=ESMTP helo=<host{n}>",
    ),
    (
        10,
        "postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{bot}]: 550 5.1.1 <{user}@example.com>: Recipient address rejected: User unknown in virtual mailbox table; from=<{user}@example.net> to=<{user}@example.com> proto=ESMTP helo=<host{n}>",
    ),
    (
        5,
        "postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{bot}]: 554 5.7.1 Service unavailable; Client host [{bot}] blocked using bl.example.org; from=<{user}@example.net> to=<{user}@example.com> proto=ESMTP helo=<host{n}>",
    ),
    (
        5,
        "postfix/smtpd[{pid}]: warning: unknown[{bot}]: SASL LOGIN authentication failed: Connection lost to authentication server",
    ),
    (
        5,
        "dovecot: imap-login: Disconnected: Inactivity (no auth attempts in 180 secs): user=<>, rip={bot}, lip=192.0.2.25, TLS, session=<{queue}>",
    ),
    (5, "dovecot: auth: passwd-file({user}@example.com,{bot},<{queue}>): unknown user"),
    (
        2,
        "rsyslogd: [origin software=\"rsyslogd\" swVersion=\"8.2302.0\" x-pid=\"{pid}\" x-info=\"https://www.rsyslog.com\"] rsyslogd was HUPed",
    ),
];

/// What sshd and its neighbours write. Lines that belong together speak of one connection.
pub const AUTH: &[Kind] = &[
    (
        60,
        "sshd[{pid}]: Connection from {client} port {port} on 192.0.2.25 port 22 rdomain \"\"
sshd[{pid}]: Accepted publickey for {user} from {client} port {port} ssh2: ED25519 SHA256:{queue}
sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid={n}) by (uid=0)",
    ),
    (60, "sshd[{pid}]: Received disconnect from {client} port {port}:11: disconnected by user
sshd[{pid}]: Disconnected from user {user} {client} port {port}
sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}"),
    (
        90,
        "sshd[{pid}]: Invalid user {user} from {bot} port {port}
sshd[{pid}]: pam_unix(sshd:auth): check pass; user unknown
sshd[{pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={bot}
sshd[{pid}]: Failed password for invalid user {user} from {bot} port {port} ssh2
sshd[{pid}]: Received disconnect from {bot} port {port}:11: Bye Bye [preauth]
sshd[{pid}]: Disconnected from invalid user {user} {bot} port {port} [preauth]",
    ),
    (
        60,
        "sshd[{pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={bot}  user={user}
sshd[{pid}]: Failed password for {user} from {bot} port {port} ssh2
sshd[{pid}]: Connection closed by authenticating user {user} {bot} port {port} [preauth]",
    ),
    (
        20,
        "sshd[{pid}]: Failed publickey for {user} from {bot} port {port} ssh2: RSA SHA256:{queue}
sshd[{pid}]: Failed publickey for {user} from {bot} port {port} ssh2: ED25519 SHA256:{queue}
sshd[{pid}]: Connection closed by authenticating user {user} {bot} port {port} [preauth]",
    ),
    (
        20,
        "sshd[{pid}]: Failed publickey for {user} from {client} port {port} ssh2: RSA SHA256:{queue}
sshd[{pid}]: Accepted password for {user} from {client} port {port} ssh2",
    ),
    (
        10,
        "sshd[{pid}]: Failed password for {user} from {bot} port {port} ssh2
sshd[{pid}]: Failed password for {user} from {bot} port {port} ssh2
sshd[{pid}]: error: maximum authentication attempts exceeded for {user} from {bot} port {port} ssh2 [preauth]
sshd[{pid}]: Disconnecting authenticating user {user} {bot} port {port}: Too many authentication failures [preauth]",
    ),
    (30, "sshd[{pid}]: Connection closed by {bot} port {port} [preauth]"),
    (15, "sshd[{pid}]: Connection reset by {bot} port {port} [preauth]"),
    (10, "sshd[{pid}]: Did not receive identification string from {bot} port {port}"),
    (10, "sshd[{pid}]: error: kex_exchange_identification: Connection closed by remote host
sshd[{pid}]: Connection closed by {bot} port {port}"),
    (10, "sshd[{pid}]: Unable to negotiate with {bot} port {port}: no matching key exchange method found. Their offer: diffie-hellman-group1-sha1 [preauth]"),
    (5, "sshd[{pid}]: User root from {bot} not allowed because not listed in AllowUsers"),
    (60, "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
CRON[{pid}]: pam_unix(cron:session): session closed for user root"),
    (20, "sudo:   {user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/journalctl -n {n}"),
    (20, "systemd-logind[601]: New session {n} of user {user}."),
];
