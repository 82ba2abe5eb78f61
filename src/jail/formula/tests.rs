//! Formulas against what Python makes of them: the values of the first table were reckoned by it.

use proptest::prelude::*;

use super::*;

fn seconds(text: &str, time: f64, count: u32, factor: f64) -> Option<f64> {
    text.parse::<Formula>().unwrap_or_else(|error| panic!("{text}: {error}")).seconds(time, count, factor)
}

#[test]
fn formulas_have_the_values_that_python_gives_them() {
    let cases: &[(&str, f64)] = &[
        ("ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor", 600.0 * 8.0 * 2.0),
        ("ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)", 242_057.276_095_641_24),
        ("int(ban.Time * 1.7)", 1020.0),
        ("min(ban.Time * ban.Count, 1000)", 1000.0),
        ("max(ban.Time, 5, ban.Count)", 600.0),
        ("-7 // 2", -4.0),
        ("-7 % 3", 2.0),
        ("7 % -3", -2.0),
        ("-7.5 // 2", -4.0),
        ("-7.5 % 2", 0.5),
        ("7 / 2", 3.5),
        ("2 ** -1", 0.5),
        ("-2 ** 2", -4.0),
        ("2 ** 3 ** 2", 512.0),
        ("2 ** 200 / 2 ** 199", 2.0),
        ("1 << 100 >> 98", 4.0),
        ("5 & 3 | 8 ^ 1", 9.0),
        ("~5", -6.0),
        ("round(2.5)", 2.0),
        ("round(3.5)", 4.0),
        ("round(0.125, 2)", 0.12),
        ("round(1250, -2)", 1200.0),
        ("round(1234.5, -2)", 1200.0),
        ("pow(2, 10)", 1024.0),
        ("abs(-3) + abs(2.5)", 5.5),
        ("1 < ban.Count < 5", 1.0),
        ("1 < 5 < ban.Count", 0.0),
        ("ban.Count == 3 and 7 or 9", 7.0),
        ("not ban.Count or 4", 4.0),
        ("not ban.Count == 3", 0.0),
        ("10 if ban.Count > 5 else 20 if ban.Count > 2 else 30", 20.0),
        ("0 if True else 1 / 0", 0.0),
        ("0 and 1 / 0", 0.0),
        ("1_000 + 0x10 + .5 + 1e3 + 2.", 2018.5),
        ("math.floor(-2.5) + math.ceil(2.1) + math.trunc(-2.9)", -2.0),
        ("math.log(8, 2)", 3.0),
        ("math.sqrt(16) * math.pow(2, 3)", 32.0),
        ("math.hypot(3, 4)", 5.0),
        ("+ban.Time\n  + 1", 601.0),
        ("round((ban.Time,)[0])", f64::NAN),
    ];
    for (text, expected) in cases {
        if expected.is_nan() {
            assert!(text.parse::<Formula>().is_err(), "{text}");
        } else {
            let value = seconds(text, 600.0, 3, 2.0).unwrap_or_else(|| panic!("{text} has no value"));
            assert!((value - expected).abs() <= expected.abs() * 1e-14, "{text}: {value}, not {expected}");
        }
    }
}

#[test]
fn what_python_refuses_has_no_value() {
    let cases = [
        "1 / 0",
        "1 // 0",
        "1 % 0",
        "1.5 % 0",
        "1 << -1",
        "1 << 1.5",
        "1.5 & 1",
        "~1.5",
        "0 ** -1",
        "(-8) ** 0.5",
        "math.log(0)",
        "math.sqrt(-1)",
        "math.log(2, 1)",
        "int(math.inf)",
        "round(2.5, 1.0)",
        "math.inf - math.inf",
        "math.acos(2)",
    ];
    for text in cases {
        assert_eq!(seconds(text, 600.0, 3, 2.0), None, "{text}");
    }
    assert_eq!(seconds("math.exp(ban.Time)", 1000.0, 0, 1.0), Some(f64::INFINITY));
    assert_eq!(seconds("1 << 1 << 5000", 1000.0, 0, 1.0), Some(f64::INFINITY));
}

#[test]
fn errors_say_where_and_what_would_be_right() {
    let deep = "(".repeat(100);
    let long = "1+".repeat(400);
    let cases = [
        ("", "column 1: something is missing"),
        ("1 +", "column 4: something is missing"),
        ("(1", "column 3: `)` is expected here, not the end"),
        ("1 2", "column 3: `2` is not expected here"),
        ("ban.time", "column 1: `ban.time` is not known here: allowed are numbers, ban.Time"),
        ("1 + __import__('os')", "column 16: `'` cannot stand in a formula"),
        ("1 + __import__(1)", "column 5: `__import__` is not known here"),
        ("é", "column 1: `é` cannot stand"),
        ("min(1)", "column 1: `min` cannot take 1 arguments"),
        ("min 1", "column 5: `(` is expected here, not `1`"),
        ("math.exp()", "column 1: `math.exp` cannot take 0 arguments"),
        ("1 if 2", "column 7: `else` is expected here, not the end"),
        ("007", "column 1: `007` is no number"),
        ("1__0", "column 1: `1__0` is no number"),
        ("1.2.3", "column 1: `1.2.3` is no number"),
        (&deep, "nested deeper than 50"),
        (&long, "more than 500 parts"),
    ];
    for (text, expected) in cases {
        let error = text.parse::<Formula>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_factor_is_a_number() {
    let cases = [("1", 1.0), ("2.0 / 7.7", 2.0 / 7.7), ("24*60", 1440.0), ("-1", -1.0)];
    for (text, expected) in cases {
        assert_eq!(Formula::constant(text), Ok(expected), "{text}");
    }
    for text in ["ban.Time", "1 / 0", "math.inf", "x"] {
        assert!(Formula::constant(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_formula_causes_a_panic(
        parts in proptest::collection::vec(prop::sample::select(PARTS), 0..24),
        time in any::<f64>(),
        count in any::<u32>(),
        factor in any::<f64>(),
    ) {
        if let Ok(formula) = parts.join(" ").parse::<Formula>() {
            formula.seconds(time, count, factor);
        }
    }
}

/// What formulas are made of.
const PARTS: &[&str] = &[
    "(",
    ")",
    "-",
    "+",
    "*",
    "/",
    "//",
    "%",
    "**",
    "<<",
    ">>",
    "<",
    "==",
    "if",
    "else",
    "and",
    "or",
    "not",
    "~",
    "ban.Time",
    "ban.Count",
    "banFactor",
    "1",
    "0",
    "2.5",
    "1e308",
    "170141183460469231731687303715884105727",
    "min(1,",
    "round(",
    "int(",
    "math.exp(",
    "math.log(",
    ",",
    "é",
    "_",
];
