//! `user`: the people who sign in, over the control socket: the way to the first administrator, and back in for whoever is
//! locked out.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::client::segment;
use super::granted::{Granted, confinement};
use super::printable::printable;
use super::{Exit, Global};
use crate::http::api::{
    Confirmation, Ended, Enrolment, NewUser, PasskeyView, Passkeys, RecoveryCodes, SessionView, Sessions,
    User, UserChange, Users,
};

/// Add, list and change the people who sign in
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Add a user; their password is asked for, or read from standard input
    Add {
        /// What they are called
        name: String,
        #[command(flatten)]
        grant: Granted,
    },
    /// List the users
    List,
    /// Change what a user may do
    Role {
        /// The user
        name: String,
        #[command(flatten)]
        grant: Granted,
    },
    /// Change a password, and let its owner try again at once
    Passwd {
        /// The user
        name: String,
    },
    /// Set up a second factor, or take it away from who has lost it
    Totp {
        /// The user
        name: String,
        /// Take it away
        #[arg(long)]
        remove: bool,
        /// Write the picture into this file, instead of showing it
        #[arg(long, value_name = "FILE", conflicts_with = "remove")]
        svg: Option<PathBuf>,
    },
    /// List the passkeys of a user, or remove one that is lost; a user adds them, signed in
    Passkeys {
        /// The user
        name: String,
        /// Remove the one with this id
        #[arg(long, value_name = "ID")]
        remove: Option<String>,
    },
    /// Keep a user out
    Disable {
        /// The user
        name: String,
    },
    /// Let a user in again
    Enable {
        /// The user
        name: String,
    },
    /// Remove a user
    Remove {
        /// The user
        name: String,
    },
    /// List the open sessions of a user, or end them
    Sessions {
        /// The user
        name: String,
        /// End them all
        #[arg(long)]
        end: bool,
    },
    /// Forget that somebody has tried to sign in as this user too often
    Unlock {
        /// The user
        name: String,
    },
}

impl Args {
    /// Does it and reports.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.action {
            Action::Add { name, grant } => add(name, grant, global, out)?,
            Action::List => list(global, out)?,
            Action::Role { name, grant } => role(&name, grant, global, out)?,
            Action::Passwd { name } => {
                let change = UserChange { password: Some(new_password()?), ..UserChange::default() };
                self::change(&name, &change, "has another password", global, out)?;
            }
            Action::Totp { name, remove: true, .. } => remove_totp(&name, global, out)?,
            Action::Totp { name, svg, .. } => totp(&name, svg, global, out)?,
            Action::Passkeys { name, remove: Some(id) } => remove_passkey(&name, &id, global, out)?,
            Action::Passkeys { name, remove: None } => passkeys(&name, global, out)?,
            Action::Disable { name } => disable(&name, true, global, out)?,
            Action::Enable { name } => disable(&name, false, global, out)?,
            Action::Remove { name } => delete(&user(&name), &format!("{name} is removed"), global, out)?,
            Action::Sessions { name, end } => sessions(&name, end, global, out)?,
            Action::Unlock { name } => {
                delete(&format!("{}/attempts", user(&name)), &format!("{name} may try again"), global, out)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn user(name: &str) -> String {
    format!("/users/{}", segment(name))
}

/// Asked for twice on a terminal, else the first line of standard input.
fn new_password() -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        return first_line("the password");
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("The same again: ")? != password {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(password)
}

fn first_line(what: &str) -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).with_context(|| format!("cannot read {what}"))?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        bail!("{what} is missing: write it to standard input, or start this on a terminal");
    }
    Ok(line.to_owned())
}

fn add(name: String, grant: Granted, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    grant.note_unknown(global)?;
    let (jails, zones, password) = (grant.jails(), grant.zones(), new_password()?);
    let Granted { role, sources, organisation, .. } = grant;
    let order = NewUser { name, password, role, jails, zones, sources, organisation };
    let added: User = global.client()?.post("/users", &order)?;
    let hint = format!("`banzone user totp {}` sets up a second factor", added.name);
    global.done(&added, &format!("{} is added as {}; {hint}", added.name, added.grant.role), out)
}

