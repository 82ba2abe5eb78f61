//! From the text of a formula to its expression, with bounds on its length and depth.

use super::value::Number;

/// Longer formulas are none. It bounds the depth of the expression as well, and so the stack that reckoning takes.
const MOST_PARTS: usize = 500;

/// Parentheses and the like stand inside each other no deeper than this.
const DEEPEST: usize = 50;

/// What may stand in a formula, for messages.
const ALLOWED: &str = "allowed are numbers, ban.Time, ban.Count, banFactor, the operators of Python, \
     `x if condition else y`, min, max, abs, int, float, round, pow, and functions and constants of math";

/// An expression.
#[derive(Debug)]
pub(super) enum Expression {
    Number(Number),
    Variable(Variable),
    Not(Box<Self>),
    Negative(Box<Self>),
    Inverted(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    /// The first operand, then each further one with how it is compared with the one before.
    Compare(Box<Self>, Vec<(Comparison, Self)>),
    If {
        condition: Box<Self>,
        then: Box<Self>,
        otherwise: Box<Self>,
    },
    Call(Call, Vec<Self>),
}

/// What is known of a ban.
#[derive(Clone, Copy, Debug)]
pub(super) enum Variable {
    Time,
    Count,
    Factor,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    ShiftLeft,
    ShiftRight,
    BitAnd,
    BitOr,
    BitXor,
}

/// How two operands are compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// A function.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Min,
    Max,
    Abs,
    Int,
    Float,
    Round,
    Power,
    Log,
    /// Makes a whole number of any.
    Whole(fn(f64) -> f64),
    Of1(fn(f64) -> f64),
    Of2(fn(f64, f64) -> f64),
}

/// Names of functions, with the least and the largest number of their arguments.
const CALLS: &[(&str, usize, usize, Call)] = &[
    ("min", 2, usize::MAX, Call::Min),
    ("max", 2, usize::MAX, Call::Max),
    ("abs", 1, 1, Call::Abs),
    ("int", 1, 1, Call::Int),
    ("float", 1, 1, Call::Float),
    ("round", 1, 2, Call::Round),
    ("pow", 2, 2, Call::Power),
    ("math.log", 1, 2, Call::Log),
    ("math.floor", 1, 1, Call::Whole(f64::floor)),
    ("math.ceil", 1, 1, Call::Whole(f64::ceil)),
    ("math.trunc", 1, 1, Call::Whole(f64::trunc)),
    ("math.exp", 1, 1, Call::Of1(f64::exp)),
    ("math.expm1", 1, 1, Call::Of1(f64::exp_m1)),
    ("math.log1p", 1, 1, Call::Of1(f64::ln_1p)),
    ("math.log2", 1, 1, Call::Of1(f64::log2)),
    ("math.log10", 1, 1, Call::Of1(f64::log10)),
    ("math.sqrt", 1, 1, Call::Of1(f64::sqrt)),
    ("math.fabs", 1, 1, Call::Of1(f64::abs)),
    ("math.sin", 1, 1, Call::Of1(f64::sin)),
    ("math.cos", 1, 1, Call::Of1(f64::cos)),
    ("math.tan", 1, 1, Call::Of1(f64::tan)),
    ("math.asin", 1, 1, Call::Of1(f64::asin)),
    ("math.acos", 1, 1, Call::Of1(f64::acos)),
    ("math.atan", 1, 1, Call::Of1(f64::atan)),
    ("math.sinh", 1, 1, Call::Of1(f64::sinh)),
    ("math.cosh", 1, 1, Call::Of1(f64::cosh)),
    ("math.tanh", 1, 1, Call::Of1(f64::tanh)),
    ("math.degrees", 1, 1, Call::Of1(f64::to_degrees)),
    ("math.radians", 1, 1, Call::Of1(f64::to_radians)),
    ("math.pow", 2, 2, Call::Of2(f64::powf)),
    ("math.fmod", 2, 2, Call::Of2(|left, right| left % right)),
    ("math.hypot", 2, 2, Call::Of2(f64::hypot)),
    ("math.atan2", 2, 2, Call::Of2(f64::atan2)),
    ("math.copysign", 2, 2, Call::Of2(f64::copysign)),
];

