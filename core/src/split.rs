//! The share of a register difference that falls before a boundary.

/// Return floor(`difference` · `part` / `whole`), for `difference` ≥ 0 and 0 ≤ `part` ≤ `whole`.
///
/// Shares are cumulative: the energy between two boundaries is the difference of their shares, so that the
/// parts of a step add up to its difference exactly, wherever and however often it is cut.
#[inline]
#[must_use]
pub fn share_before(difference: i64, part: i64, whole: i64) -> i64 {
    if let Some(product) = difference.checked_mul(part) {
        return product.checked_div(whole).unwrap_or(difference);
    }
    (i128::from(difference) * i128::from(part))
        .checked_div(i128::from(whole))
        .and_then(|share| i64::try_from(share).ok())
        .unwrap_or(difference)
}
