//! Rounding to an interval (GB/T 8170-2008): once, half to even on an exact tie only, negatives by absolute value.

use num_bigint::{BigInt, BigUint, Sign};

use crate::decimal::Decimal;
use crate::error::QuantityError;

/// A rational number of any size; `negative` also carries the sign of a zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rational {
    negative: bool,
    numerator: BigUint,
    denominator: BigUint,
}

/// A positive rounding unit (the interval between roundable values), such as 0.02 or 20.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundingUnit {
    digits: BigUint,
    exponent: i32,
    places: u32,
}

/// Exponents beyond this have no use in metering and would only cost memory.
const MAX_EXPONENT: u32 = 400;

fn not_a_number(text: &str) -> QuantityError {
    QuantityError::NotDecimal {
        text: text.chars().take(40).collect(),
    }
}

fn power_of_ten(exponent: u32) -> BigUint {
    BigUint::from(10_u8).pow(exponent)
}

fn parse(text: &str) -> Result<(Decimal, BigUint), QuantityError> {
    let decimal = Decimal::parse(text)?;
    if decimal.exponent.unsigned_abs() > MAX_EXPONENT {
        return Err(QuantityError::OutOfRange {
            what: "decimal",
            text: text.chars().take(40).collect(),
            expected: "exponents within 400",
        });
    }
    let digits = if decimal.digits.is_empty() {
        BigUint::ZERO
    } else {
        BigUint::parse_bytes(decimal.digits.as_bytes(), 10).ok_or_else(|| not_a_number(text))?
    };
    Ok((decimal, digits))
}

impl Rational {
    /// `numerator`/`denominator`.
    ///
    /// # Errors
    /// When the denominator is 0.
    pub fn new(numerator: BigInt, denominator: BigInt) -> Result<Self, QuantityError> {
        let (bottom_sign, bottom) = denominator.into_parts();
        let (top_sign, top) = numerator.into_parts();
        if bottom_sign == Sign::NoSign {
            return Err(not_a_number("a fraction with denominator 0"));
        }
        Ok(Self {
            negative: top_sign != Sign::NoSign
                && (top_sign == Sign::Minus) != (bottom_sign == Sign::Minus),
            numerator: top,
            denominator: bottom,
        })
    }

    /// The number that a decimal text writes; "-0.0" keeps its sign.
    ///
    /// # Errors
    /// When it is no decimal number.
    pub fn from_decimal(text: &str) -> Result<Self, QuantityError> {
        let (decimal, digits) = parse(text)?;
        let power = power_of_ten(decimal.exponent.unsigned_abs());
        let (numerator, denominator) = if decimal.exponent >= 0 {
            (digits * power, BigUint::from(1_u8))
        } else {
            (digits, power)
        };
        Ok(Self {
            negative: decimal.negative,
            numerator,
            denominator,
        })
    }
}

impl RoundingUnit {
    /// Parse a positive decimal.
    ///
    /// # Errors
    /// When it is no decimal number, or not positive.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let (decimal, digits) = parse(text)?;
        if decimal.negative || digits == BigUint::ZERO {
            return Err(QuantityError::Unit {
                text: text.chars().take(40).collect(),
            });
        }
        Ok(Self {
            digits,
            exponent: decimal.exponent,
            places: decimal.places(),
        })
    }
}

/// Round `value` once to a multiple of `unit`; return a decimal text with the unit's number of decimals, in which a
/// zero has the sign of the value.
#[must_use]
pub fn round_to_interval(value: &Rational, unit: &RoundingUnit) -> String {
    let power = power_of_ten(unit.exponent.unsigned_abs());
    let (top, bottom) = if unit.exponent >= 0 {
        (
            value.numerator.clone(),
            &value.denominator * &unit.digits * &power,
        )
    } else {
        (&value.numerator * &power, &value.denominator * &unit.digits)
    };
    let quotient = &top / &bottom;
    let twice_rest = (&top - &quotient * &bottom) * 2_u8;
    let odd = quotient.bit(0);
    let up = twice_rest > bottom || (twice_rest == bottom && odd);
    let count = if up { quotient + 1_u8 } else { quotient };
    let mut digits = (count * &unit.digits).to_string();
    if let Ok(zeros) = usize::try_from(unit.exponent)
        && digits != "0"
    {
        digits.push_str(&"0".repeat(zeros));
    }
    let places = unit.places as usize;
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let sign = if value.negative { "-" } else { "" };
    let point = if places == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}
