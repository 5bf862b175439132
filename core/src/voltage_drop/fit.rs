//! The slopes: weighted least squares, with new weights and a new point of linearisation until they stay.

use std::ops::Range;

use super::drift::Turns;
use super::group::Group;
use super::noise::weigh;
use super::panel::Panel;
use super::series::Series;
use super::trunk::Flow;
use crate::estimation::dense::{Cholesky, Square};

/// Passes at most.
const PASSES: usize = 12;
/// And at least: the first residuals are of weights that nothing was known for.
const LEAST_PASSES: usize = 4;
/// Slopes stay when they move by less than this share of what the data alone leave open.
const STILL: f64 = 3e-2;
/// Added to the diagonal, relative: what can't be told apart is shared out, and told by its inverse.
const RIDGE: f64 = 1e-9;

/// Columns of the trunk after those of the chargers: line and neutral.
const TRUNK: usize = 2;

/// Slopes with what they were solved from.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) groups: Vec<Group>,
    pub(super) panels: Vec<Panel>,
    pub(super) slopes: Vec<f64>,
    /// Inverse of the normal matrix.
    pub(super) inverse: Square,
    /// Diagonal of the normal matrix were there no drift: 0 where nothing is said of a column.
    pub(super) information: Vec<f64>,
}

impl Fit {
    pub(super) fn new(
        mut groups: Vec<Group>,
        chargers: &[Series],
        master: &[(Series, Flow)],
        days: &[Range<usize>],
        turns: &[Turns],
    ) -> Option<Self> {
        let columns = chargers.len() + TRUNK;
        let mut slopes = vec![0.0; columns];
        let mut pass = 0;
        loop {
            let mut matrix = Square::zero(columns);
            let mut side = vec![0.0; columns];
            let mut without_drift = vec![0.0; columns];
            let panels: Vec<Panel> = groups
                .iter()
                .map(|group| {
                    let panel = Panel::new(group, turns);
                    panel.add_to(&mut matrix, &mut side);
                    for (column, own) in panel.information() {
                        if let Some(sum) = without_drift.get_mut(column) {
                            *sum += own;
                        }
                    }
                    panel
                })
                .collect();
            let information: Vec<f64> = (0..columns)
                .map(|column| matrix.get(column, column))
                .collect();
            for (column, own) in information.iter().enumerate() {
                let ridge = if *own > 0.0 { RIDGE * own } else { 1.0 };
                matrix.add(column, column, ridge);
            }
            let root = Cholesky::new(&matrix)?;
            let found = root.solve(&side);
            if !found.iter().all(|slope| slope.is_finite()) {
                return None;
            }
            for (group, panel) in groups.iter_mut().zip(&panels) {
                panel.resolve(group, turns, &found);
            }
            let moves = found.iter().zip(&slopes).zip(&information);
            let still = moves.into_iter().all(|((new, old), own)| {
                let apart = (new - old).abs();
                apart * own.max(0.0).sqrt() <= STILL || apart <= 1e-12 * new.abs()
            });
            slopes = found;
            pass += 1;
            if pass >= PASSES || (still && pass >= LEAST_PASSES) {
                return Some(Self {
                    groups,
                    panels,
                    slopes,
                    inverse: inverse(&root, columns),
                    information: without_drift,
                });
            }
            for group in &mut groups {
                weigh(group, days);
                for member in &mut group.members {
                    member.linearise(chargers, master, &slopes);
                }
            }
        }
    }
}

fn inverse(root: &Cholesky, size: usize) -> Square {
    let mut inverse = Square::zero(size);
    let mut unit = vec![0.0; size];
    for row in 0..size {
        if let Some(cell) = unit.get_mut(row) {
            *cell = 1.0;
        }
        inverse.row_mut(row).copy_from_slice(&root.solve(&unit));
        if let Some(cell) = unit.get_mut(row) {
            *cell = 0.0;
        }
    }
    inverse
}
