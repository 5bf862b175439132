//! Unknowns that only a part of the equations has, eliminated from them, and found again.

use crate::estimation::dense::{Square, add_scaled, dot};

/// A pivot below this share of what it was before is none: it can't be told from those before.
const NONE: f64 = 1e-9;

/// What is left of normal equations, upper triangle, for the unknowns that weren't eliminated and the side.
#[derive(Debug)]
pub(super) struct Left {
    size: usize,
    count: usize,
    cells: Vec<f64>,
}

impl Left {
    /// By unknown its row from the diagonal on, with the side at its end.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        let rows = self.cells.chunks_exact(self.size.max(1));
        let unknowns = (self.size - self.count).saturating_sub(1);
        let rows = rows.take(unknowns).enumerate();
        rows.map(|(row, cells)| cells.get(self.count + row..).unwrap_or(&[]))
    }
}

/// The equations of the unknowns that were eliminated: all that it takes to find them again.
#[derive(Debug)]
pub(super) struct Eliminated {
    size: usize,
    rows: Vec<f64>,
    skipped: Vec<bool>,
}

impl Eliminated {
    /// Of normal equations, upper triangle: first the unknowns to eliminate, then the others, then the side. `whole`: of each
    /// of the first what its pivot is judged by.
    pub(super) fn new(equations: Square, whole: &[f64]) -> (Self, Left) {
        let (size, count) = (equations.size, whole.len());
        let mut rows = equations.cells;
        let mut skipped = vec![false; count];
        for ((place, skipped), whole) in skipped.iter_mut().enumerate().zip(whole) {
            let (above, below) = rows.split_at_mut((place + 1) * size);
            let own = above.get(place * size..).unwrap_or(&[]);
            let pivot = own.get(place).copied().unwrap_or(0.0);
            if pivot.is_nan() || pivot <= NONE * whole {
                *skipped = true;
                continue;
            }
            for (row, cells) in (place + 1..).zip(below.chunks_exact_mut(size)) {
                let factor = own.get(row).copied().unwrap_or(0.0) / pivot;
                if factor != 0.0
                    && let (Some(to), Some(from)) = (cells.get_mut(row..), own.get(row..))
                {
                    add_scaled(to, -factor, from);
                }
            }
        }
        let cells = rows.split_off(count * size);
        rows.shrink_to_fit();
        let left = Left { size, count, cells };
        let eliminated = Self {
            size,
            rows,
            skipped,
        };
        (eliminated, left)
    }

    /// The eliminated unknowns by those that were left; `side`: 1, or 0 for what they are by these alone.
    pub(super) fn solve(&self, left: &[f64], side: f64) -> Vec<f64> {
        let count = self.skipped.len();
        let mut found = vec![0.0; count];
        let rows = self.rows.chunks_exact(self.size.max(1));
        let rows = rows.zip(&self.skipped).enumerate().rev();
        for (place, (row, skipped)) in rows {
            let Some((last, row)) = row.split_last() else {
                continue;
            };
            if *skipped {
                continue;
            }
            let after = row.get(place + 1..count).unwrap_or(&[]);
            let known = found.get(place + 1..).unwrap_or(&[]);
            let others = row.get(count..).unwrap_or(&[]);
            let value = side * last - dot(after, known) - dot(others, left);
            if let (Some(cell), Some(pivot)) = (found.get_mut(place), row.get(place)) {
                *cell = value / pivot;
            }
        }
        found
    }
}
