//! The layouts of fail2ban-client. Programs read them: the tabs are part of them.

use crate::cli::printable::printable;
use crate::http::api::JailStatus;
use crate::ip::Prefix;

/// Lines below each other, joined by fail2ban's branches.
pub(super) fn branches(lines: &[String]) -> String {
    let Some((last, others)) = lines.split_last() else {
        return String::new();
    };
    let others: String = others.iter().map(|line| format!("|- {}\n", printable(line))).collect();
    format!("{others}`- {}", printable(last))
}

/// Items below a heading, or what is said when there are none.
pub(super) fn list(heading: &str, none: &str, items: &[String]) -> String {
    if items.is_empty() { none.to_owned() } else { format!("{heading}\n{}", branches(items)) }
}

/// The two lines about all jails.
pub(in crate::cli) fn jail_list(jails: &[String]) -> [String; 2] {
    [format!("Number of jail:\t{}", jails.len()), format!("Jail list:\t{}", jails.join(", "))]
}

/// All jails.
pub(in crate::cli) fn server_tree(jails: &[String]) -> String {
    let [number, list] = jail_list(jails);
    format!("Status\n|- {number}\n`- {list}")
}

/// How a jail is, each line behind `indent`, with what it bans unless that is not wanted.
pub(in crate::cli) fn jail_tree(status: &JailStatus, banned: Option<&[Prefix]>, indent: &str) -> String {
    let mut actions = vec![
        format!("Currently banned:\t{}", status.currently_banned),
        format!("Total banned:\t{}", status.total_banned),
    ];
    if let Some(banned) = banned {
        let banned: Vec<String> = banned.iter().map(Prefix::to_string).collect();
        actions.push(format!("Banned IP list:\t{}", banned.join(" ")));
    }
    let mut filter = vec![
        format!("Currently failed:\t{}", status.currently_failed),
        format!("Total failed:\t{}", status.total_failed),
    ];
    filter.extend(sources(status));
    let below = |before: &str, lines: &[String]| -> String {
        let last = lines.len() - 1;
        let branch = |at: usize| if at == last { "`-" } else { "|-" };
        lines
            .iter()
            .enumerate()
            .map(|(at, line)| format!("\n{indent}{before}{} {line}", branch(at)))
            .collect()
    };
    format!("{indent}|- Filter{}\n{indent}`- Actions{}", below("|  ", &filter), below("   ", &actions))
}

/// What a jail reads: fail2ban's jails read either files or the journal, those here may read both.
fn sources(status: &JailStatus) -> impl Iterator<Item = String> {
    let files: Vec<_> = status.files.iter().chain(&status.streams).map(|file| printable(file)).collect();
    let journal = status.journal_matches.as_ref().map(|groups| {
        let groups = groups.join(" + ");
        format!("Journal matches:\t{}", printable(&groups))
    });
    let files = (!files.is_empty() || journal.is_none()).then(|| format!("File list:\t{}", files.join(" ")));
    files.into_iter().chain(journal)
}

/// The table of `stats`: a row for each jail, with box drawing where the terminal can show it.
pub(super) fn table(jails: &[JailStatus], utf8: bool) -> String {
    if jails.is_empty() {
        return "No jails found.".to_owned();
    }
    let lines = if utf8 { BOX } else { ASCII };
    let Lines { double, level, left, cross, corner, foot, thin, dash } = lines;
    let rows: Vec<[String; 6]> = jails.iter().map(row).collect();
    let least = [8, 8, 3, 3, 3, 3];
    let width: [usize; 6] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(least[column])
    });
    let (filter, actions) = (width[2] + 3 + width[3], width[4] + 3 + width[5]);
    let cells = |[jail, backend, failed, failures, banned, bans]: [&str; 6]| {
        let [a, b, c, d, e, f] = width;
        format!(
            " {jail:a$} {double} {backend:b$} {double} {failed:>c$} {thin} {failures:>d$} {double} {banned:>e$} {thin} {bans:>f$}"
        )
    };
    let across = |joint: &str| {
        let parts = [width[0], width[1], filter, actions].map(|length| level.repeat(length));
        format!("{level}{}{level}", parts.join(&format!("{level}{joint}{level}")))
    };
    let [a, b, ..] = width;
    let mut table = vec![
        format!(
            " {:a$} {double} {:b$} {double} {:filter$} {double} {:actions$}",
            "", "", "Filter", "Actions"
        ),
        format!(
            " {:a$} {double} {:b$} {left}{dash}{}{dash}{cross}{dash}{}{dash}",
            "Jail",
            "Backend",
            dash.repeat(filter),
            dash.repeat(actions)
        ),
        cells(["", "", "cur", "tot", "cur", "tot"]),
        across(corner),
    ];
    table.extend(rows.iter().map(|row| cells(row.each_ref().map(String::as_str))));
    table.push(across(foot));
    table.join("\n")
}