fn role(name: &str, grant: Granted, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    grant.note_unknown(global)?;
    let (jails, zones, role) = (grant.jails(), grant.zones(), Some(grant.role));
    let Granted { sources, organisation, .. } = grant;
    let change = UserChange { role, jails, zones, sources, organisation, ..UserChange::default() };
    self::change(name, &change, "may do what was said", global, out)
}

fn disable(name: &str, disabled: bool, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
    self::change(name, &change, if disabled { "is kept out" } else { "is let in again" }, global, out)
}

fn change(
    name: &str,
    change: &UserChange,
    done: &str,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let changed: User = global.client()?.patch(&user(name), change)?;
    global.done(&changed, &format!("{name} {done}; all their sessions have ended"), out)
}

fn delete(path: &str, done: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Ended = global.client()?.delete(path, &())?;
    global.done(&answer, done, out)
}

fn remove_totp(name: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let done = format!("{name} has no second factor any more; all their sessions have ended");
    delete(&format!("{}/totp", user(name)), &done, global, out)
}

fn totp(name: &str, svg: Option<PathBuf>, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = format!("{}/totp", user(name));
    let begun: Enrolment = global.client()?.post(&path, &())?;
    if let Some(file) = svg {
        fs::write(&file, &begun.svg).with_context(|| format!("cannot write {}", file.display()))?;
    } else {
        // Beside the data, which are the recovery codes.
        global.note(&begun.text);
    }
    global.note(&format!("Secret: {}\n{}", begun.secret, begun.url));
    global.note("Scan the picture, or type the secret; then write the code that the telephone shows.");
    let code = first_line("the code")?;
    let codes: RecoveryCodes =
        global.client()?.post(&format!("{path}/confirm"), &Confirmation { code: code.trim().to_owned() })?;
    if global.json {
        return global.json(&codes, out);
    }
    codes.recovery_codes.iter().try_for_each(|code| writeln!(out, "{code}"))?;
    global
        .note("Recovery codes, each good once in the place of a code; keep them, they are not shown again.");
    Ok(())
}

fn remove_passkey(name: &str, id: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let done = format!("the passkey is removed; all sessions of {name} have ended");
    delete(&format!("{}/passkeys/{}", user(name), segment(id)), &done, global, out)
}

fn passkeys(name: &str, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Passkeys = global.client()?.get(&format!("{}/passkeys", user(name)), &())?;
    let row = |passkey: &PasskeyView| {
        let PasskeyView { id, label, created, used } = passkey;
        let used = used.map_or_else(|| "-".to_owned(), |used| used.to_string());
        [id.clone(), printable(label).into_owned(), created.to_string(), used]
    };
    let rows: Vec<_> = answer.passkeys.iter().map(row).collect();
    global.rows(&answer, ["ID", "FOR", "SINCE", "USED"], &rows, out)
}

fn sessions(name: &str, end: bool, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = format!("{}/sessions", user(name));
    if end {
        return delete(&path, &format!("all sessions of {name} have ended"), global, out);
    }
    let answer: Sessions = global.client()?.get(&path, &())?;
    let row = |session: &SessionView| {
        let SessionView { id, created, used, source, agent, .. } = session;
        [id.clone(), created.to_string(), used.to_string(), source.clone(), agent.clone()]
    };
    let rows: Vec<_> = answer.sessions.iter().map(row).collect();
    global.rows(&answer, ["ID", "SINCE", "USED", "FROM", "BROWSER"], &rows, out)
}

fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer: Users = global.client()?.pages("/users", &(), None, usize::MAX)?;
    let rows: Vec<_> = answer.users.iter().map(row).collect();
    global.rows(&answer, ["NAME", "ROLE", "FOR", "FROM", "SECOND FACTOR", "SEEN", "STATE"], &rows, out)
}

fn row(user: &User) -> [String; 7] {
    let [good_for, good_from] = confinement(&user.grant);
    let second_factor = match (user.second_factor, user.passkeys) {
        (false, _) => "-".to_owned(),
        (true, 0) => format!("totp, {} recovery codes", user.recovery_codes),
        (true, passkeys) => format!("{passkeys} passkeys, {} recovery codes", user.recovery_codes),
    };
    [
        user.name.clone(),
        user.grant.role.to_string(),
        good_for,
        good_from,
        second_factor,
        user.seen.map_or_else(|| "-".to_owned(), |seen| seen.to_string()),
        if user.disabled { "disabled" } else { "-" }.to_owned(),
    ]
}