/// Names of values.
const CONSTANTS: &[(&str, Number)] = &[
    ("True", Number::Int(1)),
    ("False", Number::Int(0)),
    ("math.pi", Number::Float(std::f64::consts::PI)),
    ("math.e", Number::Float(std::f64::consts::E)),
    ("math.tau", Number::Float(std::f64::consts::TAU)),
    ("math.inf", Number::Float(f64::INFINITY)),
];

/// Operators between two operands with how strongly they bind; `**` is apart, since it binds to the right.
const OPERATORS: &[(&str, u8, Operator)] = &[
    ("|", 1, Operator::BitOr),
    ("^", 2, Operator::BitXor),
    ("&", 3, Operator::BitAnd),
    ("<<", 4, Operator::ShiftLeft),
    (">>", 4, Operator::ShiftRight),
    ("+", 5, Operator::Add),
    ("-", 5, Operator::Subtract),
    ("*", 6, Operator::Multiply),
    ("/", 6, Operator::Divide),
    ("//", 6, Operator::FloorDivide),
    ("%", 6, Operator::Modulo),
];

const COMPARISONS: &[(&str, Comparison)] = &[
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
];

/// Everything that is written in signs, the longer ones first.
const SIGNS: &[&str] = &[
    "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "%", "|", "^", "&", "~",
    "(", ")", ",",
];

/// What is wrong with a formula.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {reason}")]
pub struct Error {
    /// Where, in characters from 1.
    pub column: usize,
    /// What, and what would be right.
    pub reason: String,
}

impl Error {
    /// An error of the formula as a whole.
    pub(super) fn at_start(reason: &str) -> Self {
        Self { column: 1, reason: reason.to_owned() }
    }
}

/// Reads a formula.
pub(super) fn parse(text: &str) -> Result<Expression, Error> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0 };
    let root = parser.expression()?;
    match parser.peek() {
        None => Ok(root),
        Some(token) => parser.error(&format!("`{token}` is not expected here")),
    }
}

/// The words and signs of a formula with the byte each begins at.
fn tokens(text: &str) -> Result<Vec<(usize, &str)>, Error> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_ascii_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let length = token_length(rest);
        let Some(length) = length else {
            let reason = format!("`{first}` cannot stand in a formula: {ALLOWED}");
            return Err(Error { column: column(text, at), reason });
        };
        if tokens.len() == MOST_PARTS {
            let reason = format!("the formula has more than {MOST_PARTS} parts: write a shorter one");
            return Err(Error { column: column(text, at), reason });
        }
        tokens.push((at, &rest[..length]));
        at += length;
    }
    Ok(tokens)
}

fn token_length(rest: &str) -> Option<usize> {
    let is_number = rest.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    if is_number {
        return Some(number_length(rest));
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    if word > 0 {
        return Some(word);
    }
    SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len())
}

/// Digits and letters, and the sign of an exponent.
fn number_length(rest: &str) -> usize {
    let mut before = ' ';
    let is_decimal = !rest.starts_with("0x") && !rest.starts_with("0X");
    let end = rest.find(|c: char| {
        let is_part = c.is_ascii_alphanumeric()
            || c == '_'
            || c == '.'
            || (is_decimal && matches!(c, '+' | '-') && matches!(before, 'e' | 'E'));
        before = c;
        !is_part
    });
    end.unwrap_or(rest.len())
}

