//! `status`: the daemon or one jail, in the words and the form of fail2ban-client.

use std::io::Write;

use serde::Serialize;

use super::client::segment;
use super::printable::printable;
use super::{Exit, Global};
use crate::http::api::{JailStatus, Status};

/// Show the jails, or how one of them is
#[derive(clap::Args)]
pub struct Args {
    /// The jail; without one: all names
    jail: Option<String>,
}

impl Args {
    /// Asks and shows.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let client = global.client()?;
        match self.jail {
            Some(jail) => {
                let status: JailStatus = client.get(&format!("/jails/{}", segment(&jail)), &())?;
                show(&status, jail_tree, global, out)?;
            }
            None => show(&client.get("/status", &())?, tree, global, out)?,
        }
        Ok(Exit::Done)
    }
}

fn show<T: Serialize>(
    status: &T,
    tree: fn(&T) -> String,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if global.json {
        return global.json(status, out);
    }
    Ok(out.write_all(tree(status).as_bytes())?)
}

/// Programs that read fail2ban-client's output read this: the tabs are part of it.
fn tree(status: &Status) -> String {
    let (number, list) = (status.jails.len(), status.jails.join(", "));
    format!("Status\n|- Number of jail:\t{number}\n`- Jail list:\t{list}\n")
}

fn jail_tree(status: &JailStatus) -> String {
    let banned: Vec<String> = status.banned.iter().map(ToString::to_string).collect();
    format!(
        "Status for the jail: {}\n\
         |- Filter\n\
         |  |- Currently failed:\t{}\n\
         |  |- Total failed:\t{}\n\
         |  `- File list:\t{}\n\
         `- Actions\n   \
            |- Currently banned:\t{}\n   \
            |- Total banned:\t{}\n   \
            `- Banned IP list:\t{}\n",
        status.jail,
        status.currently_failed,
        status.total_failed,
        printable(&status.files.join(" ")),
        status.currently_banned,
        status.total_banned,
        banned.join(" "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_that_of_fail2ban_client() {
        let status = JailStatus {
            jail: "sshd".to_owned(),
            currently_failed: 2,
            total_failed: 6,
            files: vec!["/var/log/a".to_owned(), "/var/log/b".to_owned()],
            currently_banned: 2,
            total_banned: 3,
            banned: vec!["203.0.113.7".parse().unwrap(), "2001:db8::5".parse().unwrap()],
        };
        let expected = [
            "Status for the jail: sshd",
            "|- Filter",
            "|  |- Currently failed:\t2",
            "|  |- Total failed:\t6",
            "|  `- File list:\t/var/log/a /var/log/b",
            "`- Actions",
            "   |- Currently banned:\t2",
            "   |- Total banned:\t3",
            "   `- Banned IP list:\t203.0.113.7 2001:db8::5",
            "",
        ];
        assert_eq!(jail_tree(&status), expected.join("\n"));
    }
}
