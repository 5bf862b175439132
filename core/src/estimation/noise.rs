//! How loud the master's white noise, the readings' jitter and the station's own load are: chosen by the likelihood of
//! the residuals.
//!
//! Stated noise is often wrong by a factor, and both the weights and the stated uncertainty hang on it. The recursion
//! needs scalars only, so some dozen candidates cost less than one sum of normal equations.

use super::rows::Boundary;

/// What is chosen, and what variances follow from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// White noise of the master, relative to a window's energy.
    pub(super) white: f64,
    /// Jitter of readings, s.
    pub(super) jitter_s: f64,
    /// Noise of any window, kWh.
    pub(super) floor_kwh: f64,
}

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
/// Of the floor as set: up to a station's own load that nobody told of.
const FLOORS: [f64; 8] = [1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1000.0];
const FINER: [f64; 4] = [0.6, 0.8, 1.25, 1.6];

/// Windows that are enough to choose by.
const ENOUGH: usize = 4096;
/// Windows of a stretch that is looked at, or left out, in one piece.
const STRETCH: usize = 256;

/// The most likely noise, with the one given among the candidates.
///
/// `floor_kwh` is the least there is, as set.
pub(super) fn fit(observed: &[Observed], limit: f64, floor_kwh: f64, given: Noise) -> Noise {
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
        limit,
        best: given,
        cost: f64::INFINITY,
    };
    search.attempt(given);
    search.each(&JITTERS, jitter);
    search.each(&WHITES, white);
    search.each(&FLOORS.map(|factor| factor * floor_kwh), floor);
    // With the one chosen, the others may be others.
    search.each(&JITTERS, jitter);
    search.each(&WHITES, white);
    let found = search.best;
    search.each(&FINER.map(|factor| factor * found.white), white);
    search.each(&FINER.map(|factor| factor * found.jitter_s), jitter);
    let finer = FINER.map(|factor| (factor * found.floor_kwh).max(floor_kwh));
    search.each(&finer, floor);
    search.best
}

fn white(white: f64, other: Noise) -> Noise {
    Noise { white, ..other }
}

fn jitter(jitter_s: f64, other: Noise) -> Noise {
    Noise { jitter_s, ..other }
}

fn floor(floor_kwh: f64, other: Noise) -> Noise {
    Noise { floor_kwh, ..other }
}

struct Search<'a> {
    observed: &'a [Observed],
    limit: f64,
    best: Noise,
    cost: f64,
}

impl Search<'_> {
    fn each(&mut self, values: &[f64], with: fn(f64, Noise) -> Noise) {
        for value in values {
            self.attempt(with(*value, self.best));
        }
    }

    fn attempt(&mut self, candidate: Noise) {
        if candidate == self.best && self.cost.is_finite() {
            return;
        }
        let cost = cost(self.observed, self.limit, candidate);
        if cost < self.cost {
            (self.cost, self.best) = (cost, candidate);
        }
    }
}

/// Variance of one noise by that of another, over all windows.
pub(super) fn change(observed: &[Observed], new: Noise, old: Noise) -> f64 {
    let sum = |noise: Noise| -> f64 { observed.iter().map(|row| variance(row, noise)).sum() };
    sum(new) / sum(old)
}

fn variance(row: &Observed, noise: Noise) -> f64 {
    let white = noise.white * row.master;
    row.start.variance(noise.jitter_s)
        + row.end.variance(noise.jitter_s)
        + white * white
        + noise.floor_kwh * noise.floor_kwh
}

/// Twice the negative log-likelihood, large residuals counted linearly up to a bound.
fn cost(observed: &[Observed], limit: f64, noise: Noise) -> f64 {
    let (mut total, mut product) = (0.0, 1.0_f64);
    let (mut pivot, mut residual) = (0.0, 0.0);
    for row in observed {
        let start = row.start.variance(noise.jitter_s);
        let variance = variance(row, noise);
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
