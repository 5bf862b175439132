//! How much wider an interval is of a spread that few clusters tell.

/// Degrees of freedom, and the 97.5 % quantile of Student's t with so many.
const QUANTILES: [(f64, f64); 11] = [
    (1.0, 12.706),
    (2.0, 4.303),
    (3.0, 3.182),
    (4.0, 2.776),
    (5.0, 2.571),
    (6.0, 2.447),
    (8.0, 2.306),
    (10.0, 2.228),
    (15.0, 2.131),
    (30.0, 2.042),
    (1e9, 1.960),
];

/// What u is multiplied with so that ±1.96 u covers 95 %: the quantile over that of the normal distribution.
///
/// Between the table's degrees of freedom it is linear in their reciprocal, within 1 %; below one it stays.
pub(super) fn widening(freedom: f64) -> f64 {
    let freedom = freedom.max(1.0);
    let mut before: Option<(f64, f64)> = None;
    for (known, quantile) in QUANTILES {
        if freedom <= known {
            let Some((low, high)) = before else {
                return quantile / 1.96;
            };
            let share = (1.0 / low - 1.0 / freedom) / (1.0 / low - 1.0 / known);
            return (high + share * (quantile - high)) / 1.96;
        }
        before = Some((known, quantile));
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::widening;

    #[test]
    fn it_is_the_quantile_of_few_degrees_and_1_of_many() {
        // t at 97.5 %: 2.365 of 7, 2.179 of 12, 2.086 of 20.
        for (freedom, quantile) in [(1.0, 12.706), (7.0, 2.365), (12.0, 2.179), (20.0, 2.086)] {
            let found = widening(freedom) * 1.96;
            assert!((found / quantile - 1.0).abs() < 0.01, "{freedom}: {found}");
        }
        assert!((widening(0.0) - widening(1.0)).abs() < 1e-12);
        assert!((widening(f64::NAN) - widening(1.0)).abs() < 1e-12);
        assert!((widening(1e12) - 1.0).abs() < 1e-9);
    }
}
