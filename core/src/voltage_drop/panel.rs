//! The equations of one group over all days: drifts eliminated, and found again.

use super::day::Day;
use super::drift::{PRIOR, Turns, WAVES};
use super::eliminate::{Eliminated, Left};
use super::group::Group;
use crate::estimation::dense::Square;

/// A group's days, and what is left of them for the system.
#[derive(Debug)]
pub(super) struct Panel {
    days: Vec<Day>,
    drifts: Eliminated,
    left: Left,
    /// Column of the system of each regressor.
    columns: Vec<usize>,
    /// What of each would be known were there no drift.
    information: Vec<f64>,
}

impl Panel {
    pub(super) fn new(group: &Group, days: &[Turns]) -> Self {
        let regressors = group.members.iter().flat_map(|member| &member.regressors);
        let columns: Vec<usize> = regressors.map(|own| own.column).collect();
        let drifts = group.members.len() * WAVES;
        let mut sum = Square::zero(drifts + columns.len() + 1);
        let days = days.iter().map(|turns| Day::new(group, turns, &mut sum));
        let days = days.collect();
        for place in 0..drifts {
            sum.add(place, place, PRIOR);
        }
        let diagonal = (0..drifts + columns.len()).map(|place| sum.get(place, place));
        let mut whole: Vec<f64> = diagonal.collect();
        let information = whole.split_off(drifts);
        let (drifts, left) = Eliminated::new(sum, &whole);
        Self {
            days,
            drifts,
            left,
            columns,
            information,
        }
    }

    /// What of each column of the system would be known were there no drift.
    pub(super) fn information(&self) -> impl Iterator<Item = (usize, f64)> {
        let known = self.columns.iter().zip(&self.information);
        known.map(|(column, own)| (*column, *own))
    }

    /// What is left for the system: the matrix, both triangles, and the side.
    pub(super) fn add_to(&self, matrix: &mut Square, side: &mut [f64]) {
        let rows = self.columns.iter().zip(self.left.rows());
        for (row, (place, cells)) in rows.enumerate() {
            let others = self.columns.iter().skip(row).zip(cells);
            for (number, (other, cell)) in others.enumerate() {
                matrix.add(*place, *other, *cell);
                if number > 0 {
                    matrix.add(*other, *place, *cell);
                }
            }
            if let (Some(side), Some(cell)) = (side.get_mut(*place), cells.last()) {
                *side += cell;
            }
        }
    }

    /// Slopes of the regressors in their order.
    fn own(&self, slopes: &[f64]) -> Vec<f64> {
        let own = self.columns.iter();
        own.map(|column| slopes.get(*column).copied().unwrap_or(0.0))
            .collect()
    }

    /// Residuals by the slopes, into the members.
    pub(super) fn resolve(&self, group: &mut Group, days: &[Turns], slopes: &[f64]) {
        let own = self.own(slopes);
        let mut found = self.drifts.solve(&own, 1.0);
        found.extend(own);
        for (day, turns) in self.days.iter().zip(days) {
            day.resolve(group, turns, &found);
        }
    }

    /// By how much the drifts change with slopes that change.
    pub(super) fn follow(&self, slopes: &[f64]) -> Vec<f64> {
        self.drifts.solve(&self.own(slopes), 0.0)
    }
}
