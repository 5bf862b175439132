//! Decimal text to and from scaled integers, exactly.

use crate::error::QuantityError;

/// More text than this is no number anybody meant.
const MAX_TEXT: usize = 400;

/// A decimal number: ±`digits` · 10^`exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// Whether it has a minus sign (a zero may have one).
    pub negative: bool,
    /// The decimal digits without sign, point and leading zeros; empty for zero.
    pub digits: String,
    /// The power of ten of the last digit.
    pub exponent: i32,
}

fn not_decimal(text: &str) -> QuantityError {
    QuantityError::NotDecimal {
        text: text.chars().take(40).collect(),
    }
}

impl Decimal {
    /// Parse `[+-]digits[.digits][e[+-]digits]`.
    ///
    /// # Errors
    /// [`QuantityError::NotDecimal`] for anything else, NaN, infinities and exponents beyond ±9999.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let fail = || not_decimal(text);
        if text.len() > MAX_TEXT {
            return Err(fail());
        }
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || digits.len() > 4 || !all_digits(digits) {
                    return Err(fail());
                }
                (mantissa, exponent.parse::<i32>().map_err(|_| fail())?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return Err(fail());
        }
        let decimals = i32::try_from(fraction.len()).map_err(|_| fail())?;
        let digits = format!("{whole}{fraction}");
        Ok(Self {
            negative,
            digits: digits.trim_start_matches('0').to_owned(),
            exponent: exponent - decimals,
        })
    }

    /// Number of decimal places as written (0 for a positive exponent).
    #[must_use]
    pub fn places(&self) -> u32 {
        self.exponent.min(0).unsigned_abs()
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Return the decimal `text` as an integer of 10^-`scale`, exactly.
///
/// # Errors
/// [`QuantityError`] when it is no decimal, finer than the scale, or beyond i128.
pub fn parse_scaled(
    text: &str,
    scale: i32,
    what: &'static str,
    unit: &'static str,
) -> Result<i128, QuantityError> {
    let decimal = Decimal::parse(text)?;
    let significant = decimal.digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let out_of_range = || QuantityError::OutOfRange {
        what,
        text: text.chars().take(60).collect(),
        expected: "a value its integer can hold",
    };
    let dropped =
        i32::try_from(decimal.digits.len() - significant.len()).map_err(|_| out_of_range())?;
    let power = decimal.exponent + dropped + scale;
    let Ok(power) = u32::try_from(power) else {
        return Err(QuantityError::TooFine {
            text: text.chars().take(60).collect(),
            unit,
        });
    };
    let sign = if decimal.negative { "-" } else { "" };
    format!("{sign}{significant}")
        .parse::<i128>()
        .ok()
        .and_then(|digits| digits.checked_mul(10_i128.checked_pow(power)?))
        .ok_or_else(out_of_range)
}

/// Write `value` · 10^-`scale` with exactly `scale` decimals.
#[must_use]
pub fn format_scaled(value: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}