fn column(text: &str, at: usize) -> usize {
    text[..at].chars().count() + 1
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, &'a str)>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    /// Takes the next token if it is this one.
    fn take(&mut self, wanted: &str) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Error> {
        if self.take(wanted) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end".to_owned(), |token| format!("`{token}`"));
        self.error(&format!("`{wanted}` is expected here, not {found}"))
    }

    /// Something is wrong with the next token.
    fn error<T>(&self, reason: &str) -> Result<T, Error> {
        let at = self.tokens.get(self.next).map_or(self.text.len(), |(at, _)| *at);
        Err(Error { column: column(self.text, at), reason: reason.to_owned() })
    }

    /// One level further in.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEEPEST {
            return self.error(&format!("the formula is nested deeper than {DEEPEST}: write a simpler one"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Result<Expression, Error> {
        self.deeper(|parser| {
            let then = parser.disjunction()?;
            if !parser.take("if") {
                return Ok(then);
            }
            let condition = parser.disjunction()?;
            parser.expect("else")?;
            let otherwise = parser.expression()?;
            Ok(Expression::If { condition: condition.into(), then: then.into(), otherwise: otherwise.into() })
        })
    }

    fn disjunction(&mut self) -> Result<Expression, Error> {
        let mut left = self.conjunction()?;
        while self.take("or") {
            left = Expression::Or(left.into(), self.conjunction()?.into());
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expression, Error> {
        let mut left = self.negation()?;
        while self.take("and") {
            left = Expression::And(left.into(), self.negation()?.into());
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, Error> {
        if self.take("not") {
            return Ok(Expression::Not(self.deeper(Self::negation)?.into()));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression, Error> {
        let first = self.operation(1)?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.peek().and_then(|token| find(COMPARISONS, token)) {
            self.next += 1;
            rest.push((comparison, self.operation(1)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Compare(first.into(), rest) })
    }

    /// Operators that bind at least as strongly as `least`.
    fn operation(&mut self, least: u8) -> Result<Expression, Error> {
        let mut left = self.unary()?;
        loop {
            let operator = OPERATORS.iter().find(|(sign, _, _)| self.peek() == Some(sign));
            let Some((_, strength, operator)) = operator.filter(|(_, strength, _)| *strength >= least) else {
                return Ok(left);
            };
            self.next += 1;
            left = Expression::Binary(*operator, left.into(), self.operation(strength + 1)?.into());
        }
    }

    fn unary(&mut self) -> Result<Expression, Error> {
        if self.take("-") {
            return Ok(Expression::Negative(self.deeper(Self::unary)?.into()));
        }
        if self.take("~") {
            return Ok(Expression::Inverted(self.deeper(Self::unary)?.into()));
        }
        if self.take("+") {
            return self.deeper(Self::unary);
        }
        let base = self.operand()?;
        if self.take("**") {
            let exponent = self.deeper(Self::unary)?;
            return Ok(Expression::Binary(Operator::Power, base.into(), exponent.into()));
        }
        Ok(base)
    }

    fn operand(&mut self) -> Result<Expression, Error> {
        if self.take("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let Some(token) = self.peek() else {
            return self.error("something is missing here");
        };
        let operand = match token {
            "ban.Time" => Expression::Variable(Variable::Time),
            "ban.Count" => Expression::Variable(Variable::Count),
            "banFactor" => Expression::Variable(Variable::Factor),
            _ if token.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit()) => {
                match number(token) {
                    Some(number) => Expression::Number(number),
                    None => return self.error(&format!("`{token}` is no number")),
                }
            }
            _ => match find(CONSTANTS, token) {
                Some(number) => Expression::Number(number),
                None => return self.call(token),
            },
        };
        self.next += 1;
        Ok(operand)
    }

    fn call(&mut self, name: &str) -> Result<Expression, Error> {
        let Some((_, least, most, call)) = CALLS.iter().find(|(known, ..)| *known == name) else {
            return self.error(&format!("`{name}` is not known here: {ALLOWED}"));
        };
        let begin = self.next;
        self.next += 1;
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.take(")") {
            arguments.push(self.expression()?);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        if !(*least..=*most).contains(&arguments.len()) {
            self.next = begin;
            return self.error(&format!("`{name}` cannot take {} arguments", arguments.len()));
        }
        Ok(Expression::Call(*call, arguments))
    }
}

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// A number as Python writes it.
fn number(token: &str) -> Option<Number> {
    let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    let misplaced = token
        .match_indices('_')
        .any(|(at, _)| is_apart(token[..at].chars().next_back()) || is_apart(token[at + 1..].chars().next()));
    if misplaced {
        return None;
    }
    let digits = token.replace('_', "");
    if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return i128::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal).map(Number::Int);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Python takes 007 for a slip.
        let is_padded = digits.starts_with('0') && digits.bytes().any(|digit| digit != b'0');
        let whole = digits.parse().map(Number::Int);
        return if is_padded { None } else { whole.ok().or_else(|| digits.parse().ok().map(Number::Float)) };
    }
    // Digits first or behind a point: Rust's `inf` and `nan` are words.
    let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    digits.parse().ok().filter(|_| is_decimal).map(Number::Float)
}
