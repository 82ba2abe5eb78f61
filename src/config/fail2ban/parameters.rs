//! The options in brackets behind a name: `sshd[mode=aggressive, port="22,222"][logtype='short']`.

use indexmap::IndexMap;

use super::parser::is_space;

/// Splits `written` into the name and its options, or says what is wrong with it.
pub(super) fn split(written: &str) -> Result<(&str, IndexMap<String, String>), String> {
    let shape = || format!("`{written}` is not of the form NAME[OPTION=VALUE, ...]");
    let Some((name, rest)) = written.split_once('[') else {
        return if written.is_empty() { Err(shape()) } else { Ok((written, IndexMap::new())) };
    };
    let inside = rest.trim_end_matches(is_space).strip_suffix(']').ok_or_else(shape)?;
    if name.is_empty() {
        return Err(shape());
    }
    Ok((name, options(inside)?))
}

fn options(written: &str) -> Result<IndexMap<String, String>, String> {
    let mut options = IndexMap::new();
    let mut rest = written;
    loop {
        let start = rest.trim_start_matches(is_space);
        let name = &start[..start.find(|c| !is_name(c)).unwrap_or(start.len())];
        match start[name.len()..].strip_prefix('=') {
            Some(behind) if !name.is_empty() => {
                let (value, behind) = value(behind);
                options.insert(name.to_owned(), value.trim_matches(is_space).to_owned());
                rest = separator(behind).ok_or_else(|| {
                    format!("`{behind}` behind option `{name}` is neither a comma nor the end")
                })?;
            }
            _ => break,
        }
    }
    let end = rest.strip_prefix(',').unwrap_or(rest).trim_matches(is_space);
    if end.is_empty() { Ok(options) } else { Err(format!("`{end}` is not of the form OPTION=VALUE")) }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

/// A value in quotes, or up to a comma or bracket; and what stands behind it.
fn value(written: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = written.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return quoted;
        }
    }
    written.split_at(written.find([',', ']']).unwrap_or(written.len()))
}

/// What stands behind a comma or `][`; nothing at the end.
fn separator(written: &str) -> Option<&str> {
    if written.is_empty() || written == "\n" {
        return Some("");
    }
    let next_group = || written.strip_prefix(']')?.trim_start_matches(is_space).strip_prefix('[');
    written.strip_prefix(',').or_else(next_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_in_brackets() {
        for (written, expected) in [
            ("sshd", "sshd"),
            ("sshd[]", "sshd"),
            ("sshd[mode=normal]", "sshd mode=normal"),
            ("a[b=c d , e=\"f,g]\",h='i=\"']", "a b=c d e=f,g] h=i=\""),
            ("a[b=c][ d=e] ", "a b=c d=e"),
            ("a[b=c,\n  d=e,\n]", "a b=c d=e"),
            ("a[b=, c=\"\"]", "a b= c="),
            ("a[b=\"c]", "a b=\"c"),
            ("a [b=c]", "a  b=c"),
            ("a[b=1, b=2]", "a b=2"),
        ] {
            let (name, options) = split(written).unwrap();
            let shown: String = options.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            assert_eq!(format!("{name}{shown}"), expected, "{written}");
        }
        for wrong in [
            "",
            "[a=b]",
            "a[b=c",
            "a[b=c]d",
            "a[b]",
            "a[b=\"c\"d]",
            "a[b=c]x[d=e]",
            "a[b=\"c\" , d=e]",
            "a[,,]",
        ] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
