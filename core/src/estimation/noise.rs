//! How loud the master's white noise and the readings' jitter are: chosen by the likelihood of the residuals.
//!
//! Stated noise is often wrong by a factor, and both the weights and the stated uncertainty hang on it. The recursion
//! needs scalars only, so a dozen candidates cost less than one sum of normal equations.

use super::rows::Boundary;

/// What one used window left, and what its noise is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observed {
    pub(super) window: usize,
    pub(super) plain: f64,
    pub(super) whitened: f64,
    pub(super) weight: f64,
    pub(super) master: f64,
    pub(super) start: Boundary,
    pub(super) end: Boundary,
    pub(super) linked: bool,
}

/// Up to what a balance has that knows orders only, and neither power nor clocks.
const WHITES: [f64; 10] = [
    0.0001, 0.0003, 0.001, 0.002, 0.004, 0.008, 0.02, 0.05, 0.12, 0.3,
];
const JITTERS: [f64; 7] = [0.2, 1.0, 3.0, 10.0, 30.0, 100.0, 600.0];
const FINER: [f64; 4] = [0.6, 0.8, 1.25, 1.6];

/// Windows that are enough to choose by.
const ENOUGH: usize = 4096;
/// Windows of a stretch that is looked at, or left out, in one piece.
const STRETCH: usize = 256;

/// The most likely (white noise, jitter), with those given among the candidates.
pub(super) fn fit(observed: &[Observed], floor: f64, limit: f64, given: (f64, f64)) -> (f64, f64) {
    let every = observed.len().div_ceil(ENOUGH).max(1);
    let mut chosen = Vec::with_capacity(observed.len() / every + STRETCH);
    for stretch in observed.chunks(STRETCH).step_by(every) {
        let first = chosen.len();
        chosen.extend_from_slice(stretch);
        if let Some(row) = chosen.get_mut(first) {
            row.linked = false;
        }
    }
    let mut search = Search {
        observed: &chosen,
        floor,
        limit,
        best: given,
        cost: f64::INFINITY,
    };
    search.attempt(given);
    for jitter in JITTERS {
        search.attempt((search.best.0, jitter));
    }
    for white in WHITES {
        search.attempt((white, search.best.1));
    }
    // With the one chosen, the other may be another.
    for jitter in JITTERS {
        search.attempt((search.best.0, jitter));
    }
    let (white, jitter) = search.best;
    for factor in FINER {
        search.attempt((white * factor, search.best.1));
    }
    for factor in FINER {
        search.attempt((search.best.0, jitter * factor));
    }
    search.best
}

struct Search<'a> {
    observed: &'a [Observed],
    floor: f64,
    limit: f64,
    best: (f64, f64),
    cost: f64,
}

impl Search<'_> {
    fn attempt(&mut self, candidate: (f64, f64)) {
        if candidate == self.best && self.cost.is_finite() {
            return;
        }
        let cost = cost(
            self.observed,
            self.floor,
            self.limit,
            candidate.0,
            candidate.1,
        );
        if cost < self.cost {
            (self.cost, self.best) = (cost, candidate);
        }
    }
}

/// Variance of one noise by that of another, over all windows.
pub(super) fn change(observed: &[Observed], new: (f64, f64), old: (f64, f64)) -> f64 {
    let sum = |(white, jitter): (f64, f64)| -> f64 {
        let each = observed.iter().map(|row| {
            row.start.variance(jitter) + row.end.variance(jitter) + (white * row.master).powi(2)
        });
        each.sum()
    };
    sum(new) / sum(old)
}

/// Twice the negative log-likelihood, large residuals counted linearly up to a bound.
fn cost(observed: &[Observed], floor: f64, limit: f64, white: f64, jitter: f64) -> f64 {
    let (mut total, mut product) = (0.0, 1.0_f64);
    let (mut pivot, mut residual) = (0.0, 0.0);
    for row in observed {
        let (start, end) = (row.start.variance(jitter), row.end.variance(jitter));
        let noise = white * row.master;
        let variance = start + end + noise * noise + floor * floor;
        let factor = if row.linked && pivot > 0.0 {
            -start / pivot
        } else {
            0.0
        };
        pivot = variance + factor * start;
        residual = row.plain - factor * residual;
        product *= pivot;
        // A logarithm for many windows at once.
        if !(1e-200..1e200).contains(&product) {
            total += product.ln();
            product = 1.0;
        }
        let square = residual * residual / pivot;
        if square > limit * limit {
            let size = square.sqrt();
            // Beyond twice the limit a window is wrong, not noisy: how wrong says nothing of the noise.
            total += limit * (2.0 * size.min(2.0 * limit) - limit);
            pivot *= size / limit;
        } else {
            total += square;
        }
    }
    total + product.ln()
}
