//! How sure a slope is: residuals of one day hang together, so it is days that are counted.

use std::ops::Range;

use super::drift::{Turns, WAVES};
use super::fit::Fit;
use super::group::Member;
use super::meter::BLOCKS;
use super::noise::centre;
use super::student::widening;
use crate::estimation::dense::dot;

/// With fewer days that say something, blocks of four hours are counted instead.
const FEW_DAYS: f64 = 6.0;
/// One cluster's share of what is known of a slope is at most taken for this: it can't be left out then.
const MOST_SHARE: f64 = 0.9;

/// One meter on one day.
struct OfDay<'a> {
    member: &'a Member,
    rows: Range<usize>,
    blocks: &'a [u8],
    weights: &'a [f64],
    residuals: &'a [f64],
    columns: usize,
}

impl<'a> OfDay<'a> {
    fn new(member: &'a Member, turns: &Turns, blocks: &'a [u8], columns: usize) -> Self {
        let rows = turns.rows.clone();
        Self {
            member,
            blocks,
            weights: member.weight.get(rows.clone()).unwrap_or(&[]),
            residuals: member.residual.get(rows.clone()).unwrap_or(&[]),
            rows,
            columns,
        }
    }

    fn add_slopes(&self, scores: &mut [f64], information: &mut [f64]) {
        for regressor in &self.member.regressors {
            let x = regressor.x.get(self.rows.clone()).unwrap_or(&[]);
            let middle = centre(self.weights, x);
            let cells = self.weights.iter().zip(x).zip(self.residuals);
            for (((weight, x), residual), block) in cells.zip(self.blocks) {
                let place = usize::from(*block) * self.columns + regressor.column;
                let apart = x - middle;
                if let Some(cell) = scores.get_mut(place) {
                    *cell += weight * apart * residual;
                }
                if let Some(cell) = information.get_mut(place) {
                    *cell += weight * apart * apart;
                }
            }
        }
    }

    /// `first`: column of the meter's first wave.
    fn add_drifts(&self, turns: &Turns, scores: &mut [f64], first: usize) {
        let middles = turns.centres(self.weights);
        let weighted = self.weights.iter().zip(self.residuals);
        let weighted = weighted.map(|(weight, residual)| weight * residual);
        for ((waves, weighted), block) in turns.waves().zip(weighted).zip(self.blocks) {
            let place = usize::from(*block) * self.columns + first;
            let cells = scores.get_mut(place..place + WAVES).unwrap_or(&mut []);
            for (cell, (wave, middle)) in cells.iter_mut().zip(waves.iter().zip(middles)) {
                *cell += weighted * (wave - middle);
            }
        }
    }
}

/// What each cluster says of each column.
struct Clusters {
    columns: usize,
    /// Σw(x − x̄)r by cluster and column.
    scores: Vec<f64>,
    /// Σw(x − x̄)².
    information: Vec<f64>,
}

impl Clusters {
    /// Columns: those of the system, then the drifts of each group.
    fn new(fit: &Fit, days: &[Turns], blocks: &[u8]) -> Self {
        let members = fit.groups.iter().map(|group| group.members.len());
        let columns = fit.slopes.len() + WAVES * members.sum::<usize>();
        let per_day = usize::try_from(BLOCKS).unwrap_or(1);
        let size = days.len() * per_day * columns;
        let mut clusters = Self {
            columns,
            scores: vec![0.0; size],
            information: vec![0.0; size],
        };
        let mut drifts = fit.slopes.len();
        for member in fit.groups.iter().flat_map(|group| &group.members) {
            for (number, turns) in days.iter().enumerate() {
                let first = number * per_day * columns;
                let size = per_day * columns;
                let blocks = blocks.get(turns.rows.clone()).unwrap_or(&[]);
                let scores = clusters.scores.get_mut(first..first + size);
                let scores = scores.unwrap_or(&mut []);
                let information = clusters.information.get_mut(first..first + size);
                let information = information.unwrap_or(&mut []);
                let day = OfDay::new(member, turns, blocks, columns);
                day.add_slopes(scores, information);
                day.add_drifts(turns, scores, drifts);
            }
            drifts += WAVES;
        }
        clusters
    }

    /// The same with `count` clusters that follow each other taken as one.
    fn joined(&self, count: usize) -> Self {
        let size = (count * self.columns).max(1);
        let join = |values: &[f64]| {
            let mut joined = Vec::with_capacity(values.len() / count.max(1));
            for own in values.chunks(size) {
                let first = joined.len();
                joined.resize(first + self.columns, 0.0);
                let sums = joined.get_mut(first..).unwrap_or(&mut []);
                for part in own.chunks(self.columns.max(1)) {
                    for (sum, value) in sums.iter_mut().zip(part) {
                        *sum += value;
                    }
                }
            }
            joined
        };
        Self {
            columns: self.columns,
            scores: join(&self.scores),
            information: join(&self.information),
        }
    }

    /// Variance of a column's slope by leaving out one cluster after the other (to first order), and of how many clusters
    /// of equal weight it comes.
    fn variance(&self, column: usize, inverse: &[f64]) -> (f64, f64) {
        let by_cluster = self.information.chunks(self.columns.max(1));
        let shares = by_cluster.map(|own| own.get(column).copied().unwrap_or(0.0));
        let shares: Vec<f64> = shares.collect();
        let total: f64 = shares.iter().sum();
        let squares: f64 = shares.iter().map(|own| own * own).sum();
        if total <= 0.0 {
            return (0.0, 0.0);
        }
        let mut variance = 0.0;
        for (scores, own) in self.scores.chunks(self.columns.max(1)).zip(&shares) {
            let left = 1.0 - (own / total).min(MOST_SHARE);
            variance += (dot(inverse, scores) / left).powi(2);
        }
        let clusters = total * total / squares;
        (variance * (1.0 - 1.0 / clusters).max(0.5), clusters)
    }
}

/// Standard uncertainty of each slope, of statistics alone: never below that of independent quarters, and with few clusters
/// wider by Student's t.
pub(super) fn uncertainties(fit: &Fit, days: &[Turns], blocks: &[u8]) -> Vec<f64> {
    let by_block = Clusters::new(fit, days, blocks);
    let by_day = by_block.joined(usize::try_from(BLOCKS).unwrap_or(1));
    let columns = 0..fit.slopes.len();
    let each = columns.map(|column| {
        let plain = fit.inverse.get(column, column);
        // What moves a drift moves the slope beside it.
        let mut inverse = fit.inverse.row(column).to_vec();
        for panel in &fit.panels {
            inverse.extend(panel.follow(fit.inverse.row(column)));
        }
        let (variance, clusters) = by_day.variance(column, &inverse);
        if clusters >= FEW_DAYS {
            return variance.max(plain).sqrt() * widening(clusters - 1.0);
        }
        let (finer, parts) = by_block.variance(column, &inverse);
        finer.max(plain).sqrt() * widening(parts - 1.0)
    });
    each.collect()
}
