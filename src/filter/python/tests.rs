//! Patterns and what they find, as Python finds it.

use proptest::prelude::*;

use super::*;

/// What `pattern` matches first in `text`, if anything.
fn found(pattern: &str, text: &str) -> Option<String> {
    found_in(pattern, text, Flags::default(), Texts::OneLine)
}

fn found_in(pattern: &str, text: &str, flags: Flags, texts: Texts) -> Option<String> {
    let compiled = compile(pattern, flags, texts).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
    let captures = compiled.captures(text).unwrap();
    captures.map(|captures| text[captures.span(0).unwrap()].to_owned())
}

#[test]
fn patterns_find_what_python_finds() {
    let cases = [
        ("a.c", "xabcx\n", Some("abc")),
        ("a.c", "a\nc\n", None),
        ("(?s)a.c", "a\nc\n", Some("a\nc")),
        ("^[^[]*\\[x\\]", "ab[x]\n", Some("ab[x]")),
        ("[]a]+", "]a]\n", Some("]a]")),
        ("[^]a]+", "]ab]\n", Some("b")),
        ("[a&&b]+", "b&&a\n", Some("b&&a")),
        ("[!--b]+", "a-b!\n", Some("-b!")),
        ("[~~#]+", "x~#~\n", Some("~#~")),
        ("[\\w-]+", "a-b_c é\n", Some("a-b_c")),
        ("[+--]+", "a,-+b\n", Some(",-+")),
        (r"\<x\>", "<x>\n", Some("<x>")),
        (r"x{,2}", "xxx\n", Some("xx")),
        (r"x{,}y", "xxxy\n", Some("xxxy")),
        (r"x{a}", "x{a}\n", Some("x{a}")),
        (r"{x}", "{x}\n", Some("{x}")),
        (r"x{}", "x{}\n", Some("x{}")),
        (r"x{2", "x{2\n", Some("x{2")),
        (r"a$", "a\n", Some("a")),
        (r"a\Z", "a\n", None),
        (r"a\n\Z", "a\n", Some("a\n")),
        (r"a\s*$", "a  \n", Some("a  \n")),
        (r"a(?:\s|$)", "a\n", Some("a\n")),
        (r"(?i)abc", "xABC\n", Some("ABC")),
        (r"x(?i:abc)d", "xABCd\n", Some("xABCd")),
        (r"x(?i:abc)d", "xABCD\n", None),
        (r"x(?i)abc", "XABC\n", Some("XABC")),
        (r"(?i:a(?-i:b))", "Ab\n", Some("Ab")),
        (r"(?i:a(?-i:b))", "AB\n", None),
        ("(?x) a b # c\n c", "abc\n", Some("abc")),
        (r"\d+", "x٣4\n", Some("٣4")),
        (r"(?a)\d+", "x٣4\n", Some("4")),
        (r"a\sb", "a\u{1c}b\n", Some("a\u{1c}b")),
        (r"a\Sb", "a\u{1c}b\n", None),
        (r"[\S]+", " a\u{1d}b\n", Some("a")),
        (r"\w+", "½x\n", Some("½x")),
        (r"\W+", "a -b\n", Some(" -")),
        (r"\x41\u00e9\101\0", "AéA\0\n", Some("AéA\0")),
        (r"[\b\n\x41-\103]+", "\u{8}ABC\n", Some("\u{8}ABC\n")),
        (r"(a)(b)?\1", "aba\n", Some("aba")),
        (r"(?P<q>['x])y(?P=q)", "'yx xyx\n", Some("xyx")),
        (r"(?P<q>a)?b(?(q)c|d)", "abe abc bd\n", Some("abc")),
        (r"^(?P<q>a)?b(?(1)c|d)$", "bd\n", Some("bd")),
        (r"a(?=b)b", "ab\n", Some("ab")),
        (r"a(?!b).", "ab ac\n", Some("ac")),
        (r"(?<=x)a", "a xa\n", Some("a")),
        (r"(?<!x)a.", "xa1 a2\n", Some("a2")),
        (r"a*+a", "aaa\n", None),
        (r"(?>a+)b", "aab\n", Some("aab")),
        (r"a(?#comment)b", "ab\n", Some("ab")),
        (r"a|b|", "c\n", Some("")),
        (r"x\/\-\ y", "x/- y\n", Some("x/- y")),
        (r"a(?#comment)*b", "aab\n", Some("aab")),
        ("(?x) a (?#comment) # comment\n * b", "aab\n", Some("aab")),
        (r"(a){0}b(c)\2", "abcc\n", Some("bcc")),
        (r"(?=a)?b", "b\n", Some("b")),
        (r"(?!a){2,}b", "b\n", Some("b")),
        (r"(?=(a))*+(?(1)a|b)", "ba\n", Some("b")),
        (r"(?:)+b(?:(?#comment))*?(?!c)", "b\n", Some("b")),
        (r"(a)(?(1))b", "ab\n", Some("ab")),
        (r"(a)?(?(1)){2,}b", "b\n", Some("b")),
        (r"(?:a(?(1)b|c)(d))+", "acdabdacd\n", Some("acdabd")),
        (r"a(?:b{2,}){2}+", "abbbb\n", None),
        (r"(?a)é\bx", "éx\n", Some("éx")),
        (r"(?a)x\Bé", "xé\n", None),
        (r"(?a)(?u:\w)\w", "éxy\n", Some("éx")),
        ("(?i)[ſ]", "xS\n", Some("S")),
        ("(?i)[ž-ƀ]+", "xs\n", Some("s")),
        ("(?i)[^\u{212a}]", "k\n", Some("\n")),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(found(pattern, text).as_deref(), expected, "{pattern} in {text:?}");
    }
}

