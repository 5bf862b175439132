//! The relative error ε = (C − C₀)/C₀ as an exact rational.

use crate::error::QuantityError;

/// A rational number in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// The numerator.
    pub numerator: i128,
    /// The denominator, more than 0.
    pub denominator: u128,
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a.checked_rem(b).unwrap_or(0));
    }
    a
}

/// Return (`indicated` − `true_value`)/`true_value` (T/CIMA 0079.4 draft, 5.6.2), exactly.
///
/// The sign is that of the error: positive when the meter registers too much (for positive true values).
///
/// # Errors
/// When the true value is 0, or the difference leaves 128 bits.
pub fn relative_error(indicated: i128, true_value: i128) -> Result<Ratio, QuantityError> {
    if true_value == 0 {
        return Err(QuantityError::ZeroTrueValue);
    }
    let out_of_range = || QuantityError::OutOfRange {
        what: "difference",
        text: format!("{indicated} - {true_value}"),
        expected: "128 bits",
    };
    let difference = indicated.checked_sub(true_value).ok_or_else(out_of_range)?;
    let divisor = greatest_common_divisor(difference.unsigned_abs(), true_value.unsigned_abs());
    let reduce = |value: u128| value.checked_div(divisor).unwrap_or(value);
    let magnitude =
        i128::try_from(reduce(difference.unsigned_abs())).map_err(|_| out_of_range())?;
    let negative = (difference < 0) != (true_value < 0);
    Ok(Ratio {
        numerator: if negative { -magnitude } else { magnitude },
        denominator: reduce(true_value.unsigned_abs()),
    })
}
