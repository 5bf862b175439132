//! Whitening of the windows' noise and the normal equations of what is left.
//!
//! A reading's error moves energy from one window to the next: the covariance is tridiagonal, Σ = L D Lᵀ with one
//! multiplier a row, and x̃ₜ = xₜ − lₜx̃ₜ₋₁ whitens in one sweep. The normal equations are summed block by block: with the
//! block's rows X sparse and Z = L⁻ᵀD⁻¹X̃ dense, X̃ᵀD⁻¹X̃ = (X − l₁e₁rᵀ)ᵀZ, where r is the last whitened row before the
//! block. Idle chargers then cost nothing but the sweeps, and the sum needs no later block: it can be carried on.

use super::dense::{Square, add_scaled};
use super::rows::Row;
use super::spread::Spread;

/// Windows of a block. Blocks are counted from the first window of all, so that the sums are the same to the bit
/// however the windows came.
pub(super) const BLOCK: usize = 128;

/// What one window left behind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Residual {
    /// By the reference, kWh.
    pub(super) plain: f64,
    /// Whitened, in standard deviations of the noise model.
    pub(super) whitened: f64,
    pub(super) weight: f64,
}

/// A row with its noise.
#[derive(Debug, Clone, Default)]
pub(super) struct Noisy {
    pub(super) row: Row,
    pub(super) variance: f64,
    pub(super) covariance: f64,
}

/// The recursion and the sums.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    /// Columns with data; the right-hand side is one more.
    pub(super) data: usize,
    /// Sums X̃ᵀD⁻¹X̃, not symmetric to the last bit.
    pub(super) sums: Square,
    /// The last whitened row.
    pub(super) carry: Vec<f64>,
    /// Its variance; 0 before there is one.
    pub(super) pivot: f64,
    /// Its whitened residual by the reference, kWh.
    pub(super) residual: f64,
    pub(super) spread: Spread,
    pub(super) rows: u64,
}

/// Room for the dense rows of a block.
#[derive(Debug, Default)]
pub(super) struct Room {
    dense: Vec<f64>,
    steps: Vec<(f64, f64)>,
}

impl Chain {
    pub(super) fn new(data: usize) -> Self {
        let width = data + 1;
        Self {
            data,
            sums: Square::zero(width),
            carry: vec![0.0; width],
            pivot: 0.0,
            residual: 0.0,
            spread: Spread::default(),
            rows: 0,
        }
    }

    /// Take a block. `solution` is what residuals and weights refer to; empty for none: all weights are then 1.
    pub(super) fn take(
        &mut self,
        rows: &[Noisy],
        solution: &[f64],
        limit: f64,
        room: &mut Room,
        mut tell: impl FnMut(usize, &Noisy, Residual),
    ) {
        if rows.is_empty() {
            return;
        }
        room.steps.clear();
        for (place, noisy) in rows.iter().enumerate() {
            let linked = noisy.row.linked && self.pivot > 0.0;
            let factor = if linked {
                noisy.covariance / self.pivot
            } else {
                0.0
            };
            let mut pivot = noisy.variance - factor * noisy.covariance;
            let plain = noisy.row.y - noisy.row.dot(solution);
            self.residual = plain - factor * self.residual;
            let whitened = self.residual / pivot.sqrt();
            let mut weight = 1.0;
            if !solution.is_empty() {
                if whitened.abs() > limit {
                    weight = limit / whitened.abs();
                    // The noise of this window is larger than thought: what it says of the next shrinks with it.
                    pivot /= weight;
                }
                self.spread.take(whitened, weight);
            }
            tell(
                place,
                noisy,
                Residual {
                    plain,
                    whitened,
                    weight,
                },
            );
            self.pivot = pivot;
            room.steps.push((factor, pivot));
        }
        self.rows += rows.len() as u64;
        self.sum(rows, room);
    }

    fn sum(&mut self, rows: &[Noisy], room: &mut Room) {
        let width = self.data + 1;
        room.dense.clear();
        room.dense.resize(rows.len() * width, 0.0);
        let first = room.steps.first().map_or(0.0, |step| step.0);
        let mut before: &[f64] = &self.carry;
        let mut rest: &mut [f64] = &mut room.dense;
        for (noisy, (factor, _)) in rows.iter().zip(&room.steps) {
            let (own, later) = std::mem::take(&mut rest).split_at_mut(width);
            if *factor != 0.0 {
                for (cell, known) in own.iter_mut().zip(before) {
                    *cell = -factor * known;
                }
            }
            for (column, value) in &noisy.row.cells {
                if let Some(cell) = own.get_mut(*column) {
                    *cell += value;
                }
            }
            if let Some(cell) = own.last_mut() {
                *cell += noisy.row.y;
            }
            before = own;
            rest = later;
        }
        let last = before.to_vec();
        // Backwards: zₜ = x̃ₜ/dₜ − lₜ₊₁zₜ₊₁.
        let mut rest: &mut [f64] = &mut room.dense;
        let mut after: (f64, &[f64]) = (0.0, &[]);
        for (noisy, (factor, pivot)) in rows.iter().zip(&room.steps).rev() {
            let place = rest.len() - width;
            let (earlier, own) = std::mem::take(&mut rest).split_at_mut(place);
            let share = 1.0 / pivot;
            let (link, later) = after;
            if link == 0.0 {
                for cell in own.iter_mut() {
                    *cell *= share;
                }
            } else {
                for (cell, later) in own.iter_mut().zip(later) {
                    *cell = *cell * share - link * later;
                }
            }
            for (column, value) in &noisy.row.cells {
                add_scaled(self.sums.row_mut(*column), *value, own);
            }
            add_scaled(self.sums.row_mut(self.data), noisy.row.y, own);
            after = (*factor, own);
            rest = earlier;
        }
        if first != 0.0 {
            let (_, own) = after;
            for (column, known) in self.carry.iter().enumerate() {
                if *known != 0.0 {
                    add_scaled(self.sums.row_mut(column), -first * known, own);
                }
            }
        }
        self.carry = last;
    }
}
