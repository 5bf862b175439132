//! Energy under a straight line between two power samples, forward and reverse apart, exactly.
//!
//! The quantum is half a mW·ms: the net energy (p₀ + p₁)·T/2 of a whole step is a whole number of them. Where the
//! power changes sign, each direction is floored to the quantum; both lose the same fraction, so forward − reverse
//! is the net energy of the step to the quantum.

use crate::ledger::Pair;

/// The largest power either way, mW: 1 GW.
pub(crate) const MAX_POWER_MW: i64 = 1_000_000_000_000;

/// The longest step, ms: an hour. The largest product below is (power · step)² ≤ 1.3·10³⁷, within 128 bits.
pub(crate) const MAX_STEP_MS: i64 = 3_600_000;

/// Quanta of half a mW·ms in one mWh.
pub(crate) const QUANTA_PER_MWH: i128 = 7_200_000;

/// A step between two power samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    first_mw: i128,
    last_mw: i128,
    span_ms: i128,
}

fn floor_div(dividend: i128, divisor: i128) -> i128 {
    dividend.checked_div_euclid(divisor).unwrap_or(0)
}

impl Step {
    /// A step of 0 < `span_ms` ≤ [`MAX_STEP_MS`] between powers within [`MAX_POWER_MW`].
    pub(crate) fn new(first_mw: i64, last_mw: i64, span_ms: i64) -> Self {
        Self {
            first_mw: i128::from(first_mw),
            last_mw: i128::from(last_mw),
            span_ms: i128::from(span_ms),
        }
    }

    /// Quanta forward and reverse in the first `part_ms` of the step.
    pub(crate) fn before(&self, part_ms: i64) -> Pair<i128> {
        let part = i128::from(part_ms);
        let slope = self.last_mw - self.first_mw;
        // Exactly (2·p₀·x·T + (p₁ − p₀)·x²)/T quanta; the numerator stays whole until the end.
        let net = |part: i128| part * (2 * self.first_mw * self.span_ms + slope * part);
        if self.first_mw >= 0 && self.last_mw >= 0 {
            return Pair {
                forward: floor_div(net(part), self.span_ms),
                reverse: 0,
            };
        }
        if self.first_mw <= 0 && self.last_mw <= 0 {
            return Pair {
                forward: 0,
                reverse: floor_div(-net(part), self.span_ms),
            };
        }
        // The power passes zero at p₀·T/(p₀ − p₁); up to there, and from there on, lie two triangles.
        let before_zero = part * slope.abs() <= self.first_mw.abs() * self.span_ms;
        let first_triangle = floor_div(self.first_mw * self.first_mw * self.span_ms, slope.abs());
        let (leading, trailing) = if before_zero {
            let leading = floor_div(net(part).abs(), self.span_ms);
            (leading, 0)
        } else {
            // Distance from zero, times |slope|: y = x·|slope| − |p₀|·T; the area is y²/(|slope|·T) quanta.
            let beyond = part * slope.abs() - self.first_mw.abs() * self.span_ms;
            let trailing = floor_div(beyond * beyond, slope.abs() * self.span_ms);
            (first_triangle, trailing)
        };
        if self.first_mw > 0 {
            Pair {
                forward: leading,
                reverse: trailing,
            }
        } else {
            Pair {
                forward: trailing,
                reverse: leading,
            }
        }
    }
}
