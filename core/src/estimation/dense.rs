//! Dense linear algebra of some hundred unknowns: Cholesky's factor and what is solved with it.

/// Σ aᵢbᵢ, in four sums so that the processor can add them side by side.
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (left, left_rest) = left.as_chunks::<4>();
    let (right, right_rest) = right.as_chunks::<4>();
    let mut sums = [0.0_f64; 4];
    for (a, b) in left.iter().zip(right) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d] = sums;
    (a + b) + (c + d) + rest
}

/// to += factor · from.
pub(crate) fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    let (to, to_rest) = to.as_chunks_mut::<4>();
    let (from, from_rest) = from.as_chunks::<4>();
    for (to, from) in to.iter_mut().zip(from) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += factor * from;
        }
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to += factor * from;
    }
}

/// A square matrix by rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Square {
    pub(crate) size: usize,
    pub(crate) cells: Vec<f64>,
}

impl Square {
    pub(crate) fn zero(size: usize) -> Self {
        Self {
            size,
            cells: vec![0.0; size * size],
        }
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        let start = row * self.size;
        self.cells.get(start..start + self.size).unwrap_or(&[])
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        let start = row * self.size;
        self.cells
            .get_mut(start..start + self.size)
            .unwrap_or(&mut [])
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f64 {
        self.row(row).get(column).copied().unwrap_or(0.0)
    }

    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        if let Some(cell) = self.row_mut(row).get_mut(column) {
            *cell += value;
        }
    }
}

/// The lower factor of a symmetric positive definite matrix whose diagonal is scaled to 1: the unknowns' units differ by
/// ten orders of magnitude.
#[derive(Debug)]
pub(crate) struct Cholesky {
    lower: Square,
    scale: Vec<f64>,
}

impl Cholesky {
    /// None where the matrix is not positive definite to working precision.
    pub(crate) fn new(matrix: &Square) -> Option<Self> {
        let size = matrix.size;
        let scale: Vec<f64> = (0..size)
            .map(|row| 1.0 / matrix.get(row, row).sqrt())
            .collect();
        if !scale.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
            return None;
        }
        let mut lower = Square::zero(size);
        for row in 0..size {
            let (done, rest) = lower.cells.split_at_mut(row * size);
            let own = rest.get_mut(..size)?;
            let own_scale = scale.get(row)?;
            for (column, above) in done.chunks_exact(size).enumerate() {
                let sum = dot(own.get(..column)?, above.get(..column)?);
                let cell = matrix.get(row, column) * own_scale * scale.get(column)?;
                *own.get_mut(column)? = (cell - sum) / above.get(column)?;
            }
            let known = own.get(..row)?;
            let pivot = 1.0 - dot(known, known);
            // Below this a pivot is nothing but rounding.
            if pivot.is_nan() || pivot <= 1e-14 {
                return None;
            }
            *own.get_mut(row)? = pivot.sqrt();
        }
        Some(Self { lower, scale })
    }

    /// w with |w|² = fᵀ A⁻¹ f: the variance of the function f, and the product of two such w the covariance of their functions.
    pub(crate) fn root(&self, function: &[(usize, f64)]) -> Vec<f64> {
        let mut side = vec![0.0; self.lower.size];
        for (place, value) in function {
            if let (Some(cell), Some(scale)) = (side.get_mut(*place), self.scale.get(*place)) {
                *cell += value * scale;
            }
        }
        let first = function.iter().map(|(place, _)| *place).min().unwrap_or(0);
        self.forward(&mut side, first);
        side
    }

    fn forward(&self, side: &mut [f64], first: usize) {
        for row in first..self.lower.size {
            let factors = self.lower.row(row);
            let (known, rest) = side.split_at_mut(row);
            let sum = dot(
                known.get(first..).unwrap_or(&[]),
                factors.get(first..row).unwrap_or(&[]),
            );
            if let (Some(cell), Some(pivot)) = (rest.first_mut(), factors.get(row)) {
                *cell = (*cell - sum) / pivot;
            }
        }
    }

    /// A⁻¹ side.
    pub(crate) fn solve(&self, side: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = side.iter().zip(&self.scale).map(|(a, b)| a * b).collect();
        self.forward(&mut values, 0);
        for row in (0..self.lower.size).rev() {
            let factors = self.lower.row(row);
            let (before, rest) = values.split_at_mut(row);
            if let (Some(cell), Some(pivot)) = (rest.first_mut(), factors.get(row)) {
                *cell /= pivot;
                add_scaled(before, -*cell, factors.get(..row).unwrap_or(&[]));
            }
        }
        for (value, scale) in values.iter_mut().zip(&self.scale) {
            *value *= scale;
        }
        values
    }
}
