//! Numbers as Python reckons with them: whole numbers stay whole until something makes them decimal. Whole numbers of
//! more than 127 bits go on as decimal ones. An operation that Python refuses gives none.

use std::cmp::Ordering;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// Python's `int`, and `bool` as 0 and 1.
    Int(i128),
    /// Python's `float`.
    Float(f64),
}

/// Beyond this a decimal number is no `i128`.
const LARGEST_INT: f64 = 1.7e38;

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl Number {
    /// A whole number if it is one, as people would have written it.
    pub(super) fn shortest(value: f64) -> Self {
        if value.fract() == 0.0 { Self::from_whole(value) } else { Self::Float(value) }
    }

    /// A decimal number without a fraction as a whole one.
    #[expect(clippy::cast_possible_truncation, reason = "the size was compared")]
    fn from_whole(value: f64) -> Self {
        if value.abs() < LARGEST_INT { Self::Int(value as i128) } else { Self::Float(value) }
    }

    /// The number as a decimal one.
    #[expect(clippy::cast_precision_loss, reason = "Python loses it as well")]
    pub(super) fn as_float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// What a condition takes the number for.
    pub(super) fn is_true(self) -> bool {
        match self {
            Self::Int(value) => value != 0,
            Self::Float(value) => value != 0.0,
        }
    }

    /// How the number stands to another; none if one of them is not a number.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
            _ => self.as_float().partial_cmp(&other.as_float()),
        }
    }

    /// `-x`
    pub(super) fn negative(self) -> Self {
        match self {
            Self::Int(value) => value.checked_neg().map_or(Self::Float(-self.as_float()), Self::Int),
            Self::Float(value) => Self::Float(-value),
        }
    }

    /// `~x`
    pub(super) fn inverted(self) -> Option<Self> {
        match self {
            Self::Int(value) => Some(Self::Int(!value)),
            Self::Float(_) => None,
        }
    }

    /// `abs(x)`
    pub(super) fn absolute(self) -> Self {
        match self {
            Self::Int(value) if value < 0 => self.negative(),
            Self::Int(_) => self,
            Self::Float(value) => Self::Float(value.abs()),
        }
    }

    /// Both as whole numbers if they are and the result fits, otherwise both as decimal ones.
    fn either(
        self,
        other: Self,
        whole: fn(i128, i128) -> Option<i128>,
        decimal: fn(f64, f64) -> f64,
    ) -> Option<Self> {
        if let (Self::Int(left), Self::Int(right)) = (self, other)
            && let Some(value) = whole(left, right)
        {
            return Some(Self::Int(value));
        }
        Some(Self::Float(decimal(self.as_float(), other.as_float())))
    }

    /// `x + y`
    pub(super) fn add(self, other: Self) -> Option<Self> {
        self.either(other, i128::checked_add, |left, right| left + right)
    }

    /// `x - y`
    pub(super) fn subtract(self, other: Self) -> Option<Self> {
        self.either(other, i128::checked_sub, |left, right| left - right)
    }

    /// `x * y`
    pub(super) fn multiply(self, other: Self) -> Option<Self> {
        self.either(other, i128::checked_mul, |left, right| left * right)
    }

    /// `x / y`, which is decimal always.
    pub(super) fn divide(self, other: Self) -> Option<Self> {
        other.is_true().then(|| Self::Float(self.as_float() / other.as_float()))
    }

    /// `x // y`, rounded down.
    pub(super) fn floor_divide(self, other: Self) -> Option<Self> {
        if !other.is_true() {
            return None;
        }
        self.either(other, floor_divide, |left, right| floor_divide_decimal(left, right).0)
    }

    /// `x % y`, with the sign of `y`.
    pub(super) fn modulo(self, other: Self) -> Option<Self> {
        if !other.is_true() {
            return None;
        }
        self.either(other, modulo, |left, right| floor_divide_decimal(left, right).1)
    }

    /// `x ** y`
    pub(super) fn power(self, other: Self) -> Option<Self> {
        if let (Self::Int(base), Self::Int(exponent)) = (self, other)
            && exponent >= 0
            && let Some(value) = power(base, exponent)
        {
            return Some(Self::Int(value));
        }
        let (base, exponent) = (self.as_float(), other.as_float());
        let undefined = (base == 0.0 && exponent < 0.0)
            || (base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.fract() != 0.0);
        (!undefined).then(|| Self::Float(base.powf(exponent)))
    }

    /// `x << y`
    pub(super) fn shift_left(self, other: Self) -> Option<Self> {
        let (Self::Int(value), Self::Int(bits @ 0..)) = (self, other) else {
            return None;
        };
        let shifted = u32::try_from(bits).ok().filter(|bits| *bits < 127);
        if let Some(shifted) = shifted.and_then(|bits| value.checked_mul(1 << bits)) {
            return Some(Self::Int(shifted));
        }
        let factor = 2f64.powf(Self::Int(bits).as_float());
        Some(if value == 0 { self } else { Self::Float(self.as_float() * factor) })
    }

    /// `x >> y`
    pub(super) fn shift_right(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Int(value), Self::Int(bits @ 0..)) => Some(Self::Int(value >> bits.min(127))),
            _ => None,
        }
    }

    /// `x & y` and the like.
    pub(super) fn bits(self, other: Self, operator: fn(i128, i128) -> i128) -> Option<Self> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(Self::Int(operator(left, right))),
            _ => None,
        }
    }

    /// A whole number by `round`: `int(x)`, `round(x)`, `math.floor(x)`.
    pub(super) fn whole(self, round: fn(f64) -> f64) -> Option<Self> {
        match self {
            Self::Int(_) => Some(self),
            Self::Float(value) => value.is_finite().then(|| Self::from_whole(round(value))),
        }
    }

    /// `round(x, digits)`
    pub(super) fn round_to(self, digits: Self) -> Option<Self> {
        /// No decimal number has more digits behind the point, or before it.
        const MOST_DIGITS: i128 = 330;
        let Self::Int(digits) = digits else { return None };
        let digits = digits.clamp(-MOST_DIGITS, MOST_DIGITS);
        match self {
            Self::Int(value) => Some(if digits >= 0 { self } else { Self::Int(round_int(value, -digits)) }),
            Self::Float(value) if !value.is_finite() => Some(self),
            Self::Float(value) => Some(Self::Float(round_decimal(value, digits))),
        }
    }
}

