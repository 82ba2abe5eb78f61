//! The tables of a report: the same in every format.

use super::{CategoryFigures, Compared, Figures, JailFigures, ListingFigures, Ranked, Top, Totals, Wait};

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name for programs.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What the names of its rows are.
    pub named: &'static str,
    /// What is counted; each is compared with the period before.
    pub measures: &'static [&'static str],
    /// The rows in order.
    pub rows: Vec<Row>,
    /// What is not among the rows, of the first measure.
    pub others: u64,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who or what it is about.
    pub name: String,
    /// What else is known of it; may be empty.
    pub note: String,
    /// The number for each measure.
    pub counts: Vec<Compared>,
}

/// The tables of `figures`, without those that have no rows.
pub fn tables(figures: &Figures) -> Vec<Table> {
    let top = |id, title, named, top: &Top| Table {
        rows: top.rows.iter().map(ranked).collect(),
        others: top.others,
        ..table(id, title, named, &["Failures"])
    };
    let jails = figures.jails.iter().map(jail).collect();
    let categories = figures.categories.iter().filter(|category| !category.failures.is_none());
    let waits = figures.waits.iter().filter(|wait| !wait.bans.is_none());
    let mut tables = vec![
        totals(&figures.totals),
        Table { rows: jails, ..table("jails", "Jails", "Jail", &["Failures", "Bans", "Again"]) },
        Table {
            rows: categories.map(category).collect(),
            ..table("categories", "Published as", "Code", &["Failures", "Bans"])
        },
        top("addresses", "Addresses", "Address", &figures.addresses),
        top("networks-ipv4", "IPv4 networks", "Network", &figures.networks_ipv4),
        top("networks-ipv6", "IPv6 networks", "Network", &figures.networks_ipv6),
        top("users", "User names tried", "Name", &figures.users),
    ];
    tables.extend(figures.countries.iter().map(|places| top("countries", "Countries", "Country", places)));
    tables
        .extend(figures.systems.iter().map(|places| top("systems", "Autonomous systems", "System", places)));
    let reports =
        |id, title, named, reports| Table { measures: &["Reports"], ..top(id, title, named, reports) };
    tables.push(reports("reporters", "Who reported", "Organisation", &figures.reporters));
    tables.push(reports("reported", "What they reported", "Category", &figures.reported));
    tables.push(Table {
        rows: waits.map(wait).collect(),
        ..table("waits", "From the first failure to the ban", "Time", &["Bans"])
    });
    tables.push(Table {
        rows: figures.listings.iter().map(listing).collect(),
        ..table("listings", "Listings that DNS was asked for", "Listing", &["Answers"])
    });
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn table(
    id: &'static str,
    title: &'static str,
    named: &'static str,
    measures: &'static [&'static str],
) -> Table {
    Table { id, title, named, measures, rows: Vec::new(), others: 0 }
}

impl Compared {
    fn is_none(&self) -> bool {
        self.now == 0 && self.before == 0
    }
}

fn totals(totals: &Totals) -> Table {
    let row =
        |name: &str, note: &str, count| Row { name: name.into(), note: note.into(), counts: vec![count] };
    let Compared { now, before } = totals.bans;
    let first = Compared {
        now: now.saturating_sub(totals.again.now),
        before: before.saturating_sub(totals.again.before),
    };
    let rows = vec![
        row("Failures", "", totals.failures),
        row("Failing addresses", "each once a day and jail", totals.addresses),
        row("New bans", "", totals.bans),
        row("Banned for the first time", "", first),
        row("Banned again", "", totals.again),
        row("Connections stopped", "answers of DNS that were a listing", totals.answers),
    ];
    Table { rows, ..table("totals", "Totals", "Figure", &["Count"]) }
}

fn jail(figures: &JailFigures) -> Row {
    let counts = vec![figures.failures, figures.bans, figures.again];
    Row { name: figures.jail.clone(), note: String::new(), counts }
}

fn category(figures: &CategoryFigures) -> Row {
    let zone = figures.zone.trim_end_matches('.');
    let alone = figures.sublist.as_ref().map(|sublist| format!(", alone as {sublist}.{zone}"));
    let note = format!("{zone}{}", alone.unwrap_or_default());
    Row { name: figures.code.to_string(), note, counts: vec![figures.failures, figures.bans] }
}

fn ranked(ranked: &Ranked) -> Row {
    Row { name: ranked.name.clone(), note: ranked.note.clone(), counts: vec![ranked.count] }
}

fn wait(wait: &Wait) -> Row {
    Row { name: up_to(wait.seconds), note: String::new(), counts: vec![wait.bans] }
}

/// A span of so many seconds at most; without a number, longer than the last of [`crate::store::WAITS`].
pub(super) fn up_to(seconds: Option<u64>) -> String {
    match seconds {
        None => "over 24 h".to_owned(),
        Some(seconds) if seconds < 60 => format!("up to {seconds} s"),
        Some(seconds) if seconds < 3600 => format!("up to {} min", seconds / 60),
        Some(seconds) => format!("up to {} h", seconds / 3600),
    }
}

fn listing(listing: &ListingFigures) -> Row {
    Row { name: listing.prefix.to_string(), note: listing.jails.join(", "), counts: vec![listing.answers] }
}

/// A number with its thousands apart.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// How a number has changed; empty where there was and is nothing.
pub fn change(compared: Compared) -> String {
    let Compared { now, before } = compared;
    if before == 0 {
        return if now == 0 { String::new() } else { "new".to_owned() };
    }
    if now / before >= 10 {
        return format!("×{}", now / before);
    }
    match ((now as f64 / before as f64 - 1.0) * 100.0).round() as i64 {
        0 => "=".to_owned(),
        percent if percent < 0 => format!("−{} %", -percent),
        percent => format!("+{percent} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        for (plain, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(plain), shown);
        }
        for (now, before, shown) in [
            (0, 0, ""),
            (5, 0, "new"),
            (0, 5, "−100 %"),
            (1001, 1000, "="),
            (112, 100, "+12 %"),
            (95, 100, "−5 %"),
            (1000, 100, "×10"),
            (u64::MAX, 1, "×18446744073709551615"),
        ] {
            assert_eq!(change(Compared { now, before }), shown, "{now} after {before}");
        }
    }
}
