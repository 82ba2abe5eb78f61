//! What every text a pattern matches must contain.
//!
//! In comes a pattern; out goes a set of literals, one of which is in every matching text, or nothing if there
//! is no such set worth looking for.

use regex_syntax::hir::{Hir, HirKind};

/// A shorter literal is in too many lines to tell them apart.
pub(super) const SHORTEST: usize = 3;

/// A larger set of alternatives costs more than it spares.
const MOST: usize = 16;

/// The literals of the regular expression `source`: the set whose shortest member is longest.
pub(super) fn required(source: &str) -> Option<Vec<Vec<u8>>> {
    walk(&regex_syntax::parse(source).ok()?)
}

/// The parser bounds how deeply expressions nest, and with it the depth of this.
fn walk(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => None,
        HirKind::Literal(literal) => (literal.0.len() >= SHORTEST).then(|| vec![literal.0.to_vec()]),
        HirKind::Repetition(repetition) if repetition.min == 0 => None,
        HirKind::Repetition(repetition) => walk(&repetition.sub),
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(walk).max_by_key(|literals| worth(literals)),
        HirKind::Alternation(branches) => {
            let each = branches.iter().map(walk).collect::<Option<Vec<_>>>()?;
            let all = each.concat();
            (all.len() <= MOST).then_some(all)
        }
    }
}

fn worth(literals: &[Vec<u8>]) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_literal_of_all_branches() {
        let cases: [(&str, Option<&[&str]>); 13] = [
            ("abc", Some(&["abc"])),
            ("ab", None),
            (r"abc\d+wxyz", Some(&["wxyz"])),
            ("(?:abc|xyz1)", Some(&["abc", "xyz1"])),
            ("(?:abc|x)", None),
            (r"(?:abc|xyz)\d failed", Some(&[" failed"])),
            ("(abc)+", Some(&["abc"])),
            ("(abc)*", None),
            ("(abc)?", None),
            ("(abc){2}d", Some(&["abc"])),
            ("(?i)abc", None),
            ("^abc$", Some(&["abc"])),
            (r"\w+\s.*", None),
        ];
        for (pattern, expected) in cases {
            let found = required(pattern);
            let expected =
                expected.map(|all| all.iter().map(|one| one.as_bytes().to_vec()).collect::<Vec<_>>());
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn too_many_alternatives_are_no_help() {
        let words: Vec<String> = (0..=MOST).map(|word| format!("{word}{word}{word}x")).collect();
        assert_eq!(required(&words[1..].join("|")).map(|all| all.len()), Some(MOST));
        assert_eq!(required(&words.join("|")), None);
    }
}
