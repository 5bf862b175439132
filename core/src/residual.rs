//! Recomputing carbon: what a row's carbon differs from energy × factor.

use crate::error::QuantityError;

/// The factor that stands for "undefined" in a column.
const UNDEFINED: i64 = -1;

/// Return `carbon_ug`·1000 − `energy_mwh`·`factor` in ng for one row; the undefined factor −1 counts as 0.
///
/// An increment of a floored register lies within ±999 ng of the exact carbon.
///
/// # Errors
/// When the factor is neither −1 nor within u32.
pub fn carbon_residual_ng(
    energy_mwh: i64,
    factor: i64,
    carbon_ug: i64,
) -> Result<i128, QuantityError> {
    let mg_per_kwh = if factor == UNDEFINED {
        0
    } else {
        u32::try_from(factor).map_err(|_| QuantityError::OutOfRange {
            what: "carbon factor",
            text: factor.to_string(),
            expected: "-1 (undefined) or 0 to 4294967295 mg/kWh",
        })?
    };
    Ok(i128::from(carbon_ug) * 1000 - i128::from(energy_mwh) * i128::from(mg_per_kwh))
}
