//! The name of an encoding goes in, as browsers or Python write it; out comes one in which the lines of a log can be found.

use encoding_rs::Encoding;

/// The encoding called `written`, or why logs cannot be in it.
pub(super) fn parse(written: &str) -> Result<&'static Encoding, String> {
    match by_name(written) {
        // Line feeds are searched for before anything is decoded.
        Some(encoding) if encoding.is_ascii_compatible() => Ok(encoding),
        Some(_) => Err(format!("no lines can be found in `{written}`: convert the log to UTF-8")),
        None => Err(format!("`{written}` is no known encoding: write utf-8 or iso-8859-1")),
    }
}

fn by_name(written: &str) -> Option<&'static Encoding> {
    let name = written.to_lowercase().replace('_', "-");
    let pythons = [name.replace("latin-", "latin"), name.replace("iso", "iso-"), name.replace("utf", "utf-")];
    let mut names = std::iter::once(&name).chain(&pythons);
    names.find_map(|name| Encoding::for_label(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_in_which_lines_can_be_found() {
        for (written, expected) in [
            ("utf-8", "UTF-8"),
            ("UTF8", "UTF-8"),
            ("utf_8", "UTF-8"),
            ("iso-8859-1", "windows-1252"),
            ("iso8859_15", "ISO-8859-15"),
            ("Latin-1", "windows-1252"),
            ("koi8-r", "KOI8-R"),
            ("cp437", "`cp437` is no known encoding: write utf-8 or iso-8859-1"),
            ("UTF-16", "no lines can be found in `UTF-16`: convert the log to UTF-8"),
            ("utf-16be", "no lines can be found in `utf-16be`: convert the log to UTF-8"),
            ("utf16", "no lines can be found in `utf16`: convert the log to UTF-8"),
            ("iso-2022-kr", "no lines can be found in `iso-2022-kr`: convert the log to UTF-8"),
            ("replacement", "no lines can be found in `replacement`: convert the log to UTF-8"),
        ] {
            let found = parse(written).map_or_else(|problem| problem, |encoding| encoding.name().to_owned());
            assert_eq!(found, expected, "{written}");
        }
    }
}
