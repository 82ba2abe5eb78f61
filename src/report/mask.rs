//! User names as reports show them: those who read a report need not know whose they are.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The first letter of `name` and how many characters it has.
pub(super) fn masked(name: &str) -> String {
    let first = name.chars().next().filter(|first| first.is_alphanumeric()).unwrap_or('?');
    format!("{first}… ({})", name.chars().count())
}

/// Where the lines of mail servers, IMAP servers and sshd have the name that was tried, and the local part of addresses.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix) (?P<before> \b (?: (?: (?:sasl_)?user(?:name)? | ruser | account ) \s* [=:] | login \s* = ) \s* [<"'(]?
            | \b (?: invalid | illegal ) \s user \s | \b password \s for \s (?: invalid \s user \s )? | \b user \s [<"']? )
            (?P<name> [^\s,;<>"')\]]+ )
        | (?P<local> [\w.!\#$%&'*+/?^`{|}~-]+ ) @ (?P<domain> [a-z0-9-]+ \. [a-z0-9.-]+ )"#,
    )
    .expect("it is always the same")
});

/// A line of a log without the names of users in it, as far as they can be told from other words.
pub fn without_names(line: &str) -> String {
    let shown = |found: &Captures<'_>| match (found.name("name"), found.name("local")) {
        (Some(name), _) => format!("{}{}", &found["before"], masked(name.as_str())),
        (None, Some(local)) => format!("{}@{}", masked(local.as_str()), &found["domain"]),
        (None, None) => found[0].to_owned(),
    };
    NAMES.replace_all(line, shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{masked, without_names};

    #[test]
    fn lines_have_no_names() {
        for (line, shown) in [
            (
                "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=alice@mail.example",
                "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=a… (18)",
            ),
            (
                "Failed password for root from 192.0.2.1 port 22 ssh2",
                "Failed password for r… (4) from 192.0.2.1 port 22 ssh2",
            ),
            (
                "Failed password for invalid user bob from 192.0.2.1",
                "Failed password for invalid user b… (3) from 192.0.2.1",
            ),
            ("Invalid user  from 192.0.2.1", "Invalid user  from 192.0.2.1"),
            (
                "imap-login: auth failed, user=<carol>, rip=192.0.2.1",
                "imap-login: auth failed, user=<c… (5)>, rip=192.0.2.1",
            ),
            (
                "reject: from=<dave@mail.example> to=<eve@bl.example>",
                "reject: from=<d… (4)@mail.example> to=<e… (3)@bl.example>",
            ),
            ("connect from unknown[2001:db8::1]", "connect from unknown[2001:db8::1]"),
        ] {
            assert_eq!(without_names(line), shown);
        }
    }

    #[test]
    fn no_name_is_shown() {
        for (name, shown) in [
            ("root", "r… (4)"),
            ("élise@example.com", "é… (17)"),
            ("=HYPERLINK()", "?… (12)"),
            ("\u{1b}[2J", "?… (4)"),
            ("", "?… (0)"),
        ] {
            assert_eq!(masked(name), shown);
        }
    }
}
