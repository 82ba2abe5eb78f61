//! User names as reports show them: those who read a report need not know whose they are.

/// The first letter of `name` and how many characters it has.
pub(super) fn masked(name: &str) -> String {
    let first = name.chars().next().filter(|first| first.is_alphanumeric()).unwrap_or('?');
    format!("{first}… ({})", name.chars().count())
}

#[cfg(test)]
mod tests {
    use super::masked;

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