#[test]
fn a_dollar_knows_the_texts_it_is_for() {
    let many_lines = Flags { multi_line: true, ..Flags::default() };
    let text = "a\nb\n";
    assert_eq!(found_in("a$", text, Flags::default(), Texts::ManyLines), None);
    assert_eq!(found_in("b$", text, Flags::default(), Texts::ManyLines).as_deref(), Some("b"));
    assert_eq!(found_in("a$", text, many_lines, Texts::ManyLines).as_deref(), Some("a"));
    assert_eq!(found_in("^b", text, many_lines, Texts::ManyLines).as_deref(), Some("b"));
    assert_eq!(found_in("^b", text, Flags::default(), Texts::ManyLines), None);
}

#[test]
fn what_is_no_pattern_is_pointed_at() {
    let cases = [
        ("a(b", "(b"),
        ("a)", ")"),
        ("a[b", "[b"),
        ("*a", "*"),
        ("^*", "^*"),
        ("a**", "*"),
        ("{2}", "{2}"),
        (r"a\", r"\"),
        (r"a\y", r"\y"),
        (r"\8", r"\8"),
        (r"\x4", r"\x"),
        ("(?P<1>a)", "(?P<1>"),
        ("(?P<a>x)(?P<a>y)", "(?P<a>"),
        ("(?P=b)", "(?P=b)"),
        (r"(a\1)", r"\1"),
        ("(?(1)a)", "(?(1)a)"),
        ("(?(2)a)(b)", "(?(2)a)(b)"),
        ("(?(0)a)", "(?(0)"),
        ("a*(?#b)*", "*"),
        ("a(?#b", "(?#b"),
        ("(?-a:b)", "(?-a"),
        ("(?Xa)", "(?Xa"),
        ("[b-a]", "-a"),
        (r"[\w-z]", "-z"),
        ("a{3,2}", "{3,2}"),
        ("(?P<a", "(?P<a"),
    ];
    for (pattern, span) in cases {
        let error = compile(pattern, Flags::default(), Texts::OneLine).unwrap_err();
        assert_eq!(&pattern[error.span], span, "{pattern}: {}", error.reason);
    }
    for group in ["(", "(?:", "(?=", "(?(1)", "(?(1)a|", "(?(1)("] {
        let deep = "(a)".to_owned() + &group.repeat(50_000);
        let error = compile(&deep, Flags::default(), Texts::OneLine).unwrap_err();
        assert_eq!(error.reason, "groups are nested too deeply", "{group}");
    }
}

#[test]
fn a_pattern_that_tries_every_way_is_stopped() {
    let pattern = compile(r"^(?:a|a?)+(?!\n)$", Flags::default(), Texts::OneLine).unwrap();
    for length in [2000, 10_000, 100_000] {
        let text = "a".repeat(length) + "\n";
        assert_eq!(pattern.is_match(&text), Err(Exhausted));
        assert_eq!(pattern.captures(&text).err(), Some(Exhausted));
    }
}

#[test]
fn what_would_not_match_without_looking_around_takes_no_steps() {
    let cases = [
        (r"^(?:a|a?)+(?!x)$", "a".repeat(60_000) + "b\n", None),
        ("(?=.*z)yz", "y".repeat(60_000) + "\n", None),
        ("(?=.*z)yz", "x".repeat(60_000) + "yz\n", Some(60_000..60_002)),
        (r"(?<=x)y(?!z)\b", "x".repeat(60_000) + "y\n", Some(60_000..60_001)),
    ];
    for (pattern, text, expected) in cases {
        let compiled = compile(pattern, Flags::default(), Texts::OneLine).unwrap();
        let found = compiled.captures(&text).unwrap().and_then(|captures| captures.span(0));
        assert_eq!(found, expected, "{pattern}");
        assert_eq!(compiled.is_match(&text), Ok(expected.is_some()), "{pattern}");
    }
}

#[test]
fn what_is_large_is_refused_at_once_and_the_rest_knows_all_texts() {
    let compiled = |pattern: &str| compile(pattern, Flags::default(), Texts::OneLine);
    assert!(compiled(r"(?:\w{20}){20}").unwrap_err().reason.contains("too large"));
    let cases = [
        (r"\w{330}", "é", 330),
        (r"(?:[^\d\s]{2,5}){60}", "é", 300),
        (r"(?:[a-z\w]{1,3}[éè]){80}", "aé", 80),
        (r"(?i)(?:ab|\W){300}", "AB»", 150),
    ];
    for (pattern, text, times) in cases {
        let pattern = compiled(pattern).unwrap();
        assert_eq!(pattern.is_match(&text.repeat(times)), Ok(true));
        assert_eq!(pattern.is_match(&text.repeat(times / 8)), Ok(false));
    }
}

#[test]
fn what_compiles_knows_all_texts() {
    let deep = |open: &str, close: &str, times| format!("{}y{}", open.repeat(times), close.repeat(times));
    let patterns = [
        "(?:$)?".to_owned(),
        "a(?:$){0,1}".to_owned(),
        deep("(?:a", "|c)?", 62),
        deep("(?:x|a", "b)", 84),
        "()".repeat(1900),
        format!("(?:{}b){{1900}}", deep("(?:", "a){1}", 90)),
    ];
    for pattern in patterns {
        for texts in [Texts::OneLine, Texts::ManyLines] {
            if let Ok(pattern) = compile(&pattern, Flags::default(), texts) {
                assert!(pattern.is_match("é").is_ok() && pattern.is_match("a").is_ok());
            }
        }
    }
}

#[test]
fn literals_are_found_behind_what_is_left_out() {
    let cases = [
        (r"(?<!x)authentication failed(?= for)", Some("authentication failed")),
        (r"(?P<q>['x])invalid(?P=q)", Some("invalid")),
        (r"(?P<q>a)?failure(?(q)c|d)", Some("failure")),
        (r"^[^[]*\[(?i:x)\]: SASL", Some("]: SASL")),
        (r"\w+", None),
    ];
    for (pattern, expected) in cases {
        let compiled = compile(pattern, Flags::default(), Texts::OneLine).unwrap();
        let literals = compiled.literals().map(|literals| String::from_utf8_lossy(&literals[0]).into_owned());
        assert_eq!(literals.as_deref(), expected, "{pattern}");
    }
}

/// Where all groups of `pattern` match first from byte `from` on.
fn spans(pattern: &Pattern, text: &str, from: usize) -> Option<Vec<Option<Range<usize>>>> {
    let captures = pattern.captures_from(text, from).ok()??;
    Some((0..captures.len()).map(|group| captures.span(group)).collect())
}

/// Patterns made of everything that steps know.
fn patterns() -> impl Strategy<Value = String> {
    const LEAVES: &[&str] = &[
        "a", "b", "ab", "bca", ".", "[ab]", "[^a]", r"\w", r"\s", "^", "$", r"\b", r"\B", r"\Z", "", "(?i:A)",
    ];
    const REPEATS: &[&str] = &["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}", "{0}"];
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(5, 24, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            4 => several.clone().prop_map(|parts| parts.concat()),
            2 => several.prop_map(|branches| format!("(?:{})", branches.join("|"))),
            2 => inner.clone().prop_map(|inner| format!("({inner})")),
            2 => (inner.clone(), prop::sample::select(REPEATS)).prop_map(|(inner, times)| format!("(?:{inner}){times}")),
            1 => (inner, prop::sample::select(&["?=", "?!", "?<=", "?<!"][..]))
                .prop_map(|(inner, look)| format!("({look}{inner})")),
        ]
    })
}

proptest! {
    #[test]
    fn steps_find_what_the_engines_find(
        pattern in patterns(),
        texts in prop::collection::vec("[abc ]{0,9}\n?|[abcAB _\n]{0,9}|[abéſ ]{0,5}", 1..8),
    ) {
        let flags = Flags::default();
        for texts_are in [Texts::OneLine, Texts::ManyLines] {
            let Ok(steps) = compile(&pattern, flags, texts_are) else { continue };
            let Some(engines) = compile(&pattern, flags, texts_are).ok().and_then(Pattern::without_steps) else {
                continue;
            };
            let fitting = texts.iter().filter(|text| {
                texts_are == Texts::ManyLines || !text.trim_end_matches('\n').contains('\n') && !text.ends_with("\n\n")
            });
            for text in fitting {
                for from in 0..=text.len().min(2) {
                    prop_assert_eq!(
                        spans(&steps, text, from),
                        spans(&engines, text, from),
                        "{} in {:?} from {}", &pattern, text, from
                    );
                }
            }
        }
    }
}
