//! `status` and `stats`.

use super::{Answer, Call, Nok, layout};
use crate::http::api::JailStatus;
use crate::ip::Prefix;

/// `status`, `status JAIL [FLAVOR]` and `status --all [FLAVOR]`
pub(super) fn status(call: &Call<'_>, words: &[&str]) -> Answer {
    let flavor = |flavor: Option<&&str>| match flavor {
        Some(&"cymru") => Err(Nok::Server(
            "banzone asks no third party about the addresses it bans: there is no flavor `cymru`; \
             use `short` or none"
                .to_owned(),
        )),
        flavor => Ok(flavor == Some(&"short")),
    };
    match words {
        [] => server(call),
        ["--all", rest @ ..] if rest.len() < 2 => all(call, flavor(rest.first())?),
        [jail, rest @ ..] if rest.len() < 2 => one(call, jail, flavor(rest.first())?),
        _ => Err(Nok::Server("Invalid command (no status)".to_owned())),
    }
}

fn server(call: &Call<'_>) -> Answer {
    Ok(layout::server_tree(&call.jails()?))
}

fn one(call: &Call<'_>, jail: &str, short: bool) -> Answer {
    Ok(format!("Status for the jail: {jail}\n{}", tree(call, jail, short, "")?))
}

fn tree(call: &Call<'_>, jail: &str, short: bool, indent: &str) -> Answer {
    let status = call.status(jail)?;
    let banned = if short { None } else { Some(call.bans(jail)?) };
    let banned: Option<Vec<Prefix>> = banned.map(|bans| bans.iter().map(|ban| ban.prefix).collect());
    Ok(layout::jail_tree(&status, banned.as_deref(), indent))
}

/// As fail2ban has it from 1.1.1 on.
fn all(call: &Call<'_>, short: bool) -> Answer {
    let jails = call.jails()?;
    let [number, list] = layout::jail_list(&jails);
    let mut text = format!("Status\n|- {number}\n|- {list}\n`- Status for the jails:");
    for (at, jail) in jails.iter().enumerate() {
        let (branch, indent) = if at + 1 == jails.len() { ("`-", "      ") } else { ("|-", "   |  ") };
        let tree = tree(call, jail, short, indent)?;
        text.push_str(&format!("\n   {branch} Jail: {jail}\n{tree}"));
    }
    Ok(text)
}

/// `stats`, as fail2ban has it from 1.1.1 on.
pub(super) fn statistics(call: &Call<'_>, _: &[&str]) -> Answer {
    let jails = call.jails()?;
    let all = jails.iter().map(|jail| call.status(jail)).collect::<Result<Vec<JailStatus>, Nok>>()?;
    Ok(layout::table(&all, speaks_utf8()))
}

/// Whether the terminal shows more than ASCII: the first of the variables that is set says so.
fn speaks_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_uppercase();
    locale.contains("UTF-8") || locale.contains("UTF8")
}
