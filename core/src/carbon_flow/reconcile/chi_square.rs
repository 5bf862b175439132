//! The chi-square distribution, as far as a test needs it.

/// The probability that χ² with `degrees` of freedom is at least `value`: the regularised upper incomplete gamma function
/// Q(degrees/2, value/2), by its series or its continued fraction (Abramowitz and Stegun 6.5.29, 6.5.31).
pub(super) fn probability_above(value: f64, degrees: f64) -> f64 {
    if degrees <= 0.0 || value <= 0.0 {
        return 1.0;
    }
    let (shape, at) = (degrees / 2.0, value / 2.0);
    let front = (shape * at.ln() - at - log_gamma(shape)).exp();
    if at < shape + 1.0 {
        (1.0 - front * series(shape, at)).clamp(0.0, 1.0)
    } else {
        (front * fraction(shape, at)).clamp(0.0, 1.0)
    }
}

/// Terms after which either has long converged: both need about the root of the shape.
const TERMS: u32 = 100_000;

fn series(shape: f64, at: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    for step in 1..TERMS {
        term *= at / (shape + f64::from(step));
        sum += term;
        if term < sum * 1e-16 {
            break;
        }
    }
    sum
}

/// By Lentz's method.
fn fraction(shape: f64, at: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut bottom = at + 1.0 - shape;
    let mut above = 1.0 / TINY;
    let mut below = 1.0 / bottom;
    let mut value = below;
    for step in 1..TERMS {
        let step = f64::from(step);
        let factor = -step * (step - shape);
        bottom += 2.0;
        below = 1.0 / nonzero(factor * below + bottom, TINY);
        above = nonzero(bottom + factor / above, TINY);
        let change = below * above;
        value *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

fn nonzero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// ln Γ by Stirling's series, after the argument was raised to 10.
fn log_gamma(shape: f64) -> f64 {
    let mut raised = shape;
    let mut product = 1.0;
    while raised < 10.0 {
        product *= raised;
        raised += 1.0;
    }
    let inverse = 1.0 / (raised * raised);
    let correction = (1.0 / 12.0
        - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0)))
        / raised;
    (raised - 0.5) * raised.ln() - raised + 0.5 * (2.0 * std::f64::consts::PI).ln() + correction
        - product.ln()
}

#[cfg(test)]
mod tests {
    use super::probability_above;

    /// Critical values of the tables, e.g. Abramowitz and Stegun 26.8.
    #[test]
    fn agrees_with_tables() {
        let table = [
            (3.841_459, 1.0, 0.05),
            (6.634_897, 1.0, 0.01),
            (5.991_465, 2.0, 0.05),
            (18.307_04, 10.0, 0.05),
            (2.558_212, 10.0, 0.99),
            (124.3421, 100.0, 0.05),
            (1.386_294, 2.0, 0.5),
        ];
        for (value, degrees, probability) in table {
            let ours = probability_above(value, degrees);
            assert!(
                (ours - probability).abs() < 2e-7,
                "{value} {degrees} {ours}"
            );
        }
        assert!((probability_above(10_000.0, 10_000.0) - 0.498_119).abs() < 1e-4);
        assert!((probability_above(0.0, 4.0) - 1.0).abs() < 1e-15);
        assert!((probability_above(5.0, 0.0) - 1.0).abs() < 1e-15);
    }
}
