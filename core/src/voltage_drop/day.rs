//! One local day of one group: u(t) and the gains eliminated, and found again.

use std::ops::Range;

use super::group::Group;
use crate::estimation::dense::{Square, add_scaled, dot};

/// A pivot below this share of what it was before elimination is none: the gain can't be told from those before.
const NONE: f64 = 1e-9;

/// The equations of a day, u(t) eliminated, then the gains: first the gains' rows, then those of the columns.
#[derive(Debug)]
pub(super) struct Day {
    rows: Range<usize>,
    gains: usize,
    /// Column of the system behind each row after the gains.
    columns: Vec<usize>,
    reduced: Square,
    skipped: Vec<bool>,
}

/// Σ of the weights by quarter.
fn weights(group: &Group, rows: &Range<usize>) -> Vec<f64> {
    let mut sums = vec![0.0; rows.len()];
    for member in &group.members {
        let own = member.weight.get(rows.clone()).unwrap_or(&[]);
        for (sum, weight) in sums.iter_mut().zip(own) {
            *sum += weight;
        }
    }
    sums
}

impl Day {
    pub(super) fn new(group: &Group, rows: Range<usize>) -> Self {
        let gains = group.members.len();
        let regressors = group.members.iter().map(|member| member.regressors.len());
        let size = gains + regressors.sum::<usize>() + 1;
        let length = rows.len();
        let roots: Vec<f64> = weights(group, &rows)
            .into_iter()
            .map(|sum| if sum > 0.0 { 1.0 / sum.sqrt() } else { 0.0 })
            .collect();
        // Of each variable its weighted values over √Σw: their products are what u(t) takes.
        let mut shared = vec![0.0; size * length];
        let mut reduced = Square::zero(size);
        let mut columns = Vec::with_capacity(size);
        let last = size - 1;
        let ones = vec![1.0; length];
        for (gain, member) in group.members.iter().enumerate() {
            let weight = member.weight.get(rows.clone()).unwrap_or(&[]);
            let y = member.y.get(rows.clone()).unwrap_or(&[]);
            let mut own: Vec<(usize, &[f64])> = vec![(gain, &ones)];
            for regressor in &member.regressors {
                own.push((
                    gains + columns.len(),
                    regressor.x.get(rows.clone()).unwrap_or(&[]),
                ));
                columns.push(regressor.column);
            }
            own.push((last, y));
            for (place, (row, left)) in own.iter().enumerate() {
                let weighted: Vec<f64> = weight.iter().zip(*left).map(|(w, x)| w * x).collect();
                for (column, right) in own.iter().skip(place) {
                    if *row != last {
                        reduced.add(*row, *column, dot(&weighted, right));
                    }
                }
                let cells = shared.chunks_exact_mut(length).nth(*row).unwrap_or(&mut []);
                for ((cell, weighted), root) in cells.iter_mut().zip(&weighted).zip(&roots) {
                    *cell += weighted * root;
                }
            }
        }
        let whole: Vec<f64> = (0..gains).map(|gain| reduced.get(gain, gain)).collect();
        let all: Vec<&[f64]> = shared.chunks_exact(length.max(1)).collect();
        for (row, left) in all.iter().enumerate().take(last) {
            for (column, right) in all.iter().enumerate().skip(row) {
                reduced.add(row, column, -dot(left, right));
            }
        }
        let mut day = Self {
            rows,
            gains,
            columns,
            reduced,
            skipped: vec![false; gains],
        };
        day.eliminate(&whole);
        day
    }

    /// The gains out of the upper triangle.
    fn eliminate(&mut self, whole: &[f64]) {
        let size = self.reduced.size;
        for ((gain, skipped), whole) in self.skipped.iter_mut().enumerate().zip(whole) {
            let pivot = self.reduced.get(gain, gain);
            if pivot.is_nan() || pivot <= NONE * whole {
                *skipped = true;
                continue;
            }
            let (above, below) = self.reduced.cells.split_at_mut((gain + 1) * size);
            let own = above.get(gain * size..).unwrap_or(&[]);
            for (place, cells) in below.chunks_exact_mut(size).enumerate() {
                let row = gain + 1 + place;
                let factor = own.get(row).copied().unwrap_or(0.0) / pivot;
                if factor != 0.0
                    && let (Some(to), Some(from)) = (cells.get_mut(row..), own.get(row..))
                {
                    add_scaled(to, -factor, from);
                }
            }
        }
    }

    /// What is left for the system: (row's column, column's column, value) of the matrix, both triangles, and the side.
    pub(super) fn add_to(&self, matrix: &mut Square, side: &mut [f64]) {
        let last = self.reduced.size - 1;
        for (row, place) in self.columns.iter().enumerate() {
            for (column, other) in self.columns.iter().enumerate().skip(row) {
                let cell = self.reduced.get(self.gains + row, self.gains + column);
                matrix.add(*place, *other, cell);
                if column != row {
                    matrix.add(*other, *place, cell);
                }
            }
            if let Some(side) = side.get_mut(*place) {
                *side += self.reduced.get(self.gains + row, last);
            }
        }
    }

    /// Residuals of the day by the slopes, into the members.
    pub(super) fn resolve(&self, group: &mut Group, slopes: &[f64]) {
        let last = self.reduced.size - 1;
        let mut gains = vec![0.0; self.gains];
        for gain in (0..self.gains).rev() {
            if self.skipped.get(gain).is_none_or(|skipped| *skipped) {
                continue;
            }
            let row = self.reduced.row(gain);
            let mut side = row.get(last).copied().unwrap_or(0.0);
            for (other, value) in gains.iter().enumerate().skip(gain + 1) {
                side -= row.get(other).copied().unwrap_or(0.0) * value;
            }
            for (place, column) in self.columns.iter().enumerate() {
                let slope = slopes.get(*column).copied().unwrap_or(0.0);
                side -= row.get(self.gains + place).copied().unwrap_or(0.0) * slope;
            }
            if let (Some(cell), Some(pivot)) = (gains.get_mut(gain), row.get(gain)) {
                *cell = side / pivot;
            }
        }
        let sums = weights(group, &self.rows);
        let mut bus = vec![0.0; self.rows.len()];
        for (member, gain) in group.members.iter_mut().zip(&gains) {
            for (place, row) in self.rows.clone().enumerate() {
                let fitted: f64 = member
                    .regressors
                    .iter()
                    .filter_map(|own| Some(own.x.get(row)? * slopes.get(own.column)?))
                    .sum();
                let (Some(residual), Some(y)) = (member.residual.get_mut(row), member.y.get(row))
                else {
                    continue;
                };
                *residual = y - gain - fitted;
                if let (Some(bus), Some(weight)) = (bus.get_mut(place), member.weight.get(row)) {
                    *bus += weight * *residual;
                }
            }
        }
        for member in &mut group.members {
            let own = member.residual.get_mut(self.rows.clone());
            let own = own.unwrap_or(&mut []).iter_mut();
            for ((residual, bus), sum) in own.zip(&bus).zip(&sums) {
                if *sum > 0.0 {
                    *residual -= bus / sum;
                }
            }
        }
    }
}
