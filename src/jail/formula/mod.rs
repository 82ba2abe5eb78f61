//! Ban times by formula: fail2ban's `bantime.formula` and `bantime.factor`, which are expressions in Python.
//!
//! In comes the text, which is parsed once; then, for each ban, the plain ban time, the number of earlier bans and the
//! factor. Out goes the ban time in seconds as Python would reckon it. Nothing else of Python is understood, and nothing
//! is executed.

mod parser;
mod value;

use std::str::FromStr;
use std::sync::Arc;

pub use parser::Error;
use parser::{Call, Comparison, Expression, Operator, Variable};
use value::Number;

/// An expression for a ban time.
#[derive(Clone, Debug)]
pub struct Formula {
    text: Arc<str>,
    root: Arc<Expression>,
}

impl Formula {
    /// The ban time of somebody who was banned `earlier` times before, where a first ban lasts `time`, all in seconds. It
    /// may be infinite. `None` where Python finds no value, as for a division by zero.
    pub fn seconds(&self, time: f64, earlier: u32, factor: f64) -> Option<f64> {
        let ban = Values {
            time: Number::shortest(time),
            count: Number::Int(earlier.into()),
            factor: Number::shortest(factor),
        };
        self.root.evaluate(&ban).map(Number::as_float).filter(|seconds| !seconds.is_nan())
    }

    /// Reads a number, or an expression that comes to one without knowing of any ban: `bantime.factor`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn constant(text: &str) -> Result<f64, Error> {
        let formula: Self = text.parse()?;
        if formula.root.has_variables() {
            return Err(Error::at_start("it must be a number, and cannot depend on the ban"));
        }
        let value = formula.seconds(0.0, 0, 1.0).filter(|value| value.is_finite());
        value.ok_or_else(|| Error::at_start("it has no finite value"))
    }
}

impl FromStr for Formula {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self { text: text.into(), root: Arc::new(parser::parse(text)?) })
    }
}

impl std::fmt::Display for Formula {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Formula {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What the names in a formula stand for.
struct Values {
    time: Number,
    count: Number,
    factor: Number,
}

impl Expression {
    /// The value, or `None` where Python would raise an exception.
    fn evaluate(&self, ban: &Values) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Variable(Variable::Time) => Some(ban.time),
            Self::Variable(Variable::Count) => Some(ban.count),
            Self::Variable(Variable::Factor) => Some(ban.factor),
            Self::Not(operand) => Some(Number::from(!operand.evaluate(ban)?.is_true())),
            Self::Negative(operand) => Some(operand.evaluate(ban)?.negative()),
            Self::Inverted(operand) => operand.evaluate(ban)?.inverted(),
            Self::Binary(operator, left, right) => operator.apply(left.evaluate(ban)?, right.evaluate(ban)?),
            Self::And(left, right) => {
                let left = left.evaluate(ban)?;
                if left.is_true() { right.evaluate(ban) } else { Some(left) }
            }
            Self::Or(left, right) => {
                let left = left.evaluate(ban)?;
                if left.is_true() { Some(left) } else { right.evaluate(ban) }
            }
            Self::Compare(first, rest) => compare(first, rest, ban),
            Self::If { condition, then, otherwise } => {
                if condition.evaluate(ban)?.is_true() {
                    then.evaluate(ban)
                } else {
                    otherwise.evaluate(ban)
                }
            }
            Self::Call(call, arguments) => {
                let arguments: Option<Vec<Number>> =
                    arguments.iter().map(|argument| argument.evaluate(ban)).collect();
                call.apply(&arguments?)
            }
        }
    }

    /// Whether the value depends on the ban.
    fn has_variables(&self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Variable(_) => true,
            Self::Not(operand) | Self::Negative(operand) | Self::Inverted(operand) => operand.has_variables(),
            Self::Binary(_, left, right) | Self::And(left, right) | Self::Or(left, right) => {
                left.has_variables() || right.has_variables()
            }
            Self::Compare(first, rest) => {
                first.has_variables() || rest.iter().any(|(_, operand)| operand.has_variables())
            }
            Self::If { condition, then, otherwise } => {
                condition.has_variables() || then.has_variables() || otherwise.has_variables()
            }
            Self::Call(_, arguments) => arguments.iter().any(Self::has_variables),
        }
    }
}

/// `a < b < c`: every neighbours are compared, as far as the comparisons hold.
fn compare(first: &Expression, rest: &[(Comparison, Expression)], ban: &Values) -> Option<Number> {
    let mut left = first.evaluate(ban)?;
    for (comparison, right) in rest {
        let right = right.evaluate(ban)?;
        if !comparison.holds(left, right) {
            return Some(Number::from(false));
        }
        left = right;
    }
    Some(Number::from(true))
}

impl Comparison {
    fn holds(self, left: Number, right: Number) -> bool {
        let order = left.compare(right);
        match self {
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
            Self::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Self::NotEqual => !order.is_some_and(std::cmp::Ordering::is_eq),
        }
    }
}

impl Operator {
    fn apply(self, left: Number, right: Number) -> Option<Number> {
        match self {
            Self::Add => left.add(right),
            Self::Subtract => left.subtract(right),
            Self::Multiply => left.multiply(right),
            Self::Divide => left.divide(right),
            Self::FloorDivide => left.floor_divide(right),
            Self::Modulo => left.modulo(right),
            Self::Power => left.power(right),
            Self::ShiftLeft => left.shift_left(right),
            Self::ShiftRight => left.shift_right(right),
            Self::BitAnd => left.bits(right, |left, right| left & right),
            Self::BitOr => left.bits(right, |left, right| left | right),
            Self::BitXor => left.bits(right, |left, right| left ^ right),
        }
    }
}

impl Call {
    fn apply(self, arguments: &[Number]) -> Option<Number> {
        match (self, arguments) {
            (Self::Min, arguments) => first_by(arguments, std::cmp::Ordering::is_lt),
            (Self::Max, arguments) => first_by(arguments, std::cmp::Ordering::is_gt),
            (Self::Abs, [number]) => Some(number.absolute()),
            (Self::Int, [number]) => number.whole(f64::trunc),
            (Self::Float, [number]) => Some(Number::Float(number.as_float())),
            (Self::Round, [number]) => number.whole(f64::round_ties_even),
            (Self::Round, [number, digits]) => number.round_to(*digits),
            (Self::Power, [base, exponent]) => base.power(*exponent),
            (Self::Whole(round), [number]) => number.whole(round),
            (Self::Of1(function), [number]) => real(function(number.as_float())),
            (Self::Of2(function), [first, second]) => real(function(first.as_float(), second.as_float())),
            (Self::Log, [number]) => real(number.as_float().ln()),
            (Self::Log, [number, base]) => real(number.as_float().ln())?.divide(real(base.as_float().ln())?),
            _ => None,
        }
    }
}

/// The first of the numbers that no other one is further than, as Python's `min` and `max` choose.
fn first_by(numbers: &[Number], further: fn(std::cmp::Ordering) -> bool) -> Option<Number> {
    let mut numbers = numbers.iter().copied();
    let first = numbers.next()?;
    Some(numbers.fold(
        first,
        |best, number| {
            if number.compare(best).is_some_and(further) { number } else { best }
        },
    ))
}

/// What a function of `math` returns. What it is not defined for gives no number, and what is too large is infinite.
fn real(value: f64) -> Option<Number> {
    (!value.is_nan() && value != f64::NEG_INFINITY).then_some(Number::Float(value))
}

#[cfg(test)]
mod tests;
