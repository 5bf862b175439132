//! What is known of all differences to the cohort together, once all else is integrated out.

use super::dense::{Square, add_scaled, dot};
use super::mixture::Part;

/// Normal distribution of all differences to the cohort and, after them, of the cohort's mean, all relative. What comes
/// after these is left out ([`Self::first`]) before sets are looked at.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    pub(super) mean: Vec<f64>,
    pub(super) covariance: Square,
}

impl Joint {
    /// Of unknowns with these means; the products of two `roots` are their covariance.
    pub(super) fn new(mean: Vec<f64>, roots: &[&Vec<f64>]) -> Self {
        let mut covariance = Square::zero(roots.len());
        for (row, one) in roots.iter().enumerate() {
            for (column, other) in roots.iter().enumerate() {
                covariance.add(row, column, dot(one, other));
            }
        }
        Self { mean, covariance }
    }

    pub(super) fn of(&self, place: usize) -> (f64, f64) {
        let mean = self.mean.get(place).copied().unwrap_or(0.0);
        (mean, self.covariance.get(place, place))
    }

    /// Logarithm of what the evidence changes by with `delta` on a prior's precision, but for the prior's own norm.
    pub(super) fn gain(&self, place: usize, delta: f64) -> f64 {
        let (mean, variance) = self.of(place);
        let rest = 1.0 + delta * variance;
        -0.5 * (rest.ln() + delta * mean * mean / rest)
    }

    /// Add `delta` to a prior's precision.
    pub(super) fn change(&mut self, place: usize, delta: f64) {
        let (mean, variance) = self.of(place);
        let column = self.covariance.row(place).to_vec();
        let factor = -delta / (1.0 + delta * variance);
        for (row, known) in column.iter().enumerate() {
            add_scaled(self.covariance.row_mut(row), factor * known, &column);
        }
        add_scaled(&mut self.mean, factor * mean, &column);
    }

    /// Of the first so many alone.
    pub(super) fn first(&self, count: usize) -> Self {
        let mut covariance = Square::zero(count);
        for row in 0..count {
            let known = self.covariance.row(row).get(..count).unwrap_or(&[]);
            covariance.row_mut(row).copy_from_slice(known);
        }
        let mean = self.mean.iter().take(count).copied().collect();
        Self { mean, covariance }
    }

    /// b, which is difference and cohort together, of what is known of the difference alone.
    pub(super) fn whole(&self, place: usize, part: Part) -> Part {
        let ((mean, variance), (cohort, free)) = (self.of(place), self.of(self.mean.len() - 1));
        let slope = self.covariance.get(place, self.mean.len() - 1) / variance;
        let rest = (free - slope * slope * variance).max(0.0);
        Part {
            mean: part.mean + cohort + slope * (part.mean - mean),
            variance: part.variance * (1.0 + slope).powi(2) + rest,
            ..part
        }
    }
}