fn floor_divide(left: i128, right: i128) -> Option<i128> {
    let quotient = left.checked_div(right)?;
    let is_above = left % right != 0 && (left < 0) != (right < 0);
    Some(quotient - i128::from(is_above))
}

fn modulo(left: i128, right: i128) -> Option<i128> {
    let rest = left.checked_rem(right)?;
    Some(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })
}

/// Quotient and rest of decimal numbers, the quotient rounded down and the rest with the sign of `right`.
fn floor_divide_decimal(left: f64, right: f64) -> (f64, f64) {
    let mut rest = left % right;
    let mut quotient = (left - rest) / right;
    if rest == 0.0 {
        rest = 0f64.copysign(right);
    } else if (right < 0.0) != (rest < 0.0) {
        rest += right;
        quotient -= 1.0;
    }
    let floor = quotient.floor();
    // The subtraction may have left the quotient just below a whole number.
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

fn power(base: i128, exponent: i128) -> Option<i128> {
    // Only whether the exponent is even matters for these.
    let exponent = if base.abs() <= 1 && exponent > 1 { 2 + exponent % 2 } else { exponent };
    base.checked_pow(u32::try_from(exponent).ok()?)
}

/// `value` rounded to a multiple of ten to the power of `digits`, halves to the even one.
fn round_int(value: i128, digits: i128) -> i128 {
    let unit = u32::try_from(digits).ok().and_then(|digits| 10i128.checked_pow(digits));
    let Some(unit) = unit else { return 0 };
    let rest = value.rem_euclid(unit);
    let below = value - rest;
    let is_up = match rest.cmp(&(unit - rest)) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => (below / unit) % 2 != 0,
    };
    if is_up { below.saturating_add(unit) } else { below }
}

fn round_decimal(value: f64, digits: i128) -> f64 {
    match usize::try_from(digits) {
        // Exact digits, halves to the even one.
        Ok(digits) => format!("{value:.digits$}").parse().unwrap_or(value),
        Err(_) => {
            let unit = 10f64.powf(-Number::Int(digits).as_float());
            if unit.is_finite() { (value / unit).round_ties_even() * unit } else { 0.0 }
        }
    }
}