struct Lines {
    double: &'static str,
    level: &'static str,
    left: &'static str,
    cross: &'static str,
    corner: &'static str,
    foot: &'static str,
    thin: &'static str,
    dash: &'static str,
}

const ASCII: Lines =
    Lines { double: "|", level: "-", left: "|", cross: "x", corner: "x", foot: "-", thin: "|", dash: "-" };

const BOX: Lines =
    Lines {
        double: "║", level: "═", left: "╟", cross: "╫", corner: "╬", foot: "╩", thin: "│", dash: "─"
    };

fn row(status: &JailStatus) -> [String; 6] {
    [
        status.jail.clone(),
        "banzone".to_owned(),
        status.currently_failed.to_string(),
        status.total_failed.to_string(),
        status.currently_banned.to_string(),
        status.total_banned.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(jail: &str) -> JailStatus {
        JailStatus {
            jail: jail.to_owned(),
            currently_failed: 2,
            total_failed: 1234,
            files: vec!["/var/log/a".to_owned(), "/var/log/b".to_owned()],
            streams: Vec::new(),
            journal_matches: None,
            currently_banned: 1,
            total_banned: 3,
            banned: Vec::new(),
            hits: None,
        }
    }

    #[test]
    fn the_table_is_as_wide_as_its_cells() {
        let expected = "          |          | Filter     | Actions  \n \
                        Jail     | Backend  |------------x-----------\n          \
                        |          | cur |  tot | cur | tot\n\
                        ---------x----------x------------x-----------\n \
                        sshd     | banzone  |   2 | 1234 |   1 |   3\n\
                        ----------------------------------------------";
        let table = table(&[status("sshd")], false);
        let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.iter().max(), widths.last(), "{table}\n{expected}");
        assert!(table.contains(" sshd     | banzone  |   2 | 1234 |   1 |   3"), "{table}");
        assert!(super::table(&[status("sshd")], true).contains(" Jail     ║ Backend  ╟─"));
    }

    #[test]
    fn a_tree_shows_what_a_jail_reads() {
        let check = |files: &[&str], streams: &[&str], journal: Option<&[&str]>, expected: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
            let status = JailStatus {
                files: owned(files),
                streams: owned(streams),
                journal_matches: journal.map(owned),
                ..status("sshd")
            };
            assert_eq!(sources(&status).collect::<Vec<_>>(), expected);
        };
        check(&[], &[], None, &["File list:\t"]);
        check(&["/a\n"], &["syslog:udp"], None, &["File list:\t/a\\x0a syslog:udp"]);
        check(
            &[],
            &[],
            Some(&["_COMM=a _UID=0", "_COMM=b"]),
            &["Journal matches:\t_COMM=a _UID=0 + _COMM=b"],
        );
        check(&["/a"], &[], Some(&[]), &["File list:\t/a", "Journal matches:\t"]);
    }

    #[test]
    fn a_tree_has_fail2bans_branches() {
        let expected = [
            ">|- Filter",
            ">|  |- Currently failed:\t2",
            ">|  |- Total failed:\t1234",
            ">|  `- File list:\t/var/log/a /var/log/b",
            ">`- Actions",
            ">   |- Currently banned:\t1",
            ">   `- Total banned:\t3",
        ];
        assert_eq!(jail_tree(&status("sshd"), None, ">"), expected.join("\n"));
        assert_eq!(list("Some:", "None", &["a".to_owned(), "b".to_owned()]), "Some:\n|- a\n`- b");
        assert_eq!(list("Some:", "None", &[]), "None");
    }
}
